"""Mean of each block in each native plane.

Each plane is warped to a canvas at least as fine as itself and summed by an integral image. Coarser canvases read single
pixels and lose 6 to 20 dB of pulse; whole-number means (an 8-bit area resize) lose it all.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.box import Affine
from stmap_pipeline.blocks.exact import exact_means
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.video import Picture

# Canvas pixels per picture pixel along each side.
OVERSAMPLING = 1.25
_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
MaskFunction = Callable[[int, int], npt.NDArray[np.float32]]


def block_means(
    picture: Picture, box: Affine, grid: RoiGrid, picture_size_px: tuple[int, int], mask: MaskFunction | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Average the picture over each block.

    Parameters
    ----------
    picture : Picture
        Whole, or a part that holds what of the box lies in the whole.
    box : (2, 3) array
        From grid coordinates (column, row) to pixels of the whole picture, as :func:`~stmap_pipeline.blocks.box.face_box` gives.
    grid : RoiGrid
    picture_size_px : (int, int)
        Width and height of the whole picture.
    mask : callable, optional
        ``mask(height, width)`` gives weights from 0 to 1 over the box as a (height, width) array.

    Returns
    -------
    means : (N, 3) array
        Mean R, G, B in grey levels; NaN where the coverage is 0.
    coverage : (N,) array
        Share of each block that lies in the picture, times its mean weight.
    """
    step = np.hypot(box[0, :2], box[1, :2])
    size = np.maximum(1, np.ceil(step * OVERSAMPLING)).astype(int)
    local = box.copy()
    local[:, 2] -= picture.origin_px
    whole = _is_inside(box, grid, picture_size_px) and mask is None
    if whole and abs(box[1, 0]) < abs(box[0, 0]) and abs(box[0, 1]) < abs(box[1, 1]):
        return _to_rgb(np.stack(_exact(picture, local, grid), axis=1), picture), np.ones(grid.count)
    weights = None if whole else _weights(picture, local, grid, size, mask)
    sums = []
    for index, plane in enumerate(picture.planes):
        shrink = np.array([plane.shape[1] / picture.gray.shape[1], plane.shape[0] / picture.gray.shape[0]])
        # a subsampled plane needs no finer canvas than itself; all planes share blocks, so each has its own whole number of pixels
        fine = np.maximum(1, np.ceil(size * shrink)).astype(int)
        canvas = _warp(plane, local, grid, fine, shrink)
        if weights is None:
            sums.append(_block_sums(canvas, grid) / (fine[0] * fine[1]))
            continue
        share = (
            weights
            if index == 0 or np.array_equal(fine, size)
            else cv2.resize(weights, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_AREA)
        )
        total = _block_sums(share, grid)
        with np.errstate(invalid="ignore", divide="ignore"):
            sums.append(np.where(total > 0, _block_sums(canvas.astype(np.float32) * share, grid) / total, np.nan))
    means = _to_rgb(np.stack(sums, axis=1), picture)
    coverage = np.ones(grid.count) if weights is None else _block_sums(weights, grid) / (size[0] * size[1])
    means[coverage <= 0] = np.nan
    return means, np.minimum(coverage, 1.0)


def _exact(picture: Picture, box: Affine, grid: RoiGrid) -> list[npt.NDArray[np.float64]]:
    first, others = picture.planes[0], list(picture.planes[1:])
    # pixel squares instead of pixel centers
    squares = box.copy()
    squares[:, 2] += 0.5
    if others and others[0].shape == first.shape:
        return exact_means([first, *others], squares, grid)
    means = exact_means([first], squares, grid)
    if others:
        height, width = first.shape
        shrink = np.array([others[0].shape[1] / width, others[0].shape[0] / height])
        means += exact_means(others, squares * shrink[:, None], grid)
    return means


def _to_rgb(samples: npt.NDArray[np.float64], picture: Picture) -> npt.NDArray[np.float64]:
    return np.asarray(samples @ picture.to_rgb[:, :-1].T + picture.to_rgb[:, -1])


def _is_inside(box: Affine, grid: RoiGrid, size_px: tuple[int, int]) -> bool:
    # the area of a picture reaches half a pixel beyond the centers of its outer pixels
    for x, y in ((0, 0), (grid.cols, 0), (0, grid.rows), (grid.cols, grid.rows)):
        for line, size in zip(box.tolist(), size_px, strict=True):
            if not -0.5 <= line[0] * x + line[1] * y + line[2] <= size - 0.5:
                return False
    return True


def _to_canvas(box: Affine, fine: npt.NDArray[np.int_], shrink: npt.NDArray[np.float64]) -> Affine:
    """Compose canvas pixel -> grid -> picture pixel -> pixel of a plane that may be subsampled."""
    linear = box[:, :2] / fine
    # centers of canvas pixels lie at half of one
    offset = box[:, 2] + linear @ np.array([0.5, 0.5])
    return np.column_stack([linear * shrink[:, None], (offset + 0.5) * shrink - 0.5])


def _warp(
    plane: npt.NDArray[np.generic], box: Affine, grid: RoiGrid, fine: npt.NDArray[np.int_], shrink: npt.NDArray[np.float64]
) -> npt.NDArray[np.generic]:
    size = (int(grid.cols * fine[0]), int(grid.rows * fine[1]))
    canvas: npt.NDArray[np.generic] = cv2.warpAffine(
        plane, _to_canvas(box, fine, shrink), size, flags=_FLAGS, borderMode=cv2.BORDER_REPLICATE
    )
    return canvas


def _weights(
    picture: Picture, box: Affine, grid: RoiGrid, fine: npt.NDArray[np.int_], mask: MaskFunction | None
) -> npt.NDArray[np.float32]:
    """Weight of each canvas pixel: 1 or the mask inside the picture, 0 outside of it."""
    rows, cols = np.mgrid[0 : grid.rows * fine[1], 0 : grid.cols * fine[0]]
    x, y = np.tensordot(_to_canvas(box, fine, np.ones(2)), np.stack([cols, rows, np.ones_like(cols)]), axes=1)
    width, height = picture.size_px
    inside = ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)).astype(np.float32)
    return np.asarray(inside if mask is None else inside * mask(inside.shape[0], inside.shape[1]), dtype=np.float32)


def _block_sums(canvas: npt.NDArray[np.generic], grid: RoiGrid) -> npt.NDArray[np.float64]:
    """Sum each block of a canvas by its integral image: (N,)."""
    depth = cv2.CV_32S if canvas.dtype == np.uint8 else cv2.CV_64F
    total = cv2.integral(canvas, sdepth=depth)
    corners = total[:: canvas.shape[0] // grid.rows, :: canvas.shape[1] // grid.cols].astype(np.float64)
    return np.asarray(np.diff(np.diff(corners, axis=0), axis=1).ravel())
