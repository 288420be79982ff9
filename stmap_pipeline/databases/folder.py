"""User videos: a folder with ``database.toml`` or ``database.csv``, a folder of videos alone, or one video."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stmap_pipeline.databases.base import (
    IMAGE_SUFFIXES,
    Database,
    contents,
    in_order,
    is_folder,
    natural_key,
    source_folder,
    walk,
)
from stmap_pipeline.databases.folder_description import (
    DESCRIPTIONS,
    MAX_TEXT_LENGTH,
    Defaults,
    Description,
    LabelEntry,
    RecordingEntry,
    checked,
    read_description,
)
from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.files import first_copies
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource
from stmap_pipeline.records.recording import hashed_id, safe_id

NAME = "folder"
# whatever cameras, phones and converters write; a file of them that FFmpeg cannot read fails by name
VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".m2ts", ".ts", ".3gp", ".3g2", ".mxf",
    ".flv", ".f4v", ".ogv", ".ogm", ".vob", ".asf", ".divx", ".dv", ".mjpeg", ".mjpg", ".mj2", ".m1v", ".m2v", ".mpe", ".mod",
    ".tod", ".qt", ".y4m", ".nut", ".ivf", ".h264", ".264", ".h265", ".265", ".hevc", ".wtv", ".insv", ".rm", ".rmvb",
)  # fmt: skip
# of files beside videos that may hold labels
LABEL_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".edf", ".bdf", ".mat", ".h5", ".hdf5", ".xlsx")
_SUFFIXES_TEXT = f"{', '.join(VIDEO_SUFFIXES[:6])} and {len(VIDEO_SUFFIXES) - 6} others"
_OWN_SUBJECT = "nobody named the subject: the recording counts as a subject of its own"
_SHOWN_CONFLICTS = 20

LAYOUT = """\
A folder with database.toml:
  name = "my study"
  [defaults]                      # optional: any key of a recording but video and id
  [[recording]]
  video = "s01_rest.mp4"          # a file, a folder of images (with rate_hz or times), or a pattern such as "**/*.mp4"
  subject = "s01"                 # default: the recording's id
  id = "s01_rest"                 # default: the video's path, see below
  scenario = "rest"               # camera and fold may follow
  rate_hz = 30.0                  # or times = "s01_time.txt" with times_unit_s = 0.001; default: the container's times
  [[recording.label]]             # one of each kind, or none
  kind = "heart_rate"             # or "pulse"
  file = "s01_rest.csv"
  column = "heart_rate_bpm"       # or a number from 0; unit = "bpm" or "hz"; missing = [255]
  time_column = "time_s"          # with time_unit_s; or rate_hz = 60.0; or per_frame = true
  [recording.extras]              # anything else
