"""Place the grid of blocks on a face: the face box, its pose in each frame, and the edges of the blocks on the curved face.

The box is as wide as the face from outer cheek to outer cheek, its height is a multiple of chin to brow, and it is rotated with the
eyes. It is placed once, on the mean shape of the first second, and projected by the pose of each frame, so that a block stays on its
skin.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.faces.backend import BROWS, LEFT_EYE, RIGHT_EYE, STEADY, Points, TrackedFrame
from stmap_pipeline.faces.pose import Affine, Depths, FaceDepth, Pose, PoseFit, fit_similarity, transform
from stmap_pipeline.records import LandmarkTrack, RoiGrid

Box = npt.NDArray[np.float64]
"""(2, 3) from grid coordinates (column, row, 1), or (2, 4) with the depth of the point on the face as fourth coordinate."""

Boxes = npt.NDArray[np.float64]
"""(T, 2, 3) or (T, 2, 4): a box in each of T frames."""

# Length of the reference: long enough to average out blinks and words, short enough to be held in memory.
REFERENCE_S = 1.0
# Steady points place the face; lids, lips and chin weigh next to nothing: with ten times as much, blocks at the jaw of a head that
# turns or nods lost up to 1.3 dB more.
_WEIGHTS = np.full(68, 0.01)
_WEIGHTS[STEADY] = 1.0
_CHIN, _CHEEKS = 8, (0, 16)

_Array = npt.NDArray[np.float64]


def face_box(points: Points, grid: RoiGrid, height_factor: float) -> Affine:
    """Return the face box of landmarks.

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
        From grid coordinates (column, row), 0 to ``cols`` and 0 to ``rows``, to those of the points. Row 0 is at the forehead.

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


def project_box(box: Affine, poses: Sequence[Pose]) -> Boxes:
    """Project a box by the pose of each frame: (T, 2, 4).

    Examples
    --------
    >>> from stmap_pipeline.faces.pose import Similarity
    >>> project_box(np.array([[2.0, 0, 5], [0, 2, 5]]), [Pose(Similarity(1j, 1 + 0j), 3 + 0j)]).tolist()
    [[[0.0, -2.0, -4.0, 0.0], [2.0, 0.0, 5.0, 3.0]]]
    """
    # from column, row, 1 and depth on the grid to x, y, 1 and depth on the face
    inner = np.eye(4)
    inner[:2, :3], inner[2:] = box, ((0, 0, 1, 0), (0, 0, 0, 1))
    columns = np.array([pose.columns for pose in poses]) @ inner
    return np.stack([columns.real, columns.imag], axis=1) + 0.0


class FaceReference:
    """Reference shape of a face: its mean landmarks in the first second.

    Parameters
    ----------
    points_px : (68, 2) array
        In pixels of the first frame with a face.

    Attributes
    ----------
    depth : FaceDepth
    """

    def __init__(self, points_px: Points) -> None:
        self.points_px = points_px
        self.depth = FaceDepth(points_px)
        self._fit = PoseFit(points_px, self.depth.at(points_px), _WEIGHTS)

    def poses(self, landmarks: Sequence[Points]) -> list[Pose]:
        """Fit the poses that project the reference to the landmarks of some frames."""
        return self._fit.fit(np.stack(landmarks), robust_rounds=1)


def find_reference(
    tracked: Iterable[TrackedFrame],
) -> tuple[FaceReference | None, list[TrackedFrame], Iterator[TrackedFrame]]:
    """Read frames until the first second of the face is known.

    Returns
    -------
    FaceReference or None
        None where no frame has a face.
    list of TrackedFrame
        The frames it was made of; they hold their images.
    iterator of TrackedFrame
        All frames from the first one on.
    """
    frames = iter(tracked)
    read: deque[TrackedFrame] = deque()
    found: list[TrackedFrame] = []
    for frame in frames:
        read.append(frame)
        if frame.points_px is not None:
            found.append(frame)
            if frame.time_s - found[0].time_s >= REFERENCE_S:
                break
    if not found:
        return None, [], iter(read)
    # each shape is brought to the first one's place, size and rotation
    shapes = [frame.points_px for frame in found if frame.points_px is not None]
    aligned = [transform(fit_similarity(one, shapes[0], _WEIGHTS, robust_rounds=3).matrix, one) for one in shapes]
    return FaceReference(np.asarray(np.mean(aligned, axis=0))), found, chain(_drained(read), frames)


