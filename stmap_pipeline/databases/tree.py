"""Walking a source folder: every real folder once, in a fixed order, whatever links and file names are in it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from stmap_pipeline.databases.natural import natural_key
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.records import Recording

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
_SHOWN_ENTRIES = 6


def shown(path: Path | str) -> str:
    r"""Give a path as text that can be printed and stored: bytes that are not UTF-8 become ``\xNN``.

    Examples
    --------
    >>> print(shown("caf\udce9.mp4"))
    caf\xe9.mp4
    """
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_folder(path: Path | os.DirEntry[str]) -> bool:
    """Tell whether a path is a folder; no link to itself and no name that is too long for the file system is one."""
    try:
        return path.is_dir()
    except OSError:
        return False


def source_folder(root: Path) -> Path:
    """Give the absolute path of a source folder.

    Raises
    ------
    DatabaseError
        Where it does not exist or is no folder.
    """
    if not is_folder(root):
        what = "is no folder" if os.path.lexists(root) else "does not exist"
        raise DatabaseError(f"{shown(root)}: {what}; give the folder that holds the database")
    return root.absolute()


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give each folder under ``root`` with the names of its files, in natural order.

    Linked folders are entered after all others, and only where they lead to a folder that was not seen yet, so a loop of
    links ends. Names that begin with a dot and ``__MACOSX`` are left out: they hold shadows of the real files. A link to a
    file that is not there counts as a file, so that its recording is listed and fails by name.

    Raises
    ------
    DatabaseError
        Where a folder cannot be listed: a subject must not vanish because of its permissions.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "p1").mkdir()
    ...     (Path(name) / "p1" / "video.avi").touch()
    ...     [(folder.name, names) for folder, names in walk(Path(name))][1:]
    [('p1', ['video.avi'])]
    """
    folders, links, seen = deque([root]), deque[Path](), set[str]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: natural_key(entry.name))
        except OSError as error:
            raise DatabaseError(f"{shown(folder)}: cannot be listed ({error.strerror}); make it readable or remove it") from None
        files: list[str] = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if is_folder(entry):
                (links if entry.is_symlink() else folders).append(folder / entry.name)
            elif entry.is_symlink() or entry.is_file():
                files.append(entry.name)
        yield folder, files


def contents(root: Path) -> str:
    """Say in a few words what a folder holds, for the error that something else was expected.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "notes.txt").touch()
    ...     contents(Path(name))
    'notes.txt'
    """
    try:
        names = sorted((entry.name + ("/" if is_folder(entry) else "") for entry in root.iterdir()), key=natural_key)
    except OSError as error:
        return f"a folder that cannot be listed ({error.strerror})"
    if not names:
        return "an empty folder"
    more = f" and {len(names) - _SHOWN_ENTRIES} more" if len(names) > _SHOWN_ENTRIES else ""
    return shown(", ".join(names[:_SHOWN_ENTRIES])) + more


def file_named(names: Iterable[str], wanted: str) -> str:
    """Give the name as it is on disk, where it may differ in case; ``wanted`` itself where there is none.

    Examples
    --------
    >>> file_named(["Time.TXT", "video.avi"], "time.txt")
    'Time.TXT'
    """
    same = [name for name in names if name.casefold() == wanted.casefold()]
    return wanted if wanted in same or not same else same[0]


def in_order(recordings: Iterable[Recording]) -> Iterator[Recording]:
    """Give recordings in the order of their ids."""
    return iter(sorted(recordings, key=lambda one: one.recording_id))
