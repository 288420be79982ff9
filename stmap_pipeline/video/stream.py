"""Decode a recording once, frame by frame: a video file through FFmpeg, a folder of image files, or an array of frames.

FFmpeg (PyAV) runs in one thread: the worker processes share the cores, not the frames.
"""

from __future__ import annotations

import errno
import math
import stat
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.error
import av.logging
import numpy as np

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.video.arrays import read_array_frames
from stmap_pipeline.video.clock import Clock
from stmap_pipeline.video.frame import Frame, PixelReader, StreamInfo, make_reader
from stmap_pipeline.video.images import IMAGE_CODECS, list_images, read_images
from stmap_pipeline.video.no_video import video_problem

# More pixels than any camera of the field has (8K has 35 million): such a header is damaged or hostile.
MAX_PIXELS = 36_000_000
# Containers that are opened. FFmpeg also "opens" playlists and session descriptions, which name other files and hosts.
FORMATS = (
    "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,mxf,nut,rm,dv,ivf,gif,apng,"
    "h264,hevc,m4v,mjpeg,yuv4mpegpipe,"
    # audio files are opened so that the error can name them
    "wav,mp3,flac,aac"
)
# Damaged packets in a row after which the rest of a stream is given up.
MAX_ERRORS_IN_A_ROW = 1000

# What opening a pipe or device, a folder or a socket as a file ends with.
_NOT_REGULAR = (errno.EINVAL, errno.EISDIR, errno.ENXIO)

# Frames that are decoded in a row, up to this many bytes, where a decoder evicts all else from the processor's caches; where it does
# not (MJPEG, MPEG-4), waiting frames only fill them: two frames ahead cost 0.04 ms a frame, sixteen 0.1.
_PREFETCH_FRAMES, _PREFETCH_BYTES = 32, 2**25
_HEAVY_CODECS = frozenset({"h264", "hevc", "vvc", "vp8", "vp9", "av1", "libdav1d", "libvpx-vp9"})

# FFmpeg's disposition of a still picture, such as the cover of an album
_COVER = 0x400
# Frames of each of several streams that are looked at, and the mean difference between the channels that is color.
_LOOKED_AT, _COLORFUL = 3, 4.0

# a title in another encoding is no reason to refuse a video; since PyAV 19 it never is
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


@dataclass(slots=True)
class DecodedFrame:
    """One decoded frame, or a damaged packet (``frame`` is None)."""

    frame: Any
    pts_s: float | None
    rate_hz: float
    codec: str
    errors: int
    stream: int = 0
    streams: int = 1


class FrameStream:
    """Iterator over the frames of one recording, to be used once and in a ``with`` block.

    Frames are views into the decoder's memory, and only a few are decoded ahead: memory in use does not grow with the length of
    the video.

    Parameters
    ----------
    recording : Recording
    quarter_turns : int
        Counterclockwise quarter turns beyond those that the metadata of the video ask for.

    Attributes
    ----------
    quarter_turns : int
    clock : Clock
    decoded : int
        Frames decoded so far.
    decode_errors : int
        Damaged packets that were skipped.
    """

    def __init__(self, recording: Recording, quarter_turns: int = 0) -> None:
        self.decoded = 0
        self.decode_errors = 0
        self._where = recording.video.path.name
        self.quarter_turns = quarter_turns
        self._reader: PixelReader | None = None
        self._info: StreamInfo | None = None
        self.clock = Clock(recording.clock)
        self._source = decode(recording.video)

    @property
    def info(self) -> StreamInfo:
        """Properties of the stream; known after the first frame."""
        if self._info is None:
            raise RecordingError("decode", "no_frames", f"{self._where}: not one frame could be decoded")
        return self._info

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for decoded in prefetch(self._source):
            self.decode_errors = decoded.errors
            if decoded.frame is None:
                self.clock.skip()
                continue
            if math.isnan(self.clock.fallback_rate_hz):
                self.clock.fallback_rate_hz = decoded.rate_hz
            self.decoded += 1
            time_s = self.clock.time_of(decoded.pts_s)
            if time_s is None:
                continue
            yield Frame(index, time_s, self._reader_for(decoded).read(decoded.frame))
            index += 1
        if index == 0:
            raise RecordingError(
                "decode", "no_frames", f"{self._where}: not one frame could be decoded; the file is damaged or empty"
            )

    def _reader_for(self, decoded: DecodedFrame) -> PixelReader:
        frame = decoded.frame
        if self._reader is None:
            self._reader = make_reader(frame, self._where, self.quarter_turns)
            self._size = (frame.width, frame.height)
            self._info = StreamInfo(
                decoded.codec,
                self._reader.source_format,
                *(self._size if self._reader.quarter_turns % 2 == 0 else self._size[::-1]),
                decoded.rate_hz,
                self._reader.color_matrix,
                self._reader.color_matrix_assumed,
                self._reader.full_range,
                self._reader.quarter_turns * 90,
                decoded.stream,
                decoded.streams,
            )
        if (frame.width, frame.height) != self._size or frame.format.name != self._reader.source_format:
            raise RecordingError(
                "decode",
                "unsupported_format",
                f"{self._where}: the image changes from {self._size[0]}x{self._size[1]} {self._reader.source_format} to "
                f"{frame.width}x{frame.height} {frame.format.name} at frame {self.decoded}; split the video there",
            )
        return self._reader


