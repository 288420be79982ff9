"""Time courses of random processes, many at once: the same spectra as in :mod:`.trace_model`, in single precision."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

GRID_HZ = 30.0
"""Rate of the grid on which processes are drawn; all of them end well below half of it."""


def grid_samples(duration_s: float) -> int:
    """Return a length of the grid that holds a duration, for which the Fourier transform is fast."""
    return int(next_fast_len(int(np.ceil(duration_s * GRID_HZ)) + 4, real=True))


def grid_rates_hz(samples: int) -> Float32:
    """Return the rates of :func:`noise_courses`, (samples // 2 + 1,)."""
    return np.fft.rfftfreq(samples, 1 / GRID_HZ).astype(np.float32)


def noise_courses(random: np.random.Generator, gain: Float32, courses: int, samples: int) -> Float32:
    """Draw Gaussian processes of mean 0 and expected standard deviation 1 whose amplitude spectrum has a given shape.

    Parameters
    ----------
    random : numpy.random.Generator
    gain : (samples // 2 + 1,) or (B, samples // 2 + 1) array of float32
        Amplitude at :func:`grid_rates_hz`; that of rate 0 is not used. One shape for all windows, or one for each.
    courses : int
        Number of processes of each window.
    samples : int

    Returns
    -------
    (B, courses, samples) array of float32
        B is 1 where ``gain`` has one dimension.
    """
    gains = np.atleast_2d(gain)
    spectrum = random.standard_normal((len(gains), courses, 2 * gains.shape[1]), dtype=np.float32).view(np.complex64)
    power = np.sqrt(np.square(gains[:, 1:]).sum(axis=1, keepdims=True))
    scaled = gains / np.maximum(power, 1e-12) * (samples / 2)
    scaled[:, 0] = 0
    spectrum *= scaled[:, None, :]
    values: Float32 = irfft(spectrum, samples, axis=2)
    return values


def low_pass(rates_hz: Float32, corner_hz: npt.ArrayLike, steepness: npt.ArrayLike) -> Float32:
    """Compute ``(1 + (f / corner)^2)^(-steepness / 2)`` for one or (B,) corners and slopes."""
    corner, slope = np.asarray(corner_hz, np.float32)[..., None], np.asarray(steepness, np.float32)[..., None]
    return np.asarray((1 + (rates_hz / corner) ** 2) ** (-slope / 2), dtype=np.float32)


def band(rates_hz: Float32, center_hz: npt.ArrayLike, width_hz: npt.ArrayLike) -> Float32:
    """Compute a Gaussian amplitude around one or (B,) rates, with a standard deviation of ``width_hz``."""
    center, width = np.asarray(center_hz, np.float32)[..., None], np.asarray(width_hz, np.float32)[..., None]
    return np.asarray(np.exp(-0.5 * ((rates_hz - center) / width) ** 2), dtype=np.float32)
