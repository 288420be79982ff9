"""Sums over blocks of a tilted grid as exact as the pixels allow: a pixel is a square, and counts by the area that a block covers.

By Green's theorem the sum over a region is an integral along its border, so after one pass for the running sums only some pixels on
the lines of the grid are read. That is faster than warping the face and has no error of interpolation.

With ``F(x, y)`` the sum of all that lies left of x and above y, ``dF = S dy + T dx``, where S is the sum of a row up to x and T the
sum of a column up to y. The border's integral of ``S dy`` is taken along lines that run down as it stands, and along those that run
across as the difference of F less the integral of ``T dx``. A tilted line is a stair of equal steps through its middle, so each
integral is a sum of differences of F, and F between the corners of a pixel is bilinear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.box import Placements
from stmap_pipeline.blocks.lattice import Lattice, Stairs

_Array = npt.NDArray[np.float64]

# Longest way that a line leaves its stair by, to both sides together: in pixels, or as a share of the side of a block where that is
# more. An eighth of a pixel costs 0.02 dB of the pulse in a video without loss, a quarter 0.07 dB, and a block that lies on an edge
# of the face 1.3 dB.
_STRAY_PX, _STRAY = 0.125, 0.003
# Share of a block below which nothing of it lies in the picture.
_NOTHING = 1e-9
# Places that are read at once: more do not fit into the processor's caches.
_PLACES = 2**16
# Few numbers of steps, so that the same tables are used again and again.
_STEPS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 44, 48, 64)


def block_sums(
    pictures: Sequence[Sequence[npt.NDArray[np.generic]]], boxes: Placements, lattice: Lattice
) -> tuple[_Array, _Array, _Array]:
    """Sum planes over the blocks of a grid, as far as it lies inside them.

    Some pictures at once, for they are read in microseconds, and so is what each step of numpy costs beside its numbers.

    Parameters
    ----------
    pictures : T sequences of P (H, W) arrays of uint8 or uint16
        The planes of one picture have one size.
    boxes : (T, 2, 3) or (T, 2, 4) array
        From grid coordinates (column, row, 1), and the depth of the lattice, to the planes', in which the first pixel covers 0 to 1.
    lattice : Lattice

    Returns
    -------
    sums : (T, P, N) array
    areas : (T, N) array
        Pixels of each block that lie inside.
    whole : (T, N) array
        Pixels of each block.

    Examples
    --------
    >>> from stmap_pipeline.records import RoiGrid
    >>> ramp = np.tile(np.arange(12, dtype=np.uint8), (10, 1))
    >>> sums, areas, _ = block_sums([[ramp]], np.array([[[2.5, 0, 1.0], [0, 4.0, 1.0]]]), Lattice(RoiGrid(1, 2)))
    >>> (sums[0] / areas).tolist(), areas.tolist()
    ([[1.8, 4.2]], [[10.0, 10.0]])
    """
    stairs = lattice.stairs(*_steps(boxes, lattice))
    at_once = max(1, _PLACES // stairs.at_x.shape[1])
    sums = np.empty((len(pictures), len(pictures[0]), lattice.grid.count))
    areas, whole = np.empty((len(pictures), lattice.grid.count)), stairs.areas(boxes)
    for start in range(0, len(pictures), at_once):
        part = slice(start, start + at_once)
        sums[part], areas[part] = _some_sums(pictures[part], boxes[part], stairs, whole[part])
    return sums, areas, whole


def _some_sums(
    pictures: Sequence[Sequence[npt.NDArray[np.generic]]], boxes: Placements, stairs: Stairs, whole: _Array
) -> tuple[_Array, _Array]:
    """Give sums and areas of so few pictures that what is worked with stays in the caches."""
    terms = boxes.shape[2]
    x, y = boxes[:, 0] @ stairs.at_x[:terms], boxes[:, 1] @ stairs.at_y[:terms]
    areas = whole
    sizes = np.array([planes[0].shape for planes in pictures])
    height, width = sizes[:, :1], sizes[:, 1:]
    (left, right), (top, bottom) = _ends(x), _ends(y)
    if left.min() < 0 or top.min() < 0 or (right > width).any() or (bottom > height).any():
        x, y = x.clip(0, width), y.clip(0, height)
        areas = stairs.enclosed(x * y)
        # what rounding leaves of a block outside is nothing
        areas[areas < _NOTHING * whole] = 0
        (left, right), (top, bottom) = _ends(x), _ends(y)
    # what lies left of and above all lines cancels out
    left, top = np.minimum(left.astype(np.intp), width - 1), np.minimum(top.astype(np.intp), height - 1)
    columns = np.minimum((right - left).astype(np.intp) + 1, width - left)
    rows = np.minimum((bottom - top).astype(np.intp) + 1, height - top)
    # numbers of one kind: others would be cast piece by piece
    x -= left.astype(np.float64)
    y -= top.astype(np.float64)
    column, row = np.floor(x), np.floor(y)
    if (right >= width).any() or (bottom >= height).any():
        # the last line may lie on the far edge of the last pixel
        np.minimum(column, columns - 1, out=column)
        np.minimum(row, rows - 1, out=row)
    x -= column
    y -= row
    row *= columns + 1.0
    row += column
    places = row.astype(np.intp)
    parts = np.concatenate([left, top, left + columns, top + rows, columns + 1], axis=1).tolist()
    sums = np.empty((len(pictures), len(pictures[0]), whole.shape[1]))
    for index, planes in enumerate(zip(*pictures, strict=True)):
        # F above and below, before and after
        corners = np.empty((2, 2, *x.shape), np.int32 if planes[0].dtype == np.uint8 else np.float64)
        for one, (plane, (x_0, y_0, x_1, y_1, stride)) in enumerate(zip(planes, parts, strict=True)):
            total = cv2.integral(plane[y_0:y_1, x_0:x_1], sdepth=cv2.CV_32S if plane.dtype == np.uint8 else cv2.CV_64F).ravel()
            for below, after in ((0, 0), (0, 1), (1, 0), (1, 1)):
                # no place is out of range, so clipping only saves a check
                total[below * stride + after :].take(places[one], out=corners[below, after, one], mode="clip")
        sums[:, index] = stairs.enclosed(_between(corners, x, y))
    sums *= areas[:, None] > 0
    return sums, areas


def _between(corners: npt.NDArray[Any], x: _Array, y: _Array) -> _Array:
    """Interpolate F between four corners, (2, 2, ...), in the pixel; the corners are used up."""
    (start, right), (below, far) = corners
    # whole numbers are subtracted as such: half the memory, and exact
    far -= below
    right -= start
    below -= start
    far -= right
    found, across = far.astype(np.float64), right.astype(np.float64)
    found *= x
    found += below
    found *= y
    across *= x
    found += across
    found += start
    return np.asarray(found)


def _ends(places: _Array) -> tuple[_Array, _Array]:
    """Smallest and largest of each row, (T, 1)."""
    return places.min(axis=1, keepdims=True), places.max(axis=1, keepdims=True)


def _steps(boxes: Placements, lattice: Lattice) -> tuple[int, int]:
    """Choose the number of steps for the sides of blocks: down, which stray to the left and right, and across, up and down."""
    size = np.abs(boxes).max(axis=0)
    lean = size[:, 3] if boxes.shape[2] > 3 else np.zeros(2)
    length = np.hypot(*np.moveaxis(boxes[:, :, :2], 1, 0)).max(axis=0)
    stray = size[0, 1] + lean[0] * lattice.rise[0], size[1, 0] + lean[1] * lattice.rise[1]
    return _enough(stray[0], length[1]), _enough(stray[1], length[0])


def _enough(stray_px: float, length_px: float) -> int:
    """As many steps as a side leaves its direction by, and no more than it has pixels."""
    needed = min(stray_px / max(_STRAY_PX, _STRAY * length_px), length_px)
    return next((one for one in _STEPS if one >= needed), _STEPS[-1])
