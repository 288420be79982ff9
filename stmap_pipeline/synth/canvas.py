"""A sheet to draw on in face units: soft shapes and strokes, blended into float planes."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

Plane = npt.NDArray[np.float32]
_SHIFT = 6  # cv2 draws with 2**-6 pixel precision


def smooth_line(points: npt.ArrayLike, closed: bool = False, per_segment: int = 12) -> npt.NDArray[np.float64]:
    """Lay a cubic spline through points.

    Examples
    --------
    >>> smooth_line([(0, 0), (1, 1), (2, 0)]).shape
    (25, 2)
    """
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        knots = np.vstack([knots, knots[:1]])
    # by chord length: an even parameter overshoots where points stand close together
    along = np.concatenate([[0.0], np.cumsum(np.sqrt(np.hypot(*np.diff(knots, axis=0).T)))])
    spline = CubicSpline(along, knots, bc_type="periodic" if closed else "natural")
    fine = np.interp(np.arange((len(knots) - 1) * per_segment + 1) / per_segment, np.arange(len(knots)), along)
    return np.asarray(spline(fine), dtype=np.float64)


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
        Red, green and blue, 0 to 255, times ``alpha``: black where nothing was laid.
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
        """Give x as (1, W) and y as (H, 1) of the pixel centers, in eye distances."""
        x = self.left + (np.arange(self.width_px, dtype=np.float32) + 0.5) / self.px_per_unit
        y = self.top + (np.arange(self.height_px, dtype=np.float32) + 0.5) / self.px_per_unit
        return x[None, :].astype(np.float32), y[:, None].astype(np.float32)

    def shape(self, outline: npt.ArrayLike, soft: float = 0.01) -> Plane:
        """Give the mask, 0 to 1, of a filled outline whose edge is ``soft`` eye distances wide (one sigma)."""
        mask = np.zeros((self.height_px, self.width_px), np.uint8)
        cv2.fillPoly(mask, [self._px(outline)], 255, cv2.LINE_AA, _SHIFT)
        return self._softened(mask, soft)

    def stroke(self, line: npt.ArrayLike, thickness: float, soft: float = 0.01) -> Plane:
        """Give the mask, 0 to 1, of a line of a thickness in eye distances."""
        mask = np.zeros((self.height_px, self.width_px), np.uint8)
        width = max(1, round(thickness * self.px_per_unit))
        cv2.polylines(mask, [self._px(line)], False, 255, width, cv2.LINE_AA, _SHIFT)
        return self._softened(mask, soft)

    def spot(self, x: float, y: float, radius_x: float, radius_y: float) -> Plane:
        """Give a Gaussian spot, 1 at its center."""
        columns, rows = self.grid()
        return np.asarray(
            np.exp(-0.5 * ((columns - x) / radius_x) ** 2) * np.exp(-0.5 * ((rows - y) / radius_y) ** 2), dtype=np.float32
        )

    def lay(self, mask: Plane, color: npt.ArrayLike, skin: float | None = None, alpha: float | None = None) -> None:
        """Lay a color over what is there where the mask says so.

        ``skin`` and ``alpha``, where given, are laid the same way.
        """
        self.color += mask[..., None] * (np.asarray(color, dtype=np.float32) - self.color)
        if skin is not None:
            self.skin += mask * (np.float32(skin) - self.skin)
        if alpha is not None:
            self.alpha += mask * (np.float32(alpha) - self.alpha)

    def shade(self, mask: Plane, factor: float) -> None:
        """Multiply the color by ``factor`` where the mask is 1, and by less of it elsewhere."""
        self.color *= (1 + mask * np.float32(factor - 1))[..., None]

    def window(self, x0: int, y0: int, x1: int, y1: int) -> Canvas:
        """Copy a rectangle of pixels to a canvas of its own."""
        part = Canvas(self.left + x0 / self.px_per_unit, self.top + y0 / self.px_per_unit, x1 - x0, y1 - y0, self.px_per_unit)
        part.color = self.color[y0:y1, x0:x1].copy()
        part.skin = self.skin[y0:y1, x0:x1].copy()
        part.alpha = self.alpha[y0:y1, x0:x1].copy()
        return part

    def _px(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        places = (np.asarray(points, dtype=np.float64) - (self.left, self.top)) * self.px_per_unit - 0.5
        return np.asarray(np.rint(places * 2**_SHIFT), dtype=np.int32)

    def _softened(self, mask: npt.NDArray[np.uint8], soft: float) -> Plane:
        plane = mask.astype(np.float32) / np.float32(255)
        sigma = soft * self.px_per_unit
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32) if sigma > 0.3 else plane
