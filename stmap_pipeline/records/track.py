"""68 landmarks over time. Faces make it, blocks read it, shards store it quantised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTrack:
    """Smoothed landmarks of one face over time.

    Parameters
    ----------
    times_s : (T,) array of float64
        Time of each frame.
    points_px : (T, 68, 2) array of float32
        x and y in pixels of the luma plane, the centre of the top left pixel at (0, 0); iBUG 68-point order. A frame in
        which the face was lost is NaN as a whole: no frame is ever half known.
    score : (T,) array of float32
        Backend's own confidence at the last detection or check; scores of different backends cannot be compared. NaN where lost.
    """

    times_s: npt.NDArray[np.float64]
    points_px: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        frames = len(self.times_s)
        if self.points_px.shape != (frames, 68, 2) or self.score.shape != (frames,):
            raise ValueError(
                f"landmarks of {frames} frames need points ({frames}, 68, 2) and score ({frames},), "
                f"not {self.points_px.shape} and {self.score.shape}"
            )

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """(T,) Whether the face is known in each frame."""
        return np.asarray(np.isfinite(self.points_px).all(axis=(1, 2)), dtype=np.bool_)
