"""Lay each frame's face on a remembered picture of it: the motion of the head to a hundredth of a pixel.

Landmarks say where a face is to about a pixel; ten thousand pixels of skin say how it moved to a hundredth of one. Each frame is
brought to the template's frame by the last motion, and what is left is solved for in closed form (:mod:`.solution`). The template
follows the looks of the face, and tells how much a frame looks like it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Gray, Points
from stmap_pipeline.faces.geometry import Motion, fit_similarity, motion_of
from stmap_pipeline.faces.pose import Pose
from stmap_pipeline.faces.relief import Relief
from stmap_pipeline.faces.skin import skin_weights
from stmap_pipeline.faces.solution import Patch, Solution, slopes_of

# Side of the template in pixels where the face is at least as large; finer gains nothing.
_SIDE = 128
# Side of the coarse picture in which likeness is judged: noise and small errors of place are averaged out.
_COARSE = 32
# Steps of the solution: a second one where the first moved the skin by more than this, in template pixels, for it is linear. What a
# step leaves is a twentieth of its length. Three are enough but where a head jerks.
_STEPS, _SHORT_PX = 5, 0.1
# Pixels of a frame per template pixel beyond which nothing is a face any more.
_LARGEST_SCALE = 64.0
# A head that seems turned by more than this, in sines, is another thing that the template does not fit.
_MOST_LEAN = 0.6
# A last step longer than this, in template pixels, has found nothing.
_LOST_PX = 0.3
# How fast pixels that begin to change lose their say.
_WARY = 0.5
# An edge that is misplaced by so many template pixels is none that changes: a codec moves edges about by as much, and they are what
# says where the face is.
_FORGIVEN_PX = 0.2
# The template follows the face's looks with this time constant, and is made anew so often; sooner while it is young.
_LEARNING_S, _LEARN_EVERY_S, _LEARN_EVERY_YOUNG_S, _YOUNG_S = 5.0, 0.5, 0.15, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A part of a frame, ``step`` times smaller, and where it begins."""

    gray: Gray
    step: int
    origin: complex


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A frame laid on the template.

    Parameters
    ----------
    pose : Pose
        From template pixels to pixels of the frame.
    gain, offset : float
        Of the frame's light against the template's.
    converged : bool
    seen : Seen
        What of the frame was looked at.
    """

    pose: Pose
    gain: float
    offset: float
    converged: bool
    seen: Seen


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
    depth : (68,) array
        Of the landmarks.
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
        self.pose = Pose(motion_of(fit_similarity(self.shape, points)))
        self.center = complex(self._side - 1, self._side - 1) / 2
        self.corners = (0j, self._side + 0j, self._side * 1j, self._side * (1 + 1j))
        self._prior = self._weights = skin_weights(self.shape, self._side)
        # of the half sized picture, in each other row: enough to say what is usual
        self._inside = _smaller(self._prior, self._side // 2) > 0.5
        self._inside[1::2] = False
        relief = Relief(self.shape)
        self.depth = relief.depth(self.shape)
        self._most_lean = _MOST_LEAN * relief.unit
        u, v = np.meshgrid(np.arange(float(self._side)), np.arange(float(self._side)))
        depth = relief.depth(np.stack([u.ravel(), v.ravel()], axis=1))
        self._grid = np.stack([u.ravel(), v.ravel(), np.ones_like(depth), depth]).astype(np.float32)
        self._moments = _moments(((u + 1j * v).ravel() - self.center) * (2 / self._side), depth, self._prior.ravel())
        self._picture = self._patch(self._around(gray, 0j, self.pose.motion), self.pose)
        self._slopes = slopes_of(self._picture)
        self._start_s = self._learned_s = time_s
        self._sum = np.zeros_like(self._picture)
        self._unlike = np.zeros_like(self._picture)
        self._variance: Patch | None = None
        self._count, self._frames = 0, 1
        self._prepare()

    def align(self, gray: Gray, guess: Pose, origin: complex = 0j, *, thorough: bool = False) -> Alignment:
        """Lay a frame on the template, starting from a guess of its motion.

        Parameters
        ----------
        gray : (H, W) array of uint8
            The frame or a part of it.
        guess : Pose
        origin : complex
            Where the part begins in the frame.
        thorough : bool
            Ask all pixels: where a gesture blurs the edges, the others still say where they belong.
        """
        (motion, lean, squeeze), length, gain, offset = guess, math.inf, 0.0, 0.0
        solution = self._whole_solution if thorough else self._solution
        seen = self._around(gray, origin, motion)
        for step in range(_STEPS):
            values = _sampled(seen, Pose(motion, lean, squeeze), solution.grid)
            gain, offset, *change, _, _ = (solution.matrix @ values).tolist()
            # near zero the template is not in the picture at all
            held = gain if abs(gain) > 1e-3 else 1e-3
            x, y, turn, zoom, stretch, shear, yaw, pitch = change
            # the basis counts lengths in half sides, from the center
            shift, growth = complex(x, y) / held, complex(zoom, turn) / held * (2 / self._side)
            squeezed = complex(stretch, shear) / held * (2 / self._side)
            motion = motion.after(Motion(1 + growth, shift - growth * self.center - squeezed * self.center.conjugate()).inverse())
            squeeze -= squeezed
            lean -= complex(yaw, pitch) / held
            length = math.sqrt(abs(change @ self._moments @ change)) / abs(held)
            if length < _SHORT_PX or not length < self._side or step == _STEPS - 1:
                break
        found = length < _LOST_PX and gain > 0.1 and abs(lean) < self._most_lean
        return Alignment(Pose(motion, lean, squeeze), gain, offset, found, seen)

    def patch(self, aligned: Alignment) -> Patch:
        """Give an aligned frame in the template's frame, (S, S)."""
        return self._patch(aligned.seen, aligned.pose)

    def likeness(self, patch: Patch) -> float:
        """Correlate a patch with the template, coarsely; -1 to 1, 0 where it has no contrast."""
        coarse, size = self._coarse(patch)
        return float(coarse @ self._coarse_picture) / size if size > 0.2 else 0.0

    def learn(self, aligned: Alignment, patch: Patch, time_s: float, *, at_once: bool = False) -> None:
        """Take in how the face looks in a frame in which it is known to be.

        Pixels that change - lids, lips, a hand - come to count little.

        Parameters
        ----------
        aligned : Alignment
        patch : (S, S) array
            Of the same frame.
        time_s : float
        at_once : bool
            Take the frame as the new template: the looks of the face have changed.
        """
        if at_once:
            self._picture, self._variance, self._count = patch, None, 0
            self._slopes = slopes_of(patch)
            self._sum[:], self._unlike[:] = 0, 0
            self._start_s, self._frames = time_s, 1
            self._weights = self._prior
        else:
            looks = (patch - aligned.offset) / aligned.gain
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
            self._slopes = slopes_of(self._picture)
            self._weigh(self._unlike / np.float32(self._count), share)
            self._sum[:], self._unlike[:], self._count = 0, 0, 0
        self._learned_s = time_s
        self._prepare()

    def _weigh(self, unlike: Patch, share: float) -> None:
        # on half the side: all is smooth over some pixels
        unlike = cv2.GaussianBlur(_smaller(unlike, self._side // 2), (0, 0), 1.0)
        if self._variance is None:
            self._variance = unlike
        else:
            # a mouth that begins to speak is to be left out at once, and not to be trusted at its first pause
            change = unlike - self._variance
            self._variance = self._variance + np.where(change > 0, np.float32(_WARY), np.float32(share)) * change
        across, down = self._slopes
        steep = _smaller(down * down + across * across, self._side // 2)
        misplaced = np.float32(_FORGIVEN_PX**2) * cv2.GaussianBlur(steep, (0, 0), 1.0)
        usual = float(np.median(self._variance[self._inside])) + 1e-3
        worth = 1 / (1 + np.square(self._variance / (usual + misplaced)))
        self._weights = self._prior * cv2.resize(worth, (self._side, self._side), interpolation=cv2.INTER_LINEAR)

    def _prepare(self) -> None:
        """Make what frames are laid on and likened to."""
        self._solution = Solution(self._picture, self._slopes, self._weights, self._grid)
        self.__dict__.pop("_whole_solution", None)
        coarse_weights = _smaller(self._weights, _COARSE).ravel()
        self._coarse_weights = coarse_weights / coarse_weights.sum()
        self._coarse_roots = np.sqrt(self._coarse_weights)
        coarse, size = self._coarse(self._picture)
        self._coarse_picture = coarse / max(size, 1e-6)

    @cached_property
    def _whole_solution(self) -> Solution:
        """Made where it is needed; forgotten with the template that it was made of."""
        return Solution(self._picture, self._slopes, self._weights, self._grid, asked=self._picture.size)

    def _coarse(self, patch: Patch) -> tuple[Patch, float]:
        """Give the contrast of a patch, (K,), and its size: the weighted standard deviation."""
        small = _smaller(patch, _COARSE).ravel()
        contrast = (small - small @ self._coarse_weights) * self._coarse_roots
        return contrast, math.sqrt(contrast @ contrast)

    def _around(self, gray: Gray, origin: complex, motion: Motion) -> Seen:
        """Take the part of a frame in which the face is sought, halved until a warp leaves few pixels out.

        A warp reads single pixels: from a larger face it would take the noise of few instead of the mean of many.
        """
        halvings = int(math.log2(min(_LARGEST_SCALE, max(1.0, motion.scale))))
        if halvings == 0:
            return Seen(gray, 1, origin)
        step = 1 << halvings
        center, reach = motion.on_point(self.center) - origin, 0.75 * self._side * motion.scale + 2 * step
        left, top = (max(0, int(one - reach)) // step * step for one in (center.real, center.imag))
        width, height = (
            max(1, (min(size, int(one + reach)) - start) // step)
            for size, one, start in ((gray.shape[1], center.real, left), (gray.shape[0], center.imag, top))
        )
        part = gray[top : top + height * step, left : left + width * step]
        for _ in range(halvings):
            part = cv2.resize(part, (part.shape[1] // 2, part.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return Seen(part, step, origin + complex(left, top))

    def _patch(self, seen: Seen, pose: Pose) -> Patch:
        return _sampled(seen, pose, self._grid).reshape(self._side, self._side)


def _smaller(picture: Patch, side: int) -> Patch:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _sampled(seen: Seen, pose: Pose, grid: Patch) -> Patch:
    """Read a frame where the points of a grid (4, K) lie in it; (K,)."""
    # a pixel of the smaller picture is centered between those it was made of
    half = complex(0.5, 0.5)
    across, down, shift, lean = pose.columns
    across, down, lean = across / seen.step, down / seen.step, lean / seen.step
    shift = (shift - seen.origin + half) / seen.step - half
    matrix = np.array([(one.real, one.imag) for one in (across, down, shift, lean)], dtype=np.float32).T
    x, y = (matrix @ grid).reshape(2, 1, -1)
    values = cv2.remap(seen.gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.ravel(), dtype=np.float32)


def _moments(z: npt.NDArray[np.complex128], depth: npt.NDArray[np.float64], weights: Patch) -> npt.NDArray[np.float64]:
    """Give the mean square over the skin of the way that a change of pose moves it by, as a form (8, 8) of the change."""
    ways = np.stack([np.ones_like(z), 1j * np.ones_like(z), 1j * z, z, z.conj(), 1j * z.conj(), depth, 1j * depth])
    return np.asarray(((ways * weights) @ ways.conj().T).real / weights.sum())
