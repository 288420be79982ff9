"""Whether RR intervals are in the unit that is said: their sum is the time that passed, and their heart rate that of a pulse beside them.

A Bluetooth strap (Polar and others) sends intervals in 1/1024 s. Read as milliseconds they give heart rates 2.4 % too low, which nobody
sees in the intervals alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import HeartRateTrace

FloatArray = npt.NDArray[np.float64]

UNITS_S = {"ms": 1e-3, "s": 1.0, "1/1024 s": 1.0 / 1024.0}
_FEWEST = 10
# times of beats that are told to the millisecond have steps of one interval; these are how exactly, and how far off is another unit
_SAME_STEP, _OTHER_UNIT = 0.01, 0.008
# times of packets hold for the first and the last interval within a second each
_PACKET_S, _SLACK = 2.0, 0.005
_NEAR_UNIT = 0.006
_FEWEST_COMMON_S = 20.0


def elapsed_problem(times_s: FloatArray, rr_s: FloatArray) -> str:
    """Return how RR intervals contradict the times of their rows; empty where they do not.

    Beats may be missing between two rows, so intervals may add up to less than the time between the first and the last row,
    but never to more. Where each row has the time of its beat, the steps between rows are the intervals.

    Parameters
    ----------
    times_s, rr_s : (n,) array of float64
        Times of the rows, increasing, and intervals in seconds as they are understood; NaN where unknown.

    Examples
    --------
    >>> rr_s = np.full(40, 0.8)
    >>> elapsed_problem(np.cumsum(rr_s), rr_s)
    ''
    >>> elapsed_problem(np.cumsum(rr_s), rr_s * 1.024)
    'its intervals are 1.024 times the time between their rows, as 1/1024 s are that are read as ms; set unit = "1/1024 s"'
    """
    known = np.isfinite(rr_s[1:])
    lengths_s, steps_s = rr_s[1:][known], np.diff(times_s)[known]
    if lengths_s.size < _FEWEST or not (lengths_s > 0).all():
        return ""
    ratio = lengths_s / steps_s
    low, usual, high = np.percentile(ratio, (25, 50, 75))
    if high - low <= _SAME_STEP:
        factor = float(usual) if abs(usual - 1) > _OTHER_UNIT else 1.0
    else:
        total_s, elapsed_s = float(lengths_s.sum()), float(times_s[-1] - times_s[0])
        factor = total_s / elapsed_s if total_s > (1 + _SLACK) * elapsed_s + _PACKET_S else 1.0
    return "" if factor == 1.0 else f"its intervals are {factor:.3f} times the time between their rows, {_advice(factor)}"


def other_source_problem(rr: HeartRateTrace, other: HeartRateTrace) -> str:
    """Return that RR intervals are in 1/1024 s, or in ms, by the heart rate of another source; empty where they may be right.

    Parameters
    ----------
    rr, other : HeartRateTrace
        On one clock.
    """
    usable = other.trusted
    times_s, bpm = other.times_s[usable], other.heart_rate_bpm[usable]
    mine = np.flatnonzero(np.isfinite(rr.heart_rate_bpm))
    if times_s.size < _FEWEST or mine.size < _FEWEST:
        return ""
    inside = (times_s >= rr.times_s[mine[0]]) & (times_s <= rr.times_s[mine[-1]])
    if inside.sum() < _FEWEST or np.ptp(times_s[inside]) < _FEWEST_COMMON_S:
        return ""
    found = np.interp(times_s[inside], rr.times_s[mine], rr.heart_rate_bpm[mine])
    factor = float(bpm[inside].mean() / found.mean())
    if min(abs(factor / 1.024 - 1), abs(factor * 1.024 - 1)) > _NEAR_UNIT:
        return ""
    return f"its heart rate is {1 / factor:.3f} times that of the other source, {_advice(factor)}"


def _advice(factor: float) -> str:
    if abs(factor / 1.024 - 1) <= _NEAR_UNIT:
        return 'as 1/1024 s are that are read as ms; set unit = "1/1024 s"'
    if abs(factor * 1.024 - 1) <= _NEAR_UNIT:
        return 'as ms are that are read as 1/1024 s; set unit = "ms"'
    return "so one of the two has another unit: correct unit, column or time_column"
