"""How sure the six numbers are: the same numbers of many draws of the subjects, or of the videos, with replacement.

All six follow from ten sums over the pairs. The sums are taken once for each subject (or video); a draw only weights them, so that
thousands of draws are one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.metrics import HeartRateMetrics, heart_rate_metrics

FloatArray = npt.NDArray[np.float64]

#: The numbers that get an interval, by the names they have in :class:`~stmap_pipeline.evaluation.metrics.HeartRateMetrics`.
MEASURES = ("me_bpm", "sd_bpm", "mae_bpm", "rmse_bpm", "mer_percent", "r")
RESAMPLES = 2000
CONFIDENCE = 0.95
# draws at a time: the weights of 2,000 draws of 100,000 windows would be 1.6 GB
_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the interval that it may as well have been in.

    Parameters
    ----------
    value : float
        NaN where there are too few pairs to say.
    low, high : float
        Ends of the interval; NaN where fewer than two subjects (or videos) stand behind the number.

    Examples
    --------
    >>> Figure(5.4, 4.9, 6.0).high
    6.0
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of one method on some videos or windows.

    Parameters
    ----------
    n : int
        Pairs of estimate and truth; all else is over these.
    n_missing : int
        Pairs left out, because truth or estimate is unknown.
    n_units : int
        Subjects (or videos) that the pairs come from: what the intervals were drawn from.
    me_bpm, sd_bpm, mae_bpm, rmse_bpm, mer_percent, r : Figure
        As in :class:`~stmap_pipeline.evaluation.metrics.HeartRateMetrics`.
    """

    n: int
    n_missing: int
    n_units: int
    me_bpm: Figure
    sd_bpm: Figure
    mae_bpm: Figure
    rmse_bpm: Figure
    mer_percent: Figure
    r: Figure

    @property
    def metrics(self) -> HeartRateMetrics:
        """The numbers without their intervals."""
        return HeartRateMetrics(self.n, self.n_missing, *(getattr(self, name).value for name in MEASURES))


