"""The columns of the tables of a build, and the rows made of results, windows and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args

import numpy as np

from stmap_pipeline.records import Outcome, RecordingResult, Window
from stmap_pipeline.records.outcome import Status
from stmap_pipeline.shards.tables import Column, Kind, Row

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
)

#: Of ``augmentation/windows.csv``: samples and times are those of the recording played at that speed.
RESAMPLED_WINDOWS: tuple[Column, ...] = (
    *WINDOWS,
    Column("speed", "1", "factor on the heart rate: time t of the recording is t / speed here", "float"),
)

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

#: Columns that a window is read back from; a table of windows as recorded has no speed.
OF_WINDOW = tuple(one.name for one in fields(Window))

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
    interval_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    rates = np.zeros(0)
    if result.heart_rate is not None and len(times_s):
        inside = (result.heart_rate.times_s >= times_s[0]) & (result.heart_rate.times_s < times_s[-1] + interval_s)
        rates = result.heart_rate.heart_rate_bpm[inside & np.isfinite(result.heart_rate.heart_rate_bpm)]
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
    names = OF_WINDOW if "speed" in columns else OF_WINDOW[:-1]
    return [Window(*cells) for cells in zip(*(columns[name] for name in names), strict=True)]


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
    if row["status"] not in get_args(Status):
        raise ValueError(f"{row['recording_id']}: unknown status {row['status']!r}")
    return Outcome(**{column.name: row[column.name] for column in OUTCOMES})


def timing_row(outcome: Outcome) -> Row:
    """Make the row of ``timings.csv``, the one table that differs from run to run.

    Examples
    --------
    >>> timing_row(Outcome("p001_v1", "p001", "ok", frames=300, timings={"decode_s": 1.5}))
    {'recording_id': 'p001_v1', 'status': 'ok', 'frames': 300, 'video_stamp': '', 'attempt': '', 'decode_s': 1.5}
    """
    return {
        "recording_id": outcome.recording_id,
        "status": outcome.status,
        "frames": outcome.frames,
        "video_stamp": outcome.video_stamp,
        "attempt": outcome.attempt,
        **dict(sorted(outcome.timings.items())),
    }


def _guess(name: str, values: Sequence[Any]) -> Column:
    kind: Kind = "str"
    if all(isinstance(value, int | np.integer) for value in values):
        kind = "int"
    elif all(isinstance(value, int | float | np.number) for value in values):
        kind = "float"
    ending = next((one for one in _UNITS if name.endswith(one)), "")
    return Column(name, _UNITS.get(ending, ""), name.removesuffix(ending).replace("_", " "), kind)
