"""What can be said of the heart rate in one video, and of each window of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stmap_pipeline.records import BlockTrace


@dataclass(frozen=True, slots=True)
class WindowEstimate:
    """An interval of a video.

    Parameters
    ----------
    start_s, stop_s : float
        On the video's own clock.
    heart_rate_bpm : float
        NaN where there is no face, the quality is too low, no other window supports it, or the whole video is refused.
    quality : float
        From 0 to 1, see :mod:`stmap_pipeline.evaluation.quality`; NaN where there is no face.
    """

    start_s: float
    stop_s: float
    heart_rate_bpm: float
    quality: float


@dataclass(frozen=True, slots=True, eq=False)
class VideoEstimate:
    """What can be said of one video.

    Parameters
    ----------
    video : str
        As it was given.
    method : str
    heart_rate_bpm : float
        Mean of the windows that have one, weighted by their quality; NaN where refused.
    reason : str
        A code of :data:`stmap_pipeline.errors.REASONS`; empty where there is a rate.
    message : str
        For a person; empty where there is a rate.
    quality : float
        Mean over all windows in which the face was seen; NaN where there is none.
    windows : tuple of WindowEstimate
        In the order of time.
    blocks : BlockTrace, optional
        What it was found in, for a picture; None where the video could not be read.

    Examples
    --------
    >>> one = VideoEstimate("clip.mp4", "pos", float("nan"), "no_face", "no face in any of 542 frames", float("nan"))
    >>> one.refused, one.as_json()["heart_rate_bpm"], one.as_json()["reason"]
    (True, None, 'no_face')
    """

    video: str
    method: str
    heart_rate_bpm: float
    reason: str
    message: str
    quality: float
    windows: tuple[WindowEstimate, ...] = ()
    blocks: BlockTrace | None = field(default=None, repr=False)

    @property
    def refused(self) -> bool:
        """Whether there is no heart rate."""
        return bool(self.reason)

    def as_json(self) -> dict[str, Any]:
        """Give what JSON can hold: unknown is null."""
        return {
            "video": self.video,
            "method": self.method,
            "heart_rate_bpm": _known(self.heart_rate_bpm),
            "reason": self.reason,
            "message": self.message,
            "quality": _known(self.quality),
            "windows": [
                {
                    "start_s": round(one.start_s, 6),
                    "stop_s": round(one.stop_s, 6),
                    "heart_rate_bpm": _known(one.heart_rate_bpm),
                    "quality": _known(one.quality),
                }
                for one in self.windows
            ],
        }


def _known(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
