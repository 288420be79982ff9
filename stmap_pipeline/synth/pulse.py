"""The pulse of a drawn person: a heart rate that varies, the beats it makes, and the wave that skin shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from stmap_pipeline.synth.sines import Sines, random_sines

_SECOND_HARMONIC = 0.35
_SECOND_PHASE_RAD = 0.6


@dataclass(frozen=True, slots=True)
class Pulse:
    """A heart rate over time and its wave.

    Parameters
    ----------
    mean_bpm : float
        Rate about which everything varies.
    strength : float
        Amplitude of the wave's fundamental, relative to the level of green; 0.005 is 0.5 %.
    drift_bpm, breathing_bpm : Sines
        Slow drift and respiratory variability of the rate.

    Examples
    --------
    >>> steady = Pulse(90.0)
    >>> steady.beats(10.0), steady.mean_over(0.0, 10.0)
    (15.0, 90.0)
    """

    mean_bpm: float
    strength: float = 0.006
    drift_bpm: Sines = field(default_factory=Sines)
    breathing_bpm: Sines = field(default_factory=Sines)

    def heart_rate_bpm(self, time_s: float) -> float:
        """Give the heart rate at a time."""
        return self.mean_bpm + self.drift_bpm.at(time_s) + self.breathing_bpm.at(time_s)

    def beats(self, time_s: float) -> float:
        """Give the number of beats since time 0, as a fraction."""
        return (self.mean_bpm * time_s + self.drift_bpm.integral(time_s) + self.breathing_bpm.integral(time_s)) / 60

    def mean_over(self, start_s: float, stop_s: float) -> float:
        """Give the mean heart rate of an interval: its beats divided by its length, in beats per minute."""
        return 60 * (self.beats(stop_s) - self.beats(start_s)) / (stop_s - start_s)

    def wave(self, time_s: float) -> float:
        """Give the blood volume wave: a fundamental of amplitude 1 and a second harmonic, mean 0."""
        angle = 2 * math.pi * self.beats(time_s)
        return math.sin(angle) + _SECOND_HARMONIC * math.sin(2 * angle + _SECOND_PHASE_RAD)

    def green_change(self, time_s: float) -> float:
        """Give the relative change of green: more blood, less light."""
        return -self.strength * self.wave(time_s)


def random_pulse(rng: np.random.Generator, mean_bpm: float, strength: float) -> Pulse:
    """Draw a pulse of a mean rate: a slow drift within 2 bpm, and 1 to 2.5 bpm with the breath.

    Examples
    --------
    >>> pulse = random_pulse(np.random.default_rng(5), 72.0, 0.006)
    >>> abs(pulse.mean_over(0.0, 60.0) - 72.0) < 4.5
    True
    """
    drift = random_sines(rng, float(rng.uniform(1.0, 2.0)), 0.02, 0.06, 2)
    breath = Sines((float(rng.uniform(1.0, 2.5)),), (float(rng.uniform(0.2, 0.3)),), (float(rng.uniform(0, 2 * math.pi)),))
    return Pulse(mean_bpm, strength, drift, breath)