def open_stream(recording: Recording, quarter_turns: int = 0) -> FrameStream:
    """Open the video of a recording for one pass.

    Parameters
    ----------
    recording : Recording
    quarter_turns : int
        Counterclockwise quarter turns beyond those that the metadata of the video ask for.

    Raises
    ------
    RecordingError
        Where the video or its clock cannot be opened.

    Examples
    --------
    >>> from pathlib import Path
    >>> from stmap_pipeline.records import Recording, VideoSource
    >>> open_stream(Recording("a", "folder", "a", VideoSource(Path("nowhere.mp4"))))
    Traceback (most recent call last):
    ...
    stmap_pipeline.errors.RecordingError: nowhere.mp4: no such file
    """
    check_video(recording)
    return FrameStream(recording, quarter_turns)


def check_video(recording: Recording) -> None:
    """Raise an error where the video of a recording is missing, or not a regular file or folder; it is not opened.

    Raises
    ------
    RecordingError
        ``source_missing`` or ``source_unreadable``.
    """
    path, wanted = recording.video.path, "folder" if recording.video.kind == "images" and not recording.video.member else "file"
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise RecordingError("decode", "source_missing", f"{path.name}: no such {wanted}") from None
    except OSError as error:
        raise RecordingError("decode", "source_unreadable", f"{path.name}: cannot be read ({error.strerror})") from None
    # opening a named pipe would block until somebody writes to it
    if not (stat.S_ISDIR(mode) if wanted == "folder" else stat.S_ISREG(mode)):
        is_folder = stat.S_ISDIR(mode)
        raise RecordingError("decode", "source_unreadable", f"{path.name}: is {'a folder, ' if is_folder else ''}no {wanted}")


