"""The face's own frame: its mean shape in the first second, fixed for the recording, so that a block stays on its skin."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from stmap_pipeline.faces.base import Points, TrackedFrame
from stmap_pipeline.faces.geometry import STEADY, fit_similarity_robust, transform
from stmap_pipeline.faces.pose import Pose, PoseFit
from stmap_pipeline.faces.relief import Relief

# Long enough to average out blinks and words, short enough to be held in memory.
REFERENCE_S = 1.0

# Steady points place the face; lids, lips and chin may say next to nothing: with ten times as much, blocks at the jaw of a head that
# turns or nods lost up to 1.3 dB more.
_WEIGHTS = np.full(68, 0.01)
_WEIGHTS[STEADY] = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Mean shape (68, 2) in pixels of the first frame with a face, and the frames it was taken from."""

    points_px: Points
    frames: tuple[TrackedFrame, ...]
    relief: Relief = field(init=False, repr=False)
    _fit: PoseFit = field(init=False, repr=False)

    def __post_init__(self) -> None:
        relief = Relief(self.points_px)
        object.__setattr__(self, "relief", relief)
        object.__setattr__(self, "_fit", PoseFit(self.points_px, relief.depth(self.points_px), _WEIGHTS))

    def pose_of(self, points: Points) -> Pose:
        """Fit the pose that carries the reference to the landmarks of a frame."""
        return self._fit.to(points, rounds=1)

    def poses_of(self, points: Sequence[Points]) -> list[Pose]:
        """Fit the poses that carry the reference to the landmarks of some frames."""
        return self._fit.to_all(np.stack(points), rounds=1)


def take_reference(tracked: Iterable[TrackedFrame]) -> tuple[Reference | None, Iterator[TrackedFrame]]:
    """Read ahead until the first second of the face is known, and give all frames back.

    Returns
    -------
    Reference or None
        None where no frame has a face.
    iterator of TrackedFrame
        All frames from the first on.
    """
    frames = iter(tracked)
    ahead: deque[TrackedFrame] = deque()
    found: list[TrackedFrame] = []
    for frame in frames:
        ahead.append(frame)
        if frame.points_px is not None:
            found.append(frame)
            if frame.time_s - found[0].time_s >= REFERENCE_S:
                break
    if not found:
        return None, iter(ahead)
    return Reference(_mean_shape([one.points_px for one in found if one.points_px is not None]), tuple(found)), chain(
        _drain(ahead), frames
    )


def _drain(queue: deque[TrackedFrame]) -> Iterator[TrackedFrame]:
    # each frame is let go as it is handed on: the pictures must not pile up
    while queue:
        yield queue.popleft()


def _mean_shape(shapes: list[Points]) -> Points:
    """Average shapes after bringing each to the first one's place, size and turn."""
    return np.asarray(np.mean([transform(fit_similarity_robust(shape, shapes[0], _WEIGHTS), shape) for shape in shapes], axis=0))
