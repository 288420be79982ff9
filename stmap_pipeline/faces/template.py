"""Align each frame with a template of the face: the motion of the head to a hundredth of a pixel.

Landmarks place a face to about a pixel; ten thousand pixels of skin measure its motion to a hundredth of one. Each frame is warped to
the template by a predicted pose, and the remaining motion is solved for in closed form (inverse-compositional alignment: Baker and
Matthews, "Lucas-Kanade 20 years on", IJCV 2004). The template is updated as the face's appearance changes, and its correlation with a
frame shows whether the face is still there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.backend import LEFT_EYE, MOUTH, RIGHT_EYE, Gray, Points
from stmap_pipeline.faces.pose import FaceDepth, Pose, Similarity, fit_similarity

Patch = npt.NDArray[np.float32]
Gradients = tuple[Patch, Patch]

# Side of the template in pixels where the face is at least as large; finer gains nothing.
_SIDE = 128
# Side of the coarse template that is correlated with a frame: noise and small errors of place are averaged out.
_COARSE_SIDE = 32
# Pixels that are used in a solution. What a pixel contributes goes with the square of its gradient, and a quarter of the template's
# pixels has 93 to 97 % of the sum; four times as many do not fit into the processor's caches beside the rest.
SELECTED_PIXELS = 4096
# Gradient to fourth order. Differences of neighbors suffer less from what a codec makes of fine texture but underestimate gradients, so
# that a step would go too far: by 5 % on drawn faces, by 16 % on a real one.
_GRADIENT_KERNEL = np.array([[1, -8, 0, 8, -1]], np.float32) / 12
# Steps of the solver: a second one where the first moved the skin by more than this, in template pixels, since the solution is linear.
# What a step leaves is a twentieth of its length. Three are enough unless a head jerks.
_MAX_STEPS, _SHORT_STEP_PX = 5, 0.1
# A last step longer than this, in template pixels, has not converged.
_MAX_LAST_STEP_PX = 0.3
# Smallest gain of the light of a face, and largest sine of its out-of-plane rotation; beyond, the template lies on something else.
_MIN_GAIN, _MAX_ROTATION = 0.1, 0.6
# Pixels of a frame per template pixel beyond which nothing is a face any more.
_LARGEST_SCALE = 64.0
# Share of an increase by which the estimated variance of a pixel grows at once: how fast pixels that begin to change lose their weight.
_VARIANCE_GROWTH = 0.5
# Misplacement of an edge, in template pixels, that is no change of it: codecs move edges by as much, and edges are what places the face.
_EDGE_TOLERANCE_PX = 0.2
# Time constant of the template's update, and the interval between updates; shorter while it is young.
_UPDATE_S, _UPDATE_EVERY_S, _UPDATE_EVERY_YOUNG_S, _YOUNG_S = 5.0, 0.5, 0.15, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PyramidLevel:
    """A part of a frame, ``step`` times smaller, that begins at ``origin`` in the frame."""

    gray: Gray
    step: int
    origin: complex


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A frame aligned with the template.

    Parameters
    ----------
    pose : Pose
        From template pixels to pixels of the frame.
    gain, offset : float
        Of the frame's gray levels against the template's.
    converged : bool
    level : PyramidLevel
        The part of the frame that was aligned.
    """

    pose: Pose
    gain: float
    offset: float
    converged: bool
    level: PyramidLevel