or with database.csv: columns video, id, subject, scenario, camera, fold, rate_hz, times, times_unit_s, times_column, label_file,
  label_kind and so on, label2_file and so on, extra_NAME.
{stem}, {parent}, {grandparent} and {dir} stand for parts of the video's path.
With neither file, each video under the folder is a recording without labels, and a subject of its own; --subject '{parent}' names the
subjects by their folders.
The id of anna/rest.mp4 is anna__rest, that of anna/rest.mov is anna__rest.mov. A path with other characters than letters, digits,
".", "_" and "-" gets a short hash: rest 1.mp4 is rest_1-53c53f.
"""


@dataclass(frozen=True, slots=True)
class _Video:
    """A video of an entry of the description."""

    where: str
    entry: RecordingEntry
    path: Path


@dataclass(slots=True)
class Listing:
    """Recordings of a folder, and what contradicts itself in their listing.

    Parameters
    ----------
    recordings : list of Recording
    conflicts : list of (str, str)
        What is wrong, and a message: ``id`` (two videos under one), ``fold`` (a subject in two), ``copy`` (a video of two subjects).
    """

    recordings: list[Recording]
    conflicts: list[tuple[str, str]] = field(default_factory=list)


def list_recordings(root: Path, subject: str = "") -> Iterator[Recording]:
    r"""List the recordings of a folder, or of one video file, in the order of the ids.

    An id depends on the video's path from the folder alone, not on other files.

    Parameters
    ----------
    root : Path
    subject : str
        Who is seen in a video, by placeholders such as ``{parent}``; only where no description names subjects.

    Raises
    ------
    DatabaseError
        Where the description holds a mistake or lists a recording twice, a video belongs to two subjects, or there is no video.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "anna").mkdir()
    ...     (Path(name) / "anna" / "rest.mp4").touch()
    ...     [(one.recording_id, one.subject) for one in list_recordings(Path(name), "{parent}")]
    [('anna__rest', 'anna')]
    """
    listing = read_listing(root, subject)
    if listing.conflicts:
        shown = [message for _, message in listing.conflicts[:_SHOWN_CONFLICTS]]
        more = len(listing.conflicts) - len(shown)
        raise DatabaseError(f"{printable(root)}: " + "\n  ".join([*shown, *([f"and {more} more"] if more else [])]))
    return in_order(listing.recordings)


def read_listing(root: Path, subject: str = "") -> Listing:
    """Read the recordings of a folder, or of one video file, together with all that contradicts itself.

    Parameters
    ----------
    root : Path
    subject : str
        As in :func:`list_recordings`.

    Raises
    ------
    DatabaseError
        Where the description holds a mistake, ``subject`` is no text of placeholders or contradicts the description, or there is no
        video.
    """
    if subject:
        subject = checked(Defaults, {"subject": subject}, "subject").subject
    if root.name in DESCRIPTIONS and root.is_file():
        root = root.parent
    if root.is_file():
        if root.suffix.lower() not in VIDEO_SUFFIXES:
            raise DatabaseError(f"{printable(root)}: is no video by its name; known are {_SUFFIXES_TEXT}")
        return _undescribed(root.absolute().parent, [root.absolute()], subject)
    root = source_folder(root)
    description = read_description(root)
    if description is not None:
        return _described(root, _with_subject(root, description, subject))
    videos = find_videos(root)
    if not videos:
        raise DatabaseError(
            f"{printable(root)}: no video; looked for database.toml, database.csv and files {_SUFFIXES_TEXT} at any depth, "
            f"found {contents(root)}"
        )
    return _undescribed(root, videos, subject)


def find_videos(root: Path) -> list[Path]:
    """List the videos under a folder at any depth, in natural order."""
    return [folder / name for folder, names in walk(root) for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES]


def files_beside(videos: Iterable[Path]) -> dict[Path, list[Path]]:
    """Return the files that may hold the labels of videos: those of the same name with another suffix, in the same folder.

    ``anna/rest.csv`` stands beside ``anna/rest.mp4``, and so do ``anna/rest_hr.csv`` and ``anna/Rest.txt``. Videos without such a file
    are left out.
    """
    names: dict[Path, list[str]] = {}
    found: dict[Path, list[Path]] = {}
    for video in videos:
        folder = video.parent
        if folder not in names:
            try:
                names[folder] = sorted((one for one in os.listdir(folder) if not one.startswith(".")), key=natural_key)  # noqa: PTH208
            except OSError:
                names[folder] = []
        stem = video.stem.casefold()
        same = [
            folder / name
            for name in names[folder]
            if Path(name).suffix.lower() in LABEL_SUFFIXES
            and re.fullmatch(re.escape(stem) + r"(?:[ _.-].*)?", Path(name).stem.casefold())
        ]
        if same:
            found[video] = same
    return found


def _with_subject(root: Path, description: Description, subject: str) -> Description:
    """Return a description whose recordings have the subject that the user named instead of their own ids."""
    named = [where for where, entry in description.entries if entry.subject]
    if subject and named:
        raise DatabaseError(f"{printable(root)}: {named[0]} names the subject already; change it there, or leave out {subject!r}")
    entries = [(where, entry.model_copy(update={"subject": subject}) if subject else entry) for where, entry in description.entries]
    return replace(description, entries=tuple(entries))


def _undescribed(root: Path, videos: Sequence[Path], subject: str) -> Listing:
    """List a recording for each video; another name of one of them is listed and skipped."""
    # the entry is empty but for the subject: a file name may hold bytes that no description can
    entry = RecordingEntry(video="-", subject=subject)
    notes = () if subject else (_OWN_SUBJECT,)
    listing = Listing([])
    seen: dict[object, Recording] = {}
    for path in sorted(videos, key=lambda one: (one.is_symlink(), natural_key(str(one)))):
        one = replace(_recording(root, NAME, _Video("the source", entry, path)), notes=notes)
        first = seen.setdefault(_file_key(path), one)
        if first is not one:
            one = replace(one, skip_reason="duplicate", skip_message=f"the same file as {_inside(root, first.video.path)}")
            if subject and first.subject != one.subject:
                listing.conflicts.append(_two_subjects(root, first, one))
        listing.recordings.append(one)
    if not subject:
        return listing  # nobody said who is who: copies are no contradiction
    places = [place for place, one in enumerate(listing.recordings) if not one.skip_reason]
    for index, first_index in first_copies([listing.recordings[place].video.path for place in places]).items():
        one, first = (listing.recordings[places[number]] for number in (index, first_index))
        if first.subject == one.subject:
            copied = replace(one, skip_reason="duplicate", skip_message=f"the same content as {_inside(root, first.video.path)}")
            listing.recordings[places[index]] = copied
        else:
            listing.conflicts.append(_two_subjects(root, first, one))
    return listing


def _two_subjects(root: Path, first: Recording, other: Recording, wheres: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Return the conflict of two videos that are one and belong to two subjects."""
    how = "are one file" if _file_key(first.video.path) == _file_key(other.video.path) else "have the same content"
    one_place, other_place = (f" ({where})" if where else "" for where in wheres)
    return (
        "copy",
        f"{_inside(root, first.video.path)} and {_inside(root, other.video.path)} {how}, listed as subject "
        f"{first.subject!r}{one_place} and as {other.subject!r}{other_place}; one person is one subject: remove one of the two, or give "
        "both one subject in database.toml",
    )


