"""Is what is being followed still the face? A small aligned picture of it, compared in every frame.

Optical flow follows whatever it was started on, a wall too, and the landmark model always returns 68 points. The one cheap
witness for each frame is what the face looked like when the detector last confirmed it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Gray, Points
from stmap_pipeline.faces.geometry import STEADY, fit_similarity, invert

_SIDE = 32
# How fast the remembered face follows the confirmed one.
_UPDATE = 0.3


class Presence:
    """Remembers a face and gives its likeness in a later frame: correlation of aligned pictures, -1 to 1."""

    def __init__(self, gray: Gray, points: Points) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        # landmark coordinates of the small picture; the border of the face is left out, for it shows background
        self._reference = (points - (low + high) / 2) / float((high - low).max()) * (_SIDE * 1.15) + (_SIDE - 1) / 2
        self._template = self._patch(gray, points)

    def likeness(self, gray: Gray, points: Points) -> float:
        """Correlate the face at ``points`` with the remembered one; 0 where the picture there has no contrast."""
        return float(np.mean(self._patch(gray, points) * self._template))

    def confirm(self, gray: Gray, points: Points) -> None:
        """Remember the face as it looks now; to be called only when a detector has confirmed it."""
        mixed = (1 - _UPDATE) * self._template + _UPDATE * self._patch(gray, points)
        self._template = _standardized(mixed)

    def _patch(self, gray: Gray, points: Points) -> npt.NDArray[np.float32]:
        to_patch = fit_similarity(points[STEADY], self._reference[STEADY])
        step = 1 / float(np.hypot(to_patch[0, 0], to_patch[1, 0]))
        if step > 2:
            # a warp reads single pixels, so shrink first: otherwise the likeness of a noisy face would be that of its noise
            low = np.maximum(points.min(axis=0).astype(int) - int(0.2 * step * _SIDE), 0)
            high = points.max(axis=0).astype(int) + int(0.2 * step * _SIDE)
            part = gray[low[1] : high[1], low[0] : high[0]]
            if part.size == 0:
                return np.zeros((_SIDE, _SIDE), np.float32)
            factor = int(step)
            small = cv2.resize(
                part, (max(1, part.shape[1] // factor), max(1, part.shape[0] // factor)), interpolation=cv2.INTER_AREA
            )
            inner = invert(to_patch)
            ratio = np.array([small.shape[1] / part.shape[1], small.shape[0] / part.shape[0]])
            from_patch = np.column_stack([inner[:, :2] * ratio[:, None], (inner[:, 2] - low) * ratio])
            gray = small
        else:
            from_patch = invert(to_patch)
        patch = cv2.warpAffine(
            gray, from_patch, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        return _standardized(patch.astype(np.float32))


def _standardized(patch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    deviation = float(patch.std())
    return np.asarray((patch - patch.mean()) / deviation if deviation > 0.5e-3 else np.zeros_like(patch), dtype=np.float32)
