r"""Tables as CSV with a JSON dictionary of their columns beside them, so that no number is without unit and meaning; those of a build.

Comma, UTF-8, ``\n``; the first line names the columns. An empty cell is unknown. Floats have as many digits as give the
same float back. A text stays on one line: backslash, line feed and carriage return are written ``\\``, ``\n`` and ``\r``. A text that
a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab) has a backslash before it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from stmap_pipeline.errors import ShardError
from stmap_pipeline.files import atomic_write_text, read_bytes
from stmap_pipeline.records import Outcome, RecordingResult, Window, median_interval_s
from stmap_pipeline.records.traces import LABEL_PROBLEMS

Kind = Literal["str", "int", "float"]
Row = dict[str, Any]

#: A table of a hundred times the windows of VIPL-HR has 0.7 GB.
_MAX_TABLE_BYTES = 2**30
_MAX_BYTES = 2**24
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_FORMULA = ("=", "+", "-", "@", "\t")
_BACK = {escape: character for character, escape in _ESCAPES.items()} | {f"\\{character}": character for character in _FORMULA}


@dataclass(frozen=True, slots=True)
class Column:
    """Name, unit and meaning of a column.

    Parameters
    ----------
    name : str
    unit : str
        Empty for texts and counts.
    description : str
    kind : {"str", "int", "float"}
        An unknown float is NaN, an unknown int None.

    Examples
    --------
    >>> Column("start_s", "s", "time of the first sample", "float").unit
    's'
    """

    name: str
    unit: str
    description: str
    kind: Kind = "str"


_ID = Column("recording_id", "", "recording, unique in the database")
_SUBJECT = Column("subject", "", "person")
_FOLD = Column("fold", "", "official fold of the subject, from 1; 0 where the database has none", "int")

RECORDINGS: tuple[Column, ...] = (
    _ID,
    _SUBJECT,
    _FOLD,
    Column("scenario", "", "what the person did, in the database's own terms"),
    Column("camera", "", "which camera, in the database's own terms"),
    Column("frames", "", "frames decoded", "int"),
    Column("duration_s", "s", "from the first frame to one median interval after the last", "float"),
    Column("heart_rate_min_bpm", "beats/min", "smallest ground-truth heart rate during the video", "float"),
    Column("heart_rate_mean_bpm", "beats/min", "mean ground-truth heart rate during the video", "float"),
    Column("heart_rate_max_bpm", "beats/min", "largest ground-truth heart rate during the video", "float"),
    Column("valid_fraction", "1", "share of frames in which the face was known", "float"),
    Column("coverage", "1", "mean share of the blocks' area that was seen", "float"),
    Column("notes", "", "what a user should know, joined by ' | '"),
)

WINDOWS: tuple[Column, ...] = (
    _ID,
    _SUBJECT,
    Column("start", "", "first sample, on the clock of the configuration", "int"),
    Column("stop", "", "one past the last sample", "int"),
    Column("start_s", "s", "time of the first sample", "float"),
    Column("stop_s", "s", "one sampling interval after the last sample", "float"),
    Column("heart_rate_bpm", "beats/min", "mean ground-truth heart rate inside the window", "float"),
    Column("beats", "beats", "heart_rate_bpm * (stop_s - start_s) / 60", "float"),
    Column("valid_fraction", "1", "share of the window's samples in which the face was known", "float"),
    Column("coverage", "1", "mean share of the blocks' area that was seen in the window", "float"),
    _FOLD,
    Column("label_coverage", "1", "share of the label's samples inside the window that are there and trusted", "float"),
    Column(
        "label_problem",
        "",
        f"why there is no heart rate: {', '.join(one for one in LABEL_PROBLEMS if one)}; empty where there is one",
    ),
)

#: Of ``augmentation/windows.csv``: samples and times are those of the recording played at that speed. All of them have a label.
RESAMPLED_WINDOWS: tuple[Column, ...] = (
    *(one for one in WINDOWS if not one.name.startswith("label_")),
    Column("speed", "1", "factor on the heart rate: time t of the recording is t / speed here", "float"),
)

#: Of a data frame of windows, as recorded and resampled.
WINDOWS_FRAME: tuple[Column, ...] = (*WINDOWS, RESAMPLED_WINDOWS[-1])

OUTCOMES: tuple[Column, ...] = (
    _ID,
    _SUBJECT,
    Column("status", "", "ok, skipped or failed"),
    Column("stage", "", "stage that decided; empty for ok"),
    Column("reason", "", "reason code; empty for ok"),
    Column("message", "", "one line for a person; for ok, that there is no window"),
)

TIMINGS: tuple[Column, ...] = (
    _ID,
    Column("status", "", "ok, skipped or failed"),
    Column("frames", "", "frames of the recording", "int"),
    Column("video_stamp", "", "size and date of the video on the machine that built it: unchanged, its content is not looked at"),
    Column("attempt", "", "hash of all that a failure depends on; where it changes, the recording is tried again"),
)

#: Columns that a window is read back from; a table of windows as recorded has no speed, one of resampled windows no label columns.
OF_WINDOW = tuple(one.name for one in fields(Window))

#: Files of the tables of a build, with their dictionaries; ``timings`` differs from run to run and is no part of it.
BUILD_TABLES = tuple(f"{name}.{kind}" for name in ("recordings", "windows", "outcomes") for kind in ("csv", "json"))

# units by the ending of a name
_UNITS = {
    "_fraction": "1",
    "_percent": "%",
    "_bytes": "bytes",
    "_beats": "beats",
    "_bpm": "beats/min",
    "_ms": "ms",
    "_hz": "Hz",
    "_px": "px",
    "_db": "dB",
    "_mb": "MB",
    "_s": "s",
}


def write_table(path: str | Path, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table and the dictionary of its columns, both atomically.

    Parameters
    ----------
    path : str or Path
        Of the CSV; the dictionary has the same name with ``.json``.
    columns : sequence of Column
    rows : iterable of mapping
        Keys are names of columns; what a row lacks is unknown.

    Raises
    ------
    ValueError
        Where a row has a key without a column, or a value that is not of its column's kind.
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> import tempfile
    >>> columns = [Column("name", "", "who"), Column("heart_rate_bpm", "beats/min", "mean", "float")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(Path(folder) / "a.csv", columns, [{"name": "p001", "heart_rate_bpm": 71.5}, {"name": "p002"}])
    ...     print((Path(folder) / "a.csv").read_text(), read_table(Path(folder) / "a.csv")[1])
    name,heart_rate_bpm
    p001,71.5
    p002,
     {'name': 'p002', 'heart_rate_bpm': nan}
    """
    path = Path(path)
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name}: two columns have one name: {names}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for number, row in enumerate(rows, 1):
        if unknown := [key for key in row if key not in names]:
            raise ValueError(f"{path.name}: row {number} has values without a column: {', '.join(unknown)}")
        writer.writerow([_cell(path, column, row.get(column.name)) for column in columns])
    dictionary = {one.name: {"Description": one.description, "Units": one.unit, "Kind": one.kind} for one in columns}
    atomic_write_text(path.with_suffix(".json"), json.dumps(dictionary, indent=2, ensure_ascii=False) + "\n")
    atomic_write_text(path, text.getvalue())


