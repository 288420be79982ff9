"""Why a file is no video that can be opened: it is empty, cut off, of another kind, or a still image; and whether a file ends too early."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from stmap_pipeline.file_kinds import content_kind, is_text

_HEAD_BYTES = 4096
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
        if kind := content_kind(head):
            return kind if ";" in kind else f"{kind}, not a video"
        if head[:4] == _MATROSKA or (head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WAVE")):
            return f"ends inside its header: {_COPY_AGAIN}"
        if head[4:8] in _BOXES:
            has_index, ends_early = _boxes(file, path.stat().st_size)
            if not has_index:
                return f"has no index (moov box), which is written last: {_COPY_AGAIN}"
            return f"ends inside its index (moov box): {_COPY_AGAIN}" if ends_early else ""
    return "is a text file, not a video" if is_text(head) else ""


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
