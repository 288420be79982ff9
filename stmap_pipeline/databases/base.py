"""The record of a database, and functions with which all of them walk a source folder."""

from __future__ import annotations

import csv
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import Recording

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
_ARCHIVES = frozenset({".zip", ".rar", ".7z", ".gz", ".tar"})
_SHOWN_ENTRIES = 6
_DIGITS = re.compile(r"([0-9]+)")

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Database:
    """One database of face videos. A module under ``databases/`` makes one and the registry names it.

    Parameters
    ----------
    name : str
        As the user types it.
    title, license, access, citation : str
        For ``stmap databases NAME``; ``citation`` is BibTeX, empty where there is nothing to cite.
    layout : str
        The tree that is expected on disk, as text.
    list_recordings : callable
        ``list_recordings(root)`` yields each recording under ``root`` in the order of its id, those that must not be
        built with their ``skip_reason``. It opens no video. It raises :class:`~stmap_pipeline.errors.DatabaseError`
        where the root holds nothing of this layout, saying what it looked for and what it found instead.
    simulated : bool
        Whether the data are synthetic.
    subjects, videos : int
        As published; 0 where the user decides.
    consecutive : bool
        Whether the numbers of the subjects leave none out, so that a number that is not there is a subject that is missing.
    cameras, frame_rate, labels : str
        What filmed, at how many frames/s, and what was recorded with it.
    terms : {"open", "form", "agreement", ""}
        How the data are had: by download, by a request form, under a signed agreement; empty for own data.
    splits : str
        Official folds, protocols or splits, and where they are stored; empty where there are none.
    defects : tuple of str
        What is known to be wrong or surprising in the data, and what is done about it.
    list_by_subject : callable, optional
        ``list_by_subject(root, subject)`` does what ``list_recordings`` does where the user says who is seen in a video, by placeholders
        such as ``{parent}``; None where the database names its subjects.
    """

    name: str
    title: str
    license: str
    access: str
    citation: str
    layout: str
    list_recordings: Callable[[Path], Iterator[Recording]]
    simulated: bool = False
    subjects: int = 0
    videos: int = 0
    consecutive: bool = False
    cameras: str = ""
    frame_rate: str = ""
    labels: str = ""
    terms: Literal["open", "form", "agreement", ""] = ""
    splits: str = ""
    defects: tuple[str, ...] = ()
    list_by_subject: Callable[[Path, str], Iterator[Recording]] | None = None

    def facts(self) -> dict[str, str]:
        """Return what is known of the database besides layout and citation: name of the fact -> text, empty ones left out."""
        counts = [f"{count} {noun}" for count, noun in ((self.subjects, "subjects"), (self.videos, "videos")) if count]
        facts = {
            "size": ", ".join(counts),
            "cameras": self.cameras,
            "frame rate": self.frame_rate,
            "labels": self.labels,
            "splits": self.splits,
            "license": self.license,
            "access": self.access,
        }
        return {name: text for name, text in facts.items() if text}


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return a sort key that compares runs of digits as numbers and letters without case.

    Examples
    --------
    >>> sorted(["10.jpg", "9.jpg", "010.jpg", "1.jpg"], key=natural_key)
    ['1.jpg', '9.jpg', '010.jpg', '10.jpg']
    """
    parts = tuple((0, int(part), "") if _DIGITS.match(part) else (1, 0, part.casefold()) for part in _DIGITS.split(name) if part)
    # the name itself decides between 010 and 10, so that the order never depends on the file system
    return parts, name


def is_folder(path: Path | os.DirEntry[str]) -> bool:
    """Return whether a path is a folder; a link to itself and a name that is too long for the file system are none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def source_folder(root: Path) -> Path:
    """Return the absolute path of a source folder.

    Raises
    ------
    DatabaseError
        Where it does not exist or is no folder.
    """
    if not is_folder(root):
        what = "is no folder" if os.path.lexists(root) else "does not exist"
        raise DatabaseError(f"{printable(root)}: {what}; give the folder that holds the database")
    return root.absolute()


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder under ``root`` with the names of its files, in natural order.

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
            raise DatabaseError(
                f"{printable(folder)}: cannot be listed ({error.strerror}); make it readable or remove it"
            ) from None
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
    """Return the first names in a folder as text, for the error that something else was expected.

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
    return printable(", ".join(names[:_SHOWN_ENTRIES])) + more


def file_named(names: Iterable[str], wanted: str) -> str:
    """Return the name as it is on disk, which may differ in case; ``wanted`` itself where there is none.

    Examples
    --------
    >>> file_named(["Time.TXT", "video.avi"], "time.txt")
    'Time.TXT'
    """
    same = [name for name in names if name.casefold() == wanted.casefold()]
    return wanted if wanted in same or not same else same[0]


def no_recordings(root: Path, title: str, looked_for: str) -> DatabaseError:
    """Return the error of a folder that holds nothing of a layout, with what was looked for and what is there."""
    archives = sum(Path(name).suffix.lower() in _ARCHIVES for _, names in walk(root) for name in names)
    hint = f" ({archives} archives: unpack them first)" if archives else ""
    return DatabaseError(f"{printable(root)}: no recording of {title}; looked for {looked_for}, found {contents(root)}{hint}")


def folds_of(name: str) -> dict[str, int]:
    """Read the published folds that come with stmap: subject -> fold, from 1.

    Examples
    --------
    >>> folds_of("vipl_hr_folds.csv")["100"]
    1
    """
    text = files("stmap_pipeline.databases").joinpath(name).read_text("utf-8")
    return {row["subject"]: int(row["fold"]) for row in csv.DictReader(text.splitlines())}


def rows_of(path: Path, key: str, max_bytes: int = 2**24) -> dict[str, dict[str, str]]:
    """Read a table with a header that comes with a database: the cell of one column -> the row.

    Raises
    ------
    DatabaseError
        Where it cannot be read or lacks the column.
    """
    try:
        reader = csv.DictReader(read_bytes(path, max_bytes).decode("utf-8-sig", "replace").splitlines())
        rows = [{name: (cell or "").strip() for name, cell in row.items() if isinstance(name, str)} for row in reader]
    except (OSError, csv.Error) as error:
        raise DatabaseError(f"{printable(path)}: cannot be read as a table ({error}); repair or remove it") from None
    if any(key not in row for row in rows):
        raise DatabaseError(f"{printable(path)}: has no column {key!r}; repair or remove it")
    return {row[key]: row for row in rows}


def add_once(root: Path, found: dict[K, Recording], key: K, one: Recording) -> None:
    """Add a recording to those that were found before.

    Raises
    ------
    DatabaseError
        Where its key was found before in another place; with the id and both places.
    """
    if key in found:
        raise found_twice(root, found[key], one)
    found[key] = one


def found_twice(root: Path, before: Recording, one: Recording) -> DatabaseError:
    """Return the error of a recording that stands in two places."""
    return DatabaseError(
        f"{printable(root)}: {one.recording_id} is there twice: {printable(before.video.path)} and {printable(one.video.path)}; an archive "
        "was unpacked twice, remove one of the two"
    )


def in_order(recordings: Iterable[Recording]) -> Iterator[Recording]:
    """Return recordings in the order of their ids."""
    return iter(sorted(recordings, key=lambda one: one.recording_id))
