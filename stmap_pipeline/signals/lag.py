"""How much later one pulse is than another: by the cross-correlation of the two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.signals.classical import known_runs
from stmap_pipeline.signals.resample import resample_uniform, uniform_times

FloatArray = npt.NDArray[np.float64]

RATE_HZ = 30.0
BAND_HZ = (0.7, 4.0)
MAX_LAG_S = 2.0
MIN_OVERLAP_S = 8.0
# below, two pulses are not recognizably the same; and where another beat fits nearly as well, the lag may be wrong by a beat
MIN_CORRELATION = 0.4
MIN_LEAD = 0.05


class Lag(NamedTuple):
    """How much later a pulse is than another.

    Parameters
    ----------
    lag_s : float
        NaN where the two overlap by less than 8 s.
    correlation : float
        Of the two at this lag.
    clear : bool
        Whether the correlation is at least 0.4, and no lag by other beats comes within 0.05 of it.
    """

    lag_s: float
    correlation: float
    clear: bool


def pulse_lag(times_s: npt.ArrayLike, pulse: npt.ArrayLike, other_times_s: npt.ArrayLike, other: npt.ArrayLike) -> Lag:
    """Estimate how much later the second pulse is than the first, up to two seconds either way.

    Parameters
    ----------
    times_s, pulse : (T,) array_like
        NaN where unknown.
    other_times_s, other : (L,) array_like
        The same way up as ``pulse``.

    Returns
    -------
    Lag

    Examples
    --------
    >>> times_s = np.arange(0, 30, 0.02)
    >>> beat = np.sin(2 * np.pi * (1.1 * times_s + 0.6 * np.sin(0.3 * times_s)))
    >>> found = pulse_lag(times_s, beat, times_s + 0.25, beat)
    >>> round(found.lag_s, 2), found.clear
    (0.25, True)
    """
    unknown = Lag(float("nan"), float("nan"), False)
    first_s, second_s = np.asarray(times_s, dtype=np.float64), np.asarray(other_times_s, dtype=np.float64)
    if first_s.size < 2 or second_s.size < 2:
        return unknown
    grid_s = uniform_times(first_s, RATE_HZ)
    ours = _filtered(first_s, np.asarray(pulse, dtype=np.float64), grid_s)
    reach = round(MAX_LAG_S * RATE_HZ)
    wide_s = grid_s[0] + (np.arange(grid_s.size + 2 * reach) - reach) / RATE_HZ
    theirs = _filtered(second_s, np.asarray(other, dtype=np.float64), wide_s)
    correlation = np.full(2 * reach + 1, np.nan)
    for step in range(2 * reach + 1):
        part = theirs[step : step + grid_s.size]
        both = np.isfinite(ours) & np.isfinite(part)
        if both.sum() >= MIN_OVERLAP_S * RATE_HZ:
            scale = np.sqrt((ours[both] ** 2).sum() * (part[both] ** 2).sum())
            correlation[step] = (ours[both] * part[both]).sum() / scale if scale > 0 else np.nan
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:])) + 1
    if not peaks.size:
        return unknown
    order = peaks[np.argsort(correlation[peaks])[::-1]]
    best = int(order[0])
    left, center, right = correlation[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * center + right)
    lead = center - correlation[order[1]] if order.size > 1 else 1.0
    return Lag(float((best + shift - reach) / RATE_HZ), float(center), bool(center >= MIN_CORRELATION and lead >= MIN_LEAD))


def _filtered(times_s: FloatArray, values: FloatArray, grid_s: FloatArray) -> FloatArray:
    """Return a pulse without what is slower or faster than beats, on a grid; NaN where it is unknown."""
    own_s, uniform = resample_uniform(times_s, values, 4 * RATE_HZ)
    sections = scipy.signal.butter(2, BAND_HZ, "bandpass", fs=4 * RATE_HZ, output="sos")
    found = np.full(uniform.size, np.nan)
    for run in known_runs(np.isfinite(uniform)):
        part = uniform[run] - uniform[run].mean()
        if part.size > 4 * RATE_HZ:
            found[run] = scipy.signal.sosfiltfilt(sections, part)
    return np.asarray(np.interp(grid_s, own_s, found, left=np.nan, right=np.nan))
