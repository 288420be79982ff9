"""Bands of true heart rate: the mean error hides that the rare low and high rates are where an estimate fails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Where one band ends and the next begins; the middle one holds about half of a resting population.
BAND_EDGES_BPM = (60.0, 70.0, 85.0, 100.0)
BANDS = ("<60", "60-70", "70-85", "85-100", ">=100")


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
