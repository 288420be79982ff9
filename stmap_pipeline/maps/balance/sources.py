"""What a recording can give at another speed: label, length and quality of any part of it, without reading a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.balance.histogram import Bins
from stmap_pipeline.maps.resample import last_source_time
from stmap_pipeline.maps.windows import WindowClock
from stmap_pipeline.records import HeartRateTrace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Nearer to 1 a copy is not another heart rate but the same window once more.
MIN_CHANGE = 1.05
# Resampling bridges no longer hole in the times of the frames.
MAX_HOLE_S = 0.5
SCALE_DIGITS = 4


class Verdict(IntEnum):
    """Whether a part of a recording can be had at a certain heart rate, or why not."""

    OFFERED = 0
    OUT_OF_REACH = 1
    TOO_SHORT = 2
    UNLABELED = 3
    NOT_SEEN = 4


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What must be known of a recording to plan with it.

    Parameters
    ----------
    clock : WindowClock
        Samples that its windows are counted in.
    frame_times_s : (T,) array of float64
        Times of its frames.
    heart_rate : HeartRateTrace, optional
    """

    clock: WindowClock
    frame_times_s: FloatArray
    heart_rate: HeartRateTrace | None


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """What W windows give at K speeds each.

    Parameters
    ----------
    hr_scale, heart_rate_bpm, valid_fraction, coverage : (W, K) array of float64
        As in :class:`~stmap_pipeline.records.Window`; without meaning where nothing is offered.
    verdict : (W, K) array of int8
        A :class:`Verdict` each.
    """

    hr_scale: FloatArray
    heart_rate_bpm: FloatArray
    valid_fraction: FloatArray
    coverage: FloatArray
    verdict: npt.NDArray[np.int8]

    @classmethod
    def none(cls, windows: int, speeds: int) -> Offers:
        """Offer nothing."""
        empty = np.full((4, windows, speeds), np.nan)
        return cls(empty[0], empty[1], empty[2], empty[3], np.full((windows, speeds), Verdict.OUT_OF_REACH, dtype=np.int8))

    def put(self, place: Any, others: Offers) -> None:
        """Take over others at some places."""
        for name in Offers.__slots__:
            getattr(self, name)[place] = getattr(others, name)


class HeartRateMeans:
    """Give :meth:`~stmap_pipeline.records.HeartRateTrace.over` of one trace for many intervals at once.

    Parameters
    ----------
    trace : HeartRateTrace

    Examples
    --------
    >>> means = HeartRateMeans(HeartRateTrace([0.0, 1.0, 2.0, 3.0], [60.0, 70.0, float("nan"), 90.0]))
    >>> means.over(np.array([0.0, 0.0, 2.0, 0.0]), np.array([2.0, 4.0, 3.0, 9.0])).round(3).tolist()
    [65.0, 73.333, nan, nan]
    """

    def __init__(self, trace: HeartRateTrace) -> None:
        known = np.isfinite(trace.heart_rate_bpm)
        self._times_s = trace.times_s
        self._totals = np.concatenate(([0.0], np.cumsum(np.where(known, trace.heart_rate_bpm, 0.0))))
        self._numbers = np.concatenate(([0], np.cumsum(known)))
        self._spacing_s = float(np.median(np.diff(trace.times_s))) if trace.times_s.size > 1 else None

    def over(self, start_s: FloatArray, stop_s: FloatArray) -> FloatArray:
        """Give the mean of the known samples in each ``[start_s, stop_s)`` in bpm; NaN where the trace refuses a mean."""
        times = self._times_s
        if not times.size:
            return np.full(start_s.shape, np.nan)
        first, last = np.searchsorted(times, start_s), np.searchsorted(times, stop_s)
        spacing = stop_s - start_s if self._spacing_s is None else self._spacing_s
        number = self._numbers[last] - self._numbers[first]
        refused = (times[0] > start_s + spacing) | (times[-1] + spacing < stop_s - spacing)
        refused |= (2 * number < last - first) | (number == 0)
        return np.asarray(np.where(refused, np.nan, (self._totals[last] - self._totals[first]) / np.maximum(number, 1)))


def offer_scales(
    source: Source, start: npt.ArrayLike, stop: npt.ArrayLike, hr_scale: npt.ArrayLike, min_valid_fraction: float = 1.0
) -> Offers:
    """Say what windows give when they are played at certain speeds.

    The label is the mean of the label trace over the part of the recording that is read, times the scale: the mean of the
    resampled label trace over the window.

    Parameters
    ----------
    source : Source
    start, stop : (W,) array of int
        Samples of each window.
    hr_scale : (W, K) array of float
    min_valid_fraction : float
        Smallest share of samples with a known face in the part that is read.

    Examples
    --------
    >>> from stmap_pipeline.config import WindowsConfig
    >>> from stmap_pipeline.maps.windows import window_clock
    >>> times_s = np.arange(600) / 30
    >>> clock = window_clock(times_s, np.ones(600, bool), np.ones(600), WindowsConfig())
    >>> offers = offer_scales(Source(clock, times_s, HeartRateTrace(np.arange(20.0), np.full(20, 80.0))), [0], [300], [[0.5, 1.5, 2.5]])
    >>> offers.heart_rate_bpm.tolist(), [Verdict(one).name for one in offers.verdict[0]]
    ([[40.0, 120.0, nan]], ['OFFERED', 'OFFERED', 'TOO_SHORT'])
    """
    scale = np.asarray(hr_scale, dtype=np.float64)
    offers = Offers.none(*scale.shape)
    row = np.repeat(np.arange(len(scale))[:, None], scale.shape[1], axis=1)
    offers.put(..., _Reader(source, start, stop, min_valid_fraction).read(row, scale))
    return offers


