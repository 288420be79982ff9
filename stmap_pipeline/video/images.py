"""Frames of a folder of pictures, in natural order, decoded to native planes (JPEG stays YCbCr)."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging

from stmap_pipeline.databases.natural import natural_key
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.video.container import MAX_PIXELS, Decoded

# what 36 million pixels of 16 bits take uncompressed; the decoder stumbles over a cut file
MAX_PICTURE_BYTES = 2**28
_DECODERS = {".jpg": "mjpeg", ".jpeg": "mjpeg", ".png": "png", ".bmp": "bmp", ".tif": "tiff", ".tiff": "tiff"}


def decode_images(folder: Path) -> Generator[Decoded]:
    """Decode the pictures of a folder, ``2.jpg`` before ``10.jpg``.

    Raises
    ------
    RecordingError
        Where the folder cannot be read or holds no picture.
    """
    av.logging.set_level(None)
    try:
        files = sorted((one for one in folder.iterdir() if one.suffix.lower() in _DECODERS), key=lambda one: natural_key(one.name))
    except OSError as error:
        raise RecordingError(
            "decode", "source_unreadable", f"{folder.name}: cannot be read as a folder of pictures ({error.strerror})"
        ) from None
    if not files:
        raise RecordingError("decode", "source_missing", f"{folder.name}: no picture ({', '.join(_DECODERS)}) in this folder")
    errors = 0
    for path in files:
        name = _DECODERS[path.suffix.lower()]
        frame: Any = None
        try:
            # a fresh context for each picture: a damaged one must not spoil the next
            decoder: Any = av.CodecContext.create(name, "r")
            decoder.options = {"max_pixels": str(MAX_PIXELS)}
            with path.open("rb") as file:
                data = file.read(MAX_PICTURE_BYTES)
            pictures = [*decoder.decode(av.Packet(data)), *decoder.decode(None)] if data else []
            frame = pictures[0] if pictures else None
        except MemoryError:
            raise
        except (av.error.FFmpegError, OSError):
            frame = None
        errors += frame is None
        yield Decoded(frame, None, math.nan, name, errors)
