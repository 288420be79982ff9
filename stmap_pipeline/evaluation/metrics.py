"""The six numbers in which heart rate errors are published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class HeartRateMetrics:
    """How far estimates are from the truth. NaN where there are too few pairs to say.

    Parameters
    ----------
    n : int
        Pairs in which both numbers are known; all else is over these.
    n_missing : int
        Pairs left out, because truth or estimate is unknown. To be shown beside the rest: leaving out the hard
        recordings makes every other number better.
    me_bpm, sd_bpm : float
        Mean and standard deviation of the signed error, estimate minus truth.
    mae_bpm, rmse_bpm : float
        Mean absolute error and root mean square error.
    mer_percent : float
        Mean absolute error as a share of the true rate.
    r : float
        Pearson's correlation; NaN where either side does not vary.
    """

    n: int
    n_missing: int
    me_bpm: float
    sd_bpm: float
    mae_bpm: float
    rmse_bpm: float
    mer_percent: float
    r: float


def heart_rate_metrics(estimated_bpm: npt.ArrayLike, true_bpm: npt.ArrayLike, *, ddof: int = 0) -> HeartRateMetrics:
    """Compare estimated with true heart rates.

    Parameters
    ----------
    estimated_bpm, true_bpm : (n,) array
        A pair per recording (or per window); NaN where unknown.
    ddof : int
        The deviation divides by ``n - ddof``. With 0 the identity ``rmse^2 = me^2 + sd^2`` holds exactly; papers also use 1.

    Returns
    -------
    HeartRateMetrics

    Raises
    ------
    ValueError
        Where the two are not vectors of one length.

    Examples
    --------
    >>> result = heart_rate_metrics([70.0, 82.0, float("nan")], [72.0, 80.0, 90.0])
    >>> result.n, result.n_missing, result.me_bpm, result.mae_bpm, result.r
    (2, 1, 0.0, 2.0, 1.0)
    """
    estimated, true = np.asarray(estimated_bpm, dtype=np.float64), np.asarray(true_bpm, dtype=np.float64)
    if estimated.ndim != 1 or estimated.shape != true.shape:
        raise ValueError(f"estimates and truth must be two vectors of one length, not {estimated.shape} and {true.shape}")
    known = np.isfinite(estimated) & np.isfinite(true)
    estimated, true = estimated[known], true[known]
    count, missing = int(known.sum()), int((~known).sum())
    if not count:
        return HeartRateMetrics(0, missing, *[float("nan")] * 6)
    error = estimated - true
    return HeartRateMetrics(
        n=count,
        n_missing=missing,
        me_bpm=float(error.mean()),
        sd_bpm=float(error.std(ddof=ddof)) if count > ddof else float("nan"),
        mae_bpm=float(np.abs(error).mean()),
        rmse_bpm=float(np.sqrt(np.mean(error**2))),
        mer_percent=float(100 * np.mean(np.abs(error) / true)) if (true > 0).all() else float("nan"),
        r=_pearson(estimated, true),
    )


def _pearson(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    # rounding of a constant list is not variation
    if scale <= 1e-12 * max(1.0, float(np.abs(first).max() * np.abs(second).max())):
        return float("nan")
    return round(float(a @ b) / scale, 12)
