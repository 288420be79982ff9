"""Which part of the face box is skin: one mask in the face's own frame for the whole recording.

A mask that is drawn anew in each frame flickers at its edge and destroys the pulse (46 dB below no mask in the worst block);
one soft mask from the mean face costs nothing and lifts the worst block.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.box import Affine, posed
from stmap_pipeline.blocks.reference import Reference
from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.faces.geometry import BROWS, LEFT_EYE, MOUTH, RIGHT_EYE
from stmap_pipeline.faces.skin import fill_hull
from stmap_pipeline.records import RoiGrid

# Side of the drawn mask in pixels; it is scaled to each canvas.
_SIDE = 240
_JAW = slice(0, 17)
# Chroma distance, in robust standard deviations of the face's own skin, at which a pixel counts half.
_HALF_AT = 3.0
# Scale of a normal deviation over the median absolute deviation.
_MAD = 1.4826


class FaceMask:
    """Weights from 0 to 1 over the face box, scaled to any canvas.

    Parameters
    ----------
    weights : (H, W) array of float32
    """

    def __init__(self, weights: npt.NDArray[np.float32]) -> None:
        self._weights = weights
        self._scaled: tuple[tuple[int, int], npt.NDArray[np.float32]] = ((0, 0), weights)

    def __call__(self, height: int, width: int) -> npt.NDArray[np.float32]:
        """Give the weights at a canvas's size."""
        if self._scaled[0] != (height, width):
            shrinks = height * width < self._weights.size
            mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            self._scaled = ((height, width), cv2.resize(self._weights, (width, height), interpolation=mode))
        return self._scaled[1]


def hull_mask(reference: Reference, box: Affine, grid: RoiGrid, height_factor: float) -> FaceMask:
    """Draw the landmark hull, raised to the top of the box, without eyes and mouth."""
    points = reference.points_px
    brow_lift = (height_factor - 1) * (points[8] - points[BROWS].mean(axis=0))
    outline = np.concatenate([points[_JAW], points[BROWS] - brow_lift])
    weights = np.zeros((_SIDE, _SIDE), np.float32)
    fill_hull(weights, _on_mask(outline, box, grid), 1.0)
    for part in (LEFT_EYE, RIGHT_EYE, MOUTH):
        center = points[part].mean(axis=0)
        # lids and lips are wider than their landmarks
        grown = center + (points[part] - center) * np.array([1.3, 1.6])
        fill_hull(weights, _on_mask(grown, box, grid), 0.0)
    return FaceMask(cv2.GaussianBlur(weights, (0, 0), 2.0))


def skin_mask(reference: Reference, box: Affine, grid: RoiGrid, height_factor: float) -> FaceMask:
    """Weight the hull by how near each pixel of the mean face is to the face's own skin color.

    The color model is the median and the median absolute deviation of Cb and Cr inside the hull, so it has no tone built in.
    """
    hull = hull_mask(reference, box, grid, height_factor)(_SIDE, _SIDE)
    mean_face = np.mean([_canonical(frame, reference, box, grid) for frame in reference.frames], axis=0)
    red, green, blue = np.moveaxis(mean_face, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    distance = np.zeros_like(luma)
    inside = hull > 0.5
    for chroma in ((blue - luma) * 0.564, (red - luma) * 0.713):
        middle = np.median(chroma[inside])
        spread = _MAD * np.median(np.abs(chroma[inside] - middle)) + 0.5
        distance += ((chroma - middle) / spread) ** 2
    return FaceMask((hull / (1 + distance / _HALF_AT**2)).astype(np.float32))


def _canonical(frame: TrackedFrame, reference: Reference, box: Affine, grid: RoiGrid) -> npt.NDArray[np.float64]:
    """RGB picture (side, side, 3) of the box in one frame."""
    picture = frame.image
    if picture is None or frame.points_px is None:
        raise ValueError("a reference is made of frames with a face")
    # within the first second a head hardly turns
    placed = posed(box, [reference.pose_of(frame.points_px)])[0, :, :3]
    placed[:, 2] -= picture.origin_px
    linear = placed[:, :2] * (np.array([grid.cols, grid.rows]) / _SIDE)
    offset = placed[:, 2] + linear @ np.array([0.5, 0.5])
    planes = []
    for plane in picture.planes:
        shrink = np.array([plane.shape[1] / picture.gray.shape[1], plane.shape[0] / picture.gray.shape[0]])
        matrix = np.column_stack([linear * shrink[:, None], (offset + 0.5) * shrink - 0.5])
        warped = cv2.warpAffine(
            plane, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        planes.append(warped.astype(np.float64))
    return np.asarray(np.stack(planes, axis=-1) @ picture.to_rgb[:, :-1].T + picture.to_rgb[:, -1])


def _on_mask(points: Points, box: Affine, grid: RoiGrid) -> Points:
    """Bring points from the reference's coordinates to those of the mask."""
    units = np.linalg.solve(box[:, :2], (points - box[:, 2]).T).T
    return np.asarray(units / np.array([grid.cols, grid.rows]) * _SIDE - 0.5)
