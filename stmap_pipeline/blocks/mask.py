"""Weight the skin of the face box: one mask in the coordinates of the grid for the whole recording.

A mask that is made anew in each frame flickers at its edge and destroys the pulse (46 dB below no mask in the worst block);
one soft mask from the mean face costs nothing and improves the worst block.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.grid import FaceReference, project_box
from stmap_pipeline.faces.backend import BROWS, JAW, LEFT_EYE, MOUTH, RIGHT_EYE, Points, TrackedFrame
from stmap_pipeline.faces.pose import Affine
from stmap_pipeline.faces.template import fill_hull
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.signals.luma import KB, KG, KR

Mask = npt.NDArray[np.float32]
"""(H, W) weights from 0 to 1 over the face box."""

# Side of a mask in pixels.
_SIDE = 240
# Chroma distance, in robust standard deviations of the face's own skin, at which a pixel weighs half.
_HALF_AT = 3.0
# Standard deviation of a normal distribution over its median absolute deviation.
_MAD = 1.4826


def hull_mask(reference: FaceReference, box: Affine, grid: RoiGrid, height_factor: float) -> Mask:
    """Return the mask of the landmark hull, raised to the top of the box, without eyes and mouth."""
    points = reference.points_px
    brow_lift = (height_factor - 1) * (points[8] - points[BROWS].mean(axis=0))
    outline = np.concatenate([points[JAW], points[BROWS] - brow_lift])
    weights = np.zeros((_SIDE, _SIDE), np.float32)
    fill_hull(weights, _in_mask(outline, box, grid), 1.0)
    for part in (LEFT_EYE, RIGHT_EYE, MOUTH):
        center = points[part].mean(axis=0)
        # lids and lips are wider than their landmarks
        grown = center + (points[part] - center) * np.array([1.3, 1.6])
        fill_hull(weights, _in_mask(grown, box, grid), 0.0)
    return np.asarray(cv2.GaussianBlur(weights, (0, 0), 2.0), dtype=np.float32)


def skin_mask(reference: FaceReference, frames: Sequence[TrackedFrame], box: Affine, grid: RoiGrid, height_factor: float) -> Mask:
    """Return the mask of the hull, weighted by how near each pixel of the mean face is to the face's own skin color.

    The color model is the median and the median absolute deviation of Cb and Cr inside the hull, so no skin tone is assumed.

    Parameters
    ----------
    reference : FaceReference
    frames : sequence of TrackedFrame
        Those of the reference, with a face and their images.
    box : (2, 3) array
        Face box of the reference.
    grid : RoiGrid
    height_factor : float
    """
    hull = hull_mask(reference, box, grid, height_factor)
    mean_face = np.mean([_warped(frame, reference, box, grid) for frame in frames], axis=0)
    red, green, blue = np.moveaxis(mean_face, -1, 0)
    luma = KR * red + KG * green + KB * blue
    distance = np.zeros_like(luma)
    inside = hull > 0.5
    for chroma in ((blue - luma) * 0.564, (red - luma) * 0.713):
        median = np.median(chroma[inside])
        deviation = _MAD * np.median(np.abs(chroma[inside] - median)) + 0.5
        distance += ((chroma - median) / deviation) ** 2
    return np.asarray(hull / (1 + distance / _HALF_AT**2), dtype=np.float32)


def _warped(frame: TrackedFrame, reference: FaceReference, box: Affine, grid: RoiGrid) -> npt.NDArray[np.float64]:
    """Return the RGB image (side, side, 3) of the box in one frame."""
    image = frame.image
    if image is None or frame.points_px is None:
        raise ValueError("a reference is made of frames with a face")
    # in the first second a head hardly turns
    placed = project_box(box, reference.poses([frame.points_px]))[0, :, :3]
    placed[:, 2] -= image.origin_px
    linear = placed[:, :2] * (np.array([grid.cols, grid.rows]) / _SIDE)
    offset = placed[:, 2] + linear @ np.array([0.5, 0.5])
    planes = []
    for plane in image.planes:
        shrink = np.array([plane.shape[1] / image.gray.shape[1], plane.shape[0] / image.gray.shape[0]])
        matrix = np.column_stack([linear * shrink[:, None], (offset + 0.5) * shrink - 0.5])
        warped = cv2.warpAffine(
            plane, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        planes.append(warped.astype(np.float64))
    return np.asarray(np.stack(planes, axis=-1) @ image.to_rgb[:, :-1].T + image.to_rgb[:, -1])


def _in_mask(points: Points, box: Affine, grid: RoiGrid) -> Points:
    """Transform points from the coordinates of the reference to pixels of the mask."""
    units = np.linalg.solve(box[:, :2], (points - box[:, 2]).T).T
    return np.asarray(units / np.array([grid.cols, grid.rows]) * _SIDE - 0.5)
