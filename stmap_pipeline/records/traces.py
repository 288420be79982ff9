"""Values over time: heart rate and pulse (the labels), mean colors of the blocks, landmarks. What is unknown is NaN, never zero."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Most rows, and most columns, of a grid of blocks.
LARGEST_GRID = 64

_SLACK_S = 0.1
# two estimators are compared once a second: half of that may lie outside by rounding
_SLACK_TRUSTED_S = 0.5

#: Samples of a heart rate that differ by more from those of a second estimator are not trusted, and neither is an interval of which
#: less than this share is trusted. See the measurement in docs/explanation/labels.md.
MAX_DISAGREEMENT_BPM, MIN_TRUSTED = 4.0, 0.8
#: Fewer beats do not carry the mean of an interval: the rate swings with the breath, which two or three of them do not show.
MIN_BEATS = 4.0
#: No larger share of an interval may lie before or after what the beats of a pulse or an ECG show: there the rate is not measured.
MAX_NOT_SEEN = 0.11
#: Nor, in an interval of up to 15 s, may that share (of both ends, whose errors are independent, the root of the sum of squares) times the difference of highest and
#: lowest rate be more.
MAX_UNSURE_BPM = 0.47
_SHORT_S = 15.0
#: An interval of less than 10 s or 9 beats shows only a part of how much the rate changes, and a last beat in a wrong place moves its mean more: the limit is smaller,
#: and the difference 3 bpm at least.
MAX_UNSURE_OF_FEW_BPM = 0.19
_FEW_S, _FEW_BEATS = 10.0, 9.0
_LEAST_RANGE_BPM = 3.0

#: Why an interval has no mean heart rate: code of ``label_problem`` in ``windows.csv`` -> what it means.
LABEL_PROBLEMS = {
    "": "it has one",
    "no_label": "the recording has no label, or one of less than two samples",
    "label_ends": "the label, or the beats of its pulse or ECG that are seen whole, begins or ends inside the interval, or does not reach it",
    "label_sparse": "the label's samples are further apart than the interval is long",
    "label_gaps": "less than half of the label samples are there and known",
    "label_disagrees": f"beats and spectrum of the pulse differ by more than {MAX_DISAGREEMENT_BPM:g} bpm in a fifth of the interval",
    "label_few_beats": f"the heart rate was computed from a pulse or an ECG, of which less than {MIN_BEATS:g} beats lie in the interval",
}


def median_interval_s(times_s: npt.ArrayLike) -> float:
    """Return the usual time between successive samples: the median of their differences.

    The median of NumPy, which takes ten times as long for the few hundred samples of a recording.

    Parameters
    ----------
    times_s : (n,) array_like

    Returns
    -------
    float
        0 where there are fewer than two samples, NaN where one has no time.

    Examples
    --------
    >>> median_interval_s([0.0, 1.0, 1.5, 3.5]), median_interval_s([2.0])
    (1.0, 0.0)
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.size < 2:
        return 0.0
    intervals_s = times[1:] - times[:-1]
    low, high = (intervals_s.size - 1) // 2, intervals_s.size // 2
    intervals_s.partition((low, high, -1))
    # sorted, NaN stands last
    return float(intervals_s[-1] if np.isnan(intervals_s[-1]) else (intervals_s[low] + intervals_s[high]) / 2)


def duration_s(times_s: npt.ArrayLike) -> float:
    """Return how long samples last, the last one as long as the others usually do.

    Parameters
    ----------
    times_s : (n,) array_like

    Returns
    -------
    float
        0 where there are no samples.

    Examples
    --------
    >>> duration_s(np.arange(30) / 10), duration_s([])
    (3.0, 0.0)
    """
    times = np.asarray(times_s, dtype=np.float64)
    return float(times[-1] - times[0] + median_interval_s(times)) if times.size else 0.0


