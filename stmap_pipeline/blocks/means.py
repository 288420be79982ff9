"""Mean of each block in each native plane, by exact areas; see :mod:`.exact`.

A mask counts in cells of the face's own frame that are smaller than blocks, so that masked means are exact, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.box import Placements
from stmap_pipeline.blocks.exact import block_sums
from stmap_pipeline.blocks.lattice import Lattice
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.video import Image
from stmap_pipeline.video.frame import Plane

# Cells of a mask along each side of the face, at least.
_MASK_CELLS = 40
MaskFunction = Callable[[int, int], npt.NDArray[np.float32]]
_Array = npt.NDArray[np.float64]


def block_means(
    pictures: Sequence[Image], boxes: Placements, lattice: Lattice, mask: MaskFunction | None = None
) -> tuple[_Array, _Array]:
    """Average some pictures of one stream over each block.

    Parameters
    ----------
    pictures : sequence of Image
        Whole, or a part that holds what of the box lies in the whole.
    boxes : (T, 2, 3) or (T, 2, 4) array
        From grid coordinates (column, row) to pixels of the whole picture, as :func:`~stmap_pipeline.blocks.box.face_box` and
        :func:`~stmap_pipeline.blocks.box.posed` give.
    lattice : Lattice
    mask : callable, optional
        ``mask(height, width)`` gives weights from 0 to 1 over the box as a (height, width) array.

    Returns
    -------
    means : (T, N, 3) array
        Mean R, G, B in grey levels; NaN where the coverage is 0.
    coverage : (T, N) array
        Share of each block that lies in the picture, times its mean weight.
    """
    grid, cells, finer, weights = lattice.grid, lattice, (1, 1), None
    if mask is not None:
        finer = -(-_MASK_CELLS // grid.rows), -(-_MASK_CELLS // grid.cols)
        weights = mask(grid.rows * finer[0], grid.cols * finer[1]).astype(np.float64)
        cells = lattice.finer(*finer)
    # from centers of pixels to their squares
    squares = boxes / (finer[1], finer[0], 1, 1)[: boxes.shape[2]]
    squares[:, :, 2] += 0.5 - np.array([picture.origin_px for picture in pictures])
    means: list[_Array] = []
    coverage = np.zeros((len(pictures), grid.count))
    for chosen in _same_size(pictures[0]):
        planes = [picture.planes[chosen] for picture in pictures]
        steps = np.array([_shrink(picture, first) for picture, (first, *_) in zip(pictures, planes, strict=True)])
        sums, areas, whole = block_sums(planes, squares * steps[..., None], cells)
        areas, whole = areas[:, None], whole[:, None]
        if weights is not None:
            sums, areas = _gather(sums, weights, grid, finer), _gather(areas, weights, grid, finer)
            whole = _gather(whole, np.ones_like(weights), grid, finer)
        if not means:
            coverage = (areas / whole)[:, 0]
        # a sliver of a block may be seen in one plane and not in a subsampled one
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(sums / areas)
    to_rgb = pictures[0].to_rgb
    rgb = np.moveaxis(to_rgb[:, :-1] @ np.concatenate(means, axis=1) + to_rgb[:, -1:], 1, 2)
    rgb[coverage <= 0] = np.nan
    return rgb, np.minimum(coverage, 1.0)


def _same_size(picture: Image) -> list[slice]:
    """Group the planes that lie on one lattice, for which the lines of the grid are worked out together."""
    first, *others = picture.planes
    return [slice(1), slice(1, None)] if others and others[0].shape != first.shape else [slice(None)]


def _shrink(picture: Image, plane: Plane) -> tuple[float, float]:
    """Give how many pixels of a plane there are for one of the picture, across and down."""
    width, height = picture.size_px
    return plane.shape[1] / width, plane.shape[0] / height


def _gather(values: _Array, weights: _Array, grid: RoiGrid, finer: tuple[int, int]) -> _Array:
    """Add up the weighted cells of each block: (T, P, cells) to (T, P, N)."""
    cells = values.reshape(*values.shape[:2], grid.rows, finer[0], grid.cols, finer[1])
    return np.asarray(np.einsum("tprucv,rucv->tprc", cells, weights.reshape(cells.shape[2:])).reshape(*values.shape[:2], -1))
