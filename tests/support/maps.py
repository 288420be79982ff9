"""Small builds without video: block means of a known pulse, subjects in folds, windows that can be balanced."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from stmap_pipeline.balance import BalanceOptions, Bins
from stmap_pipeline.config import Config
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import (
    BlockTrace,
    HeartRateTrace,
    LandmarkTrack,
    PulseTrace,
    Recording,
    RecordingResult,
    RoiGrid,
    VideoSource,
)
from stmap_pipeline.shards import Shards, plan_augmentation, write_augmentation
from stmap_pipeline.shards.example import example_maps

# relative strength of a pulse beat in R, G, B and the color of a middle skin tone
PULSE_COLOR = np.array([0.33, 0.77, 0.53])
SKIN_COLOR = np.array([150.0, 110.0, 90.0])


def frame_times(duration_s, rate_hz=30.0, jitter=0.0, seed=0):
    """Times of frames; ``jitter`` is the spread of each step as a share of the mean step."""
    steps = np.random.default_rng(seed).uniform(1 - jitter, 1 + jitter, round(duration_s * rate_hz)) / rate_hz
    return np.cumsum(steps) - steps[0]


def simulated_blocks(rate_bpm, times_s, *, amplitude=0.006, noise=0.05, light=0.1, lost_s=(), grid=None, seed=1):
    """Block means with a pulse of ``rate_bpm`` (a number or a function of time), drifting light and sensor noise."""
    random = np.random.default_rng(seed)
    grid = grid or RoiGrid()
    beats_hz = np.broadcast_to(rate_bpm(times_s) if callable(rate_bpm) else rate_bpm, times_s.shape) / 60
    phase = 2 * np.pi * np.concatenate(([0.0], np.cumsum(0.5 * (beats_hz[1:] + beats_hz[:-1]) * np.diff(times_s))))
    beat = -(np.sin(phase) + 0.3 * np.sin(2 * phase + 0.7))
    shade = 1 + light * np.sin(2 * np.pi * 0.11 * times_s)
    level = random.uniform(0.7, 1.2, grid.count)
    pulse = 1 + amplitude * beat[:, None, None] * PULSE_COLOR
    means = level[None, :, None] * SKIN_COLOR * shade[:, None, None] * pulse
    means += noise * random.standard_normal(means.shape)
    coverage = np.ones(means.shape[:2])
    for start_s, stop_s in lost_s:
        gone = (times_s >= start_s) & (times_s < stop_s)
        means[gone], coverage[gone] = np.nan, 0.0
    return BlockTrace(times_s, means.astype(np.float32), coverage.astype(np.float32), grid)


def simulated_result(rate_bpm=72.0, duration_s=20.0, recording_id="p001_v1_source1", *, label=True, pulse=False, **options):
    """A recording as a shard would hand it out."""
    times_s = frame_times(duration_s, jitter=0.2)
    blocks = simulated_blocks(rate_bpm, times_s, **options)
    points_px = np.where(blocks.valid[:, None, None], np.float32(100.0), np.float32(np.nan)) * np.ones((1, 68, 2), np.float32)
    track = LandmarkTrack(times_s, points_px, np.where(blocks.valid, 1.0, np.nan).astype(np.float32))
    seconds, fine = np.arange(np.ceil(duration_s)), np.arange(0, duration_s, 1 / 60)
    rate = rate_bpm if callable(rate_bpm) else (lambda t: np.full(len(t), float(rate_bpm)))
    return RecordingResult(
        Recording(recording_id, "vipl-hr", "p001", VideoSource(Path("video.avi"))),
        blocks,
        track,
        HeartRateTrace(seconds, rate(seconds)) if label else None,
        PulseTrace(fine, np.sin(2 * np.pi * np.cumsum(rate(fine)) / 60 / 60)) if pulse else None,
    )


OPTIONS = BalanceOptions(bins=Bins(40, 160, 20))


def small_maps(root: Path, *, frames: int = 240, **windows: object) -> Path:
    """Four subjects in two folds, two recordings each."""
    results = [
        example_result(
            f"p{subject:03d}_v{take}", subject=f"p{subject:03d}", fold=1 + subject % 2, frames=frames, heart_rate_bpm=rate
        )
        for subject, rates in enumerate([(58.0, 66.0), (71.0, 77.0), (74.0, 79.0), (83.0, 104.0)], 1)
        for take, rate in enumerate(rates, 1)
    ]
    settings = {"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "1 s"} | windows}
    return example_maps(root, results, Config.from_mapping(settings))


def add_augmentation(root: Path, options: BalanceOptions = OPTIONS) -> Path:
    """Plan and write an augmentation."""
    with Shards(root) as shards:
        write_augmentation(shards, plan_augmentation(shards, options))
    return root


def content(root: Path) -> dict[str, bytes]:
    """All files of an output."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


RATES_BPM = {"p001": (55.0, 62.0), "p002": (71.0, 84.0), "p003": (90.0, 104.0), "p004": (66.0, 78.0)}


def folded_maps(
    root: Path,
    *,
    shift_bpm: float = 0.0,
    label: bool = True,
    lost: bool = False,
    pulse: bool = False,
    grid: tuple[int, int] = (2, 2),
    **windows: object,
) -> Path:
    """Four subjects in two folds, two recordings of 14 s each, windows of 8 s."""
    results = []
    for number, (subject, rates) in enumerate(RATES_BPM.items()):
        for take, bpm in enumerate(rates, 1):
            one = simulated_result(
                bpm + shift_bpm,
                14.0,
                f"{subject}_v{take}",
                label=label,
                pulse=pulse,
                grid=RoiGrid(*grid),
                seed=10 * number + take,
                lost_s=[(6.0, 8.0)] if lost else [],
            )
            recording = dataclasses.replace(
                one.recording,
                subject=subject,
                fold=1 + number % 2,
                scenario=f"v{take}",
                camera="source1",
                video=VideoSource(Path("v.avi")),
            )
            results.append(dataclasses.replace(one, recording=recording))
    settings = {"blocks": {"rows": grid[0], "cols": grid[1]}, "windows": {"length": "240 frames", "step": "1 s"} | windows}
    return example_maps(root, results, Config.from_mapping(settings))
