"""What a column of heart rates holds where it is another one: a counter, the times of its rows, an oxygen saturation, or a wave.

All of these have values that a heart rate can have, too, so that the range alone does not tell.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import median_interval_s

FloatArray = npt.NDArray[np.float64]

# fewer rows that increase evenly could be those of a heart rate
_MIN_ROWS = 20
_MIN_SECONDS = 5
# a heart rate changes by less within a usual second, and what one device says for one time differs by still less
_MAX_SWING_BPM, _MAX_SAME_TIME_BPM = 20.0, 5.0
_OXYGEN = re.compile(r"sp[o0]2|sao2|saturation", re.I)


def other_column(name: str, values: FloatArray, times_s: FloatArray | None) -> str:
    """Return what a column holds that is no heart rate, as its name says or its values; empty where it may be one.

    Parameters
    ----------
    name : str
        Name of the column; empty where it has none.
    values : (n,) array of float64
        As the file has them; NaN where unknown.
    times_s : (n,) array of float64, optional
        Times of the rows, from any zero.

    Examples
    --------
    >>> other_column("SpO2 (%)", np.full(3, 98.0), None)
    'an oxygen saturation'
    >>> other_column("", np.arange(60.0, 100.0), None)
    'the numbers of the rows'
    """
    if _OXYGEN.search(name):
        return "an oxygen saturation"
    if values.size < _MIN_ROWS or not np.isfinite(values).all():
        return ""
    for what, other in (("the numbers of the rows", np.arange(values.size, dtype=np.float64)), ("the times of the rows", times_s)):
        if other is None:
            continue
        difference = (values - values[0]) - (other - other[0])
        if np.abs(difference).max() <= 0.5 * median_interval_s(other):
            return what
    return ""


def usual_swing_bpm(heart_rate_bpm: FloatArray, times_s: FloatArray) -> float:
    """Return how much values change within the usual second of those that have several; NaN where fewer than five have.

    Examples
    --------
    >>> times_s = np.arange(640) / 64
    >>> round(usual_swing_bpm(75 + 25 * np.sin(2 * np.pi * 1.25 * times_s), times_s))
    50
    """
    known = np.isfinite(heart_rate_bpm)
    bpm, second = heart_rate_bpm[known], np.floor(times_s[known])
    if not bpm.size:
        return np.nan
    first = np.concatenate([[0], np.flatnonzero(np.diff(second)) + 1])
    several = np.diff(np.append(first, bpm.size)) > 1
    swing = (np.maximum.reduceat(bpm, first) - np.minimum.reduceat(bpm, first))[several]
    return float(np.median(swing)) if swing.size >= _MIN_SECONDS else np.nan


def swing_problem(heart_rate_bpm: FloatArray, times_s: FloatArray, times_repeat: bool) -> str:
    """Return what is wrong where values change within a second as no heart rate does; empty where they do not.

    Parameters
    ----------
    heart_rate_bpm, times_s : (n,) array of float64
    times_repeat : bool
        Whether the file has several rows for one time.

    Examples
    --------
    >>> swing_problem(np.tile([75.0, 98.0], 10), np.arange(20) / 2, True)
    'its values change by 23 bpm within a second; a wave needs kind = "pulse", and of rows of several quantities keep the heart rate'
    """
    swing_bpm = usual_swing_bpm(heart_rate_bpm, times_s)
    if not swing_bpm > (_MAX_SAME_TIME_BPM if times_repeat else _MAX_SWING_BPM):
        return ""
    return (
        f'its values change by {swing_bpm:.0f} bpm within a second; a wave needs kind = "pulse", and of rows of several quantities '
        "keep the heart rate"
    )
