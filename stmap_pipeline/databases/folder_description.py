"""``database.toml`` and ``database.csv``: the description of a folder of videos, and error messages for mistakes in it.

Both files give the same entries. Nothing of a file is executed: placeholders such as ``{stem}`` are plain replacements.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.files import read_bytes
from stmap_pipeline.validation import explain

PLACEHOLDERS = ("stem", "parent", "grandparent", "dir")
_BRACES = re.compile(r"\{([^{}]*)\}")
_MAX_BYTES = 16 * 2**20
_LABEL_COLUMN = re.compile(r"(label[0-9]*)_(\w+)\Z")
_Model = TypeVar("_Model", bound=BaseModel)

# longer texts are no names; what is stored of a recording has an end
MAX_TEXT_LENGTH = 200

_Column = Annotated[str, Field(max_length=1000)] | Annotated[int, Field(ge=0, le=100_000)]
_Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]
_Unit = Annotated[float, Field(ge=1e-9, le=1e6)]

#: A folder of videos is described by one of these.
DESCRIPTIONS = ("database.toml", "database.csv")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _known_placeholders(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a NUL character is in no file name")
        if isinstance(value, str) and info.field_name != "video":
            for name in _BRACES.findall(value):
                if name not in PLACEHOLDERS:
                    raise ValueError(f"unknown placeholder {{{name}}}; the placeholders are {{{'}, {'.join(PLACEHOLDERS)}}}")
        return value


class LabelEntry(_Entry):
    """One label file of a recording."""

    kind: Literal["heart_rate", "pulse", "ecg", "rr"] = Field(
        "heart_rate",
        description="What the file holds; rr: times from beat to beat. From pulse, ECG and RR intervals the heart rate is computed.",
    )
    file: str = Field(min_length=1, description="Path from the source folder; may hold placeholders.")
    format: Literal["", "edf", "empatica", "hdf5", "json", "kubios", "labchart", "matlab", "opensignals", "rows", "text"] = Field(
        "", description="Format of the file; empty: recognized by its content."
    )
    column: _Column = Field(
        0, description="Column of the values: header name, or number from 0; in JSON, HDF5, MATLAB and EDF its path or name."
    )
    unit: Literal["", "bpm", "hz", "ms", "s", "1/1024 s"] = Field(
        "",
        description="Unit of a heart rate (bpm, hz) or of RR intervals (ms, s, 1/1024 s as Bluetooth straps send them); empty: as the "
        "file says, otherwise bpm.",
    )
    missing: Annotated[tuple[float, ...], BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,))] = (
        Field((), description="Values that stand for 'no value'.")
    )
    rate_hz: float | None = Field(None, ge=0.001, le=1_000_000, description="Sampling rate; the first row is at the first frame.")
    time_column: _Column | None = Field(
        None, description="Column of the times instead of a rate: on the clock of the video, or dates, times of day or UNIX times."
    )
    time_unit_s: _Unit | None = Field(
        None,
        description="Length of one unit of the times in seconds, 0.001 for milliseconds; without it as the header says, otherwise 1.",
    )
    per_frame: bool = Field(False, description="Whether row i belongs to frame i, instead of a rate or times.")
    starts_with_video: bool = Field(
        False, description="Whether the first row was taken at the first frame, whatever date or time of day it has."
    )
    skip_rows: int = Field(0, ge=0, le=100_000, description="Lines of a text file to leave out before anything is read.")
    offset_s: float = Field(0.0, ge=-1e6, le=1e6, description="Added to the times of the label.")
    lag_s: Annotated[float, Field(ge=-60, le=60)] | Literal["auto"] = Field(
        0.0, description="How much later the label's pulse is than the pulse in the video; auto: as measured."
    )
    required: bool = Field(True, description="Whether the recording fails where the file is not there; otherwise that is a note.")

    @model_validator(mode="after")
    def _consistent(self) -> LabelEntry:
        given = [f"rate_hz = {self.rate_hz:g}"] if self.rate_hz is not None else []
        given += [f"time_column = {self.time_column!r}"] if self.time_column is not None else []
        given += ["per_frame = true"] if self.per_frame else []
        if len(given) > 1:
            raise ValueError(f"one of rate_hz, time_column and per_frame says when a row was taken, not {' and '.join(given)}")
        if self.time_column is not None and self.time_column == self.column:
            raise ValueError(f"column and time_column are both {self.column!r}; say which column holds the values")
        fits = {"heart_rate": ("", "bpm", "hz"), "rr": ("", "ms", "s", "1/1024 s")}.get(self.kind, ("",))
        if self.unit not in fits:
            raise ValueError(f"unit = {self.unit!r} is none of a {self.kind}; allowed: {', '.join(filter(None, fits)) or 'none'}")
        return self


class Defaults(_Entry):
    """What may stand in ``[defaults]`` and in each recording."""

    subject: _Text = Field("", description="Person in the video; empty: the recording's id. May hold placeholders.")
    scenario: _Text = Field("", description="What was done. May hold placeholders.")
    camera: _Text = Field("", description="Which camera. May hold placeholders.")
    fold: int | None = Field(None, ge=1, le=10_000, description="Fold of the subject, from 1.")
    rate_hz: float | None = Field(None, ge=0.001, le=10_000, description="Constant frame rate, instead of the container's times.")
    times: str | None = Field(None, min_length=1, description="File of frame times, one number a line; may hold placeholders.")
    times_unit_s: _Unit = Field(1.0, description="Length of one unit of that file in seconds.")
    times_column: _Column | None = Field(None, description="Column of the times in that file, where it has more than one.")
    label: tuple[LabelEntry, ...] = Field((), description="Label files, at most one of each kind.")
    heart_rate_bpm: float | None = Field(
        None, ge=25, le=240, description="One heart rate for the whole video, instead of a label of this kind."
    )
    video_start: _Text = Field(
        "",
        description="Date and time of the first frame, such as 2026-05-03T10:00:00+02:00, for labels with dates or times of day; "
        "without it, as the video's metadata have it. May hold placeholders.",
    )
    extras: dict[_Text, Annotated[str, Field(max_length=1000)] | int | float] = Field(
        default_factory=dict, max_length=100, description="Anything else, kept with the recording."
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Defaults:
        if self.rate_hz is not None and self.times is not None:
            raise ValueError("rate_hz and times are two clocks; keep one")
        kinds = [one.kind for one in self.label]
        if len(set(kinds)) < len(kinds):
            raise ValueError("two labels of one kind; keep one")
        if self.heart_rate_bpm is not None and "heart_rate" in kinds:
            raise ValueError("heart_rate_bpm and a label of kind 'heart_rate' are two heart rates; keep one")
        return self


class RecordingEntry(Defaults):
    """One video, or all videos that a pattern matches."""

    video: str = Field(
        min_length=1, description="Path from the source folder: a file, a folder of images, or a pattern such as *.mp4."
    )
    id: _Text = Field("", description="Id; empty: the video's path with __ between its parts, without .mp4. May hold placeholders.")


def checked(model: type[_Model], values: dict[str, Any], where: str) -> _Model:
    """Check a mapping.

    Raises
    ------
    DatabaseError
        With each wrong key, its value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise DatabaseError("\n  ".join([f"{where}:", *explain(error, model)])) from None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: _Text = ""
    defaults: dict[str, Any] = Field(default_factory=dict)
    recording: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Description:
    """A checked description.

    Parameters
    ----------
    name : str
        Name of the study; empty where the file gives none.
    entries : tuple of (str, RecordingEntry)
        Where each entry stands, for messages, and the entry.
    """

    name: str
    entries: tuple[tuple[str, RecordingEntry], ...]


