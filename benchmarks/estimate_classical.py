"""Fit the probabilities of the classical methods: weights of windows and calibration of the path, both on simulated videos.

    python benchmarks/estimate_classical.py [WINDOWS] [VIDEOS] [SEED]

Prints :data:`~stmap_pipeline.evaluation.window_probability.WEIGHTS` and
:data:`~stmap_pipeline.evaluation.window_probability.CALIBRATION`, and how often rates of a probability are right on videos with people, light
and cameras that nothing was fitted on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from stmap_pipeline.evaluation.heart_rate_path import CLOSE_BPM, PathCalibration, calibration_curve, find_path, path_support
from stmap_pipeline.evaluation.window_probability import RATES_BPM, WEIGHTS, pulse_signals, window_measures
from stmap_pipeline.evaluation.window_rates import ClassicalRates, RateSource
from stmap_pipeline.records import BlockTrace, LandmarkTrack, RoiGrid
from stmap_pipeline.signals import dominant_rate_bpm
from stmap_pipeline.simulation import SimulationConfig, simulate_windows

FloatArray = npt.NDArray[np.float64]
RATE_HZ = 30.0
VIDEO_S = 30.0


class Video:
    """A simulated video: traces, motion of the head, and the heart rate of any interval; NaN where there is no pulse."""

    def __init__(
        self, means: npt.NDArray[np.float32], motion: npt.NDArray[np.float32], pulse: npt.NDArray[np.float32], rate_bpm: float
    ) -> None:
        times_s = np.arange(len(means)) / RATE_HZ
        coverage = np.asarray(np.isfinite(means).all(axis=2), dtype=np.float32)
        self.blocks = BlockTrace(times_s, means, coverage, RoiGrid())
        self.motion = motion
        self.pulse, self.rate_bpm = pulse, rate_bpm

    def truth_bpm(self, start_s: float, stop_s: float) -> float:
        """Return the rate of the pulse in an interval."""
        if not np.isfinite(self.rate_bpm):
            return float("nan")
        part = self.pulse[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)]
        return float(dominant_rate_bpm(part, RATE_HZ, (30.0, 220.0)))


def videos(count: int, seed: int, config: SimulationConfig) -> Iterator[Video]:
    """Simulate videos, 64 at a time."""
    for first in range(0, count, 64):
        made = simulate_windows(min(64, count - first), (seed, first), config)
        for one in zip(made.means, made.motion, made.pulse, made.heart_rate_bpm.tolist(), strict=True):
            yield Video(*one)


def fit_windows(method: str, count: int, seed: int) -> FloatArray:
    """Fit the weights of the measures of a window by maximum likelihood."""
    rows, targets = [], []
    for video in videos(count, seed, SimulationConfig(no_pulse_share=0.2)):
        signals = pulse_signals(video.blocks, method)
        measures = window_measures(signals, 0, len(signals.times_s))
        if measures is None or not (np.isnan(video.rate_bpm) or 41 < video.rate_bpm < 179):
            continue
        target = np.zeros(len(RATES_BPM) + 1)
        if np.isnan(video.rate_bpm):
            target[-1] = 1.0
        else:
            target[:-1] = np.exp(-0.5 * ((RATES_BPM - video.rate_bpm) / 1.5) ** 2)
        rows.append(measures)
        targets.append(target / target.sum())
    measured, wanted = np.array(rows), np.array(targets)

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = np.column_stack([measured @ weights[:4], np.full(len(measured), weights[4])])
        scores -= scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        away = (np.exp(scores - log_sum) - wanted) / len(measured)
        slope = np.append(np.einsum("wr,wrk->k", away[:, :-1], measured), away[:, -1].sum())
        return float(-(wanted * (scores - log_sum)).sum(axis=1).mean()), slope

    found = minimize(loss, np.array([0.5, 0.3, 0.0, 1.0, 4.0]), jac=True, method="BFGS")
    print(f"{method}: {len(rows)} windows, loss {found.fun:.3f}", flush=True)
    return np.asarray(found.x)


def path_table(source: RateSource, made: Iterator[Video], step_s: float = 2.0) -> FloatArray:
    """Return for each window of each video the chance by the path, its support, whether it is right, and the number of the video."""
    rows = []
    for number, video in enumerate(made):
        track = LandmarkTrack(
            video.blocks.times_s,
            np.full((len(video.blocks.times_s), 68, 2), np.nan, np.float32),
            np.full(len(video.blocks.times_s), np.nan, np.float32),
        )
        rates = source.windows(video.blocks, track, 10.0, step_s)
        seen = np.isfinite(rates.no_pulse)
        if not seen.any():
            continue
        path = find_path(rates.rates_bpm, rates.probability, rates.spans_s, rates.no_pulse)
        best_bpm, chance = path.best()
        support = path_support(path.rates_bpm, best_bpm, rates.probability, rates.spans_s)
        truth_bpm = np.array([video.truth_bpm(*span) for span in rates.spans_s.tolist()])
        right = np.abs(best_bpm - truth_bpm) <= CLOSE_BPM
        rows.append(np.column_stack([chance, support, right, np.full(len(right), number)])[seen])
    return np.concatenate(rows)


def fit_path(table: FloatArray) -> PathCalibration:
    """Fit the calibration of a path by maximum likelihood, with weights that are not negative."""

    def loss(weights: FloatArray) -> float:
        chance = np.clip(calibration_curve(table[:, 0], table[:, 1], PathCalibration(*weights.tolist())), 1e-6, 1 - 1e-6)
        return float(-np.mean(np.where(table[:, 2] > 0.5, np.log(chance), np.log(1 - chance))))

    found = minimize(loss, np.array([-1.0, 0.5, 0.5]), method="L-BFGS-B", bounds=[(-10, 10), (0.1, 5), (0.1, 5)])
    return PathCalibration(*(round(float(one), 3) for one in found.x))


def reliability(table: FloatArray, calibration: PathCalibration) -> str:
    """Say of rates of a probability how many there are and how many of them are right."""
    chance = calibration_curve(table[:, 0], table[:, 1], calibration)
    edges = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.001)
    parts = [(low, table[(chance >= low) & (chance < high), 2]) for low, high in pairwise(edges)]
    return "  ".join(f"{low:g}+: {one.mean():.2f} of {len(one)}" for low, one in parts if len(one))


def main(windows: int = 3000, count: int = 400, seed: int = 1) -> None:
    """Fit on one seed and the settings of training, count on another and on unseen settings."""
    training = SimulationConfig(samples=round(VIDEO_S * RATE_HZ), no_pulse_share=0.2)
    other = replace(training, settings="unseen")
    for method in WEIGHTS:
        weights = fit_windows(method, windows, seed)
        print(f'    "{method}": ({", ".join(f"{one:.3f}" for one in weights)}),', flush=True)
        WEIGHTS[method] = (weights[0], weights[1], weights[2], weights[3], weights[4])
        calibration = fit_path(path_table(ClassicalRates(method), videos(count, seed + 1, training)))
        print(f'    "{method}": PathCalibration({", ".join(f"{one:g}" for one in calibration)}),')
        unseen = path_table(ClassicalRates(method), videos(count, seed + 2, other))
        print(f"  unseen settings: {reliability(unseen, calibration)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
