"""Distributions over an evenly spaced grid of heart rates: how much of them lies near a rate, and their best rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: A heart rate is right where it is so near to the truth.
CLOSE_BPM = 5.0


def share_near(rates_bpm: FloatArray, center_bpm: npt.ArrayLike) -> FloatArray:
    """Return which share of each step of a grid lies within 5 bpm of some rates.

    The probability of a grid point is spread over the step around it, so that what is near a rate changes evenly as the rate moves.

    Parameters
    ----------
    rates_bpm : (R,) array
        Increasing, evenly spaced.
    center_bpm : (...) array_like

    Returns
    -------
    (..., R) array

    Examples
    --------
    >>> share_near(np.arange(64.0, 77.0), 70.0).tolist()
    [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0]
    """
    step_bpm = float(rates_bpm[1] - rates_bpm[0])
    apart_bpm = np.abs(rates_bpm - np.asarray(center_bpm, dtype=np.float64)[..., None])
    return np.asarray(np.clip((CLOSE_BPM - apart_bpm) / step_bpm + 0.5, 0.0, 1.0))


def best_rates(rates_bpm: FloatArray, probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the best rate of distributions, and the probability within 5 bpm of it.

    Parameters
    ----------
    rates_bpm : (R,) array
        Increasing, evenly spaced.
    probability : (..., R) array

    Returns
    -------
    heart_rate_bpm, probability : (...) array

    Examples
    --------
    >>> rates_bpm = np.arange(60.0, 81.0)
    >>> best_bpm, chance = best_rates(rates_bpm, np.where(rates_bpm == 70, 0.8, 0.01))
    >>> round(float(best_bpm), 1), round(float(chance), 2)
    (70.0, 0.89)
    """
    around = probability @ share_near(rates_bpm, rates_bpm)
    # of intervals that hold as much the one whose middle is most probable
    center_bpm = rates_bpm[(around + 1e-6 * probability).argmax(axis=-1)]
    inside = probability * share_near(rates_bpm, center_bpm)
    total = inside.sum(axis=-1)
    best_bpm = np.where(total > 0, (inside * rates_bpm).sum(axis=-1) / np.where(total > 0, total, 1.0), center_bpm)
    return best_bpm, (probability * share_near(rates_bpm, best_bpm)).sum(axis=-1)
