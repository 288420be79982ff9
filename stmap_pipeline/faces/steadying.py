"""Take the shake out of poses that a head cannot have made: what is not smooth over five frames, and small.

A template is laid on each frame by itself, so noise of the camera and of the codec makes each pose err on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from stmap_pipeline.faces.geometry import Motion
from stmap_pipeline.faces.pose import Pose

FRAMES = 5
# What a pose departs by from its neighbors is half taken for shake where it is so long, in template pixels. More is a jerk of the
# head, a frame that the camera repeated, or a wrong time: it is left as it was seen.
_SHAKE_PX = 0.15


def steadied(times_s: Sequence[float], poses: Sequence[Pose], center: complex, reach: float) -> Pose:
    """Give the middle one of five poses, freed from what departs from a course of third order.

    Five poses leave one degree of freedom to a cubic in time: their fourth divided difference, which is white noise 70 times
    amplified and next to nothing of any course that a head takes within a sixth of a second (Savitzky and Golay 1964, here for any
    times).

    Parameters
    ----------
    times_s : sequence of 5 floats
    poses : sequence of 5 Pose
    center, reach : complex and float
        Middle and half extent of the face in the coordinates from which the poses lead.

    Examples
    --------
    >>> times_s = [0.0, 0.03, 0.07, 0.1, 0.13]
    >>> course = [Pose(Motion(1 + 0j, 50 * t + 400j * t**3), 2j * t, 0.1 * t) for t in times_s]
    >>> abs(steadied(times_s, course, 0j, 60.0).motion.shift - course[2].motion.shift) < 1e-9
    True
    >>> shaken = [pose._replace(motion=Motion(1 + 0j, pose.motion.shift + 0.07 * (t == 0.07))) for t, pose in zip(times_s, course)]
    >>> round(abs(steadied(times_s, shaken, 0j, 60.0).motion.shift - course[2].motion.shift), 3)
    0.038
    """
    weights = []
    for one in times_s:
        product = 1.0
        for other in times_s:
            if other != one:
                product *= one - other
        weights.append(1 / product)
    share = weights[2] / sum(weight * weight for weight in weights)
    # a pose is linear in these four
    turn = squeeze = lean = shift = 0j
    for weight, pose in zip(weights, poses, strict=True):
        part = share * weight * pose.motion.turn
        turn += part
        squeeze += part * pose.squeeze
        lean += part * pose.lean
        shift += share * weight * pose.motion.shift
    middle = poses[2]
    length = abs(shift + turn * center + squeeze * center.conjugate()) + (abs(turn) + abs(squeeze)) * reach + abs(lean) / 2
    taken = 1 / (1 + (length / (_SHAKE_PX * middle.motion.scale)) ** 2)
    whole = middle.motion.turn - taken * turn
    return Pose(
        Motion(whole, middle.motion.shift - taken * shift),
        (middle.motion.turn * middle.lean - taken * lean) / whole,
        (middle.motion.turn * middle.squeeze - taken * squeeze) / whole,
    )
