"""Play a recording faster or slower, so that its heart rate is another: band-limited resampling through true frame times.

What is resampled is the long trace of a recording as stored. It is brought once onto an even grid at its own frame rate
(:func:`even_trace`); each window is then a weighted sum of the samples around each wanted time (:func:`resample_even`). The
batched version for a GPU, :mod:`stmap_pipeline.maps.resample_torch`, takes the same grid and the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.extend import extend_into_gaps
from stmap_pipeline.maps.uniform import _SAME_S, last_uniform_time, resample_uniform
from stmap_pipeline.records import BlockTrace

FloatArray = npt.NDArray[np.float64]

# A sinc under a Kaiser window. 60 dB with 12 samples to each side make the band of transition 0.15 wide: what is below
# 0.35 of the sampling rate passes (600 bpm at 30 Hz, 335 at 16), what is above one half of it does not.
STOPBAND_DB = 60.0
REACH = 12
BETA = 0.1102 * (STOPBAND_DB - 8.7)
CUTOFF = 0.5 - (STOPBAND_DB - 8) / (2.285 * 2 * np.pi * 2 * REACH) / 2

#: Samples made up on both sides of a trace, so that the first and the last known sample have neighbors. Beyond them, which
#: only a compression of more than four reaches, the sum goes over what is there.
PADDING = 4 * REACH + 1

# times are sums of rounded steps: a millionth of a sample is no distance
_SAME = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class EvenTrace:
    """Block means of a whole recording on an even grid at its own frame rate.

    Parameters
    ----------
    start_s : float
        Time of row 0, :data:`PADDING` intervals before the first frame.
    interval_s : float
        Median interval between the recording's frames.
    values : (G, N, 3) array of float64
        R, G, B in gray levels, without NaN: gaps and both ends are filled for the sake of their neighbors' weighted sums.
    known : (G, N) array of bool
        Whether the block was seen there; no value is handed out where it was not.
    """

    start_s: float
    interval_s: float
    values: npt.NDArray[np.floating[Any]]
    known: npt.NDArray[np.bool_]


def last_source_time(times_s: npt.ArrayLike) -> float:
    """Give the latest time that can be read from a recording: its last frame, or less than a frame before it.

    Parameters
    ----------
    times_s : (T,) array of float
        Times of the frames, T >= 2.

    Examples
    --------
    >>> last_source_time([0.0, 0.1, 0.2, 0.35])
    0.3
    """
    times = np.asarray(times_s, dtype=np.float64)
    return last_uniform_time(times, 1 / float(np.median(np.diff(times))))


def even_trace(blocks: BlockTrace) -> EvenTrace:
    """Bring a trace onto the grid that is resampled: cubic where frames are dense, straight across at most half a second.

    A camera without jitter keeps its samples as they are. Longer gaps, and what is before the first and after the last
    frame, stay unknown; the numbers there only let the sums beside them end well, see
    :func:`~stmap_pipeline.maps.extend.extend_into_gaps`.

    Parameters
    ----------
    blocks : BlockTrace
        At least two frames.

    Raises
    ------
    ValueError
        Where there are fewer frames.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> trace = even_trace(example_result(frames=90, rate_hz=30.0).blocks)
    >>> round(trace.interval_s, 6), len(trace.values) - 2 * PADDING, int(trace.known.sum(axis=0)[0])
    (0.033333, 90, 90)
    """
    return even_means(blocks.times_s, blocks.means)


def even_means(times_s: npt.ArrayLike, means: npt.ArrayLike) -> EvenTrace:
    """Do what :func:`even_trace` does, to times (T,) and means (T, N, 3) by themselves.

    Raises
    ------
    ValueError
        As :func:`even_trace`.

    Examples
    --------
    >>> even_means([0.0, 0.5, 1.0], [[[9.0, 9.0, 9.0]]] * 3).interval_s
    0.5
    """
    times = np.asarray(times_s, dtype=np.float64)
    if len(times) < 2:
        raise ValueError(f"{len(times)} frames have no interval; a trace of two frames or more is needed")
    interval_s = float(np.median(np.diff(times)))
    grid, means = resample_uniform(times, means, 1 / interval_s)
    known = np.pad(np.isfinite(means).all(axis=2), ((PADDING, PADDING), (0, 0)))
    values = np.pad(means, ((PADDING, PADDING), (0, 0), (0, 0)))
    return EvenTrace(float(grid[0]) - PADDING * interval_s, interval_s, extend_into_gaps(values, known), known)


def source_times(times_s: npt.ArrayLike, hr_scale: float) -> FloatArray:
    """Give the times at which a recording is read so that it runs ``hr_scale`` times as fast.

    Parameters
    ----------
    times_s : (T,) array of float
        Times of the window's samples. The first one stays; the others move to ``times_s[0] + hr_scale * (t - times_s[0])``.
    hr_scale : float

    Examples
    --------
    >>> source_times([10.0, 10.5, 11.0], 1.5).tolist()
    [10.0, 10.75, 11.5]
    """
    times = np.asarray(times_s, dtype=np.float64)
    return np.asarray(times[:1] + hr_scale * (times - times[:1]))


def compression(hr_scale: float, interval_s: float, source_interval_s: float) -> float:
    """Say by how much the sampling becomes coarser than that of the source; never less than 1.

    Parameters
    ----------
    hr_scale : float
    interval_s : float
        Between samples of the window, on the window's own clock.
    source_interval_s : float
        Between samples of the source.

    Examples
    --------
    >>> compression(1.5, 1 / 30, 1 / 30), compression(0.67, 1 / 30, 1 / 30)
    (1.5, 1.0)
    """
    return max(1.0, hr_scale * interval_s / source_interval_s)


def resample_even(trace: EvenTrace, wanted_s: npt.ArrayLike, compress: float = 1.0) -> FloatArray:
    """Read a trace at any times, without what the coarser sampling cannot hold.

    Parameters
    ----------
    trace : EvenTrace
    wanted_s : (K,) array of float
        Times of the recording, increasing.
    compress : float
        See :func:`compression`: what lies above ``0.5 / compress`` of the source's sampling rate is taken out.

    Returns
    -------
    (K, N, 3) array of float64
        NaN where the time lies in a gap or outside the recording.

    Raises
    ------
    ValueError
        Where ``compress`` is below 1.

    Notes
    -----
    The weights are those of a sinc under a Kaiser window (J. F. Kaiser, 1974), divided by their sum, so that a constant is
    kept exactly at every position between two samples.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> trace = even_trace(example_result(frames=90).blocks)
    >>> resample_even(trace, [0.0, 1.01, 99.0])[:, 0, 1].round(2).tolist()
    [120.0, 120.39, nan]
    """
    if not compress >= 1:
        raise ValueError(f"compress must be 1 or more, not {compress}")
    # here and below: half a second that whoever only plans need not wait
    from scipy.sparse import csr_array

    place = (np.asarray(wanted_s, dtype=np.float64) - trace.start_s) / trace.interval_s
    out = np.full((place.size, *trace.values.shape[1:]), np.nan)
    inside = (place >= 0) & (place <= len(trace.values) - 1)
    if not inside.any():
        return out
    place = place[inside]
    left = np.floor(place).astype(np.intp)
    reach = int(np.ceil(REACH * compress))
    taps = left[:, None] + np.arange(1 - reach, reach + 1)
    weights = kernel((place[:, None] - taps) / compress) * ((taps >= 0) & (taps < len(trace.values)))
    weights /= weights.sum(axis=1, keepdims=True)
    # rows of a sparse matrix: several times as fast as gathering the neighbors of each sample
    entries = weights.ravel(), np.clip(taps, 0, len(trace.values) - 1).ravel(), np.arange(0, weights.size + 1, weights.shape[1])
    matrix = csr_array(entries, shape=(len(place), len(trace.values)))
    values = (matrix @ trace.values.reshape(len(trace.values), -1)).reshape(len(place), *trace.values.shape[1:])
    part = place - left
    before = trace.known[left] | (part > 1 - _SAME)[:, None]
    after = trace.known[np.minimum(left + 1, len(trace.values) - 1)] | (part < _SAME)[:, None]
    values[~(before & after)] = np.nan
    out[inside] = values
    return out


def kernel(distance: npt.ArrayLike) -> FloatArray:
    """Weight of a sample by its distance, in samples of the coarser of the two rates; not yet divided by the sum.

    Examples
    --------
    >>> kernel([0.0, 12.0, -12.5]).tolist()
    [1.0, 0.0, 0.0]
    """
    from scipy.special import i0

    x = np.asarray(distance, dtype=np.float64)
    # less its foot, so that a neighbor comes and goes without a step
    window = (i0(BETA * np.sqrt(np.clip(1 - (x / REACH) ** 2, 0, None))) - 1) / (i0(BETA) - 1)
    return np.asarray(np.sinc(2 * CUTOFF * x) * window)


def resample_window(trace: EvenTrace, times_s: npt.ArrayLike, hr_scale: float, interval_s: float | None = None) -> FloatArray:
    """Give the means of a window in which the recording runs ``hr_scale`` times as fast.

    The window keeps its samples and their spacing, the camera's jitter included: it is what the same camera would have
    recorded of a faster or slower course of events.

    Parameters
    ----------
    trace : EvenTrace
    times_s : (T,) array of float
        Times of the window's samples on the clock of the recording.
    hr_scale : float
        Factor on the heart rate, above 0.
    interval_s : float, optional
        Usual interval between the window's samples, where it is not that of the frames (the uniform clock).

    Returns
    -------
    (T, N, 3) array of float64

    Raises
    ------
    ValueError
        Where ``hr_scale`` is not positive.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> blocks = example_result(frames=90, heart_rate_bpm=60.0).blocks
    >>> twice = resample_window(even_trace(blocks), blocks.times_s[:40], 2.0)[:, 0, 1]
    >>> bool(np.abs(twice - (120 + 0.4 * np.sin(2 * np.pi * 2.0 * blocks.times_s[:40]))).max() < 0.01)
    True
    """
    if not hr_scale > 0:
        raise ValueError(f"hr_scale must be positive, not {hr_scale}")
    own_s = trace.interval_s if interval_s is None else interval_s
    return resample_even(trace, source_times(times_s, hr_scale), compression(hr_scale, own_s, trace.interval_s))


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
    own_s = float(np.median(np.diff(times)))
    step_s = own_s if interval_s is None else interval_s
    last_s = last_uniform_time(times, 1 / own_s)
    count = int(np.floor((last_s - times[0] + _SAME_S) / (speed * step_s))) + 1
    return np.asarray(times[0] / speed + np.arange(count) * step_s, dtype=np.float64)


def play(
    trace: EvenTrace, speed: float, interval_s: float | None = None, start: int = 0, stop: int | None = None
) -> npt.NDArray[np.float32]:
    """Return the means of a recording played ``speed`` times as fast, at :func:`played_times`.

    Parameters
    ----------
    trace : EvenTrace
    speed : float
        Factor on the heart rate, above 0.
    interval_s : float, optional
        Time between two samples; that of the trace where it is not given.
    start, stop : int
        First sample and one past the last. Each sample has the same value whichever others are asked for.

    Returns
    -------
    (K, N, 3) array of float32
        NaN where the sample lies in a gap of the recording. Frequencies that the coarser of the two samplings cannot hold are
        taken out.

    Notes
    -----
    The weights are those of a sinc under a Kaiser window (J. F. Kaiser, 1974), divided by their sum, so that a constant is
    kept exactly at every position between two samples.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> blocks = example_result(frames=90, heart_rate_bpm=60.0).blocks
    >>> twice = play(even_trace(blocks), 2.0)[:, 0, 1]
    >>> len(twice), bool(np.abs(twice - (120 + 0.4 * np.sin(2 * np.pi * 2.0 * blocks.times_s[:45]))).max() < 0.01)
    (45, True)
    """
    # half a second that whoever only plans need not wait
    from scipy.sparse import csr_array

    step = speed * (1.0 if interval_s is None else interval_s / trace.interval_s)
    samples = len(trace.values) - 2 * PADDING
    count = int(np.floor((samples - 1) / step + _SAME)) + 1
    if stop is None:
        stop = count
    if not 0 <= start < stop <= count:
        raise ValueError(f"samples {start} to {stop} do not lie inside the {count} of a recording played at {speed:g}")
    table = _play_weights(step, -(-stop // 512) * 512)
    left, part = table.left[start:stop] + PADDING, table.part[start:stop]
    taps = table.weights.shape[1]
    first, last = int(left[0]) + 1 - taps // 2, int(left[-1]) + 1 + taps // 2
    rows = np.arange(max(first, 0), min(last, len(trace.values)))
    columns = left[:, None] + (np.arange(1 - taps // 2, taps // 2 + 1, dtype=np.int32) - rows[0])
    np.clip(columns, 0, len(rows) - 1, out=columns)
    # rows of a sparse matrix: several times as fast as gathering the neighbors of each sample
    bounds = np.arange(0, columns.size + 1, taps, dtype=np.int32)
    matrix = csr_array((table.weights[start:stop].ravel(), columns.ravel(), bounds), shape=(stop - start, len(rows)))
    source = trace.values[rows[0] : rows[-1] + 1].reshape(len(rows), -1).astype(np.float64)
    values = (matrix @ source).astype(np.float32).reshape(stop - start, *trace.values.shape[1:])
    if not trace.known[left[0] : left[-1] + 2].all():
        before = trace.known[left] | (part > 1 - _SAME)[:, None]
        after = trace.known[np.minimum(left + 1, len(trace.known) - 1)] | (part < _SAME)[:, None]
        values[~(before & after)] = np.nan
    return values


@dataclass(frozen=True, slots=True, eq=False)
class _PlayWeights:
    left: npt.NDArray[np.int32]
    part: FloatArray
    weights: FloatArray


# some 5 MB; the speeds of an augmentation are few
@lru_cache(maxsize=16)
def _play_weights(step: float, count: int) -> _PlayWeights:
    place = np.arange(count) * step
    left = np.floor(place + _SAME)
    part = np.maximum(place - left, 0.0)
    compress = max(1.0, step)
    reach = int(np.ceil(REACH * compress))
    weights = kernel((part[:, None] - np.arange(1 - reach, reach + 1)) / compress)
    return _PlayWeights(left.astype(np.int32), part, weights / weights.sum(axis=1, keepdims=True))
