"""Smooth landmarks with zero phase: frames wait in a lookahead buffer until the landmarks after them are known.

The landmarks of a frame are its pose, free of spikes, applied to the shape of the face, averaged over seconds. Memory is bounded.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from stmap_pipeline.faces.backend import Points, TrackedFrame
from stmap_pipeline.faces.pose import IDENTITY, Depths, Pose, PoseCoefficients, project
from stmap_pipeline.video import Frame, Image

# Frames that are smoothed together: a step of numpy costs more than its 136 numbers.
_BATCH = 16
# Frames before and after a pose with which it is compared.
_NEIGHBORS = 2
# Length of a departure from the neighboring poses, in template pixels, of which half is removed. What departs by more is a jerk of the
# head, a frame that the camera repeated, or a wrong time: it is left as measured.
_SPIKE_PX = 0.15
# Part of the image that is kept around the landmarks, beside and below, and above them, in units of their larger extent: the face box
# begins a fifth of chin to brow above the brows, and one that is tilted or of a turned head reaches farther.
MARGIN, MARGIN_ABOVE = 0.15, 0.25
# What waits in the buffer is larger by this, since updates and smoothing still move the landmarks.
WAITING_MARGIN = 0.12
_MAX_STEPS = 32767


class LandmarkSmoother:
    """Shape of one face while it is tracked without interruption, as updates of the landmark model correct it.

    The template places the face to a hundredth of a pixel but may drift over minutes; the landmark model never drifts but is off by
    half a pixel, differently in each frame. So the shape is a long average of the model's landmarks, and each update comes in so slowly
    (two low passes) that nothing of it is left in the band of the pulse: the shape places the blocks.

    Parameters
    ----------
    shape : (68, 2) array
        Landmarks in template pixels at the start.
    depths : (68,) array
        Depths of the landmarks.
    lookahead_s : float
        How far the average looks ahead, and the time constant of the low passes.
    memory_s : (68, 1) array
        Time after which an update of a point weighs 1/e; where it is short, so are the low passes.

    Attributes
    ----------
    closed : bool
        Set when tracking of this face has ended: no update follows.
    latest : (68, 2) array
        Landmarks of the last update.
    crop_corners : (4,) tuple of complex
        Corners of the part of the image to keep, in template pixels.
    center, half_extent : complex and float
        Middle and half extent of the face in template pixels.
    """

    def __init__(self, shape: Points, depths: Depths, lookahead_s: float, memory_s: npt.NDArray[np.float64]) -> None:
        self.closed, self.depths = False, depths
        self.latest = shape
        self.crop_corners = _crop_corners(shape)
        self.center, self.half_extent = complex(*shape.mean(axis=0)), float(np.ptp(shape, axis=0).max()) / 2
        self._lookahead_s, self._decay_rate = lookahead_s, -1 / memory_s
        self._low_pass_rate = -1 / np.minimum(lookahead_s, memory_s / 2)
        self._updates: deque[tuple[float, Points]] = deque()
        self._sum, self._weight = np.zeros_like(shape), np.zeros((len(shape), 1))
        self._consumed_s = 0.0
        # the average, and the states of the first and the second low pass
        self._average = self._once = self._twice = shape
        self._time_s = math.nan

    def update(self, time_s: float, shape: Points) -> None:
        """Add the landmarks that the model found at a time, in template pixels."""
        self._updates.append((time_s, shape))
        self.latest = shape
        self.crop_corners = _crop_corners(shape)

    def shapes(self, times_s: npt.NDArray[np.float64]) -> Points:
        """Return the smoothed shapes at some times, (T, 68, 2); times must increase from call to call."""
        shapes = np.empty((len(times_s), *self._average.shape))
        start = 0
        while start < len(times_s):
            self._consume(float(times_s[start]))
            next_s = self._updates[0][0] - self._lookahead_s if self._updates else math.inf
            stop = max(start + 1, int(np.searchsorted(times_s, next_s)))
            shapes[start:stop] = self._low_passed(times_s[start:stop])
            start = stop
        return shapes

    def _consume(self, time_s: float) -> None:
        """Average in all updates up to the end of the lookahead."""
        while self._updates and self._updates[0][0] - self._lookahead_s <= time_s:
            update_s, shape = self._updates.popleft()
            decay = np.exp(self._decay_rate * (update_s - self._consumed_s))
            self._sum = self._sum * decay + shape
            self._weight = self._weight * decay + 1.0
            self._average, self._consumed_s = self._sum / self._weight, update_s

    def _low_passed(self, times_s: npt.NDArray[np.float64]) -> Points:
        """Return the output of both low passes for an average that stays constant: two exponentials, in closed form."""
        if math.isnan(self._time_s):
            self._once = self._twice = self._average
            self._time_s = float(times_s[0])
        steps_s = np.diff(times_s, prepend=self._time_s)[:, None, None]
        decay = np.exp(self._low_pass_rate * (times_s - self._time_s)[:, None, None])
        gain = np.cumsum(-np.expm1(self._low_pass_rate * steps_s), axis=0)
        once, twice = self._once - self._average, self._twice - self._average
        shapes = self._average + decay * (twice + gain * once)
        self._once, self._twice, self._time_s = self._average + decay[-1] * once, shapes[-1], float(times_s[-1])
        return shapes


def _crop_corners(shape: Points) -> tuple[complex, ...]:
    (left, top), (right, bottom) = shape.min(axis=0).tolist(), shape.max(axis=0).tolist()
    extent = max(right - left, bottom - top)
    beside, above = (MARGIN + WAITING_MARGIN) * extent, (MARGIN_ABOVE + WAITING_MARGIN) * extent
    return tuple(complex(x, y) for x in (left - beside, right + beside) for y in (top - above, bottom + beside))


@dataclass(slots=True)
class _Waiting:
    index: int
    time_s: float
    size_px: tuple[int, int]
    pose: Pose
    score: float = math.nan
    image: Image | None = None
    # None without a face
    smoother: LandmarkSmoother | None = None


class LookaheadBuffer:
    """Queue of frames that wait for the landmarks of the frames after them.

    Parameters
    ----------
    lookahead_s : float
    """

    def __init__(self, lookahead_s: float) -> None:
        self._lookahead_s = lookahead_s
        self._queue: deque[_Waiting] = deque()
        self._done: deque[_Waiting] = deque(maxlen=_NEIGHBORS)

    def add_lost(self, frame: Frame) -> None:
        """Add a frame without a face."""
        self._queue.append(_Waiting(frame.index, frame.time_s, frame.image.size_px, Pose(IDENTITY)))

    def add(self, frame: Frame, pose: Pose, score: float, smoother: LandmarkSmoother, part: Image) -> None:
        """Add a frame with a face and the part of its image around it."""
        self._queue.append(_Waiting(frame.index, frame.time_s, frame.image.size_px, pose, score, part, smoother))

    def invalidate(self, since_index: int) -> None:
        """Turn the frames from an index on into frames without a face: what was tracked there was not the face."""
        for one in self._queue:
            if one.index >= since_index:
                one.image = one.smoother = None
                one.score = math.nan

    def pop_ready(self, now_s: float = math.inf) -> Iterator[TrackedFrame]:
        """Yield the frames whose lookahead has passed at a time, in order: a batch at once, or all that are left."""
        while self._queue and (now_s == math.inf or self._is_ready(now_s)):
            ready = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            landmarks = self._landmarks(list(self._done), ready, list(islice(self._queue, _NEIGHBORS)))
            self._done.extend(ready)
            for one, points in zip(ready, landmarks, strict=True):
                part = None if one.image is None or points is None else crop_to_landmarks(one.image, points)
                one.image = None
                yield TrackedFrame(one.index, one.time_s, points, one.score, part, one.size_px)

    def _is_ready(self, now_s: float) -> bool:
        if len(self._queue) < _BATCH + _NEIGHBORS:
            return False
        last = self._queue[_BATCH - 1]
        return last.smoother is None or last.smoother.closed or last.time_s + self._lookahead_s <= now_s

    @staticmethod
    def _landmarks(before: list[_Waiting], ready: list[_Waiting], after: list[_Waiting]) -> list[Points | None]:
        """Compute the landmarks of the ready frames that have a face; those before and after only serve as neighbors."""
        landmarks: list[Points | None] = [None] * len(ready)
        start = -len(before)
        for smoother, group in groupby([*before, *ready, *after], key=lambda one: one.smoother):
            frames = list(group)
            inside = slice(max(0, -start), max(0, min(len(frames), len(ready) - start)))
            if smoother is not None and frames[inside]:
                times_s = np.array([one.time_s for one in frames])
                poses = np.array([one.pose.coefficients for one in frames])
                poses = despike(times_s, poses, smoother.center, smoother.half_extent)[inside]
                points = round_landmarks(project(poses, smoother.shapes(times_s[inside]), smoother.depths), max(frames[0].size_px))
                landmarks[max(0, start) : max(0, start) + len(points)] = points
            start += len(frames)
        return landmarks


def despike(times_s: npt.NDArray[np.float64], poses: PoseCoefficients, center: complex, half_extent: float) -> PoseCoefficients:
    """Remove from each pose what departs, with its neighbors, from a cubic in time; the first and last two are left.

    A template is aligned with each frame separately, so noise of the camera and of the codec makes each pose err on its own. Five
    poses leave one degree of freedom to a cubic: their fourth divided difference, which amplifies white noise 70 times and is next to
    nothing for any motion of a head within a sixth of a second (Savitzky and Golay 1964, here for any times).

    Parameters
    ----------
    times_s : (T,) array
    poses : (T, 4) array
        :attr:`~stmap_pipeline.faces.pose.Pose.coefficients` of each frame.
    center, half_extent : complex and float
        Middle and half extent of the face in the coordinates that the poses project.

    Returns
    -------
    (T, 4) array

    Examples
    --------
    >>> times_s = np.array([0.0, 0.03, 0.07, 0.1, 0.13])
    >>> cubic = np.stack([1 + times_s, 0.1 * times_s, 2j * times_s, 50 * times_s + 400j * times_s**3], axis=1)
    >>> np.allclose(despike(times_s, cubic, 0j, 60.0), cubic)
    True
    >>> spike = cubic + [[0, 0, 0, 0.07 * (time_s == 0.07)] for time_s in times_s]
    >>> np.abs(despike(times_s, spike, 0j, 60.0) - cubic)[2].round(3).tolist()
    [0.0, 0.0, 0.0, 0.038]
    """
    found = poses.astype(np.complex128)
    size = 2 * _NEIGHBORS + 1
    if len(poses) < size:
        return found
    five = sliding_window_view(times_s, size)
    apart = five[:, :, None] - five[:, None, :]
    # the distance of each time from itself, and of equal times where a clock stands still
    apart[apart == 0] = 1
    weights = 1 / apart.prod(axis=2)
    share = weights[:, _NEIGHBORS] / (weights * weights).sum(axis=1)
    departure = share * np.einsum("tk,tck->ct", weights, sliding_window_view(poses, size, axis=0))
    linear, anisotropy, rotation, shift = departure
    length = (
        np.abs(shift + linear * center + anisotropy * center.conjugate())
        + (np.abs(linear) + np.abs(anisotropy)) * half_extent
        + np.abs(rotation) / 2
    )
    removed = 1 / (1 + (length / (_SPIKE_PX * np.abs(poses[_NEIGHBORS:-_NEIGHBORS, 0]))) ** 2)
    found[_NEIGHBORS:-_NEIGHBORS] -= (removed * departure).T
    return found


def crop_to_landmarks(part: Image, points: Points) -> Image:
    """Return the part of an image that is measured, without a copy: it depends on the landmarks and not on the course of tracking."""
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    extent = max(right - left, bottom - top)
    beside, above = MARGIN * extent, MARGIN_ABOVE * extent
    x, y = part.origin_px
    return part.crop(int(left - beside) - x, int(top - above) - y, int(right + beside) - x, int(bottom + beside) - y, copy=False)


def round_landmarks(points: Points, side_px: int) -> Points:
    """Round landmarks to the 16-bit steps in which they are stored, so that blocks are placed by what is stored.

    A step is 1/32 px in images up to 1000 px, 1/16 px up to 2000, and so on. Rounding moves no block: a box is fitted to all points.

    Examples
    --------
    >>> round_landmarks(np.array([[100.01, 2000.0]]), 640).tolist()
    [[100.0, 1023.96875]]
    """
    steps = next((one for one in (32, 16, 8) if side_px * one <= 32000), 4)
    # a point farther outside of the image would have all others stored in larger steps
    return np.asarray(np.rint(points * steps).clip(-_MAX_STEPS, _MAX_STEPS) / steps)
