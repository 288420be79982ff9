"""What tracking hands on depends on the stored landmarks alone, so that blocks measured from stored ones are the same to the bit.

:func:`keep` brings tracked frames into that form; :func:`replay` makes such frames of a stored track, without tracking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from stmap_pipeline.faces.base import Points, TrackedFrame, TrackingStats
from stmap_pipeline.records import LandmarkTrack
from stmap_pipeline.video import Frame, Image

# Part of the picture that is kept beyond the landmarks, in units of their larger extent. The box begins a fifth of chin to brow
# above the brows, and one that is tilted or of a turned head reaches farther.
SIDES, ABOVE = 0.15, 0.25
_ALIGNED_PX = 4
# Frames that are rounded together: a step of numpy costs more than its 136 numbers.
_AT_ONCE = 32
_LARGEST = 32767


class StaleTrackError(Exception):
    """A stored track is not that of the video at hand."""


def keep(frames: Iterable[TrackedFrame], stats: TrackingStats) -> Iterator[TrackedFrame]:
    """Round the landmarks to the steps in which they are stored, and cut the pictures to what these ask for.

    A picture that is smaller already is counted in ``stats``: what is measured in it cannot be measured again.
    """
    source = iter(frames)
    while held := deque(islice(source, _AT_ONCE)):
        found = [frame.points_px for frame in held if frame.points_px is not None]
        size_px = held[0].image_size_px
        points = storable(np.array(found).reshape(-1, 68, 2), max(size_px))
        kept = zip(points, _surroundings(points, size_px), strict=True)
        # each is let go as it is handed on
        while held:
            frame = held.popleft()
            yield frame if frame.points_px is None else _cut(frame, *next(kept), stats)


def _cut(frame: TrackedFrame, points: Points, edges: tuple[int, int, int, int], stats: TrackingStats) -> TrackedFrame:
    part = frame.image
    if part is None:
        return frame
    left, top, right, bottom = edges
    x, y = part.origin_px
    if x > left or y > top or x + part.size_px[0] < right or y + part.size_px[1] < bottom:
        stats.narrow_pictures += 1
    else:
        part = part.crop(left - x, top - y, right - x, bottom - y, copy=False)
    return TrackedFrame(frame.index, frame.time_s, points, frame.score, part, frame.image_size_px)


def replay(frames: Iterable[Frame], track: LandmarkTrack) -> Iterator[TrackedFrame]:
    """Give the frames of a video with the landmarks that were stored for them.

    Parameters
    ----------
    frames : iterable of Frame
        All frames from which the track was made.
    track : LandmarkTrack
        As read from a shard.

    Yields
    ------
    TrackedFrame
        What :func:`stmap_pipeline.faces.track` gave when the track was made.

    Raises
    ------
    StaleTrackError
        Where the number or the times of the frames are not those of the track.
    """
    found = track.found
    count = 0
    for frame in frames:
        index, count = count, count + 1
        if index >= len(found) or frame.time_s != track.times_s[index]:
            raise StaleTrackError(f"frame {index} at {frame.time_s:.4f} s has no stored landmarks")
        size_px = frame.image.size_px
        points: Points | None = None
        picture: Image | None = None
        if found[index]:
            points = track.points_px[index].astype(np.float64)
            picture = frame.image.crop(*_surroundings(points[None], size_px)[0])
        yield TrackedFrame(frame.index, frame.time_s, points, float(track.score[index]), picture, size_px)
    if count != len(found):
        raise StaleTrackError(f"landmarks are stored for {len(found)} frames, and {count} were decoded")


def storable(points: Points, side_px: int) -> Points:
    """Round to the grid on which landmarks are stored.

    That is in 16-bit steps of 1/32 px in pictures up to 1000 px, 1/16 up to 2000, and so on. What is rounded off moves no block:
    a box is fitted to all points.

    Examples
    --------
    >>> storable(np.array([[100.01, 2000.0]]), 640).tolist()
    [[100.0, 1023.96875]]
    """
    steps = next((one for one in (32, 16, 8) if side_px * one <= 32000), 4)
    # a point farther outside of the picture would have all others stored in larger steps
    rounded = np.rint(points * steps).clip(-_LARGEST, _LARGEST)
    return np.asarray(rounded / steps)


def _surroundings(points: Points, size_px: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of the parts to keep for (T, 68, 2) points, as :meth:`Image.crop` aligns them."""
    found = []
    for (x, y), (right, bottom) in zip(points.min(axis=1).tolist(), points.max(axis=1).tolist(), strict=True):
        extent = max(right - x, bottom - y)
        margin = SIDES * extent
        edges = (
            max(0, int(x - margin)) // _ALIGNED_PX * _ALIGNED_PX,
            max(0, int(y - ABOVE * extent)) // _ALIGNED_PX * _ALIGNED_PX,
            min(size_px[0], -(-int(right + margin) // _ALIGNED_PX) * _ALIGNED_PX),
            min(size_px[1], -(-int(bottom + margin) // _ALIGNED_PX) * _ALIGNED_PX),
        )
        found.append(edges)
    return found
