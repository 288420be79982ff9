"""Anybody's own videos: a folder with ``database.toml`` or ``database.csv``, a folder of videos alone, or one video."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.databases.base import IMAGE_SUFFIXES, Database, contents, in_order, is_folder, natural_key, source_folder, walk
from stmap_pipeline.databases.folder_description import LabelEntry, RecordingEntry, Spec, read_csv, read_toml
from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource
from stmap_pipeline.records.recording import safe_id

NAME = "folder"
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".wmv")
_OWN_SUBJECT = "no database.toml says who is seen: the recording counts as a subject of its own"

LAYOUT = """\
A folder with database.toml:
  name = "my study"
  [defaults]                      # optional: any key of a recording but video and id
  [[recording]]
  video = "s01_rest.mp4"          # a file, a folder of pictures (with rate_hz or times), or a pattern such as "**/*.mp4"
  subject = "s01"                 # default: the video's name without suffix
  scenario = "rest"               # camera, fold and id may follow
  rate_hz = 30.0                  # or times = "s01_time.txt" with times_unit_s = 0.001; default: the container's times
  [[recording.label]]             # one of each kind, or none
  kind = "heart_rate"             # or "pulse"
  file = "s01_rest.csv"
  column = "heart_rate_bpm"       # or a number from 0; unit = "bpm" or "hz"; missing = [255]
  time_column = "time_s"          # with time_unit_s; or rate_hz = 60.0; or per_frame = true
  [recording.extras]              # anything else
or with database.csv: columns video, id, subject, scenario, camera, fold, rate_hz, times, times_unit_s, label_file, label_kind,
  label_column and so on, label2_file and so on, extra_NAME.
{stem}, {parent}, {grandparent} and {dir} stand for parts of the video's path.
With neither file, each video under the folder is a recording without labels, and a subject of its own.
"""


@dataclass(slots=True)
class _Found:
    """A video of an entry, before all ids are known."""

    where: str
    entry: RecordingEntry
    path: Path
    names: list[str]
    level: int = 0

    @property
    def recording_id(self) -> str:
        return safe_id(printable(self.names[self.level]))


def list_recordings(root: Path) -> Iterator[Recording]:
    r"""List the recordings of a folder, or of one video file, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where the description holds a mistake, ids or subjects cannot be told apart, or there is no video.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = (Path(name) / "database.toml").write_text('[[recording]]\nvideo = "s01_rest.mp4"\nsubject = "s01"')
    ...     [(one.recording_id, one.subject) for one in list_recordings(Path(name))]
    [('s01_rest', 's01')]
    """
    if root.name in ("database.toml", "database.csv") and root.is_file():
        root = root.parent
    if root.is_file():
        if root.suffix.lower() not in VIDEO_SUFFIXES:
            raise DatabaseError(f"{printable(root)}: is no video by its name; known are {', '.join(VIDEO_SUFFIXES)}")
        return _undescribed(root.absolute().parent, [root.absolute()])
    root = source_folder(root)
    spec = _spec(root)
    if spec is None:
        videos = [folder / name for folder, names in walk(root) for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES]
        if not videos:
            raise DatabaseError(
                f"{printable(root)}: no video; looked for database.toml, database.csv and files {', '.join(VIDEO_SUFFIXES)} at any depth, "
                f"found {contents(root)}"
            )
        return _undescribed(root, videos)
    entries = [(where, entry, path) for where, entry in spec.entries for path in _videos(root, where, entry)]
    return in_order(_recordings(root, spec.name or NAME, entries, ()))


def _undescribed(root: Path, videos: list[Path]) -> Iterator[Recording]:
    # the entry says nothing, not even the name: file names may hold bytes that no description can
    entry = RecordingEntry(video="-")
    return in_order(_recordings(root, NAME, [("the source", entry, path) for path in videos], (_OWN_SUBJECT,)))


def _spec(root: Path) -> Spec | None:
    toml, table = root / "database.toml", root / "database.csv"
    if toml.is_file() and table.is_file():
        raise DatabaseError(f"{printable(root)}: holds database.toml and database.csv; keep one of the two")
    return read_toml(toml) if toml.is_file() else read_csv(table) if table.is_file() else None


def _videos(root: Path, where: str, entry: RecordingEntry) -> list[Path]:
    """Give the videos of an entry. A file that is named is listed even where it is missing; a pattern must match."""
    path = root / entry.video
    if os.path.lexists(path) or not re.search(r"[*?[]", entry.video):
        return [path]
    anchor = Path(path.anchor)
    base, pattern = (anchor, str(path.relative_to(anchor))) if Path(entry.video).is_absolute() else (root, entry.video)
    try:
        matches = [one for one in base.glob(pattern) if not one.name.startswith(".")]
    except (ValueError, NotImplementedError, OSError) as error:
        raise DatabaseError(f"{printable(root)}: {where}: video = {entry.video!r} is no pattern of files ({error})") from None
    videos = [one for one in matches if (_is_pictures(one) if is_folder(one) else one.suffix.lower() in VIDEO_SUFFIXES)]
    if not videos:
        kinds = f"no video ({', '.join(VIDEO_SUFFIXES)}) and no folder of pictures" if matches else "nothing"
        raise DatabaseError(f"{printable(root)}: {where}: video = {entry.video!r} matches {kinds}")
    return sorted(videos, key=lambda one: natural_key(str(one)))


def _is_pictures(folder: Path) -> bool:
    try:
        return any(one.suffix.lower() in IMAGE_SUFFIXES for one in folder.iterdir())
    except OSError as error:
        raise DatabaseError(f"{printable(folder)}: cannot be listed ({error.strerror}); make it readable or remove it") from None


def _recordings(
    root: Path, database: str, entries: list[tuple[str, RecordingEntry, Path]], notes: tuple[str, ...]
) -> list[Recording]:
    found = [_Found(where, entry, path, _names(root, entry, path)) for where, entry, path in entries]
    _tell_apart(root, found)
    recordings = [_recording(root, database, one, notes) for one in found]
    _check_subjects(root, recordings, found)
    return recordings


def _names(root: Path, entry: RecordingEntry, path: Path) -> list[str]:
    """Give possible ids, the shortest first: the video's stem, then with more and more of its folders, then with its suffix."""
    if entry.id:
        return [_filled(entry.id, root, path)]
    try:
        parents = path.parent.relative_to(root).parts
    except ValueError:
        parents = path.parent.parts[1:]
    stem = _stem(path)
    longer = ["_".join((*parents[len(parents) - count :], stem)) for count in range(len(parents) + 1)]
    return [*longer, "_".join((*parents, path.name))]


