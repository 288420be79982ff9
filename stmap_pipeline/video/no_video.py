"""Why a file is no video that can be opened: it is empty, cut off, of another kind, or a still image; and whether a file ends too early."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES = 4096
# start of a file, after so many bytes -> what it is, and what to do
_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "is a still image (JPEG), not a video"),
    (0, b"\x89PNG\r\n", "is a still image (PNG), not a video"),
    (0, b"BM", "is a still image (BMP), not a video"),
    (0, b"II*\0", "is a still image (TIFF), not a video"),
    (0, b"MM\0*", "is a still image (TIFF), not a video"),
    (8, b"WEBP", "is a still image (WebP), not a video"),
    (4, b"ftypheic", "is a still image (HEIC), not a video"),
    (4, b"ftypmif1", "is a still image (HEIF), not a video"),
    (4, b"ftypavif", "is a still image (AVIF), not a video"),
    (0, b"PK\x03\x04", "is a zip archive; unpack it"),
    (0, b"\x1f\x8b", "is compressed (gzip); unpack it"),
    (0, b"BZh", "is compressed (bzip2); unpack it"),
    (0, b"\xfd7zXZ\0", "is compressed (xz); unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it"),
    (0, b"Rar!", "is a RAR archive; unpack it"),
    (0, b"%PDF", "is a PDF document, not a video"),
    (0, b"\x89HDF\r\n", "is an HDF5 file, not a video"),
    (0, b"version https://git-lfs", "is a pointer of Git LFS, not the video; get the video with `git lfs pull`"),
)
_COPY_AGAIN = "the recording was not finished, or the copy was cut off; copy it again"
_MATROSKA, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# boxes that an MP4 or QuickTime file begins with
_BOXES = frozenset({b"ftyp", b"wide", b"free", b"skip", b"mdat", b"pnot"})
_MAX_BOXES = 1000


def video_problem(path: Path) -> str:
    """Return why a file that cannot be opened as a video is none, and what to do; empty where that is not known.

    Parameters
    ----------
    path : Path
        A regular file.

    Raises
    ------
    OSError
        Where it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "clip.mp4")
    >>> _ = path.write_bytes(b"")
    >>> video_problem(path)
    'is empty (0 bytes); copy it again'
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            return "is empty (0 bytes); copy it again"
        if not head.strip(b"\0"):
            return "begins with nothing but zeros: the copy or download was not finished; copy it again"
        for at, start, what in _KINDS:
            if head[at : at + len(start)] == start:
                return what
        if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WAVE"):
            return f"ends inside its header: {_COPY_AGAIN}"
        if head[:4] == _MATROSKA:
            return f"ends inside its header: {_COPY_AGAIN}"
        if head[4:8] in _BOXES:
            has_index, ends_early = _boxes(file, path.stat().st_size)
            if not has_index:
                return f"has no index (moov box), which is written last: {_COPY_AGAIN}"
            return f"ends inside its index (moov box): {_COPY_AGAIN}" if ends_early else ""
    return _of_text(head)


def declared_bytes(path: Path) -> int:
    """Return how long a file is by its own header: that of an AVI, Matroska or WebM file; 0 for others.

    Parameters
    ----------
    path : Path

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "clip.avi")
    >>> _ = path.write_bytes(b"RIFF" + (1000).to_bytes(4, "little") + b"AVI ")
    >>> declared_bytes(path)
    1008
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if len(head) >= 12 and head[:4] == b"RIFF":
        return int(struct.unpack("<I", head[4:8])[0]) + 8
    if head[:4] != _MATROSKA:
        return 0
    # a header, and the segment that holds all else; a segment of unknown length is one that was streamed
    header, at = _vint(head, 4)
    if header < 0:
        return 0
    at += header
    if head[at : at + 4] != _SEGMENT:
        return 0
    length, begin = _vint(head, at + 4)
    return begin + length if length >= 0 else 0


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length as Matroska writes sizes, -1 where it is unknown, and where it ends."""
    if at >= len(data) or not data[at]:
        return -1, at
    size = 9 - data[at].bit_length()
    raw = data[at : at + size]
    value = int.from_bytes(raw, "big") & ((1 << 7 * size) - 1)
    return (value if len(raw) == size and value != (1 << 7 * size) - 1 else -1), at + size


def _boxes(file: BinaryIO, size: int) -> tuple[bool, bool]:
    """Return whether an MP4 file has an index, and whether its last box is longer than the file."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return False, True
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if head[4:8] == b"moov":
            return True, at + length > size
        if length < 8:
            return False, length == 0
        at += length
    return False, False


def _of_text(head: bytes) -> str:
    try:
        text = head[: head.rindex(b"\n") + 1 if b"\n" in head else len(head)].decode("utf-8-sig").lstrip()
    except UnicodeDecodeError:
        return ""
    if not all(one.isprintable() or one in "\r\n\t\f" for one in text):
        return ""
    if text[:15].lower().startswith(("<!doctype html", "<html")):
        return "is a web page, not a video: the download failed; download it again"
    return "is a text file, not a video"
