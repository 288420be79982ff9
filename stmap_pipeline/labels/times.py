r"""Times in label files: numbers in any unit, dates with times (ISO 8601), clock times, UNIX times; and units that names tell.

A time is *relative* where it counts from the start of the video, and *absolute* where it is a date, a time of day or a UNIX time. An
absolute time means something only beside the time at which the video began, of the same kind: a time of day does not say which date,
and a date without a time zone is not a UNIX time. :func:`since` compares the two or says what is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: ``number``: relative, in the unit of the file. ``unix``: seconds since 1970 in UTC. ``local``: the same of a date without a time
#: zone, as if it were UTC. ``clock``: seconds since midnight.
TimeKind = Literal["number", "unix", "local", "clock"]

_CLOCK = re.compile(r"([0-9]{1,3}):([0-5]?[0-9]):([0-5]?[0-9](?:[.,:][0-9]+)?) ?([ap]\.?m\.?)?", re.I)
# minutes and seconds, as Excel and PhysioNet show them; without a fraction they could be hours and minutes
_MINUTES = re.compile(r"([0-9]{1,3}):([0-5][0-9][.,][0-9]+)")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})[T ,]+(.+)")
_SLASHES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})[T ,]+(.+)")
_YEAR_FIRST = re.compile(r"([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})[T ,]+(.+)")
_DAY_S = 86_400.0
# 2001 to 2096, in seconds; no relative time of a video is that large in any unit that is told
_UNIX_S = (1e9, 4e9)
_UNIX_UNITS_S = (1.0, 1e-3, 1e-6, 1e-9)
# a clock that begins within the first minute counts from the start of the recording, as Polar's does
_ELAPSED_S = 60.0

_UNITS = {
    "ns": 1e-9, "nanoseconds": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "usec": 1e-6, "microseconds": 1e-6,
    "ms": 1e-3, "msec": 1e-3, "msecs": 1e-3, "millis": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "mins": 60.0, "minutes": 60.0,
}  # fmt: skip
_RATE_UNITS = {
    "bpm": "bpm", "beats/min": "bpm", "beat/min": "bpm", "1/min": "bpm", "/min": "bpm", "min-1": "bpm", "beats per minute": "bpm",
    "hz": "hz", "1/s": "hz", "beats/s": "hz",
}  # fmt: skip
_LAST_WORD = re.compile(r"[\[( _/,.-]+([^\[\]()_ ,]+)[\])]*\Z")
_IN_BRACKETS = re.compile(r"[\[(]([^\[\]()]+)[\])]\s*\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Times as a label file has them.

    Parameters
    ----------
    values : (n,) array of float64
        Seconds, or for ``number`` the unit of the file; NaN where a cell holds no time.
    kind : {"number", "unix", "local", "clock"}
    unit_s : float, optional
        Length of one unit in seconds where the file names it, for ``number``.
    """

    values: FloatArray
    kind: TimeKind = "number"
    unit_s: float | None = None

    @property
    def is_absolute(self) -> bool:
        """Whether the times are dates, UNIX times or times of day; clock times that begin in the first minute count from the start."""
        known = self.values[np.isfinite(self.values)]
        if self.kind == "number":
            return unix_unit_s(self.values) > 0
        return self.kind != "clock" or not known.size or float(known[0]) >= _ELAPSED_S


@dataclass(frozen=True, slots=True)
class Moment:
    """One absolute time, such as the start of a video or of a label.

    Parameters
    ----------
    seconds : float
    kind : {"unix", "local", "clock"}
    time_of_day_s : float
        Seconds since midnight where it was; NaN where nobody knows the time zone that clocks there showed.
    """

    seconds: float
    kind: TimeKind
    time_of_day_s: float = math.nan


def read_moment(text: str) -> Moment | None:
    """Read one date with time, clock time or UNIX time; None where the text is none.

    Examples
    --------
    >>> read_moment("2026-05-03 10:00:00")
    Moment(seconds=1777802400.0, kind='local', time_of_day_s=36000.0)
    >>> read_moment("2026-05-03T10:00:00+02:00").kind, read_moment("10:00:00.5").seconds, read_moment("soon")
    ('unix', 36000.5, None)
    """
    text = text.strip().strip('"').strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        found = unix_unit_s(np.array([number]))
        return Moment(number * found, "unix") if found else None
    clock = _clock_s(text)
    if not math.isnan(clock):
        return Moment(clock, "clock", clock)
    return _moment(text)


