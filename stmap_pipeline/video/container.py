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

# More pixels than any camera of the field has (8K has 35 million): such a header is damaged or hostile.
MAX_PIXELS = 36_000_000
# What a video comes in. FFmpeg also "opens" playlists and session descriptions, which name other files and hosts.
FORMATS = (
    "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,mxf,nut,rm,dv,ivf,gif,apng,"
    "h264,hevc,m4v,mjpeg,yuv4mpegpipe,"
    # sound alone is opened to say so
    "wav,mp3,flac,aac"
)
# Damaged packets in a row after which the rest of a stream is given up.
MAX_ERRORS_IN_A_ROW = 1000

# a title in another encoding is no reason to refuse a video; since PyAV 19 it never is
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


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
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS, "max_pixels": str(MAX_PIXELS)}
    try:
        # the prefix keeps a name such as "pipe:0" from meaning anything but a file
        container = av.open(f"file:{path}", options=options, **_LENIENT)
    except MemoryError:
        raise
    except FileNotFoundError:
        raise RecordingError("decode", "source_missing", f"{path.name}: no such file") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise RecordingError(
            "decode", "source_unreadable", f"{path.name}: cannot be opened as a video ({getattr(error, 'strerror', None) or error})"
        ) from None
    with container:
        if not container.streams.video:
            raise RecordingError("decode", "no_video_stream", f"{path.name}: holds no video stream (audio only?)")
        stream = container.streams.video[0]
        # the stub knows nothing of it, but a stream that FFmpeg has no decoder for comes without a context
        context: Any = stream.codec_context
        if context is None:
            raise RecordingError("decode", "unsupported_format", f"{path.name}: its codec is unknown; convert it to H.264")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise RecordingError(
                "decode", "unsupported_format", f"{path.name}: the header says {width}x{height} pixels; the limit is {MAX_PIXELS:,}"
            )
        stream.thread_type = "NONE"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
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
            except MemoryError:
                raise
            except av.error.FFmpegError:
                errors, in_a_row = errors + 1, in_a_row + 1
                yield Decoded(None, None, rate_hz, codec, errors)
                continue
            in_a_row = 0
            for frame in frames:
                base = frame.time_base or stream.time_base
                # the same number as of the fraction, which takes as long to make as all else here
                pts_s = None if frame.pts is None or base is None else frame.pts * base.numerator / base.denominator - start_s
                yield Decoded(frame, pts_s, rate_hz, codec, errors)