def _drained(queue: deque[TrackedFrame]) -> Iterator[TrackedFrame]:
    # each frame is released as it is used: the images must not pile up
    while queue:
        yield queue.popleft()


def grid_corners_px(track: LandmarkTrack, frame: int, grid: RoiGrid, config: BlocksConfig) -> _Array:
    """Return where the corners of the blocks lay in a frame, from the stored landmarks of a recording.

    Parameters
    ----------
    track : LandmarkTrack
    frame : int
        One with a face.
    grid : RoiGrid
    config : BlocksConfig
        Settings of the build.

    Returns
    -------
    (2, rows + 1, cols + 1) array
        x and y in pixels.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = example_result()
    >>> corners = grid_corners_px(one.track, 0, RoiGrid(4, 2), BlocksConfig())
    >>> corners.shape, bool(np.isfinite(corners).all())
    ((2, 5, 3), True)
    """
    column, row = (one.ravel() for one in np.meshgrid(np.arange(grid.cols + 1.0), np.arange(grid.rows + 1.0)))
    points = track.points_px.astype(np.float64)
    frames = (
        TrackedFrame(index, time_s, points[index] if known else None, 1.0, None, (0, 0))
        for index, (time_s, known) in enumerate(zip(track.times_s.tolist(), track.found.tolist(), strict=True))
    )
    reference = find_reference(frames)[0] if config.align == "pose" else None
    if reference is None:
        box = face_box(points[frame], grid, config.height_factor)
        corners = box @ np.stack([column, row, np.ones_like(row)])
    else:
        box = face_box(reference.points_px, grid, config.height_factor)
        depth = reference.depth.at(transform(box, np.stack([column, row], axis=1)))
        corners = project_box(box, reference.poses([points[frame]]))[0] @ np.stack([column, row, np.ones_like(row), depth])
    return np.asarray(corners.reshape(2, grid.rows + 1, grid.cols + 1))


