"""Painting of a person, done once: the head with a few states of eyes and mouth, and the background with shoulders and neck.

Nothing moves here. :mod:`stmap_pipeline.synth.scene` warps, lights and composites what is painted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from stmap_pipeline.simulation.pulse import PULSE_RGB
from stmap_pipeline.synth.face import LEFT_EYE, RIGHT_EYE, Identity, Rotation, make_identity

Plane = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_SUBPIXEL_BITS = 6
_OVERSAMPLING = 2  # painted pixels for one of the layer, each way
_LEFT, _TOP, _RIGHT, _BOTTOM = -1.75, -1.95, 1.75, 2.5  # rectangle of the head layer in eye distances
_STATES = (0.0, 0.25, 0.5, 0.75, 1.0)
_EYES, _MOUTH = slice(36, 48), slice(48, 68)
_MARGIN = 0.22  # eye distances that lashes, creases and shadows reach beyond the points
_RIM_PX = 6
_LAMP = np.array([-0.28, -0.52, 0.81]) / np.linalg.norm([-0.28, -0.52, 0.81])
_AMBIENT = 0.50  # share of light that comes from everywhere


def spline(points: npt.ArrayLike, closed: bool = False, per_segment: int = 12) -> Points:
    """Interpolate points by a cubic spline.

    Examples
    --------
    >>> spline([(0, 0), (1, 1), (2, 0)]).shape
    (25, 2)
    """
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        knots = np.vstack([knots, knots[:1]])
    # by chord length: an even parameter overshoots where points stand close together
    along = np.concatenate([[0.0], np.cumsum(np.sqrt(np.hypot(*np.diff(knots, axis=0).T)))])
    curve = CubicSpline(along, knots, bc_type="periodic" if closed else "natural")
    fine = np.interp(np.arange((len(knots) - 1) * per_segment + 1) / per_segment, np.arange(len(knots)), along)
    return np.asarray(curve(fine), dtype=np.float64)


@dataclass(slots=True)
class Canvas:
    """Float planes of a rectangle of the face plane.

    Parameters
    ----------
    left, top : float
        Corner of the rectangle, in eye distances.
    width_px, height_px : int
    px_per_unit : float
        Pixels of this canvas per eye distance.

    Attributes
    ----------
    color : (H, W, 3) array of float32
        Red, green and blue, 0 to 255, times ``alpha``.
    skin : (H, W) array of float32
        Share of living skin in each pixel: where and how strongly the pulse shows.
    alpha : (H, W) array of float32
        Opacity.
    """

    left: float
    top: float
    width_px: int
    height_px: int
    px_per_unit: float
    color: Plane = field(init=False)
    skin: Plane = field(init=False)
    alpha: Plane = field(init=False)

    def __post_init__(self) -> None:
        shape = (self.height_px, self.width_px)
        self.color = np.zeros((*shape, 3), np.float32)
        self.skin = np.zeros(shape, np.float32)
        self.alpha = np.zeros(shape, np.float32)

    def grid(self) -> tuple[Plane, Plane]:
        """Compute x as (1, W) and y as (H, 1) of the pixel centers, in eye distances."""
        x = self.left + (np.arange(self.width_px, dtype=np.float32) + 0.5) / self.px_per_unit
        y = self.top + (np.arange(self.height_px, dtype=np.float32) + 0.5) / self.px_per_unit
        return x[None, :].astype(np.float32), y[:, None].astype(np.float32)

    def fill(self, outline: npt.ArrayLike, soft: float = 0.01) -> Plane:
        """Compute the mask, 0 to 1, of a filled outline whose edge is blurred by ``soft`` eye distances (one sigma)."""
        mask = np.zeros((self.height_px, self.width_px), np.uint8)
        cv2.fillPoly(mask, [self._subpixels(outline)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        return self._blurred(mask, soft)

    def stroke(self, line: npt.ArrayLike, thickness: float, soft: float = 0.01) -> Plane:
        """Compute the mask, 0 to 1, of a line; thickness and blur in eye distances."""
        mask = np.zeros((self.height_px, self.width_px), np.uint8)
        width = max(1, round(thickness * self.px_per_unit))
        cv2.polylines(mask, [self._subpixels(line)], False, 255, width, cv2.LINE_AA, _SUBPIXEL_BITS)
        return self._blurred(mask, soft)

    def spot(self, x: float, y: float, radius_x: float, radius_y: float) -> Plane:
        """Compute the mask of a Gaussian spot, 1 at its center."""
        columns, rows = self.grid()
        return np.asarray(
            np.exp(-0.5 * ((columns - x) / radius_x) ** 2) * np.exp(-0.5 * ((rows - y) / radius_y) ** 2), dtype=np.float32
        )

    def texture(self, seed: int, grain_x: float, grain_y: float) -> Plane:
        """Draw a random pattern of mean 0 and deviation 1 with grains of a size in eye distances."""
        random = np.random.default_rng([seed, 12])
        noise = random.standard_normal((self.height_px, self.width_px), dtype=np.float32)
        sigma_x, sigma_y = max(grain_x * self.px_per_unit, 0.4), max(grain_y * self.px_per_unit, 0.4)
        smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
        return np.asarray(smooth / smooth.std(), dtype=np.float32)

    def blend(self, mask: Plane, color: npt.ArrayLike, skin: float | None = None, alpha: float | None = None) -> None:
        """Blend a color over the canvas by a mask; ``skin`` and ``alpha``, where given, likewise."""
        self.color += mask[..., None] * (np.asarray(color, dtype=np.float32) - self.color)
        if skin is not None:
            self.skin += mask * (np.float32(skin) - self.skin)
        if alpha is not None:
            self.alpha += mask * (np.float32(alpha) - self.alpha)

    def shade(self, mask: Plane, factor: float) -> None:
        """Multiply the color by ``factor`` where the mask is 1, and by less of it elsewhere."""
        self.color *= (1 + mask * np.float32(factor - 1))[..., None]

    def crop(self, x0: int, y0: int, x1: int, y1: int) -> Canvas:
        """Copy a rectangle of pixels to a canvas of its own."""
        part = Canvas(self.left + x0 / self.px_per_unit, self.top + y0 / self.px_per_unit, x1 - x0, y1 - y0, self.px_per_unit)
        part.color = self.color[y0:y1, x0:x1].copy()
        part.skin = self.skin[y0:y1, x0:x1].copy()
        part.alpha = self.alpha[y0:y1, x0:x1].copy()
        return part

    def _subpixels(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        places = (np.asarray(points, dtype=np.float64) - (self.left, self.top)) * self.px_per_unit - 0.5
        return np.asarray(np.rint(places * 2**_SUBPIXEL_BITS), dtype=np.int32)

    def _blurred(self, mask: npt.NDArray[np.uint8], soft: float) -> Plane:
        plane = mask.astype(np.float32) / np.float32(255)
        sigma = soft * self.px_per_unit
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32) if sigma > 0.3 else plane


def face_shading(canvas: Canvas, points: Points) -> Plane:
    """Compute the brightness of a matt face under a lamp high on the left, about 1 where it faces the lamp.

    The height field is an ellipsoid with hills (nose, brow ridge, cheekbones, lips, chin) and hollows (eye sockets); its slopes give
    the shading that face detectors look for.

    Parameters
    ----------
    canvas : Canvas
        Its grid is used, it is not changed.
    points : (68, 2) array of float64
        Landmarks, in eye distances.

    Returns
    -------
    (H, W) array of float32
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
    wing, brow = float(points[35, 0] - points[31, 0]) / 2, float(points[19, 1])
    for side in (-1, 1):
        height += 0.13 * canvas.spot(side * wing * 0.78, base - 0.07, 0.075, 0.075)
        height += 0.09 * canvas.spot(side * 0.5, brow + 0.04, 0.30, 0.09)
        height -= 0.15 * canvas.spot(side * 0.46, -0.02, 0.22, 0.13)
        height -= 0.07 * canvas.spot(side * 0.24, -0.02, 0.08, 0.12)
        height += 0.09 * canvas.spot(side * 0.68, 0.55, 0.26, 0.20)
        height -= 0.03 * canvas.spot(side * 0.62, 1.15, 0.16, 0.22)
        height += 0.03 * canvas.spot(side * 0.5, 0.13, 0.16, 0.05)
    mouth, mouth_width = float(points[60:68, 1].mean()), float(points[54, 0] - points[48, 0]) / 2
    height += 0.11 * canvas.spot(0, mouth, mouth_width * 0.85, 0.20)
    height -= 0.05 * canvas.spot(0, float(points[57, 1]) + 0.09, 0.24, 0.05)
    height += 0.13 * canvas.spot(0, float(points[8, 1]) - 0.17, 0.22, 0.13)
    height -= 0.025 * canvas.spot(0, (base + float(points[51, 1])) / 2, 0.045, 0.09)

    slope_y, slope_x = np.gradient(height.astype(np.float32, copy=False), np.float32(1 / canvas.px_per_unit))
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    facing = (-slope_x * _LAMP[0] - slope_y * _LAMP[1] + _LAMP[2]) / length
    return np.asarray(_AMBIENT + (1 - _AMBIENT) * np.clip(facing, 0, 1) * 1.08, dtype=np.float32)


