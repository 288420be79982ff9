"""Lay each frame's face on a remembered picture of it: the motion of the head to a hundredth of a pixel.

Landmarks say where a face is to about a pixel; ten thousand pixels of skin say how it moved to a hundredth of one. Each frame is
brought to the template's frame by the last motion, and what is left is solved for in closed form: one matrix, made when the
template changes, times the pixels (Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 2004, inverse compositional, with gain,
offset and slope of the light as further unknowns).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Gray, Points
from stmap_pipeline.faces.geometry import LEFT_EYE, RIGHT_EYE, Similarity, as_similarity, compose, fit_similarity, invert

Patch = npt.NDArray[np.float32]

# Side of the template in pixels where the face is at least as large; finer gains nothing.
_SIDE = 128
# Side of the coarse picture in which likeness is judged: noise and small errors of place are averaged out.
_COARSE = 32
_MOUTH = slice(48, 60)
# Steps of the solution: a second one where the first was longer than this, in picture pixels, for it is linear.
_STEPS, _SHORT_PX = 3, 0.06
# A last step longer than this has found nothing.
_LOST_PX = 0.5
# How fast pixels that begin to change lose their say.
_WARY = 0.5
# The template follows the face's looks with this time constant, and is made anew so often; sooner while it is young.
_LEARNING_S, _LEARN_EVERY_S, _LEARN_EVERY_YOUNG_S, _YOUNG_S = 5.0, 0.5, 0.15, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A frame laid on the template.

    Parameters
    ----------
    motion : (2, 3) array
        From template pixels to pixels of the frame.
    patch : (S, S) array of float32
        The frame in the template's frame.
    gain, offset : float
        Of the patch against the template.
    converged : bool
    """

    motion: Similarity
    patch: Patch
    gain: float
    offset: float
    converged: bool