def recording_of(root: Path, entry: RecordingEntry, path: Path) -> Recording:
    """Return the recording of one video by an entry of a description.

    Raises
    ------
    DatabaseError
        Where the entry and the video do not go together.
    """
    return _recording(root, NAME, _Video("the entry", entry, path))


def _inside(root: Path, path: Path) -> str:
    return printable(path.relative_to(root) if path.is_relative_to(root) else path)


def _described(root: Path, description: Description) -> Listing:
    videos = [_Video(where, entry, path) for where, entry in description.entries for path in _paths(root, where, entry)]
    listing = Listing([_recording(root, description.name or NAME, one) for one in videos])
    ids: dict[str, _Video] = {}
    folds: dict[str, tuple[int | None, str]] = {}
    files: dict[object, int] = {}
    same: dict[int, int] = {}
    for number, (video, one) in enumerate(zip(videos, listing.recordings, strict=True)):
        first = ids.setdefault(one.recording_id, video)
        if first is not video:
            message = (
                f"{first.where} ({printable(first.path)}) and {video.where} ({printable(video.path)}) would both be "
                f"{one.recording_id!r}; give each its own id"
            )
            listing.conflicts.append(("id", message))
        fold, where = folds.setdefault(one.subject, (one.fold, video.where))
        if fold != one.fold:
            message = (
                f"subject {one.subject!r} is in fold {fold} ({where}) and in fold {one.fold} ({video.where}); "
                "all recordings of a subject need one fold"
            )
            listing.conflicts.append(("fold", message))
        earlier = files.setdefault(_file_key(video.path), number)
        if earlier != number:
            same[number] = earlier
    files_once = [number for number in range(len(videos)) if number not in same]
    copies = first_copies([videos[number].path for number in files_once])
    same |= {files_once[index]: files_once[first_index] for index, first_index in copies.items()}
    for number, earlier in sorted(same.items()):
        one, other = listing.recordings[number], listing.recordings[earlier]
        if other.subject == one.subject:
            continue
        named = bool(videos[number].entry.subject and videos[earlier].entry.subject) and one.video.path != other.video.path
        one_file = _file_key(one.video.path) == _file_key(other.video.path)
        if named or (one_file and (other.clock, other.labels) == (one.clock, one.labels)):
            listing.conflicts.append(_two_subjects(root, other, one, (videos[earlier].where, videos[number].where)))
        else:
            # nobody said who is who, or one video has the labels of two devices
            what = (
                "the same video is also listed"
                if one_file
                else f"{_inside(root, other.video.path)} has the same content, and is listed"
            )
            listing.recordings[number] = replace(one, notes=(f"{what} as subject {other.subject}",))
    return listing


def _file_key(path: Path) -> object:
    """Return what is the same for all names of one file."""
    try:
        status = path.stat()
    except OSError:
        return path
    # some network file systems have no numbers of files
    return (status.st_dev, status.st_ino, status.st_size) if status.st_ino else os.path.realpath(path)


def _paths(root: Path, where: str, entry: RecordingEntry) -> list[Path]:
    """Return the videos of an entry. A file that is named is listed even where it is missing; a pattern must match."""
    path = root / entry.video
    if os.path.lexists(path) or not re.search(r"[*?[]", entry.video):
        return [path]
    anchor = Path(path.anchor)
    base, pattern = (anchor, str(path.relative_to(anchor))) if Path(entry.video).is_absolute() else (root, entry.video)
    try:
        matches = [one for one in base.glob(pattern) if not one.name.startswith(".")]
    except (ValueError, NotImplementedError, OSError) as error:
        raise DatabaseError(f"{printable(root)}: {where}: video = {entry.video!r} is no pattern of files ({error})") from None
    suffix = Path(pattern).suffix.lower()
    known = (*VIDEO_SUFFIXES, suffix) if suffix[1:].isalnum() else VIDEO_SUFFIXES
    videos = [one for one in matches if (_has_images(one) if is_folder(one) else one.suffix.lower() in known)]
    if not videos:
        kinds = f"no video ({_SUFFIXES_TEXT}) and no folder of images" if matches else "nothing"
        raise DatabaseError(f"{printable(root)}: {where}: video = {entry.video!r} matches {kinds}")
    return sorted(videos, key=lambda one: natural_key(str(one)))


