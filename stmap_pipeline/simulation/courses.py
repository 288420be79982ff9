"""Time courses of random processes with a given spectrum, many at once, in single precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len
from scipy.sparse import csr_matrix

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
Rates = TypeVar("Rates", Float32, FloatArray)

GRID_HZ = 30.0
"""Rate of the grid on which processes are drawn; nothing of them is above a third of it."""


@dataclass(frozen=True, slots=True, eq=False)
class CourseGrid:
    """Uniform grid over the time of B windows, and the weights that read it at the times of M frames.

    Parameters
    ----------
    samples : int
        Length, for which the Fourier transform is fast.
    rates_hz : (samples // 2 + 1,) array of float32
    weights : (M, B * samples) sparse array of float32
        Cubic interpolation (Catmull and Rom, 1974).
    """

    samples: int
    rates_hz: Float32
    weights: csr_matrix

    @classmethod
    def over(cls, times_s: FloatArray, owner: npt.NDArray[np.intp], windows: int) -> CourseGrid:
        """Lay the grid over the (M,) times of frames of the windows ``owner``."""
        origin_s = float(times_s.min())
        # a process that is drawn by its spectrum ends as it begins: a window is to hold a part of it
        samples = int(next_fast_len(int(np.ceil(1.4 * (float(times_s.max()) - origin_s) * GRID_HZ)) + 4, real=True))
        place = (times_s - origin_s) * GRID_HZ + 1
        left = np.floor(place).astype(np.intp)
        t = (place - left).astype(np.float32)
        weights = np.stack(
            [t * (-0.5 + t - 0.5 * t**2), 1 + t**2 * (1.5 * t - 2.5), t * (0.5 + 2 * t - 1.5 * t**2), 0.5 * t**2 * (t - 1)], axis=1
        )
        index = left[:, None] + (np.arange(-1, 3) + (owner * samples)[:, None])
        matrix = csr_matrix(
            (weights.ravel(), index.ravel(), np.arange(0, weights.size + 1, 4)), shape=(len(times_s), windows * samples)
        )
        return cls(samples, np.fft.rfftfreq(samples, 1 / GRID_HZ).astype(np.float32), matrix)

    def read(self, courses: Float32) -> Float32:
        """Compute the (M, C) values of courses (B, C, samples) in the frames."""
        return np.asarray(self.weights @ np.ascontiguousarray(courses.transpose(0, 2, 1)).reshape(-1, courses.shape[1]))

    def draw(self, random: np.random.Generator, gain: Float32, courses: int) -> Float32:
        """Draw courses (B, C, samples) for gains (B, samples // 2 + 1) at :attr:`rates_hz`; see :func:`noise_courses`."""
        return noise_courses(random, gain, courses, self.samples)


def noise_courses(random: np.random.Generator, gain: Float32, courses: int, samples: int) -> Float32:
    """Draw Gaussian processes of mean 0 and expected standard deviation 1 whose amplitude spectrum has a given shape up to a third of the rate of the grid.

    Parameters
    ----------
    random : numpy.random.Generator
    gain : (samples // 2 + 1,) or (B, samples // 2 + 1) array of float32
        Amplitude at the rates of the grid; that of rate 0 is not used. One shape for all windows, or one for each.
    courses : int
        Number of processes of each window.
    samples : int

    Returns
    -------
    (B, courses, samples) array of float32
        B is 1 where ``gain`` has one dimension.
    """
    gains = np.atleast_2d(gain)
    gains = gains[:, : max(2, gains.shape[1] * 2 // 3)]
    spectrum = random.standard_normal((len(gains), courses, 2 * gains.shape[1]), dtype=np.float32)
    power = np.sqrt(np.square(gains[:, 1:]).sum(axis=1, keepdims=True))
    scaled = gains / np.maximum(power, 1e-12) * (samples / 2)
    scaled[:, 0] = 0
    # real and imaginary parts alike: half the arithmetic of a product of complex numbers
    spectrum *= np.repeat(scaled, 2, axis=1)[:, None, :]
    pairs: npt.NDArray[np.complex64] = spectrum.view(np.complex64)
    values: Float32 = irfft(pairs, samples, axis=2)
    return values


def low_pass(rates_hz: Rates, corner_hz: npt.ArrayLike, steepness: npt.ArrayLike) -> Rates:
    """Compute the amplitude ``(1 + (f / corner)^2)^(-steepness / 2)``: flat below the corner, ``f^-steepness`` above.

    One or (B,) corners and slopes, in the precision of the rates.
    """
    corner, slope = np.asarray(corner_hz, rates_hz.dtype)[..., None], np.asarray(steepness, rates_hz.dtype)[..., None]
    return np.asarray((1 + (rates_hz / corner) ** 2) ** (-slope / 2), dtype=rates_hz.dtype)


def band(rates_hz: Rates, center_hz: npt.ArrayLike, width_hz: npt.ArrayLike) -> Rates:
    """Compute a Gaussian amplitude around one or (B,) rates, with a standard deviation of ``width_hz``."""
    center, width = np.asarray(center_hz, rates_hz.dtype)[..., None], np.asarray(width_hz, rates_hz.dtype)[..., None]
    return np.asarray(np.exp(-0.5 * ((rates_hz - center) / width) ** 2), dtype=rates_hz.dtype)
