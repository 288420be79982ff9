"""Pulse waves and electrocardiograms with a known heart rate, sampled as devices sample them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.pulse import Pulse, pulse_wave, random_pulse

# center in parts of a beat, width in seconds, height: P, Q, R, S, T
_ECG_WAVES = ((-0.18, 0.025, 0.12), (-0.035, 0.010, -0.15), (0.0, 0.011, 1.0), (0.035, 0.011, -0.25), (0.3, 0.05, 0.3))


_PARTS = 8


class Wave(NamedTuple):
    """A wave and the truth about it."""

    times_s: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    pulse: Pulse


def simulated_wave(
    seed: int, mean_bpm: float, duration_s: float, rate_hz: float, *, ecg: bool = False, jitter: float = 0.0, noise: float = 0.0
) -> Wave:
    """Return a wave whose rate varies by up to 2 bpm slowly and by 1 to 2.5 bpm with the breath.

    ``jitter`` is the standard deviation of the sampling times in sampling intervals, ``noise`` that of the values in amplitudes.
    """
    random = np.random.default_rng(seed)
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    times_s = np.sort(times_s + np.clip(random.normal(0, jitter, times_s.size), -0.45, 0.45) / rate_hz)
    pulse = random_pulse(random, mean_bpm, 0.006)
    # a device takes the mean over its sampling interval
    inside_s = (np.arange(_PARTS) + 0.5) / _PARTS / rate_hz - 0.5 / rate_hz
    beats = pulse.beats((times_s[:, None] + inside_s).ravel()) + random.uniform()
    values = (_ecg(beats, mean_bpm) if ecg else pulse_wave(beats, _harmonics(random))).reshape(-1, _PARTS).mean(axis=1)
    wander = 0.3 * np.sin(2 * np.pi * 0.2 * times_s + random.uniform(0, 6.28))
    return Wave(times_s, values + wander + noise * random.normal(size=times_s.size), pulse)


def _harmonics(random: np.random.Generator) -> list[tuple[float, float]]:
    return [
        (1.0, 0.0),
        (random.uniform(0.2, 0.45), random.uniform(0.3, 1.1)),
        (random.uniform(0.03, 0.15), random.uniform(0, 6.28)),
    ]


def _ecg(beats: npt.NDArray[np.float64], mean_bpm: float) -> npt.NDArray[np.float64]:
    length_s = 60.0 / mean_bpm
    from_beat = np.mod(beats + 0.5, 1.0) - 0.5
    total = np.zeros(beats.size)
    for center, width_s, height in _ECG_WAVES:
        distance_s = (np.mod(from_beat - center + 0.5, 1.0) - 0.5) * length_s
        total += height * np.exp(-0.5 * (distance_s / width_s) ** 2)
    return total