class FaceTemplate:
    """Gray image of one face, upright and of a fixed size, with which frames are aligned.

    Parameters
    ----------
    gray : (H, W) array of uint8
    points : (68, 2) array
        Landmarks in it.
    time_s : float

    Attributes
    ----------
    shape : (68, 2) array
        The landmarks in template pixels.
    depths : (68,) array
        Depths of the landmarks.
    pose : Pose
        From template pixels to pixels of ``gray``.
    center : complex
    corners : tuple of complex
        Of the template.
    """

    def __init__(self, gray: Gray, points: Points, time_s: float) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        extent = float((high - low).max())
        self._side = int(np.clip(extent, 32, _SIDE))
        self.shape = (points - (low + high) / 2) * (self._side / extent) + (self._side - 1) / 2
        self.pose = Pose(fit_similarity(self.shape, points))
        self.center = complex(self._side - 1, self._side - 1) / 2
        self.corners = (0j, self._side + 0j, self._side * 1j, self._side * (1 + 1j))
        self._skin = self._weights = skin_weights(self.shape, self._side)
        # of the template at half size, in every other row: enough for a median
        self._is_skin = _resized(self._skin, self._side // 2) > 0.5
        self._is_skin[1::2] = False
        model = FaceDepth(self.shape)
        self.depths = model.at(self.shape)
        self._max_rotation = _MAX_ROTATION * model.eye_distance
        u, v = np.meshgrid(np.arange(float(self._side)), np.arange(float(self._side)))
        depths = model.at(np.stack([u.ravel(), v.ravel()], axis=1))
        self._grid = np.stack([u.ravel(), v.ravel(), np.ones_like(depths), depths]).astype(np.float32)
        self._motion_form = _motion_form(((u + 1j * v).ravel() - self.center) * (2 / self._side), depths, self._skin.ravel())
        self._template = self._warped(self._level(gray, 0j, self.pose.similarity), self.pose)
        self._gradients = central_differences(self._template)
        self._start_s = self._updated_s = time_s
        self._sum = np.zeros_like(self._template)
        self._squared_error = np.zeros_like(self._template)
        self._variance: Patch | None = None
        self._count, self._frames = 0, 1
        self._prepare()

    def align(self, gray: Gray, guess: Pose, origin: complex = 0j, *, all_pixels: bool = False) -> Alignment:
        """Align a frame with the template, starting from a predicted pose.

        Parameters
        ----------
        gray : (H, W) array of uint8
            The frame or a part of it.
        guess : Pose
        origin : complex
            Where the part begins in the frame.
        all_pixels : bool
            Use all pixels: where a gesture blurs the edges, the others still place the face.
        """
        (similarity, rotation, anisotropy), length, gain, offset = guess, math.inf, 0.0, 0.0
        solver = self._full_solver if all_pixels else self._solver
        level = self._level(gray, origin, similarity)
        for step in range(_MAX_STEPS):
            values = _sampled(level, Pose(similarity, rotation, anisotropy), solver.grid)
            gain, offset, *change, _, _ = (solver.matrix @ values).tolist()
            # with a gain near zero the template is not in the frame at all
            divisor = gain if abs(gain) > 1e-3 else 1e-3
            x, y, turn, zoom, stretch, shear, yaw, pitch = change
            # the solver counts lengths in half sides, from the center
            shift, growth = complex(x, y) / divisor, complex(zoom, turn) / divisor * (2 / self._side)
            skew = complex(stretch, shear) / divisor * (2 / self._side)
            similarity = similarity.after(
                Similarity(1 + growth, shift - growth * self.center - skew * self.center.conjugate()).inverse()
            )
            anisotropy -= skew
            rotation -= complex(yaw, pitch) / divisor
            length = math.sqrt(abs(change @ self._motion_form @ change)) / abs(divisor)
            if length < _SHORT_STEP_PX or not length < self._side or step == _MAX_STEPS - 1:
                break
        converged = length < _MAX_LAST_STEP_PX and gain > _MIN_GAIN and abs(rotation) < self._max_rotation
        return Alignment(Pose(similarity, rotation, anisotropy), gain, offset, converged, level)

    def warp(self, aligned: Alignment) -> Patch:
        """Warp an aligned frame to the template, (S, S)."""
        return self._warped(aligned.level, aligned.pose)

    def correlation(self, patch: Patch) -> float:
        """Return the weighted correlation of a warped frame with the template, at a coarse size; 0 where it has no contrast."""
        contrast, deviation = self._coarse(patch)
        return float(contrast @ self._coarse_template) / deviation if deviation > 0.2 else 0.0

    def update(self, aligned: Alignment, patch: Patch, time_s: float, *, replace: bool = False) -> None:
        """Update the template by a frame in which the face is known to be.

        Pixels that change, such as lids, lips or a hand, lose their weight.

        Parameters
        ----------
        aligned : Alignment
        patch : (S, S) array
            The same frame, warped.
        time_s : float
        replace : bool
            Take the frame as the new template: the appearance of the face has changed.
        """
        if replace:
            self._template, self._variance, self._count = patch, None, 0
            self._gradients = central_differences(patch)
            self._sum[:], self._squared_error[:] = 0, 0
            self._start_s, self._frames = time_s, 1
            self._weights = self._skin
        else:
            normalized = (patch - aligned.offset) / aligned.gain
            self._sum += normalized
            normalized -= self._template
            self._squared_error += normalized * normalized
            self._count += 1
            every_s = _UPDATE_EVERY_YOUNG_S if time_s - self._start_s < _YOUNG_S else _UPDATE_EVERY_S
            if time_s - self._updated_s < every_s:
                return
            self._frames += self._count
            share = max(self._count / self._frames, 1 - float(np.exp((self._updated_s - time_s) / _UPDATE_S)))
            self._template = (1 - share) * self._template + (share / self._count) * self._sum
            self._gradients = central_differences(self._template)
            self._update_weights(self._squared_error / np.float32(self._count), share)
            self._sum[:], self._squared_error[:], self._count = 0, 0, 0
        self._updated_s = time_s
        self._prepare()

    def _update_weights(self, squared_error: Patch, share: float) -> None:
        # at half size: everything is smooth over some pixels
        squared_error = cv2.GaussianBlur(_resized(squared_error, self._side // 2), (0, 0), 1.0)
        if self._variance is None:
            self._variance = squared_error
        else:
            # a mouth that begins to speak loses its weight at once and does not get it back in its first pause
            change = squared_error - self._variance
            self._variance = self._variance + np.where(change > 0, np.float32(_VARIANCE_GROWTH), np.float32(share)) * change
        across, down = self._gradients
        steepness = _resized(down * down + across * across, self._side // 2)
        tolerated = np.float32(_EDGE_TOLERANCE_PX**2) * cv2.GaussianBlur(steepness, (0, 0), 1.0)
        typical = float(np.median(self._variance[self._is_skin])) + 1e-3
        factor = 1 / (1 + np.square(self._variance / (typical + tolerated)))
        self._weights = self._skin * cv2.resize(factor, (self._side, self._side), interpolation=cv2.INTER_LINEAR)

    def _prepare(self) -> None:
        """Compute what depends on the template alone: the solver and the coarse template."""
        self._solver = InverseCompositionalSolver(self._template, self._gradients, self._weights, self._grid)
        self.__dict__.pop("_full_solver", None)
        coarse_weights = _resized(self._weights, _COARSE_SIDE).ravel()
        self._coarse_weights = coarse_weights / coarse_weights.sum()
        self._coarse_roots = np.sqrt(self._coarse_weights)
        contrast, deviation = self._coarse(self._template)
        self._coarse_template = contrast / max(deviation, 1e-6)

    @cached_property
    def _full_solver(self) -> InverseCompositionalSolver:
        """Solver with all pixels, made where it is needed and dropped when the template changes."""
        return InverseCompositionalSolver(self._template, self._gradients, self._weights, self._grid, count=self._template.size)

    def _coarse(self, patch: Patch) -> tuple[Patch, float]:
        """Return the contrast of a patch, (K,), and its weighted standard deviation."""
        small = _resized(patch, _COARSE_SIDE).ravel()
        contrast = (small - small @ self._coarse_weights) * self._coarse_roots
        return contrast, math.sqrt(contrast @ contrast)

    def _level(self, gray: Gray, origin: complex, similarity: Similarity) -> PyramidLevel:
        """Return the part of a frame around the face, halved until a warp skips few pixels.

        A warp reads single pixels: from a larger face it would take the noise of few instead of the mean of many.
        """
        halvings = int(math.log2(min(_LARGEST_SCALE, max(1.0, similarity.scale))))
        if halvings == 0:
            return PyramidLevel(gray, 1, origin)
        step = 1 << halvings
        center, reach = similarity.apply_to_point(self.center) - origin, 0.75 * self._side * similarity.scale + 2 * step
        left, top = (max(0, int(one - reach)) // step * step for one in (center.real, center.imag))
        width, height = (
            max(1, (min(size, int(one + reach)) - start) // step)
            for size, one, start in ((gray.shape[1], center.real, left), (gray.shape[0], center.imag, top))
        )
        part = gray[top : top + height * step, left : left + width * step]
        for _ in range(halvings):
            part = cv2.resize(part, (part.shape[1] // 2, part.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return PyramidLevel(part, step, origin + complex(left, top))

    def _warped(self, level: PyramidLevel, pose: Pose) -> Patch:
        return _sampled(level, pose, self._grid).reshape(self._side, self._side)


class InverseCompositionalSolver:
    """Least-squares solution for light and motion: one matrix, computed once per template, times the pixels of a frame.

    Parameters
    ----------
    template : (S, S) array of float32
    gradients : tuple of (S, S) arrays
        As :func:`central_differences` returns them.
    weights : (S, S) array of float32
        Of the pixels.
    grid : (4, S * S) array of float32
        Column, row, 1 and depth of each pixel.
    count : int
        About how many pixels are selected: those with the steepest gradients.

    Attributes
    ----------
    grid : (4, K) array of float32
        Those of the selected pixels.
    matrix : (12, K) array of float32
        Times the values of these pixels in a frame it gives gain and offset of the light; then gain times the correction of the
        frame's pose: shift across and down, rotation, scale, stretch, shear, out-of-plane rotation across and down, with lengths in
        half sides around the center; then the slopes of the light.
    """

    def __init__(self, template: Patch, gradients: Gradients, weights: Patch, grid: Patch, count: int = SELECTED_PIXELS) -> None:
        side = len(template)
        chosen = _steepest(((gradients[0] * gradients[0] + gradients[1] * gradients[1]) * weights).ravel(), count)
        self.grid = grid.take(chosen, axis=1)
        values, across, down, weight = (one.ravel().take(chosen) for one in (template, *gradients, weights))
        u, v = (self.grid[:2] * 2 + 1) / side - 1
        depths = self.grid[3]
        basis = np.empty((12, len(chosen)), np.float32)
        basis[0], basis[1], basis[2], basis[3] = values, 1.0, across, down
        basis[4], basis[5] = u * down - v * across, u * across + v * down
        basis[6], basis[7] = u * across - v * down, v * across + u * down
        basis[8], basis[9] = depths * across, depths * down
        basis[10], basis[11] = u * values, v * values
        weighted = basis * weight
        # inverting 12 x 12 takes a tenth of the time of solving with a right side of 12 x 4096
        inverse = np.linalg.inv((weighted @ basis.T).astype(np.float64) + 1e-3 * np.eye(12))
        exact = [cv2.filter2D(template, -1, one).ravel().take(chosen) for one in (_GRADIENT_KERNEL, _GRADIENT_KERNEL.T)]
        flat, true = (one @ weighted[2] + other @ weighted[3] for one, other in ((across, down), exact))
        inverse[2:10] *= flat / max(true, 1e-6)
        self.matrix = inverse.astype(np.float32) @ weighted


def central_differences(patch: Patch) -> Gradients:
    """Return central differences across and down; 0 on the border.

    Examples
    --------
    >>> across, down = central_differences(np.tile(np.arange(0, 10, 2, dtype=np.float32), (3, 1)))
    >>> across[1].tolist(), down[1].tolist()
    ([0.0, 2.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0])
    """
    across, down = np.zeros_like(patch), np.zeros_like(patch)
    np.subtract(patch[:, 2:], patch[:, :-2], out=across[:, 1:-1])
    np.subtract(patch[2:], patch[:-2], out=down[1:-1])
    across *= 0.5
    down *= 0.5
    return across, down


def _steepest(steepness: Patch, count: int) -> npt.NDArray[np.intp]:
    """Return the indices of about ``count`` largest values."""
    if len(steepness) <= count:
        return np.arange(len(steepness))
    # every fourth pixel is enough to estimate the quantile
    some = steepness[::4]
    rank = len(some) - len(some) * count // len(steepness)
    return np.flatnonzero(steepness >= np.partition(some, rank)[rank])


def _resized(patch: Patch, side: int) -> Patch:
    return np.asarray(cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _sampled(level: PyramidLevel, pose: Pose, grid: Patch) -> Patch:
    """Sample a frame at the projected points of a grid (4, K), bilinearly; (K,)."""
    # a pixel of the smaller image is centered between those it was made of
    half = complex(0.5, 0.5)
    across, down, shift, rotation = pose.columns
    across, down, rotation = across / level.step, down / level.step, rotation / level.step
    shift = (shift - level.origin + half) / level.step - half
    matrix = np.array([(one.real, one.imag) for one in (across, down, shift, rotation)], dtype=np.float32).T
    x, y = (matrix @ grid).reshape(2, 1, -1)
    values = cv2.remap(level.gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.ravel(), dtype=np.float32)


def _motion_form(z: npt.NDArray[np.complex128], depths: npt.NDArray[np.float64], weights: Patch) -> npt.NDArray[np.float64]:
    """Return the (8, 8) quadratic form of a change of pose that gives the mean squared displacement of the skin."""
    ways = np.stack([np.ones_like(z), 1j * np.ones_like(z), 1j * z, z, z.conj(), 1j * z.conj(), depths, 1j * depths])
    return np.asarray(((ways * weights) @ ways.conj().T).real / weights.sum())


def skin_weights(points: Points, side: int) -> Patch:
    """Return weights of the pixels of an upright face: 1 on skin, 0 on eyes, mouth and border, where background shows.

    Parameters
    ----------
    points : (68, 2) array
        Landmarks in pixels of the image.
    side : int
        Of the image in pixels.

    Returns
    -------
    (side, side) array
        0 to 1, soft at the edges.

    Examples
    --------
    >>> points = np.full((68, 2), 64.0)
    >>> points[:4] = [[4, 4], [124, 4], [124, 124], [4, 124]]
    >>> points[LEFT_EYE] = points[RIGHT_EYE] = [[34, 44], [40, 44], [48, 44], [54, 44], [48, 44], [40, 44]]
    >>> weights = skin_weights(points, 128)
    >>> nose, eye, corner = weights[54, 74], weights[44, 44], weights[4, 4]
    >>> [round(float(one), 2) for one in (nose, eye, corner)]
    [1.0, 0.0, 0.0]
    """
    weights = np.zeros((side, side), np.float32)
    fill_hull(weights, points, 1.0)
    weights = cv2.erode(weights, np.ones((max(3, side // 16),) * 2))
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for eye in (points[LEFT_EYE], points[RIGHT_EYE]):
        width = float(np.hypot(*(eye[3] - eye[0])))
        # a blink changes everything between lash and brow, however far the eye is open in the first frame
        ellipse = np.column_stack([0.75 * np.cos(angles), 0.6 * np.sin(angles) - 0.1]) * width
        fill_hull(weights, eye.mean(axis=0) + ellipse, 0.0)
    mouth = points[MOUTH]
    fill_hull(weights, mouth.mean(axis=0) + (mouth - mouth.mean(axis=0)) * np.array([1.4, 1.8]), 0.0)
    return np.asarray(cv2.GaussianBlur(weights, (0, 0), max(1.0, side / 64)), dtype=np.float32)


def fill_hull(weights: Patch, points: Points, value: float) -> None:
    """Set the inside of the convex hull of points (N, 2), in pixels, in an array (H, W).

    Examples
    --------
    >>> weights = np.zeros((3, 4), np.float32)
    >>> fill_hull(weights, np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), 1.0)
    >>> weights.astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    """
    hull = cv2.convexHull(np.round(points * 16).astype(np.int32).reshape(-1, 1, 2))
    cv2.fillConvexPoly(weights, hull, value, lineType=cv2.LINE_8, shift=4)
