"""How far each part of an average face lies before the plane of the picture: what a turn of the head moves by how much.

A paraboloid with a nose. Its three numbers are those with which two real recordings of people who talk and turn were fitted best
(a third less residual than without turns); within a third of each the fit is nearly as good, so an average face will do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points
from stmap_pipeline.faces.geometry import LEFT_EYE, RIGHT_EYE, complex_points

Depth = npt.NDArray[np.float64]

# Curvature across and down, and height of the nose, in distances between the eyes.
_ACROSS, _DOWN, _NOSE = 0.3, 0.25, 0.3
# Where the face lies foremost, and where the nose is and how wide and long, below the middle of the eyes.
_FOREMOST = 0.3
_NOSE_AT, _NOSE_WIDTH, _NOSE_LENGTH = 0.55, 0.3, 0.35


class Relief:
    """The depth of a face, placed by its eyes.

    Parameters
    ----------
    points : (68, 2) array
        Landmarks of the face, in any coordinates.

    Attributes
    ----------
    unit : float
        Distance between the centers of the eyes.

    Examples
    --------
    >>> points = np.zeros((68, 2)); points[36:42] = [30, 40]; points[42:48] = [70, 40]
    >>> nose, cheek = Relief(points).depth(np.array([[50.0, 62.0], [80.0, 62.0]]))
    >>> bool(nose > cheek + 0.4)
    True
    """

    def __init__(self, points: Points) -> None:
        left, right = (complex(*points[eye].mean(axis=0)) for eye in (LEFT_EYE, RIGHT_EYE))
        self._middle, self._across = (left + right) / 2, right - left
        self.unit = abs(self._across)

    def depth(self, points: Points) -> Depth:
        """Give the depth of (K, 2) points in distances between the eyes; only its differences mean anything."""
        place = (complex_points(points) - self._middle) / self._across
        x, y = place.real, place.imag
        nose = np.exp(-((x / _NOSE_WIDTH) ** 2) - ((y - _NOSE_AT) / _NOSE_LENGTH) ** 2)
        return np.asarray(_NOSE * nose - _ACROSS * x**2 - _DOWN * (y - _FOREMOST) ** 2)