class GridEdges:
    """Edges of a grid of blocks, and their depth on a face.

    Parameters
    ----------
    grid : RoiGrid
    depth : callable, optional
        ``depth(points)`` returns (K,) depths of (K, 2) points in grid coordinates (column, row). Without it the face is a plane.

    Attributes
    ----------
    depth_change : (float, float)
        Largest change of depth along one edge of a block, down and across.
    """

    def __init__(self, grid: RoiGrid, depth: Callable[[Points], Depths] | None = None) -> None:
        self.grid = grid
        self._depth = depth
        self._samplings: dict[tuple[int, int], EdgeSampling] = {}
        self._subdivided: dict[tuple[int, int], GridEdges] = {}
        column, row = np.meshgrid(np.arange(grid.cols + 1.0), np.arange(grid.rows + 1.0))
        levels = self._depths(column.ravel(), row.ravel()).reshape(row.shape)
        self.depth_change = float(np.abs(np.diff(levels, axis=0)).max()), float(np.abs(np.diff(levels, axis=1)).max())

    def subdivided(self, rows: int, cols: int) -> GridEdges:
        """Return the edges of the grid in which each block is divided into some rows and columns of cells."""
        if (rows, cols) not in self._subdivided:
            depth, parts = self._depth, np.array([cols, rows])
            self._subdivided[rows, cols] = GridEdges(
                RoiGrid(self.grid.rows * rows, self.grid.cols * cols), None if depth is None else lambda cells: depth(cells / parts)
            )
        return self._subdivided[rows, cols]

    def sampling(self, steps_down: int, steps_across: int) -> EdgeSampling:
        """Return where sums are read when each edge of each block is divided into some steps."""
        key = steps_down, steps_across
        if key not in self._samplings:
            self._samplings[key] = self._sample(*key)
        return self._samplings[key]

    def _depths(self, column: _Array, row: _Array) -> Depths:
        if self._depth is None:
            return np.zeros(column.size)
        return self._depth(np.stack([column, row], axis=1))

    def _sample(self, steps_down: int, steps_across: int) -> EdgeSampling:
        rows, cols = self.grid.rows, self.grid.cols

        def steps(count: int, steps: int) -> tuple[_Array, list[_Array]]:
            start = np.arange(count) + np.arange(steps)[:, None] / steps
            return start + 0.5 / steps, [start, start + 1 / steps]

        down_middles, down_ends = steps(rows, steps_down)
        across_middles, across_ends = steps(cols, steps_across)
        edges_down, edges_across = np.arange(cols + 1.0), np.arange(rows + 1.0)[:, None]
        parts = []
        for down, across in zip(down_ends, across_ends, strict=True):
            # (steps, rows, edges) and (steps, edges, cols): column and row for x, then for y
            parts.append(np.broadcast_arrays(edges_down, down_middles[..., None], edges_down, down[..., None]))
            parts.append(np.broadcast_arrays(across[:, None], edges_across, across_middles[:, None], edges_across))
        parts.append(np.broadcast_arrays(edges_down, edges_across, edges_down, edges_across))
        x_col, x_row, y_col, y_row = (np.concatenate([part[index].ravel() for part in parts]) for index in range(4))
        ones = np.ones_like(x_col)
        return EdgeSampling(
            rows,
            cols,
            steps_down,
            steps_across,
            np.stack([x_col, x_row, ones, self._depths(x_col, x_row)]),
            np.stack([y_col, y_row, ones, self._depths(y_col, y_row)]),
        )


@dataclass(frozen=True, eq=False)
class EdgeSampling:
    """Points at which the summed-area table is read: the starts of all steps, then their ends, then the corners of the blocks.

    ``at_x`` and ``at_y`` (4, K) are multiplied by the rows of a box to give x and y; they differ, since a step lies at its middle.
    """

    rows: int
    cols: int
    steps_down: int
    steps_across: int
    at_x: _Array
    at_y: _Array

    def areas(self, boxes: Boxes) -> _Array:
        """Compute the areas of the blocks, (T, N): a bilinear form in the rows of each box."""
        terms = boxes.shape[2]
        products = boxes[:, 0, :, None] * boxes[:, 1, None, :]
        return np.asarray(products.reshape(len(boxes), -1) @ self._area_forms[:terms, :terms].reshape(terms * terms, -1))

    @cached_property
    def _area_forms(self) -> _Array:
        pairs = (self.at_x[:, None] * self.at_y).reshape(16, -1)
        return self.line_integrals(pairs).reshape(4, 4, -1)

    def line_integrals(self, values: _Array) -> _Array:
        """Compute the line integral around each block, (T, N), from the values of the summed-area table at the points, (T, K)."""
        downs, across = self.steps_down * self.rows * (self.cols + 1), self.steps_across * (self.rows + 1) * self.cols
        count = downs + across
        change = values[:, count : 2 * count] - values[:, :count]
        sides = np.add.reduce(change[:, :downs].reshape(-1, self.steps_down, self.rows, self.cols + 1), axis=1)
        lids = np.add.reduce(change[:, downs:].reshape(-1, self.steps_across, self.rows + 1, self.cols), axis=1)
        lids -= np.diff(values[:, 2 * count :].reshape(-1, self.rows + 1, self.cols + 1), axis=2)
        # down on the right, back across below, up on the left, across above
        return np.asarray((np.diff(sides, axis=2) + np.diff(lids, axis=1)).reshape(len(values), -1))
