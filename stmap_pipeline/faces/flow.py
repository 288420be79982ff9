"""Carry points from one picture to the next by sparse optical flow (Lucas and Kanade, pyramidal)."""

from __future__ import annotations

import cv2
import numpy as np

from stmap_pipeline.faces.base import Gray, Points
from stmap_pipeline.faces.geometry import fit_similarity_robust, transform

# Faces wider than this are followed on a picture of half the size: flow is good to a few hundredths of a pixel there too.
_LARGE_FACE_PX = 260.0
_WINDOW = (15, 15)
_LEVELS = 2
# Share of points that must be followed; below it the face has not moved but vanished.
_MIN_FOLLOWED = 0.5


def follow(before: Gray, after: Gray, points: Points) -> Points | None:
    """Carry points from one picture to the next.

    Points that could not be followed, or moved against the others by more than a tenth of the face, are carried by the
    similarity of the rest.

    Parameters
    ----------
    before, after : (H, W) array of uint8
        Two successive pictures of one size.
    points : (K, 2) array
        In pixels of ``before``.

    Returns
    -------
    (K, 2) array or None
        In pixels of ``after``; None where too few points could be followed, or the pictures differ in size.
    """
    if before.shape != after.shape:
        return None
    height, width = before.shape
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    margin = 0.2 * size + 8
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
    good = status.ravel() == 1
    if good.mean() < _MIN_FOLLOWED:
        return None
    carried = moved.reshape(-1, 2).astype(np.float64) / scale + shift
    matrix = fit_similarity_robust(points[good], carried[good], rounds=2)
    rigid = transform(matrix, points)
    stray = ~good | (np.hypot(*(carried - rigid).T) > 0.1 * size)
    carried[stray] = rigid[stray]
    return carried if np.isfinite(carried).all() else None
