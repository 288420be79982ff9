"""Where one recording is on disk: its video, its clock and its labels. Nothing is opened here."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MAX_ID_LENGTH = 120

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\Z")
_PLAIN_FILE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?\Z")
_HASHED = re.compile(r"-[0-9a-f]{8}\Z")
# devices on Windows, with any suffix
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.I)


@dataclass(frozen=True, slots=True)
class VideoSource:
    """A video file, a folder of numbered images, or an array of frames in a MATLAB or HDF5 file.

    Parameters
    ----------
    path : Path
        The file, or the folder of images; for images also a zip archive.
    kind : {"file", "images", "array"}
        ``images`` reads all .jpg, .jpeg, .png, .bmp and .tif files of the folder in natural order (2 before 10). ``array`` reads
        one array of frames.
    member : str
        What is read of the file: the name of the array; for images in a zip archive the folder inside it, such as ``F001/T1``.
    """

    path: Path
    kind: Literal["file", "images", "array"] = "file"
    member: str = ""

    def __post_init__(self) -> None:
        # a str in its place works, too
        object.__setattr__(self, "path", Path(self.path))


@dataclass(frozen=True, slots=True)
class ClockSource:
    """Source of the times of the frames.

    Parameters
    ----------
    kind : {"pts", "times_file", "constant"}
        ``pts``: the container's presentation time of each frame. ``times_file``: a text file, one number for each frame.
        ``constant``: frame number divided by ``rate_hz``.
    path : Path, optional
        The file of frame times.
    unit_s : float
        Length of one unit of that file in seconds (0.001 for milliseconds).
    rate_hz : float, optional
        Frame rate of a constant clock.
    note : str
        Why this clock was chosen where a reader might expect another one; stored with the recording.
    column : str or int, optional
        Column of the times in the file of frame times, where it has more than one.

    Examples
    --------
    >>> ClockSource("constant", rate_hz=30.0, note="source2 ships no time.txt").rate_hz
    30.0
    """

    kind: Literal["pts", "times_file", "constant"] = "pts"
    path: Path | None = None
    unit_s: float = 1.0
    rate_hz: float | None = None
    note: str = ""
    column: str | int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", None if self.path is None else Path(self.path))
        if self.kind == "times_file" and self.path is None:
            raise ValueError("a clock of kind 'times_file' needs a path")
        if self.kind == "constant" and not (self.rate_hz and self.rate_hz > 0):
            raise ValueError(f"a clock of kind 'constant' needs rate_hz > 0, not {self.rate_hz}")


LabelKind = Literal["heart_rate", "pulse", "ecg", "rr"]


@dataclass(frozen=True, slots=True)
class LabelSource:
    """File of a label over time, and what its numbers mean.

    At most one of ``rate_hz``, ``time_column`` and ``per_frame`` has the times of the rows; none is needed where the file itself has a
    sampling rate or times (Empatica, EDF, OpenSignals), and for RR intervals, whose sum is the time.

    Parameters
    ----------
    kind : {"heart_rate", "pulse", "ecg", "rr"}
        ``heart_rate``: beats per minute. ``pulse``: a pulse wave (PPG, BVP, blood pressure) in arbitrary units. ``ecg``: an
        electrocardiogram. ``rr``: times from beat to beat.
    path : Path, optional
        The file. None where ``heart_rate_bpm`` is the label.
    column : str or int
        Column of the values: a header name, or a number from 0; in JSON, HDF5, MATLAB and EDF files the path or name of a field,
        data set, variable or channel.
    rate_hz : float, optional
        Sampling rate; row i is at i / rate_hz after the first frame: such a file does not say when it starts.
    time_column : str or int, optional
        Column of the times instead of a rate: numbers, ISO 8601 dates with times, or clock times.
    time_unit_s : float, optional
        Length of one unit of that column in seconds; without it the header's unit such as ``time (ms)``, otherwise seconds.
    per_frame : bool
        Row i belongs to frame i of the video and has its time, instead of a rate or a time column.
    missing : tuple of float
        Values that stand for "no value", such as 255.
    required : bool
        Whether a recording without this file fails; otherwise its absence is a note.
    unit : {"", "bpm", "hz", "ms", "s", "1/1024 s"}
        Unit of a heart rate (bpm, hz) or of RR intervals (ms, s, 1/1024 s). Without it, the unit that the file names; without one, bpm for a
        heart rate and an error for RR intervals.
    format : str
        Name in the registry ``label_formats``; without it the format is recognized by the content.
    skip_rows : int
        Lines of a text file to leave out before anything is read.
    offset_s : float
        Added to the times of the label.
    lag_s : float or "auto"
        How much later the label's pulse is than the pulse in the video: its times are moved back by so much. ``"auto"`` takes what the
        cross-correlation of the two gives, where it is clear.
    video_start : str
        Date and time of the first frame, which dates, clock times and UNIX times of the label are counted from.
    starts_with_video : bool
        Whether the first row was taken at the first frame, whatever its date or clock time.
    span_column : str or int, optional
        Column or channel that is not zero while the video ran, such as a trigger; the first such row is at the first frame.
    quality_column : str, optional
        Column of the quality of each sample, from 0 (bad) to 1; bad samples are unknown.
    heart_rate_bpm : float, optional
        One heart rate for the whole video, instead of a file.
    """

    kind: LabelKind
    path: Path | None = None
    column: str | int = 0
    rate_hz: float | None = None
    time_column: str | int | None = None
    time_unit_s: float | None = None
    per_frame: bool = False
    missing: tuple[float, ...] = ()
    required: bool = False
    unit: Literal["", "bpm", "hz", "ms", "s", "1/1024 s"] = ""
    format: str = ""
    skip_rows: int = 0
    offset_s: float = 0.0
    lag_s: float | Literal["auto"] = 0.0
    video_start: str = ""
    starts_with_video: bool = False
    span_column: str | int | None = None
    quality_column: str | None = None
    heart_rate_bpm: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", None if self.path is None else Path(self.path))
        clocks = (self.rate_hz is not None) + (self.time_column is not None) + self.per_frame
        if clocks > 1:
            raise ValueError(
                f"{self.name}: at most one of rate_hz, time_column and per_frame has the times of a label, not {clocks}"
            )
        if self.rate_hz is not None and not self.rate_hz > 0:
            raise ValueError(f"{self.name}: rate_hz must be positive, not {self.rate_hz}")
        if (self.path is None) != (self.heart_rate_bpm is not None):
            raise ValueError(f"{self.name}: a label is a file or one heart rate")

    @property
    def name(self) -> str:
        """Name of the file; what it holds where there is none."""
        return self.kind.replace("_", " ") if self.path is None else self.path.name


@dataclass(frozen=True, slots=True)
class Recording:
    """One video of one subject with its clock and labels, as a database lists it.

    It holds paths and metadata, no open handle and no pixel, and can be sent to another process.

    Parameters
    ----------
    recording_id : str
        Unique in the database and sortable: letters, digits, ``.``, ``_`` and ``-``. See :func:`file_name` for files named by it.
    database, subject, scenario, camera : str
        Database, person, situation and camera of the recording. ``subject`` has the form of ``recording_id``.
    video : VideoSource
    clock : ClockSource
    labels : tuple of LabelSource
    fold : int, optional
        Official fold of the subject, from 1.
    skip_reason, skip_message : str
        A code of :data:`stmap_pipeline.errors.REASONS` where the recording is listed but must not be built, and why.
    notes : tuple of str
        What a user of the data should know, such as a known defect; stored with the recording.
    extras : mapping of str to str
        Whatever else is known (lighting, skin type, ...); stored as attributes.

    Examples
    --------
    >>> from pathlib import Path
    >>> one = Recording("p001_v1_source2", "vipl-hr", "p001", VideoSource(Path("video.avi")), scenario="v1")
    >>> one.subject, one.clock.kind
    ('p001', 'pts')
    """

    recording_id: str
    database: str
    subject: str
    video: VideoSource
    clock: ClockSource = field(default_factory=ClockSource)
    labels: tuple[LabelSource, ...] = ()
    scenario: str = ""
    camera: str = ""
    fold: int | None = None
    skip_reason: str = ""
    skip_message: str = ""
    notes: tuple[str, ...] = ()
    extras: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ids(self.recording_id, self.subject)


def check_ids(recording_id: str, subject: str) -> None:
    """Raise where an id of a recording or of its subject is not allowed.

    An id has 1 to 120 letters and digits of any script, ``.``, ``_`` and ``-``, and begins with a letter or digit. It is in the
    composed form of Unicode (NFC), so that what looks alike is alike.

    Raises
    ------
    ValueError
        With the id and what is allowed.

    Examples
    --------
    >>> check_ids("p001_v1", "M\u00fcller")
    >>> check_ids("p001_v1", "../p001")
    Traceback (most recent call last):
    ValueError: subject '../p001' is not allowed: use 1 to 120 letters, digits, '.', '_' and '-', a letter or digit first
    """
    for what, value in (("recording_id", recording_id), ("subject", subject)):
        if not _PLAIN_ID.match(value) and (not value or _readable(value) != value):
            raise ValueError(
                f"{what} {value!r} is not allowed: use 1 to {MAX_ID_LENGTH} letters, digits, '.', '_' and '-', a letter or digit first"
            )


def safe_id(text: str) -> str:
    """Return a valid id made of any text: the text itself where it is one, otherwise a readable form of it with a short hash.

    Two different texts get different ids.

    Examples
    --------
    >>> safe_id("take.1"), safe_id("Anna B./take 1.mp4")
    ('take.1', 'Anna_B._take_1.mp4-4c1b51')
    """
    return text if text and _readable(text) == text else hashed_id(text, text)


def hashed_id(text: str, key: str) -> str:
    """Return a valid id that shows a text and ends in a short hash of a key.

    Examples
    --------
    >>> hashed_id("rest 1", "anna/rest 1.mp4")
    'rest_1-e8789a'
    """
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{_readable(text)[: MAX_ID_LENGTH - 7] or 'recording'}-{digest}"


def _readable(text: str) -> str:
    """Return the nearest text that is a valid id; empty where no letter or digit is left."""
    kept = "".join(
        one if one in "._-" or unicodedata.category(one)[0] in "LMN" else "_" for one in unicodedata.normalize("NFC", text)
    )
    first = next((index for index, one in enumerate(kept) if unicodedata.category(one)[0] in "LN"), len(kept))
    return kept[first : first + MAX_ID_LENGTH]


def file_name(id_: str) -> str:
    """Return the file name, without suffix, of the id of a recording or subject.

    It is legal on Linux, macOS and Windows, and two ids never share one, on disks that ignore case either. A plain id in
    lower case is its own file name; of any other, what cannot stand becomes ``_`` and a short hash of the id follows.

    Examples
    --------
    >>> file_name("p001_v1_source1"), file_name("F013_T01"), file_name("f013_t01"), file_name("con")
    ('p001_v1_source1', 'F013_T01-80baeaab', 'f013_t01', 'con-1143da2b')
    """
    reserved = _RESERVED.match(id_)
    if _PLAIN_FILE_NAME.match(id_) and not reserved and not _HASHED.search(id_):
        return id_
    ascii_text = unicodedata.normalize("NFKD", id_).encode("ascii", "ignore").decode("ascii")
    readable = re.sub(r"[^A-Za-z0-9_-]" if reserved else r"[^A-Za-z0-9._-]", "_", ascii_text).lstrip("._-")
    return f"{readable[:MAX_ID_LENGTH] or 'id'}-{hashlib.sha256(id_.encode()).hexdigest()[:8]}"
