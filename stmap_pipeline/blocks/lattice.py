"""The lines of a grid of blocks on a face, and where along them sums are read; see :mod:`.exact`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points
from stmap_pipeline.faces.relief import Depth
from stmap_pipeline.records import RoiGrid

_Array = npt.NDArray[np.float64]


class Lattice:
    """A grid of blocks and the depth of its lines on a face.

    Parameters
    ----------
    grid : RoiGrid
    depth : callable, optional
        ``depth(points)`` gives (K,) depths of (K, 2) points in grid coordinates (column, row). Without it all is in one plane.

    Attributes
    ----------
    rise : (float, float)
        Largest change of depth along one side of a block, down and across.
    """

    def __init__(self, grid: RoiGrid, depth: Callable[[Points], Depth] | None = None) -> None:
        self.grid = grid
        self._depth = depth
        self._stairs: dict[tuple[int, int], Stairs] = {}
        self._finer: dict[tuple[int, int], Lattice] = {}
        column, row = np.meshgrid(np.arange(grid.cols + 1.0), np.arange(grid.rows + 1.0))
        levels = self._at(column.ravel(), row.ravel()).reshape(row.shape)
        self.rise = float(np.abs(np.diff(levels, axis=0)).max()), float(np.abs(np.diff(levels, axis=1)).max())

    def finer(self, rows: int, cols: int) -> Lattice:
        """Divide each block into so many rows and columns of cells."""
        if (rows, cols) not in self._finer:
            depth, parts = self._depth, np.array([cols, rows])
            self._finer[rows, cols] = Lattice(
                RoiGrid(self.grid.rows * rows, self.grid.cols * cols), None if depth is None else lambda cells: depth(cells / parts)
            )
        return self._finer[rows, cols]

    def stairs(self, steps_down: int, steps_across: int) -> Stairs:
        """Divide each side of each block into so many steps."""
        key = steps_down, steps_across
        if key not in self._stairs:
            self._stairs[key] = self._make(*key)
        return self._stairs[key]

    def _at(self, column: _Array, row: _Array) -> Depth:
        if self._depth is None:
            return np.zeros(column.size)
        return self._depth(np.stack([column, row], axis=1))

    def _make(self, steps_down: int, steps_across: int) -> Stairs:
        rows, cols = self.grid.rows, self.grid.cols

        def side(count: int, steps: int) -> tuple[_Array, list[_Array]]:
            start = np.arange(count) + np.arange(steps)[:, None] / steps
            return start + 0.5 / steps, [start, start + 1 / steps]

        down_middle, down_ends = side(rows, steps_down)
        across_middle, across_ends = side(cols, steps_across)
        lines_down, lines_across = np.arange(cols + 1.0), np.arange(rows + 1.0)[:, None]
        parts = []
        for down, across in zip(down_ends, across_ends, strict=True):
            # (steps, rows, lines) and (steps, lines, cols): column and row for x, then for y
            parts.append(np.broadcast_arrays(lines_down, down_middle[..., None], lines_down, down[..., None]))
            parts.append(np.broadcast_arrays(across[:, None], lines_across, across_middle[:, None], lines_across))
        parts.append(np.broadcast_arrays(lines_down, lines_across, lines_down, lines_across))
        x_col, x_row, y_col, y_row = (np.concatenate([part[index].ravel() for part in parts]) for index in range(4))
        ones = np.ones_like(x_col)
        return Stairs(
            rows,
            cols,
            steps_down,
            steps_across,
            np.stack([x_col, x_row, ones, self._at(x_col, x_row)]),
            np.stack([y_col, y_row, ones, self._at(y_col, y_row)]),
        )


@dataclass(frozen=True, eq=False)
class Stairs:
    """Where F is read for a grid: first where steps begin, then where they end, then in the corners of the blocks.

    ``at_x`` and ``at_y`` (4, K) give x and y by the rows of the box; they differ, as a step is taken at its middle.
    """

    rows: int
    cols: int
    steps_down: int
    steps_across: int
    at_x: _Array
    at_y: _Array

    def areas(self, boxes: _Array) -> _Array:
        """Give the areas of the blocks, (T, N), for boxes (T, 2, 3) or (T, 2, 4): a form in their rows."""
        terms = boxes.shape[2]
        products = boxes[:, 0, :, None] * boxes[:, 1, None, :]
        return np.asarray(products.reshape(len(boxes), -1) @ self._forms[:terms, :terms].reshape(terms * terms, -1))

    @cached_property
    def _forms(self) -> _Array:
        pairs = (self.at_x[:, None] * self.at_y).reshape(16, -1)
        return self.enclosed(pairs).reshape(4, 4, -1)

    def enclosed(self, values: _Array) -> _Array:
        """Give the integral around each block from the values of F: (T, K) to (T, N)."""
        downs, across = self.steps_down * self.rows * (self.cols + 1), self.steps_across * (self.rows + 1) * self.cols
        count = downs + across
        change = values[:, count : 2 * count] - values[:, :count]
        sides = np.add.reduce(change[:, :downs].reshape(-1, self.steps_down, self.rows, self.cols + 1), axis=1)
        lids = np.add.reduce(change[:, downs:].reshape(-1, self.steps_across, self.rows + 1, self.cols), axis=1)
        lids -= np.diff(values[:, 2 * count :].reshape(-1, self.rows + 1, self.cols + 1), axis=2)
        # down on the right, back across below, up on the left, across above
        return np.asarray((np.diff(sides, axis=2) + np.diff(lids, axis=1)).reshape(len(values), -1))
