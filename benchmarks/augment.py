"""What balancing does to the heart rates of VIPL-HR, and what it costs.

The build is made of numbers: 107 subjects and 2,378 recordings with the rates, lengths and video-level heart rates that VIPL-HR is
known to have; each recording has one block, as no means are needed to plan. Run from the repository:

    python benchmarks/augment.py [FOLDER]

Prints the histogram before and after, its normalized entropy, the share of each bin of the mean bin, and the CPU seconds of
``stmap augment --balance --dry-run`` as a user would start it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stmap_pipeline.config import Config
from stmap_pipeline.maps.balance import normalized_entropy
from stmap_pipeline.records import (
    BlockTrace,
    ClockSource,
    HeartRateTrace,
    LandmarkTrack,
    Recording,
    RecordingResult,
    RoiGrid,
    VideoSource,
)
from stmap_pipeline.shards.example import example_maps

# Videos by heart rate: the first number of a band of 10 bpm, and how many of the 2,377 videos with a label lie in it.
VIDEOS = {40: 5, 50: 144, 60: 541, 70: 926, 80: 500, 90: 155, 100: 66, 110: 29, 120: 8, 130: 3}
SUBJECTS, RECORDINGS = 107, 2378


def recordings(seed: int = 0) -> Iterator[RecordingResult]:
    """Make the recordings, subject by subject."""
    random = np.random.default_rng(seed)
    rates = np.concatenate([random.uniform(low, low + 10, number) for low, number in VIDEOS.items()])
    rates = np.append(rates, 75.0)
    # people differ at rest, and one scenario of nine comes after exercise: sorted by both, noise apart
    subject = np.arange(RECORDINGS) % SUBJECTS
    take = np.arange(RECORDINGS) // SUBJECTS
    rank = random.normal(0, 1, SUBJECTS)[subject] + 2.0 * (take % 9 == 6) + random.normal(0, 0.7, RECORDINGS)
    mean_bpm = np.empty(RECORDINGS)
    mean_bpm[np.argsort(rank)] = np.sort(rates)
    folds = 1 + np.arange(SUBJECTS) % 5
    for one in np.lexsort((take, subject)):
        camera = int(take[one]) % 3
        # the first camera gives 25 frames a second, 16 in poor light; the others 30
        rate_hz = (16.2 if random.random() < 0.25 else 25.0) if camera == 0 else 30.0
        duration_s = random.uniform(27, 38)
        steps = random.uniform(0.8, 1.2, int(duration_s * rate_hz)) / rate_hz
        times_s = np.cumsum(steps) - steps[0]
        seconds = np.arange(np.ceil(times_s[-1]) + 1)
        drift = np.cumsum(random.normal(0, 0.5, seconds.size))
        label = np.rint(mean_bpm[one] + drift - drift.mean())
        means = np.full((len(times_s), 1, 3), 100, np.float32)
        yield RecordingResult(
            Recording(
                f"p{subject[one] + 1:03d}_v{take[one] + 1:02d}_source{camera + 1}",
                "simulated",
                f"p{subject[one] + 1:03d}",
                VideoSource(Path("none")),
                clock=ClockSource("constant", rate_hz=rate_hz),
                fold=int(folds[subject[one]]),
            ),
            BlockTrace(times_s, means, np.ones((len(times_s), 1), np.float32), RoiGrid(1, 1)),
            LandmarkTrack(times_s, np.zeros((len(times_s), 68, 2), np.float32), np.ones(len(times_s), np.float32)),
            HeartRateTrace(seconds, label),
        )


def main() -> None:
    """Build once, plan, and print."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="stmap-augment-")) / "maps"
    if not (root / "manifest.json").is_file():
        print(f"making a build of {RECORDINGS} recordings in {root}", flush=True)
        config = Config.from_mapping({"blocks": {"rows": 1, "cols": 1}})
        example_maps(root, list(recordings()), config)
    for more in ([], ["--jobs", "4"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["stmap", "augment", str(root), "--balance", "--dry-run", "--json", *more]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{' '.join(['--dry-run', *more])}: {cpu_s:.2f} s CPU, {after.ru_maxrss / 1024:.0f} MB at most")
    plan = json.loads(done.stdout)
    show(plan)


def show(plan: dict) -> None:
    """Print the histogram and what it should hold."""
    bins = plan["bins"]
    mean = sum(one["after"] for one in bins) / len(bins)
    print(f"\n{'bpm':>9} {'before':>8} {'after':>8} {'of mean bin':>12}")
    for one in bins:
        print(f"{one['low_bpm']:>4g}-{one['high_bpm']:<4g} {one['before']:>8} {one['after']:>8} {one['after'] / mean:>11.2f}  {one['shortfall']}")
    inner = [one for one in bins if 45 <= one["low_bpm"] < 135]
    inner_mean = sum(one["after"] for one in inner) / len(inner)
    lowest = min(one["after"] for one in inner)
    print(f"\nwindows {plan['windows_before']} + {plan['windows_added']}, from {plan['windows_used']} windows")
    print(f"a window is used {plan['uses_of_a_window_at_most']} times at most")
    print(f"normalized entropy over 40 to 160 bpm: {plan['normalized_entropy_before']:.3f} -> {plan['normalized_entropy_after']:.3f}")
    print(f"lowest bin from 45 to 135 bpm: {lowest / mean:.2f} of the mean bin, {lowest / inner_mean:.2f} of the mean of these bins")
    print(f"entropy of these bins alone: {normalized_entropy([one['before'] for one in inner]):.3f} -> "
          f"{normalized_entropy([one['after'] for one in inner]):.3f}")


if __name__ == "__main__":
    main()
