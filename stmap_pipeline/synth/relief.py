"""Light and shade: a height field of a face and its brightness under a lamp.

A head is an ellipsoid; nose, brow ridge, cheekbones, lips and chin are hills on it, eye sockets are hollows. The slopes of
that surface give the shading that detectors of faces look for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.canvas import Canvas, Plane

_LAMP = np.array([-0.28, -0.52, 0.81]) / np.linalg.norm([-0.28, -0.52, 0.81])


def relief(canvas: Canvas, points: npt.NDArray[np.float64]) -> Plane:
    """Give the height of the face over the picture plane.

    Parameters
    ----------
    canvas : Canvas
        Its grid is used, it is not changed.
    points : (68, 2) array of float64
        Landmarks, in eye distances.

    Returns
    -------
    (H, W) array of float32
        In eye distances.
    """
    x, y = canvas.grid()
    half_width = float(points[16, 0] - points[0, 0]) / 2
    inside = np.clip(1 - (x / (half_width * 1.12)) ** 2 - ((y - 0.25) / 1.85) ** 2, 0.0025, None)
    height = 1.15 * np.sqrt(inside)

    root, tip, base = float(points[27, 1]), float(points[30, 1]), float(points[33, 1])
    along = np.clip((y - root) / (tip - root), 0, 1)
    ridge = np.where(y < tip, 0.05 + 0.33 * along**1.3, 0.38 * np.exp(-(((y - tip) / (0.75 * (base - tip))) ** 2)))
    ridge = ridge * (1 / (1 + np.exp(-(y - root + 0.1) * 18)))
    height = height + ridge * np.exp(-0.5 * (x / (0.085 + 0.05 * along)) ** 2)
    wing = float(points[35, 0] - points[31, 0]) / 2
    for side in (-1, 1):
        height += 0.13 * canvas.spot(side * wing * 0.78, base - 0.07, 0.075, 0.075)
        height += 0.09 * canvas.spot(side * 0.5, float(points[19, 1]) + 0.04, 0.30, 0.09)
        height -= 0.15 * canvas.spot(side * 0.46, -0.02, 0.22, 0.13)
        height -= 0.07 * canvas.spot(side * 0.24, -0.02, 0.08, 0.12)
        height += 0.09 * canvas.spot(side * 0.68, 0.55, 0.26, 0.20)
        height -= 0.03 * canvas.spot(side * 0.62, 1.15, 0.16, 0.22)
        height += 0.03 * canvas.spot(side * 0.5, 0.13, 0.16, 0.05)
    mouth = float(points[60:68, 1].mean())
    width = float(points[54, 0] - points[48, 0]) / 2
    height += 0.11 * canvas.spot(0, mouth, width * 0.85, 0.20)
    height -= 0.05 * canvas.spot(0, float(points[57, 1]) + 0.09, 0.24, 0.05)
    height += 0.13 * canvas.spot(0, float(points[8, 1]) - 0.17, 0.22, 0.13)
    height -= 0.025 * canvas.spot(0, (base + float(points[51, 1])) / 2, 0.045, 0.09)
    return np.asarray(height, dtype=np.float32)


def shading(height: Plane, px_per_unit: float, ambient: float = 0.50) -> Plane:
    """Give the brightness of a matt surface under a lamp high on the left, about 1 where it faces the lamp.

    Parameters
    ----------
    height : (H, W) array of float32
        In eye distances.
    px_per_unit : float
    ambient : float
        Share of light that comes from everywhere.
    """
    slope_y, slope_x = np.gradient(height, np.float32(1 / px_per_unit))
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    facing = (-slope_x * _LAMP[0] - slope_y * _LAMP[1] + _LAMP[2]) / length
    return np.asarray(ambient + (1 - ambient) * np.clip(facing, 0, 1) * 1.08, dtype=np.float32)