def text_times(cells: Sequence[str]) -> tuple[FloatArray, TimeKind] | None:
    """Read cells that hold dates with times, or clock times, all of one kind; None where none of them does.

    Raises
    ------
    ValueError
        Where a date can be read in two ways, or kinds are mixed.

    Examples
    --------
    >>> text_times(["00:00:59", "", "00:01:00.5"])
    (array([59. ,  nan, 60.5]), 'clock')
    """
    values = np.full(len(cells), np.nan)
    kind: TimeKind | None = None
    for row, cell in enumerate(cells):
        text = cell.strip().strip('"').strip()
        if ":" not in text:
            continue
        moment: Moment | None
        seconds = _clock_s(text)
        moment = Moment(seconds, "clock") if not math.isnan(seconds) else _moment(text)
        if moment is None:
            continue
        if kind not in (None, moment.kind):
            raise ValueError(f"{text!r}: some of the times have a date or a time zone and some do not")
        values[row], kind = moment.seconds, moment.kind
    return None if kind is None else (values, kind)


def unwrapped(clock_s: FloatArray) -> FloatArray:
    """Return clock times with a day added after each midnight.

    Examples
    --------
    >>> unwrapped(np.array([86399.0, 0.5, 1.5])).tolist()
    [86399.0, 86400.5, 86401.5]
    """
    known = np.flatnonzero(np.isfinite(clock_s))
    days = np.zeros(len(clock_s))
    days[known[1:]] = np.diff(clock_s[known]) < -_DAY_S / 2
    return clock_s + _DAY_S * np.cumsum(days)


def unix_unit_s(numbers: FloatArray) -> float:
    """Return the length in seconds of the unit of UNIX times; 0 where the numbers are none of the years 2001 to 2096.

    Examples
    --------
    >>> unix_unit_s(np.array([1.7e12])), unix_unit_s(np.array([0.0, 33.3]))
    (0.001, 0.0)
    """
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return 0.0
    low, high = float(known.min()), float(known.max())
    return next((unit for unit in _UNIX_UNITS_S if low * unit >= _UNIX_S[0] and high * unit <= _UNIX_S[1]), 0.0)


def since(times_s: FloatArray, kind: TimeKind, start: Moment) -> FloatArray | str:
    """Return absolute times as seconds since the start of the video, or why the two cannot be compared.

    Examples
    --------
    >>> since(np.array([36001.0]), "clock", read_moment("2026-05-03T10:00:00+02:00"))
    array([1.])
    >>> since(np.array([36001.0]), "local", read_moment("2026-05-03T10:00:00Z"))
    'its dates have no time zone, and the start of the video has one'
    """
    if kind == "clock":
        if math.isnan(start.time_of_day_s):
            return "its times are times of day, and the start of the video does not say what clocks showed"
        difference = times_s - start.time_of_day_s
        known = difference[np.isfinite(difference)]
        days = round(float(known[0]) / _DAY_S) if known.size else 0
        return difference - days * _DAY_S
    if start.kind == "clock":
        return "the start of the video is a time of day without a date"
    if kind == "unix" and start.kind == "local":
        return "its times have a time zone or are UNIX times, and the start of the video has no time zone"
    if kind == "local" and start.kind == "unix":
        return "its dates have no time zone, and the start of the video has one"
    return times_s - start.seconds


def spread_whole_seconds(times_s: FloatArray, always: bool) -> FloatArray | None:
    """Spread times of whole seconds that repeat evenly inside each second; None where they are not such times.

    Parameters
    ----------
    times_s : (n,) array of float64
        None of them NaN.
    always : bool
        Whether single repetitions are spread, too: clock times have no finer step, whereas a number that is there twice among others
        that are not is a mistake.

    Examples
    --------
    >>> spread_whole_seconds(np.array([7.0, 7, 8, 8, 8, 8, 9, 9, 9, 9, 10]), False).tolist()
    [7.5, 7.75, 8.0, 8.25, 8.5, 8.75, 9.0, 9.25, 9.5, 9.75, 10.0]
    """
    steps = np.diff(times_s)
    if times_s.size < 2 or (steps < 0).any() or not (steps == 0).any() or (np.mod(times_s, 1.0) != 0).any():
        return None
    firsts = np.concatenate([[0], np.flatnonzero(steps) + 1])
    counts = np.diff(np.append(firsts, times_s.size))
    inner = counts[1:-1]
    usual = int(np.median(inner)) if inner.size else int(counts.max())
    if times_s.size < 2 * firsts.size and not always:
        return None
    # the first and the last second may have begun before the file, or gone on after it
    per_second = counts.copy()
    per_second[[0, -1]] = np.maximum(counts[[0, -1]], usual)
    within = np.arange(times_s.size) - np.repeat(firsts, counts)
    if firsts.size > 1:
        within[: counts[0]] += per_second[0] - counts[0]
    return np.asarray(times_s + within / np.repeat(per_second, counts))