def _has_images(folder: Path) -> bool:
    try:
        return any(one.suffix.lower() in IMAGE_SUFFIXES for one in folder.iterdir())
    except OSError as error:
        raise DatabaseError(f"{printable(folder)}: cannot be listed ({error.strerror}); make it readable or remove it") from None


def _path_id(root: Path, path: Path) -> str:
    """Return the id of a video: its path from the folder with ``__`` between the parts, without ``.mp4``.

    Where another path could give the same, a hash of the path follows.
    """
    inside = path.is_relative_to(root)
    parts = list(path.relative_to(root).parts if inside else path.parts[-2:])  # a place of this machine stays out of ids
    if path.suffix == ".mp4" and not is_folder(path) and Path(path.stem).suffix.lower() not in VIDEO_SUFFIXES:
        parts[-1] = path.stem
    name = "__".join(parts)
    if inside and name.split("__") == parts and safe_id(name) == name:
        return name
    return hashed_id(name, path.relative_to(root).as_posix() if inside else path.as_posix())


def _recording(root: Path, database: str, video: _Video) -> Recording:
    entry, path = video.entry, video.path
    images = is_folder(path)
    if images and entry.rate_hz is None and entry.times is None:
        raise DatabaseError(
            f"{printable(root)}: {video.where}: {printable(path)} is a folder of images, which carry no times; give rate_hz or times"
        )

    def text(key: str) -> str:
        filled = _filled(getattr(entry, key), root, path)
        if len(filled) > MAX_TEXT_LENGTH:
            raise DatabaseError(
                f"{printable(root)}: {video.where}: {key} has {len(filled)} characters; at most {MAX_TEXT_LENGTH} are kept"
            )
        return printable(filled)

    clock = ClockSource()
    if entry.times is not None:
        times = root / _filled(entry.times, root, path)
        clock = ClockSource("times_file", times, unit_s=entry.times_unit_s, column=entry.times_column)
    elif entry.rate_hz is not None:
        clock = ClockSource("constant", rate_hz=entry.rate_hz, note="rate_hz as given for this recording")
    recording_id = safe_id(text("id")) if entry.id else _path_id(root, path)
    return Recording(
        recording_id,
        database,
        safe_id(text("subject")) if entry.subject else recording_id,
        VideoSource(path, "images" if images else "file"),
        clock=clock,
        labels=_labels(root, path, entry),
        scenario=text("scenario"),
        camera=text("camera"),
        fold=entry.fold,
        extras={key: str(value) for key, value in entry.extras.items()},
    )


def _labels(root: Path, video: Path, entry: RecordingEntry) -> tuple[LabelSource, ...]:
    found = [_label(root, video, one, _filled(entry.video_start, root, video)) for one in entry.label]
    if entry.heart_rate_bpm is not None:
        found.append(LabelSource("heart_rate", heart_rate_bpm=entry.heart_rate_bpm))
    return tuple(found)


def _label(root: Path, video: Path, entry: LabelEntry, video_start: str) -> LabelSource:
    return LabelSource(
        entry.kind,
        root / _filled(entry.file, root, video),
        column=entry.column,
        rate_hz=entry.rate_hz,
        time_column=entry.time_column,
        time_unit_s=entry.time_unit_s,
        per_frame=entry.per_frame,
        missing=entry.missing,
        required=entry.required,
        unit=entry.unit,
        format=entry.format,
        skip_rows=entry.skip_rows,
        offset_s=entry.offset_s,
        lag_s=entry.lag_s,
        video_start=video_start,
        starts_with_video=entry.starts_with_video,
    )


def _filled(text: str, root: Path, video: Path) -> str:
    """Replace the placeholders by parts of the video's path."""
    folder = video.parent
    parts = {"stem": video.name if is_folder(video) else video.stem, "parent": folder.name, "grandparent": folder.parent.name}
    parts["dir"] = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.as_posix()
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], text)


DATABASE = Database(
    name=NAME,
    title="your own videos, described by database.toml or database.csv, or not at all",
    license="whatever holds for your videos",
    access="a folder of videos, or one video file, on this machine",
    citation="",
    layout=LAYOUT,
    list_recordings=list_recordings,
    list_by_subject=list_recordings,
)
