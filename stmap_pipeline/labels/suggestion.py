"""What a label file seems to hold, from the names of its columns: keys for ``database.toml`` that a person is to confirm."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stmap_pipeline.labels.label_file import LabelFileError, format_of, read_columns
from stmap_pipeline.labels.times import value_unit_of

Key = str | int | float | bool

# in this order: a heart rate needs no more keys than its times; "pulse rate" is one, and "pulse" beside "pleth" or with a unit, too
_KINDS = (
    ("heart_rate", re.compile(r"\A(hr|heart[ _-]?rate|pulse[ _-]?rate|pr|bpm|herzfrequenz|心率|脉率)(?![a-z])", re.I)),
    ("rr", re.compile(r"\A(rr|r-r|nn|ibi|ppi|rr[ _-]?interval\w*)\b", re.I)),
    ("ecg", re.compile(r"\A(ecg|ekg|exg\d*)(?![a-z])", re.I)),
    ("pulse", re.compile(r"\A(ppg|bvp|pleth\w*|gt_?ppg|d_ppg)(?![a-z])", re.I)),
    ("pulse", re.compile(r"\A(pulse|wave)(?![a-z])", re.I)),
)
_TIME = re.compile(
    r"\A(?:(?:phone|device|local) )?(t|zeit|uhrzeit|时间|time|times|timestamp|time[ _-]?stamp|date|datetime|elapsed|sec|seconds|ms|milliseconds)(?![a-z])",
    re.I,
)
# what is counted each minute, too, or is no series
_OTHER_RATE = re.compile(r"resp|breath|atem|step|cadence|average|mean|max", re.I)
_NAMES_OF_EMPATICA = {"hr": "heart_rate", "bvp": "pulse", "ibi": "rr"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Keys of a ``[[recording.label]]`` for a file.

    Parameters
    ----------
    keys : dict
        Without ``file``; empty where nothing in the file says what it holds.
    columns : tuple of str
        Names of its columns, or their numbers.
    open_questions : tuple of str
        What a person has to say, one sentence each.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()


def suggest_label(path: Path) -> Suggestion:
    r"""Return what a label file seems to hold.

    Raises
    ------
    FileNotFoundError, LabelFileError
        Where it is not there, or cannot be read at all.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "rest.csv"
    ...     _ = path.write_text("Time;HR (bpm);SpO2\n10:00:00;71;98\n10:00:01;72;98\n")
    ...     found = suggest_label(path)
    >>> found.keys
    {'kind': 'heart_rate', 'column': 'HR (bpm)', 'time_column': 'Time'}
    >>> found.open_questions
    ('Its times are absolute: does the first row belong to the first frame (starts_with_video = true), or when did the video start?',)
    """
    chosen = format_of(path)
    columns = chosen.list_columns(path)
    keys: dict[str, Key] = {}
    if chosen.name == "empatica":
        keys["kind"] = _NAMES_OF_EMPATICA.get(path.stem.casefold(), "rr" if "IBI" in columns else "heart_rate")
        return Suggestion(keys, columns, ("Did it start with the video (starts_with_video = true), or when did the video start?",))
    for kind, pattern in _KINDS:
        column = next((name for name in columns if pattern.match(_last_part(name)) or _is_rate(kind, name)), None)
        if column is not None:
            keys |= {"kind": kind, "column": column}
            break
    else:
        return Suggestion({}, columns, ("Which column holds a heart rate, a pulse, an ECG or RR intervals, and since when?",))
    questions = []
    if kind == "rr" and not value_unit_of(str(keys["column"])):
        questions.append('Are the intervals in ms or s? Set unit = "ms" or "s".')
    time_column = next((name for name in columns if name != keys["column"] and _TIME.match(_last_part(name))), None)
    if time_column is not None:
        keys["time_column"] = time_column
        if _has_absolute_times(path, str(keys["column"]), time_column):
            questions.append(
                "Its times are absolute: does the first row belong to the first frame (starts_with_video = true), or when did the "
                "video start?"
            )
    elif kind != "rr" and chosen.name not in ("edf", "opensignals"):
        questions.append("When was each row taken? Set rate_hz, or per_frame = true where row i belongs to frame i.")
    return Suggestion(keys, columns, tuple(questions))


def _is_rate(kind: str, name: str) -> bool:
    return kind == "heart_rate" and value_unit_of(name) == "bpm" and not _OTHER_RATE.search(name)


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _has_absolute_times(path: Path, column: str, time_column: str) -> bool:
    try:
        times = read_columns(path, [column], time_column).times
    except LabelFileError:
        return False
    if times is None or not np.isfinite(times.values).any():
        return False
    return times.is_absolute
