"""The head of one person, drawn once: skin, hair, ears, neck, and a small stack of drawings for eyes and mouth.

Nothing here moves. :mod:`stmap_pipeline.synth.scene` warps, lights and adds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.canvas import Canvas, Plane, smooth_line
from stmap_pipeline.synth.features import paint_brows, paint_eyes, paint_mouth, paint_nose
from stmap_pipeline.synth.layers import OVERSAMPLING, Head, Patch, reduced
from stmap_pipeline.synth.relief import relief, shading
from stmap_pipeline.synth.shape import Identity, make_identity

LEFT, TOP, RIGHT, BOTTOM = -1.75, -1.95, 1.75, 2.5
"""Rectangle of the head layer in eye distances."""
_STATES = (0.0, 0.25, 0.5, 0.75, 1.0)
_EYES, _MOUTH = slice(36, 48), slice(48, 68)
_MARGIN = 0.22  # eye distances that lashes, creases and shadows reach beyond the points
_RIM_PX = 6


def _texture(canvas: Canvas, seed: int, stretch: tuple[float, float]) -> Plane:
    """Give a random pattern of mean 0 and deviation 1 with grains of a size in eye distances."""
    rng = np.random.default_rng([seed, 12])
    grain = rng.standard_normal((canvas.height_px, canvas.width_px), dtype=np.float32)
    s = canvas.px_per_unit
    soft = cv2.GaussianBlur(grain, (0, 0), sigmaX=max(stretch[0] * s, 0.4), sigmaY=max(stretch[1] * s, 0.4))
    return np.asarray(soft / soft.std(), dtype=np.float32)


def _paint_behind(canvas: Canvas, who: Identity) -> None:
    """Paint what stands behind the face: long hair, neck, ears."""
    x, y = canvas.grid()
    strands = 1 + 0.16 * _texture(canvas, who.seed + 1, (0.012, 0.12))
    if who.long_hair:
        left = [(-1.0, -1.2), (-1.42, -0.3), (-1.5, 0.7), (-1.46, 1.6), (-1.1, 1.95), (-0.6, 1.5)]
        fall = smooth_line(left + [(-x, y) for x, y in reversed(left)], closed=True)
        canvas.lay(canvas.shape(fall, 0.03), who.hair * 0.75 * strands[..., None], skin=0.0, alpha=1.0)
    chin = float(who.points[8, 1])
    neck = [(-0.86, 0.9), (-0.80, chin), (-0.90, 2.9), (0.90, 2.9), (0.80, chin), (0.86, 0.9)]
    round_neck = np.clip(1 - (x / 1.08) ** 2, 0.05, None) ** 0.5
    below_chin = 1 - 0.55 * np.exp(-((np.clip(y - chin + 0.15, 0, None) / 0.35) ** 2))
    canvas.lay(canvas.shape(neck, 0.02), who.skin * (0.95 * round_neck * below_chin)[..., None], skin=1.0, alpha=1.0)
    for side in (-1, 1):
        jaw = who.points[1 if side < 0 else 15]
        ear = smooth_line(
            np.array([(0.0, -0.35), (0.11, -0.42), (0.19, -0.28), (0.15, 0.05), (0.06, 0.28), (0.0, 0.25)]) * (side, 1) + jaw,
            closed=True,
        )
        canvas.lay(canvas.shape(ear, 0.015), who.skin * (0.82, 0.76, 0.75), skin=1.0, alpha=1.0)
        canvas.shade(canvas.spot(float(jaw[0]) + side * 0.09, float(jaw[1]) - 0.12, 0.035, 0.11), 0.72)


def _face_outline(who: Identity) -> npt.NDArray[np.float64]:
    jaw = who.points[:17]
    top = who.hairline - 0.25
    forehead = [(1.10, -0.45), (0.88, -0.95), (0.45, top), (-0.45, top), (-0.88, -0.95), (-1.10, -0.45)]
    return smooth_line(np.vstack([jaw, forehead]), closed=True)


def _paint_hair(canvas: Canvas, who: Identity) -> None:
    x, y = canvas.grid()
    strands = 1 + 0.20 * _texture(canvas, who.seed, (0.012, 0.10))
    line = who.hairline
    inner = [(-1.10, 0.0), (-1.06, -0.45), (-0.86, line + 0.16), (-0.4, line - 0.02), (0.1, line - 0.05), (0.6, line + 0.03)]
    inner += [(0.90, line + 0.2), (1.06, -0.45), (1.10, 0.0)]
    outer = [(1.24, -0.05), (1.33, -0.7), (1.08, -1.35), (0.5, -1.68), (-0.1, -1.74), (-0.65, -1.6), (-1.12, -1.3), (-1.33, -0.7)]
    outer += [(-1.24, -0.05)]
    cap = canvas.shape(np.vstack([smooth_line(inner), smooth_line(outer)]), 0.025)
    shine = 0.8 + 0.5 * np.exp(-(((x + 0.35) / 0.7) ** 2 + ((y + 1.25) / 0.22) ** 2))
    canvas.lay(cap, who.hair * (strands * shine)[..., None], skin=0.0, alpha=1.0)


def _paint_base(who: Identity, px_per_unit: float) -> tuple[Canvas, Plane]:
    """Paint the head without eyes and mouth; also give the shading of the face."""
    scale = px_per_unit * OVERSAMPLING
    width, height = (OVERSAMPLING * round(side * px_per_unit) for side in (RIGHT - LEFT, BOTTOM - TOP))
    canvas = Canvas(LEFT, TOP, width, height, scale)
    _paint_behind(canvas, who)
    light = shading(relief(canvas, who.points), scale)
    canvas.lay(canvas.shape(_face_outline(who), 0.012), who.skin * light[..., None], skin=1.0, alpha=1.0)
    blush = np.array([0.04, -0.035, -0.03])
    for x, y, wide, high, much in ((-0.66, 0.62, 0.28, 0.22, 1), (0.66, 0.62, 0.28, 0.22, 1), (0, 0.66, 0.16, 0.14, 0.9)):
        canvas.color *= 1 + much * canvas.spot(x, y, wide, high)[..., None] * blush.astype(np.float32)
    for side in (-1, 1):
        canvas.shade(canvas.spot(side * 0.42, -0.06, 0.22, 0.10), 0.80)
        canvas.shade(canvas.spot(side * 0.46, 0.18, 0.17, 0.04), 0.90)
    canvas.lay(canvas.spot(-0.05, -0.75, 0.3, 0.14) * 0.10, (255, 250, 245))
    canvas.lay(canvas.spot(-0.02, float(who.points[30, 1]) - 0.03, 0.045, 0.05) * 0.22, (255, 250, 245))
    pores = 1 + 0.012 * _texture(canvas, who.seed + 2, (0.012, 0.012)) + 0.014 * _texture(canvas, who.seed + 3, (0.05, 0.05))
    canvas.color *= (1 + canvas.skin * (pores - 1))[..., None]
    paint_nose(canvas, who)
    _paint_hair(canvas, who)
    paint_brows(canvas, who)
    # the neck runs out into the collar of the picture behind
    rows = canvas.grid()[1]
    fade = np.clip((BOTTOM - 0.05 - rows) / 0.3, 0, 1)
    canvas.alpha *= fade
    canvas.color *= fade[..., None]
    return canvas, light


@lru_cache(maxsize=4)
def paint_head(seed: int, skin_tone: str, px_per_unit: float) -> Head:
    """Draw the head of a person; takes about a second, and the last few are kept.

    Parameters
    ----------
    seed, skin_tone
        As for :func:`~stmap_pipeline.synth.shape.make_identity`.
    px_per_unit : float
        Size: pixels per eye distance.

    Examples
    --------
    >>> head = paint_head(1, "light", 20.0)
    >>> head.draw(blink=0.5, mouth=0.0, pulse=0.005).shape
    (89, 70, 4)
    """
    who = make_identity(seed, skin_tone)
    base, light = _paint_base(who, px_per_unit)
    # the parts move apart from each other, so each is drawn on a head that lacks it
    eyes = _patch(
        base, light, _EYES, _STATES, lambda sheet, lit, state: paint_eyes(sheet, who, who.expression(blink=state), lit), who
    )
    mouth = _patch(
        base, light, _MOUTH, _STATES, lambda sheet, lit, state: paint_mouth(sheet, who, who.expression(mouth=state), lit), who
    )
    paint_eyes(base, who, who.expression(), light)
    paint_mouth(base, who, who.expression(), light)
    return Head(reduced(base), eyes, mouth, px_per_unit, (LEFT, TOP))


def _patch(
    base: Canvas,
    light: Plane,
    points: slice,
    states: tuple[float, ...],
    paint: Callable[[Canvas, Plane, float], None],
    who: Identity,
) -> Patch:
    """Draw a part of the face in each of its states, over no more of the head than it can reach."""
    px_per_unit = base.px_per_unit / OVERSAMPLING
    reach = np.vstack([who.expression(0, 0)[points], who.expression(1, 1)[points]])
    x0, y0 = np.floor((reach.min(axis=0) - _MARGIN - (LEFT, TOP)) * px_per_unit).astype(int).tolist()
    x1, y1 = np.ceil((reach.max(axis=0) + _MARGIN - (LEFT, TOP)) * px_per_unit).astype(int).tolist()
    # a rim is drawn and not kept: the blur at the edge of a window must not show
    left, top, right, bottom = (OVERSAMPLING * edge for edge in (x0 - _RIM_PX, y0 - _RIM_PX, x1 + _RIM_PX, y1 + _RIM_PX))
    layers = []
    for state in states:
        sheet = base.window(left, top, right, bottom)
        paint(sheet, light[top:bottom, left:right], state)
        layers.append(reduced(sheet, _RIM_PX))
    return Patch(slice(y0, y1), slice(x0, x1), states, tuple(layers))
