"""A drawn head as it is kept: planes ready to be added, with the share of them that pulses.

:mod:`stmap_pipeline.synth.paint` makes these, :mod:`stmap_pipeline.synth.scene` warps and adds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.canvas import Canvas, Plane
from stmap_pipeline.synth.turn import Turn

OVERSAMPLING = 2
"""Pixels of a drawing for one of its layer, each way."""
# relative pulse of red, green and blue with green as 1: the direction (0.33, 0.77, 0.53) that models of
# skin under white light commonly use. A model: lamps, cameras and skins differ.
PULSE_RGB = np.array([0.33, 0.77, 0.53]) / 0.77
"""(3,) relative amplitude of the pulse in red, green and blue, green as 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A drawing ready to be added: color times opacity, and its share that pulses.

    Parameters
    ----------
    color : (H, W, 4) array of float32
        Red, green, blue (times opacity) and opacity.
    pulse : (H, W, 4) array of float32
        What one unit of relative green change adds to ``color``; the last plane is 0.
    """

    color: Plane
    pulse: Plane


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Drawings of one moving part in states from 0 to 1, and where they belong in the head."""

    rows: slice
    columns: slice
    states: tuple[float, ...]
    layers: tuple[Layer, ...]

    def paste(self, head: Plane, state: float, pulse: float) -> None:
        """Write the part in a state between two drawings into a head layer."""
        above = min(int(np.searchsorted(self.states, state)), len(self.states) - 1)
        below = max(above - 1, 0)
        span = self.states[above] - self.states[below]
        share = (state - self.states[below]) / span if span else 0.0
        one, other = self.layers[below], self.layers[above]
        now = one.color + np.float32(pulse) * one.pulse
        if share > 0:
            now += np.float32(share) * (other.color + np.float32(pulse) * other.pulse - now)
        head[self.rows, self.columns] = now


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A drawn head.

    Parameters
    ----------
    base : Layer
        Eyes open and mouth closed.
    eyes, mouth : Patch
    px_per_unit : float
        Pixels of the layer per eye distance.
    corner : (float, float)
        Its top left corner in eye distances.
    """

    base: Layer
    eyes: Patch
    mouth: Patch
    px_per_unit: float
    corner: tuple[float, float]

    def draw(self, blink: float, mouth: float, pulse: float) -> Plane:
        """Give the (H, W, 4) layer at a moment; ``pulse`` is the relative change of green."""
        head = np.asarray(cv2.scaleAdd(self.base.pulse, pulse, self.base.color), dtype=np.float32)
        if blink > 0:
            self.eyes.paste(head, blink, pulse)
        if mouth > 0:
            self.mouth.paste(head, mouth, pulse)
        return head

    def turned(self, layer: Plane, turn: Turn) -> Plane:
        """Displace a layer of :meth:`draw` as a turn of the head shows it."""
        rows, columns = layer.shape[:2]
        s, (left, top) = self.px_per_unit, self.corner
        x, y = np.meshgrid((np.arange(columns) + 0.5) / s + left, (np.arange(rows) + 0.5) / s + top)
        from_x, from_y = turn.backward(x.astype(np.float32), y.astype(np.float32))
        seen = cv2.remap(layer, (from_x - left) * s - 0.5, (from_y - top) * s - 0.5, cv2.INTER_LINEAR)
        return np.asarray(seen, dtype=np.float32)

    def to_px(self) -> npt.NDArray[np.float64]:
        """Give the (2, 3) matrix from eye distances to pixels of the layer (center of the first pixel at 0, 0)."""
        s = self.px_per_unit
        return np.array([[s, 0.0, -self.corner[0] * s - 0.5], [0.0, s, -self.corner[1] * s - 0.5]])


def reduced(canvas: Canvas, rim_px: int = 0) -> Layer:
    """Reduce a drawing to the layer's own pixels, as a lens and a sensor would: blurred a little, then averaged.

    Parameters
    ----------
    canvas : Canvas
    rim_px : int
        Pixels of the layer to leave out on each side.
    """
    opaque = np.dstack([canvas.color, canvas.alpha])
    pulse = opaque * np.append(PULSE_RGB, 0.0).astype(np.float32) * canvas.skin[..., None]
    height, width = (side // OVERSAMPLING for side in canvas.alpha.shape)
    kept = slice(rim_px, height - rim_px), slice(rim_px, width - rim_px)
    small = [
        cv2.resize(cv2.GaussianBlur(plane, (0, 0), 0.6 * OVERSAMPLING), (width, height), interpolation=cv2.INTER_AREA)[kept]
        for plane in (opaque, pulse)
    ]
    return Layer(*(np.ascontiguousarray(plane, dtype=np.float32) for plane in small))
