"""Measure the heart rate that labels get from a pulse or an ECG: on simulated waves, and on a camera's finger pulse beside a chest strap.

``python benchmarks/labels.py --simulated 300``, ``python benchmarks/labels.py --welltory ../shared/data/welltory_ppg``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.waves import simulated_wave

from stmap_pipeline.labels import heart_rate_from_rr, heart_rate_from_wave
from stmap_pipeline.labels.label_file import read_columns
from stmap_pipeline.records import HeartRateTrace, traces

FloatArray = npt.NDArray[np.float64]

WINDOW_S, STEP_S, MARGIN_S = 10.0, 2.0, 2.0
# the strap's first interval and the camera's first frame are not the same moment
OFFSETS_S = np.arange(-8.0, 8.01, 0.25)
FAILED_BPM = 3.0


def simulated(count: int) -> None:
    """Print errors over windows of 5 to 60 s inside simulated recordings of 40 to 200 bpm."""
    random = np.random.default_rng(1)
    print("| signal | sampling | median error | largest error | over 0.3 bpm | no label |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, ecg, low_hz, high_hz in (("pulse", False, 15, 256), ("ECG", True, 80, 256)):
        errors = []
        for seed in range(count):
            length_s, rate_hz = random.uniform(5, 60), float(np.exp(random.uniform(np.log(low_hz), np.log(high_hz))))
            jitter = float(random.choice([0.0, 0.1, 0.3]))
            wave = simulated_wave(seed, random.uniform(40, 200), length_s + 2 * MARGIN_S, rate_hz, ecg=ecg, jitter=jitter)
            trace = heart_rate_from_wave(wave.times_s, wave.values, ecg=ecg)
            span = (MARGIN_S, MARGIN_S + length_s)
            errors.append(abs(trace.mean_between(*span) - wave.pulse.mean_between(*span)))
        found = np.array(errors)
        known = found[np.isfinite(found)]
        print(
            f"| {name} | {low_hz} to {high_hz} Hz | {np.median(known):.3f} bpm | {known.max():.2f} bpm "
            f"| {int((known > 0.3).sum())} of {count} | {int(np.isnan(found).sum())} |"
        )


def welltory(root: Path) -> None:
    """Print the red channel of each record beside the strap, over the whole record and in windows of 10 s."""
    print("| record | strap | camera | error | trusted | windows | median error | over 3 bpm |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    errors, flagged, all_windows, kept = [], 0, 0, []
    for folder in sorted((root / "data").iterdir()):
        strap_s = read_columns(folder / "RR.txt", [0], format_name="rows").values[0] / 1000
        table = read_columns(folder / "PPG.csv", ["R"], "time")
        assert table.times is not None
        times_s, red = table.times.values / 1000, table.values[0]
        later = np.concatenate([[True], np.diff(times_s) > 0])
        camera = heart_rate_from_wave(times_s[later], red[later])
        strap = heart_rate_from_rr(np.cumsum(strap_s), strap_s)
        true_bpm = 60 * strap_s.size / strap_s.sum()
        found_bpm = camera.mean_between(float(camera.times_s[0]), float(camera.times_s[-1]))
        aligned = _aligned(camera, strap)
        start_s = np.arange(0.0, float(times_s[-1]) - WINDOW_S, STEP_S)
        window_errors = np.abs(camera.mean_between(start_s, start_s + WINDOW_S) - aligned.mean_between(start_s, start_s + WINDOW_S))
        known = window_errors[np.isfinite(window_errors)]
        all_windows += int(np.isfinite(aligned.mean_between(start_s, start_s + WINDOW_S)).sum())
        kept += known.tolist()
        trusted = float(camera.trusted.mean())
        if np.isfinite(found_bpm):
            errors.append(abs(found_bpm - true_bpm))
        else:
            flagged += 1
        cells = (f"{found_bpm:.1f}", f"{found_bpm - true_bpm:+.2f}") if np.isfinite(found_bpm) else ("not trusted", "")
        middle = f"{np.median(known):.2f}" if known.size else ""
        print(
            f"| {folder.name[-2:]} | {true_bpm:.1f} | {cells[0]} | {cells[1]} | {trusted:.0%} | {known.size} | {middle} "
            f"| {int((known > FAILED_BPM).sum())} |"
        )
    windows = np.array(kept)
    print(
        f"\nrecords: median error {np.median(errors):.2f} bpm, largest {max(errors):.2f}; {flagged} not trusted as a whole\n"
        f"windows: {windows.size} of {all_windows} have a label; median error {np.median(windows):.2f} bpm, 95 % within "
        f"{np.percentile(windows, 95):.2f}, {int((windows > FAILED_BPM).sum())} over {FAILED_BPM:g} bpm, largest {windows.max():.1f}"
    )


def thresholds(root: Path) -> None:
    """Print what windows of all three color channels are trusted, and their errors, by the thresholds of the two estimators."""
    pairs = []
    for folder in sorted((root / "data").iterdir()):
        strap_s = read_columns(folder / "RR.txt", [0], format_name="rows").values[0] / 1000
        table = read_columns(folder / "PPG.csv", ["R", "G", "B"], "time")
        assert table.times is not None
        times_s = table.times.values / 1000
        later = np.concatenate([[True], np.diff(times_s) > 0])
        start_s = np.arange(0.0, float(times_s[-1]) - WINDOW_S, STEP_S)
        cameras = [heart_rate_from_wave(times_s[later], channel[later]) for channel in table.values]
        # one clock for all channels: that of the one that is trusted most
        best = max(cameras, key=lambda one: float(one.trusted.mean()))
        true_bpm = _aligned(best, heart_rate_from_rr(np.cumsum(strap_s), strap_s)).mean_between(start_s, start_s + WINDOW_S)
        pairs += [(camera, start_s, true_bpm) for camera in cameras]
    alone = [
        np.abs(HeartRateTrace(one.times_s, one.heart_rate_bpm).mean_between(start_s, start_s + WINDOW_S) - true)
        for one, start_s, true in pairs
    ]
    known = sum(int(np.isfinite(true).sum()) for _, _, true in pairs)
    print(f"\n{known} windows; in {int((np.concatenate(alone) > 5).sum())} the beats alone are wrong by more than 5 bpm\n")
    print(
        "| difference | share | trusted | 95 % of the errors within | over 3 bpm | over 5 bpm |\n| --- | --- | --- | --- | --- | --- |"
    )
    usual = traces.MAX_DISAGREEMENT_BPM, traces.MIN_TRUSTED
    for difference, share in ((3.0, 0.8), (4.0, 0.7), (4.0, 0.8), (4.0, 0.9), (5.0, 0.8)):
        traces.MAX_DISAGREEMENT_BPM, traces.MIN_TRUSTED = difference, share
        errors = np.concatenate([np.abs(one.mean_between(start_s, start_s + WINDOW_S) - true) for one, start_s, true in pairs])
        errors = errors[np.isfinite(errors)]
        print(
            f"| {difference:g} bpm | {share:.0%} | {errors.size} | {np.percentile(errors, 95):.1f} bpm | {int((errors > 3).sum())} "
            f"| {int((errors > 5).sum())} |"
        )
    traces.MAX_DISAGREEMENT_BPM, traces.MIN_TRUSTED = usual


def _aligned(camera: HeartRateTrace, strap: HeartRateTrace) -> HeartRateTrace:
    """Return the strap's heart rate moved to where it fits the camera's best."""
    costs = []
    for offset_s in OFFSETS_S:
        moved = np.interp(camera.times_s, strap.times_s + offset_s, strap.heart_rate_bpm, left=np.nan, right=np.nan)
        difference = np.abs(moved - camera.heart_rate_bpm)[camera.trusted]
        costs.append(np.nanmedian(difference) if np.isfinite(difference).sum() >= 40 else np.inf)
    best_s = float(OFFSETS_S[int(np.argmin(costs))]) if np.isfinite(costs).any() else 0.0
    return HeartRateTrace(strap.times_s + best_s, strap.heart_rate_bpm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulated", type=int, metavar="COUNT", help="number of waves of each kind")
    parser.add_argument("--welltory", type=Path, metavar="FOLDER", help="the Welltory PPG data set")
    options = parser.parse_args()
    if options.simulated:
        simulated(options.simulated)
    if options.welltory:
        welltory(options.welltory)
        thresholds(options.welltory)


if __name__ == "__main__":
    main()
