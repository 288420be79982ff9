"""Numbers that a device or a program writes where it has no heart rate: codes for "no finger", values it holds, summary rows at the end.

All of these lie in the range of heart rates; what lies outside needs no rule of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stmap_pipeline.signals.classical import known_runs

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# seven bits, all set: a pulse oximeter without a finger (Contec CMS50); 255 and 511 of others are no heart rates anyway
FILL_CODE_BPM = 127.0
# the usual oximeter changes by 3 bpm a second at most; a run of the code between values that are nearer needs to be longer
_JUMP_BPM, _SMALL_JUMP_BPM, _LONG_RUN = 20.0, 8.0, 3
# samples that are further apart say nothing of each other
_NEIGHBOR_S = 5.0
_ALL_CODE_S = 30.0
# of 21 people at rest the mean over 8 s in whole bpm, as an oximeter shows it, stood still for 15 s at most
_HELD_S, _HELD_SAMPLES = 60.0, 20
_MOST_SUMMARY_ROWS, _FEWEST_DATA = 6, 10
_SUMMARY = re.compile(
    r"(?:the )?(?:mean|average|avg|min|minimum|max|maximum|median|std|std\.? ?dev\.?|standard deviation|sd|s\.d\.|stdev|sum|total|count|"
    r"summary|mittel|mittelwert|durchschnitt|moyenne|media|promedio|平均|最大|最小)(?:值)?(?:[ _.:=(].*)?",
    re.I,
)


def fill_codes(bpm: FloatArray, times_s: FloatArray) -> BoolArray:
    """Return which samples are a pulse oximeter's code 127 for "no finger".

    A true heart rate of 127 is reached and left in small steps. A run of the code leaps: by more than 20 bpm on each side that has a
    sample within 5 s, or by more than 8 on both sides of three samples and more. Where a label holds nothing else for 30 s, it is the
    code, too.

    Parameters
    ----------
    bpm, times_s : (n,) array of float64
        NaN where unknown; times from any zero.

    Examples
    --------
    >>> fill_codes(np.array([75.0, 127, 127, 76, 77]), np.arange(5.0)).tolist()
    [False, True, True, False, False]
    >>> fill_codes(np.array([124.0, 126, 127, 127, 129]), np.arange(5.0)).any()
    np.False_
    """
    found = np.zeros(bpm.size, dtype=np.bool_)
    known = np.flatnonzero(np.isfinite(bpm))
    values, at_s = bpm[known], times_s[known]
    code = values == FILL_CODE_BPM
    if code.size > 1 and code.all():
        found[known] = at_s[-1] - at_s[0] >= _ALL_CODE_S
        return found
    for run in known_runs(code):
        sides = ((run.start, run.start - 1), (run.stop - 1, run.stop))
        jumps = [
            abs(values[outside] - FILL_CODE_BPM)
            for inside, outside in sides
            if 0 <= outside < values.size and abs(at_s[outside] - at_s[inside]) <= _NEIGHBOR_S
        ]
        long = len(jumps) == len(sides) and run.stop - run.start >= _LONG_RUN
        found[known[run]] = bool(jumps) and min(jumps) > (_SMALL_JUMP_BPM if long else _JUMP_BPM)
    return found


def held_values(bpm: FloatArray, times_s: FloatArray) -> BoolArray:
    """Return which samples belong to a value that stands still for more than 60 s, in 20 samples or more: no heart does that.

    Parameters
    ----------
    bpm, times_s : (n,) array of float64
        NaN where unknown; times from any zero.

    Examples
    --------
    >>> held_values(np.full(70, 75.0), np.arange(70.0)).all(), held_values(np.full(50, 75.0), np.arange(50.0)).any()
    (np.True_, np.False_)
    """
    found = np.zeros(bpm.size, dtype=np.bool_)
    known = np.flatnonzero(np.isfinite(bpm))
    values, at_s = bpm[known], times_s[known]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(values) != 0) + 1, [values.size]])
    for start, stop in pairwise(edges):
        if stop - start >= _HELD_SAMPLES and at_s[stop - 1] - at_s[start] > _HELD_S:
            found[known[start:stop]] = True
    return found


def is_summary(cells: Sequence[str]) -> bool:
    """Return whether a row of text is named as a mean, minimum, maximum or the like of the rows above it.

    Examples
    --------
    >>> is_summary(["Mean HR:", "74.8"]), is_summary(["12.0", "74.8"])
    (True, False)
    """
    return any(_SUMMARY.fullmatch(cell.strip().strip('"').strip()) for cell in cells)


def summary_rows(values: FloatArray) -> int:
    """Return how many values at the end are mean, median, minimum, maximum or standard deviation of those before; 0 where none are.

    They must leap from the last value or from one another as the values before do not; two different ones are needed, the minimum and
    the maximum or one of them with a mean.

    Parameters
    ----------
    values : (n,) array of float64
        As the file has them, NaN where unknown.

    Examples
    --------
    >>> summary_rows(np.array([70.0, 72, 75, 77, 80, 82, 84, 86, 88, 90, 90, 70, 80.4]))
    3
    """
    last = int(np.max(np.flatnonzero(np.isfinite(values)), initial=-1)) + 1
    for count in range(_MOST_SUMMARY_ROWS, 1, -1):
        data, rest = values[: max(0, last - count)], values[max(0, last - count) : last]
        data = data[np.isfinite(data)]
        if data.size >= _FEWEST_DATA and np.ptp(data) > 0 and np.isfinite(rest).all() and _summarizes(data, rest):
            return values.size - last + count
    return 0


def _summarizes(data: FloatArray, rest: FloatArray) -> bool:
    usual = max(5.0, 2.0 * float(np.abs(np.diff(data)).max()))
    if not np.abs(np.diff(np.append(data[-1:], rest))).max() > usual:
        return False
    named = {
        "mean": float(data.mean()), "median": float(np.median(data)), "min": float(data.min()), "max": float(data.max()),
        "std": float(data.std()), "std of a sample": float(data.std(ddof=1)), "count": float(data.size), "sum": float(data.sum()),
    }  # fmt: skip
    found = [{name for name, value in named.items() if _is_rounded(one, value)} for one in rest]
    if not all(found):
        return False
    names = set().union(*found)
    return {"min", "max"} <= names or bool({"mean", "median"} & names and {"min", "max"} & names)


def _is_rounded(shown: float, value: float) -> bool:
    """Return whether a number is another one rounded to its decimals, or to five digits."""
    decimals = next((places for places in range(4) if round(shown, places) == shown), 4)
    return abs(shown - value) <= max(0.5001 * 10.0**-decimals, 1e-5 * abs(value))
