"""Encoding of frames into video files, in one thread, so that the same frames become the same bytes.

The conversion to YUV is done here: FFmpeg's default is off by up to a gray level, more than the pulse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.codec.context
import av.error
import av.logging
import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import OutputError
from stmap_pipeline.signals.luma import LUMA

Frame = npt.NDArray[np.uint8]
_TICKS_PER_S = 90_000
_BT601 = 5  # FFmpeg's number of this color space
_NAMES = {(2, 2): "420", (1, 2): "422", (1, 1): "444"}


@dataclass(frozen=True, slots=True)
class Codec:
    """How a video is encoded.

    Parameters
    ----------
    encoder, container : str
        Names of FFmpeg.
    full_range : bool
        Whether luma runs from 0 to 255 instead of 16 to 235.
    options : tuple of (str, str)
        Of the encoder; the quality is high enough that the pulse survives.
    subsampling : (int, int)
        Rows and columns of the image for one sample of chroma: (2, 2), (1, 2) or (1, 1).
    """

    encoder: str
    container: str
    full_range: bool = False
    options: tuple[tuple[str, str], ...] = ()
    subsampling: tuple[int, int] = (2, 2)

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the planes.

        Examples
        --------
        >>> Codec("ffv1", "matroska", subsampling=(1, 1)).pixel_format
        'yuv444p'
        """
        return f"yuv{'j' if self.full_range else ''}{_NAMES[self.subsampling]}p"

    @property
    def color_range(self) -> int:
        """FFmpeg's number of the range: 2 full, 1 video."""
        return 2 if self.full_range else 1


# without mbtree: with it and B-frames, bytes depended on uninitialized memory
_X264 = "threads=1:mbtree=0"
CODECS: dict[str, Codec] = {
    "mjpeg-avi": Codec("mjpeg", "avi", True, (("qmin", "2"), ("qmax", "2"))),
    "mpeg4-avi": Codec("mpeg4", "avi", False, (("qmin", "2"), ("qmax", "2"))),
    "h264-mkv": Codec("libx264", "matroska", False, (("preset", "veryfast"), ("crf", "12"), ("x264-params", _X264))),
    "h264-mp4": Codec("libx264", "mp4", False, (("preset", "veryfast"), ("crf", "12"), ("x264-params", _X264))),
}
"""Name -> codec."""


def yuv_planes(frame: Frame, full_range: bool, subsampling: tuple[int, int] = (2, 2)) -> tuple[Frame, Frame, Frame]:
    """Convert red, green and blue to BT.601 luma and chroma, chroma averaged over the pixels that share it.

    Parameters
    ----------
    frame : (H, W, 3) array of uint8
        Height and width are multiples of the subsampling.
    full_range : bool
        0 to 255 instead of 16 to 235 (luma) and 16 to 240 (chroma).
    subsampling : (int, int)
        Rows and columns of pixels for one sample of chroma.

    Returns
    -------
    tuple of array of uint8
        (H, W), and twice the size that the subsampling leaves; each rounded once.

    References
    ----------
    Recommendation ITU-R BT.601-7, section 2.5.

    Examples
    --------
    >>> luma, blue, red = yuv_planes(np.full((2, 2, 3), 255, np.uint8), full_range=False)
    >>> luma.tolist(), blue.tolist(), red.tolist()
    ([[235, 235], [235, 235]], [[128]], [[128]])
    """
    weights = np.array(LUMA)
    luma_scale, chroma_scale, black = (1.0, 1.0, 0.0) if full_range else (219 / 255, 224 / 255, 16.0)
    luma = np.append(weights * luma_scale, black)
    to_blue = np.append((np.array([0.0, 0, 1]) - weights) / (2 * (1 - weights[2])) * chroma_scale, 128.0)
    to_red = np.append((np.array([1.0, 0, 0]) - weights) / (2 * (1 - weights[0])) * chroma_scale, 128.0)
    height, width = frame.shape[:2]
    rows, columns = subsampling
    small = cv2.resize(frame.astype(np.float32), (width // columns, height // rows), interpolation=cv2.INTER_AREA)
    chroma = cv2.split(cv2.add(cv2.transform(small, np.stack([to_blue, to_red])), 0.0, dtype=cv2.CV_8U))
    bright = cv2.transform(frame, luma[None])
    return tuple(np.asarray(one, dtype=np.uint8) for one in (bright, *chroma))  # type: ignore[return-value]


def write_video(
    path: Path,
    frames: Iterable[tuple[float, Frame]],
    codec: Codec,
    size_px: tuple[int, int],
    container_rate_hz: float | None = None,
) -> int:
    """Encode frames into a file.

    Parameters
    ----------
    path : Path
        The name does not decide the format.
    frames : iterable of (float, (H, W, 3) array of uint8)
        Time in seconds and image. One is held at a time.
    codec : Codec
    size_px : (int, int)
        Width and height, both even.
    container_rate_hz : float, optional
        Rate that the container claims, whatever the times say; None to store the times.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    ValueError
        Where the size is odd.
    OutputError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> frames = [(index / 30, np.full((32, 32, 3), 90 + index, np.uint8)) for index in range(3)]
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_video(Path(name) / "video.avi", frames, CODECS["mjpeg-avi"], (32, 32), container_rate_hz=25.0)
    3
    """
    width, height = size_px
    if width % 2 or height % 2:
        raise ValueError(f"a video with halved chroma needs an even size, not {width}x{height}")
    # FFmpeg's own lines on stderr would tear a progress bar
    av.logging.set_level(None)
    count = 0
    rate = Fraction(container_rate_hz or 30).limit_denominator(1001)
    tick = Fraction(1, _TICKS_PER_S) if container_rate_hz is None else 1 / rate
    try:
        with av.open(str(path), "w", format=codec.container, options={"fflags": "+bitexact"}) as container:
            stream: Any = container.add_stream(codec.encoder, rate=rate, options=dict(codec.options))
            stream.width, stream.height = size_px
            stream.pix_fmt = codec.pixel_format
            context = stream.codec_context
            context.thread_count = 1
            context.colorspace = _BT601
            context.color_range = codec.color_range
            context.flags |= int(av.codec.context.Flags.bitexact)
            context.time_base = tick
            for time_s, image in frames:
                frame = _packed(image, codec)
                frame.time_base = tick
                frame.pts = count if container_rate_hz else round(time_s * _TICKS_PER_S)
                container.mux(stream.encode(frame))
                count += 1
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); free disk space or check permissions, then run again"
        ) from error
    return count


def _packed(image: Frame, codec: Codec) -> av.VideoFrame:
    frame = av.VideoFrame(image.shape[1], image.shape[0], codec.pixel_format)
    frame.colorspace = _BT601
    frame.color_range = codec.color_range
    for plane, values in zip(frame.planes, yuv_planes(image, codec.full_range, codec.subsampling), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    return frame


def encode_jpeg(image: Frame, quality: int = 92) -> bytes:
    """Encode one image as JPEG.

    Examples
    --------
    >>> encode_jpeg(np.zeros((8, 8, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise ValueError(f"an image of shape {image.shape} cannot be encoded as JPEG")
    return data.tobytes()
