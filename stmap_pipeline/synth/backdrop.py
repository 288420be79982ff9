"""What stands behind the head: a wall, shoulders, and the lower neck, drawn once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from stmap_pipeline.synth.canvas import Canvas, Plane, smooth_line
from stmap_pipeline.synth.layers import PULSE_RGB
from stmap_pipeline.synth.shape import make_identity


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A drawn background.

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

    def draw(self, pulse: float) -> Plane:
        """Give the (3, H, W) planes at a moment; ``pulse`` is the relative change of green."""
        planes = self.color.copy()
        beat = np.float32(pulse) * self.skin[self.neck]
        for plane, share in zip(planes, PULSE_RGB, strict=True):
            plane[self.neck] *= 1 + np.float32(share) * beat
        return planes


@lru_cache(maxsize=4)
def paint_backdrop(
    seed: int, skin_tone: str, size_px: tuple[int, int], px_per_unit: float, rest_px: tuple[float, float]
) -> Backdrop:
    """Draw wall, shoulders and lower neck for a person whose head rests at ``rest_px``."""
    who = make_identity(seed, skin_tone)
    width, height = size_px
    rng = np.random.default_rng([seed, 31])
    canvas = Canvas(-(rest_px[0] + 0.5) / px_per_unit, -(rest_px[1] + 0.5) / px_per_unit, width, height, px_per_unit)
    x, y = canvas.grid()
    wall = rng.uniform(0.85, 1.0, 3) * rng.uniform(150, 205)
    fall = 1 - 0.06 * (x / 2 + 0.3) - 0.05 * y / 3
    grain = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 5.0)
    canvas.color[:] = wall * (fall * (1 + 0.25 * grain))[..., None]

    top = float(who.points[8, 1])
    neck = smooth_line([(-0.66, top - 0.2), (-0.80, top + 0.35), (-1.12, top + 0.75), (-1.6, top + 1.4)])
    throat = np.vstack([neck, (neck * (-1, 1))[::-1]])
    shade = np.clip(1 - (x / 1.12) ** 2, 0.05, None) ** 0.5
    canvas.lay(canvas.shape(throat, 0.02), who.skin * (0.95 * shade)[..., None], skin=1.0)
    collar = [(-3.6, top + 1.75), (-2.7, top + 1.15), (-1.3, top + 0.72), (-0.92, top + 0.64), (-0.45, top + 0.95), (0, top + 1.08)]
    line = smooth_line(collar)
    coat = np.vstack([line, (line * (-1, 1))[::-1], [(3.6, top + 6), (-3.6, top + 6)]])
    cloth = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 1.5)
    folds = 1 - 0.10 * np.abs(x) / 2 + 0.25 * cloth
    canvas.lay(canvas.shape(coat, 0.02), who.clothes * folds[..., None], skin=0.0)

    rows, columns = np.nonzero(canvas.skin.any(axis=1))[0], np.nonzero(canvas.skin.any(axis=0))[0]
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if rows.size else (slice(0), slice(0))
    return Backdrop(np.ascontiguousarray(canvas.color.transpose(2, 0, 1)), canvas.skin, box)
