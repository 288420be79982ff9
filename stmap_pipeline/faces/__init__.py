"""Find one face, track its 68 landmarks from frame to frame, NaN where it is lost.

:func:`track` is the public entry point.

===================  =============================================================================
:mod:`.tracker`      the loop over frames: find the face, align, verify, notice when it is lost
:mod:`.search`       detection in the whole image and around a known face; cuts between shots
:mod:`.template`     alignment of each frame with a template of the face
:mod:`.pose`         similarity, depth model of the face, weak-perspective pose
:mod:`.motion`       position, size and roll of the head over time
:mod:`.smoothing`    zero-phase smoothing of the landmarks in a lookahead buffer
:mod:`.per_frame`    the per-frame mode: detector and landmark model in every frame, as in the paper
:mod:`.orientation`  how an image must be turned for faces to stand upright
:mod:`.backend`      interface of a face backend, which is a detector with a landmark model
:mod:`.dlib68`       the backend ``dlib68``, for research
:mod:`.facemesh`     the backend ``facemesh``, free for commercial use too
:mod:`.model_file`   the files of landmark models
===================  =============================================================================

The landmarks place the blocks of :mod:`stmap_pipeline.blocks`.
"""

from stmap_pipeline.faces.backend import Detection, FaceBackend, TrackedFrame, TrackingStats
from stmap_pipeline.faces.orientation import find_turn
from stmap_pipeline.faces.tracker import track

__all__ = ["Detection", "FaceBackend", "TrackedFrame", "TrackingStats", "find_turn", "track"]
