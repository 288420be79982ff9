"""The parts of a face that move or have a color of their own: eyes, brows, nostrils, lips."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.canvas import Canvas, Plane, smooth_line
from stmap_pipeline.synth.shape import LEFT_EYE, RIGHT_EYE, Identity

Points = npt.NDArray[np.float64]


def _circle(x: float, y: float, radius: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def paint_eyes(canvas: Canvas, who: Identity, points: Points, light: Plane) -> None:
    """Paint both eyes as open as the points say: white, iris, pupil, lid shadow, lashes and crease.

    ``light`` is the shading of the canvas; an eyeball takes half of it, because it is wet and round on its own.
    """
    lash = who.hair * 0.35 + (8.0, 5.0, 4.0)
    white = np.array([226.0, 220.0, 214.0]) * (0.55 + 0.45 * np.sqrt(who.skin[1] / 205.0))
    glow = (0.5 + 0.5 * light)[..., None]
    for corners in (LEFT_EYE, RIGHT_EYE):
        ring = points[list(corners)]
        upper, lower = smooth_line(ring[:4]), smooth_line(np.vstack([ring[3:], ring[:1]]))
        rest = who.points[list(corners)]
        center_x, center_y = float(rest[:, 0].mean()), float(rest[:, 1].mean()) - 0.012
        opening = float(ring[[4, 5], 1].mean() - ring[[1, 2], 1].mean())

        crease = smooth_line(ring[:4] + np.array([(0, -0.02), (0, -0.075), (0, -0.075), (0, -0.03)]))
        canvas.shade(canvas.stroke(crease, 0.025, 0.014), 0.72)
        # a closed lid is skin; an open one leaves the white free
        if opening > 0.03:
            ball = canvas.shape(np.vstack([upper, lower]), 0.008)
            canvas.lay(ball, white * glow, skin=0.0)
            iris = ball * canvas.shape(_circle(center_x, center_y, 0.098), 0.008)
            canvas.lay(iris, who.iris * 0.45)
            canvas.lay(ball * canvas.shape(_circle(center_x, center_y, 0.084), 0.012), who.iris)
            canvas.lay(ball * canvas.shape(_circle(center_x, center_y, 0.043), 0.006), (10, 8, 8))
            canvas.lay(ball * canvas.shape(_circle(center_x - 0.03, center_y - 0.03, 0.017), 0.005), (250, 250, 250))
            canvas.shade(ball * canvas.stroke(upper, 0.05, 0.02), 0.55)
        lashes = canvas.stroke(upper, 0.032, 0.008)
        canvas.lay(lashes * 0.9, lash, skin=0.0)
        canvas.lay(canvas.stroke(lower, 0.014, 0.008) * 0.45, lash * 0.6 + who.skin * 0.25)


def paint_brows(canvas: Canvas, who: Identity) -> None:
    """Paint both brows: thick at the nose, thin at the temple."""
    thickness = np.array([0.018, 0.045, 0.055, 0.058, 0.045])
    for line, widths in ((who.points[17:22], thickness), (who.points[22:27], thickness[::-1])):
        offset = np.stack([np.zeros(5), widths], axis=1)
        outline = np.vstack([smooth_line(line - offset * 0.8), smooth_line(line + offset)[::-1]])
        # darker than the skin they stand on, whatever the hair: or no landmark model could find them
        canvas.lay(canvas.shape(outline, 0.018) * 0.88, np.minimum(who.hair * 0.8, who.skin * 0.36), skin=0.0)


def paint_nose(canvas: Canvas, who: Identity) -> None:
    """Paint nostrils, the shadow under the tip, and the folds from the wings."""
    points = who.points
    for side, wing, hole, corner in ((-1, 31, 32, 48), (1, 35, 34, 54)):
        x, y = (points[wing] + points[hole]) / 2
        canvas.shade(canvas.spot(float(x) - side * 0.03, float(y) - 0.005, 0.055, 0.026), 0.30)
        fold = points[wing] + np.array([(side * 0.02, -0.10), (side * 0.045, -0.02), (0.0, 0.035)])
        canvas.shade(canvas.stroke(smooth_line(fold), 0.022, 0.018), 0.70)
        laugh = points[[wing, wing, corner]] + np.array([(side * 0.06, -0.02), (side * 0.20, 0.17), (side * 0.09, -0.02)])
        canvas.shade(canvas.stroke(smooth_line(laugh), 0.03, 0.03), 0.88)
    under = smooth_line([points[31] + (0.05, 0.02), points[32], points[33], points[34], points[35] + (-0.05, 0.02)])
    canvas.shade(canvas.stroke(under, 0.028, 0.018), 0.66)


def paint_mouth(canvas: Canvas, who: Identity, points: Points, light: Plane) -> None:
    """Paint the lips as open as the points say, and what is seen between them."""
    outer = smooth_line(points[48:60], closed=True)
    upper = smooth_line(points[60:65])
    lower = smooth_line(np.vstack([points[64:68], points[60:61]]))
    tint = light[..., None]
    mask = canvas.shape(outer, 0.014)
    canvas.lay(mask * 0.85, who.lips * tint)
    below = np.vstack([smooth_line(points[[64, 55, 56, 57, 58, 59, 60]]), lower[::-1]])
    middle = (points[57] + points[66]) / 2
    canvas.shade(mask * canvas.shape(np.vstack([smooth_line(points[48:55]), upper[::-1]]), 0.01), 0.82)
    canvas.lay(canvas.shape(below, 0.01) * canvas.spot(float(middle[0]), float(middle[1]), 0.14, 0.04) * 0.22, (255, 245, 240))
    gap = float(points[66, 1] - points[62, 1])
    inside = canvas.shape(np.vstack([upper, lower]), 0.006)
    if gap > 0.06:
        canvas.lay(inside, (58, 22, 22), skin=0.0)
        teeth = inside * canvas.spot(0.0, float(points[62, 1]) + 0.02, 0.2, 0.03)
        canvas.lay(teeth * 0.75, np.array([222.0, 214.0, 202.0]) * tint)
    canvas.lay(canvas.stroke(upper, 0.026, 0.01) * 0.8, who.lips * 0.28, skin=0.3)
    canvas.shade(canvas.stroke(points[[58, 57, 56]] + (0.0, 0.05), 0.05, 0.03), 0.85)
