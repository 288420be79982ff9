"""Amplitude and phase of one rhythm in the windows of a video."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.heart_rate import RATE_HZ, on_uniform_grid
from stmap_pipeline.evaluation.heart_rate_path import SUPPORT_S
from stmap_pipeline.signals.spectrum import detrend

FloatArray = npt.NDArray[np.float64]


def uniform_changes(times_s: FloatArray, changes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (U,) times of a uniform grid of 30 Hz, and on it (C, U) changes without their trend, from (T, C) ones."""
    grid_s, uniform = on_uniform_grid(times_s, changes)
    return grid_s, detrend(uniform.T, RATE_HZ) if len(grid_s) else uniform.T


def phasors(grid_s: FloatArray, changes: FloatArray, spans_s: FloatArray, heart_rate_bpm: FloatArray) -> npt.NDArray[np.complex128]:
    """Compute amplitude and phase of changes at the rate of each window.

    Parameters
    ----------
    grid_s : (U,) array
    changes : (C, U) array
        As :func:`uniform_changes` returns them.
    spans_s : (W, 2) array
    heart_rate_bpm : (W,) array

    Returns
    -------
    (W, C) array of complex128
        On the clock of the grid, so that those of two grids can be compared; 0 where nothing is known.

    Examples
    --------
    >>> grid_s = np.arange(300) / 30
    >>> wave = np.sin(2 * np.pi * 1.2 * grid_s)
    >>> found = phasors(grid_s, np.stack([wave, -2 * wave]), np.array([[0.0, 10.0]]), np.array([72.0]))
    >>> (found[0, 1] / found[0, 0]).round(6)
    np.complex128(-2+0j)
    """
    found = np.zeros((len(spans_s), len(changes)), dtype=np.complex128)
    for index, ((start_s, stop_s), rate_bpm) in enumerate(zip(spans_s.tolist(), heart_rate_bpm.tolist(), strict=True)):
        first, last = np.searchsorted(grid_s, [start_s - 1e-6, stop_s - 1e-6])
        part = changes[:, first:last]
        known = np.isfinite(part).all(axis=0)
        if known.any() and np.isfinite(rate_bpm):
            taper = np.hanning(part.shape[1] + 2)[1:-1] * known
            found[index] = np.where(known, part, 0.0) @ (taper * np.exp(-2j * np.pi * rate_bpm / 60 * grid_s[first:last]))
    return found


def together(values: FloatArray, spans_s: FloatArray) -> FloatArray:
    """Return weighted sums of (W, ...) values over each window and those up to 30 s away, the nearer the more.

    Examples
    --------
    >>> together(np.array([1.0, 1.0, 1.0]), np.array([[0.0, 10.0], [15.0, 25.0], [60.0, 70.0]])).tolist()
    [1.5, 1.5, 1.0]
    """
    centers_s = spans_s.mean(axis=1)
    sums = np.empty_like(values)
    for index, center_s in enumerate(centers_s):
        near = slice(*np.searchsorted(centers_s, [center_s - SUPPORT_S, center_s + SUPPORT_S]))
        sums[index] = (1 - np.abs(centers_s[near] - center_s) / SUPPORT_S) @ values[near]
    return sums