def prefetch(source: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
    """Yield the frames of a decoder that has decoded up to 32 of them in a row.

    What is computed on a frame takes half the time where no decoder has run since the frame before.
    """
    waiting: deque[DecodedFrame] = deque()
    waiting_bytes = 0
    for one in source:
        waiting.append(one)
        waiting_bytes += 0 if one.frame is None else 2 * one.frame.width * one.frame.height
        if len(waiting) >= (_PREFETCH_FRAMES if one.codec in _HEAVY_CODECS else 1) or waiting_bytes >= _PREFETCH_BYTES:
            # each is released as soon as it has been used
            while waiting:
                yield waiting.popleft()
            waiting_bytes = 0
    yield from waiting


def decode(source: VideoSource) -> Generator[DecodedFrame]:
    """Decode a video of any kind frame by frame.

    Raises
    ------
    RecordingError
        As the function for that kind raises it.
    """
    if source.kind == "images":
        return decode_images(source)
    return decode_array(source) if source.kind == "array" else decode_container(source.path)


@contextmanager
def open_container(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video file and yield its container and its video stream; of several, the first one in color.

    Raises
    ------
    RecordingError
        Where the file is no video, has no video stream, or an absurd size.
    """
    with _opened(path) as container:
        streams = picture_streams(container)
        if not streams:
            raise RecordingError("decode", "no_video_stream", f"{path.name}: holds no video stream (audio only?)")
        stream = streams[_first_in_color(path, len(streams)) if len(streams) > 1 else 0]
        # contrary to PyAV's type stub, a stream that FFmpeg has no decoder for comes without a context
        context: Any = stream.codec_context
        if context is None:
            raise RecordingError("decode", "unsupported_format", f"{path.name}: its codec is unknown; convert it to H.264")
        width, height = context.width, context.height
        if width * height > MAX_PIXELS:
            raise RecordingError(
                "decode", "unsupported_format", f"{path.name}: the header says {width}x{height} pixels; the limit is {MAX_PIXELS:,}"
            )
        stream.thread_type = "NONE"
        context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def picture_streams(container: Any) -> list[Any]:
    """Return the video streams of a container, without the picture of a cover where there are others."""
    streams = list(container.streams.video)
    return [one for one in streams if not int(one.disposition) & _COVER] or streams


def _opened(path: Path) -> Any:
    # FFmpeg's own lines on stderr would tear a progress bar; what matters is counted and raised
    av.logging.set_level(None)
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS, "max_pixels": str(MAX_PIXELS)}
    try:
        # the prefix keeps a name such as "pipe:0" from meaning anything but a file
        return av.open(f"file:{path}", options=options, **_LENIENT)
    except MemoryError:
        raise
    except FileNotFoundError:
        raise RecordingError("decode", "source_missing", f"{path.name}: no such file") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        with suppress(OSError):
            what = video_problem(path) or f"cannot be opened as a video ({what}); is it complete, and does another player show it?"
        raise RecordingError("decode", "source_unreadable", f"{path.name}: {what}") from None


def _first_in_color(path: Path, count: int) -> int:
    """Return the number of the first of several video streams whose first frames have color; 0 where none has."""
    for number in range(count):
        with _opened(path) as container, suppress(av.error.FFmpegError):
            stream = picture_streams(container)[number]
            context: Any = stream.codec_context
            if context is None or context.width * context.height > MAX_PIXELS:
                continue
            stream.thread_type = "NONE"
            context.options = {"max_pixels": str(MAX_PIXELS)}
            if any(_has_color(one) for one in islice(container.decode(stream), _LOOKED_AT)):
                return number
    return 0


def _has_color(frame: Any) -> bool:
    """Return whether a frame is more than shades of one gray."""
    if frame.format.name.startswith("gray"):
        return False
    small = frame.reformat(width=min(frame.width, 64), height=min(frame.height, 64), format="rgb24").to_ndarray().astype(np.int16)
    return bool(np.ptp(small, axis=2).mean() > _COLORFUL)


def decode_container(path: Path) -> Generator[DecodedFrame]:
    """Decode the video stream of a file frame by frame.

    Times are relative to the container's declared start, as FFmpeg's own tools count them.

    Raises
    ------
    RecordingError
        As :func:`open_container`.
    """
    with open_container(path) as (container, stream):
        context: Any = stream.codec_context
        indices = [one.index for one in picture_streams(container)]
        number, count = indices.index(stream.index), len(indices)
        start_s = (container.start_time or 0) / av.time_base
        rate_hz = float(stream.average_rate) if stream.average_rate else math.nan
        errors = in_a_row = 0
        packets = container.demux(stream)
        while in_a_row < MAX_ERRORS_IN_A_ROW:
            try:
                packet = next(packets)
                frames = packet.decode()
            except (StopIteration, av.error.EOFError):
                return
            except MemoryError:
                raise
            except av.error.FFmpegError:
                errors, in_a_row = errors + 1, in_a_row + 1
                yield DecodedFrame(None, None, rate_hz, context.name, errors, number, count)
                continue
            in_a_row = 0
            for frame in frames:
                base = frame.time_base or stream.time_base
                # equal to the fraction's value; making the fraction takes as long as all else here
                pts_s = None if frame.pts is None or base is None else frame.pts * base.numerator / base.denominator - start_s
                yield DecodedFrame(frame, pts_s, rate_hz, context.name, errors, number, count)


def decode_images(source: VideoSource) -> Generator[DecodedFrame]:
    """Decode the image files of a folder to native planes (JPEG stays YCbCr), ``2.jpg`` before ``10.jpg``.

    A damaged file is counted and skipped.

    Raises
    ------
    RecordingError
        Where the folder cannot be read, holds no image file, or something under the name of one that is no regular file.
    """
    av.logging.set_level(None)
    where = f"{source.path.name}/{source.member}" if source.member else source.path.name
    try:
        names = list_images(source)
    except OSError as error:
        raise RecordingError(
            "decode", "source_unreadable", f"{where}: cannot be read as a folder of images ({error.strerror})"
        ) from None
    if not names:
        raise RecordingError("decode", "source_missing", f"{where}: no image file ({', '.join(IMAGE_CODECS)}) in this folder")
    errors = 0
    for name, data in zip(names, read_images(source, names), strict=True):
        codec = IMAGE_CODECS[name[name.rindex(".") :].lower()]
        frame: Any = None
        if isinstance(data, OSError):
            if data.errno in _NOT_REGULAR:
                raise RecordingError("decode", "source_unreadable", f"{where}/{name}: is no regular file; remove it") from None
        elif data:
            try:
                # a new context for each image: a damaged one must not affect the next
                decoder: Any = av.CodecContext.create(codec, "r")
                decoder.options = {"max_pixels": str(MAX_PIXELS)}
                frame = next(iter([*decoder.decode(av.Packet(data)), *decoder.decode(None)]), None)
            except MemoryError:
                raise
            except av.error.FFmpegError:
                pass
        errors += frame is None
        yield DecodedFrame(frame, None, math.nan, codec, errors)


def decode_array(source: VideoSource) -> Generator[DecodedFrame]:
    """Yield the frames of an array in a MATLAB or HDF5 file.

    Raises
    ------
    RecordingError
        Where the file has no such array, or the array is no frames or too large.
    """
    for values in read_array_frames(source.path, source.member):
        if values.shape[0] * values.shape[1] > MAX_PIXELS:
            size = f"{values.shape[1]}x{values.shape[0]}"
            raise RecordingError(
                "decode", "unsupported_format", f"{source.path.name}: frames of {size} pixels; the limit is {MAX_PIXELS:,}"
            )
        frame = av.VideoFrame.from_ndarray(values, format="rgb24" if values.dtype == "uint8" else "rgb48le")
        yield DecodedFrame(frame, None, math.nan, "array", 0)