def read_columns(path: str | Path) -> list[Column]:
    """Read the dictionary of a table's columns; ``path`` is that of the CSV.

    Raises
    ------
    ShardError
        Where it is missing or no such dictionary.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_columns(example_maps() / "windows.csv")[4].unit
    's'
    """
    path = Path(path)
    where = path.with_suffix(".json")
    try:
        dictionary = json.loads(read_bytes(where, _MAX_BYTES))
        columns = [Column(name, one["Units"], one["Description"], one["Kind"]) for name, one in dictionary.items()]
        if any(column.kind not in get_args(Kind) for column in columns):
            raise ValueError("unknown kind of column")
    except FileNotFoundError:
        raise ShardError(f"{where}: is not there; without it the columns of {path.name} have no meaning") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ShardError(f"{where}: is no dictionary of columns ({error}); build it again or restore a copy") from None
    return columns


def read_table(path: str | Path) -> list[Row]:
    """Read a table; the kinds of its columns come from the dictionary beside it.

    Returns
    -------
    list of dict
        Text, int or float by column; unknown is an empty text, None or NaN.

    Raises
    ------
    ShardError
        Where table or dictionary are missing or do not fit; the message names line and column.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_table(example_maps() / "outcomes.csv")[-1]["reason"]
    'no_face'
    """
    path = Path(path)
    by_name = read_cells(path)
    return [dict(zip(by_name, values, strict=True)) for values in zip(*by_name.values(), strict=True)]


