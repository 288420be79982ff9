"""Hold frames back until their landmarks can be smoothed with what comes after them: zero phase, bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.video import Frame, Picture


@dataclass(slots=True)
class Segment:
    """An unbroken stretch in which one face was followed, with the corrections the landmark model gave in it."""

    times_s: list[float] = field(default_factory=list)
    corrections: list[Points] = field(default_factory=list)
    closed: bool = False

    def correction(self, time_s: float, half_s: float) -> Points:
        """Average the corrections around a time with raised cosine weights.

        Such weights let a correction come and go smoothly; a plain average would step by its share of the model's jitter, in the
        middle of the pulse band.
        """
        lags = np.array(self.times_s) - time_s
        near = np.abs(lags) < half_s
        if not near.any():
            return self.corrections[int(np.argmin(np.abs(lags)))]
        chosen = np.flatnonzero(near)
        weights = np.cos(lags[chosen] * (np.pi / 2 / half_s)) ** 2 + 1e-9
        stack = np.stack([self.corrections[index] for index in chosen])
        return np.asarray(np.tensordot(weights / weights.sum(), stack, axes=1))

    def forget(self, before_s: float) -> None:
        """Drop corrections that no frame held back can need, so that memory does not grow with the video."""
        while len(self.times_s) > 1 and self.times_s[1] < before_s:
            del self.times_s[0], self.corrections[0]


@dataclass(slots=True)
class _Held:
    index: int
    time_s: float
    size_px: tuple[int, int]
    flow_px: Points | None = None
    score: float = float("nan")
    picture: Picture | None = None
    segment: Segment | None = None


class Delay:
    """A queue of frames that are waiting for the landmarks of the frames after them.

    Parameters
    ----------
    half_s : float
        Half the length of the average: the look-ahead.
    """

    def __init__(self, half_s: float) -> None:
        self._half_s = half_s
        self._queue: deque[_Held] = deque()

    def lost(self, frame: Frame) -> None:
        """Add a frame without a face."""
        self._queue.append(_Held(frame.index, frame.time_s, frame.picture.size_px))

    def followed(self, frame: Frame, points: Points, score: float, segment: Segment) -> None:
        """Add a frame with a face, keeping the part of the picture around it."""
        low, high = points.min(axis=0), points.max(axis=0)
        # the box reaches 1.2 times chin to brow from the chin, and corrections still move it a little
        margin = 0.35 * float((high - low).max()) + 8
        picture = frame.picture.crop(*(low - margin).astype(int), *(high + margin).astype(int))
        self._queue.append(_Held(frame.index, frame.time_s, frame.picture.size_px, points, score, picture, segment))

    def revoke(self, since_index: int) -> None:
        """Turn the frames from a number on into frames without a face: what was followed there was not the face."""
        for held in self._queue:
            if held.index >= since_index:
                held.flow_px = held.picture = held.segment = None

    def ready(self, now_s: float = float("inf")) -> Iterator[TrackedFrame]:
        """Give the frames whose smoothing is complete at a time, in order."""
        while self._queue:
            first = self._queue[0]
            segment = first.segment
            if segment is not None and not segment.closed and first.time_s + self._half_s > now_s:
                return
            self._queue.popleft()
            if segment is None or first.flow_px is None:
                yield TrackedFrame(first.index, first.time_s, None, float("nan"), None, first.size_px)
                continue
            segment.forget(first.time_s - self._half_s)
            points = first.flow_px + segment.correction(first.time_s, self._half_s)
            yield TrackedFrame(first.index, first.time_s, points, first.score, first.picture, first.size_px)