def score(
    estimated_bpm: npt.ArrayLike,
    true_bpm: npt.ArrayLike,
    units: Sequence[str] | npt.NDArray[np.str_],
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Score:
    """Compute the six numbers with percentile bootstrap intervals.

    Units are drawn with replacement, as many as there are, each with all of its pairs. Videos of one subject err alike, so with
    videos as units the intervals come out too narrow; subjects are the honest choice wherever there are several.

    Parameters
    ----------
    estimated_bpm, true_bpm : (n,) array
        NaN where unknown.
    units : (n,) sequence of str
        Subject (or video) of each pair.
    resamples : int
        Number of draws.
    confidence : float
        Share of the draws inside the interval.
    seed : int
        The same seed gives the same draws, also for another method on the same pairs.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        Where the three differ in length, or a choice makes no sense.

    References
    ----------
    Efron, Tibshirani: An Introduction to the Bootstrap. Chapman & Hall (1993), chapter 13.

    Examples
    --------
    >>> true_bpm = np.linspace(60, 100, 40)
    >>> result = score(true_bpm + np.tile([-2, 4], 20), true_bpm, np.repeat(["a", "b", "c", "d"], 10))
    >>> result.n, result.n_units, result.mae_bpm
    (40, 4, Figure(value=3.0, low=3.0, high=3.0))
    """
    if not (resamples >= 1 and 0 < confidence < 1):
        raise ValueError(f"needs at least one resample and a confidence between 0 and 1, not {resamples} and {confidence}")
    plain = heart_rate_metrics(estimated_bpm, true_bpm)
    estimated, true = np.asarray(estimated_bpm, dtype=np.float64), np.asarray(true_bpm, dtype=np.float64)
    if len(units) != len(true):
        raise ValueError(f"needs a unit for each pair, not {len(units)} for {len(true)}")
    known = np.isfinite(estimated) & np.isfinite(true)
    names, index = np.unique(np.asarray(units, dtype=np.str_)[known], return_inverse=True)
    low = high = np.full(len(MEASURES), np.nan)
    if len(names) > 1:
        draws = _draws(_Sums.of(estimated[known], true[known], index, len(names)), resamples, seed)
        low, high = _interval(draws, confidence)
    figures = [Figure(getattr(plain, name), float(low[i]), float(high[i])) for i, name in enumerate(MEASURES)]
    return Score(plain.n, plain.n_missing, len(names), *figures)


def mean_interval(
    values: npt.ArrayLike,
    units: Sequence[str] | npt.NDArray[np.str_],
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Figure:
    """Give the mean of some values with its percentile bootstrap interval, drawn as in :func:`score`.

    Parameters
    ----------
    values : (n,) array
        Known ones only.
    units : (n,) sequence of str
    resamples, confidence, seed
        As in :func:`score`.

    Examples
    --------
    >>> mean_interval([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"])
    Figure(value=2.0, low=1.0, high=3.0)
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return Figure(float("nan"), float("nan"), float("nan"))
    names, index = np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        return Figure(float(numbers.mean()), float("nan"), float("nan"))
    sums = np.stack([np.bincount(index, minlength=len(names)), np.bincount(index, numbers, len(names))], axis=1)
    drawn = _weighted(sums.astype(np.float64), resamples, seed)
    low, high = _interval((drawn[:, 1] / drawn[:, 0])[:, None], confidence)
    return Figure(float(numbers.mean()), float(low[0]), float(high[0]))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the pairs of each unit, about centers that keep the squares small beside what is asked of them."""

    per_unit: FloatArray
    mean_error: float

    @classmethod
    def of(cls, estimated: FloatArray, true: FloatArray, index: npt.NDArray[np.intp], count: int) -> _Sums:
        error = estimated - true
        mean_error = float(error.mean())
        e, a, b = error - mean_error, estimated - estimated.mean(), true - true.mean()
        # an error relative to a rate of zero or less says nothing
        relative = np.abs(error) / np.where(true > 0, true, np.nan)
        columns = (np.ones_like(e), e, e * e, np.abs(error), error * error, relative, a, b, a * a, b * b, a * b)
        return cls(np.stack([np.bincount(index, one, count) for one in columns], axis=1), mean_error)


def _draws(sums: _Sums, resamples: int, seed: int) -> FloatArray:
    """Compute the six measures of each draw, (resamples, 6)."""
    drawn = _weighted(sums.per_unit, resamples, seed)
    _, e, ee, absolute, squared, relative, a, b, aa, bb, ab = (drawn / drawn[:, :1]).T
    variance_a, variance_b = np.maximum(aa - a * a, 0), np.maximum(bb - b * b, 0)
    scale = np.sqrt(variance_a * variance_b)
    # as for the number itself: rounding of a constant list is not variation
    flat = scale <= 1e-9
    r = np.where(flat, np.nan, np.clip((ab - a * b) / np.where(flat, 1, scale), -1, 1))
    columns = (sums.mean_error + e, np.sqrt(np.maximum(ee - e * e, 0)), absolute, np.sqrt(squared), 100 * relative, r)
    return np.stack(columns, axis=1)


def _weighted(per_unit: FloatArray, resamples: int, seed: int) -> FloatArray:
    random, count = np.random.default_rng(seed), len(per_unit)
    parts = []
    for size in _blocks(resamples, max(1, _BLOCK_CELLS // count)):
        taken = random.integers(0, count, (size, count)) + np.arange(size)[:, None] * count
        weights = np.bincount(taken.ravel(), minlength=size * count).reshape(size, count)
        parts.append(weights.astype(np.float64) @ per_unit)
    return np.concatenate(parts)


def _blocks(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def _interval(draws: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    tail = (1 - confidence) / 2
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    for column in range(draws.shape[1]):
        known = draws[np.isfinite(draws[:, column]), column]
        # where most draws have no such number, the rest are no sample of it
        if 2 * known.size >= len(draws):
            low[column], high[column] = np.quantile(known, [tail, 1 - tail])
    return low, high
