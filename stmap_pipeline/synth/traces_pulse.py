"""The heart of a simulated person: a rate that varies, the phase it adds up to, and the label of the device beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import HeartRateTrace, PulseTrace

FloatArray = npt.NDArray[np.float64]

GRID_HZ = 60.0
# a pulse oximeter shows the mean of its last beats
_DEVICE_S = 4.0
_RECOVERY_S = 45.0


@dataclass(frozen=True, slots=True, eq=False)
class Heart:
    """Heart rate, phase and breath of one recording on a grid of 60 Hz that reaches beyond both of its ends.

    Parameters
    ----------
    times_s : (G,) array
    heart_rate_bpm : (G,) array
    phase : (G,) array
        Beats since the first frame, as a fraction.
    breath : (G,) array
        From -1 to 1.
    harmonics : tuple of (float, float)
        Amplitude relative to the fundamental and phase in radians, from the fundamental on.
    """

    times_s: FloatArray
    heart_rate_bpm: FloatArray
    phase: FloatArray
    breath: FloatArray
    harmonics: tuple[tuple[float, float], ...]

    def wave(self, beats: FloatArray) -> FloatArray:
        """Give the blood volume wave at a phase in beats: mean 0, fundamental of amplitude 1."""
        turn = 2 * np.pi * np.asarray(beats)
        total = np.zeros_like(turn)
        for order, (amplitude, phase) in enumerate(self.harmonics, 1):
            total += amplitude * np.sin(order * turn + phase)
        return total

    def label(self, duration_s: float) -> HeartRateTrace:
        """Give whole beats per minute, one a second: the mean of the last four, as the display of a pulse oximeter."""
        seconds = np.arange(np.ceil(duration_s), dtype=np.float64)
        total = np.concatenate(([0.0], np.cumsum(self.heart_rate_bpm))) / GRID_HZ
        # a grid point stands at the start of its sixtieth; the sum up to a time is interpolated
        grid_s = np.append(self.times_s, self.times_s[-1] + 1 / GRID_HZ)
        stop_s = seconds + 1.0
        mean = (np.interp(stop_s, grid_s, total) - np.interp(stop_s - _DEVICE_S, grid_s, total)) / _DEVICE_S
        return HeartRateTrace(seconds, np.rint(mean))

    def contact(self, duration_s: float, random: np.random.Generator) -> PulseTrace:
        """Give the wave of a finger sensor at 60 Hz in whole numbers, later than the face by a tenth to a quarter of a second."""
        inside = (self.times_s >= -1e-9) & (self.times_s < duration_s)
        late_s = random.uniform(0.1, 0.25)
        beats = np.interp(self.times_s[inside] - late_s, self.times_s, self.phase)
        return PulseTrace(self.times_s[inside], np.rint(60 + 25 * self.wave(beats)))


def make_heart(random: np.random.Generator, mean_bpm: float, duration_s: float, *, after_exercise: bool) -> Heart:
    """Draw the heart of one recording.

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
    >>> heart = make_heart(np.random.default_rng(1), 72.0, 30.0, after_exercise=False)
    >>> inside = (heart.times_s >= 0) & (heart.times_s < 30)
    >>> round(float(heart.heart_rate_bpm[inside].mean()), 3), len(heart.label(30.0).times_s)
    (72.0, 30)
    """
    before = int((_DEVICE_S + 1) * GRID_HZ)
    count = before + int(np.ceil((duration_s + 2) * GRID_HZ))
    times_s = (np.arange(count) - before) / GRID_HZ
    breath_hz = random.uniform(0.35, 0.55) if after_exercise else random.uniform(0.2, 0.33)
    wander = np.cumsum(random.normal(0, 0.02, count)) / np.sqrt(GRID_HZ)
    breath = np.sin(2 * np.pi * (breath_hz * times_s + wander) + random.uniform(0, 2 * np.pi))
    sinus_bpm = random.uniform(0.3, 1.0) if after_exercise else random.uniform(0.8, 3.0)
    slow_hz = random.uniform(0.06, 0.12)
    slow = np.sin(2 * np.pi * slow_hz * times_s + random.uniform(0, 2 * np.pi))
    drift = np.cumsum(random.normal(0, 1, count)) / GRID_HZ**0.5 * random.uniform(0.2, 0.5)
    rate_bpm = sinus_bpm * breath + random.uniform(0.5, 2.0) * slow + drift
    if after_exercise:
        rate_bpm += random.uniform(5, 18) * np.exp(-np.maximum(times_s, -_DEVICE_S) / _RECOVERY_S)
    inside = (times_s >= -1e-9) & (times_s < duration_s)
    rate_bpm += mean_bpm - rate_bpm[inside].mean()
    rate_bpm = np.clip(rate_bpm, 38.0, 178.0)
    phase = np.concatenate(([0.0], np.cumsum(rate_bpm[:-1]))) / (60 * GRID_HZ)
    harmonics = (
        (1.0, 0.0),
        (float(random.uniform(0.2, 0.45)), float(random.uniform(0.3, 1.1))),
        (float(random.uniform(0.03, 0.15)), float(random.uniform(0, 2 * np.pi))),
    )
    return Heart(times_s, rate_bpm, phase - phase[before], breath, harmonics)
