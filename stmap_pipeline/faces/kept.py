"""What tracking hands on depends on the stored landmarks alone, so that blocks measured from stored ones are the same to the bit.

:func:`keep` brings each tracked frame into that form; :func:`replay` makes such frames of a stored track, without tracking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from stmap_pipeline.faces.base import Points, TrackedFrame, TrackingStats
from stmap_pipeline.records import LandmarkTrack
from stmap_pipeline.video import Frame, Picture

# Part of the picture that is kept beyond the landmarks, in units of their larger extent. The box begins a fifth of chin to brow
# above the brows, and one that is tilted or of a turned head reaches farther.
SIDES, ABOVE = 0.15, 0.25
_ALIGNED_PX = 4
_LARGEST = 32767


class StaleTrackError(Exception):
    """A stored track is not that of the video at hand."""


def keep(frame: TrackedFrame, stats: TrackingStats) -> TrackedFrame:
    """Round the landmarks to the steps in which they are stored, and cut the picture to what these ask for.

    A picture that is smaller already is counted in ``stats``: what is measured in it cannot be measured again.
    """
    if frame.points_px is None or frame.picture is None:
        return frame
    points = storable(frame.points_px, max(frame.picture_size_px))
    left, top, right, bottom = _surroundings(points, frame.picture_size_px)
    part = frame.picture
    x, y = part.origin_px
    if x > left or y > top or x + part.size_px[0] < right or y + part.size_px[1] < bottom:
        stats.narrow_pictures += 1
    else:
        part = part.crop(left - x, top - y, right - x, bottom - y, copy=False)
    return TrackedFrame(frame.index, frame.time_s, points, frame.score, part, frame.picture_size_px)


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
        size_px = frame.picture.size_px
        points: Points | None = None
        picture: Picture | None = None
        if found[index]:
            points = track.points_px[index].astype(np.float64)
            picture = frame.picture.crop(*_surroundings(points, size_px))
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
    rounded = np.rint(points * steps)
    if rounded.max() > _LARGEST or rounded.min() < -_LARGEST:
        # a point so far outside of the picture would have all others stored in larger steps
        rounded = np.clip(rounded, -_LARGEST, _LARGEST)
    return np.asarray(rounded / steps)


def _surroundings(points: Points, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part to keep, as :meth:`Picture.crop` aligns it."""
    (x, y), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    extent = max(right - x, bottom - y)
    margin = SIDES * extent
    return (
        max(0, int(x - margin)) // _ALIGNED_PX * _ALIGNED_PX,
        max(0, int(y - ABOVE * extent)) // _ALIGNED_PX * _ALIGNED_PX,
        min(size_px[0], -(-int(right + margin) // _ALIGNED_PX) * _ALIGNED_PX),
        min(size_px[1], -(-int(bottom + margin) // _ALIGNED_PX) * _ALIGNED_PX),
    )
