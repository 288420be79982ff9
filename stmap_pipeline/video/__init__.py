"""Decode a recording once, frame by frame: native planes, each frame with its own time, constant memory.

================  ==================================================================================
:mod:`.stream`    :func:`open_stream`: video files, images and arrays of frames, decoded in one pass
:mod:`.probe`     :func:`probe_video`: what a container says of its frames, without decoding them
:mod:`.no_video`  why a file is no video, or ends too early
:mod:`.images`    the image files of a folder or of a zip archive
:mod:`.arrays`    frames from an array in a MATLAB or HDF5 file
:mod:`.start`     date and time of a video, by its container
:mod:`.frame`     planes of a decoded frame and the matrix from their samples to RGB
:mod:`.clock`     the time of each frame, from a file of frame times, the container, or a constant rate
================  ==================================================================================

Faces are found in the frames by :mod:`stmap_pipeline.faces`.
"""

from stmap_pipeline.video.frame import Frame, Image, StreamInfo
from stmap_pipeline.video.probe import CUT_OFF, VideoFacts, is_cut_off, known_frame_times, probe_video
from stmap_pipeline.video.start import video_start
from stmap_pipeline.video.stream import FrameStream, check_video, open_stream

__all__ = [
    "CUT_OFF",
    "Frame",
    "FrameStream",
    "Image",
    "StreamInfo",
    "VideoFacts",
    "check_video",
    "is_cut_off",
    "known_frame_times",
    "open_stream",
    "probe_video",
    "video_start",
]
