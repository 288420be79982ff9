"""The aligned face box: width from outer cheek to outer cheek, height a multiple of chin to brow, turned with the eyes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points
from stmap_pipeline.faces.geometry import BROWS, LEFT_EYE, RIGHT_EYE
from stmap_pipeline.faces.pose import Pose
from stmap_pipeline.records import RoiGrid

Affine = npt.NDArray[np.float64]
"""(2, 3): from grid coordinates (column, row, 1) to others."""

Placement = npt.NDArray[np.float64]
"""(2, 3) as :data:`Affine`, or (2, 4): with a last column for what a unit of depth is moved by."""

Placements = npt.NDArray[np.float64]
"""(T, 2, 3) or (T, 2, 4): a placement in each of T frames."""

_CHIN, _CHEEKS = 8, (0, 16)


def face_box(points: Points, grid: RoiGrid, height_factor: float) -> Affine:
    """Place the grid on a face.

    Parameters
    ----------
    points : (68, 2) array
        Landmarks in any coordinates.
    grid : RoiGrid
    height_factor : float
        Height in units of the distance from chin to brow center along the face; 1.2 in Niu et al. (FG 2019), as recalled.

    Returns
    -------
    (2, 3) array
        Maps grid coordinates (column, row), 0 to ``cols`` and 0 to ``rows``, to those of the points. Row 0 is at the forehead.

    Examples
    --------
    >>> points = np.zeros((68, 2)); points[[0, 16]] = [[0, 50], [100, 50]]
    >>> points[8] = [50, 120]; points[17:27] = [50, 20]; points[36:42] = [30, 40]; points[42:48] = [70, 40]
    >>> face_box(points, RoiGrid(5, 5), 1.2) + 0.0
    array([[20.,  0.,  0.],
           [ 0., 24.,  0.]])
    """
    eyes = points[RIGHT_EYE].mean(axis=0) - points[LEFT_EYE].mean(axis=0)
    across = eyes / np.hypot(*eyes)
    down = np.array([-across[1], across[0]])
    left, right = (float(points[one] @ across) for one in _CHEEKS)
    chin, brow = float(points[_CHIN] @ down), float(points[BROWS].mean(axis=0) @ down)
    height = height_factor * (chin - brow)
    corner = left * across + (chin - height) * down
    return np.column_stack([across * (right - left) / grid.cols, down * height / grid.rows, corner])


def posed(box: Affine, poses: Sequence[Pose]) -> Placements:
    """Carry a box with a head: (T, 2, 4).

    Examples
    --------
    >>> from stmap_pipeline.faces.geometry import Motion
    >>> posed(np.array([[2.0, 0, 5], [0, 2, 5]]), [Pose(Motion(1j, 1 + 0j), 3 + 0j)]).tolist()
    [[[0.0, -2.0, -4.0, 0.0], [2.0, 0.0, 5.0, 3.0]]]
    """
    # from column, row, 1 and depth on the grid to x, y, 1 and depth on the face
    inner = np.eye(4)
    inner[:2, :3], inner[2:] = box, ((0, 0, 1, 0), (0, 0, 0, 1))
    columns = np.array([pose.columns for pose in poses]) @ inner
    return np.stack([columns.real, columns.imag], axis=1) + 0.0
