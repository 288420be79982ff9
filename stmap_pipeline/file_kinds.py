"""What a file is by its first bytes, where it is not what was expected: a still image, an archive, a web page, a text."""

from __future__ import annotations

# start of a file, after so many bytes -> what it is, and what to do
_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "is a still image (JPEG)"),
    (0, b"\x89PNG\r\n", "is a still image (PNG)"),
    (0, b"II*\0", "is a still image (TIFF)"),
    (0, b"MM\0*", "is a still image (TIFF)"),
    (8, b"WEBP", "is a still image (WebP)"),
    (4, b"ftypheic", "is a still image (HEIC)"),
    (4, b"ftypmif1", "is a still image (HEIF)"),
    (4, b"ftypavif", "is a still image (AVIF)"),
    (0, b"\x1f\x8b", "is compressed (gzip); unpack it"),
    (0, b"BZh", "is compressed (bzip2); unpack it"),
    (0, b"\xfd7zXZ\0", "is compressed (xz); unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it"),
    (0, b"Rar!", "is a RAR archive; unpack it"),
    (0, b"%PDF", "is a PDF document"),
    (0, b"\x89HDF\r\n", "is an HDF5 file"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Office document, such as a workbook of Excel; save its sheet as CSV"),
    (0, b"version https://git-lfs", "is a pointer of Git LFS, not the file; get it with `git lfs pull`"),
)
_ZIP, _WORKBOOK = b"PK\x03\x04", (b"[Content_Types].xml", b"xl/", b"_rels/.rels", b"mimetypeapplication/vnd.oasis")
_PAGE = ("<!doctype html", "<html")


def content_kind(head: bytes) -> str:
    """Return what a file is by its first bytes, with what to do where that is known; empty where they are of no such kind.

    Parameters
    ----------
    head : bytes
        A few hundred bytes or more.

    Examples
    --------
    >>> content_kind(bytes.fromhex("1f8b0800")), content_kind(b"time,bpm")
    ('is compressed (gzip); unpack it', '')
    """
    if head.startswith(_ZIP):
        if any(mark in head for mark in _WORKBOOK):
            return "is a workbook (Excel or OpenDocument); save its sheet as CSV"
        return "is a zip archive; unpack it"
    start = head[:64].decode("utf-8-sig", "replace").lstrip().casefold()
    if start.startswith(_PAGE):
        return "is a web page; the download failed: download it again"
    return next((what for at, mark, what in _KINDS if head[at : at + len(mark)] == mark), "")


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file are text in UTF-8.

    Examples
    --------
    >>> is_text(b"time,bpm"), is_text(bytes(9))
    (True, False)
    """
    try:
        # a letter may be cut where the bytes end
        text = head[: head.rindex(b"\n") + 1 if b"\n" in head else len(head)].decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return bool(text) and all(one.isprintable() or one in "\r\n\t\f" for one in text)