class FaceTemplate:
    """The picture of one face, upright and fixed in size, that frames are laid on.

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
    motion : (2, 3) array
        From template pixels to pixels of ``gray``.
    """

    def __init__(self, gray: Gray, points: Points, time_s: float) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        extent = float((high - low).max())
        self._side = int(np.clip(extent, 32, _SIDE))
        self.shape = (points - (low + high) / 2) * (self._side / extent) + (self._side - 1) / 2
        self.motion = fit_similarity(self.shape, points)
        self._prior = self._weights = _skin(self.shape, self._side)
        self._picture = self._patch(gray, self.motion)
        self._start_s = self._learned_s = time_s
        self._sum = np.zeros_like(self._picture)
        self._unlike = np.zeros_like(self._picture)
        self._variance: Patch | None = None
        self._count, self._frames = 0, 1
        self._prepare()

    def align(self, gray: Gray, guess: Similarity) -> Alignment:
        """Lay a frame on the template, starting from a guess of its motion."""
        motion, patch, length = guess, self._picture, 0.0
        solved: npt.NDArray[np.float32] = self._rest
        for step in range(_STEPS):
            patch = self._patch(gray, motion)
            solved = np.asarray(self._solver @ patch.ravel(), dtype=np.float32)
            # near zero the template is not in the picture at all
            gain = solved[0] if abs(solved[0]) > 1e-3 else 1e-3
            x, y, turn, zoom = (solved[2:6] / gain).tolist()
            # the basis counts lengths in half sides, from the center
            half = (self._side - 1) / 2
            turn, zoom = turn * 2 / self._side, zoom * 2 / self._side
            moved = np.array([[1 + zoom, -turn, x - zoom * half + turn * half], [turn, 1 + zoom, y - turn * half - zoom * half]])
            motion = as_similarity(compose(motion, invert(moved)))
            length = (abs(x) + abs(y) + (abs(turn) + abs(zoom)) * half) * float(np.hypot(motion[0, 0], motion[1, 0]))
            if length < _SHORT_PX or not length < self._side or step == _STEPS - 1:
                break
        return Alignment(motion, patch, float(solved[0]), float(solved[1]), bool(length < _LOST_PX) and float(solved[0]) > 0.1)

    def likeness(self, patch: Patch) -> float:
        """Correlate a patch with the template, coarsely; -1 to 1, 0 where it has no contrast."""
        coarse = self._coarse(patch)
        size = float(np.sqrt(np.mean(coarse**2)))
        return float(np.mean(coarse * self._coarse_picture)) / size if size > 0.2 else 0.0

    def learn(self, aligned: Alignment, time_s: float, *, at_once: bool = False) -> None:
        """Take in how the face looks in a frame in which it is known to be.

        Pixels that change - lids, lips, a hand - come to count little.

        Parameters
        ----------
        aligned : Alignment
        time_s : float
        at_once : bool
            Take the frame as the new template: the looks of the face have changed.
        """
        looks = (aligned.patch - aligned.offset) / aligned.gain
        if at_once:
            self._picture, self._variance, self._count = aligned.patch, None, 0
            self._sum[:], self._unlike[:] = 0, 0
            self._start_s, self._frames = time_s, 1
            self._weights = self._prior
        else:
            self._sum += looks
            looks -= self._picture
            self._unlike += looks * looks
            self._count += 1
            every_s = _LEARN_EVERY_YOUNG_S if time_s - self._start_s < _YOUNG_S else _LEARN_EVERY_S
            if time_s - self._learned_s < every_s:
                return
            self._frames += self._count
            share = max(self._count / self._frames, 1 - float(np.exp((self._learned_s - time_s) / _LEARNING_S)))
            self._picture = (1 - share) * self._picture + (share / self._count) * self._sum
            self._weigh(self._unlike / np.float32(self._count), share)
            self._sum[:], self._unlike[:], self._count = 0, 0, 0
        self._learned_s = time_s
        self._prepare()

    def _weigh(self, unlike: Patch, share: float) -> None:
        unlike = cv2.GaussianBlur(unlike, (0, 0), 2.0)
        if self._variance is None:
            self._variance = unlike
        else:
            # a mouth that begins to speak is to be left out at once, and not to be trusted at its first pause
            change = unlike - self._variance
            self._variance = self._variance + np.where(change > 0, _WARY, share).astype(np.float32) * change
        usual = float(np.median(self._variance[self._prior > 0.5])) + 1e-3
        self._weights = np.asarray(self._prior / (1 + (self._variance / usual) ** 2), dtype=np.float32)

    def _prepare(self) -> None:
        """Make the matrix that turns the pixels of a frame into light and motion."""
        picture = self._picture
        along = ((np.arange(self._side, dtype=np.float32) * 2 + 1) / self._side - 1).astype(np.float32)
        u, v = along[None, :], along[:, None]
        down, across = np.gradient(picture)
        columns = (
            picture,
            np.ones_like(picture),
            across,
            down,
            u * down - v * across,
            u * across + v * down,
            u * picture,
            v * picture,
        )
        basis = np.stack([column.ravel() for column in columns])
        weighted = basis * self._weights.ravel()
        # an inverse of 8 x 8, for solving with a side of 8 x 16384 costs ten times as much
        inverse = np.linalg.inv((weighted @ basis.T).astype(np.float64) + 1e-3 * np.eye(len(basis)))
        self._solver = inverse.astype(np.float32) @ weighted
        self._rest = np.zeros(len(basis), np.float32)
        coarse_weights = cv2.resize(self._weights, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
        self._coarse_weights = coarse_weights / coarse_weights.mean()
        coarse = self._coarse(picture)
        self._coarse_picture = coarse / max(float(np.sqrt(np.mean(coarse**2))), 1e-6)

    def _coarse(self, patch: Patch) -> Patch:
        small = cv2.resize(patch, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
        weights = self._coarse_weights
        return np.asarray((small - np.mean(small * weights)) * np.sqrt(weights), dtype=np.float32)

    def _patch(self, gray: Gray, motion: Similarity) -> Patch:
        shrink = int(np.hypot(motion[0, 0], motion[1, 0]))
        if shrink >= 2:
            # a warp reads single pixels: from a larger face it would take the noise of few instead of the mean of many
            corners = motion @ np.array(
                [[0, self._side, 0, self._side], [0, 0, self._side, self._side], [1, 1, 1, 1]], dtype=np.float64
            )
            limit = np.array(gray.shape[::-1]) // shrink
            low = np.clip(np.floor(corners.min(axis=1) / shrink).astype(int) - 2, 0, limit - 1)
            high = np.clip(np.ceil(corners.max(axis=1) / shrink).astype(int) + 2, low + 1, limit)
            part = gray[low[1] * shrink : high[1] * shrink, low[0] * shrink : high[0] * shrink]
            gray = cv2.resize(part, tuple(int(one) for one in high - low), interpolation=cv2.INTER_AREA)
            motion = np.column_stack([motion[:, :2] / shrink, (motion[:, 2] + 0.5) / shrink - 0.5 - low])
        patch = cv2.warpAffine(
            gray, motion, (self._side, self._side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(patch, dtype=np.float32)


def _skin(shape: Points, side: int) -> Patch:
    """Weight the inside of the face, without eyes, mouth and the border, where background shows."""
    weights = np.zeros((side, side), np.float32)
    _fill(weights, shape, 1.0)
    weights = cv2.erode(weights, np.ones((max(3, side // 16),) * 2))
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for eye in (shape[LEFT_EYE], shape[RIGHT_EYE]):
        width = float(np.hypot(*(eye[3] - eye[0])))
        # a blink changes all between lash and brow, however far the eye is open in the first frame
        ellipse = np.column_stack([0.75 * np.cos(turns), 0.6 * np.sin(turns) - 0.1]) * width
        _fill(weights, eye.mean(axis=0) + ellipse, 0.0)
    mouth = shape[_MOUTH]
    _fill(weights, mouth.mean(axis=0) + (mouth - mouth.mean(axis=0)) * np.array([1.4, 1.8]), 0.0)
    return np.asarray(cv2.GaussianBlur(weights, (0, 0), max(1.0, side / 64)), dtype=np.float32)


def _fill(weights: Patch, points: Points, value: float) -> None:
    hull = cv2.convexHull(np.round(points * 16).astype(np.int32).reshape(-1, 1, 2))
    cv2.fillConvexPoly(weights, hull, value, lineType=cv2.LINE_8, shift=4)
