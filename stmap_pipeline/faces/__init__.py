"""Find one face, track its 68 landmarks from frame to frame, and report when it is lost.

:func:`track` is the public entry point.

:mod:`.tracker`    the loop over frames: search, align, verify, lose
:mod:`.search`     the detector's part: a whole image, a known place; cuts
:mod:`.template`   alignment of each frame with a template of the face
:mod:`.pose`       similarity, depth model of the face, weak-perspective pose
:mod:`.smoothing`  zero-phase smoothing of the landmarks in a lookahead buffer
:mod:`.per_frame`  the paper's own way: detector and landmark model in every frame
:mod:`.backend`    interface of a detector with a landmark model; :mod:`.dlib68` is one, with one registry line

The landmarks place the blocks of :mod:`stmap_pipeline.blocks`.
"""

from stmap_pipeline.faces.backend import Detection, FaceBackend, TrackedFrame, TrackingStats
from stmap_pipeline.faces.tracker import track

__all__ = ["Detection", "FaceBackend", "TrackedFrame", "TrackingStats", "track"]
