"""The paper as it reads: detector and landmark model in every frame, then a plain moving average over the landmarks.

Kept for comparison. The model's jitter moves the blocks over the skin's texture, which costs 8 dB of pulse and more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces.base import FaceBackend, Points, TrackedFrame, TrackingStats
from stmap_pipeline.faces.kept import ABOVE
from stmap_pipeline.video import Frame


def literal_frames(
    frames: Iterable[Frame], config: FacesConfig, backend: FaceBackend, stats: TrackingStats
) -> Iterator[TrackedFrame]:
    """Yield each frame with landmarks averaged over ``config.literal_smoothing_frames`` frames around it.

    Frames without a face stay without; an average takes in only the frames of the same unbroken stretch.
    """
    half = config.literal_smoothing_frames // 2
    held: deque[TrackedFrame] = deque()
    position = 0
    was_found = False
    for frame in frames:
        gray = frame.image.gray
        found = backend.detect(gray)
        stats.detector_runs += 1
        stats.detector_hits += bool(found)
        stats.most_faces = max(stats.most_faces, len(found))
        points: Points | None = None
        score = math.nan
        if found:
            best = max(found, key=lambda one: one.width)
            points, score = backend.landmarks(gray, best), best.score
            stats.landmark_runs += 1
        stats.times_found += points is not None and not was_found
        stats.times_lost += points is None and was_found
        was_found = points is not None
        picture = frame.image
        if points is not None:
            low, high = points.min(axis=0), points.max(axis=0)
            # the average may lie elsewhere
            margin = (ABOVE + 0.1) * float((high - low).max()) + 8
            picture = picture.crop(*(low - margin).astype(int), *(high + margin).astype(int))
        held.append(
            TrackedFrame(frame.index, frame.time_s, points, score, picture if points is not None else None, frame.image.size_px)
        )
        if len(held) - position > half:
            yield _smoothed(held, position, half)
            position += 1
        if position > half:
            held.popleft()
            position -= 1
    for index in range(position, len(held)):
        yield _smoothed(held, index, half)


def _smoothed(held: deque[TrackedFrame], position: int, half: int) -> TrackedFrame:
    frame = held[position]
    if frame.points_px is None:
        return frame
    near: list[Points] = [frame.points_px]
    for step in (-1, 1):
        for lag in range(1, half + 1):
            index = position + step * lag
            other = held[index].points_px if 0 <= index < len(held) else None
            if other is None:
                break
            near.append(other)
    return TrackedFrame(frame.index, frame.time_s, np.mean(near, axis=0), frame.score, frame.image, frame.image_size_px)
