"""Mean of each block in each native plane, by exact areas; see :mod:`.exact`.

A mask counts in cells of the face's own frame that are smaller than blocks, so that masked means are exact, too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.box import Placement
from stmap_pipeline.blocks.exact import block_sums
from stmap_pipeline.blocks.lattice import Lattice
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.video import Picture

# Cells of a mask along each side of the face, at least.
_MASK_CELLS = 40
MaskFunction = Callable[[int, int], npt.NDArray[np.float32]]
_Array = npt.NDArray[np.float64]


def block_means(picture: Picture, box: Placement, lattice: Lattice, mask: MaskFunction | None = None) -> tuple[_Array, _Array]:
    """Average the picture over each block.

    Parameters
    ----------
    picture : Picture
        Whole, or a part that holds what of the box lies in the whole.
    box : (2, 3) or (2, 4) array
        From grid coordinates (column, row) to pixels of the whole picture, as :func:`~stmap_pipeline.blocks.box.face_box` and
        :func:`~stmap_pipeline.blocks.box.posed` give.
    lattice : Lattice
    mask : callable, optional
        ``mask(height, width)`` gives weights from 0 to 1 over the box as a (height, width) array.

    Returns
    -------
    means : (N, 3) array
        Mean R, G, B in grey levels; NaN where the coverage is 0.
    coverage : (N,) array
        Share of each block that lies in the picture, times its mean weight.
    """
    grid, cells, finer, weights = lattice.grid, lattice, (1, 1), None
    if mask is not None:
        finer = -(-_MASK_CELLS // grid.rows), -(-_MASK_CELLS // grid.cols)
        weights = mask(grid.rows * finer[0], grid.cols * finer[1]).astype(np.float64)
        cells = lattice.finer(*finer)
    # from centers of pixels to their squares
    squares = box / (finer[1], finer[0], 1, 1)[: box.shape[1]]
    squares[:, 2] += 0.5 - np.array(picture.origin_px)
    width, height = picture.size_px
    means: list[_Array] = []
    coverage = np.zeros(grid.count)
    for planes in _same_size(picture):
        step = np.array([[planes[0].shape[1] / width], [planes[0].shape[0] / height]])
        sums, areas, whole = block_sums(planes, squares * step, cells)
        if weights is not None:
            sums, areas = _gather(sums, weights, grid, finer), _gather(areas[None], weights, grid, finer)[0]
            whole = _gather(whole[None], np.ones_like(weights), grid, finer)[0]
        if not means:
            coverage = areas / whole
        # a sliver of a block may be seen in one plane and not in a subsampled one
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(sums / areas)
    rgb = picture.to_rgb[:, :-1] @ np.concatenate(means) + picture.to_rgb[:, -1:]
    if coverage.min() <= 0:
        rgb[:, coverage <= 0] = np.nan
    return rgb.T, np.minimum(coverage, 1.0)


def _same_size(picture: Picture) -> list[list[npt.NDArray[np.generic]]]:
    """Group the planes that lie on one lattice, for which the lines of the grid are worked out together."""
    first, *others = picture.planes
    if others and others[0].shape != first.shape:
        return [[first], others]
    return [[first, *others]]


def _gather(values: _Array, weights: _Array, grid: RoiGrid, finer: tuple[int, int]) -> _Array:
    """Add up the weighted cells of each block: (P, cells) to (P, N)."""
    cells = values.reshape(len(values), grid.rows, finer[0], grid.cols, finer[1])
    return np.asarray(np.einsum("prucv,rucv->prc", cells, weights.reshape(cells.shape[1:])).reshape(len(values), grid.count))
