"""One pass over the frames of a recording. Open it, iterate once, read the counters afterwards."""

from __future__ import annotations

import math
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.records import Recording
from stmap_pipeline.video.clock import Clock
from stmap_pipeline.video.container import Decoded, decode_container
from stmap_pipeline.video.frame import Frame, StreamInfo
from stmap_pipeline.video.images import decode_images
from stmap_pipeline.video.planes import PixelReader, make_reader

# Frames that are decoded at once, as far as they fit into this room, where a decoder leaves nothing else in the processor's caches;
# where it does (MJPEG, MPEG-4), frames that wait only fill them: two of them cost 0.04 ms a frame, sixteen 0.1.
_AHEAD_FRAMES, _AHEAD_BYTES = 32, 2**25
_HEAVY = frozenset({"h264", "hevc", "vvc", "vp8", "vp9", "av1", "libdav1d", "libvpx-vp9"})


class FrameStream:
    """Iterator over the frames of one recording, to be used in a ``with`` block and once.

    Frames are views into the decoder's memory, of which a few are decoded ahead: the memory in use does not grow with the length of
    the video.

    Parameters
    ----------
    recording : Recording

    Attributes
    ----------
    decoded : int
        Frames decoded so far.
    decode_errors : int
        Damaged packets that were skipped.
    """

    def __init__(self, recording: Recording) -> None:
        self.decoded = 0
        self.decode_errors = 0
        self._where = recording.video.path.name
        self._recording = recording
        self._reader: PixelReader | None = None
        self._info: StreamInfo | None = None
        self.clock = Clock(recording.clock)
        self._source = (decode_images if recording.video.kind == "images" else decode_container)(recording.video.path)

    @property
    def info(self) -> StreamInfo:
        """What the stream says of itself; known after the first frame."""
        if self._info is None:
            raise RecordingError("decode", "no_frames", f"{self._where}: not one frame could be decoded")
        return self._info

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for decoded in _ahead(self._source):
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
            yield Frame(index, time_s, self._reader_for(decoded.frame, decoded.codec, decoded.rate_hz).read(decoded.frame))
            index += 1
        if index == 0:
            raise RecordingError(
                "decode", "no_frames", f"{self._where}: not one frame could be decoded; the file is damaged or empty"
            )

    def _reader_for(self, frame: Any, codec: str, rate_hz: float) -> PixelReader:
        if self._reader is None:
            self._reader = make_reader(frame, self._where)
            size = (frame.width, frame.height) if self._reader.quarter_turns % 2 == 0 else (frame.height, frame.width)
            self._info = StreamInfo(
                codec,
                self._reader.source_format,
                *size,
                rate_hz,
                self._reader.color_matrix,
                self._reader.color_matrix_assumed,
                self._reader.full_range,
                self._reader.quarter_turns * 90,
            )
            self._size = (frame.width, frame.height)
        if (frame.width, frame.height) != self._size or frame.format.name != self._reader.source_format:
            raise RecordingError(
                "decode",
                "unsupported_format",
                f"{self._where}: the picture changes from {self._size[0]}x{self._size[1]} {self._reader.source_format} to "
                f"{frame.width}x{frame.height} {frame.format.name} at frame {self.decoded}; split the video there",
            )
        return self._reader


def _ahead(source: Iterable[Decoded]) -> Iterator[Decoded]:
    """Decode some frames, then hand them on, then decode some more.

    What is done with a frame costs half as much where it has been done with another one just before, and no decoder in between.
    """
    held: deque[Decoded] = deque()
    held_bytes = 0
    for one in source:
        held.append(one)
        held_bytes += 0 if one.frame is None else 2 * one.frame.width * one.frame.height
        if len(held) >= (_AHEAD_FRAMES if one.codec in _HEAVY else 1) or held_bytes >= _AHEAD_BYTES:
            # each is let go as it is handed on
            while held:
                yield held.popleft()
            held_bytes = 0
    yield from held


def open_stream(recording: Recording) -> FrameStream:
    """Open the video of a recording for one pass.

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
    path, wanted = recording.video.path, "folder" if recording.video.kind == "images" else "file"
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise RecordingError("decode", "source_missing", f"{path.name}: no such {wanted}") from None
    except OSError as error:
        raise RecordingError("decode", "source_unreadable", f"{path.name}: cannot be read ({error.strerror})") from None
    # opening a pipe would wait for ever
    if not (stat.S_ISDIR(kind) if wanted == "folder" else stat.S_ISREG(kind)):
        raise RecordingError("decode", "source_unreadable", f"{path.name}: is no {wanted}")
    return FrameStream(recording)