def find_description(folder: Path) -> Path | None:
    """Return what stands where the description of a folder would, whatever it is; None where nothing does.

    Examples
    --------
    >>> find_description(Path("nowhere")) is None
    True
    """
    return next((folder / name for name in DESCRIPTIONS if os.path.lexists(folder / name)), None)


def read_description(root: Path) -> Description | None:
    """Read ``database.toml`` or ``database.csv`` of a folder; None where there is neither.

    Raises
    ------
    DatabaseError
        Where both are there, or one cannot be read, is no such file, or holds a key or value that is not allowed.
    """
    toml, table = (root / name for name in DESCRIPTIONS)
    if toml.is_file() and table.is_file():
        raise DatabaseError(f"{printable(root)}: holds database.toml and database.csv; keep one of the two")
    return read_toml(toml) if toml.is_file() else read_csv(table) if table.is_file() else None


def read_toml(path: Path) -> Description:
    r"""Read ``database.toml``.

    Raises
    ------
    DatabaseError
        Where it cannot be read, is no TOML, or holds a key or value that is not allowed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "database.toml"
    ...     _ = path.write_text('[[recording]]\nvideo = "a.mp4"\nrate = 30')
    ...     read_toml(path)
    Traceback (most recent call last):
    stmap_pipeline.errors.DatabaseError: ...database.toml: recording 1:
      unknown key 'rate'; did you mean 'rate_hz'?
    """
    try:
        values = tomllib.loads(_text(path))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits and deep nesting are no TOMLDecodeError
        raise DatabaseError(f"{printable(path)}: is not TOML: {error}") from None
    document = checked(_Document, values, printable(path))
    checked(Defaults, document.defaults, f"{printable(path)}: [defaults]")
    entries = []
    for number, own in enumerate(document.recording, start=1):
        common = dict(document.defaults)
        if own.keys() & {"rate_hz", "times"}:  # a recording's own clock replaces the common one, whichever kind that is
            common.pop("rate_hz", None)
            common.pop("times", None)
        entry = checked(RecordingEntry, {**common, **own}, f"{printable(path)}: recording {number}")
        entries.append((f"{path.name}, recording {number}", entry))
    return Description(document.name, tuple(entries))


