"""Mean face of all simulations: its landmarks, skin tones, and what its 25 blocks show of skin, blood and shine.

The numbers are set by hand from common proportions of a face seen from the front. The unit of length is the distance between the eye
centers, x to the right of the image, y down, and the origin in the middle between the eyes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# pairs of points that mirror each other
MIRROR = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((31, 35), (32, 34), (48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)),
)


def _mean_shape() -> FloatArray:
    points = np.zeros((68, 2))
    # jaw, brow, eye, wing of the nose, upper lip, lower lip and inner lips of the left half of the image
    points[0:5] = (-1.16, -0.03), (-1.14, 0.28), (-1.09, 0.60), (-1.02, 0.91), (-0.90, 1.20)
    points[5:8] = (-0.73, 1.46), (-0.52, 1.67), (-0.28, 1.82)
    points[17:22] = (-0.87, -0.33), (-0.74, -0.45), (-0.56, -0.48), (-0.37, -0.44), (-0.19, -0.355)
    points[36:42] = (-0.70, 0.02), (-0.58, -0.08), (-0.42, -0.08), (-0.28, 0.03), (-0.42, 0.08), (-0.57, 0.08)
    points[31:33] = (-0.23, 0.80), (-0.12, 0.84)
    points[48:51] = (-0.41, 1.19), (-0.27, 1.12), (-0.11, 1.08)
    points[58:60] = (-0.11, 1.37), (-0.28, 1.32)
    points[[60, 61, 67]] = (-0.345, 1.195), (-0.11, 1.185), (-0.11, 1.225)
    for one, other in MIRROR:
        points[other] = points[one] * (-1, 1)
    points[[8, 27, 28, 29, 30, 33, 51, 57, 62, 66], 1] = 1.88, -0.06, 0.17, 0.40, 0.62, 0.865, 1.10, 1.39, 1.19, 1.225
    return points


MEAN_SHAPE: FloatArray = _mean_shape()
"""(68, 2) landmarks of the mean face, eyes open, mouth closed, in eye distances."""

SKIN_TONES: dict[str, tuple[float, float, float]] = {
    "very_light": (238.0, 205.0, 187.0),
    "light": (224.0, 183.0, 158.0),
    "medium": (196.0, 149.0, 117.0),
    "dark": (141.0, 98.0, 73.0),
    "very_dark": (100.0, 70.0, 56.0),
}
"""Name -> red, green, blue of evenly lit skin, 0 to 255; from light to dark."""

ROWS, COLS = 5, 5
BLOCKS = ROWS * COLS
SKIN_SHARE = np.array(
    [
        [0.45, 0.85, 0.95, 0.85, 0.45],
        [0.55, 0.60, 0.90, 0.60, 0.55],
        [0.80, 1.00, 0.95, 1.00, 0.80],
        [0.70, 0.95, 0.75, 0.95, 0.70],
        [0.30, 0.75, 0.85, 0.75, 0.30],
    ]
).ravel()
"""(25,) share of skin, brows to chin: corners are hair and wall, the second row has the eyes."""
PERFUSION = np.array(
    [
        [0.8, 1.1, 1.2, 1.1, 0.8],
        [0.6, 0.6, 0.9, 0.6, 0.6],
        [1.0, 1.2, 0.9, 1.2, 1.0],
        [0.9, 1.1, 0.6, 1.1, 0.9],
        [0.6, 0.7, 0.7, 0.7, 0.6],
    ]
).ravel()
"""(25,) factor on the pulse of skin: cheeks and forehead most, lips and chin least."""
SHINE = np.array(
    [
        [0.3, 0.8, 1.0, 0.8, 0.3],
        [0.2, 0.3, 1.2, 0.3, 0.2],
        [0.3, 0.6, 1.4, 0.6, 0.3],
        [0.2, 0.4, 0.5, 0.4, 0.2],
        [0.1, 0.3, 0.6, 0.3, 0.1],
    ]
).ravel()
"""(25,) specular reflection when the head turns: brow, nose and chin most."""
MOUTH = np.array(
    [
        [0.02, 0.02, 0.02, 0.02, 0.02],
        [0.04, 0.04, 0.03, 0.04, 0.04],
        [0.15, 0.20, 0.10, 0.20, 0.15],
        [0.35, 0.70, 1.00, 0.70, 0.35],
        [0.35, 0.80, 1.00, 0.80, 0.35],
    ]
).ravel()
"""(25,) how much a block moves with the mouth."""
