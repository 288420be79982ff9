"""Means over blocks of a tilted grid as exact as the pixels allow: a pixel is a square, and counts by the area that a block covers.

By Green's theorem the sum over a region is an integral along its border, so after one pass for the running sums only as many pixels
are read as the lines of the grid cross. That is faster than warping the face and has no error of interpolation.

With ``F(x, y)`` the sum of all that lies left of x and above y, ``dF = S dy + T dx``, where S is the sum of a row up to x and T the
sum of a column up to y. The border's integral of ``S dy`` is taken along the lines that run down as a sum over rows, and along those
that run across as ``F(end) - F(start)`` less the integral of ``T dx``, a sum over columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.box import Affine
from stmap_pipeline.records import RoiGrid

_Array = npt.NDArray[np.float64]
_Index = npt.NDArray[np.intp]


def exact_means(planes: list[npt.NDArray[np.generic]], box: Affine, grid: RoiGrid) -> list[_Array]:
    """Average planes of one size over the blocks of a grid that lies inside them.

    Parameters
    ----------
    planes : list of (H, W) array of uint8 or uint16
    box : (2, 3) array
        From grid coordinates (column, row) to the planes', in which the first pixel covers 0 to 1. Lines of constant column run
        down, steeper than 45 degrees.
    grid : RoiGrid

    Returns
    -------
    list of (N,) array of float64

    Examples
    --------
    >>> ramp = np.tile(np.arange(12, dtype=np.uint8), (10, 1))
    >>> exact_means([ramp], np.array([[2.5, 0, 1.0], [0, 4.0, 1.0]]), RoiGrid(1, 2))[0].tolist()
    [1.8, 4.2]
    """
    columns, rows = np.arange(grid.cols + 1.0), np.arange(grid.rows + 1.0)
    # nodes of the grid: (rows + 1, cols + 1)
    x = box[0, 0] * columns + (box[0, 1] * rows + box[0, 2])[:, None]
    y = box[1, 0] * columns + (box[1, 1] * rows + box[1, 2])[:, None]
    # what is left and above of all lines cancels out
    left, top = int(x.min()), int(y.min())
    # in steps, so that the tables are seldom made anew
    width = min(-(-int(x.max() + 1 - left) // 16) * 16, planes[0].shape[1] - left)
    height = min(-(-int(y.max() + 1 - top) // 16) * 16, planes[0].shape[0] - top)
    x, y = x - left, y - top
    table = _table(width, height, grid.cols, grid.rows)
    lean_down, lean_across = box[0, 1] / box[1, 1], box[1, 0] / box[0, 0]
    # where the lines are in the middle of each step: rows for those that run down, then columns for those across
    start = np.concatenate([x[0] - lean_down * (y[0] - 0.5), y[:, 0] - lean_across * (x[:, 0] - 0.5)])
    at = table.step * lean_down
    at[table.downs :] = table.step[table.downs :] * lean_across
    at += start.take(table.line)
    np.maximum(at, 0.0, out=at)
    np.minimum(at, table.limit, out=at)
    pixel = at.astype(np.intp)
    at -= pixel
    in_plane = pixel * table.plane_stride
    in_plane += table.plane_start
    before = pixel * table.sum_stride
    before += table.sum_start
    after = before + table.sum_step
    # a line's nodes: the step that each lies in, and how much of it comes before
    nodes = np.concatenate([y.T.ravel(), x.ravel()])
    last = np.minimum(nodes.astype(np.intp), table.last_step)
    passed = nodes - last
    at_node = last + table.first_sample
    # two nodes in one step have nothing between them, which reduceat would not see
    apart = np.diff(at_node, append=at_node[-1] + 1) > 0
    # the part of that step before the node lies to one side of the middle
    lean = passed * (passed - 1) / 2
    lean[: x.size] *= lean_down
    lean[x.size :] *= lean_across
    node_x, node_y = np.minimum(x.astype(np.intp), width - 1), np.minimum(y.astype(np.intp), height - 1)
    part_x, part_y = x - node_x, y - node_y
    corner = table.corners + (node_y * (width + 1) + node_x)
    area = abs(float(box[0, 0] * box[1, 1] - box[0, 1] * box[1, 0]))
    means = []
    for plane in planes:
        part = plane[top : top + height, left : left + width]
        sums = cv2.integral(part, sdepth=cv2.CV_32S if part.dtype == np.uint8 else cv2.CV_64F).ravel()
        pixels = part.ravel().take(in_plane)
        line = at * pixels
        line += sums.take(after)
        line -= sums.take(before)
        # along each line, from one node to the next; what reaches over the end of a line is not used
        pieces = np.add.reduceat(line, at_node) * apart
        within = line.take(at_node) * passed + pixels.take(at_node) * lean
        pieces[:-1] += within[1:] - within[:-1]
        sides = pieces[: x.size].reshape(x.T.shape)[:, :-1].T
        above_left, above, beside, full = sums.take(corner)
        above = above_left + part_x * (above - above_left)
        whole = above + part_y * (beside + part_x * (full - beside) - above)
        lids = whole[:, 1:] - whole[:, :-1] - pieces[x.size :].reshape(x.shape)[:, :-1]
        # the border of a block: across above, down on the right, back across below and up on the left
        means.append((lids[:-1] - lids[1:] + sides[:, 1:] - sides[:, :-1]).ravel() / area)
    return means


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What a size of plane and a grid decide about all samples, lines that run down first; one list, as calls cost more than samples.

    ``step`` and ``line`` number the samples, ``limit`` bounds their place; starts and strides lead to them in the plane and in the
    integral image. ``last_step`` and ``first_sample`` belong to the nodes of the lines.
    """

    downs: int
    step: _Array
    line: _Index
    limit: _Array
    plane_start: _Index
    plane_stride: _Index
    sum_start: _Index
    sum_stride: _Index
    sum_step: _Index
    last_step: _Index
    first_sample: _Index
    corners: _Index


@lru_cache(maxsize=64)
def _table(width: int, height: int, cols: int, rows: int) -> _Table:
    downs, across = (cols + 1) * height, (rows + 1) * width

    def both(down: int, other: int) -> _Index:
        return np.repeat(np.array([down, other], dtype=np.intp), (downs, across))

    step = np.concatenate([np.tile(np.arange(height), cols + 1), np.tile(np.arange(width), rows + 1)])
    nodes = (cols + 1) * (rows + 1)
    return _Table(
        downs,
        step.astype(np.float64),
        np.concatenate([np.repeat(np.arange(cols + 1), height), cols + 1 + np.repeat(np.arange(rows + 1), width)]),
        both(width, height).astype(np.float64) - 1e-9,
        step * both(width, 1),
        both(1, width),
        step * both(width + 1, 1),
        both(1, width + 1),
        both(width + 1, 1),
        np.repeat(np.array([height - 1, width - 1], dtype=np.intp), nodes),
        np.concatenate(
            [np.repeat(np.arange(cols + 1) * height, rows + 1), downs + np.repeat(np.arange(rows + 1) * width, cols + 1)]
        ),
        np.array([0, 1, width + 1, width + 2], dtype=np.intp)[:, None, None],
    )
