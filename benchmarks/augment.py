"""What balancing does to the heart rates of VIPL-HR, what it costs, and how good the resampling is.

The build is made of numbers: 107 subjects and 2,378 recordings with the frame rates, lengths and video-level heart rates that
VIPL-HR is known to have. A recording has one block, as a plan needs no means. Run from the repository:

    python benchmarks/augment.py [FOLDER]

FOLDER keeps the build, which takes a minute to make, for another run.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stmap_pipeline.balance import normalized_entropy
from stmap_pipeline.config import Config
from stmap_pipeline.maps import resample_uniform
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
from stmap_pipeline.signals.resample import play, uniform_trace
from stmap_pipeline.signals.spectrum import dominant_rate_bpm

# Videos by heart rate: the first number of a band of 10 bpm, and how many of the 2,377 videos with a label lie in it.
VIDEOS = {40: 5, 50: 144, 60: 541, 70: 926, 80: 500, 90: 155, 100: 66, 110: 29, 120: 8, 130: 3}
SUBJECTS, RECORDINGS = 107, 2378


def recordings(seed: int = 0) -> Iterator[RecordingResult]:
    """Make the recordings, subject by subject."""
    random = np.random.default_rng(seed)
    rates = np.concatenate([random.uniform(low, low + 10, number) for low, number in VIDEOS.items()])
    rates = np.append(rates, 75.0)
    # people differ at rest, and one scenario of nine comes after exercise: ranks by both, noise apart
    subject, take = np.arange(RECORDINGS) % SUBJECTS, np.arange(RECORDINGS) // SUBJECTS
    rank = random.normal(0, 1, SUBJECTS)[subject] + 2.0 * (take % 9 == 6) + random.normal(0, 0.7, RECORDINGS)
    mean_bpm = np.empty(RECORDINGS)
    mean_bpm[np.argsort(rank)] = np.sort(rates)
    for one in np.lexsort((take, subject)):
        camera = int(take[one]) % 3
        # the first camera gives 25 frames a second, 16 in poor light; the others 30
        rate_hz = (16.2 if random.random() < 0.25 else 25.0) if camera == 0 else 30.0
        steps = random.uniform(0.8, 1.2, int(random.uniform(27, 38) * rate_hz)) / rate_hz
        times_s = np.cumsum(steps) - steps[0]
        seconds = np.arange(np.ceil(times_s[-1]) + 1)
        drift = np.cumsum(random.normal(0, 0.5, seconds.size))
        name = f"p{subject[one] + 1:03d}"
        yield RecordingResult(
            Recording(
                f"{name}_v{take[one] + 1:02d}_source{camera + 1}",
                "simulated",
                name,
                VideoSource(Path("none")),
                clock=ClockSource("constant", rate_hz=rate_hz),
                fold=1 + int(subject[one]) % 5,
            ),
            BlockTrace(times_s, np.full((len(times_s), 1, 3), 100, "f4"), np.ones((len(times_s), 1), "f4"), RoiGrid(1, 1)),
            LandmarkTrack(times_s, np.zeros((len(times_s), 68, 2), "f4"), np.ones(len(times_s), "f4")),
            HeartRateTrace(seconds, np.rint(mean_bpm[one] + drift - drift.mean())),
        )


def balance(root: Path) -> None:
    """Plan as a user would, and print the histogram and the cost."""
    if not (root / "manifest.json").is_file():
        print(f"making a build of {RECORDINGS} recordings in {root}", flush=True)
        example_maps(root, list(recordings()), Config.from_mapping({"blocks": {"rows": 1, "cols": 1}}))
    stmap = Path(sys.executable).with_name("stmap")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command: list[str | Path] = [stmap, "augment", root, "--balance", "--dry-run", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    plan: dict[str, Any] = json.loads(done.stdout)
    bins = plan["bins"]
    mean = sum(one["after"] for one in bins) / len(bins)
    print(f"{'bpm':>9} {'before':>8} {'after':>8}  share of the mean bin")
    for one in bins:
        share = one["after"] / mean
        print(f"{one['low_bpm']:>4g}-{one['high_bpm']:<4g} {one['before']:>8} {one['after']:>8} {share:>6.2f}  {one['shortfall']}")
    inner = [one for one in bins if 45 <= one["low_bpm"] < 135]
    inner_mean = sum(one["after"] for one in inner) / len(inner)
    lowest = min(one["after"] for one in inner)
    entropy = [normalized_entropy([one[when] for one in bins]) for when in ("before", "after")]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"windows: {plan['windows_before']} recorded, {plan['windows_added']} resampled from {plan['recordings_used']} recordings"
    )
    print(f"an epoch is {plan['epoch_factor']:.2f} times as long; without a limit {plan['windows_wanted']} would be wanted")
    print(f"normalized entropy over 40 to 160 bpm: {entropy[0]:.3f} before, {entropy[1]:.3f} after")
    print(
        f"lowest bin from 45 to 135 bpm: {lowest / mean:.2f} of the mean bin, {lowest / inner_mean:.2f} of the mean of these bins"
    )
    print(f"--dry-run: {cpu_s:.2f} s CPU, {after.ru_maxrss / 1024:.0f} MB")


def quality() -> None:
    """Print how far a pulse is from what it should be, and what is left of tones that the new sampling cannot hold."""
    print(f"\n{'rate':>5} {'jitter':>7} {'speed':>6} {'peak (bpm)':>11} {'wave (%)':>9} {'tones above (dB)':>17}")
    for rate_hz in (16.0, 30.0):
        for jitter in (0.0, 0.3):
            steps = np.random.default_rng(0).uniform(1 - jitter, 1 + jitter, 600) / rate_hz
            times_s = np.cumsum(steps) - steps[0]
            for speed in (0.67, 1.25, 1.5):
                peak, wave = [], []
                for rate_bpm in range(45, 151, 5):
                    turn = 2 * np.pi * rate_bpm / 60
                    samples_s, values = played(times_s, np.sin(turn * times_s), speed)
                    uniform = resample_uniform(samples_s, values, 30.0)[1]
                    peak.append(abs(dominant_rate_bpm(uniform, 30.0, (25, 240)) - speed * rate_bpm))
                    wave.append(np.abs(values - np.sin(turn * speed * samples_s)).max())
                tones: list[float] = np.linspace(rate_hz / 2 / speed, 0.999 * rate_hz / 2, 9).tolist() if speed > 1 else []
                left = [played(times_s, np.sin(2 * np.pi * tone * times_s), speed)[1] for tone in tones]
                worst = max((10 * np.log10(2 * np.mean(one**2)) for one in left), default=float("nan"))
                print(f"{rate_hz:>5g} {jitter:>7g} {speed:>6g} {max(peak):>11.3f} {100 * max(wave):>9.2f} {worst:>17.1f}")


def played(times_s: np.ndarray, series: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
    """Return 300 samples of one series, away from the ends, with their times."""
    times_s, means = play(uniform_trace(times_s, np.repeat(series[:, None, None], 3, axis=2)), speed, None, 20, 320)
    return times_s, means[:, 0, 0].astype(np.float64)


if __name__ == "__main__":
    balance(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="stmap-augment-")) / "maps")
    quality()
