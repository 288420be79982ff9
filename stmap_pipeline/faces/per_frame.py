"""Find the face anew in every frame, as in the paper: detector, landmark model, then a moving average over the landmarks.

Meant for comparison. The model's jitter moves the blocks over the skin's texture, which costs 8 dB of pulse and more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat

import numpy as np

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces.backend import Detection, FaceBackend, Points, TrackedFrame, TrackingStats
from stmap_pipeline.faces.search import is_same_face
from stmap_pipeline.faces.smoothing import MARGIN_ABOVE, WAITING_MARGIN, crop_to_landmarks, round_landmarks
from stmap_pipeline.video import Frame


def detect_each_frame(
    frames: Iterable[Frame], config: FacesConfig, backend: FaceBackend, stats: TrackingStats
) -> Iterator[TrackedFrame]:
    """Yield each frame with the landmarks of its largest face, averaged over ``config.per_frame_smoothing_frames`` frames around it.

    Frames without a face stay without; an average includes only the frames of the same unbroken stretch.
    """
    half = config.per_frame_smoothing_frames // 2
    window: deque[TrackedFrame | None] = deque([None] * (2 * half + 1), maxlen=2 * half + 1)
    for one in chain(_detected(frames, backend, stats), repeat(None, half)):
        window.append(one)
        middle = window[half]
        if middle is not None:
            yield _averaged(middle, list(window), half)


def _detected(frames: Iterable[Frame], backend: FaceBackend, stats: TrackingStats) -> Iterator[TrackedFrame]:
    last: Detection | None = None
    was_found = False
    for frame in frames:
        image = frame.image
        found = backend.detect(image.gray)
        stats.detector_runs += 1
        stats.detector_hits += bool(found)
        stats.most_faces = max(stats.most_faces, len(found))
        stats.times_found += bool(found) and not was_found
        stats.times_lost += not found and was_found
        was_found = bool(found)
        if not found:
            yield TrackedFrame(frame.index, frame.time_s, None, math.nan, None, image.size_px)
            continue
        largest = max(found, key=lambda one: one.width)
        stats.face_changes += last is not None and not is_same_face(last, largest)
        last = largest
        points = backend.landmarks(image.gray, largest)
        stats.landmark_runs += 1
        low, high = points.min(axis=0), points.max(axis=0)
        # the averaged landmarks may lie elsewhere
        margin = (MARGIN_ABOVE + WAITING_MARGIN) * float((high - low).max()) + 8
        part = image.crop(*(low - margin).astype(int), *(high + margin).astype(int))
        yield TrackedFrame(frame.index, frame.time_s, points, largest.score, part, image.size_px)


def _averaged(frame: TrackedFrame, window: Sequence[TrackedFrame | None], middle: int) -> TrackedFrame:
    if frame.points_px is None or frame.image is None:
        return frame
    near: list[Points] = [frame.points_px]
    for side in (window[:middle][::-1], window[middle + 1 :]):
        for other in side:
            if other is None or other.points_px is None:
                break
            near.append(other.points_px)
    points = round_landmarks(np.mean(near, axis=0), max(frame.image_size_px))
    return replace(frame, points_px=points, image=crop_to_landmarks(frame.image, points))