def _checked(times_s: npt.ArrayLike, values: npt.ArrayLike, what: str) -> tuple[FloatArray, FloatArray]:
    times = np.asarray(times_s, dtype=np.float64)
    numbers = np.asarray(values, dtype=np.float64)
    if times.ndim != 1 or times.shape != numbers.shape:
        raise ValueError(f"{what}: times and values must be two vectors of one length, not {times.shape} and {numbers.shape}")
    if not np.all(np.isfinite(times)) or (times.size > 1 and np.any(np.diff(times) <= 0)):
        raise ValueError(f"{what}: times must be finite and increase")
    return times, numbers


@dataclass(frozen=True, slots=True, eq=False)
class HeartRateTrace:
    """Heart rate over time, NaN where the device gave none.

    Parameters
    ----------
    times_s : (L,) array of float64
        Seconds on the clock of the video's frames, increasing. A sample of a 1 Hz trace stands at the start of its second.
    heart_rate_bpm : (L,) array of float64
        Beats per minute.
    disagreement_bpm : (L,) array of float64, optional
        Where the heart rate was computed from beats: by how much the rate of a second, independent estimator is lower; NaN where one
        of the two found none, and at the ends of a pulse or an ECG, before and after what its beats show. Samples with more than
        :data:`MAX_DISAGREEMENT_BPM`, or NaN, are not trusted.

    Examples
    --------
    >>> trace = HeartRateTrace([0.0, 1.0, 2.0, 3.0], [70.0, 74.0, 75.0, float("nan")])
    >>> trace.mean_between(0.0, 2.0)
    72.0
    >>> trace.mean_between(np.array([0.0, 1.0, 4.0]), np.array([2.0, 3.0, 6.0]))
    array([72. , 74.5,  nan])
    """

    times_s: FloatArray
    heart_rate_bpm: FloatArray
    disagreement_bpm: FloatArray | None = None

    def __post_init__(self) -> None:
        times, values = _checked(self.times_s, self.heart_rate_bpm, "heart rate")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "heart_rate_bpm", values)
        if self.disagreement_bpm is not None:
            object.__setattr__(self, "disagreement_bpm", _checked(self.times_s, self.disagreement_bpm, "disagreement")[1])

    @property
    def trusted(self) -> npt.NDArray[np.bool_]:
        """(L,) Whether each sample is known, and its two estimators agree where there are two."""
        known = np.isfinite(self.heart_rate_bpm)
        return known if self.disagreement_bpm is None else known & (np.abs(self.disagreement_bpm) <= MAX_DISAGREEMENT_BPM)

    @overload
    def mean_between(self, start_s: float, stop_s: float) -> float: ...
    @overload
    def mean_between(self, start_s: FloatArray, stop_s: FloatArray) -> FloatArray: ...
    def mean_between(self, start_s: float | FloatArray, stop_s: float | FloatArray) -> float | FloatArray:
        """Return the mean heart rate of intervals: the label of a window.

        It is the mean of the known samples in ``[start_s, stop_s)``, and NaN where :meth:`coverage_problem` names a problem.

        Parameters
        ----------
        start_s, stop_s : float or (W,) array of float64
            Limits of one interval or of many.

        Returns
        -------
        float or (W,) array of float64
            Beats per minute.
        """
        first, last = self.times_s.searchsorted(start_s), self.times_s.searchsorted(stop_s)
        known = np.isfinite(self.heart_rate_bpm)
        count = _sum_between(known, first, last)
        # sums of differences from the median: a constant label keeps its value to the last bit, however long the trace is
        median_bpm = np.median(self.heart_rate_bpm[known]) if known.any() else np.nan
        total = _sum_between(np.where(known, self.heart_rate_bpm - median_bpm, 0.0), first, last)
        mean_bpm = median_bpm + total / np.maximum(count, 1)
        mean_bpm = np.where(self._problem(start_s, stop_s) == 0, mean_bpm, np.nan)
        return mean_bpm if mean_bpm.ndim else float(mean_bpm)

    @overload
    def coverage_problem(self, start_s: float, stop_s: float) -> str: ...
    @overload
    def coverage_problem(self, start_s: FloatArray, stop_s: FloatArray) -> npt.NDArray[np.str_]: ...
    def coverage_problem(self, start_s: float | FloatArray, stop_s: float | FloatArray) -> str | npt.NDArray[np.str_]:
        """Return why :meth:`mean_between` has no value for intervals, a code of :data:`LABEL_PROBLEMS`; empty where it has one.

        A mean over less than the interval would describe another interval than it claims. It is refused where the trace
        begins or ends more than one sample (at least 0.1 s) inside the interval, or the beats that it was computed from do not show
        more than 11 % of the interval at its ends, or, of up to 15 s, less while the rate changes so much that the mean may be off by
        more than 0.3 bpm; where samples are further apart than
        the interval is long (at least 1 s); where less than half of the samples are known, counting those that should be there by
        the median distance of samples and are not; where two estimators disagree in more than a fifth of them; and where the
        trace was computed from beats of which fewer than four lie in it.

        Examples
        --------
        >>> trace = HeartRateTrace([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 60.0, 61.0], np.full(8, 60.0))
        >>> trace.coverage_problem(0.0, 6.0), trace.coverage_problem(5.0, 15.0)
        ('', 'label_gaps')
        """
        problem = np.array(list(LABEL_PROBLEMS))[self._problem(start_s, stop_s)]
        return problem if isinstance(problem, np.ndarray) else str(problem)

    def _problem(self, start_s: float | FloatArray, stop_s: float | FloatArray) -> npt.NDArray[np.int64]:
        """Return the index into :data:`LABEL_PROBLEMS` for each interval."""
        duration_s = np.subtract(stop_s, start_s)
        if self.times_s.size < 2:
            return np.full(duration_s.shape, 1)
        spacing_s = median_interval_s(self.times_s)
        # a device that starts or stops within one sample, or one or two frames, of the video is the normal case, not a gap
        slack_s = max(spacing_s, _SLACK_S)
        outside = (self.times_s[0] > start_s + slack_s) | (self.times_s[-1] + spacing_s < stop_s - slack_s)
        first, last = self.times_s.searchsorted(start_s), self.times_s.searchsorted(stop_s)
        expected = np.maximum(duration_s / spacing_s, last - first)
        # one sample a second is the usual label and may stand for less than a second
        sparse = spacing_s > np.maximum(duration_s, 1.0) + _SLACK_S
        known = _sum_between(np.isfinite(self.heart_rate_bpm), first, last)
        few_known = (known == 0) | (2 * known < expected - 1e-6)
        few_trusted = few_beats = np.zeros_like(few_known)
        beats = _sum_between(np.nan_to_num(self.heart_rate_bpm), first, last) / np.maximum(known, 1) * duration_s / 60
        measured_s = self.times_s[np.isfinite(self.disagreement_bpm)] if self.disagreement_bpm is not None else np.empty(0)
        if measured_s.size:
            before = np.maximum(0.0, measured_s[0] - start_s) / duration_s
            behind = np.maximum(0.0, stop_s - measured_s[-1] - spacing_s) / duration_s
            # half a beat that was not seen is nothing beside the beats of a longer interval
            range_bpm = self._range_bpm(first, last, (before + behind > 0) & (duration_s <= _SHORT_S))
            few = (duration_s < _FEW_S - 1e-6) | (beats < _FEW_BEATS)
            range_bpm = np.where(few, np.maximum(range_bpm, _LEAST_RANGE_BPM), range_bpm)
            limit_bpm = np.where(few, MAX_UNSURE_OF_FEW_BPM, MAX_UNSURE_BPM)
            outside = outside | (before + behind > MAX_NOT_SEEN) | (np.hypot(before, behind) * range_bpm > limit_bpm)
        if self.disagreement_bpm is not None:
            few_trusted = _sum_between(self.trusted, first, last) < MIN_TRUSTED * expected - max(1.0, _SLACK_TRUSTED_S / spacing_s)
            few_beats = beats < MIN_BEATS
        return np.select([outside, sparse, few_known, few_trusted, few_beats], [2, 3, 4, 5, 6], 0)

    def _range_bpm(self, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], wanted: npt.NDArray[np.bool_]) -> FloatArray:
        """Return the difference of highest and lowest heart rate in ``[first, last)`` where it is wanted, else 0."""
        found = np.zeros(wanted.shape)
        for index in map(tuple, np.argwhere(wanted)):
            rates_bpm = self.heart_rate_bpm[first[index] : last[index]]
            known_bpm = rates_bpm[np.isfinite(rates_bpm)]
            if known_bpm.size:
                found[index] = np.ptp(known_bpm)
        return found

    @overload
    def coverage(self, start_s: float, stop_s: float) -> float: ...
    @overload
    def coverage(self, start_s: FloatArray, stop_s: FloatArray) -> FloatArray: ...
    def coverage(self, start_s: float | FloatArray, stop_s: float | FloatArray) -> float | FloatArray:
        """Return the share of the samples of intervals that are trusted, of those that should be there.

        Examples
        --------
        >>> HeartRateTrace(np.arange(10.0), [70, 71, np.nan, 72, 73, 74, 75, 76, 77, 78]).coverage(0.0, 4.0)
        0.75
        """
        duration_s = np.subtract(stop_s, start_s)
        if self.times_s.size < 2:
            share = np.zeros(duration_s.shape)
        else:
            first, last = self.times_s.searchsorted(start_s), self.times_s.searchsorted(stop_s)
            expected = np.maximum(duration_s / median_interval_s(self.times_s), last - first)
            share = np.minimum(1.0, _sum_between(self.trusted, first, last) / np.maximum(expected, 1))
        return share if share.ndim else float(share)