def read_cells(path: Path, only: Collection[str] | None = None) -> dict[str, list[Any]]:
    """Read a table column by column: half of the time of :func:`read_table`, which counts for many rows.

    Parameters
    ----------
    path : Path
        Of the CSV.
    only : collection of str, optional
        Names of the columns that are wanted.

    Raises
    ------
    ShardError
        As :func:`read_table`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_cells(example_maps() / "outcomes.csv", ["recording_id", "status"])["status"]
    ['ok', 'ok', 'ok', 'failed']
    """
    columns = read_columns(path)
    try:
        text = read_bytes(path, _MAX_TABLE_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise ShardError(f"{path}: is not there; build it again or restore a copy") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ShardError(f"{path}: is no table ({error}); build it again or restore a copy") from None
    names = [column.name for column in columns]
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        if next(reader, []) != names:
            raise ShardError(f"{path}: its first line does not name the columns of {path.with_suffix('.json').name}")
        rows = list(reader)
    except csv.Error as error:
        raise ShardError(f"{path}: is no table ({error}); build it again or restore a copy") from None
    if set(map(len, rows)) - {len(names)}:
        number = next(number for number, cells in enumerate(rows) if len(cells) != len(names))
        raise ShardError(f"{path}, line {_line(text, number)}: has {len(rows[number])} cells, not {len(names)}")
    by_column = zip(*rows, strict=True) if rows else ((),) * len(names)
    found = {}
    for column, cells in zip(columns, by_column, strict=True):
        if only is None or column.name in only:
            try:
                found[column.name] = _values(column.kind, cells)
            except ValueError:
                number = next(number for number, cell in enumerate(cells) if not _readable(column.kind, cell))
                raise ShardError(
                    f"{path}, line {_line(text, number)}: {column.name} is {cells[number]!r}, which is no {column.kind}"
                ) from None
    return found


def _cell(path: Path, column: Column, value: Any) -> str:
    if value is None:
        return ""
    try:
        if column.kind == "float":
            return "" if math.isnan(value) else repr(float(value))
        if column.kind == "int":
            if value != int(value):
                raise ValueError
            return str(int(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{path.name}: {column.name} is of kind {column.kind}, not {value!r}") from None
    text = re.sub(r"[\\\n\r]", lambda match: _ESCAPES[match[0]], str(value))
    return f"\\{text}" if text.startswith(_FORMULA) else text


def _values(kind: Kind, cells: Sequence[str]) -> list[Any]:
    if kind == "str":
        return [re.sub(r"\\[\\nr=+@\t-]", lambda match: _BACK[match[0]], cell) if "\\" in cell else cell for cell in cells]
    number, unknown = (float, math.nan) if kind == "float" else (int, None)
    # most columns have no empty cell, and are then read at twice the speed
    return [number(cell) if cell else unknown for cell in cells] if "" in cells else list(map(number, cells))


def _readable(kind: Kind, cell: str) -> bool:
    try:
        _values(kind, [cell])
    except ValueError:
        return False
    return True


def _line(text: str, number: int) -> int:
    """Find the line of a row, which is not its number where a cell in quotes goes over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""))
    for _ in zip(range(number + 2), reader, strict=False):
        pass
    return reader.line_num


def recording_row(result: RecordingResult) -> Row:
    """Return the row of ``recordings.csv``; the metadata in ``result.attributes`` become columns of their own.

    Raises
    ------
    ValueError
        Where an attribute has the name of a fixed column.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> row = recording_row(example_result(frames=300))
    >>> row["frames"], round(row["duration_s"], 6), row["heart_rate_mean_bpm"], row["detections"]
    (300, 10.0, 72.0, 10)
    """
    one, times_s = result.recording, result.blocks.times_s
    interval_s = median_interval_s(times_s)
    rates = np.zeros(0)
    if result.heart_rate is not None and len(times_s):
        inside = (result.heart_rate.times_s >= times_s[0]) & (result.heart_rate.times_s < times_s[-1] + interval_s)
        rates = result.heart_rate.heart_rate_bpm[inside & result.heart_rate.trusted]
    row: Row = {
        "recording_id": one.recording_id,
        "subject": one.subject,
        "fold": one.fold or 0,
        "scenario": one.scenario,
        "camera": one.camera,
        "frames": len(times_s),
        "duration_s": float(times_s[-1] - times_s[0]) + interval_s if len(times_s) else 0.0,
        "heart_rate_min_bpm": float(rates.min()) if rates.size else float("nan"),
        "heart_rate_mean_bpm": float(rates.mean()) if rates.size else float("nan"),
        "heart_rate_max_bpm": float(rates.max()) if rates.size else float("nan"),
        "valid_fraction": float(result.blocks.valid.mean()) if len(times_s) else float("nan"),
        "coverage": float(result.blocks.coverage.mean(dtype=np.float64)) if len(times_s) else float("nan"),
        "notes": " | ".join(result.notes),
    }
    if taken := sorted(row.keys() & result.attributes.keys()):
        raise ValueError(
            f"{one.recording_id}: {', '.join(taken)} is a fixed column of recordings.csv; name the attribute otherwise"
        )
    return {**row, **result.attributes}


def with_extra_columns(
    columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], described: Mapping[str, Column] | None = None
) -> list[Column]:
    """Add a column for each key that the rows have beyond the fixed ones, in the order in which they first appear.

    Parameters
    ----------
    columns : sequence of Column
        The fixed ones.
    rows : iterable of mapping
    described : mapping of str to Column, optional
        Columns by name; for a key that it lacks the unit follows from the ending of the name (``_s``, ``_hz``, ``_px``,
        ...) and the kind from the values.

    Examples
    --------
    >>> with_extra_columns(TIMINGS, [{"recording_id": "a", "decode_s": 1.5}])[-1]
    Column(name='decode_s', unit='s', description='decode', kind='float')
    """
    fixed = {column.name for column in columns}
    values: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in row.items():
            if key not in fixed:
                values.setdefault(key, []).append(value)
    return [*columns, *((described or {}).get(key) or _guess(key, found) for key, found in values.items())]


def window_row(window: Window, subject: str, columns: Sequence[Column] = WINDOWS) -> Row:
    """Return the row of ``windows.csv``, or of another table of windows.

    Examples
    --------
    >>> window_row(Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0), "p001")["beats"]
    12.0
    """
    return {one.name: subject if one is _SUBJECT else getattr(window, one.name) for one in columns}


def windows_from_columns(columns: Mapping[str, Sequence[Any]]) -> list[Window]:
    """Read many windows back from the columns of their table.

    Examples
    --------
    >>> one = Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0)
    >>> windows_from_columns({name: [cell] for name, cell in window_row(one, "p001").items()}) == [one]
    True
    """
    count = len(columns["recording_id"])
    cells = (
        columns[one.name] if one.name in columns or one.default is MISSING else repeat(one.default, count) for one in fields(Window)
    )
    return [Window(*row) for row in zip(*cells, strict=True)]


def write_build_tables(
    root: Path,
    recordings: Sequence[Row],
    windows: Iterable[Row],
    outcomes: Iterable[Outcome],
    described: Mapping[str, Column] | None = None,
) -> list[Path]:
    """Write ``recordings.csv``, ``windows.csv`` and ``outcomes.csv`` of a build, and return what was written.

    Parameters
    ----------
    root : Path
    recordings, windows : iterable of dict
        Of :func:`recording_row` and :func:`window_row`.
    outcomes : iterable of Outcome
    described : mapping of str to Column, optional
        Columns of metadata; see :func:`with_extra_columns`.
    """
    write_table(root / "recordings.csv", with_extra_columns(RECORDINGS, recordings, described), recordings)
    write_table(root / "windows.csv", WINDOWS, windows)
    write_table(root / "outcomes.csv", OUTCOMES, [outcome_row(one) for one in outcomes])
    return [root / name for name in BUILD_TABLES]


def outcome_row(outcome: Outcome) -> Row:
    """Make the row of ``outcomes.csv``, which holds nothing that differs from run to run.

    Examples
    --------
    >>> outcome_row(Outcome("p001_v1", "p001", "ok", timings={"decode_s": 1.5}))["status"]
    'ok'
    """
    return {column.name: getattr(outcome, column.name) for column in OUTCOMES}


def outcome_from_row(row: Mapping[str, Any]) -> Outcome:
    """Read an outcome back from its row.

    Raises
    ------
    ValueError
        Where status or reason are unknown.

    Examples
    --------
    >>> one = Outcome("p001_v1", "p001", "failed", "faces", "no_face", "no face in 94 % of frames (limit 50 %)")
    >>> outcome_from_row(outcome_row(one)) == one
    True
    """
    return Outcome(**{column.name: row[column.name] for column in OUTCOMES})


def timing_row(outcome: Outcome) -> Row:
    """Make the row of ``timings.csv``, the one table that differs from run to run.

    Examples
    --------
    >>> timing_row(Outcome("p001_v1", "p001", "ok", frames=300, timings={"decode_s": 1.5}))
    {'recording_id': 'p001_v1', 'status': 'ok', 'frames': 300, 'video_stamp': '', 'attempt': '', 'decode_s': 1.5}
    """
    return {column.name: getattr(outcome, column.name) for column in TIMINGS} | dict(sorted(outcome.timings.items()))


def _guess(name: str, values: Sequence[Any]) -> Column:
    kind: Kind = "str"
    if all(isinstance(value, int | np.integer) for value in values):
        kind = "int"
    elif all(isinstance(value, int | float | np.number) for value in values):
        kind = "float"
    ending = next((one for one in _UNITS if name.endswith(one)), "")
    return Column(name, _UNITS.get(ending, ""), name.removesuffix(ending).replace("_", " "), kind)
