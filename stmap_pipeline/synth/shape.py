"""The shape of a drawn face: 68 landmarks in the iBUG order, a face of one's own by seed, and two expressions.

The unit is the distance between the eye centers, x to the right of the picture, y down, and the origin in the middle
between the eyes. The mean shape was set by hand from common proportions of a face seen from the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Left half of the picture; the right half mirrors it.
_JAW = [(-1.16, -0.03), (-1.14, 0.28), (-1.09, 0.60), (-1.02, 0.91), (-0.90, 1.20), (-0.73, 1.46), (-0.52, 1.67), (-0.28, 1.82)]
_BROW = [(-0.87, -0.33), (-0.74, -0.45), (-0.56, -0.48), (-0.37, -0.44), (-0.19, -0.355)]
_EYE = [(-0.70, 0.02), (-0.58, -0.08), (-0.42, -0.08), (-0.28, 0.03), (-0.42, 0.08), (-0.57, 0.08)]
_NOSE_LEFT = [(-0.23, 0.80), (-0.12, 0.84)]
_LIPS_LEFT = [(-0.41, 1.19), (-0.27, 1.12), (-0.11, 1.08)]
_LIPS_BELOW_LEFT = [(-0.11, 1.37), (-0.28, 1.32)]
_INNER_LEFT = [(-0.345, 1.195), (-0.11, 1.185)]
_MIDLINE = {
    8: 1.88,
    27: -0.06,
    28: 0.17,
    29: 0.40,
    30: 0.62,
    33: 0.865,
    51: 1.10,
    57: 1.39,
    62: 1.19,
    66: 1.225,
}
# pairs of points that mirror each other
MIRROR = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((31, 35), (32, 34), (48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)),
)
LEFT_EYE = (36, 37, 38, 39, 40, 41)
RIGHT_EYE = (42, 43, 44, 45, 46, 47)


def _mean_shape() -> FloatArray:
    points = np.zeros((68, 2))
    left = {
        **dict(enumerate(_JAW)),
        **dict(zip(range(17, 22), _BROW, strict=True)),
        **dict(zip((36, 37, 38, 39, 40, 41), _EYE, strict=True)),
        **dict(zip((31, 32), _NOSE_LEFT, strict=True)),
        **dict(zip((48, 49, 50), _LIPS_LEFT, strict=True)),
        **dict(zip((58, 59), _LIPS_BELOW_LEFT, strict=True)),
        **dict(zip((60, 61), _INNER_LEFT, strict=True)),
        67: (-0.11, 1.225),
    }
    for index, place in left.items():
        points[index] = place
    for one, other in MIRROR:
        points[other] = points[one] * (-1, 1)
    for index, y in _MIDLINE.items():
        points[index] = (0.0, y)
    return points


MEAN_SHAPE: FloatArray = _mean_shape()
"""(68, 2) landmarks of the mean face, eyes open, mouth closed, in eye distances."""

# name -> red, green, blue of evenly lit skin, 0 to 255
SKIN_TONES: dict[str, tuple[float, float, float]] = {
    "very_light": (238.0, 205.0, 187.0),
    "light": (224.0, 183.0, 158.0),
    "medium": (196.0, 149.0, 117.0),
    "dark": (141.0, 98.0, 73.0),
    "very_dark": (100.0, 70.0, 56.0),
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
        """Give the landmarks with the eyes closed by ``blink`` and the mouth opened by ``mouth``.

        Both run from 0 to 1, and the points move linearly with both. The jaw stays: this mouth opens by its lips.

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
        for index, share in _MOUTH_DROP.items():
            points[index, 1] += mouth * share
        return points


# eye distances by which a wide open mouth of a talking person moves each lip point
_MOUTH_DROP = {
    **dict.fromkeys((50, 51, 52, 61, 62, 63), -0.02),
    **dict.fromkeys((58, 57, 56), 0.16),
    **dict.fromkeys((59, 55), 0.12),
    **dict.fromkeys((67, 66, 65), 0.17),
    **dict.fromkeys((48, 54, 60, 64), 0.03),
}

_HAIR = ((28, 22, 20), (52, 36, 26), (86, 58, 36), (140, 104, 62), (168, 160, 152))
_IRIS = ((70, 44, 26), (88, 62, 36), (84, 104, 84), (78, 108, 138))
_CLOTHES = ((62, 78, 104), (96, 60, 62), (70, 92, 74), (120, 116, 110), (52, 54, 60))


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
    rng = np.random.default_rng([seed, 68])
    points = MEAN_SHAPE.copy()
    # whole parts move together: points that moved on their own would draw a dented face
    points[:17, 0] *= rng.uniform(0.95, 1.05)
    points[4:13, 1] += np.array([0.2, 0.5, 0.8, 1, 1, 1, 0.8, 0.5, 0.2]) * rng.uniform(-0.05, 0.06)
    points[17:27, 1] += rng.uniform(-0.04, 0.03)
    points[27:36, 1] += np.linspace(0.1, 1, 9) * rng.uniform(-0.04, 0.04)
    points[31:36, 0] *= rng.uniform(0.92, 1.1)
    points[48:68, 0] *= rng.uniform(0.92, 1.08)
    points[48:68, 1] += rng.uniform(-0.03, 0.04)
    fullness = rng.uniform(0.85, 1.2)
    middle = points[60:68, 1].mean()
    points[48:60, 1] = middle + (points[48:60, 1] - middle) * fullness
    points[36:48, 1] *= rng.uniform(0.9, 1.15)
    # no face is quite symmetric
    points[:, 1] += points[:, 0] * rng.uniform(-0.012, 0.012)
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    points = (points - (eyes[0] + eyes[1]) / 2) / (eyes[1][0] - eyes[0][0])
    points.flags.writeable = False

    skin = np.array(SKIN_TONES[skin_tone]) * rng.uniform(0.97, 1.03) * (1 + rng.uniform(-0.015, 0.015, 3))
    dark = skin_tone in ("dark", "very_dark")
    hair = np.array(_HAIR[rng.integers(2 if dark else len(_HAIR))], dtype=np.float64)
    return Identity(
        seed=seed,
        skin_tone=skin_tone,
        points=points,
        skin=skin,
        hair=hair,
        iris=np.array(_IRIS[rng.integers(1 if dark else len(_IRIS))], dtype=np.float64),
        lips=skin * (0.76, 0.51, 0.55) + (7.0, 0.0, 2.0),
        clothes=np.array(_CLOTHES[rng.integers(len(_CLOTHES))], dtype=np.float64),
        long_hair=bool(rng.random() < 0.4),
        hairline=float(rng.uniform(-1.02, -0.9)),
    )
