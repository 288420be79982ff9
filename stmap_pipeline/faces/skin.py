"""Where in an upright picture of a face skin is seen in every frame, as landmarks tell it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points
from stmap_pipeline.faces.geometry import LEFT_EYE, MOUTH, RIGHT_EYE


def skin_weights(points: Points, side: int) -> npt.NDArray[np.float32]:
    """Weight the inside of the face, without eyes, mouth and the border, where background shows.

    Parameters
    ----------
    points : (68, 2) array
        Landmarks in pixels of the picture.
    side : int
        Of the picture in pixels.

    Returns
    -------
    (side, side) array
        0 to 1, soft at the edges.

    Examples
    --------
    >>> points = np.full((68, 2), 64.0)
    >>> points[:4] = [[4, 4], [124, 4], [124, 124], [4, 124]]
    >>> points[LEFT_EYE] = points[RIGHT_EYE] = [[34, 44], [40, 44], [48, 44], [54, 44], [48, 44], [40, 44]]
    >>> weights = skin_weights(points, 128)
    >>> nose, eye, corner = weights[54, 74], weights[44, 44], weights[4, 4]
    >>> [round(float(one), 2) for one in (nose, eye, corner)]
    [1.0, 0.0, 0.0]
    """
    weights = np.zeros((side, side), np.float32)
    fill_hull(weights, points, 1.0)
    weights = cv2.erode(weights, np.ones((max(3, side // 16),) * 2))
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for eye in (points[LEFT_EYE], points[RIGHT_EYE]):
        width = float(np.hypot(*(eye[3] - eye[0])))
        # a blink changes all between lash and brow, however far the eye is open in the first frame
        ellipse = np.column_stack([0.75 * np.cos(turns), 0.6 * np.sin(turns) - 0.1]) * width
        fill_hull(weights, eye.mean(axis=0) + ellipse, 0.0)
    mouth = points[MOUTH]
    fill_hull(weights, mouth.mean(axis=0) + (mouth - mouth.mean(axis=0)) * np.array([1.4, 1.8]), 0.0)
    return np.asarray(cv2.GaussianBlur(weights, (0, 0), max(1.0, side / 64)), dtype=np.float32)


def fill_hull(weights: npt.NDArray[np.float32], points: Points, value: float) -> None:
    """Set the inside of the convex hull of points (N, 2), in pixels, in an array (H, W).

    Examples
    --------
    >>> weights = np.zeros((3, 4), np.float32)
    >>> fill_hull(weights, np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), 1.0)
    >>> weights.astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    """
    hull = cv2.convexHull(np.round(points * 16).astype(np.int32).reshape(-1, 1, 2))
    cv2.fillConvexPoly(weights, hull, value, lineType=cv2.LINE_8, shift=4)