def time_unit_of(name: str) -> float | None:
    """Return the length in seconds of the unit that the name of a column of times ends in; None where it names none.

    Examples
    --------
    >>> time_unit_of("timestamp_ms"), time_unit_of("Time [s]"), time_unit_of("msec"), time_unit_of("time")
    (0.001, 1.0, 0.001, None)
    """
    return next((_UNITS[word] for word in (*_last_words(name), name.strip().casefold()) if word in _UNITS), None)


def value_unit_of(name: str) -> str:
    """Return the unit of values, ``bpm``, ``hz``, ``ms``, ``s`` or ``1/1024 s``, that the name of a column ends in; empty where it names none.

    Examples
    --------
    >>> value_unit_of("HR (Hz)"), value_unit_of("heart_rate_bpm"), value_unit_of("RR [ms]"), value_unit_of("hr")
    ('hz', 'bpm', 'ms', '')
    """
    for word in _last_words(name):
        if word in _RATE_UNITS:
            return _RATE_UNITS[word]
        if word in ("ms", "msec", "milliseconds"):
            return "ms"
        if word in ("s", "sec", "seconds"):
            return "s"
        if word.replace(" ", "") == "1/1024s":
            return "1/1024 s"
    return ""


def unit_word(text: str) -> str:
    """Return the unit that stands behind a number in a cell, as :func:`value_unit_of` names it; empty where it is none.

    Examples
    --------
    >>> unit_word("BPM"), unit_word("/min"), unit_word("ms"), unit_word("%")
    ('bpm', 'bpm', 'ms', '')
    """
    word = text.strip().casefold()
    return _RATE_UNITS.get(word, "") or (word if word in _UNITS else "")


def _last_words(name: str) -> list[str]:
    text = name.strip().casefold()
    matches = (_IN_BRACKETS.search(text), _LAST_WORD.search(text))
    return [match[1].strip() for match in matches if match]


def _clock_s(text: str) -> float:
    """Return seconds since midnight; NaN where the text is no clock time."""
    if match := _MINUTES.fullmatch(text):
        return int(match[1]) * 60.0 + float(match[2].replace(",", "."))
    match = _CLOCK.fullmatch(text)
    if not match:
        return math.nan
    hours, minutes, seconds = int(match[1]), int(match[2]), float(re.sub("[,:]", ".", match[3]))
    if match[4]:
        hours = hours % 12 + (12 if match[4].casefold().startswith("p") else 0)
    return hours * 3600.0 + minutes * 60.0 + seconds


def _moment(text: str) -> Moment | None:
    if match := _DAY_FIRST.fullmatch(text):
        text = f"{match[3]}-{int(match[2]):02}-{int(match[1]):02} {match[4]}"
    elif match := _YEAR_FIRST.fullmatch(text):
        text = f"{match[1]}-{int(match[2]):02}-{int(match[3]):02} {match[4]}"
    elif match := _SLASHES.fullmatch(text):
        first, second = int(match[1]), int(match[2])
        if first <= 12 and second <= 12 and first != second:
            raise ValueError(f"{text!r} has a day and a month that cannot be distinguished; write dates as 2026-05-31")
        month, day = (second, first) if first > 12 else (first, second)
        text = f"{match[3]}-{month:02}-{day:02} {match[4]}"
    if match := re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ](.+?) ?([ap]\.?m\.?)", text, re.I):
        seconds = _clock_s(f"{match[2]} {match[3]}")
        if math.isnan(seconds):
            return None
        hours, rest = divmod(seconds, 3600)
        minutes, rest = divmod(rest, 60)
        text = f"{match[1]} {int(hours):02}:{int(minutes):02}:{rest:09.6f}"
    text = re.sub(r" UTC$", "+00:00", text.strip())
    text = re.sub(r" (?=[+-][0-9]{2}:?[0-9]{2}$)", "", text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    of_day_s = found.hour * 3600 + found.minute * 60 + found.second + found.microsecond / 1e6
    if found.tzinfo is not None:
        # a time in UTC does not say what clocks showed where the video was made
        return Moment(found.timestamp(), "unix", math.nan if not found.utcoffset() else of_day_s)
    return Moment(found.replace(tzinfo=UTC).timestamp(), "local", of_day_s)
