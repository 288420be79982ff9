"""Small video files written for a test, and the real recordings where they are available."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

TICKS_PER_S = 10_000


# Kr and Kb of the two matrices in use, by their code in ITU-T H.273
_COEFFICIENTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114)}
_SUBSAMPLING = {"420": (2, 2), "422": (1, 2), "444": (1, 1), "411": (1, 4), "440": (2, 1), "410": (4, 4)}


def exact_frame(image: npt.NDArray[np.uint8], pixel_format: str, colorspace: int = 5, color_range: int = 1) -> av.VideoFrame:
    """Turn RGB into a frame by the formulas of the standard, in floating point and rounded once.

    swscale's own conversion is off by up to a grey level and more, so it cannot be the measure.
    """
    planar = pixel_format.startswith(("yuv", "gbr"))
    if not planar:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        return frame if pixel_format == "rgb24" else frame.reformat(format=pixel_format)
    bits = next((depth for depth in (10, 12, 14, 16) if f"p{depth}" in pixel_format), 8)
    top = 2**bits - 1
    rgb = image.astype(float) / 255
    frame = av.VideoFrame(image.shape[1], image.shape[0], pixel_format)
    if pixel_format.startswith("gbr"):
        planes = [rgb[..., index] * top for index in (1, 2, 0)]
    else:
        k_red, k_blue = _COEFFICIENTS[colorspace]
        luma = rgb @ [k_red, 1 - k_red - k_blue, k_blue]
        chroma = (rgb[..., 2] - luma) / (2 * (1 - k_blue)), (rgb[..., 0] - luma) / (2 * (1 - k_red))
        unit = 2.0 ** (bits - 8)
        if color_range == 2:
            planes = [luma * top, *(one * top + 2 ** (bits - 1) for one in chroma)]
        else:
            planes = [(16 + 219 * luma) * unit, *((128 + 224 * one) * unit for one in chroma)]
        rows, cols = next(steps for name, steps in _SUBSAMPLING.items() if name in pixel_format)
        planes[1:] = [one.reshape(one.shape[0] // rows, rows, one.shape[1] // cols, cols).mean(axis=(1, 3)) for one in planes[1:]]
        frame.colorspace, frame.color_range = colorspace, color_range
    for plane, values in zip(frame.planes, planes, strict=True):
        kind = np.uint8 if bits == 8 else np.uint16
        rows_of = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
        rows_of[:, : values.shape[1]] = values.round()
        plane.update(rows_of.tobytes())
    return frame


def write_video(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times_s: Sequence[float] | None = None,
    rate_hz: float = 30.0,
    colorspace: int | None = None,
    color_range: int | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB frames (H, W, 3), with presentation times where given."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = None
        for index, image in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(rate_hz).limit_denominator(1001), options=options or {})
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = pixel_format
                if times_s is not None:
                    stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
                if colorspace is not None:
                    stream.codec_context.colorspace = colorspace
                if color_range is not None:
                    stream.codec_context.color_range = color_range
            frame = exact_frame(image, pixel_format, colorspace or 5, color_range or (2 if pixel_format.startswith("yuvj") else 1))
            if times_s is not None:
                frame.time_base = Fraction(1, TICKS_PER_S)
                frame.pts = round(times_s[index] * TICKS_PER_S)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
    return path


def repeated(video: Path, times: int, path: Path) -> Path:
    """Write a video that shows another one so many times, without encoding it again."""
    with av.open(str(path), "w") as out:
        stream, first = None, 0
        for _ in range(times):
            with av.open(str(video)) as container:
                stream = stream or out.add_stream_from_template(container.streams.video[0])
                packets = [one for one in container.demux(video=0) if one.size]
                for one in packets:
                    one.pts, one.dts, one.stream = one.pts + first, one.dts + first, stream
                    out.mux(one)
                first += container.streams.video[0].duration
    return path


def colorful(height: int = 48, width: int = 64, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw a smooth picture with all colors well inside the range, so that no conversion clips."""
    y, x = np.mgrid[0:height, 0:width]
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 3)
    waves = [np.sin(x / width * 3 + y / height * 2 + one) for one in phase]
    return np.stack([128 + 60 * wave for wave in waves], axis=-1).round().astype(np.uint8)


FOLDER = Path(os.environ.get("STMAP_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def real(name: str) -> Path:
    """Return the path of a real recording, or skip the test."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"the real recording {name} is not here (set STMAP_REAL_DATA to the folder that holds it)")
    return path
