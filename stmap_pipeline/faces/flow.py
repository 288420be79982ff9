"""Carry points from one picture to the next by sparse optical flow (Lucas and Kanade, pyramidal).

It reaches further than laying a frame on the template does, and is less exact: the help for a head that moves fast.
"""

from __future__ import annotations

import cv2
import numpy as np

from stmap_pipeline.faces.base import Gray, Points
from stmap_pipeline.faces.geometry import Motion, fit_similarity_robust, motion_of

# Faces wider than this are followed on a picture of half the size.
_LARGE_FACE_PX = 160.0
_WINDOW = (15, 15)
_LEVELS = 3
# Share of points that must be followed; below it the face has not moved but vanished.
_MIN_FOLLOWED = 0.5


def follow(before: Gray, after: Gray, points: Points) -> Motion | None:
    """Find the motion of a face from one picture to the next.

    Parameters
    ----------
    before, after : (H, W) array of uint8
        Two successive pictures of one size.
    points : (K, 2) array
        Landmarks in pixels of ``before``.

    Returns
    -------
    Motion or None
        The similarity that most points share; None where too few could be followed.
    """
    height, width = before.shape
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    margin = 0.35 * size + 8
    # multiples of 8 keep the halved picture aligned with the full one
    left, top = (int(max(0, value - margin)) // 8 * 8 for value in low)
    right, bottom = int(min(width, high[0] + margin)), int(min(height, high[1] + margin))
    if right - left < 32 or bottom - top < 32:
        return None
    old, new, scale = before[top:bottom, left:right], after[top:bottom, left:right], 1.0
    if size > _LARGE_FACE_PX:
        scale = 0.5
        half = ((right - left) // 2, (bottom - top) // 2)
        old, new = (cv2.resize(one[: half[1] * 2, : half[0] * 2], half, interpolation=cv2.INTER_AREA) for one in (old, new))
    # a pixel of the halved picture is centered between two of the full one
    shift = np.array([left, top]) + (0.5 / scale - 0.5)
    local = ((points - shift) * scale).astype(np.float32).reshape(-1, 1, 2)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        np.ascontiguousarray(old), np.ascontiguousarray(new), local, None, winSize=_WINDOW, maxLevel=_LEVELS
    )
    good = status[:, 0] == 1
    if good.sum() < _MIN_FOLLOWED * len(points):
        return None
    carried = moved[good, 0].astype(np.float64) / scale + shift
    motion = fit_similarity_robust(points[good], carried)
    # no head comes so much nearer in one frame
    return motion_of(motion) if np.isfinite(motion).all() and 0.5 < motion_of(motion).scale < 2 else None