def _circle(x: float, y: float, radius: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def _paint_eyes(canvas: Canvas, who: Identity, points: Points, light: Plane) -> None:
    """Paint both eyes as open as the points say: white, iris, pupil, lid shadow, lashes and crease."""
    lash = who.hair * 0.35 + (8.0, 5.0, 4.0)
    white = np.array([226.0, 220.0, 214.0]) * (0.55 + 0.45 * np.sqrt(who.skin[1] / 205.0))
    # an eyeball takes half of the shading of the face, because it is wet and round on its own
    glow = (0.5 + 0.5 * light)[..., None]
    for corners in (LEFT_EYE, RIGHT_EYE):
        ring = points[list(corners)]
        upper, lower = spline(ring[:4]), spline(np.vstack([ring[3:], ring[:1]]))
        rest = who.points[list(corners)]
        center_x, center_y = float(rest[:, 0].mean()), float(rest[:, 1].mean()) - 0.012
        opening = float(ring[[4, 5], 1].mean() - ring[[1, 2], 1].mean())

        crease = spline(ring[:4] + np.array([(0, -0.02), (0, -0.075), (0, -0.075), (0, -0.03)]))
        canvas.shade(canvas.stroke(crease, 0.025, 0.014), 0.72)
        # a closed lid is skin; an open one shows the white of the eye
        if opening > 0.03:
            ball = canvas.fill(np.vstack([upper, lower]), 0.008)
            canvas.blend(ball, white * glow, skin=0.0)
            canvas.blend(ball * canvas.fill(_circle(center_x, center_y, 0.098), 0.008), who.iris * 0.45)
            canvas.blend(ball * canvas.fill(_circle(center_x, center_y, 0.084), 0.012), who.iris)
            canvas.blend(ball * canvas.fill(_circle(center_x, center_y, 0.043), 0.006), (10, 8, 8))
            canvas.blend(ball * canvas.fill(_circle(center_x - 0.03, center_y - 0.03, 0.017), 0.005), (250, 250, 250))
            canvas.shade(ball * canvas.stroke(upper, 0.05, 0.02), 0.55)
        canvas.blend(canvas.stroke(upper, 0.032, 0.008) * 0.9, lash, skin=0.0)
        canvas.blend(canvas.stroke(lower, 0.014, 0.008) * 0.45, lash * 0.6 + who.skin * 0.25)


def _paint_brows(canvas: Canvas, who: Identity) -> None:
    """Paint both brows: thick at the nose, thin at the temple."""
    thickness = np.array([0.018, 0.045, 0.055, 0.058, 0.045])
    for line, widths in ((who.points[17:22], thickness), (who.points[22:27], thickness[::-1])):
        offset = np.stack([np.zeros(5), widths], axis=1)
        outline = np.vstack([spline(line - offset * 0.8), spline(line + offset)[::-1]])
        # darker than the skin whatever the hair, or landmark models would not find them
        canvas.blend(canvas.fill(outline, 0.018) * 0.88, np.minimum(who.hair * 0.8, who.skin * 0.36), skin=0.0)


def _paint_nose(canvas: Canvas, who: Identity) -> None:
    """Paint nostrils, the shadow under the tip, and the folds from the wings."""
    points = who.points
    for side, wing, hole, corner in ((-1, 31, 32, 48), (1, 35, 34, 54)):
        x, y = (points[wing] + points[hole]) / 2
        canvas.shade(canvas.spot(float(x) - side * 0.03, float(y) - 0.005, 0.055, 0.026), 0.30)
        fold = points[wing] + np.array([(side * 0.02, -0.10), (side * 0.045, -0.02), (0.0, 0.035)])
        canvas.shade(canvas.stroke(spline(fold), 0.022, 0.018), 0.70)
        laugh = points[[wing, wing, corner]] + np.array([(side * 0.06, -0.02), (side * 0.20, 0.17), (side * 0.09, -0.02)])
        canvas.shade(canvas.stroke(spline(laugh), 0.03, 0.03), 0.88)
    under = spline([points[31] + (0.05, 0.02), points[32], points[33], points[34], points[35] + (-0.05, 0.02)])
    canvas.shade(canvas.stroke(under, 0.028, 0.018), 0.66)


def _paint_mouth(canvas: Canvas, who: Identity, points: Points, light: Plane) -> None:
    """Paint the lips as open as the points say, and what is seen between them."""
    upper = spline(points[60:65])
    lower = spline(np.vstack([points[64:68], points[60:61]]))
    tint = light[..., None]
    mask = canvas.fill(spline(points[48:60], closed=True), 0.014)
    canvas.blend(mask * 0.85, who.lips * tint)
    below = np.vstack([spline(points[[64, 55, 56, 57, 58, 59, 60]]), lower[::-1]])
    middle = (points[57] + points[66]) / 2
    canvas.shade(mask * canvas.fill(np.vstack([spline(points[48:55]), upper[::-1]]), 0.01), 0.82)
    canvas.blend(canvas.fill(below, 0.01) * canvas.spot(float(middle[0]), float(middle[1]), 0.14, 0.04) * 0.22, (255, 245, 240))
    gap = float(points[66, 1] - points[62, 1])
    if gap > 0.06:
        inside = canvas.fill(np.vstack([upper, lower]), 0.006)
        canvas.blend(inside, (58, 22, 22), skin=0.0)
        teeth = inside * canvas.spot(0.0, float(points[62, 1]) + 0.02, 0.2, 0.03)
        canvas.blend(teeth * 0.75, np.array([222.0, 214.0, 202.0]) * tint)
    canvas.blend(canvas.stroke(upper, 0.026, 0.01) * 0.8, who.lips * 0.28, skin=0.3)
    canvas.shade(canvas.stroke(points[[58, 57, 56]] + (0.0, 0.05), 0.05, 0.03), 0.85)


def _paint_behind(canvas: Canvas, who: Identity) -> None:
    """Paint what lies behind the face: long hair, neck, ears."""
    x, y = canvas.grid()
    if who.long_hair:
        strands = 1 + 0.16 * canvas.texture(who.seed + 1, 0.012, 0.12)
        left = [(-1.0, -1.2), (-1.42, -0.3), (-1.5, 0.7), (-1.46, 1.6), (-1.1, 1.95), (-0.6, 1.5)]
        fall = spline(left + [(-x, y) for x, y in reversed(left)], closed=True)
        canvas.blend(canvas.fill(fall, 0.03), who.hair * 0.75 * strands[..., None], skin=0.0, alpha=1.0)
    chin = float(who.points[8, 1])
    neck = [(-0.86, 0.9), (-0.80, chin), (-0.90, 2.9), (0.90, 2.9), (0.80, chin), (0.86, 0.9)]
    round_neck = np.clip(1 - (x / 1.08) ** 2, 0.05, None) ** 0.5
    below_chin = 1 - 0.55 * np.exp(-((np.clip(y - chin + 0.15, 0, None) / 0.35) ** 2))
    canvas.blend(canvas.fill(neck, 0.02), who.skin * (0.95 * round_neck * below_chin)[..., None], skin=1.0, alpha=1.0)
    ear = np.array([(0.0, -0.35), (0.11, -0.42), (0.19, -0.28), (0.15, 0.05), (0.06, 0.28), (0.0, 0.25)])
    for side, jaw in ((-1, who.points[1]), (1, who.points[15])):
        outline = spline(ear * (side, 1) + jaw, closed=True)
        canvas.blend(canvas.fill(outline, 0.015), who.skin * (0.82, 0.76, 0.75), skin=1.0, alpha=1.0)
        canvas.shade(canvas.spot(float(jaw[0]) + side * 0.09, float(jaw[1]) - 0.12, 0.035, 0.11), 0.72)


def _paint_hair(canvas: Canvas, who: Identity) -> None:
    x, y = canvas.grid()
    strands = 1 + 0.20 * canvas.texture(who.seed, 0.012, 0.10)
    line = who.hairline
    inner = [(-1.10, 0.0), (-1.06, -0.45), (-0.86, line + 0.16), (-0.4, line - 0.02), (0.1, line - 0.05), (0.6, line + 0.03)]
    inner += [(0.90, line + 0.2), (1.06, -0.45), (1.10, 0.0)]
    outer = [(1.24, -0.05), (1.33, -0.7), (1.08, -1.35), (0.5, -1.68), (-0.1, -1.74), (-0.65, -1.6), (-1.12, -1.3), (-1.33, -0.7)]
    outer += [(-1.24, -0.05)]
    cap = canvas.fill(np.vstack([spline(inner), spline(outer)]), 0.025)
    shine = 0.8 + 0.5 * np.exp(-(((x + 0.35) / 0.7) ** 2 + ((y + 1.25) / 0.22) ** 2))
    canvas.blend(cap, who.hair * (strands * shine)[..., None], skin=0.0, alpha=1.0)


def _paint_head_without_eyes_and_mouth(who: Identity, px_per_unit: float) -> tuple[Canvas, Plane]:
    """Paint the head; also return the shading of the face, which eyes and mouth need."""
    width, height = (_OVERSAMPLING * round(side * px_per_unit) for side in (_RIGHT - _LEFT, _BOTTOM - _TOP))
    canvas = Canvas(_LEFT, _TOP, width, height, px_per_unit * _OVERSAMPLING)
    _paint_behind(canvas, who)
    light = face_shading(canvas, who.points)
    top = who.hairline - 0.25
    forehead = [(1.10, -0.45), (0.88, -0.95), (0.45, top), (-0.45, top), (-0.88, -0.95), (-1.10, -0.45)]
    outline = spline(np.vstack([who.points[:17], forehead]), closed=True)
    canvas.blend(canvas.fill(outline, 0.012), who.skin * light[..., None], skin=1.0, alpha=1.0)
    blush = np.array([0.04, -0.035, -0.03], dtype=np.float32)
    for x, y, wide, high, much in ((-0.66, 0.62, 0.28, 0.22, 1), (0.66, 0.62, 0.28, 0.22, 1), (0, 0.66, 0.16, 0.14, 0.9)):
        canvas.color *= 1 + much * canvas.spot(x, y, wide, high)[..., None] * blush
    for side in (-1, 1):
        canvas.shade(canvas.spot(side * 0.42, -0.06, 0.22, 0.10), 0.80)
        canvas.shade(canvas.spot(side * 0.46, 0.18, 0.17, 0.04), 0.90)
    canvas.blend(canvas.spot(-0.05, -0.75, 0.3, 0.14) * 0.10, (255, 250, 245))
    canvas.blend(canvas.spot(-0.02, float(who.points[30, 1]) - 0.03, 0.045, 0.05) * 0.22, (255, 250, 245))
    pores = 1 + 0.012 * canvas.texture(who.seed + 2, 0.012, 0.012) + 0.014 * canvas.texture(who.seed + 3, 0.05, 0.05)
    canvas.color *= (1 + canvas.skin * (pores - 1))[..., None]
    _paint_nose(canvas, who)
    _paint_hair(canvas, who)
    _paint_brows(canvas, who)
    # the neck fades out where the one of the background begins
    fade = np.clip((_BOTTOM - 0.05 - canvas.grid()[1]) / 0.3, 0, 1)
    canvas.alpha *= fade
    canvas.color *= fade[..., None]
    return canvas, light


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A painting ready to be composited.

    Parameters
    ----------
    color : (H, W, 4) array of float32
        Red, green, blue (times opacity) and opacity.
    pulse : (H, W, 4) array of float32
        What one unit of relative green change adds to ``color``; the last plane is 0.
    """

    color: Plane
    pulse: Plane

    @classmethod
    def of(cls, canvas: Canvas, rim_px: int = 0) -> Layer:
        """Reduce a canvas to the layer's own pixels, less a rim, as lens and sensor do: slightly blurred, then averaged."""
        opaque = np.dstack([canvas.color, canvas.alpha])
        pulse = opaque * np.append(PULSE_RGB, 0.0).astype(np.float32) * canvas.skin[..., None]
        height, width = (side // _OVERSAMPLING for side in canvas.alpha.shape)
        inside = slice(rim_px, height - rim_px), slice(rim_px, width - rim_px)
        small = [
            cv2.resize(cv2.GaussianBlur(plane, (0, 0), 0.6 * _OVERSAMPLING), (width, height), interpolation=cv2.INTER_AREA)
            for plane in (opaque, pulse)
        ]
        return cls(*(np.ascontiguousarray(plane[inside], dtype=np.float32) for plane in small))


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Eyes or mouth in the states of ``_STATES``, from 0 to 1, and where they belong in the head."""

    rows: slice
    columns: slice
    layers: tuple[Layer, ...]

    def paste(self, head: Plane, state: float, pulse: float) -> None:
        """Write the part into a head layer, interpolated between the two nearest states."""
        above = min(int(np.searchsorted(_STATES, state)), len(_STATES) - 1)
        below = max(above - 1, 0)
        span = _STATES[above] - _STATES[below]
        share = (state - _STATES[below]) / span if span else 0.0
        one, other = self.layers[below], self.layers[above]
        now = one.color + np.float32(pulse) * one.pulse
        if share > 0:
            now += np.float32(share) * (other.color + np.float32(pulse) * other.pulse - now)
        head[self.rows, self.columns] = now


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A painted head.

    Parameters
    ----------
    base : Layer
        Eyes open and mouth closed.
    eyes, mouth : Patch
    px_per_unit : float
        Pixels of the layer per eye distance.
    """

    base: Layer
    eyes: Patch
    mouth: Patch
    px_per_unit: float

    def render(self, blink: float, mouth: float, pulse: float, rotation: Rotation | None = None) -> Plane:
        """Compute the (H, W, 4) layer at a moment; ``pulse`` is the relative change of green."""
        head = np.asarray(cv2.scaleAdd(self.base.pulse, pulse, self.base.color), dtype=np.float32)
        if blink > 0:
            self.eyes.paste(head, blink, pulse)
        if mouth > 0:
            self.mouth.paste(head, mouth, pulse)
        if rotation is None:
            return head
        rows, columns = head.shape[:2]
        s = self.px_per_unit
        x, y = np.meshgrid((np.arange(columns) + 0.5) / s + _LEFT, (np.arange(rows) + 0.5) / s + _TOP)
        from_x, from_y = rotation.unproject(x.astype(np.float32), y.astype(np.float32))
        seen = cv2.remap(head, (from_x - _LEFT) * s - 0.5, (from_y - _TOP) * s - 0.5, cv2.INTER_LINEAR)
        return np.asarray(seen, dtype=np.float32)

    def to_px(self) -> Points:
        """Compute the (3, 3) matrix from eye distances to pixels of the layer (center of the first pixel at 0, 0)."""
        s = self.px_per_unit
        return np.array([[s, 0.0, -_LEFT * s - 0.5], [0.0, s, -_TOP * s - 0.5], [0.0, 0.0, 1.0]])


@lru_cache(maxsize=4)
def paint_head(seed: int, skin_tone: str, px_per_unit: float) -> Head:
    """Paint the head of a person; takes about a second, and the last few are cached.

    Parameters
    ----------
    seed, skin_tone
        As for :func:`~stmap_pipeline.synth.face.make_identity`.
    px_per_unit : float
        Size: pixels per eye distance.

    Examples
    --------
    >>> head = paint_head(1, "light", 20.0)
    >>> head.render(blink=0.5, mouth=0.0, pulse=0.005).shape
    (89, 70, 4)
    """
    who = make_identity(seed, skin_tone)
    base, light = _paint_head_without_eyes_and_mouth(who, px_per_unit)

    def patch(points: slice, paint: Callable[[Canvas, Plane, float], None]) -> Patch:
        """Paint a part of the face in each of its states, over no more of the head than it can reach."""
        reach = np.vstack([who.expression(0, 0)[points], who.expression(1, 1)[points]])
        x0, y0 = np.floor((reach.min(axis=0) - _MARGIN - (_LEFT, _TOP)) * px_per_unit).astype(int).tolist()
        x1, y1 = np.ceil((reach.max(axis=0) + _MARGIN - (_LEFT, _TOP)) * px_per_unit).astype(int).tolist()
        # a rim is painted and removed: the blur at the edge of a patch must not show
        left, top, right, bottom = (_OVERSAMPLING * edge for edge in (x0 - _RIM_PX, y0 - _RIM_PX, x1 + _RIM_PX, y1 + _RIM_PX))
        layers = []
        for state in _STATES:
            part = base.crop(left, top, right, bottom)
            paint(part, light[top:bottom, left:right], state)
            layers.append(Layer.of(part, _RIM_PX))
        return Patch(slice(y0, y1), slice(x0, x1), tuple(layers))

    eyes = patch(_EYES, lambda part, lit, state: _paint_eyes(part, who, who.expression(blink=state), lit))
    mouth = patch(_MOUTH, lambda part, lit, state: _paint_mouth(part, who, who.expression(mouth=state), lit))
    _paint_eyes(base, who, who.expression(), light)
    _paint_mouth(base, who, who.expression(), light)
    return Head(Layer.of(base), eyes, mouth, px_per_unit)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A painted wall with shoulders and lower neck.

    Parameters
    ----------
    color : (3, H, W) array of float32
    skin : (H, W) array of float32
        Share of living skin.
    neck : tuple of slice
        Rows and columns outside which there is no skin.
    """

    color: Plane
    skin: Plane
    neck: tuple[slice, slice]

    def render(self, pulse: float) -> Plane:
        """Compute the (3, H, W) planes at a moment; ``pulse`` is the relative change of green."""
        planes = self.color.copy()
        beat = np.float32(pulse) * self.skin[self.neck]
        for plane, share in zip(planes, PULSE_RGB, strict=True):
            plane[self.neck] *= 1 + np.float32(share) * beat
        return planes


@lru_cache(maxsize=4)
def paint_background(
    seed: int, skin_tone: str, size_px: tuple[int, int], px_per_unit: float, rest_px: tuple[float, float]
) -> Background:
    """Paint wall, shoulders and lower neck for a person whose head rests at ``rest_px``."""
    who = make_identity(seed, skin_tone)
    width, height = size_px
    random = np.random.default_rng([seed, 31])
    canvas = Canvas(-(rest_px[0] + 0.5) / px_per_unit, -(rest_px[1] + 0.5) / px_per_unit, width, height, px_per_unit)
    x, y = canvas.grid()
    wall = random.uniform(0.85, 1.0, 3) * random.uniform(150, 205)
    fall = 1 - 0.06 * (x / 2 + 0.3) - 0.05 * y / 3
    grain = cv2.GaussianBlur(random.standard_normal((height, width), dtype=np.float32), (0, 0), 5.0)
    canvas.color[:] = wall * (fall * (1 + 0.25 * grain))[..., None]

    chin = float(who.points[8, 1])
    neck = spline([(-0.66, chin - 0.2), (-0.80, chin + 0.35), (-1.12, chin + 0.75), (-1.6, chin + 1.4)])
    shade = np.clip(1 - (x / 1.12) ** 2, 0.05, None) ** 0.5
    throat = canvas.fill(np.vstack([neck, (neck * (-1, 1))[::-1]]), 0.02)
    canvas.blend(throat, who.skin * (0.95 * shade)[..., None], skin=1.0)
    collar = spline(
        [
            (-3.6, chin + 1.75),
            (-2.7, chin + 1.15),
            (-1.3, chin + 0.72),
            (-0.92, chin + 0.64),
            (-0.45, chin + 0.95),
            (0, chin + 1.08),
        ]
    )
    coat = np.vstack([collar, (collar * (-1, 1))[::-1], [(3.6, chin + 6), (-3.6, chin + 6)]])
    cloth = cv2.GaussianBlur(random.standard_normal((height, width), dtype=np.float32), (0, 0), 1.5)
    folds = 1 - 0.10 * np.abs(x) / 2 + 0.25 * cloth
    canvas.blend(canvas.fill(coat, 0.02), who.clothes * folds[..., None], skin=0.0)

    rows, columns = np.nonzero(canvas.skin.any(axis=1))[0], np.nonzero(canvas.skin.any(axis=0))[0]
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if rows.size else (slice(0), slice(0))
    return Background(np.ascontiguousarray(canvas.color.transpose(2, 0, 1)), canvas.skin, box)
