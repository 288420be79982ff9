"""Resample traces: to a uniform grid, and as a recording played faster or slower, which changes its heart rate.

:func:`resample_uniform` interpolates samples at a camera's irregular times on a uniform grid: a cubic
spline where frames are dense, a straight line across short gaps. :func:`uniform_trace` does so at a recording's own frame rate, and
:func:`play` reads that grid at any speed through an anti-aliasing filter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import median_interval_s

FloatArray = npt.NDArray[np.float64]

# a grid time this near to a frame is that frame; frame times are never finer than a microsecond
_SAME_S = 1e-9
# steps outside 1/3 to 3 times the median step are not jitter: a stall, a burst after it, or lost frames
_IRREGULAR = 3.0
#: Longer gaps between known samples stay unknown; shorter ones are bridged by a straight line.
MAX_GAP_S = 0.5
# below this a spline has no curvature of its own to offer
_MIN_RUN = 4

# A sinc under a Kaiser window. 60 dB with 12 samples to each side make the transition band 0.15 wide: what is below
# 0.35 of the sampling rate passes (600 bpm at 30 Hz, 335 at 16), what is above one half of it does not.
STOPBAND_DB = 60.0
REACH = 12
_BETA = 0.1102 * (STOPBAND_DB - 8.7)
_CUTOFF = 0.5 - (STOPBAND_DB - 8) / (2.285 * 2 * np.pi * 2 * REACH) / 2

# samples made up on both sides of a trace, so that the first and the last known sample have neighbors
_PADDING = 4 * REACH + 1
# played samples that are computed together
_BLOCK = 16
# positions are products of rounded steps: a millionth of a sample is no distance
_SAME = 1e-6


def uniform_times(times_s: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Return the uniform grid that starts at the first time and does not pass the last one.

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


def _steps(times: FloatArray, rate_hz: float) -> int:
    return int(np.floor((times[-1] - times[0] + _SAME_S) * rate_hz))


def nearest_frame(times_s: npt.ArrayLike, wanted_s: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Find the frame nearest to each wanted time, and whether it is near enough to stand for it.

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
    median_s = median_interval_s(times)
    near = np.abs(wanted - times[index]) <= _IRREGULAR / 2 * median_s + _SAME_S
    return np.asarray(index, dtype=np.intp), np.asarray(near, dtype=np.bool_)


def resample_uniform(
    times_s: npt.ArrayLike, values: npt.ArrayLike, rate_hz: float, *, max_gap_s: float = MAX_GAP_S
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
    median_s = median_interval_s(times)
    for pattern, members in _columns_by_pattern(np.isfinite(columns)):
        known = np.flatnonzero(pattern)
        if known.size:
            flat[:, members] = _interpolate(times, columns[:, members], known, grid, median_s, max_gap_s)
    return grid, out


def _interpolate(
    times: FloatArray, columns: FloatArray, known: npt.NDArray[np.intp], grid: FloatArray, median_s: float, max_gap_s: float
) -> FloatArray:
    """Interpolate series that are known at the same frames."""
    at, values = times[known], columns[known]
    out = np.full((grid.size, values.shape[1]), np.nan)
    # a known sample is handed on as it is, also at the edge of a gap and where the grid misses it by a rounding
    nearest = np.clip(np.searchsorted(at, grid), 0, known.size - 1)
    nearest = np.where((nearest > 0) & (np.abs(grid - at[nearest - 1]) <= np.abs(grid - at[nearest])), nearest - 1, nearest)
    same = np.abs(grid - at[nearest]) <= _SAME_S
    out[same] = values[nearest[same]]
    between = np.flatnonzero(~same & (grid > at[0]) & (grid < at[-1]))
    if not between.size:
        return out
    step = np.diff(at)
    regular = (np.diff(known) == 1) & (step <= _IRREGULAR * median_s) & (step * _IRREGULAR >= median_s)
    cell = np.clip(np.searchsorted(at, grid[between], side="right") - 1, 0, known.size - 2)
    # which run of regular frames a cell lies in, and how long that is
    run = np.cumsum(~regular)
    smooth = (regular & (np.bincount(run, weights=regular)[run] + 1 >= _MIN_RUN))[cell]
    line = ~smooth & (regular | (step <= max_gap_s + _SAME_S))[cell]
    left = cell[line]
    weight = ((grid[between[line]] - at[left]) / step[left])[:, None]
    out[between[line]] = values[left] * (1 - weight) + values[left + 1] * weight
    if smooth.any():
        # a third of a second that whoever only lists windows need not wait
        from scipy.interpolate import make_interp_spline

        breaks = np.flatnonzero(~regular)
        for first, last in zip(np.r_[0, breaks + 1], np.r_[breaks, known.size - 1], strict=True):
            inside = between[smooth & (cell >= first) & (cell < last)]
            if inside.size:
                out[inside] = make_interp_spline(at[first : last + 1], values[first : last + 1])(grid[inside])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class UniformTrace:
    """Block means of a whole recording on a uniform grid at its own frame rate, ready to be played at any speed.

    Parameters
    ----------
    frame_times_s : (T,) array of float64
        Times of the recording's frames.
    interval_s : float
        Median interval between frames, which is that of the grid.
    values : (G, N, 3) array of float32
        R, G, B in gray levels, without NaN: gaps and both ends are filled for the sake of their neighbors' weighted sums.
    known : (G, N) array of bool
        Whether the block was seen there.
    """

    frame_times_s: FloatArray
    interval_s: float
    values: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.frame_times_s.nbytes + self.values.nbytes + self.known.nbytes


def uniform_trace(times_s: npt.ArrayLike, means: npt.ArrayLike) -> UniformTrace:
    """Resample a trace to a uniform grid at the median interval of its frames.

    A camera without jitter keeps its samples as they are. Gaps of more than half a second, and what is before the first and
    after the last frame, stay unknown; the numbers there only let the sums beside them end well, see
    :func:`continue_into_gaps`.

    Parameters
    ----------
    times_s : (T,) array of float
    means : (T, N, 3) array of float

    Raises
    ------
    ValueError
        Where there are fewer than two frames.

    Examples
    --------
    >>> uniform_trace([0.0, 0.5, 1.0], [[[9.0, 9.0, 9.0]]] * 3).interval_s
    0.5
    """
    times = np.asarray(times_s, dtype=np.float64)
    if len(times) < 2:
        raise ValueError(f"{len(times)} frames have no interval; a trace of two frames or more is needed")
    interval_s = median_interval_s(times)
    _, values = resample_uniform(times, means, 1 / interval_s)
    finite = np.isfinite(values)
    # the colors of a block are known together: a glance at all of them is a tenth of the cost
    known = np.pad(
        np.ones(values.shape[:2], dtype=np.bool_) if finite.all() else finite.all(axis=2), ((_PADDING, _PADDING), (0, 0))
    )
    values = continue_into_gaps(np.pad(values, ((_PADDING, _PADDING), (0, 0), (0, 0))), known)
    return UniformTrace(times, interval_s, values.astype(np.float32), known)


def played_times(times_s: npt.ArrayLike, speed: float, interval_s: float | None = None) -> FloatArray:
    """Return the sample times of a recording played ``speed`` times as fast.

    What happened at time t happens at ``t / speed``. The samples are evenly spaced: a slowed recording is longer than its
    camera's jitter is known for, and one grid of samples for all speeds is what windows are cut from by one rule.

    Parameters
    ----------
    times_s : (T,) array of float
        Times of the frames, T >= 2.
    speed : float
        Factor on the heart rate, above 0.
    interval_s : float, optional
        Time between two samples; the median interval of the frames where it is not given.

    Returns
    -------
    (K,) array of float64
        From ``times_s[0] / speed`` on.

    Raises
    ------
    ValueError
        Where ``speed`` is not positive or there are fewer than two frames.

    Examples
    --------
    >>> played_times([1.0, 1.5, 2.0, 2.5], 0.5).tolist()
    [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
    """
    times = np.asarray(times_s, dtype=np.float64)
    if not (speed > 0 and np.isfinite(speed)):
        raise ValueError(f"speed must be positive, not {speed}")
    if len(times) < 2:
        raise ValueError(f"{len(times)} frames have no interval; a trace of two frames or more is needed")
    own_s = median_interval_s(times)
    step_s = own_s if interval_s is None else interval_s
    count = _played_samples(_steps(times, 1 / own_s) + 1, speed * step_s / own_s)
    return np.asarray(times[0] / speed + np.arange(count) * step_s, dtype=np.float64)


def _played_samples(samples: int, step: float) -> int:
    # every `step`-th of the samples at the recording's own frame rate, the first one included
    return int(np.floor((samples - 1) / step + _SAME)) + 1


def play(
    trace: UniformTrace, speed: float, interval_s: float | None = None, start: int = 0, stop: int | None = None
) -> tuple[FloatArray, npt.NDArray[np.float32]]:
    """Return times and means of a recording played ``speed`` times as fast.

    Frequencies that the coarser of the two samplings cannot hold are filtered out.

    Parameters
    ----------
    trace : UniformTrace
    speed : float
        Factor on the heart rate, above 0.
    interval_s : float, optional
        Time between two samples; that of the trace where it is not given.
    start, stop : int
        First sample and one past the last. A sample has the same value whichever others are asked for.

    Returns
    -------
    times_s : (K,) array of float64
        As :func:`played_times`.
    means : (K, N, 3) array of float32
        NaN where the sample lies in a gap of the recording.

    Raises
    ------
    ValueError
        Where ``speed`` is not positive, or the samples do not lie inside the played recording.

    Notes
    -----
    The weights are those of a sinc under a Kaiser window (J. F. Kaiser, 1974), divided by their sum, so that a constant is
    kept exactly at every position between two samples.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> blocks = example_result(frames=90, heart_rate_bpm=60.0).blocks
    >>> times_s, means = play(uniform_trace(blocks.times_s, blocks.means), 2.0)
    >>> len(times_s), bool(np.abs(means[:, 0, 1] - (120 + 0.4 * np.sin(2 * np.pi * 2.0 * times_s))).max() < 0.01)
    (45, True)
    """
    if not (speed > 0 and np.isfinite(speed)):
        raise ValueError(f"speed must be positive, not {speed}")
    step_s = trace.interval_s if interval_s is None else interval_s
    step = speed * step_s / trace.interval_s
    count = _played_samples(len(trace.values) - 2 * _PADDING, step)
    stop = count if stop is None else stop
    if not 0 <= start < stop <= count:
        raise ValueError(f"samples {start} to {stop} do not lie inside the {count} of a recording played at speed {speed:g}")
    blocks = slice(start // _BLOCK, -(-stop // _BLOCK))
    # as many weights as half a minute needs, so that one set of them serves recordings of different length
    rows, weights = _weights(step, -(-blocks.stop // 64) * 64)
    source = trace.values[np.clip(rows[blocks] + _PADDING, 0, len(trace.values) - 1)]
    means = weights[blocks] @ source.reshape(*source.shape[:2], -1).astype(np.float64)
    means = means.reshape(-1, *source.shape[2:])[start % _BLOCK :][: stop - start]
    place = np.arange(start, stop) * step + _PADDING
    left = np.floor(place + _SAME).astype(np.intp)
    if not trace.known[left[0] : left[-1] + 2].all():
        between = place - left > _SAME
        means[~(trace.known[left] & (trace.known[left + 1] | ~between[:, None]))] = np.nan
    times_s: FloatArray = trace.frame_times_s[0] / speed + np.arange(start, stop) * step_s
    return times_s, means.astype(np.float32)


# the speeds of an augmentation are few, and half a minute at one of them takes half a megabyte
@lru_cache(maxsize=32)
def _weights(step: float, blocks: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return the rows of a uniform trace that each block of played samples needs, and their weights for each of its samples.

    Products of small dense matrices are faster than those of one sparse matrix.
    """
    compression = max(1.0, step)
    reach = int(np.ceil(REACH * compression))
    place = np.arange(blocks * _BLOCK).reshape(blocks, _BLOCK) * step
    rows = np.floor(place[:, :1]).astype(np.intp) + np.arange(1 - reach, int((_BLOCK - 1) * step) + reach + 2)
    weights = _kernel((place[:, :, None] - rows[:, None, :]) / compression)
    return rows, weights / weights.sum(axis=2, keepdims=True)


def _kernel(distance: npt.ArrayLike) -> FloatArray:
    # weight of a sample by its distance, in samples of the coarser of the two rates; not yet divided by the sum
    from scipy.special import i0

    x = np.asarray(distance, dtype=np.float64)
    # minus its end value, so that a neighbor comes and goes without a step
    window = i0(_BETA * np.sqrt(np.clip(1 - (x / REACH) ** 2, 0, None))) - 1
    return np.asarray(np.sinc(2 * _CUTOFF * x) * window)


def continue_into_gaps(values: npt.ArrayLike, known: npt.ArrayLike) -> FloatArray:
    """Replace unknown samples by the continuation of their neighbors.

    A stretch of known samples is continued by point reflection about its last sample (a straight line stays straight); between
    two stretches one continuation is faded into the other. Value and slope run on without a step, so a symmetric filter
    gives back the last known sample as it is. What is filled in is for the filter alone: it is no measurement.

    Parameters
    ----------
    values : (G, N, C) array of float
    known : (G, N) array of bool

    Returns
    -------
    (G, N, C) array of float64
        Equal to ``values`` where known; a block that is never known is 0.

    Examples
    --------
    >>> series = np.array([0.0, 1.0, 2.0, 0.0, 0.0])[:, None, None]
    >>> continue_into_gaps(series, np.array([False, True, True, False, False])[:, None])[:, 0, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 3.0]
    """
    mask = np.asarray(known, dtype=np.bool_)
    out = np.where(mask[:, :, None], np.asarray(values, dtype=np.float64), 0.0)
    for pattern, members in _columns_by_pattern(mask):
        out[:, members] = _fill_gaps(out[:, members], pattern)
    return out


def _fill_gaps(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], known.astype(np.int8), [0]))))
    runs = [values[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return values
    pieces = [_continued(runs[0][::-1], int(edges[0]))[::-1]]
    for number, (run, following) in enumerate(pairwise(runs)):
        gap = int(edges[2 * number + 2] - edges[2 * number + 1])
        share = (np.arange(1, gap + 1) / (gap + 1))[:, None, None]
        onward, backward = _continued(run, gap), _continued(following[::-1], gap)[::-1]
        pieces += [run, (1 - share) * onward + share * backward]
    pieces += [runs[-1], _continued(runs[-1], len(known) - int(edges[-1]))]
    return np.concatenate(pieces)


def _continued(run: FloatArray, count: int) -> FloatArray:
    back = np.maximum(len(run) - 2 - np.arange(count), 0)
    return np.asarray(2 * run[-1] - run[back])


def _columns_by_pattern(mask: npt.NDArray[np.bool_]) -> Iterator[tuple[npt.NDArray[np.bool_], slice | npt.NDArray[np.intp]]]:
    """Yield each different column (T,) of a mask (T, S), and where it stands.

    Mostly all series have the same gaps, as a lost face takes all blocks with it: they share their work, and none is copied.
    """
    if mask.size == 0 or (mask == mask[:, :1]).all():
        yield mask[:, 0] if mask.size else np.zeros(len(mask), dtype=np.bool_), slice(None)
        return
    # one opaque value a column: np.unique(axis=1) takes thirty times as long
    packed = np.ascontiguousarray(np.packbits(mask, axis=0).T)
    _, first, owner = np.unique(packed.view(f"V{packed.shape[1]}")[:, 0], return_index=True, return_inverse=True)
    for index, column in enumerate(first):
        yield mask[:, column], np.flatnonzero(owner.reshape(-1) == index)
