"""What the pixels of a frame say of light and motion: one matrix, made when the template changes, times the pixels.

Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 2004: inverse compositional, with gain, offset and slope of the light as further
unknowns.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Patch = npt.NDArray[np.float32]
Slopes = tuple[Patch, Patch]

# Pixels that are asked. How much a pixel says of motion goes with the square of its slope, and a quarter of the template's pixels
# has 93 to 97 % of the sum; four times as many do not fit into the processor's caches beside the rest.
ASKED = 4096
# Slope of a picture, to fourth order. Differences of neighbors are less shaken by what a codec makes of fine texture, but find it too
# flat, so that a step would go too far: by 5 % on drawn faces, by 16 % on a real one.
_SLOPE = np.array([[1, -8, 0, 8, -1]], np.float32) / 12


def slopes_of(picture: Patch) -> Slopes:
    """Differences of neighbors, across and down; 0 on the border.

    Examples
    --------
    >>> across, down = slopes_of(np.tile(np.arange(0, 10, 2, dtype=np.float32), (3, 1)))
    >>> across[1].tolist(), down[1].tolist()
    ([0.0, 2.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0])
    """
    across, down = np.zeros_like(picture), np.zeros_like(picture)
    np.subtract(picture[:, 2:], picture[:, :-2], out=across[:, 1:-1])
    np.subtract(picture[2:], picture[:-2], out=down[1:-1])
    across *= 0.5
    down *= 0.5
    return across, down


class Solution:
    """The least squares solution for one picture.

    Parameters
    ----------
    picture : (S, S) array of float32
    slopes : tuple of (S, S) arrays
        As :func:`slopes_of` gives them.
    weights : (S, S) array of float32
        Of the pixels.
    grid : (4, S * S) array of float32
        Column, row, 1 and depth of each pixel.
    asked : int
        About how many pixels are asked.

    Attributes
    ----------
    grid : (4, K) array of float32
        Those of the pixels that are asked.
    matrix : (12, K) array of float32
        Times the values of these pixels in a frame gives gain, offset, then gain times what the frame's pose lacks: shift across
        and down, turn, zoom, stretch, shear, lean across and down, in half sides around the center; then the light's slopes.
    """

    def __init__(self, picture: Patch, slopes: Slopes, weights: Patch, grid: Patch, asked: int = ASKED) -> None:
        side = len(picture)
        chosen = _steepest(((slopes[0] * slopes[0] + slopes[1] * slopes[1]) * weights).ravel(), asked)
        self.grid = grid.take(chosen, axis=1)
        values, across, down, held = (one.ravel().take(chosen) for one in (picture, *slopes, weights))
        u, v = (self.grid[:2] * 2 + 1) / side - 1
        relief = self.grid[3]
        basis = np.empty((12, len(chosen)), np.float32)
        basis[0], basis[1], basis[2], basis[3] = values, 1.0, across, down
        basis[4], basis[5] = u * down - v * across, u * across + v * down
        basis[6], basis[7] = u * across - v * down, v * across + u * down
        basis[8], basis[9] = relief * across, relief * down
        basis[10], basis[11] = u * values, v * values
        weighted = basis * held
        # an inverse of 12 x 12, for solving with a side of 12 x 4096 costs ten times as much
        inverse = np.linalg.inv((weighted @ basis.T).astype(np.float64) + 1e-3 * np.eye(12))
        finer = [cv2.filter2D(picture, -1, one).ravel().take(chosen) for one in (_SLOPE, _SLOPE.T)]
        flat, true = (one @ weighted[2] + other @ weighted[3] for one, other in ((across, down), finer))
        inverse[2:10] *= flat / max(true, 1e-6)
        self.matrix = inverse.astype(np.float32) @ weighted


def _steepest(steep: Patch, asked: int) -> npt.NDArray[np.intp]:
    """Choose about as many pixels as are asked."""
    if len(steep) <= asked:
        return np.arange(len(steep))
    # from every fourth pixel the limit is known well enough
    some = steep[::4]
    rank = len(some) - len(some) * asked // len(steep)
    return np.flatnonzero(steep >= np.partition(some, rank)[rank])
