"""From the irregular times of a camera to a uniform grid: cubic where frames are dense, straight across short gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.distinct import distinct_columns

FloatArray = npt.NDArray[np.float64]

# a grid time this near to a frame is that frame; frame times are never finer than a microsecond
_SAME_S = 1e-9
# steps outside 1/3 to 3 times the median step are not jitter: a stall, a burst after it, or lost frames
_IRREGULAR = 3.0
# below this a spline has no curvature of its own to offer
_MIN_RUN = 4


def uniform_times(times_s: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Give the uniform grid that starts at the first time and does not pass the last one.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, finite and increasing.
    rate_hz : float
        Samples per second, above 0.

    Returns
    -------
    (U,) array of float64
        ``times_s[0] + k / rate_hz``; empty where there is no frame.

    Raises
    ------
    ValueError
        Where the times do not increase or the rate is not positive.

    Examples
    --------
    >>> uniform_times([2.0, 2.3, 2.6], 5.0).tolist()
    [2.0, 2.2, 2.4, 2.6]
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise ValueError("times_s must be one vector of finite, increasing seconds")
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise ValueError(f"rate_hz must be positive, not {rate_hz}")
    if times.size == 0:
        return times
    return np.asarray(times[0] + np.arange(_steps(times, rate_hz) + 1) / rate_hz, dtype=np.float64)


def last_uniform_time(times_s: npt.ArrayLike, rate_hz: float) -> float:
    """Give the last time of :func:`uniform_times` alone.

    Examples
    --------
    >>> last_uniform_time([2.0, 2.3, 2.7], 5.0)
    2.6
    """
    times = np.asarray(times_s, dtype=np.float64)
    return float(times[0] + _steps(times, rate_hz) / rate_hz)


def _steps(times: FloatArray, rate_hz: float) -> int:
    return int(np.floor((times[-1] - times[0] + _SAME_S) * rate_hz))


def nearest_frame(times_s: npt.ArrayLike, wanted_s: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Find the frame nearest to each wanted time, and whether it is near enough to speak for it.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, increasing; T > 0 unless nothing is wanted.
    wanted_s : (K,) array of float
        Seconds.

    Returns
    -------
    index : (K,) array of int
        The earlier one of two frames at the same distance.
    near : (K,) array of bool
        Whether the frame is at most one and a half median steps away: farther, and frames are missing there.

    Examples
    --------
    >>> index, near = nearest_frame([0.0, 1.0, 2.0], [-3.0, 0.4, 1.5, 9.0])
    >>> index.tolist(), near.tolist()
    ([0, 0, 1, 2], [False, True, True, False])
    """
    times, wanted = np.asarray(times_s, dtype=np.float64), np.asarray(wanted_s, dtype=np.float64)
    if wanted.size == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.bool_)
    right = np.clip(np.searchsorted(times, wanted), 0, times.size - 1)
    left = np.maximum(right - 1, 0)
    index = np.where(np.abs(wanted - times[left]) <= np.abs(times[right] - wanted), left, right)
    median_s = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    near = np.abs(wanted - times[index]) <= _IRREGULAR / 2 * median_s + _SAME_S
    return np.asarray(index, dtype=np.intp), np.asarray(near, dtype=np.bool_)


def resample_uniform(
    times_s: npt.ArrayLike, values: npt.ArrayLike, rate_hz: float, *, max_gap_s: float = 0.5
) -> tuple[FloatArray, FloatArray]:
    """Interpolate samples at irregular times on a uniform grid.

    Inside a run of regular frames (no unknown sample, steps between a third and three times the median) a cubic spline
    through the samples is used: its error falls with the fourth power of the step, while shape-preserving cubics
    flatten each crest, which is where a pulse is read. A run never shares a spline with what lies beyond a gap, so
    nothing rings across it. Stalls, bursts and gaps up to ``max_gap_s`` are bridged by a straight line; longer ones
    stay NaN, and so does what lies before the first and after the last known sample. Nothing is low-pass filtered: a
    rate well below that of the frames folds their noise back.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, finite and increasing.
    values : (T, ...) array of float
        NaN is unknown; each series may have gaps of its own.
    rate_hz : float
        Samples per second of the grid.
    max_gap_s : float
        Longest time between two known samples that is bridged, in seconds.

    Returns
    -------
    times_s : (U,) array of float64
        See :func:`uniform_times`.
    values : (U, ...) array of float64

    Raises
    ------
    ValueError
        Where times and values differ in length, the times do not increase, or a parameter is out of range.

    Examples
    --------
    >>> times_s, values = resample_uniform([0.0, 0.1, 0.2, 0.4], [0.0, 1.0, float("nan"), 4.0], 10.0)
    >>> values.round(6).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    times = np.asarray(times_s, dtype=np.float64)
    grid = uniform_times(times, rate_hz)
    samples = np.asarray(values, dtype=np.float64)
    if samples.shape[:1] != times.shape:
        raise ValueError(f"{times.size} times need as many values, not an array of shape {samples.shape}")
    if not max_gap_s >= 0:
        raise ValueError(f"max_gap_s must not be negative, not {max_gap_s}")
    out = np.full((grid.size, *samples.shape[1:]), np.nan)
    if samples.size == 0:
        return grid, out
    columns, flat = samples.reshape(times.size, -1), out.reshape(grid.size, int(np.prod(samples.shape[1:])))
    median_s = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    patterns, owner = distinct_columns(np.isfinite(columns))
    for index in range(patterns.shape[1]):
        known = np.flatnonzero(patterns[:, index])
        if known.size:
            members = np.flatnonzero(owner == index)
            flat[:, members] = _one_pattern(times, columns[:, members], known, grid, median_s, max_gap_s)
    return grid, out


def _one_pattern(
    times: FloatArray, columns: FloatArray, known: npt.NDArray[np.intp], grid: FloatArray, median_s: float, max_gap_s: float
) -> FloatArray:
    """Interpolate series that are known at the same frames."""
    at, values = times[known], columns[known]
    out = np.full((grid.size, values.shape[1]), np.nan)
    if known.size > 1:
        step = np.diff(at)
        regular = (np.diff(known) == 1) & (step <= _IRREGULAR * median_s) & (step * _IRREGULAR >= median_s)
        left = np.clip(np.searchsorted(at, grid, side="right") - 1, 0, known.size - 2)
        inside = (grid >= at[0]) & (grid <= at[-1])
        bridged = np.flatnonzero(inside & (regular | (step <= max_gap_s + _SAME_S))[left])
        cell = left[bridged]
        weight = ((grid[bridged] - at[cell]) / step[cell])[:, None]
        out[bridged] = values[cell] * (1 - weight) + values[cell + 1] * weight
        # a third of a second that whoever only lists windows need not wait
        from scipy.interpolate import CubicSpline

        breaks = np.flatnonzero(~regular)
        for first, last in zip(np.r_[0, breaks + 1], np.r_[breaks, known.size - 1], strict=True):
            if last - first + 1 >= _MIN_RUN:
                run = np.flatnonzero((grid >= at[first]) & (grid <= at[last]))
                out[run] = CubicSpline(at[first : last + 1], values[first : last + 1])(grid[run])
    # a known sample is handed on as it is, also at the edge of a gap and where the grid misses it by a rounding
    nearest = np.clip(np.searchsorted(at, grid), 0, known.size - 1)
    nearest = np.where((nearest > 0) & (np.abs(grid - at[nearest - 1]) <= np.abs(grid - at[nearest])), nearest - 1, nearest)
    same = np.abs(grid - at[nearest]) <= _SAME_S
    out[same] = values[nearest[same]]
    return out
