"""Movement of the head in the image, from its landmarks: what a pulse network is told of motion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.backend import LEFT_EYE, RIGHT_EYE

# ends of the jaw line, beside the ears
_JAW_ENDS = (0, 16)


def head_motion(points_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Compute position, size and roll of the head from its landmarks.

    Parameters
    ----------
    points_px : (T, 68, 2) array of float
        x and y of the landmarks in iBUG order; NaN where the face was lost.

    Returns
    -------
    (T, 4) array of float64
        x and y of the center of the landmarks in face widths (the median distance of the ends of the jaw line); logarithm of the size
        (root mean square distance of the landmarks from their center) in face widths; roll of the line through the eyes in radians,
        clockwise in the image. NaN where the face was lost, and everywhere where no landmark ever moves: those were not tracked.

    Examples
    --------
    >>> points = np.random.default_rng(0).normal(300.0, 50.0, (1, 68, 2)).repeat(3, axis=0)
    >>> points[1] += [30.0, 0.0]
    >>> points[2] = 300.0 + 1.1 * (points[0] - 300.0)
    >>> motion = head_motion(points)
    >>> bool(motion[1, 0] > motion[0, 0]), round(float(np.exp(motion[2, 2] - motion[0, 2])), 3)
    (True, 1.1)
    """
    points = np.asarray(points_px, dtype=np.float64)
    jaw_px = np.linalg.norm(points[:, _JAW_ENDS[1]] - points[:, _JAW_ENDS[0]], axis=1)
    known = np.isfinite(jaw_px)
    # a head is never so still, not even a photograph's: these landmarks are simulated traces'
    if not known.any() or not np.ptp(points[known], axis=0).any():
        return np.full((len(points), 4), np.nan)
    width_px = float(np.median(jaw_px[known]))
    center = points.mean(axis=1)
    size_px = np.sqrt(np.square(points - center[:, None]).sum(axis=2).mean(axis=1))
    x, y = (points[:, RIGHT_EYE].mean(axis=1) - points[:, LEFT_EYE].mean(axis=1)).T
    # landmarks that all lie in one place have no size
    with np.errstate(divide="ignore", invalid="ignore"):
        motion = np.column_stack([center / width_px, np.log(size_px / width_px), np.arctan2(y, x)])
    return np.where(np.isfinite(motion), motion, np.nan)