def _tell_apart(root: Path, found: list[_Found]) -> None:
    """Lengthen ids that are equal until none is."""
    while True:
        same: dict[str, list[_Found]] = defaultdict(list)
        for one in found:
            same[one.recording_id].append(one)
        clashes = [group for group in same.values() if len(group) > 1]
        if not clashes:
            return
        for group in clashes:
            longer = [one for one in group if one.level + 1 < len(one.names)]
            if not longer:
                first, second = group[:2]
                raise DatabaseError(
                    f"{printable(root)}: {first.where} ({printable(first.path)}) and {second.where} ({printable(second.path)}) would both be "
                    f"{first.recording_id!r}; give each its own id in database.toml, or rename a file"
                )
            for one in longer:
                one.level += 1


def _recording(root: Path, database: str, found: _Found, notes: tuple[str, ...]) -> Recording:
    entry, path = found.entry, found.path
    pictures = is_folder(path)
    if pictures and entry.rate_hz is None and entry.times is None:
        raise DatabaseError(
            f"{printable(root)}: {found.where}: {printable(path)} is a folder of pictures, which carry no times; give rate_hz or times"
        )
    clock = ClockSource()
    if entry.times is not None:
        clock = ClockSource(
            "times_file",
            root / _filled(entry.times, root, path, is_path=True),
            unit_s=entry.times_unit_s,
            column=entry.times_column,
        )
    elif entry.rate_hz is not None:
        clock = ClockSource("constant", rate_hz=entry.rate_hz, note="rate_hz as given for this recording")
    return Recording(
        found.recording_id,
        database,
        safe_id(_filled(entry.subject, root, path)) if entry.subject else found.recording_id,
        VideoSource(path, "images" if pictures else "file"),
        clock=clock,
        labels=tuple(_label(root, path, one) for one in entry.label),
        scenario=_filled(entry.scenario, root, path),
        camera=_filled(entry.camera, root, path),
        fold=entry.fold,
        notes=notes,
        extras={key: str(value) for key, value in entry.extras.items()},
    )


def _label(root: Path, video: Path, entry: LabelEntry) -> LabelSource:
    return LabelSource(
        entry.kind,
        root / _filled(entry.file, root, video, is_path=True),
        column=entry.column,
        rate_hz=entry.rate_hz,
        time_column=entry.time_column,
        time_unit_s=entry.time_unit_s,
        per_frame=entry.per_frame,
        missing=entry.missing,
        required=entry.required,
        scale=60.0 if entry.unit == "hz" else 1.0,
    )


def _check_subjects(root: Path, recordings: list[Recording], found: list[_Found]) -> None:
    """Refuse two people under one file name, and one person in two folds."""
    known: dict[str, tuple[str, int | None, str]] = {}
    for recording, one in zip(recordings, found, strict=True):
        said = _filled(one.entry.subject, root, one.path) or recording.subject
        # shards are files, and some file systems do not tell S1 from s1
        before = known.setdefault(recording.subject.casefold(), (said, recording.fold, one.where))
        if before[0] != said:
            raise DatabaseError(
                f"{printable(root)}: subjects {before[0]!r} ({before[2]}) and {said!r} ({one.where}) would share the file name "
                f"{recording.subject!r}; rename one"
            )
        if before[1] != recording.fold:
            raise DatabaseError(
                f"{printable(root)}: subject {said!r} is in fold {before[1]} ({before[2]}) and in fold {recording.fold} ({one.where}); "
                "all recordings of a subject need one fold"
            )


def _stem(path: Path) -> str:
    return path.name if is_folder(path) else path.stem


def _filled(text: str, root: Path, video: Path, is_path: bool = False) -> str:
    """Replace the placeholders by parts of the video's path."""
    folder = video.parent
    parts = {"stem": _stem(video), "parent": folder.name, "grandparent": folder.parent.name}
    parts["dir"] = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.as_posix()
    filled = re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], text)
    # a path keeps the bytes of the file name; other text must be fit for tables
    return filled if is_path else printable(filled)


DATABASE = Database(
    name=NAME,
    title="your own videos, described by database.toml or database.csv, or not at all",
    license="whatever holds for your videos",
    access="a folder of videos, or one video file, on this machine",
    citation="",
    layout=LAYOUT,
    list_recordings=list_recordings,
)
