"""Find one face, carry its 68 landmarks from frame to frame, and say when it is gone.

:func:`track` is the door. :mod:`.tracked` lays each frame on a template of the face and takes its shape from the landmark model;
:mod:`.literal` runs detector and model in every frame; :mod:`.dlib68` is the backend for both, one registry line each.
What is done with the landmarks begins in :mod:`stmap_pipeline.blocks`.
"""

from stmap_pipeline.faces.base import Detection, FaceBackend, TrackedFrame, TrackingStats
from stmap_pipeline.faces.track import track

__all__ = ["Detection", "FaceBackend", "TrackedFrame", "TrackingStats", "track"]
