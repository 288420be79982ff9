"""The door of the package: frames in, frames with landmarks out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces.base import FaceBackend, TrackedFrame, TrackingStats
from stmap_pipeline.faces.kept import keep
from stmap_pipeline.faces.literal import literal_frames
from stmap_pipeline.faces.tracked import Tracker
from stmap_pipeline.video import Frame


def track(
    frames: Iterable[Frame], config: FacesConfig, backend: FaceBackend, stats: TrackingStats | None = None
) -> Iterator[TrackedFrame]:
    """Follow one face through the frames of a recording.

    Each frame that goes in comes out once and in order, later by up to half of the smoothing, with the part of the picture
    around the face; memory does not grow with the number of frames.

    Parameters
    ----------
    frames : iterable of Frame
    config : FacesConfig
    backend : FaceBackend
    stats : TrackingStats, optional
        Counted up while the frames pass.

    Yields
    ------
    TrackedFrame
        With ``points_px`` None where there is no face.
    """
    counted = stats if stats is not None else TrackingStats()
    if config.mode == "literal":
        tracked = literal_frames(frames, config, backend, counted)
    else:
        tracked = Tracker(config, backend, counted).frames(frames)
    return keep(tracked, counted)
