"""Hold frames back until their landmarks can be smoothed with what comes after them: zero phase, bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.faces.geometry import STILL
from stmap_pipeline.faces.kept import ABOVE, SIDES
from stmap_pipeline.faces.pose import Pose, placed
from stmap_pipeline.faces.relief import Depth
from stmap_pipeline.faces.steadying import BESIDE, steadied
from stmap_pipeline.video import Frame, Image

# Frames that are placed together: a step of numpy costs more than its 136 numbers.
_AT_ONCE = 16


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

    def add(self, time_s: float, shape: Points) -> None:
        """Add what the model says at a time."""
        self._words.append((time_s, shape))
        self.latest = shape
        self.region = _region(shape)

    def shapes(self, times_s: npt.NDArray[np.float64]) -> Points:
        """Give the shapes for some frames, (T, 68, 2); frames are asked for in order."""
        shapes = np.empty((len(times_s), *self._average.shape))
        start = 0
        while start < len(times_s):
            self._hear(float(times_s[start]))
            next_s = self._words[0][0] - self._half_s if self._words else math.inf
            stop = max(start + 1, int(np.searchsorted(times_s, next_s)))
            shapes[start:stop] = self._followed(times_s[start:stop])
            start = stop
        return shapes

    def _hear(self, time_s: float) -> None:
        """Take in what was said up to the end of the look-ahead."""
        while self._words and self._words[0][0] - self._half_s <= time_s:
            word_s, shape = self._words.popleft()
            fade = np.exp(self._forget * (word_s - self._heard_s))
            self._sum = self._sum * fade + shape
            self._weight = self._weight * fade + 1.0
            self._average, self._heard_s = self._sum / self._weight, word_s

    def _followed(self, times_s: npt.NDArray[np.float64]) -> Points:
        """Give what both low passes make of an average that stays: two exponentials, in closed form."""
        if math.isnan(self._time_s):
            self._once = self._twice = self._average
            self._time_s = float(times_s[0])
        steps_s = np.diff(times_s, prepend=self._time_s)[:, None, None]
        left = np.exp(self._rate * (times_s - self._time_s)[:, None, None])
        gained = np.cumsum(-np.expm1(self._rate * steps_s), axis=0)
        once, twice = self._once - self._average, self._twice - self._average
        shapes = self._average + left * (twice + gained * once)
        self._once, self._twice, self._time_s = self._average + left[-1] * once, shapes[-1], float(times_s[-1])
        return shapes


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
    pose: Pose
    score: float = math.nan
    image: Image | None = None
    # None without a face
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
        self._gone: deque[_Held] = deque(maxlen=BESIDE)

    def lost(self, frame: Frame) -> None:
        """Add a frame without a face."""
        self._queue.append(_Held(frame.index, frame.time_s, frame.image.size_px, Pose(STILL)))

    def followed(self, frame: Frame, pose: Pose, score: float, segment: Segment, part: Image) -> None:
        """Add a frame with a face and the part of its picture around it."""
        self._queue.append(_Held(frame.index, frame.time_s, frame.image.size_px, pose, score, part, segment))

    def revoke(self, since_index: int) -> None:
        """Turn the frames from a number on into frames without a face: what was followed there was not the face."""
        for held in self._queue:
            if held.index >= since_index:
                held.image = held.segment = None
                held.score = math.nan

    def ready(self, now_s: float = math.inf) -> Iterator[TrackedFrame]:
        """Give frames whose smoothing is complete at a time, in order: some at once, or all that are left."""
        while self._queue and (now_s == math.inf or self._waited(now_s)):
            ready = [self._queue.popleft() for _ in range(min(_AT_ONCE, len(self._queue)))]
            points = self._points(list(self._gone), ready, list(islice(self._queue, BESIDE)))
            self._gone.extend(ready)
            for held, found in zip(ready, points, strict=True):
                yield TrackedFrame(held.index, held.time_s, found, held.score, held.image, held.size_px)
                held.image = None

    def _waited(self, now_s: float) -> bool:
        if len(self._queue) < _AT_ONCE + BESIDE:
            return False
        last = self._queue[_AT_ONCE - 1]
        return last.segment is None or last.segment.closed or last.time_s + self._half_s <= now_s

    @staticmethod
    def _points(before: list[_Held], ready: list[_Held], after: list[_Held]) -> list[Points | None]:
        """Give the landmarks of frames that have a face; those before and after them only have a say in the poses."""
        points: list[Points | None] = [None] * len(ready)
        start = -len(before)
        for segment, stretch in groupby([*before, *ready, *after], key=lambda held: held.segment):
            same = list(stretch)
            inside = slice(max(0, -start), max(0, min(len(same), len(ready) - start)))
            if segment is not None and same[inside]:
                times_s = np.array([held.time_s for held in same])
                poses = steadied(times_s, np.array([held.pose.terms for held in same]), segment.center, segment.reach)
                found = placed(poses[inside], segment.shapes(times_s[inside]), segment.depth)
                points[max(0, start) : max(0, start) + len(found)] = found
            start += len(same)
        return points
