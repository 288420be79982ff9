"""A slow random process that has a value and an integral at any time: a sum of sines.

Motion, illumination and heart rate are made of it, so a scene can be asked for any moment, in any order, and the truth
about it is a formula and not a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Sines:
    """Sum of sines ``sum(a * sin(2 pi f t + p))``.

    Parameters
    ----------
    amplitudes : tuple of float
        In the unit of the quantity that is described.
    rates_hz : tuple of float
        Positive.
    phases_rad : tuple of float

    Examples
    --------
    >>> sway = Sines((2.0,), (0.25,), (0.0,))
    >>> sway.at(1.0)
    2.0
    >>> round(sway.integral(2.0), 4)
    2.5465
    """

    amplitudes: tuple[float, ...] = ()
    rates_hz: tuple[float, ...] = ()
    phases_rad: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.amplitudes) == len(self.rates_hz) == len(self.phases_rad):
            raise ValueError("a sum of sines needs one amplitude, one rate and one phase for each sine")
        if any(rate <= 0 for rate in self.rates_hz):
            raise ValueError(f"rates must be positive, not {min(self.rates_hz)}")

    def at(self, time_s: float) -> float:
        """Give the value at a time."""
        return sum(a * math.sin(2 * math.pi * f * time_s + p) for a, f, p in self._terms())

    def integral(self, time_s: float) -> float:
        """Give the integral from 0 to a time, in the unit of the value times seconds."""
        return sum(a / (2 * math.pi * f) * (math.cos(p) - math.cos(2 * math.pi * f * time_s + p)) for a, f, p in self._terms())

    def _terms(self) -> zip[tuple[float, float, float]]:
        return zip(self.amplitudes, self.rates_hz, self.phases_rad, strict=True)


def random_sines(rng: np.random.Generator, amplitude: float, low_hz: float, high_hz: float, count: int = 3) -> Sines:
    """Draw sines whose rates divide a band among them and whose amplitudes share ``amplitude``.

    Parameters
    ----------
    rng : numpy.random.Generator
    amplitude : float
        Bound of the sum: it never leaves ``[-amplitude, amplitude]``.
    low_hz, high_hz : float
        Band of the rates.
    count : int
        Number of sines.

    Examples
    --------
    >>> drift = random_sines(np.random.default_rng(1), 0.1, 0.02, 0.1)
    >>> all(abs(drift.at(t)) <= 0.1 for t in range(100))
    True
    """
    # one rate in each share of the band: sines that fell together would beat, and the amplitude would come and go
    edges = np.geomspace(low_hz, high_hz, count + 1)
    rates = rng.uniform(edges[:-1], edges[1:])
    weights = rng.uniform(0.5, 1.0, count)
    phases = rng.uniform(0.0, 2 * math.pi, count)
    amplitudes = amplitude * weights / weights.sum()
    return Sines(tuple(amplitudes.tolist()), tuple(rates.tolist()), tuple(phases.tolist()))