def read_csv(path: Path) -> Description:
    r"""Read ``database.csv``: a row for each recording, a column for each key; an empty cell is a key left out.

    The keys of a label are columns such as ``label_file`` and ``label_column``, of a second label ``label2_file`` and so on;
    ``extra_NAME`` keeps anything else; several missing values stand in one cell with blanks between.

    Raises
    ------
    DatabaseError
        Where it cannot be read, or holds a column or value that is not allowed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "database.csv"
    ...     _ = path.write_text("video,subject,label_file,label_rate_hz\na.mp4,s01,a.txt,1\n")
    ...     read_csv(path).entries[0][1].label[0].file
    'a.txt'
    """
    text = _text(path)
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise DatabaseError(f"{printable(path)}: is no CSV file ({error})") from None
    header = [name.strip() for name in rows[0]] if rows else []
    _check_columns(path, header)
    entries = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"{printable(path)}: row {line}"
        if len(row) > len(header):
            raise DatabaseError(f"{where}: holds {len(row)} cells, but the header names {len(header)}")
        entries.append((f"{path.name}, row {line}", checked(RecordingEntry, _nested(dict(zip(header, row, strict=False))), where)))
    if not entries:
        raise DatabaseError(f"{printable(path)}: holds no row; write one for each video, or remove the file")
    return Description("", tuple(entries))


def _text(path: Path) -> str:
    try:
        return read_bytes(path, _MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DatabaseError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DatabaseError(f"{printable(path)}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _check_columns(path: Path, header: list[str]) -> None:
    flat = [name for name in RecordingEntry.model_fields if name not in ("label", "extras")]
    allowed = f"the columns are {', '.join(flat)}, label_KEY, label2_KEY with {', '.join(LabelEntry.model_fields)}, and extra_NAME"
    for name in header:
        match = _LABEL_COLUMN.match(name)
        known = name in flat or (name.startswith("extra_") and len(name) > 6) or (match and match[2] in LabelEntry.model_fields)
        if not known:
            raise DatabaseError(f"{printable(path)}: unknown column {name!r}; {allowed}")
        if header.count(name) > 1:
            raise DatabaseError(f"{printable(path)}: column {name!r} is there twice")
    if "video" not in header:
        raise DatabaseError(f"{printable(path)}: has no column 'video'; {allowed}")


def _nested(cells: dict[str, str]) -> dict[str, Any]:
    """Turn a flat row into the shape of a TOML entry."""
    entry: dict[str, Any] = {}
    extras: dict[str, str] = {}
    labels: dict[str, dict[str, Any]] = {}
    for name, cell in cells.items():
        value = cell.strip()
        match = _LABEL_COLUMN.match(name)
        if not value:
            continue
        if match:
            key = match[2]
            labels.setdefault(match[1], {})[key] = (
                value.split() if key == "missing" else _column(value) if key.endswith("column") else value
            )
        elif name.startswith("extra_"):
            extras[name.removeprefix("extra_")] = value
        else:
            entry[name] = _column(value) if name == "times_column" else value
    # a label without a file is a column that this recording leaves out: settings alone describe nothing
    files = [labels[name] for name in sorted(labels) if "file" in labels[name]]
    return {**entry, "label": files, "extras": extras}


def _column(text: str) -> str | int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text
