"""Compute the pose of a head: similarity transforms in the image plane, a depth model of the face, and weak-perspective pose.

A similarity of the plane is one complex line ``z -> a z + b``: its least-squares fit needs no decomposition, and in each frame two
complex numbers take a tenth of the time of a small matrix. Seen from afar, a rigid head is projected by
``A point + rotation depth + shift`` with any 2 x 2 matrix A (scaled orthography). With points as complex numbers A is a multiple of
the point plus a multiple of its conjugate, so the whole model is one line, and its least-squares fit is linear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.backend import LEFT_EYE, RIGHT_EYE, Points

Affine = npt.NDArray[np.float64]
"""(2, 3) matrix ``[A | shift]`` of the plane."""

Depths = npt.NDArray[np.float64]
"""(K,) depths of points toward the camera, in distances between the eyes; only differences mean anything."""

PoseCoefficients = npt.NDArray[np.complex128]
"""(T, 4) array: :attr:`Pose.coefficients` of T frames."""

_Complex = npt.NDArray[np.complex128]
_Weights = npt.NDArray[np.float64]

# Curvature of the face across and down, and height of the nose, in distances between the eyes. These are the numbers with which two
# real recordings of people who talk and turn were fitted best (a third less residual than without turns); within a third of each the
# fit is nearly as good, so one average face will do.
_CURVATURE_ACROSS, _CURVATURE_DOWN, _NOSE_HEIGHT = 0.3, 0.25, 0.3
# Row of the apex, and row, width and length of the nose, below the middle of the eyes.
_APEX_ROW = 0.3
_NOSE_ROW, _NOSE_WIDTH, _NOSE_LENGTH = 0.55, 0.3, 0.35


class Similarity(NamedTuple):
    """Similarity of the plane ``z -> linear z + shift``, with points as complex numbers.

    Parameters
    ----------
    linear : complex
        Rotation and scale.
    shift : complex

    Examples
    --------
    >>> quarter = Similarity(1j, 2 + 0j)
    >>> quarter.after(quarter.inverse())
    Similarity(linear=(1+0j), shift=0j)
    >>> quarter.apply(np.array([[1.0, 0.0]])).tolist()
    [[2.0, 1.0]]
    """

    linear: complex
    shift: complex

    def after(self, first: Similarity) -> Similarity:
        """Return the similarity that applies ``first`` and then this one."""
        return Similarity(self.linear * first.linear, self.linear * first.shift + self.shift)

    def inverse(self) -> Similarity:
        """Return the inverse."""
        return Similarity(1 / self.linear, -self.shift / self.linear)

    def apply_to_point(self, point: complex) -> complex:
        """Transform one point."""
        return self.linear * point + self.shift

    def apply(self, points: Points) -> Points:
        """Transform (K, 2) points."""
        moved = complex_points(points) * self.linear
        moved += self.shift
        return moved.view(np.float64).reshape(-1, 2)

    @property
    def scale(self) -> float:
        """Factor by which lengths grow."""
        return abs(self.linear)

    @property
    def matrix(self) -> Affine:
        """(2, 3) matrix of the same transform."""
        a, b = self
        return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


IDENTITY = Similarity(1 + 0j, 0j)


def complex_points(points: Points) -> _Complex:
    """Return (..., K, 2) points as (..., K) complex numbers."""
    return np.ascontiguousarray(points, dtype=np.float64).view(np.complex128)[..., 0]


def transform(matrix: Affine, points: Points) -> Points:
    """Transform (K, 2) points by a (2, 3) matrix."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def geman_mcclure(residuals: npt.NDArray[np.float64], weights: _Weights) -> _Weights:
    """Return weights that are lowered where residuals are large (Geman-McClure); ``residuals`` is overwritten.

    The scale of the residuals is their median, so up to half of the points may move on their own.

    Parameters
    ----------
    residuals : (..., K) array
        Distances of points from where a fit puts them.
    weights : (K,) array

    Examples
    --------
    >>> geman_mcclure(np.array([0.0, 1.0, 1.0, 9.0]), np.ones(4)).round(3).tolist()
    [1.0, 0.64, 0.64, 0.002]
    """
    # sorting 68 numbers takes a tenth of the time of numpy's median
    residuals /= 2.0 * np.sort(residuals)[..., residuals.shape[-1] // 2, None] + 1e-3
    residuals *= residuals
    residuals += 1.0
    residuals *= residuals
    return np.asarray(weights / residuals)


def fit_similarity(source: Points, target: Points, weights: _Weights | None = None, robust_rounds: int = 0) -> Similarity:
    """Fit the similarity from ``source`` to ``target`` by least squares (Umeyama 1991, without reflection).

    Parameters
    ----------
    source, target : (K, 2) array
        K of 2 or more points.
    weights : (K,) array, optional
    robust_rounds : int
        Rounds of reweighting by :func:`geman_mcclure`.

    Examples
    --------
    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> fit_similarity(square, 2 * square + [3, 4]).matrix.round(6) + 0.0
    array([[2., 0., 3.],
           [0., 2., 4.]])
    """
    z, w = complex_points(source), complex_points(target)
    weights = np.ones(len(z)) if weights is None else weights
    # relative to a center and a first point, so that products of coordinates lose no digits
    center, origin = complex(weights @ z / weights.sum()), complex(w[0])
    z, w = z - center, w - origin
    product = z.conj() * w
    # all sums of the normal equations in one product with the weights
    terms = np.stack([np.ones(len(z)), z.real, z.imag, (z * z.conj()).real, w.real, w.imag, product.real, product.imag])

    def solve(weights: _Weights) -> tuple[complex, complex]:
        total, x, y, square, u, v, real, imaginary = (terms @ weights).tolist()
        mean_z, mean_w = complex(x, y) / total, complex(u, v) / total
        linear = (complex(real, imaginary) - total * mean_z.conjugate() * mean_w) / (square - total * abs(mean_z) ** 2)
        return linear, mean_w - linear * mean_z

    linear, shift = solve(weights)
    for _ in range(robust_rounds):
        linear, shift = solve(geman_mcclure(np.abs(w - linear * z - shift), weights))
    return Similarity(linear, shift + origin - linear * center)


class FaceDepth:
    """Depth model of an average face, a paraboloid with a nose, placed by the eyes.

    Parameters
    ----------
    points : (68, 2) array
        Landmarks of the face, in any coordinates.

    Attributes
    ----------
    eye_distance : float
        Distance between the centers of the eyes.

    Examples
    --------
    >>> points = np.zeros((68, 2)); points[36:42] = [30, 40]; points[42:48] = [70, 40]
    >>> nose, cheek = FaceDepth(points).at(np.array([[50.0, 62.0], [80.0, 62.0]]))
    >>> bool(nose > cheek + 0.4)
    True
    """

    def __init__(self, points: Points) -> None:
        left, right = (complex(*points[eye].mean(axis=0)) for eye in (LEFT_EYE, RIGHT_EYE))
        self._middle, self._across = (left + right) / 2, right - left
        self.eye_distance = abs(self._across)

    def at(self, points: Points) -> Depths:
        """Compute the depths of (K, 2) points."""
        place = (complex_points(points) - self._middle) / self._across
        x, y = place.real, place.imag
        nose = np.exp(-((x / _NOSE_WIDTH) ** 2) - ((y - _NOSE_ROW) / _NOSE_LENGTH) ** 2)
        return np.asarray(_NOSE_HEIGHT * nose - _CURVATURE_ACROSS * x**2 - _CURVATURE_DOWN * (y - _APEX_ROW) ** 2)


class Pose(NamedTuple):
    """Weak-perspective pose ``linear (point + anisotropy conj(point) + rotation depth) + shift``.

    Parameters
    ----------
    similarity : Similarity
        Motion in the image plane.
    rotation : complex
        Out-of-plane rotation: shift of a point one unit of depth closer to the camera, to the right (yaw, real part) and down
        (pitch, imaginary part), in the units of the points. Divided by the distance between the eyes it is the sine of the angle.
    anisotropy : complex
        Anisotropic scale: negative where the face is seen narrower than it was; the imaginary part is a shear.

    Examples
    --------
    >>> pose = Pose(Similarity(2 + 0j, 1j), 3 + 0j, 0.1 + 0j)
    >>> there = pose.project(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.0, 0.5]))
    >>> there.round(6).tolist(), pose.unproject(there, np.array([0.0, 0.5])).round(6).tolist()
    ([[2.2, 1.0], [5.2, 1.0]], [[1.0, 0.0], [1.0, 0.0]])
    """

    similarity: Similarity
    rotation: complex = 0j
    anisotropy: complex = 0j

    def project(self, points: Points, depths: Depths) -> Points:
        """Project (K, 2) points of (K,) depths."""
        return project(np.array([self.coefficients]), points[None], depths).reshape(-1, 2)

    def unproject(self, places: Points, depths: Depths) -> Points:
        """Return the points of (K,) depths that are projected to (K, 2) places."""
        flat = complex_points(self.similarity.inverse().apply(places)) - depths * self.rotation
        points = (flat - self.anisotropy * flat.conj()) / (1 - abs(self.anisotropy) ** 2)
        return points.view(np.float64).reshape(-1, 2)

    @property
    def coefficients(self) -> tuple[complex, complex, complex, complex]:
        """Factors of a point, its conjugate, its depth and 1; a projection is linear in these."""
        linear, shift = self.similarity
        return linear, linear * self.anisotropy, linear * self.rotation, shift

    @property
    def columns(self) -> tuple[complex, complex, complex, complex]:
        """Factors of x, y, 1 and the depth of a point."""
        linear, anisotropy, rotation, shift = self.coefficients
        return linear + anisotropy, 1j * (linear - anisotropy), shift, rotation


def project(poses: PoseCoefficients, points: Points, depths: Depths) -> Points:
    """Project the points of T frames, each by the pose of its frame.

    Parameters
    ----------
    poses : (T, 4) array
        :attr:`Pose.coefficients` of each frame.
    points : (T, K, 2) array
    depths : (K,) array

    Examples
    --------
    >>> pose, point = Pose(Similarity(2 + 0j, 1j), 3 + 0j, 0.1 + 0j), np.array([[1.0, 0.0]])
    >>> project(np.array([pose.coefficients]), point[None], np.array([0.5])).round(6).tolist()
    [[[5.2, 1.0]]]
    """
    z = complex_points(points)
    linear, anisotropy, rotation, shift = poses.T[:, :, None]
    places = anisotropy * z.conj()
    places += linear * z
    places += rotation * depths
    places += shift
    return np.asarray(places.view(np.float64).reshape(points.shape))


class PoseFit:
    """Least-squares fit of the pose of one set of points to many; what depends on the set alone is computed once.

    Parameters
    ----------
    source : (K, 2) array
    depths : (K,) array
    weights : (K,) array

    Examples
    --------
    >>> points, depths = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9.0)
    >>> pose = Pose(Similarity(1 + 0.5j, 7j), 0.2 + 0j, 0.01j)
    >>> (found,) = PoseFit(points, depths, np.ones(9)).fit(pose.project(points, depths)[None], robust_rounds=1)
    >>> np.allclose(found.coefficients, pose.coefficients)
    True
    """

    def __init__(self, source: Points, depths: Depths, weights: _Weights) -> None:
        z = complex_points(source)
        self._weights = weights
        # relative to their centers, so that products of coordinates lose no digits
        self._center, self._mean_depth = complex(weights @ z / weights.sum()), float(weights @ depths / weights.sum())
        z, depths = z - self._center, depths - self._mean_depth
        self._basis = np.stack([z, z.conj(), depths.astype(np.complex128), np.ones_like(z)])
        self._adjoint = self._basis.conj()
        self._products = (self._adjoint[:, None] * self._basis).reshape(16, -1).T

    def fit(self, targets: Points, robust_rounds: int) -> list[Pose]:
        """Fit to each of (T, K, 2) sets of points, with rounds of reweighting by :func:`geman_mcclure`.

        All at once take a tenth of the time of one after the other.
        """
        w = complex_points(targets)
        origins = w[:, 0]
        w = w - origins[:, None]
        found = self._solve(w, np.broadcast_to(self._weights, w.shape))
        for _ in range(robust_rounds):
            found = self._solve(w, geman_mcclure(np.abs(w - found @ self._basis), self._weights))
        poses = []
        for origin, (linear, anisotropy, rotation, shift) in zip(origins.tolist(), found.tolist(), strict=True):
            shift += origin - linear * self._center - anisotropy * self._center.conjugate() - rotation * self._mean_depth
            poses.append(Pose(Similarity(linear, shift), rotation / linear, anisotropy / linear))
        return poses

    def _solve(self, targets: _Complex, weights: _Weights) -> _Complex:
        normal = (weights @ self._products).reshape(-1, 4, 4)
        return np.asarray(np.linalg.solve(normal, ((weights * targets) @ self._adjoint.T)[..., None])[..., 0])
