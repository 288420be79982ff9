"""Distributions over an evenly spaced grid of heart rates: how much of them lies near a rate."""

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
