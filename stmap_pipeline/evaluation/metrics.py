"""Errors of heart rates: the six published numbers, their bootstrap intervals, and bands of true heart rate.

All six numbers follow from ten sums over the pairs of estimate and truth. For the intervals the sums are taken once for each subject
(or video); a draw only weights them, so that thousands of draws are one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: The numbers that get an interval, by the names they have in :class:`HeartRateMetrics`.
MEASURES = ("me_bpm", "sd_bpm", "mae_bpm", "rmse_bpm", "mer_percent", "r")
# draws at a time: the weights of 2,000 draws of 100,000 windows would be 1.6 GB
_BLOCK_CELLS = 4_000_000
# any two pairs lie on a line
_LEAST_FOR_R = 3
#: Where one band of true heart rate ends and the next begins; the middle one holds about half of a resting population.
BAND_EDGES_BPM = (60.0, 70.0, 85.0, 100.0)
BANDS = ("<60", "60-70", "70-85", "85-100", ">=100")


@dataclass(frozen=True, slots=True)
class HeartRateMetrics:
    """How far estimates are from the truth. NaN where there are too few pairs.

    Parameters
    ----------
    n : int
        Pairs in which both numbers are known; all else is over these.
    n_missing : int
        Pairs left out, because truth or estimate is unknown. Leaving out the hard recordings makes every other number better, so this
        one belongs beside them.
    me_bpm, sd_bpm : float
        Mean and standard deviation of the signed error, estimate minus truth.
    mae_bpm, rmse_bpm : float
        Mean absolute error and root mean square error.
    mer_percent : float
        Mean absolute error as a share of the true rate.
    r : float
        Pearson's correlation; NaN where either side does not vary, and of less than three pairs, which always lie on a line.
    """

    n: int
    n_missing: int
    me_bpm: float
    sd_bpm: float
    mae_bpm: float
    rmse_bpm: float
    mer_percent: float
    r: float


def heart_rate_metrics(estimated_bpm: npt.ArrayLike, true_bpm: npt.ArrayLike) -> HeartRateMetrics:
    """Compare estimated with true heart rates.

    Parameters
    ----------
    estimated_bpm, true_bpm : (n,) array
        A pair per recording (or per window); NaN where unknown.

    Returns
    -------
    HeartRateMetrics
        The variance is divided by ``n``, so that ``rmse^2 = me^2 + sd^2`` holds exactly.

    Raises
    ------
    ValueError
        Where the two are not vectors of one length.

    Examples
    --------
    >>> result = heart_rate_metrics([70.0, 82.0, float("nan")], [72.0, 80.0, 90.0])
    >>> result.n, result.n_missing, result.me_bpm, result.mae_bpm, result.r
    (2, 1, 0.0, 2.0, nan)
    """
    estimated, true, known = _pairs(estimated_bpm, true_bpm)
    count = len(estimated)
    if not count:
        return HeartRateMetrics(0, len(known), *[float("nan")] * 6)
    sums = _Sums.of(estimated, true, np.zeros(count, dtype=np.intp), 1)
    return HeartRateMetrics(count, len(known) - count, *(float(one) for one in _measures(sums.per_unit, sums.mean_error)[0]))


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How the intervals were drawn.

    Parameters
    ----------
    unit : {"subject", "video"}
        What was drawn with replacement.
    resamples : int
        Number of draws.
    confidence : float
        Share of the draws inside the interval.
    seed : int
        The same seed gives the same draws, also for another method on the same pairs.

    Examples
    --------
    >>> Bootstrap().unit
    'subject'
    """

    unit: Literal["subject", "video"] = "subject"
    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.resamples >= 1 and 0 < self.confidence < 1):
            raise ValueError(
                f"needs at least one resample and a confidence between 0 and 1, not {self.resamples} and {self.confidence}"
            )


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its bootstrap confidence interval.

    Parameters
    ----------
    value : float
        NaN where there are too few pairs.
    low, high : float
        Ends of the interval; NaN where fewer than two subjects (or videos) stand behind the number.

    Examples
    --------
    >>> Interval(5.4, 4.9, 6.0).high
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
    me_bpm, sd_bpm, mae_bpm, rmse_bpm, mer_percent, r : Interval
        As in :class:`HeartRateMetrics`.
    """

    n: int
    n_missing: int
    n_units: int
    me_bpm: Interval
    sd_bpm: Interval
    mae_bpm: Interval
    rmse_bpm: Interval
    mer_percent: Interval
    r: Interval

    @property
    def metrics(self) -> HeartRateMetrics:
        """The numbers without their intervals."""
        return HeartRateMetrics(self.n, self.n_missing, *(getattr(self, name).value for name in MEASURES))


def score(
    estimated_bpm: npt.ArrayLike,
    true_bpm: npt.ArrayLike,
    units: Sequence[str] | npt.NDArray[np.str_],
    bootstrap: Bootstrap = Bootstrap(),
) -> Score:
    """Compute the six numbers with percentile bootstrap intervals.

    Units are drawn with replacement, as many as there are, each with all of its pairs. Videos of one subject err alike, so with
    videos as units the intervals come out too narrow; subjects are right wherever there are several.

    Parameters
    ----------
    estimated_bpm, true_bpm : (n,) array
        NaN where unknown.
    units : (n,) sequence of str
        Subject (or video) of each pair.
    bootstrap : Bootstrap
        Its unit is not used.

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
    (40, 4, Interval(value=3.0, low=3.0, high=3.0))
    """
    estimated, true, known = _pairs(estimated_bpm, true_bpm)
    if len(units) != len(known):
        raise ValueError(f"needs a unit for each pair, not {len(units)} for {len(known)}")
    plain = heart_rate_metrics(estimated_bpm, true_bpm)
    names, index = np.unique(np.asarray(units, dtype=np.str_)[known], return_inverse=True)
    low = high = np.full(len(MEASURES), np.nan)
    if len(names) > 1:
        sums = _Sums.of(estimated, true, index, len(names))
        low, high = _percentiles(_measures(_draw(sums.per_unit, bootstrap), sums.mean_error), bootstrap.confidence)
    intervals = [Interval(getattr(plain, name), float(low[i]), float(high[i])) for i, name in enumerate(MEASURES)]
    return Score(plain.n, plain.n_missing, len(names), *intervals)


def mean_interval(
    values: npt.ArrayLike,
    units: Sequence[str] | npt.NDArray[np.str_],
    bootstrap: Bootstrap = Bootstrap(),
) -> Interval:
    """Compute the mean of some values with its percentile bootstrap interval, drawn as in :func:`score`.

    Parameters
    ----------
    values : (n,) array
        Known ones only.
    units : (n,) sequence of str
    bootstrap : Bootstrap

    Examples
    --------
    >>> mean_interval([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"])
    Interval(value=2.0, low=1.0, high=3.0)
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    names, index = np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        return Interval(float(numbers.mean()), float("nan"), float("nan"))
    sums = np.stack([np.bincount(index, minlength=len(names)), np.bincount(index, numbers, len(names))], axis=1)
    drawn = _draw(sums.astype(np.float64), bootstrap)
    low, high = _percentiles((drawn[:, 1] / drawn[:, 0])[:, None], bootstrap.confidence)
    return Interval(float(numbers.mean()), float(low[0]), float(high[0]))


class _Sums(NamedTuple):
    """Sums over the pairs of each unit, about centers that keep the squares small."""

    per_unit: FloatArray
    mean_error: float

    @classmethod
    def of(cls, estimated: FloatArray, true: FloatArray, index: npt.NDArray[np.intp], count: int) -> _Sums:
        error = estimated - true
        mean_error = float(error.mean())
        e, a, b = error - mean_error, estimated - estimated.mean(), true - true.mean()
        # an error relative to a rate of zero or less has no meaning
        relative = np.abs(error) / np.where(true > 0, true, np.nan)
        columns = (np.ones_like(e), e, e * e, np.abs(error), error * error, relative, a, b, a * a, b * b, a * b)
        return cls(np.stack([np.bincount(index, one, count) for one in columns], axis=1), mean_error)


def _measures(sums: FloatArray, mean_error: float) -> FloatArray:
    """Compute the six numbers from sums, (n, 11) to (n, 6)."""
    _, e, ee, absolute, squared, relative, a, b, aa, bb, ab = (sums / sums[:, :1]).T
    variance_a, variance_b = np.maximum(aa - a * a, 0), np.maximum(bb - b * b, 0)
    scale = np.sqrt(variance_a * variance_b)
    # rounding of a constant list is not variation
    flat = scale <= 1e-9
    r = np.where(flat | (sums[:, 0] < _LEAST_FOR_R), np.nan, np.clip((ab - a * b) / np.where(flat, 1, scale), -1, 1).round(12))
    columns = (mean_error + e, np.sqrt(np.maximum(ee - e * e, 0)), absolute, np.sqrt(squared), 100 * relative, r)
    return np.stack(columns, axis=1)


def _pairs(estimated_bpm: npt.ArrayLike, true_bpm: npt.ArrayLike) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    estimated, true = np.asarray(estimated_bpm, dtype=np.float64), np.asarray(true_bpm, dtype=np.float64)
    if estimated.ndim != 1 or estimated.shape != true.shape:
        raise ValueError(f"estimates and truth must be two vectors of one length, not {estimated.shape} and {true.shape}")
    known = np.isfinite(estimated) & np.isfinite(true)
    return estimated[known], true[known], known


def _draw(per_unit: FloatArray, bootstrap: Bootstrap) -> FloatArray:
    """Draw units with replacement, as many as there are, and add up their sums."""
    random, count = np.random.default_rng(bootstrap.seed), len(per_unit)
    size, parts = max(1, _BLOCK_CELLS // count), []
    for start in range(0, bootstrap.resamples, size):
        rows = min(size, bootstrap.resamples - start)
        taken = random.integers(0, count, (rows, count)) + np.arange(rows)[:, None] * count
        weights = np.bincount(taken.ravel(), minlength=rows * count).reshape(rows, count)
        parts.append(weights.astype(np.float64) @ per_unit)
    return np.concatenate(parts)


def _percentiles(draws: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    tail = (1 - confidence) / 2
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    for column in range(draws.shape[1]):
        known = draws[np.isfinite(draws[:, column]), column]
        # where most draws have no such number, the rest are no sample of it
        if 2 * known.size >= len(draws):
            low[column], high[column] = np.quantile(known, [tail, 1 - tail])
    return low, high


def band_of(true_bpm: npt.ArrayLike) -> list[str]:
    """Name the band of each true heart rate.

    Parameters
    ----------
    true_bpm : (n,) array

    Returns
    -------
    list of str
        A lower end belongs to its band, an upper one to the next; empty where the rate is unknown.

    Examples
    --------
    >>> band_of([59.9, 60.0, 84.0, 140.0, float("nan")])
    ['<60', '60-70', '70-85', '>=100', '']
    """
    rates = np.asarray(true_bpm, dtype=np.float64)
    return [BANDS[i] if known else "" for i, known in zip(np.digitize(rates, BAND_EDGES_BPM), np.isfinite(rates), strict=True)]