def _sum_between(values: npt.NDArray[Any], first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> FloatArray:
    """Return the sums of ``values[first:last]``."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(sums[last] - sums[first])


@dataclass(frozen=True, slots=True, eq=False)
class PulseTrace:
    """A pulse wave (PPG, BVP, blood pressure) in arbitrary units.

    Parameters
    ----------
    times_s : (L,) array of float64
        Seconds on the clock of the video's frames, increasing.
    value : (L,) array of float64
        Arbitrary units, NaN where unknown.
    """

    times_s: FloatArray
    value: FloatArray

    def __post_init__(self) -> None:
        times, values = _checked(self.times_s, self.value, "pulse")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "value", values)


@dataclass(frozen=True, slots=True)
class RoiGrid:
    """Rows and columns of the aligned face box; block ``row * cols + col`` counts from the forehead, image left to right.

    Examples
    --------
    >>> RoiGrid().count
    25
    """

    rows: int = 5
    cols: int = 5

    def __post_init__(self) -> None:
        if not (1 <= self.rows <= LARGEST_GRID and 1 <= self.cols <= LARGEST_GRID):
            raise ValueError(f"a grid has 1 to {LARGEST_GRID} rows and columns, not {self.rows} x {self.cols}")

    @property
    def count(self) -> int:
        """Number of blocks N."""
        return self.rows * self.cols


@dataclass(frozen=True, slots=True, eq=False)
class BlockTrace:
    """Mean color of each block in each frame, neither normalized nor bound to a color space.

    Parameters
    ----------
    times_s : (T,) array of float64
        Time of each frame, increasing.
    means : (T, N, 3) array of float32
        Mean R, G, B in gray levels (0 to 255, unclipped); NaN where the block was not seen. Any linear color space
        follows from it by one 3 x 3 matrix: averaging and a linear matrix commute.
    coverage : (T, N) array of float32
        Share of the block's area that lies inside the frame and inside the mask, 0 to 1; 0 where the face was lost.
    grid : RoiGrid
    """

    times_s: npt.NDArray[np.float64]
    means: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.float32]
    grid: RoiGrid

    def __post_init__(self) -> None:
        frames, blocks = len(self.times_s), self.grid.count
        if self.means.shape != (frames, blocks, 3) or self.coverage.shape != (frames, blocks):
            raise ValueError(
                f"{frames} frames of {blocks} blocks need means ({frames}, {blocks}, 3) and coverage ({frames}, {blocks}), "
                f"not {self.means.shape} and {self.coverage.shape}"
            )

    def at(self, frames: npt.NDArray[np.bool_]) -> BlockTrace:
        """Return the trace of some of the frames."""
        return replace(self, times_s=self.times_s[frames], means=self.means[frames], coverage=self.coverage[frames])

    def merged(self, parts: int) -> BlockTrace:
        """Return the trace of larger blocks, each the mean of ``parts`` x ``parts`` neighbors, weighted by their coverage.

        Raises
        ------
        ValueError
            Where the rows or columns are no multiple of ``parts``.

        Examples
        --------
        >>> means = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
        >>> one = BlockTrace(np.zeros(1), means, np.array([[1, 1, 1, 0]], np.float32), RoiGrid(2, 2)).merged(2)
        >>> one.means.tolist(), one.coverage.tolist()
        ([[[3.0, 4.0, 5.0]]], [[0.75]])
        """
        if self.grid.rows % parts or self.grid.cols % parts:
            raise ValueError(f"{self.grid.rows} x {self.grid.cols} blocks can't be merged by {parts} x {parts}")
        grid = RoiGrid(self.grid.rows // parts, self.grid.cols // parts)
        frames = len(self.times_s)
        means = self.means.reshape(frames, grid.rows, parts, grid.cols, parts, 3)
        coverage = self.coverage.reshape(means.shape[:-1])
        total = np.zeros((frames, grid.rows, grid.cols), dtype=np.float32)
        sums = np.zeros((*total.shape, 3), dtype=np.float32)
        # one part of each block at a time: a long video takes little more memory
        for down, across in np.ndindex(parts, parts):
            part = means[:, :, down, :, across]
            weight = np.where(np.isfinite(part).all(axis=-1), coverage[:, :, down, :, across], np.float32(0))
            total += weight
            sums += np.where(weight[..., None] > 0, part, 0) * weight[..., None]
        merged = np.divide(sums, total[..., None], out=np.full_like(sums, np.nan), where=total[..., None] > 0)
        total /= np.float32(parts**2)
        return BlockTrace(self.times_s, merged.reshape(frames, grid.count, 3), total.reshape(frames, grid.count), grid)

    def covered(self, min_coverage: float) -> BlockTrace:
        """Return the trace with NaN where less of the area of a block is covered."""
        return replace(self, means=np.where((self.coverage < min_coverage)[:, :, None], np.float32(np.nan), self.means))

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(T,) Whether the face was known, so that at least one block has a mean.

        A block that never shows skin (a masked corner, say) is NaN throughout and must not spoil every frame; what each
        block misses is in ``coverage``.
        """
        return np.asarray(np.any(np.all(np.isfinite(self.means), axis=2), axis=1), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTrack:
    """Smoothed landmarks of one face over time.

    Parameters
    ----------
    times_s : (T,) array of float64
        Time of each frame.
    points_px : (T, 68, 2) array of float32
        x and y in pixels of the luma plane, the center of the top left pixel at (0, 0); iBUG 68-point order. A frame in
        which the face was lost is NaN as a whole.
    score : (T,) array of float32
        Backend's own confidence at the last detection or check; scores of different backends cannot be compared. NaN where lost.
    """

    times_s: npt.NDArray[np.float64]
    points_px: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        frames = len(self.times_s)
        if self.points_px.shape != (frames, 68, 2) or self.score.shape != (frames,):
            raise ValueError(
                f"landmarks of {frames} frames need points ({frames}, 68, 2) and score ({frames},), "
                f"not {self.points_px.shape} and {self.score.shape}"
            )

    def at(self, frames: npt.NDArray[np.bool_]) -> LandmarkTrack:
        """Return the landmarks in some of the frames."""
        return replace(self, times_s=self.times_s[frames], points_px=self.points_px[frames], score=self.score[frames])

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """(T,) Whether the face is known in each frame."""
        return np.asarray(np.isfinite(self.points_px).all(axis=(1, 2)), dtype=np.bool_)
