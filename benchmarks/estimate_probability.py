"""Fit the probabilities of an estimate on simulated videos of 12 to 60 s, and count on others how often rates of a probability are right.

    python benchmarks/estimate_probability.py network [VIDEOS] [SEED]
    python benchmarks/estimate_probability.py classical [VIDEOS] [SEED] [WINDOWS]
    python benchmarks/estimate_probability.py beats [VIDEOS] [SEED]

``network`` writes the calibration of the path into the description of the weights of the package. ``classical`` prints
:data:`~stmap_pipeline.evaluation.window_probability.WEIGHTS` and :data:`~stmap_pipeline.evaluation.window_probability.CALIBRATION`. Both count
on videos of people, light and cameras that nothing was trained or fitted on (of the same settings as the fit, by another seed), and add what they count to ``docs/measured/estimate.json``.
``beats`` prints how far intervals between beats of the pulse network are from those of the simulated pulse, and what that makes of the variability of a video.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from tables import reliability

from stmap_pipeline.evaluation.decision import ANSWERED_SHARE, COLORLESS
from stmap_pipeline.evaluation.estimate import PARTS, SEEN, STEP_S, WINDOW_S, estimate_blocks, known_share, of_whole_blocks
from stmap_pipeline.evaluation.heart_rate_path import PathCalibration, calibration_curve, find_path, path_support
from stmap_pipeline.evaluation.pulse_color import color_ratio, has_pulse_color
from stmap_pipeline.evaluation.pulse_wave import find_beats
from stmap_pipeline.evaluation.window_probability import RATES_BPM, WEIGHTS, pulse_signals, window_measures
from stmap_pipeline.evaluation.window_rates import ClassicalRates, PulseNetRates, RateSource, WindowRates
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.records import BlockTrace, PulseTrace, RoiGrid
from stmap_pipeline.signals import dominant_rate_bpm
from stmap_pipeline.signals.rate_grid import CLOSE_BPM
from stmap_pipeline.signals.resample import nearest_frame
from stmap_pipeline.simulation import SimulationConfig, simulate_windows
from stmap_pipeline.weights import read_description, weights_path

FloatArray = npt.NDArray[np.float64]
RATE_HZ = 30.0
# in the fit all videos count alike, so that the probability holds for short ones, in which few windows speak for a rate, too
VIDEOS_S = (12.0, 20.0, 30.0, 60.0)
# the network was trained on the other settings: on these it errs as it will on what it does not know; fits and counts have other seeds
SETTINGS = SimulationConfig(no_pulse_share=0.2, settings="unseen")
_FEWEST_BEATS = 5
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0)
TARGET = Path(__file__).parents[1] / "docs" / "measured" / "estimate.json"


class Video:
    """A simulated video: traces of the blocks and of their parts, motion of the head, and the heart rate of any interval; NaN where there is no pulse."""

    def __init__(
        self, means: npt.NDArray[np.float32], motion: npt.NDArray[np.float32], pulse: npt.NDArray[np.float32], rate_bpm: float
    ) -> None:
        times_s = np.arange(len(means)) / RATE_HZ
        coverage = np.asarray(np.isfinite(means).all(axis=2), dtype=np.float32)
        size = math.isqrt(means.shape[1])
        self.parts = BlockTrace(times_s, means, coverage, RoiGrid(size, size))
        self.blocks = self.parts.merged(size // RoiGrid().rows)
        self.motion = motion
        self.pulse, self.rate_bpm = pulse, rate_bpm

    def truth_bpm(self, start_s: float, stop_s: float) -> float:
        """Return the rate of the pulse in an interval."""
        if not np.isfinite(self.rate_bpm):
            return float("nan")
        part = self.pulse[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)]
        return float(dominant_rate_bpm(part, RATE_HZ, (30.0, 220.0)))


def windows_of(count: int, seed: int, config: SimulationConfig) -> Iterator[Video]:
    """Simulate windows, 64 at a time."""
    for first in range(0, count, 64):
        made = simulate_windows(min(64, count - first), (seed, first), config)
        for one in zip(made.means, made.motion, made.pulse, made.heart_rate_bpm.tolist(), strict=True):
            yield Video(*one)


def videos(count: int, seed: int, source: RateSource) -> Iterator[Video]:
    """Simulate as many videos of each length, with the blocks that an estimate measures for a method."""
    size = RoiGrid().rows * (PARTS if source.any_grid else 1)
    for number, length_s in enumerate(VIDEOS_S):
        part = count // len(VIDEOS_S)
        yield from windows_of(part, 10 * seed + number, replace(SETTINGS, samples=round(length_s * RATE_HZ), rows=size, cols=size))


def fit_windows(method: str, count: int, seed: int) -> FloatArray:
    """Fit the weights of the measures of a window by maximum likelihood."""
    rows, targets = [], []
    for video in windows_of(count, seed, SETTINGS):
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


def rates_of(source: RateSource, video: Video) -> WindowRates:
    """Compute the distributions of the windows of a video, as an estimate does."""
    if isinstance(source, PulseNetRates):
        rates = source.uniform_windows(video.parts.times_s, video.parts.means, video.motion, WINDOW_S, STEP_S)
        return of_whole_blocks(rates, video.blocks.grid)
    return source.windows(video.blocks, None, WINDOW_S, STEP_S)


def path_table(source: RateSource, made: Iterator[Video]) -> FloatArray:
    """Return for each window of each video: chance by the path, support, whether it is right, whether there is a pulse, number of
    the video, and whether the rhythm has the color of a pulse.
    """
    rows = []
    for number, video in enumerate(made):
        rates = rates_of(source, video)
        seen = np.isfinite(rates.no_pulse) & (known_share(video.blocks, rates.spans_s) >= SEEN)
        if not seen.any():
            continue
        probability = np.where(seen[:, None], rates.probability, np.nan)
        path = find_path(rates.rates_bpm, probability, rates.spans_s, np.where(seen, rates.no_pulse, np.nan))
        best_bpm, chance = path.best()
        support = path_support(path.rates_bpm, best_bpm, probability, rates.spans_s)
        truth_bpm = np.array([video.truth_bpm(*span) for span in rates.spans_s.tolist()])
        right = np.abs(best_bpm - truth_bpm) <= CLOSE_BPM
        there = np.isfinite(truth_bpm)
        colored = has_pulse_color(color_ratio(video.blocks, rates.block_weights, rates.spans_s, best_bpm))
        rows.append(np.column_stack([chance, support, right, there, np.full(len(right), number), colored])[seen])
    return np.concatenate(rows)


def fit_path(table: FloatArray) -> PathCalibration:
    """Fit the calibration of a path by maximum likelihood, with weights that are not negative."""
    _, number, windows = np.unique(table[:, 4], return_inverse=True, return_counts=True)
    weight = 1 / windows[number]

    def loss(weights: FloatArray) -> float:
        chance = np.clip(calibration_curve(table[:, 0], table[:, 1], PathCalibration(*weights.tolist())), 1e-6, 1 - 1e-6)
        return float(-np.average(np.where(table[:, 2] > 0.5, np.log(chance), np.log(1 - chance)), weights=weight))

    found = minimize(loss, np.array([-1.0, 0.5, 0.5]), method="L-BFGS-B", bounds=[(-10, 10), (0.1, 5), (0.1, 5)])
    return PathCalibration(*(round(float(one), 3) for one in found.x))


def measure(table: FloatArray, calibration: PathCalibration) -> dict[str, Any]:
    """Count rates of a probability and those that are right; and videos with an answer, by the rule of an estimate."""
    chance = calibration_curve(table[:, 0], table[:, 1], calibration)
    chance = np.where(table[:, 5] > 0.5, chance, np.minimum(chance, COLORLESS))
    right, there, number = table[:, 2] > 0.5, table[:, 3] > 0.5, table[:, 4]
    bins = reliability(chance, right, EDGES)
    content: dict[str, Any] = {
        "videos": len(np.unique(number)),
        "windows": len(table),
        "right_percent": [round(100 * one.right_share) if one.answers else None for one in bins],
        "share_percent": [round(100 * one.answers / len(table)) for one in bins],
        "answers": {},
    }
    for limit in (0.5, 0.6, 0.7, 0.8, 0.9):
        answered, good, false = [], [], []
        for one in np.unique(number):
            of_video = number == one
            given = of_video & (chance >= limit)
            answer = given.sum() >= max(1.0, ANSWERED_SHARE * of_video.sum())
            if there[of_video].any():
                answered.append(answer)
                if answer:
                    good.append(right[given].mean() > 0.5)
            else:
                false.append(answer)
        content["answers"][str(limit)] = {
            "answered_percent": round(100 * float(np.mean(answered)), 1),
            "right_percent": round(100 * float(np.mean(good)), 1) if good else None,
            "answered_without_pulse_percent": round(100 * float(np.mean(false)), 1),
        }
    return content


def measure_beats(made: Iterator[Video]) -> None:
    """Compare intervals between beats with those of the true pulse, and their variability in each video."""
    errors_ms: list[float] = []
    apart, pairs = 0, []
    for video in made:
        if not np.isfinite(video.rate_bpm):
            continue
        found = estimate_blocks(video.parts)
        if found.refused or found.beats is None or len(found.beats.times_s) < _FEWEST_BEATS:
            continue
        times_s = video.blocks.times_s
        center_s, rate_bpm = np.array([times_s.mean()]), np.array([video.rate_bpm])
        true = find_beats(PulseTrace(times_s, video.pulse.astype(np.float64)), center_s, rate_bpm, np.array([True]))
        # a wave may be late as a whole; that changes no interval
        late_s = np.median(found.beats.times_s - true.times_s[nearest_frame(true.times_s, found.beats.times_s)[0]])
        at, _ = nearest_frame(true.times_s, found.beats.times_s - late_s)
        known = np.flatnonzero(np.isfinite(found.beats.interval_s))
        known = known[known > 0]
        follow = known[at[known] - at[known - 1] == 1]
        apart += len(known) - len(follow)
        interval_s = found.beats.interval_s[follow]
        true_s = true.times_s[at[follow]] - true.times_s[at[follow] - 1]
        errors_ms += (1000 * np.abs(interval_s - true_s)).tolist()
        if len(follow) >= _FEWEST_BEATS:
            pairs.append([1000 * np.sqrt(np.mean(np.diff(one) ** 2)) for one in (interval_s, true_s)])
    if not errors_ms:
        print("no beats")
        return
    print(
        f"{len(errors_ms)} intervals: off by {np.median(errors_ms):.0f} ms (median), {np.percentile(errors_ms, 95):.0f} ms (95 %); {apart} not from one beat to the next"
    )
    estimated, true_ms = np.array(pairs).T
    off = np.percentile(np.abs(estimated - true_ms), (50, 95))
    print(
        f"RMSSD of {len(pairs)} videos: {np.median(estimated):.0f} ms instead of {np.median(true_ms):.0f} (medians); off by {off[0]:.0f} ms (median), {off[1]:.0f} ms (95 %); "
        f"correlation {np.corrcoef(estimated, true_ms)[0, 1]:.2f}"
    )


def remember(method: str, content: dict[str, Any]) -> None:
    """Print what was counted, and write it to where the documentation takes it from."""
    print(f"  unseen settings: {json.dumps(content)}", flush=True)
    known: dict[str, Any] = {"edges": list(EDGES[:-1]), "methods": {}}
    if TARGET.is_file():
        known = json.loads(TARGET.read_text("utf-8"))
    known["methods"][method] = content
    TARGET.parent.mkdir(exist_ok=True)
    atomic_write_text(TARGET, json.dumps(known, indent=1) + "\n")


def main(what: str, count: int = 400, seed: int = 1, windows: int = 3000) -> None:
    """Fit on one seed, count on another."""
    if what == "beats":
        measure_beats(videos(count, seed + 2, PulseNetRates()))
        return
    if what == "network":
        network = PulseNetRates()
        calibration = fit_path(path_table(network, videos(count, seed + 1, network)))
        print(calibration)
        path = weights_path().with_suffix(".json")
        atomic_write_text(path, json.dumps(read_description() | {"path_calibration": calibration._asdict()}, indent=1) + "\n")
        remember(network.name, measure(path_table(network, videos(count, seed + 2, network)), calibration))
        return
    for method in WEIGHTS:
        weights = fit_windows(method, windows, seed)
        print(f'    "{method}": ({", ".join(f"{one:.3f}" for one in weights)}),', flush=True)
        WEIGHTS[method] = (weights[0], weights[1], weights[2], weights[3], weights[4])
        source = ClassicalRates(method)
        calibration = fit_path(path_table(source, videos(count, seed + 1, source)))
        print(f'    "{method}": PathCalibration({", ".join(f"{one:g}" for one in calibration)}),', flush=True)
        remember(method, measure(path_table(source, videos(count, seed + 2, source)), calibration))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
