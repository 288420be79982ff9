"""Calibrate the quality of an estimate, and measure what it is worth: on simulated traces with and without a pulse.

    python benchmarks/quality.py [RECORDINGS] [VIDEOS] [SEED]

Fits the weights of :data:`stmap_pipeline.evaluation.quality.CALIBRATION` on one seed and counts on another how often a rate of a quality
is right; then estimates whole recordings. Writes ``docs/measured/estimate.json``, from which the numbers in docs/how-to/estimate.md are
made; a test compares its weights with those in use.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from stmap_pipeline.evaluation.estimate import estimate_blocks
from stmap_pipeline.evaluation.quality import CLOSE_BPM, find_evidence, measures, pulse_signals
from stmap_pipeline.signals.classical import METHODS
from stmap_pipeline.signals.spectrum import dominant_rate_bpm
from stmap_pipeline.simulation.trace_model import simulate
from stmap_pipeline.synth.traces import plan_recordings

TARGET = Path(__file__).parents[1] / "docs" / "measured" / "estimate.json"
# from nearly clean to worse than VIPL-HR; and the share of recordings from which the pulse is removed
SEVERITIES = (0.25, 0.5, 1.0, 2.0)
WITHOUT_PULSE = 0.25
WINDOWS_S = (6.0, 10.0, 20.0)
#: Conditions of whole recordings: severity, and amplitude of the pulse.
CONDITIONS = {"no pulse": (1.0, 0.0), "little noise": (0.3, 1.0), "as hard as VIPL-HR": (1.0, 1.0)}


def collect(method: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the measures of many windows, and whether the rate of each is right."""
    plans = plan_recordings(107, seed, None, 30.0)
    random = np.random.default_rng([seed, 9])
    rows: list[tuple[np.ndarray, bool]] = []
    for index, place in enumerate(random.permutation(len(plans))[:count]):
        severity = SEVERITIES[index % len(SEVERITIES)]
        there = random.random() >= WITHOUT_PULSE
        result = simulate(plans[place], seed, severity, pulse=1.0 if there else 0.0)
        signals = pulse_signals(result.blocks, method)
        for window_s in WINDOWS_S:
            size = int(window_s * signals.rate_hz)
            for begin in range(0, len(signals.times_s) - size + 1, size // 2):
                rate_bpm = dominant_rate_bpm(signals.face[begin : begin + size], signals.rate_hz)
                evidence = find_evidence(signals, begin, begin + size, rate_bpm)
                if not np.isfinite(evidence).all():
                    continue
                start_s = float(signals.times_s[begin])
                assert result.heart_rate is not None
                truth_bpm = result.heart_rate.mean_between(start_s, start_s + window_s)
                rows.append((measures(evidence, window_s), there and bool(abs(rate_bpm - truth_bpm) <= CLOSE_BPM)))
    values, right = zip(*rows, strict=True)
    return np.array(values), np.array(right)


def fit(values: np.ndarray, right: np.ndarray, steps: int = 30) -> np.ndarray:
    """Fit a logistic regression by Newton's method."""
    design = np.column_stack([np.ones(len(values)), values])
    weights = np.zeros(design.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (right - chance) - 1e-3 * weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(len(weights))
        weights += np.linalg.solve(curvature, slope)
    return weights


def estimate_recordings(method: str, severity: float, pulse: float, count: int, seed: int) -> dict[str, float | None]:
    """Compute the share of recordings with a rate, and the share of these rates that is right, in percent."""
    plans = plan_recordings(107, seed, None, 30.0)
    errors_bpm = []
    for place in np.random.default_rng(seed).permutation(len(plans))[:count]:
        result = simulate(plans[place], seed, severity, pulse=pulse)
        found = estimate_blocks(result.blocks, method)
        if not found.refused:
            assert result.heart_rate is not None
            errors_bpm.append(abs(found.heart_rate_bpm - float(result.heart_rate.mean_between(0.0, result.blocks.times_s[-1]))))
    right = round(100 * float(np.mean(np.array(errors_bpm) <= CLOSE_BPM))) if pulse and errors_bpm else None
    return {"given": round(100 * len(errors_bpm) / count), "right": right}


def main(count: int = 240, videos: int = 80, seed: int = 1) -> None:
    """Fit on one seed, count on another, and write both."""
    content: dict[str, Any] = {"recordings": videos, "windows": 0, "weights": {}, "right_percent": {}, "videos": {}}
    for method in METHODS:
        weights = fit(*collect(method, count, seed)).round(3)
        values, right = collect(method, count, seed + 1)
        chance = 1 / (1 + np.exp(-(np.column_stack([np.ones(len(values)), values]) @ weights)))
        fifth = np.minimum((5 * chance).astype(int), 4)
        content["windows"] = max(content["windows"], len(right))
        content["weights"][method] = weights.tolist()
        content["right_percent"][method] = [round(100 * float(right[fifth == one].mean())) for one in range(5)]
        content["videos"][method] = {
            name: estimate_recordings(method, *condition, videos, seed + 2) for name, condition in CONDITIONS.items()
        }
        print(method, content["weights"][method], content["right_percent"][method], content["videos"][method], flush=True)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written to {TARGET}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
