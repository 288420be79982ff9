"""What a face backend is, and what tracking yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stmap_pipeline.video import Image

Points = npt.NDArray[np.float64]
Gray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Detection:
    """A face box in pixels with the detector's own score (not comparable between backends)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def center(self) -> tuple[float, float]:
        """Center in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def moved(self, scale: float, offset_px: tuple[float, float]) -> Detection:
        """Give the box in the coordinates of a picture of which this one is a scaled part."""
        x, y = offset_px
        return Detection(self.left / scale + x, self.top / scale + y, self.right / scale + x, self.bottom / scale + y, self.score)


class FaceBackend(Protocol):
    """A detector with a landmark model. One per worker process; holds the model's memory, no state between calls."""

    smallest_face_px: int
    """Width below which :meth:`detect` sees no face."""

    def detect(self, gray: Gray, *, lenient: bool = False) -> list[Detection]:
        """Find all faces, best score first.

        ``lenient`` lowers the threshold: for checking that a face which is known already is still there.
        """
        ...

    def landmarks(self, gray: Gray, box: Detection) -> Points:
        """Give the (68, 2) points of the face in a box, in pixels of ``gray``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame with its landmarks, or with none.

    Parameters
    ----------
    index : int
    time_s : float
    points_px : (68, 2) array of float64 or None
        In pixels of the full picture; None where the face is lost.
    score : float
        Of the last detection; NaN where lost.
    image : Image or None
        The part of the picture around the face, or None where the face is lost.
    image_size_px : (int, int)
        Width and height of the full picture.
    """

    index: int
    time_s: float
    points_px: Points | None
    score: float
    image: Image | None
    image_size_px: tuple[int, int]


@dataclass(slots=True)
class TrackingStats:
    """What tracking did, for the recording's attributes."""

    detector_runs: int = 0
    detector_hits: int = 0
    landmark_runs: int = 0
    times_lost: int = 0
    times_found: int = 0
    restarts: int = 0
    cuts: int = 0
    most_faces: int = 0
    narrow_pictures: int = 0
