"""A file of frame times: one number for each frame of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError, printable
from stmap_pipeline.labels.label_file import LabelFileError, read_columns
from stmap_pipeline.records import median_interval_s

#: No camera of the field has more; cameras of phones have 240 at most. Containers without times have 1000 or 90000.
MAX_FRAME_RATE_HZ = 500.0
# a pulse of 240 beats/min needs 8 frames/s
_LEAST_RATE_HZ = 8.0
_FEWEST = 3
_MAX_TIME_S = 1e12
# steps of up to a second are filled by a frame; holes may add a minute and three times as much
_FRAME_S, _HOLE_S, _SPAN_PER_FILLED = 1.0, 60.0, 4.0


def read_frame_times(path: Path, unit_s: float = 1.0, column: str | int | None = None) -> npt.NDArray[np.float64]:
    r"""Read the time of each frame.

    Nothing is repaired: a time that was guessed would move the heart rate. The first time is kept as it is.

    Parameters
    ----------
    path : Path
        One number a line, or columns, with or without a header line.
    unit_s : float
        Length of one unit of the file in seconds; 0.001 for milliseconds.
    column : str or int, optional
        Column of the times, by header name or by number from 0. Needed where the file has more than one.

    Returns
    -------
    (T,) array of float64
        Seconds, increasing.

    Raises
    ------
    RecordingError
        ``source_missing`` where the file is not there; ``clock_unreadable`` where it is empty, has several columns and none is
        named, or holds a time that is no number or not later than the one before.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "time.txt"
    ...     _ = path.write_bytes(b"0\r\n32\r\n64\r\n")
    ...     read_frame_times(path, 0.001)
    array([0.   , 0.032, 0.064])
    """
    try:
        table = read_columns(path, [], 0 if column is None else column)
    except FileNotFoundError:
        raise RecordingError("decode", "source_missing", f"{printable(path)}: the file of frame times is not there") from None
    except LabelFileError as error:
        raise RecordingError("decode", "clock_unreadable", str(error)) from None
    if table.width > 1 and column is None:
        names = f" ({', '.join(table.names)[:200]})" if table.names else ""
        what = f"has {table.width} columns{names}; name the one of the times (times_column in database.toml)"
        raise _unreadable(path, table.where(0), what)
    found = table.times
    if found is None:
        what = "has a sampling rate and no times (a label of a device?); give a file with a time for each frame"
        raise _unreadable(path, table.where(0), what)
    times = found.values
    if found.kind != "number" and times.size:  # a date or time of day: the first frame is at 0
        times, unit_s = times - times[0], 1.0
    times_s = in_seconds(times, unit_s)
    known = np.isfinite(times_s)
    if not known.all():
        raise _unreadable(path, table.where(int(np.argmin(known))), "holds no number that is a time")
    later = np.diff(times_s) > 0
    if not later.all():
        row = int(np.argmin(later)) + 1
        what = f"{times[row]:.9g} is not later than {times[row - 1]:.9g} on the line before"
        raise _unreadable(path, table.where(row), what)
    return times_s


def span_problem(times_s: npt.ArrayLike) -> str:
    """Return how far the times of the frames leap where they span far more than the frames fill; empty where they do not.

    Whatever is counted in time (windows, a uniform grid) grows with the span of the times and not with the number of frames, so one
    wrong time could ask for more memory than there is. This rule bounds the span by the number of frames: at most 60 s, plus four times
    the sum of the steps between frames, each counted as one second at most.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, increasing.

    Returns
    -------
    str

    Examples
    --------
    >>> span_problem([0.0, 0.1, 0.2, 30.0])
    ''
    >>> span_problem([0.0, 0.1, 0.2, 4e5])
    'its 4 frames span 400,000 s, of which they fill 1.2 s: a frame time must be wrong'
    """
    times = np.asarray(times_s, dtype=np.float64)
    span_s = float(times[-1] - times[0]) if times.size else 0.0
    filled_s = float(np.minimum(np.diff(times), _FRAME_S).sum())
    if span_s <= _HOLE_S + _SPAN_PER_FILLED * filled_s:
        return ""
    return f"its {times.size} frames span {span_s:,.0f} s, of which they fill {filled_s:,.1f} s: a frame time must be wrong"


def rate_problem(times_s: npt.ArrayLike) -> str:
    """Return what is wrong with the usual rate of the frames where no camera has it; empty where one may.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, increasing.

    Returns
    -------
    str

    Examples
    --------
    >>> rate_problem(np.arange(300) / 30)
    ''
    >>> rate_problem(np.arange(300) / 1000).partition(";")[0]
    'its frames follow each other at 1000 frames/s, faster than those of any camera'
    """
    times = np.asarray(times_s, dtype=np.float64)
    usual_s = median_interval_s(times) if times.size >= _FEWEST else 1.0
    if usual_s * MAX_FRAME_RATE_HZ >= 1:
        return ""
    rate = f"at {1 / usual_s:.4g} frames/s" if usual_s > 0 else "without any time between them"
    return f"its frames follow each other {rate}, faster than those of any camera; give the true rate (rate_hz), or correct the unit of its times"


def unit_problem(times_s: npt.ArrayLike) -> str:
    """Return what is wrong with the usual rate of the frames where a pulse cannot be seen at it, either; empty where it can.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, increasing.

    Examples
    --------
    >>> unit_problem(np.arange(300) / 30)
    ''
    >>> unit_problem(33.0 * np.arange(300))
    '0.0303 frames/s; is the unit of its times right?'
    """
    times = np.asarray(times_s, dtype=np.float64)
    if problem := rate_problem(times):
        return problem
    usual_s = median_interval_s(times) if times.size >= _FEWEST else 0.0
    return f"{1 / usual_s:.3g} frames/s; is the unit of its times right?" if usual_s * _LEAST_RATE_HZ > 1 else ""


def in_seconds(times: npt.NDArray[np.float64], unit_s: float) -> npt.NDArray[np.float64]:
    """Return times in seconds, NaN where a number is no time of a recording: more than 30,000 years from zero."""
    with np.errstate(over="ignore"):
        times_s = times * unit_s
    return np.where(np.abs(times_s) < _MAX_TIME_S, times_s, np.nan)


def _unreadable(path: Path, where: str, what: str) -> RecordingError:
    return RecordingError("decode", "clock_unreadable", f"{printable(path)}: {where}: {what}")
