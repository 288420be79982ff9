"""List and read the image files of a recording: of a folder, or of a folder in a zip archive, ``2.jpg`` before ``10.jpg``."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from stmap_pipeline.databases.base import natural_key
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import VideoSource

# Size of 36 million pixels of 16 bits, uncompressed.
MAX_IMAGE_BYTES = 2**28
IMAGE_CODECS = {".jpg": "mjpeg", ".jpeg": "mjpeg", ".png": "png", ".bmp": "bmp", ".tif": "tiff", ".tiff": "tiff"}


def list_images(source: VideoSource) -> list[str]:
    """List the names of the image files of a recording, in natural order.

    Raises
    ------
    OSError
        Where the folder or the archive cannot be read.
    """
    if source.member:
        names = [one.filename for one in archive_members(source)]
    else:
        names = [one.name for one in source.path.iterdir() if one.suffix.lower() in IMAGE_CODECS]
    return sorted(names, key=natural_key)


def archive_members(source: VideoSource) -> list[zipfile.ZipInfo]:
    """List the image files of a recording in a zip archive, with their sizes and checksums; nothing is decompressed.

    Raises
    ------
    OSError
        Where the archive cannot be read.
    """
    wanted = PurePosixPath(source.member).parts
    try:
        with zipfile.ZipFile(source.path) as archive:
            listed = [(PurePosixPath(one.filename), one) for one in archive.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise OSError(0, str(error)) from None
    # the archive may have been made with the folder above
    return [one for path, one in listed if path.suffix.lower() in IMAGE_CODECS and path.parent.parts[-len(wanted) :] == wanted]


def read_images(source: VideoSource, names: Sequence[str]) -> Iterator[bytes | OSError]:
    """Yield the content of each image file, or the error where it cannot be read."""
    if not source.member:
        for name in names:
            try:
                yield read_bytes(source.path / name, MAX_IMAGE_BYTES)
            except OSError as error:
                yield error
        return
    with zipfile.ZipFile(source.path) as archive:
        for name in names:
            try:
                with archive.open(name) as file:
                    data = file.read(MAX_IMAGE_BYTES + 1)
                yield data if len(data) <= MAX_IMAGE_BYTES else OSError(0, "is too large for an image")
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError) as error:
                yield error if isinstance(error, OSError) else OSError(0, str(error))
