"""Hold frames back until their landmarks can be smoothed with what comes after them: zero phase, bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.faces.geometry import Similarity, transform
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
    half_s : float
        Half the time in which a correction is faded in, around the moment it was given.
    memory_s : (68, 1) array
        Time after which a correction of a point counts 1/e.

    Attributes
    ----------
    latest : (68, 2) array
        The shape that the model gave last.
    """

    def __init__(self, shape: Points, half_s: float, memory_s: npt.NDArray[np.float64]) -> None:
        self.closed = False
        self.latest = shape
        self._half_s, self._memory_s = half_s, memory_s
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
            if lag < 1:
                share = math.cos((lag + 1) * math.pi / 4) ** 2
                total, weight = total + share * shape, weight + share
        return np.asarray(total / weight) if weight.min() > 1e-6 else self.latest

    def _faded(self, time_s: float) -> npt.NDArray[np.float64]:
        return np.exp((self._old_s - time_s) / self._memory_s)


@dataclass(slots=True)
class _Held:
    index: int
    time_s: float
    size_px: tuple[int, int]
    motion: Similarity | None = None
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

    def followed(self, frame: Frame, motion: Similarity, score: float, segment: Segment) -> None:
        """Add a frame with a face, keeping the part of the picture around it."""
        points = transform(motion, segment.latest)
        low, high = points.min(axis=0), points.max(axis=0)
        # the box reaches 1.2 times chin to brow from the chin, and corrections still move it a little
        margin = 0.35 * float((high - low).max()) + 8
        picture = frame.picture.crop(*(low - margin).astype(int), *(high + margin).astype(int))
        self._queue.append(_Held(frame.index, frame.time_s, frame.picture.size_px, motion, score, picture, segment))

    def revoke(self, since_index: int) -> None:
        """Turn the frames from a number on into frames without a face: what was followed there was not the face."""
        for held in self._queue:
            if held.index >= since_index:
                held.motion = held.picture = held.segment = None

    def ready(self, now_s: float = float("inf")) -> Iterator[TrackedFrame]:
        """Give the frames whose smoothing is complete at a time, in order."""
        while self._queue:
            first = self._queue[0]
            segment = first.segment
            if segment is not None and not segment.closed and first.time_s + self._half_s > now_s:
                return
            self._queue.popleft()
            if segment is None or first.motion is None:
                yield TrackedFrame(first.index, first.time_s, None, float("nan"), None, first.size_px)
                continue
            points = _storable(transform(first.motion, segment.shape(first.time_s)), max(first.size_px))
            yield TrackedFrame(first.index, first.time_s, points, first.score, first.picture, first.size_px)


def _storable(points: Points, side_px: int) -> Points:
    """Round to the grid on which landmarks are stored, so that blocks measured from stored ones come out the same.

    Landmarks are stored as 16-bit steps: of 1/32 px in pictures up to 1000 px, 1/16 up to 2000, and so on. What is rounded off
    moves no block: a box is fitted to all points.
    """
    steps = next((one for one in (32, 16, 8) if side_px * one <= 32000), 4)
    return np.asarray(np.round(points * steps) / steps)
