"""Pulse of a synthetic person: heart rate over time, its phase in beats, and the blood volume wave.

Drawn videos need the truth at any moment in any order: :class:`Pulse` is a closed formula, a sum of sines. Simulated traces cover whole
recordings: :class:`SampledPulse` is a random process on a grid of 60 Hz. Both have the wave of :func:`pulse_wave`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import HeartRateTrace, PulseTrace

FloatArray = npt.NDArray[np.float64]
Times = TypeVar("Times", float, FloatArray)

PULSE_RGB = np.array([0.33, 0.77, 0.53]) / 0.77
"""(3,) relative amplitude of the pulse in red, green and blue, green as 1. A common model of skin under white light; lamps, cameras
and skins differ."""

# amplitude relative to the fundamental, and phase in radians
_DRAWN_HARMONICS = ((1.0, 0.0), (0.35, 0.6))
_GRID_HZ = 60.0
_OXIMETER_S = 4.0  # a pulse oximeter displays the mean over its last beats
_RECOVERY_S = 45.0


def pulse_wave(beats: Times, harmonics: Sequence[tuple[float, float]]) -> Times:
    """Compute the blood volume wave at a phase in beats: mean 0, fundamental of amplitude 1.

    Parameters
    ----------
    beats : float or array of float64
    harmonics : sequence of (float, float)
        Amplitude and phase in radians, from the fundamental on.

    Examples
    --------
    >>> pulse_wave(np.array([0.0, 0.25, 0.75]), [(1.0, 0.0)]).round(6).tolist()
    [0.0, 1.0, -1.0]
    """
    angle = 2 * np.pi * beats
    total: Any = sum(amplitude * np.sin(order * angle + phase) for order, (amplitude, phase) in enumerate(harmonics, 1))
    return total  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Sines:
    """Slow random process with a value and an integral at any time: ``sum(a * sin(2 pi f t + p))``.

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
    >>> float(sway.at(1.0)), round(float(sway.integral(2.0)), 4)
    (2.0, 2.5465)
    """

    amplitudes: tuple[float, ...] = ()
    rates_hz: tuple[float, ...] = ()
    phases_rad: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.amplitudes) == len(self.rates_hz) == len(self.phases_rad):
            raise ValueError("a sum of sines needs one amplitude, one rate and one phase for each sine")
        if any(rate <= 0 for rate in self.rates_hz):
            raise ValueError(f"rates must be positive, not {min(self.rates_hz)}")

    def at(self, time_s: Times) -> Times:
        """Compute the value at one time or an array of times."""
        terms = zip(self.amplitudes, self.rates_hz, self.phases_rad, strict=True)
        total: Any = sum(a * np.sin(2 * math.pi * f * time_s + p) for a, f, p in terms)
        return total  # type: ignore[no-any-return]

    def integral(self, time_s: Times) -> Times:
        """Compute the integral from 0 to a time, in the unit of the value times seconds."""
        terms = zip(self.amplitudes, self.rates_hz, self.phases_rad, strict=True)
        total: Any = sum(a / (2 * math.pi * f) * (math.cos(p) - np.cos(2 * math.pi * f * time_s + p)) for a, f, p in terms)
        return total  # type: ignore[no-any-return]


def random_sines(random: np.random.Generator, amplitude: float, low_hz: float, high_hz: float, count: int = 3) -> Sines:
    """Draw a sum of sines that stays within ``[-amplitude, amplitude]``, with rates spread over a band.

    Examples
    --------
    >>> drift = random_sines(np.random.default_rng(1), 0.1, 0.02, 0.1)
    >>> all(abs(drift.at(t)) <= 0.1 for t in range(100))
    True
    """
    # one rate in each part of the band: sines close to each other would beat, and the amplitude would come and go
    edges = np.geomspace(low_hz, high_hz, count + 1)
    rates = random.uniform(edges[:-1], edges[1:])
    weights = random.uniform(0.5, 1.0, count)
    phases = random.uniform(0.0, 2 * math.pi, count)
    amplitudes = amplitude * weights / weights.sum()
    return Sines(tuple(amplitudes.tolist()), tuple(rates.tolist()), tuple(phases.tolist()))


@dataclass(frozen=True, slots=True)
class Pulse:
    """Pulse of a drawn person as a formula of time.

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
    >>> steady.beats(10.0), steady.mean_between(0.0, 10.0)
    (15.0, 90.0)
    """

    mean_bpm: float
    strength: float = 0.006
    drift_bpm: Sines = field(default_factory=Sines)
    breathing_bpm: Sines = field(default_factory=Sines)

    def heart_rate_bpm(self, time_s: Times) -> Times:
        """Compute the instantaneous heart rate, in beats per minute."""
        return self.mean_bpm + self.drift_bpm.at(time_s) + self.breathing_bpm.at(time_s)

    def beats(self, time_s: Times) -> Times:
        """Compute the number of beats since time 0, with its fraction."""
        return (self.mean_bpm * time_s + self.drift_bpm.integral(time_s) + self.breathing_bpm.integral(time_s)) / 60

    def mean_between(self, start_s: Times, stop_s: Times) -> Times:
        """Compute the mean heart rate of an interval: its beats divided by its length, in beats per minute."""
        return 60 * (self.beats(stop_s) - self.beats(start_s)) / (stop_s - start_s)

    def wave(self, time_s: Times) -> Times:
        """Compute the blood volume wave: a fundamental of amplitude 1 and a second harmonic, mean 0."""
        return pulse_wave(self.beats(time_s), _DRAWN_HARMONICS)

    def green_change(self, time_s: float) -> float:
        """Compute the relative change of green: more blood absorbs more light."""
        return float(-self.strength * self.wave(time_s))


def random_pulse(random: np.random.Generator, mean_bpm: float, strength: float) -> Pulse:
    """Draw a pulse of a mean rate: a slow drift within 2 bpm, and 1 to 2.5 bpm with the breath.

    Examples
    --------
    >>> pulse = random_pulse(np.random.default_rng(5), 72.0, 0.006)
    >>> bool(abs(pulse.mean_between(0.0, 60.0) - 72.0) < 4.5)
    True
    """
    drift = random_sines(random, float(random.uniform(1.0, 2.0)), 0.02, 0.06, 2)
    breath = Sines((float(random.uniform(1.0, 2.5)),), (float(random.uniform(0.2, 0.3)),), (float(random.uniform(0, 2 * math.pi)),))
    return Pulse(mean_bpm, strength, drift, breath)


@dataclass(frozen=True, slots=True, eq=False)
class SampledPulse:
    """Pulse of a simulated recording on a grid of 60 Hz that reaches beyond both of its ends.

    Parameters
    ----------
    times_s : (G,) array of float64
    heart_rate_bpm : (G,) array of float64
    beats : (G,) array of float64
        Phase: beats since the first frame, with their fraction.
    breath : (G,) array of float64
        From -1 to 1.
    harmonics : tuple of (float, float)
        As for :func:`pulse_wave`.
    """

    times_s: FloatArray
    heart_rate_bpm: FloatArray
    beats: FloatArray
    breath: FloatArray
    harmonics: tuple[tuple[float, float], ...]

    def oximeter_rate(self, duration_s: float) -> HeartRateTrace:
        """Compute what a pulse oximeter displays: whole beats per minute once a second, each the mean of the last four seconds."""
        seconds = np.arange(np.ceil(duration_s), dtype=np.float64)
        total = np.concatenate(([0.0], np.cumsum(self.heart_rate_bpm))) / _GRID_HZ
        # each grid value holds until the next grid time; the sum up to a time is interpolated
        grid_s = np.append(self.times_s, self.times_s[-1] + 1 / _GRID_HZ)
        stop_s = seconds + 1.0
        mean = (np.interp(stop_s, grid_s, total) - np.interp(stop_s - _OXIMETER_S, grid_s, total)) / _OXIMETER_S
        return HeartRateTrace(seconds, np.rint(mean))

    def finger_wave(self, duration_s: float, random: np.random.Generator) -> PulseTrace:
        """Compute the wave of a finger sensor at 60 Hz in whole numbers, 0.1 to 0.25 s later than the face."""
        inside = (self.times_s >= -1e-9) & (self.times_s < duration_s)
        late_s = random.uniform(0.1, 0.25)
        beats = np.interp(self.times_s[inside] - late_s, self.times_s, self.beats)
        return PulseTrace(self.times_s[inside], np.rint(60 + 25 * pulse_wave(beats, self.harmonics)))


def simulate_pulse(random: np.random.Generator, mean_bpm: float, duration_s: float, *, after_exercise: bool) -> SampledPulse:
    """Draw the pulse of one simulated recording.

    Parameters
    ----------
    random : numpy.random.Generator
    mean_bpm : float
        Mean over the recording, exactly.
    duration_s : float
    after_exercise : bool
        The rate falls as it recovers, breath is deep and fast, and moves the rate less.

    Examples
    --------
    >>> pulse = simulate_pulse(np.random.default_rng(1), 72.0, 30.0, after_exercise=False)
    >>> inside = (pulse.times_s >= 0) & (pulse.times_s < 30)
    >>> round(float(pulse.heart_rate_bpm[inside].mean()), 3), len(pulse.oximeter_rate(30.0).times_s)
    (72.0, 30)
    """
    before = int((_OXIMETER_S + 1) * _GRID_HZ)
    count = before + int(np.ceil((duration_s + 2) * _GRID_HZ))
    times_s = (np.arange(count) - before) / _GRID_HZ
    breath_hz = random.uniform(0.35, 0.55) if after_exercise else random.uniform(0.2, 0.33)
    wander = np.cumsum(random.normal(0, 0.02, count)) / np.sqrt(_GRID_HZ)
    breath = np.sin(2 * np.pi * (breath_hz * times_s + wander) + random.uniform(0, 2 * np.pi))
    sinus_bpm = random.uniform(0.3, 1.0) if after_exercise else random.uniform(0.8, 3.0)
    slow_hz = random.uniform(0.06, 0.12)
    slow = np.sin(2 * np.pi * slow_hz * times_s + random.uniform(0, 2 * np.pi))
    drift = np.cumsum(random.normal(0, 1, count)) / _GRID_HZ**0.5 * random.uniform(0.2, 0.5)
    rate_bpm = sinus_bpm * breath + random.uniform(0.5, 2.0) * slow + drift
    if after_exercise:
        rate_bpm += random.uniform(5, 18) * np.exp(-np.maximum(times_s, -_OXIMETER_S) / _RECOVERY_S)
    inside = (times_s >= -1e-9) & (times_s < duration_s)
    rate_bpm += mean_bpm - rate_bpm[inside].mean()
    rate_bpm = np.clip(rate_bpm, 38.0, 178.0)
    beats = np.concatenate(([0.0], np.cumsum(rate_bpm[:-1]))) / (60 * _GRID_HZ)
    harmonics = (
        (1.0, 0.0),
        (float(random.uniform(0.2, 0.45)), float(random.uniform(0.3, 1.1))),
        (float(random.uniform(0.03, 0.15)), float(random.uniform(0, 2 * np.pi))),
    )
    return SampledPulse(times_s, rate_bpm, beats - beats[before], breath, harmonics)
