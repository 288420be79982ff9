"""Beats of many simulated hearts at once, and the wave that each beat makes.

The rate follows breath (respiratory sinus arrhythmia), a slow wave (Mayer, about 0.1 Hz), a trend, and a random walk; irregular and ectopic
beats are drawn beat by beat. :mod:`.pulse` has the same physiology for one long recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.config import SimulationConfig
from stmap_pipeline.simulation.draws import factor_of_some

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HARMONICS = 3
# hearts, in the settings of training, whose rate varies less than that of others, by a factor from 0.01 to 1
_STEADY_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Hearts:
    """Hearts of B windows.

    Parameters
    ----------
    rate_bpm : (B,) array of float64
        Rate about which each one varies.
    beat_times_s : (B, K) array of float64
    wave : (B, HARMONICS) array of complex128
        Amplitude and phase of each harmonic: the wave is the imaginary part of ``sum(wave[k] * exp(2 pi i (k + 1) phase))``.
    breath_hz, breath_phase_rad : (B,) array of float64
    """

    rate_bpm: FloatArray
    beat_times_s: FloatArray
    wave: npt.NDArray[np.complex128]
    breath_hz: FloatArray
    breath_phase_rad: FloatArray

    def phase(self, times_s: FloatArray, owner: npt.NDArray[np.intp]) -> FloatArray:
        """Compute the phase in beats at times of the windows ``owner``; both (M,), times within 1000 s."""
        windows, beats = self.beat_times_s.shape
        # all windows on one axis of time, far from each other: one interpolation
        shift_s = 1e4 * np.arange(windows)
        at = (self.beat_times_s + shift_s[:, None]).ravel()
        number = np.tile(np.arange(beats, dtype=np.float64), windows)
        return np.interp(times_s + shift_s[owner], at, number)

    def breath(self, times_s: FloatArray, owner: npt.NDArray[np.intp]) -> FloatArray:
        """Compute the breath, from -1 to 1, at times of the windows ``owner``."""
        return np.asarray(np.sin(2 * np.pi * self.breath_hz[owner] * times_s + self.breath_phase_rad[owner]))


def draw_rates_bpm(random: np.random.Generator, count: int, config: SimulationConfig) -> FloatArray:
    """Draw heart rates from the bands of the settings."""
    edges, weights = np.array(config.heart_rate_edges_bpm, dtype=np.float64), np.array(config.heart_rate_weights, dtype=np.float64)
    share = np.concatenate(([0.0], np.cumsum(weights) / weights.sum()))
    # a band without weight has no share; its edges are never drawn
    keep = np.concatenate(([True], np.diff(share) > 0))
    place = random.random(count)
    index = np.searchsorted(share[keep], place, side="right")
    upper = np.flatnonzero(keep)[index]
    low, high = edges[upper - 1], edges[upper]
    below = share[keep][index - 1]
    return np.asarray(low + (high - low) * (place - below) / (share[upper] - below))


def draw_hearts(
    random: np.random.Generator, terms: dict[str, BoolArray], span_s: tuple[float, float], config: SimulationConfig
) -> Hearts:
    """Draw the beats of B windows between two times, and their wave shapes.

    Parameters
    ----------
    random : numpy.random.Generator
    terms : dict of (B,) array of bool
        ``irregular_beats``: intervals differ by 6 to 20 % from beat to beat, as in atrial fibrillation; ``ectopic_beats``: some beats come too
        early, each followed by a pause.
    span_s : tuple of float
        First and last time that is asked for.
    config : SimulationConfig
        Rates, and whether waves are two Gaussians for each beat instead of free harmonics.
    """
    irregular, ectopic, unseen = terms["irregular_beats"], terms["ectopic_beats"], config.settings == "unseen"
    rate_bpm = draw_rates_bpm(random, len(irregular), config)
    count = len(rate_bpm)
    first_s, last_s = span_s[0] - 1.0, span_s[1] + 1.0
    beats = int(np.ceil((last_s - first_s) * float(rate_bpm.max()) / 60 * 1.35)) + 6
    interval_s = 60 / rate_bpm[:, None]
    about_s = first_s + np.arange(beats) * interval_s
    # after exercise breath is fast and moves the rate less
    effort = np.clip((rate_bpm - 60) / 100, 0, 1)
    breath_hz = random.uniform(0.15, 0.33, count) + 0.25 * effort * random.random(count)
    breath_phase = random.uniform(0, 2 * np.pi, count)
    sinus = random.gamma(2.0, 1.2, count) * (1 - 0.7 * effort)
    slow = random.uniform(0.2, 2.0, count)
    slow_hz, slow_phase = random.uniform(0.06, 0.13, count), random.uniform(0, 2 * np.pi, count)
    trend = random.normal(0, 0.15, count) + np.where(random.random(count) < 0.2, random.normal(0, 0.6, count), 0)
    change_bpm = (
        sinus[:, None] * np.sin(2 * np.pi * breath_hz[:, None] * about_s + breath_phase[:, None])
        + slow[:, None] * np.sin(2 * np.pi * slow_hz[:, None] * about_s + slow_phase[:, None])
        + trend[:, None] * (about_s - (span_s[0] + span_s[1]) / 2)
        + np.cumsum(random.normal(0, 1, (count, beats)), axis=1) * random.uniform(0.1, 0.5, count)[:, None] * np.sqrt(interval_s)
    )
    inside = (about_s >= span_s[0]) & (about_s < span_s[1])
    change_bpm -= (change_bpm * inside).sum(axis=1, keepdims=True) / np.maximum(inside.sum(axis=1, keepdims=True), 1)
    varies = np.ones((count, 1))
    if not unseen:
        # with a pacemaker, or at a high age, a rate hardly varies: a steady rhythm is not always that of a lamp
        varies = factor_of_some(random, _STEADY_SHARE, 0.01, 1, (count, 1))
    steps_s = 60 / np.maximum(rate_bpm[:, None] + varies * change_bpm, 0.6 * rate_bpm[:, None])
    steps_s *= 1 + 0.006 * varies * random.standard_normal((count, beats))
    spread = np.where(irregular, random.uniform(0.06, 0.20, count), 0)
    steps_s *= np.exp(spread[:, None] * np.clip(random.standard_normal((count, beats)), -2, 2))
    early = ectopic[:, None] & (random.random((count, beats)) < random.uniform(0.03, 0.12, count)[:, None])
    early[:, -1] = False
    short = random.uniform(0.55, 0.8, (count, 1))
    steps_s *= np.where(early, short, 1)
    steps_s[:, 1:] *= np.where(early[:, :-1] & ~early[:, 1:], 2 - short, 1)
    times_s = (
        first_s
        - interval_s * random.random((count, 1))
        + np.concatenate((np.zeros((count, 1)), np.cumsum(steps_s, axis=1)[:, :-1]), axis=1)
    )
    return Hearts(rate_bpm, times_s, _draw_waves(random, rate_bpm, unseen=unseen), breath_hz, breath_phase)


def _draw_waves(random: np.random.Generator, rate_bpm: FloatArray, *, unseen: bool) -> npt.NDArray[np.complex128]:
    count = len(rate_bpm)
    if unseen:
        # a systolic and a diastolic Gaussian; Fourier coefficients in closed form
        order = np.arange(1, HARMONICS + 1)
        width = random.uniform(0.14, 0.21, (count, 1)), random.uniform(0.12, 0.2, (count, 1))
        place, height = random.uniform(0.25, 0.38, (count, 1)), random.uniform(0.1, 0.45, (count, 1))
        wave = np.exp(-2 * (np.pi * order * width[0]) ** 2) + 0j
        wave += height * np.exp(-2 * (np.pi * order * width[1]) ** 2) * np.exp(-2j * np.pi * order * place)
        return np.asarray(1j * wave / np.abs(wave[:, :1]))
    # a fast heart has a rounder wave
    rounder = np.clip(1.3 - rate_bpm / 160, 0.3, 1)
    second = random.uniform(0.15, 0.5, count) * rounder * np.exp(1j * random.uniform(0.2, 1.2, count))
    third = random.uniform(0.02, 0.18, count) * rounder * np.exp(1j * random.uniform(0, 2 * np.pi, count))
    return np.stack([np.ones(count), second, third], axis=1)
