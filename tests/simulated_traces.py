"""Block means and labels of a known pulse, for tests of what reads them."""

import numpy as np

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
        Recording(recording_id, "vipl-hr", "p001", VideoSource("video.avi")),
        blocks,
        track,
        HeartRateTrace(seconds, rate(seconds)) if label else None,
        PulseTrace(fine, np.sin(2 * np.pi * np.cumsum(rate(fine)) / 60 / 60)) if pulse else None,
    )