def offer_bins(
    source: Source,
    start: npt.ArrayLike,
    stop: npt.ArrayLike,
    heart_rate_bpm: npt.ArrayLike,
    bins: Bins,
    *,
    max_scale: float,
    seed: int | Sequence[int],
    min_valid_fraction: float = 1.0,
) -> Offers:
    """Find for each window and bin a speed that brings the window's heart rate into the bin.

    Parameters
    ----------
    source : Source
    start, stop : (W,) array of int
    heart_rate_bpm : (W,) array of float
        Labels of the windows as recorded.
    bins : Bins
    max_scale : float
        Largest scale; the smallest is its reciprocal. Between 1 / 1.05 and 1.05 nothing is offered.
    seed : int or sequence of int
        Decides where inside a bin the heart rate comes to lie.
    min_valid_fraction : float

    Returns
    -------
    Offers
        A column a bin; NaN where it is out of reach.

    Examples
    --------
    >>> from stmap_pipeline.config import WindowsConfig
    >>> from stmap_pipeline.maps.windows import window_clock
    >>> times_s = np.arange(600) / 30
    >>> clock = window_clock(times_s, np.ones(600, bool), np.ones(600), WindowsConfig())
    >>> source = Source(clock, times_s, HeartRateTrace(np.arange(20.0), np.full(20, 80.0)))
    >>> offers = offer_bins(source, [0], [300], [80.0], Bins(40, 140, 20), max_scale=1.5, seed=0)
    >>> [Verdict(one).name for one in offers.verdict[0]]
    ['OFFERED', 'OFFERED', 'OFFERED', 'OFFERED', 'OUT_OF_REACH']
    """
    rate = np.asarray(heart_rate_bpm, dtype=np.float64)[:, None]
    edges = bins.edges_bpm
    low, high = np.clip(edges[:-1] / rate, 1 / max_scale, max_scale), np.clip(edges[1:] / rate, 1 / max_scale, max_scale)
    # of a bin around the window's own rate the larger part that is a change remains
    upward = high - np.maximum(low, MIN_CHANGE) >= np.minimum(high, 1 / MIN_CHANGE) - low
    low = np.where(upward, np.maximum(low, MIN_CHANGE), low)
    high = np.where(upward, high, np.minimum(high, 1 / MIN_CHANGE))
    row, column = np.nonzero(high > low)
    low, high = low[row, column], high[row, column]
    share = np.random.default_rng(seed).uniform(0.1, 0.9, len(row))
    reader = _Reader(source, start, stop, min_valid_fraction)
    scale = np.round(low + share * (high - low), SCALE_DIGITS)
    wanted = scale * rate[row, 0]
    found = reader.read(row, scale)
    for _ in range(2):
        # the part that is read is another than the window, and so may its heart rate be
        missed = np.flatnonzero((bins.index(found.heart_rate_bpm) != column) & (found.verdict == Verdict.OFFERED))
        better = wanted[missed] / found.heart_rate_bpm[missed] * found.hr_scale[missed]
        found.put(missed, reader.read(row[missed], np.round(np.clip(better, low[missed], high[missed]), SCALE_DIGITS)))
    scale = found.hr_scale
    unfit = (scale < 1 / max_scale) | (scale > max_scale) | ((scale < MIN_CHANGE) & (scale > 1 / MIN_CHANGE))
    missed = (bins.index(found.heart_rate_bpm) != column) | unfit
    found.verdict[missed & (found.verdict == Verdict.OFFERED)] = Verdict.OUT_OF_REACH
    offers = Offers.none(len(rate), len(bins))
    offers.put((row, column), found)
    return offers


class _Reader:
    """Facts about parts of one recording, with all that they have in common computed once."""

    def __init__(self, source: Source, start: npt.ArrayLike, stop: npt.ArrayLike, min_valid_fraction: float) -> None:
        clock, times_s = source.clock, source.frame_times_s
        first, last = np.asarray(start, dtype=np.int64), np.asarray(stop, dtype=np.int64) - 1
        self._times_s, self._first, self._start_s = clock.times_s, first, clock.times_s[first]
        self._to_last_s = clock.times_s[last] - self._start_s
        self._interval_s, self._min_valid = clock.interval_s, min_valid_fraction
        self._valid, self._coverage = (np.concatenate(([0.0], np.cumsum(one))) for one in (clock.valid, clock.coverage))
        self._last_s = last_source_time(times_s)
        wide = np.flatnonzero(np.diff(times_s) > MAX_HOLE_S)
        self._hole_from, self._hole_to = times_s[wide], times_s[wide + 1]
        self._rates = HeartRateMeans(source.heart_rate) if source.heart_rate else None

    def read(self, row: npt.NDArray[np.intp], scale: FloatArray) -> Offers:
        """Say what windows, by their number, give at a scale each; arrays of any one shape."""
        start_s = self._start_s[row]
        last_s = start_s + scale * self._to_last_s[row]
        stop_s = last_s + scale * self._interval_s
        begin, end = self._first[row], np.searchsorted(self._times_s, last_s, side="right")
        valid, coverage = ((one[end] - one[begin]) / np.maximum(end - begin, 1) for one in (self._valid, self._coverage))
        label = self._rates.over(start_s, stop_s) if self._rates else np.full(scale.shape, np.nan)
        unseen = valid < self._min_valid
        if self._hole_from.size:
            unseen |= np.searchsorted(self._hole_from, last_s) > np.searchsorted(self._hole_to, start_s, side="right")
        verdict = np.full(scale.shape, Verdict.OFFERED, dtype=np.int8)
        verdict[unseen] = Verdict.NOT_SEEN
        verdict[np.isnan(label)] = Verdict.UNLABELED
        verdict[last_s > self._last_s] = Verdict.TOO_SHORT
        return Offers(scale, scale * label, valid, coverage, verdict)
