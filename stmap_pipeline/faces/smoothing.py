"""Hold frames back until their landmarks can be smoothed with what comes after them: zero phase, bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.faces.kept import ABOVE, SIDES
from stmap_pipeline.faces.pose import Pose
from stmap_pipeline.faces.relief import Depth
from stmap_pipeline.video import Frame, Picture


class Segment:
    """An unbroken stretch in which one face was followed, and its shape, as the landmark model corrects it.

    The template places the face to a hundredth of a pixel but may drift over minutes; the model never drifts but is off by half
    a pixel, another way each time. So the shape is a long average of what the model says, into which each new word is faded
    gently: whatever comes in faster would shake the blocks in the middle of the pulse band.

    Parameters
    ----------
    shape : (68, 2) array
        Landmarks in template pixels at the start.
    depth : (68,) array
        Of the landmarks.
    half_s : float
        Half the time in which a correction is faded in, around the moment it was given.
    memory_s : (68, 1) array
        Time after which a correction of a point counts 1/e.

    Attributes
    ----------
    latest : (68, 2) array
        The shape that the model gave last.
    region : (4,) tuple of complex
        Corners of what is kept of the picture, in template pixels.
    """

    def __init__(self, shape: Points, depth: Depth, half_s: float, memory_s: npt.NDArray[np.float64]) -> None:
        self.closed, self.depth = False, depth
        self.latest = shape
        self.region = _region(shape)
        self._half_s, self._forget = half_s, -1 / memory_s
        self._times_s: deque[float] = deque()
        self._shapes: deque[Points] = deque()
        self._old_sum = np.zeros_like(shape)
        self._old_weight = np.zeros((len(shape), 1))
        self._old_s = 0.0

    def add(self, time_s: float, shape: Points) -> None:
        """Add what the model says at a time."""
        self._times_s.append(time_s)
        self._shapes.append(shape)
        self.latest = shape
        self.region = _region(shape)

    def shape(self, time_s: float) -> Points:
        """Average the shape for a frame; frames are asked for in order."""
        while self._times_s and self._times_s[0] <= time_s - self._half_s:
            # fully faded in: from now on only its age counts, so its sum is all that must be kept
            fade = self._faded(self._times_s[0])
            self._old_sum = self._old_sum * fade + self._shapes.popleft()
            self._old_weight = self._old_weight * fade + 1.0
            self._old_s = self._times_s.popleft()
        fade = self._faded(time_s)
        total, weight = self._old_sum * fade, self._old_weight * fade
        for tick_s, shape in zip(self._times_s, self._shapes, strict=True):
            lag = (tick_s - time_s) / self._half_s
            if lag >= 1:
                break
            share = math.cos((lag + 1) * math.pi / 4) ** 2
            total += share * shape
            weight += share
        return np.asarray(total / weight) if weight.min() > 1e-6 else self.latest

    def _faded(self, time_s: float) -> npt.NDArray[np.float64]:
        return np.exp(self._forget * (time_s - self._old_s))


def _region(shape: Points) -> tuple[complex, ...]:
    (left, top), (right, bottom) = shape.min(axis=0).tolist(), shape.max(axis=0).tolist()
    extent = max(right - left, bottom - top)
    # more than is kept in the end: corrections and tilt still move the landmarks, and a picture too small cannot be measured again
    beside, above = (SIDES + 0.12) * extent, (ABOVE + 0.12) * extent
    return tuple(complex(x, y) for x in (left - beside, right + beside) for y in (top - above, bottom + beside))


@dataclass(slots=True)
class _Held:
    index: int
    time_s: float
    size_px: tuple[int, int]
    pose: Pose | None = None
    score: float = float("nan")
    picture: Picture | None = None
    segment: Segment | None = None


class Delay:
    """A queue of frames that are waiting for the landmarks of the frames after them.

    Parameters
    ----------
    half_s : float
        The look-ahead: half the time in which a correction is faded in.
    """

    def __init__(self, half_s: float) -> None:
        self._half_s = half_s
        self._queue: deque[_Held] = deque()

    def lost(self, frame: Frame) -> None:
        """Add a frame without a face."""
        self._queue.append(_Held(frame.index, frame.time_s, frame.picture.size_px))

    def followed(self, frame: Frame, pose: Pose, score: float, segment: Segment, part: Picture) -> None:
        """Add a frame with a face and the part of its picture around it."""
        self._queue.append(_Held(frame.index, frame.time_s, frame.picture.size_px, pose, score, part, segment))

    def revoke(self, since_index: int) -> None:
        """Turn the frames from a number on into frames without a face: what was followed there was not the face."""
        for held in self._queue:
            if held.index >= since_index:
                held.pose = held.picture = held.segment = None

    def ready(self, now_s: float = float("inf")) -> Iterator[TrackedFrame]:
        """Give the frames whose smoothing is complete at a time, in order."""
        while self._queue:
            first = self._queue[0]
            segment = first.segment
            if segment is not None and not segment.closed and first.time_s + self._half_s > now_s:
                return
            self._queue.popleft()
            if segment is None or first.pose is None:
                yield TrackedFrame(first.index, first.time_s, None, float("nan"), None, first.size_px)
                continue
            points = first.pose.on(segment.shape(first.time_s), segment.depth)
            yield TrackedFrame(first.index, first.time_s, points, first.score, first.picture, first.size_px)
