"""Frames from a stored track: with the landmarks that were stored for them, without tracking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from stmap_pipeline.faces.backend import Points, TrackedFrame
from stmap_pipeline.records import LandmarkTrack
from stmap_pipeline.video import Frame, Image

# Part of the picture that is kept beyond the landmarks, in units of their larger extent. The box begins a fifth of chin to brow
# above the brows, and one that is tilted or of a turned head reaches farther.
SIDES, ABOVE = 0.15, 0.25
_ALIGNED_PX = 4


class StaleTrackError(Exception):
    """A stored track is not that of the video at hand."""


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
