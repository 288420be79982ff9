"""Hold frames back until their landmarks can be smoothed with what comes after them: zero phase, bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.faces.kept import ABOVE, SIDES
from stmap_pipeline.faces.pose import Pose
from stmap_pipeline.faces.relief import Depth
from stmap_pipeline.faces.steadying import FRAMES, steadied
from stmap_pipeline.video import Frame, Picture


class Segment:
    """An unbroken stretch in which one face was followed, and its shape, as the landmark model corrects it.

    The template places the face to a hundredth of a pixel but may drift over minutes; the model never drifts but is off by half
    a pixel, another way each time. So the shape is a long average of what the model says, and what each new word adds to it comes
    in so slowly (two low passes) that nothing of it is left in the band of the pulse: blocks hang on the shape.

    Parameters
    ----------
    shape : (68, 2) array
        Landmarks in template pixels at the start.
    depth : (68,) array
        Of the landmarks.
    half_s : float
        How far the average looks ahead, and the time constant of the low passes.
    memory_s : (68, 1) array
        Time after which a correction of a point counts 1/e; where it is short, so are the low passes.

    Attributes
    ----------
    latest : (68, 2) array
        The shape that the model gave last.
    region : (4,) tuple of complex
        Corners of what is kept of the picture, in template pixels.
    center, reach : complex and float
        Middle of the face and half of its extent, in template pixels.
    """

    def __init__(self, shape: Points, depth: Depth, half_s: float, memory_s: npt.NDArray[np.float64]) -> None:
        self.closed, self.depth = False, depth
        self.latest = shape
        self.region = _region(shape)
        self.center, self.reach = complex(*shape.mean(axis=0)), float(np.ptp(shape, axis=0).max()) / 2
        self._half_s, self._forget = half_s, -1 / memory_s
        self._rate = -1 / np.minimum(half_s, memory_s / 2)
        self._words: deque[tuple[float, Points]] = deque()
        self._sum, self._weight = np.zeros_like(shape), np.zeros((len(shape), 1))
        self._heard_s = 0.0
        # the average, and what the first and the second low pass have made of it
        self._average = self._once = self._twice = shape
        self._time_s = math.nan
        self._share: tuple[float, npt.NDArray[np.float64]] = (0.0, np.zeros((len(shape), 1)))

    def add(self, time_s: float, shape: Points) -> None:
        """Add what the model says at a time."""
        self._words.append((time_s, shape))
        self.latest = shape
        self.region = _region(shape)

    def shape(self, time_s: float) -> Points:
        """Give the shape for a frame; frames are asked for in order."""
        while self._words and self._words[0][0] <= time_s + self._half_s:
            word_s, shape = self._words.popleft()
            fade = np.exp(self._forget * (word_s - self._heard_s))
            self._sum = self._sum * fade + shape
            self._weight = self._weight * fade + 1.0
            self._average, self._heard_s = self._sum / self._weight, word_s
        if math.isnan(self._time_s):
            self._once = self._twice = self._average
        else:
            share = self._share_of(time_s - self._time_s)
            self._once = self._once + share * (self._average - self._once)
            self._twice = self._twice + share * (self._once - self._twice)
        self._time_s = time_s
        return self._twice

    def _share_of(self, step_s: float) -> npt.NDArray[np.float64]:
        if step_s != self._share[0]:
            self._share = step_s, -np.expm1(self._rate * step_s)
        return self._share[1]


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
        self._gone: deque[_Held] = deque(maxlen=FRAMES // 2)

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
            else:
                points = self._steadied(first, first.pose, segment).on(segment.shape(first.time_s), segment.depth)
                yield TrackedFrame(first.index, first.time_s, points, first.score, first.picture, first.size_px)
            first.picture = None
            self._gone.append(first)

    def _steadied(self, held: _Held, pose: Pose, segment: Segment) -> Pose:
        around = [*self._gone, held, *islice(self._queue, FRAMES // 2)]
        poses = [one.pose for one in around if one.pose is not None and one.segment is segment]
        if len(poses) < FRAMES:
            return pose
        return steadied([one.time_s for one in around], poses, segment.center, segment.reach)
