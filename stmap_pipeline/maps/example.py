"""A small made-up recording for the examples in docstrings, for tests, and for a first look without any video."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stmap_pipeline.records import (
    BlockTrace,
    ClockSource,
    HeartRateTrace,
    LandmarkTrack,
    PulseTrace,
    Recording,
    RecordingResult,
    RoiGrid,
    VideoSource,
)


def example_result(
    recording_id: str = "p001_v1_source1",
    *,
    subject: str = "p001",
    fold: int | None = 1,
    frames: int = 300,
    rate_hz: float = 30.0,
    heart_rate_bpm: float = 72.0,
    grid: RoiGrid | None = None,
    lost: slice | None = None,
) -> RecordingResult:
    """Return a recording with a known heart rate out of numbers alone; the same arguments give the same samples.

    Parameters
    ----------
    recording_id, subject : str
    fold : int, optional
    frames : int
    rate_hz : float
        Frame rate of a camera without jitter.
    heart_rate_bpm : float
        Constant over the recording; the pulse is strongest in green.
    grid : RoiGrid, optional
        2 x 2 where none is given.
    lost : slice, optional
        Frames in which the face is lost.

    Examples
    --------
    >>> one = example_result(frames=90, lost=slice(30, 60))
    >>> one.blocks.means.shape, int(one.blocks.valid.sum())
    ((90, 4, 3), 60)
    """
    cells = grid or RoiGrid(2, 2)
    times_s = np.arange(frames) / rate_hz
    beat = np.sin(2 * np.pi * heart_rate_bpm / 60 * times_s)
    skin = np.array([170.0, 120.0, 95.0]) + np.arange(cells.count)[:, None]
    means = (skin[None] + 0.5 * beat[:, None, None] * np.array([0.3, 0.8, 0.5])).astype(np.float32)
    coverage = np.ones((frames, cells.count), dtype=np.float32)
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    shape = np.stack([200 + 60 * np.cos(turn), 150 + 80 * np.sin(turn)], axis=1)
    sway = 3 * np.sin(2 * np.pi * 0.2 * times_s)
    points_px = (shape[None] + sway[:, None, None]).astype(np.float32)
    score = np.full(frames, 1.25, dtype=np.float32)
    if lost is not None:
        means[lost], coverage[lost], points_px[lost], score[lost] = np.nan, 0, np.nan, np.nan
    seconds = np.arange(np.ceil(frames / rate_hz), dtype=np.float64)
    return RecordingResult(
        recording=Recording(
            recording_id,
            "example",
            subject,
            VideoSource(Path("none")),
            clock=ClockSource("constant", rate_hz=rate_hz),
            scenario="v1",
            camera="source1",
            fold=fold,
            extras={"lighting": "lamp"},
        ),
        blocks=BlockTrace(times_s, means, coverage, cells),
        track=LandmarkTrack(times_s, points_px, score),
        heart_rate=HeartRateTrace(seconds, np.full(seconds.size, heart_rate_bpm)),
        pulse=PulseTrace(times_s, beat),
        notes=("made of numbers, no video",),
        attributes={"clock": "constant", "detections": 10, "median_interval_s": 1 / rate_hz},
    )
