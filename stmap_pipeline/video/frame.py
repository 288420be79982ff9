"""Define a frame: native planes, the linear map from their samples to RGB, and the time; and read them from a decoded frame.

Planar YUV, RGB and gray of 8 to 16 bits are taken as they are. Packed formats are first reordered into planes of the same
samples, which changes none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av.video.format
import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.signals.luma import KB, KG, KR

Plane = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One image as decoded: native planes, and the linear map from their samples to RGB.

    Parameters
    ----------
    gray : (H, W) array of uint8
        Luma for detection and tracking; the first plane itself where that has 8 bits.
    planes : tuple of arrays of uint8 or uint16
        One plane (gray) or three (Y, U, V or G, B, R). The first has the size of the image, the others may be subsampled.
    to_rgb : (3, P + 1) array of float64
        ``rgb = to_rgb[:, :P] @ samples + to_rgb[:, P]`` in gray levels 0 to 255, for one sample of each of the P planes.
        The same map holds for means of samples, so no pixel is ever converted.
    origin_px : (int, int)
        Position (x, y) of the first sample in the full image; (0, 0) unless the image was made by :meth:`crop`.
    """

    gray: npt.NDArray[np.uint8]
    planes: tuple[Plane, ...]
    to_rgb: npt.NDArray[np.float64]
    origin_px: tuple[int, int] = (0, 0)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.gray.shape[1], self.gray.shape[0]

    def crop(self, left: int, top: int, right: int, bottom: int, *, copy: bool = True) -> Image:
        """Return a part of the image; by default a copy, so that the memory of the whole image can be freed.

        The edges are widened to multiples of four, so that subsampled planes are cut where the first plane is, and clipped to the
        image. Coordinates are those of this image.
        """
        width, height = self.size_px
        # 4:1:1 and 4:1:0 need multiples of four
        left, top = max(0, left) // 4 * 4, max(0, top) // 4 * 4
        right, bottom = min(width, -(-right // 4) * 4), min(height, -(-bottom // 4) * 4)
        parts = []
        for plane in self.planes:
            step_x, step_y = round(width / plane.shape[1]), round(height / plane.shape[0])
            part = plane[top // step_y : -(-bottom // step_y), left // step_x : -(-right // step_x)]
            parts.append(part.copy() if copy else part)
        gray = parts[0] if self.gray is self.planes[0] else self.gray[top:bottom, left:right].copy()
        return Image(gray, tuple(parts), self.to_rgb, (self.origin_px[0] + left, self.origin_px[1] + top))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of a stream with its number (from 0, in presentation order) and its time.

    Parameters
    ----------
    index : int
    time_s : float
        Seconds on the recording's clock.
    image : Image
        Views into the decoder's buffer, which stays allocated as long as they are referenced: keep few, or :meth:`Image.crop`.
    """

    index: int
    time_s: float
    image: Image


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Properties of a video stream, stored as attributes of the recording.

    Parameters
    ----------
    codec, pixel_format : str
    width_px, height_px : int
        After rotation.
    container_rate_hz : float
        The header's frame rate, for comparison only: no time is computed from it. NaN where there is none.
    color_matrix : str
        ``bt601``, ``bt709``, ... ; ``rgb`` or ``gray`` where there is no matrix.
    color_matrix_assumed : bool
        Whether the stream names no matrix and BT.601 was assumed, as swscale and OpenCV do.
    full_range : bool
    rotation_deg : int
        Counterclockwise rotation that was applied.
    stream, streams : int
        Number of the video stream that was read, from 0, and of video streams in the file.
    """

    codec: str
    pixel_format: str
    width_px: int
    height_px: int
    container_rate_hz: float
    color_matrix: str
    color_matrix_assumed: bool
    full_range: bool
    rotation_deg: int
    stream: int = 0
    streams: int = 1


# Kr and Kb of ITU-T H.273, table 4 (matrix coefficients), by the code that the stream carries.
_MATRICES: dict[int, tuple[str, float, float]] = {
    1: ("bt709", 0.2126, 0.0722),
    4: ("fcc", 0.30, 0.11),
    5: ("bt601", KR, KB),
    6: ("bt601", KR, KB),
    7: ("smpte240m", 0.212, 0.087),
    9: ("bt2020", 0.2627, 0.0593),
    10: ("bt2020", 0.2627, 0.0593),
}
_UNSPECIFIED = 2
_FULL_RANGE = 2

# Packed format -> planar format with the same samples.
_PLANAR = {
    **dict.fromkeys(("rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr", "pal8", "gbrap"), "gbrp"),
    **dict.fromkeys(("rgb48le", "rgb48be", "bgr48le", "bgr48be", "rgba64le", "rgba64be", "bgra64le", "gbrap16le"), "gbrp16le"),
    **dict.fromkeys(("nv12", "nv21", "yuva420p"), "yuv420p"),
    **dict.fromkeys(("yuyv422", "uyvy422", "yvyu422", "nv16", "yuva422p"), "yuv422p"),
    **dict.fromkeys(("nv24", "nv42", "yuva444p", "ayuv", "vuya"), "yuv444p"),
    **dict.fromkeys(("ya8", "monow", "monob"), "gray"),
    **dict.fromkeys(("ya16le", "ya16be", "gray16be"), "gray16le"),
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "p016le": "yuv420p16le",
    "yuva420p10le": "yuv420p10le",
    "yuva422p10le": "yuv422p10le",
    "yuva444p10le": "yuv444p10le",
    "gbrap10le": "gbrp10le",
    "gbrap12le": "gbrp12le",
}


@dataclass(frozen=True, slots=True)
class PixelReader:
    """Reader for images of one pixel format, made once per stream and used for each frame.

    Parameters
    ----------
    source_format, planar_format : str
        As decoded, and as read.
    bits : int
        Bits per sample.
    full_range : bool
    color_matrix : str
    color_matrix_assumed : bool
    to_rgb : (3, P + 1) array of float64
        See :class:`Image`.
    quarter_turns : int
        Counterclockwise quarter turns to apply.
    """

    source_format: str
    planar_format: str
    bits: int
    full_range: bool
    color_matrix: str
    color_matrix_assumed: bool
    to_rgb: npt.NDArray[np.float64]
    quarter_turns: int

    def read(self, frame: Any) -> Image:
        """Return the planes of one decoded frame of the format that this reader was made for."""
        if self.planar_format != self.source_format:
            frame = frame.reformat(format=self.planar_format)
        planes = tuple(_view(plane, self.bits) for plane in frame.planes)
        if self.quarter_turns:
            planes = tuple(np.ascontiguousarray(np.rot90(plane, self.quarter_turns)) for plane in planes)
        return Image(self._gray(planes), planes, self.to_rgb)

    def _gray(self, planes: tuple[Plane, ...]) -> npt.NDArray[np.uint8]:
        if self.color_matrix == "rgb":
            green, blue, red = (plane.astype(np.float32) for plane in planes)
            return np.asarray((KG * green + KB * blue + KR * red) * 2.0 ** (8 - self.bits) + 0.5).astype(np.uint8)
        if self.bits == 8:
            return planes[0]
        return (planes[0] >> (self.bits - 8)).astype(np.uint8)


def make_reader(frame: Any, where: str, quarter_turns: int = 0) -> PixelReader:
    """Return the reader for a stream, chosen by the format of its first decoded frame.

    Parameters
    ----------
    frame : av.VideoFrame
    where : str
        File name for the error message.
    quarter_turns : int
        Counterclockwise quarter turns beyond those that the metadata of the stream ask for.

    Raises
    ------
    RecordingError
        With ``unsupported_format`` where the samples cannot be read without loss.
    """
    source = frame.format.name
    planar = _PLANAR.get(source, source)
    layout = av.video.format.VideoFormat(planar)
    bits = layout.components[0].bits
    family = "gray" if len(layout.components) == 1 else "rgb" if planar.startswith("gbr") else "yuv"
    known = planar.startswith(("yuv", "gbr", "gray")) and not layout.is_bit_stream and not planar.endswith(("be", "f32le", "f16le"))
    if not known or not 8 <= bits <= 16:
        raise RecordingError(
            "decode",
            "unsupported_format",
            f"{where}: pixel format {source} cannot be read without loss; convert it to yuv420p or rgb24",
        )
    # JPEG-style formats, RGB and gray are full range unless the stream says otherwise; YUV is limited
    full = (
        frame.color_range == _FULL_RANGE
        or planar.startswith("yuvj")
        or family == "rgb"
        or (family == "gray" and frame.color_range != 1)
    )
    code = int(frame.colorspace)
    name, k_red, k_blue = _MATRICES.get(code, _MATRICES[5])
    if family == "yuv" and code not in _MATRICES and code != _UNSPECIFIED:
        raise RecordingError(
            "decode", "unsupported_format", f"{where}: color matrix {code} of ITU-T H.273 is not linear YCbCr; convert it to BT.709"
        )
    return PixelReader(
        source,
        planar,
        bits,
        full,
        name if family == "yuv" else family,
        family == "yuv" and code == _UNSPECIFIED,
        _matrix(family, bits, full, k_red, k_blue),
        (round(getattr(frame, "rotation", 0) / 90) + quarter_turns) % 4,
    )


def _matrix(family: str, bits: int, full_range: bool, k_red: float, k_blue: float) -> npt.NDArray[np.float64]:
    """Return the matrix from samples to RGB by ITU-R BT.601/709 (quantization) and ITU-T H.273 (coefficients)."""
    top = 2.0**bits - 1
    black, luma_scale, chroma_scale = (0.0, 255 / top, 255 / top) if full_range else (16 * 2.0 ** (bits - 8), 255 / 219, 255 / 224)
    if not full_range:
        luma_scale, chroma_scale = luma_scale * 2.0 ** (8 - bits), chroma_scale * 2.0 ** (8 - bits)
    if family == "gray":
        return np.array([[luma_scale, -luma_scale * black]] * 3)
    if family == "rgb":
        # planes come in the order G, B, R
        return np.asarray(np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]) * np.array([luma_scale] * 3 + [1.0]))
    k_green = 1 - k_red - k_blue
    chroma = np.array(
        [
            [0.0, 2 * (1 - k_red)],
            [-2 * (1 - k_blue) * k_blue / k_green, -2 * (1 - k_red) * k_red / k_green],
            [2 * (1 - k_blue), 0.0],
        ]
    )
    linear = np.column_stack([np.full(3, luma_scale), chroma * chroma_scale])
    offset = -linear @ np.array([black, 2.0 ** (bits - 1), 2.0 ** (bits - 1)])
    return np.column_stack([linear, offset])


def _view(plane: Any, bits: int) -> Plane:
    """Return a decoder's plane as an array view without its padding."""
    kind = np.uint8 if bits == 8 else np.uint16
    row = plane.line_size // np.dtype(kind).itemsize
    samples = np.frombuffer(plane, dtype=kind)
    # the last row may come without its padding
    if samples.size < row * plane.height:
        whole = samples[: row * (plane.height - 1)].reshape(plane.height - 1, row)[:, : plane.width]
        return np.vstack([whole, samples[row * (plane.height - 1) :][: plane.width]])
    return samples[: row * plane.height].reshape(plane.height, row)[:, : plane.width]
