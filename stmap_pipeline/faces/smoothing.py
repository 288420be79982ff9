"""Hold frames back until their landmarks can be smoothed with what comes after them: zero phase, bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.video import Frame, Picture


class Segment:
    """An unbroken stretch in which one face was followed, with the corrections the landmark model gave in it.

    Flow places the face to a few hundredths of a pixel but drifts over minutes; the model never drifts but is off by half a
    pixel, another way each time. So a correction is a long average of the model's, into which each new one is faded
    gently: whatever comes in faster would shake the blocks in the middle of the pulse band.

    Parameters
    ----------
    half_s : float
        Half the time in which a correction is faded in, around the moment it was given.
    memory_s : float
        Time after which a correction counts 1/e.
    """

    def __init__(self, half_s: float, memory_s: float) -> None:
        self.closed = False
        self._half_s, self._memory_s = half_s, memory_s
        self._times_s: deque[float] = deque()
        self._corrections: deque[Points] = deque()
        self._old_sum: Points | float = 0.0
        self._old_weight = 0.0
        self._old_s = 0.0
        self.latest: Points | float = 0.0

    def add(self, time_s: float, correction: Points) -> None:
        """Add what the model says at a time, as a shift of the points that flow carries."""
        self._times_s.append(time_s)
        self._corrections.append(correction)
        self.latest = correction

    def correction(self, time_s: float) -> Points | float:
        """Average the corrections for a frame; frames are asked for in order."""
        while self._times_s and self._times_s[0] <= time_s - self._half_s:
            # fully faded in: from now on only its age counts, so its sum is all that must be kept
            self._age_to(self._times_s[0])
            self._times_s.popleft()
            self._old_sum = self._old_sum + self._corrections.popleft()
            self._old_weight += 1.0
        fade = math.exp(-(time_s - self._old_s) / self._memory_s) if self._old_weight else 0.0
        total, weight = self._old_sum * fade, self._old_weight * fade
        for tick_s, correction in zip(self._times_s, self._corrections, strict=True):
            lag = (tick_s - time_s) / self._half_s
            if lag < 1:
                share = math.cos((lag + 1) * math.pi / 4) ** 2 * math.exp(min(0.0, lag * self._half_s / self._memory_s))
                total, weight = total + share * correction, weight + share
        return total / weight if weight > 1e-6 else self.latest

    def _age_to(self, time_s: float) -> None:
        fade = math.exp(-(time_s - self._old_s) / self._memory_s)
        self._old_sum, self._old_weight, self._old_s = self._old_sum * fade, self._old_weight * fade, time_s


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
        The look-ahead: half the time in which a correction is faded in.
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
            points = first.flow_px + segment.correction(first.time_s)
            yield TrackedFrame(first.index, first.time_s, points, first.score, first.picture, first.size_px)
