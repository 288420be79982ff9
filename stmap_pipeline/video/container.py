"""Frames of a video file, decoded by FFmpeg through PyAV in one thread: the workers share the cores, not the frames."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging

from stmap_pipeline.errors import RecordingError

# More pixels than any camera of the field has: such a header is damaged or hostile.
MAX_PIXELS = 64_000_000
# Damaged packets in a row after which the rest of a stream is given up.
MAX_ERRORS_IN_A_ROW = 1000


@dataclass(slots=True)
class Decoded:
    """One decoded frame, or a damaged packet (``frame`` is None)."""

    frame: Any
    pts_s: float | None
    rate_hz: float
    codec: str
    errors: int


def decode_container(path: Path) -> Generator[Decoded]:
    """Decode the first video stream of a file frame by frame.

    Times are relative to the container's declared start, as FFmpeg's own tools count them.

    Raises
    ------
    RecordingError
        Where the file is no video, has no video stream, or an absurd size.
    """
    # FFmpeg's own lines on stderr would tear a progress bar; what matters is counted and raised
    av.logging.set_level(None)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise RecordingError("decode", "source_unreadable", f"{path.name}: cannot be opened as a video ({error})") from None
    with container:
        if not container.streams.video:
            raise RecordingError("decode", "no_video_stream", f"{path.name}: holds no video stream (audio only?)")
        stream = container.streams.video[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise RecordingError(
                "decode", "unsupported_format", f"{path.name}: the header says {width}x{height} pixels; the limit is {MAX_PIXELS:,}"
            )
        stream.thread_type = "NONE"
        start_s = (container.start_time or 0) / av.time_base
        rate_hz = float(stream.average_rate) if stream.average_rate else math.nan
        codec = stream.codec_context.name
        errors = in_a_row = 0
        packets = container.demux(stream)
        while in_a_row < MAX_ERRORS_IN_A_ROW:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                errors, in_a_row = errors + 1, in_a_row + 1
                yield Decoded(None, None, rate_hz, codec, errors)
                continue
            in_a_row = 0
            for frame in frames:
                time_base = frame.time_base or stream.time_base
                pts_s = None if frame.pts is None or time_base is None else float(frame.pts * time_base) - start_s
                yield Decoded(frame, pts_s, rate_hz, codec, errors)
