"""Random processes by their spectrum: what motion, light and compression are made of in simulated traces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def shaped_noise(random: np.random.Generator, count: int, samples: int, gain: FloatArray) -> FloatArray:
    """Draw Gaussian processes of standard deviation 1 whose amplitude spectrum has a given shape.

    Parameters
    ----------
    random : numpy.random.Generator
    count : int
        Number of independent processes.
    samples : int
    gain : (samples // 2 + 1,) array
        Amplitude over the rates of :func:`rates_hz`; what stands at rate 0 is not used, so the mean is 0.

    Returns
    -------
    (count, samples) array

    Examples
    --------
    >>> one = shaped_noise(np.random.default_rng(0), 2, 300, low_pass(rates_hz(300, 30.0), 0.2, 2))
    >>> one.shape, float(one.std(axis=1).round(6).max())
    ((2, 300), 1.0)
    """
    spectrum = random.normal(size=(count, len(gain))) + 1j * random.normal(size=(count, len(gain)))
    spectrum *= gain
    spectrum[:, 0] = 0
    values = np.fft.irfft(spectrum, samples, axis=1)
    return np.asarray(values / values.std(axis=1, keepdims=True))


def rates_hz(samples: int, rate_hz: float) -> FloatArray:
    """Give the rates of a spectrum of ``samples`` samples."""
    return np.asarray(np.fft.rfftfreq(samples, 1 / rate_hz))


def low_pass(rates: FloatArray, corner_hz: float, steepness: float) -> FloatArray:
    """Give the amplitude ``(1 + (f / corner)^2)^(-steepness / 2)``: flat below the corner, falling as ``f^-steepness`` above."""
    return np.asarray((1 + (rates / corner_hz) ** 2) ** (-steepness / 2))


def band(rates: FloatArray, center_hz: float, width_hz: float) -> FloatArray:
    """Give an amplitude that is largest at a rate and falls off as a Gaussian of that standard deviation."""
    return np.asarray(np.exp(-0.5 * ((rates - center_hz) / width_hz) ** 2))


def bursts(random: np.random.Generator, samples: int, rate_hz: float, share: float, length_s: float) -> FloatArray:
    """Draw an envelope from 0 to 1 that is on for about a share of the time, in stretches of about that length."""
    slow = shaped_noise(random, 1, samples, low_pass(rates_hz(samples, rate_hz), 0.5 / length_s, 3))[0]
    level = np.quantile(slow, 1 - share)
    return np.asarray(np.clip((slow - level) * 3 + 0.5, 0, 1))
