"""What a stream gives: pictures with their time, and what the stream says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture as decoded: planes, and the linear map from their samples to RGB.

    Parameters
    ----------
    gray : (H, W) array of uint8
        Luma for detection and tracking; the first plane itself where that has 8 bits.
    planes : tuple of arrays of uint8 or uint16
        One plane (gray) or three (Y, U, V or G, B, R). The first has the picture's size, the others may be subsampled.
    to_rgb : (3, P + 1) array of float64
        ``rgb = to_rgb[:, :P] @ samples + to_rgb[:, P]`` in grey levels 0 to 255, for one sample of each of the P planes.
        It holds for means too, which is why no pixel is ever converted.
    origin_px : (int, int)
        Position of the first sample in the full picture (x, y); not (0, 0) for a part cut out by :meth:`crop`.
    """

    gray: npt.NDArray[np.uint8]
    planes: tuple[Plane, ...]
    to_rgb: npt.NDArray[np.float64]
    origin_px: tuple[int, int] = (0, 0)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.gray.shape[1], self.gray.shape[0]

    def crop(self, left: int, top: int, right: int, bottom: int, *, copy: bool = True) -> Picture:
        """Give a part; by default a copy, so that the whole picture can be let go.

        The part is widened to even coordinates, so that subsampled planes are cut where the first plane is, and clipped to the
        picture. Coordinates are those of this picture.
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
        return Picture(gray, tuple(parts), self.to_rgb, (self.origin_px[0] + left, self.origin_px[1] + top))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a stream with its number (from 0, in presentation order) and its time.

    Parameters
    ----------
    index : int
    time_s : float
        Seconds on the recording's clock.
    picture : Picture
        Views into the decoder's buffer, which live as long as they are held: hold few, or :meth:`Picture.crop`.
    """

    index: int
    time_s: float
    picture: Picture


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the stream says of itself, kept as attributes of the recording.

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
        Whether the stream says nothing and BT.601 was assumed, as swscale and so OpenCV does.
    full_range : bool
    rotation_deg : int
        Counterclockwise turn that was applied.
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
