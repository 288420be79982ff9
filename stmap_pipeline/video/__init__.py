"""Decode a recording once, frame by frame: native planes, each frame with its own time, constant memory.

:mod:`.planes` turns a decoded picture into planes and the matrix that makes RGB of them; :mod:`.clock` says when a frame
was taken; :mod:`.container` reads files, :mod:`.images` folders of pictures; :func:`open_stream` chooses between the two.
What a face is begins in :mod:`stmap_pipeline.faces`.
"""

from stmap_pipeline.video.frame import Frame, Picture, StreamInfo
from stmap_pipeline.video.stream import FrameStream, open_stream

__all__ = ["Frame", "FrameStream", "Picture", "StreamInfo", "open_stream"]
