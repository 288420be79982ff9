"""Where a head is, as a distant camera sees it: motion in the plane, and what turning out of it does.

Seen from afar, a rigid head is carried by ``place = A point + lean depth + shift`` with any 2 x 2 matrix A (scaled orthography). With
points as complex numbers A is ``turn`` times the point and ``squeeze`` times its conjugate, so all of it is one line, and its least
squares fit is linear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Points
from stmap_pipeline.faces.geometry import Motion, complex_points, disagreement
from stmap_pipeline.faces.relief import Depth

Terms = npt.NDArray[np.complex128]


class Pose(NamedTuple):
    """``place = turn (point + squeeze conj(point) + lean depth) + shift``.

    Parameters
    ----------
    motion : Motion
        Turn and shift in the plane.
    lean : complex
        How far a point one unit of depth before the others is moved to the right (real) and down (imaginary), in the units of
        the points.
    squeeze : complex
        How much narrower than high (negative) the face is seen than it was.

    Examples
    --------
    >>> pose = Pose(Motion(2 + 0j, 1j), 3 + 0j, 0.1 + 0j)
    >>> there = pose.on(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.0, 0.5]))
    >>> there.round(6).tolist(), pose.back(there, np.array([0.0, 0.5])).round(6).tolist()
    ([[2.2, 1.0], [5.2, 1.0]], [[1.0, 0.0], [1.0, 0.0]])
    """

    motion: Motion
    lean: complex = 0j
    squeeze: complex = 0j

    def on(self, points: Points, depth: Depth) -> Points:
        """Place (K, 2) points of a depth (K,)."""
        return placed(np.array([self.terms]), points[None], depth).reshape(-1, 2)

    def back(self, places: Points, depth: Depth) -> Points:
        """Give the points that are seen at (K, 2) places."""
        seen = complex_points(self.motion.inverse().on(places)) - depth * self.lean
        points = (seen - self.squeeze * seen.conj()) / (1 - abs(self.squeeze) ** 2)
        return points.view(np.float64).reshape(-1, 2)

    @property
    def terms(self) -> tuple[complex, complex, complex, complex]:
        """What a point, its conjugate, its depth and 1 are multiplied with: a pose is linear in these."""
        turn, shift = self.motion
        return turn, turn * self.squeeze, turn * self.lean, shift

    @property
    def columns(self) -> tuple[complex, complex, complex, complex]:
        """What x, y, 1 and depth of a point are multiplied with."""
        turn, squeeze, lean, shift = self.terms
        return turn + squeeze, 1j * (turn - squeeze), shift, lean


def placed(poses: Terms, points: Points, depth: Depth) -> Points:
    """Place the points of some frames by the pose in each.

    Parameters
    ----------
    poses : (T, 4) array
        :attr:`Pose.terms` of each.
    points : (T, K, 2) array
    depth : (K,) array

    Examples
    --------
    >>> pose, point = Pose(Motion(2 + 0j, 1j), 3 + 0j, 0.1 + 0j), np.array([[1.0, 0.0]])
    >>> placed(np.array([pose.terms]), point[None], np.array([0.5])).round(6).tolist()
    [[[5.2, 1.0]]]
    """
    z = complex_points(points)
    turn, squeeze, lean, shift = poses.T[:, :, None]
    found = squeeze * z.conj()
    found += turn * z
    found += lean * depth
    found += shift
    return np.asarray(found.view(np.float64).reshape(points.shape))


class PoseFit:
    """Fits the pose of one set of points to many: what depends on the set and its weights alone is worked out once.

    Parameters
    ----------
    source : (K, 2) array
    depth : (K,) array
        Of the points.
    weights : (K,) array

    Examples
    --------
    >>> points, depth = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9.0)
    >>> pose = Pose(Motion(1 + 0.5j, 7j), 0.2 + 0j, 0.01j)
    >>> found = PoseFit(points, depth, np.ones(9)).to(pose.on(points, depth), rounds=1)
    >>> np.allclose([*found.motion, found.lean, found.squeeze], [*pose.motion, pose.lean, pose.squeeze])
    True
    """

    def __init__(self, source: Points, depth: Depth, weights: npt.NDArray[np.float64]) -> None:
        z = complex_points(source)
        self._weights = weights
        # around their centers, so that products of coordinates lose no digits
        self._middle, self._level = complex(weights @ z / weights.sum()), float(weights @ depth / weights.sum())
        z, depth = z - self._middle, depth - self._level
        self._basis = np.stack([z, z.conj(), depth.astype(np.complex128), np.ones_like(z)])
        self._back = self._basis.conj()
        self._products = (self._back[:, None] * self._basis).reshape(16, -1).T

    def to(self, target: Points, rounds: int) -> Pose:
        """Fit to (K, 2) points, with so many rounds of giving less weight to those that disagree (Geman-McClure)."""
        return self.to_all(target[None], rounds)[0]

    def to_all(self, targets: Points, rounds: int) -> list[Pose]:
        """Fit to each of (T, K, 2) sets of points: a tenth of the work of one after the other."""
        w = complex_points(targets)
        middles = w[:, 0]
        w = w - middles[:, None]
        found = self._solve(w, np.broadcast_to(self._weights, w.shape))
        for _ in range(rounds):
            found = self._solve(w, self._weights / disagreement(np.abs(w - found @ self._basis)))
        poses = []
        for middle, (turn, squeeze, lean, shift) in zip(middles.tolist(), found.tolist(), strict=True):
            shift += middle - turn * self._middle - squeeze * self._middle.conjugate() - lean * self._level
            poses.append(Pose(Motion(turn, shift), lean / turn, squeeze / turn))
        return poses

    def _solve(self, targets: npt.NDArray[np.complex128], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.complex128]:
        normal = (weights @ self._products).reshape(-1, 4, 4)
        return np.asarray(np.linalg.solve(normal, ((weights * targets) @ self._back.T)[..., None])[..., 0])
