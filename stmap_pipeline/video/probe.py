"""What is known of a video without decoding it: times of its frames by the container's index, size, pixel format, whether it is cut off."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging
import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import read_frame_times
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.video.arrays import describe_array
from stmap_pipeline.video.images import list_images
from stmap_pipeline.video.no_video import declared_bytes
from stmap_pipeline.video.stream import check_video, decode, open_container

# containers without an index are read packet by packet, which is reading the whole file: up to a few seconds of a slow disk
MAX_READ_BYTES = 2**28
_INDEXED_SHARE = 0.9
# by so much the first decoding time may precede the first frame that is shown
_REORDERED_S = 0.25
#: What is wrong with a file that can be opened, and ends too early.
CUT_OFF = "ends before its last frame: the recording was not finished, or the copy was cut off; copy it again"


@dataclass(frozen=True, slots=True, eq=False)
class VideoFacts:
    """What is known of a video before it is decoded.

    Parameters
    ----------
    frames : int
        Frames by the index of the container, or the number of images; 0 where the container does not say.
    times_s : (T,) array of float64
        Times of the frames in ascending order; empty where they are not known without decoding.
    duration_s : float
        By the container; NaN where it does not say.
    rate_hz : float
        Mean frame rate by the container; NaN where it does not say.
    width_px, height_px : int
    pixel_format : str
    cut_off : bool
        Whether the file ends before the place where its last frame should be.
    """

    frames: int
    times_s: npt.NDArray[np.float64]
    duration_s: float
    rate_hz: float
    width_px: int
    height_px: int
    pixel_format: str
    cut_off: bool = False


def probe_video(recording: Recording, *, quick: bool = False) -> VideoFacts:
    """Read what the container of a recording says of its frames.

    Parameters
    ----------
    recording : Recording
    quick : bool
        Whether to do without what reads more than a header: one frame, by which a stream that cannot be decoded at all is found, and
        the packets of containers without an index.

    Raises
    ------
    RecordingError
        Where the video is missing or empty, is no video or no video of a supported kind, or its first frame cannot be decoded.

    Examples
    --------
    >>> from stmap_pipeline.records import VideoSource
    >>> probe_video(Recording("a", "folder", "a", VideoSource(Path("nowhere.mp4"))))
    Traceback (most recent call last):
    ...
    stmap_pipeline.errors.RecordingError: nowhere.mp4: no such file
    """
    check_video(recording)
    path = recording.video.path
    if recording.video.kind == "array":
        info = describe_array(path, recording.video.member)
        pixels = f"rgb{24 if info.whole and info.bits == 8 else 48}"
        return VideoFacts(info.frames, np.zeros(0), math.nan, math.nan, info.width_px, info.height_px, pixels)
    if recording.video.kind == "images":
        return _probe_images(recording.video)
    with open_container(path) as (container, stream):
        times_s, end = _indexed(container, stream, quick)
        context: Any = stream.codec_context
        size = path.stat().st_size
        facts = VideoFacts(
            times_s.size or stream.frames,
            times_s,
            container.duration / av.time_base if container.duration else math.nan,
            float(stream.average_rate) if stream.average_rate else math.nan,
            context.width,
            context.height,
            context.pix_fmt or "",
            end > size or declared_bytes(path) > size,
        )
        if not quick:
            _decode_one(container, stream, path)
        return facts


def is_cut_off(recording: Recording) -> bool:
    """Return whether the video file of a recording ends before its last frame, by its own index or header; it is not decoded.

    Parameters
    ----------
    recording : Recording

    Examples
    --------
    >>> is_cut_off(Recording("a", "folder", "a", VideoSource(Path("nowhere.mp4"))))
    False
    """
    if recording.video.kind != "file":
        return False
    with contextlib.suppress(RecordingError):
        return probe_video(recording, quick=True).cut_off
    return False


def known_frame_times(recording: Recording) -> npt.NDArray[np.float64]:
    """Return the times of the frames of a recording as far as they are known without decoding.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    (T,) array of float64
        Seconds; only the first and the last where the container says no more than how long it lasts, and none where it says nothing or
        cannot be read.
    """
    try:
        clock = recording.clock
        if clock.path is not None:
            return read_frame_times(clock.path, clock.unit_s, clock.column)
        facts = probe_video(recording, quick=True)
    except RecordingError:
        return np.zeros(0)
    if clock.rate_hz is not None:
        return np.arange(facts.frames) / clock.rate_hz
    if facts.times_s.size > 1 or not facts.duration_s > 0:
        return facts.times_s
    return np.array([0.0, facts.duration_s])


def _indexed(container: Any, stream: Any, quick: bool) -> tuple[npt.NDArray[np.float64], int]:
    """Return the times of all frames, from the first one, and the byte at which the last one ends."""
    base = stream.time_base
    unit_s = base.numerator / base.denominator if base else math.nan
    # PyAV 14 does not offer the index
    entries = [(one.timestamp * unit_s, one.pos + one.size) for one in getattr(stream, "index_entries", ())]
    duration_s = (container.duration or 0) / av.time_base
    # an index may hold key frames alone, or the first fragment of a file
    if len(entries) < 2 or entries[-1][0] - entries[0][0] < _INDEXED_SHARE * duration_s:
        entries = (
            [] if quick or container.size > MAX_READ_BYTES else [(time_s, 0) for time_s in _packet_times(container, stream, unit_s)]
        )
    times_s = np.sort(np.array([time_s for time_s, _ in entries], dtype=np.float64))
    if times_s.size and times_s[0] < -_REORDERED_S:
        times_s = times_s[times_s >= 0]  # decoded, but cut away by an edit list
    return times_s - (times_s[0] if times_s.size else 0.0), max((end for _, end in entries), default=0)


def _packet_times(container: Any, stream: Any, unit_s: float) -> list[float]:
    times_s = []
    with contextlib.suppress(av.error.FFmpegError):
        times_s = [packet.pts * unit_s for packet in container.demux(stream) if packet.size and packet.pts is not None]
        container.seek(0)
    return times_s


def _decode_one(container: Any, stream: Any, path: Path, *, again: bool = True) -> None:
    try:
        next(container.decode(stream))
    except StopIteration:
        if again:
            # a stream without a container was read to its end, and cannot be rewound
            with open_container(path) as (fresh, fresh_stream):
                _decode_one(fresh, fresh_stream, path, again=False)
            return
        raise RecordingError("decode", "no_frames", f"{path.name}: holds no frame") from None
    except av.error.FFmpegError as error:
        what = error.strerror or "damaged data"
        raise RecordingError("decode", "decode_error", f"{path.name}: its first frame cannot be decoded ({what})") from None


def _probe_images(source: VideoSource) -> VideoFacts:
    frame = next(iter(decode(source))).frame
    if frame is None:
        raise RecordingError("decode", "decode_error", f"{source.path.name}: its first image cannot be decoded")
    return VideoFacts(len(list_images(source)), np.zeros(0), math.nan, math.nan, frame.width, frame.height, frame.format.name)
