"""Calibrate the quality of an estimate, and tell what it is worth: on simulated traces with and without a pulse.

    python benchmarks/quality.py [RECORDINGS] [SEED]

Prints the weights that stand in stmap_pipeline/evaluation/quality.py; how often a quality is right that says 0.1, 0.2, ...; and how
many windows with a right rate, with a wrong one, and without any pulse would be accepted at each limit.
"""

from __future__ import annotations

import sys

import numpy as np

from stmap_pipeline.evaluation.classical import METHODS
from stmap_pipeline.evaluation.quality import CLOSE_BPM, find_evidence, measures, pulse_signals
from stmap_pipeline.evaluation.spectrum import dominant_rate_bpm
from stmap_pipeline.synth.trace_model import simulate
from stmap_pipeline.synth.traces import plan_recordings

# from nearly clean to worse than VIPL-HR; and the share of recordings from which the pulse is taken
SEVERITIES = (0.25, 0.5, 1.0, 2.0)
WITHOUT_PULSE = 0.25
WINDOWS_S = (6.0, 10.0, 20.0)


def collect(method: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give measures, whether each rate was right, whether there was a pulse at all, and the window's length."""
    plans = plan_recordings(107, seed, None, 30.0)
    random = np.random.default_rng([seed, 9])
    rows: list[tuple[np.ndarray, bool, bool, float]] = []
    for index, place in enumerate(random.permutation(len(plans))[:count]):
        severity = SEVERITIES[index % len(SEVERITIES)]
        there = random.random() >= WITHOUT_PULSE
        result = simulate(plans[place], seed, severity, pulse=1.0 if there else 0.0)
        signals = pulse_signals(result.blocks, method)
        for window_s in WINDOWS_S:
            size = int(window_s * signals.rate_hz)
            for begin in range(0, len(signals.times_s) - size + 1, size // 2):
                part = slice(begin, begin + size)
                rate_bpm = dominant_rate_bpm(signals.face[part], signals.rate_hz)
                evidence = find_evidence(signals, begin, begin + size, rate_bpm)
                if not np.isfinite(evidence).all():
                    continue
                start_s = float(signals.times_s[begin])
                truth_bpm = result.heart_rate.mean_between(start_s, start_s + window_s)
                rows.append((measures(evidence, window_s), there and abs(rate_bpm - truth_bpm) <= CLOSE_BPM, there, window_s))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


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


def main(count: int = 240, seed: int = 1) -> None:
    """Fit on one seed, print what it is worth on another."""
    for method in METHODS:
        values, right, _, _ = collect(method, count, seed)
        weights = fit(values, right)
        print(f'    "{method}": ({", ".join(f"{one:.3f}" for one in weights)}),', flush=True)
        values, right, there, window_s = collect(method, count, seed + 1)
        chance = 1 / (1 + np.exp(-(np.column_stack([np.ones(len(values)), values]) @ weights)))
        print(f"{len(right)} windows of other recordings, {right.mean():.2f} of them right, {np.mean(~there):.2f} without a pulse")
        for low in np.arange(0, 1, 0.2):
            inside = (chance >= low) & (chance < low + 0.2)
            print(
                f"  says {low:.1f} to {low + 0.2:.1f}: {inside.sum():5d} windows, right {right[inside].mean() if inside.any() else np.nan:.2f}"
            )
        for limit in (0.3, 0.4, 0.5, 0.6, 0.7):
            kept = chance >= limit
            ten = window_s == 10
            print(
                f"  limit {limit}: accepts {kept[right].mean():.2f} of the right ones, {kept[there & ~right].mean():.2f} of the wrong, "
                f"{kept[~there].mean():.3f} of those without a pulse ({kept[~there & ten].mean():.3f} of 10 s); "
                f"right among accepted {right[kept].mean():.2f}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
