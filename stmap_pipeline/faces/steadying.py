"""Take the shake out of poses that a head cannot have made: what is not smooth over five frames, and small.

A template is laid on each frame by itself, so noise of the camera and of the codec makes each pose err on its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from stmap_pipeline.faces.pose import Terms

# How many frames before and after it have a say in a pose.
BESIDE = 2
# What a pose departs by from its neighbors is half taken for shake where it is so long, in template pixels. More is a jerk of the
# head, a frame that the camera repeated, or a wrong time: it is left as it was seen.
_SHAKE_PX = 0.15


def steadied(times_s: npt.NDArray[np.float64], poses: Terms, center: complex, reach: float) -> Terms:
    """Free each pose from what departs, with its neighbors, from a course of third order; the first and last two are left.

    Five poses leave one degree of freedom to a cubic in time: their fourth divided difference, which is white noise 70 times
    amplified and next to nothing of any course that a head takes within a sixth of a second (Savitzky and Golay 1964, here for any
    times).

    Parameters
    ----------
    times_s : (T,) array
    poses : (T, 4) array
        As :attr:`~stmap_pipeline.faces.pose.Pose.terms` gives them.
    center, reach : complex and float
        Middle and half extent of the face in the coordinates from which the poses lead.

    Returns
    -------
    (T, 4) array

    Examples
    --------
    >>> times_s = np.array([0.0, 0.03, 0.07, 0.1, 0.13])
    >>> course = np.stack([1 + times_s, 0.1 * times_s, 2j * times_s, 50 * times_s + 400j * times_s**3], axis=1)
    >>> np.allclose(steadied(times_s, course, 0j, 60.0), course)
    True
    >>> shaken = course + [[0, 0, 0, 0.07 * (time_s == 0.07)] for time_s in times_s]
    >>> np.abs(steadied(times_s, shaken, 0j, 60.0) - course)[2].round(3).tolist()
    [0.0, 0.0, 0.0, 0.038]
    """
    found = poses.astype(np.complex128)
    if len(poses) < 2 * BESIDE + 1:
        return found
    five = sliding_window_view(times_s, 2 * BESIDE + 1)
    apart = five[:, :, None] - five[:, None, :]
    # of each time from itself, and where a clock stands still
    apart[apart == 0] = 1
    weights = 1 / apart.prod(axis=2)
    share = weights[:, BESIDE] / (weights * weights).sum(axis=1)
    turn, squeeze, lean, shift = part = share * np.einsum("tk,tck->ct", weights, sliding_window_view(poses, 2 * BESIDE + 1, axis=0))
    length = (
        np.abs(shift + turn * center + squeeze * center.conjugate()) + (np.abs(turn) + np.abs(squeeze)) * reach + np.abs(lean) / 2
    )
    taken = 1 / (1 + (length / (_SHAKE_PX * np.abs(poses[BESIDE:-BESIDE, 0]))) ** 2)
    found[BESIDE:-BESIDE] -= (taken * part).T
    return found
