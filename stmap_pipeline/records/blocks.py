"""The grid of regions on a face, and the mean color of each region over time: what shards store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RoiGrid:
    """Rows and columns of the aligned face box; block ``row * cols + col`` counts from the forehead, image left to right.

    Examples
    --------
    >>> RoiGrid().count
    25
    """

    rows: int = 5
    cols: int = 5

    def __post_init__(self) -> None:
        if not (1 <= self.rows <= 64 and 1 <= self.cols <= 64):
            raise ValueError(f"a grid has 1 to 64 rows and columns, not {self.rows} x {self.cols}")

    @property
    def count(self) -> int:
        """Number of blocks N."""
        return self.rows * self.cols


@dataclass(frozen=True, slots=True, eq=False)
class BlockTrace:
    """Mean color of each block in each frame, neither normalized nor bound to a color space.

    Parameters
    ----------
    times_s : (T,) array of float64
        Time of each frame, increasing.
    means : (T, N, 3) array of float32
        Mean R, G, B in gray levels (0 to 255, unclipped); NaN where the block was not seen. Any linear color space
        follows from it by one 3 x 3 matrix: averaging and a linear matrix commute.
    coverage : (T, N) array of float32
        Share of the block's area that lies inside the picture and inside the mask, 0 to 1; 0 where the face was lost.
    grid : RoiGrid
    """

    times_s: npt.NDArray[np.float64]
    means: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.float32]
    grid: RoiGrid

    def __post_init__(self) -> None:
        frames, blocks = len(self.times_s), self.grid.count
        if self.means.shape != (frames, blocks, 3) or self.coverage.shape != (frames, blocks):
            raise ValueError(
                f"{frames} frames of {blocks} blocks need means ({frames}, {blocks}, 3) and coverage ({frames}, {blocks}), "
                f"not {self.means.shape} and {self.coverage.shape}"
            )

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(T,) Whether the face was known, so that at least one block has a mean.

        A block that never shows skin (a masked corner, say) is NaN throughout and must not spoil every frame; what each
        block misses is in ``coverage``.
        """
        return np.asarray(np.any(np.all(np.isfinite(self.means), axis=2), axis=1), dtype=np.bool_)
