"""Geometry of a drawn face: 68 landmarks in the iBUG order, persons by seed, expressions, and depth for rotation out of the plane.

The unit is the distance between the eye centers, x to the right of the image, y down, and the origin in the middle
between the eyes. The mean shape is that of :mod:`stmap_pipeline.simulation.face`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.face import MEAN_SHAPE, SKIN_TONES

FloatArray = npt.NDArray[np.float64]
Array = TypeVar("Array", npt.NDArray[np.float64], npt.NDArray[np.float32])

LEFT_EYE = (36, 37, 38, 39, 40, 41)
RIGHT_EYE = (42, 43, 44, 45, 46, 47)
_HAIR = ((28, 22, 20), (52, 36, 26), (86, 58, 36), (140, 104, 62), (168, 160, 152))
_IRIS = ((70, 44, 26), (88, 62, 36), (84, 104, 84), (78, 108, 138))
_CLOTHES = ((62, 78, 104), (96, 60, 62), (70, 92, 74), (120, 116, 110), (52, 54, 60))
# eye distances by which a wide open mouth of a talking person moves each lip point
_MOUTH_OPENING = {
    **dict.fromkeys((50, 51, 52, 61, 62, 63), -0.02),
    **dict.fromkeys((58, 57, 56), 0.16),
    **dict.fromkeys((59, 55), 0.12),
    **dict.fromkeys((67, 66, 65), 0.17),
    **dict.fromkeys((48, 54, 60, 64), 0.03),
}


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """One drawn person: shape, colors and hair. The same seed and tone give the same person.

    Parameters
    ----------
    seed : int
    skin_tone : str
        A key of :data:`SKIN_TONES`.
    points : (68, 2) array of float64
        Landmarks at rest, in eye distances.
    skin, hair, iris, lips, clothes : (3,) array of float64
        Red, green and blue, 0 to 255.
    long_hair : bool
    hairline : float
        Height of the hairline, in eye distances (negative: above the eyes).
    """

    seed: int
    skin_tone: str
    points: FloatArray
    skin: FloatArray
    hair: FloatArray
    iris: FloatArray
    lips: FloatArray
    clothes: FloatArray
    long_hair: bool
    hairline: float

    def expression(self, blink: float = 0.0, mouth: float = 0.0) -> FloatArray:
        """Compute the landmarks with the eyes closed by ``blink`` and the mouth opened by ``mouth``, both from 0 to 1.

        The points move linearly with both. The jaw does not move; the lips alone open the mouth.

        Returns
        -------
        (68, 2) array of float64
            In eye distances.
        """
        points = self.points.copy()
        for outer, up_a, up_b, inner, low_b, low_a in (LEFT_EYE, RIGHT_EYE):
            line = (self.points[[low_a, low_b]] * 3 + self.points[[outer, inner]]) / 4
            for upper, lower, goal in ((up_a, low_a, line[0]), (up_b, low_b, line[1])):
                points[upper] += blink * (goal - self.points[upper] - (0.0, 0.012))
                points[lower] += blink * (goal - self.points[lower] + (0.0, 0.012))
        for index, shift in _MOUTH_OPENING.items():
            points[index, 1] += mouth * shift
        return points


@lru_cache(maxsize=64)
def make_identity(seed: int, skin_tone: str = "medium") -> Identity:
    """Draw a person by seed.

    Raises
    ------
    ValueError
        Where the skin tone is not in :data:`SKIN_TONES`.

    Examples
    --------
    >>> person = make_identity(7, "dark")
    >>> person.points.shape, round(float(person.points[42:48, 0].mean() - person.points[36:42, 0].mean()), 6)
    ((68, 2), 1.0)
    """
    if skin_tone not in SKIN_TONES:
        raise ValueError(f"no skin tone is called {skin_tone!r} (known: {', '.join(SKIN_TONES)})")
    random = np.random.default_rng([seed, 68])
    points = MEAN_SHAPE.copy()
    # whole parts move together: points that moved on their own would dent the face
    points[:17, 0] *= random.uniform(0.95, 1.05)
    points[4:13, 1] += np.array([0.2, 0.5, 0.8, 1, 1, 1, 0.8, 0.5, 0.2]) * random.uniform(-0.05, 0.06)
    points[17:27, 1] += random.uniform(-0.04, 0.03)
    points[27:36, 1] += np.linspace(0.1, 1, 9) * random.uniform(-0.04, 0.04)
    points[31:36, 0] *= random.uniform(0.92, 1.1)
    points[48:68, 0] *= random.uniform(0.92, 1.08)
    points[48:68, 1] += random.uniform(-0.03, 0.04)
    fullness = random.uniform(0.85, 1.2)
    middle = points[60:68, 1].mean()
    points[48:60, 1] = middle + (points[48:60, 1] - middle) * fullness
    points[36:48, 1] *= random.uniform(0.9, 1.15)
    # no face is quite symmetric
    points[:, 1] += points[:, 0] * random.uniform(-0.012, 0.012)
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    points = (points - (left + right) / 2) / (right[0] - left[0])
    points.flags.writeable = False

    skin = np.array(SKIN_TONES[skin_tone]) * random.uniform(0.97, 1.03) * (1 + random.uniform(-0.015, 0.015, 3))
    dark = skin_tone in ("dark", "very_dark")
    hair = np.array(_HAIR[random.integers(2 if dark else len(_HAIR))], dtype=np.float64)
    return Identity(
        seed=seed,
        skin_tone=skin_tone,
        points=points,
        skin=skin,
        hair=hair,
        iris=np.array(_IRIS[random.integers(1 if dark else len(_IRIS))], dtype=np.float64),
        lips=skin * (0.76, 0.51, 0.55) + (7.0, 0.0, 2.0),
        clothes=np.array(_CLOTHES[random.integers(len(_CLOTHES))], dtype=np.float64),
        long_hair=bool(random.random() < 0.4),
        hairline=float(random.uniform(-1.02, -0.9)),
    )


def face_depth(x: Array, y: Array) -> Array:
    """Compute how far points of the face lie in front of the rotation axis in the neck, all in eye distances.

    A paraboloid that ends on the neck, with a nose on it. It is smoother than a real face, so that no part hides another
    in rotations up to about 20 degrees.

    Examples
    --------
    >>> nose, cheek, collar = face_depth(np.array([0.0, 0.9, 0.0]), np.array([0.6, 0.6, 2.4]))
    >>> bool(nose > cheek > 0.5 > 1e-9 > collar)
    True
    """
    head = np.maximum(1.1 * (1 - (x / 1.9) ** 2 - ((y - 0.2) / 2.1) ** 2), 0)
    nose = 0.3 * np.exp(-((x / 0.3) ** 2) - ((y - 0.55) / 0.32) ** 2)
    return np.asarray(head + nose, dtype=x.dtype)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotation of the head out of the image plane, in radians: positive yaw takes the nose to the right, positive pitch down."""

    yaw_rad: float
    pitch_rad: float

    def project(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Compute where points of the face at rest are seen, in the same units.

        Examples
        --------
        >>> x, y = Rotation(0.1, 0.0).project(np.zeros(1), np.full(1, 0.2))
        >>> round(float(x[0]), 4), float(y[0])
        (0.1189, 0.2)
        """
        z = face_depth(x, y)
        return (
            x * math.cos(self.yaw_rad) + z * math.sin(self.yaw_rad),
            y * math.cos(self.pitch_rad) + z * math.sin(self.pitch_rad),
        )

    def unproject(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Compute which points of the face at rest are seen at places: the inverse of :meth:`project`, by fixed-point iteration."""
        source_x, source_y = x, y
        for _ in range(8):
            z = face_depth(source_x, source_y)
            source_x = np.asarray((x - z * math.sin(self.yaw_rad)) / math.cos(self.yaw_rad), dtype=x.dtype)
            source_y = np.asarray((y - z * math.sin(self.pitch_rad)) / math.cos(self.pitch_rad), dtype=y.dtype)
        return source_x, source_y
