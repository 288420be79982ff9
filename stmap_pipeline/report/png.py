"""Small pictures of maps as data URIs: PNG with a palette of few colors, written without any library of pictures."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

# dark to light through the blues and a warm end; evenly spaced in lightness, so that it reads in gray as well
_ANCHORS = ((12, 20, 48), (22, 66, 110), (31, 122, 140), (96, 171, 136), (196, 211, 130), (252, 240, 190))
LEVELS = 15


def palette() -> npt.NDArray[np.uint8]:
    """Give the colors, (15, 3) from the smallest value to the largest.

    Examples
    --------
    >>> palette()[0].tolist(), palette().shape
    ([12, 20, 48], (15, 3))
    """
    place = np.linspace(0, len(_ANCHORS) - 1, LEVELS)
    channels = [np.interp(place, range(len(_ANCHORS)), [one[i] for one in _ANCHORS]) for i in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def level_picture(values: npt.ArrayLike) -> str:
    """Draw a matrix with values from 0 to 1 in 15 colors; NaN is transparent.

    Parameters
    ----------
    values : (H, W) array of float

    Returns
    -------
    str
        A data URI.

    Examples
    --------
    >>> level_picture([[0.0, 1.0, float("nan")]])[:22]
    'data:image/png;base64,'
    """
    matrix = np.asarray(values, dtype=np.float64)
    levels = np.clip(np.nan_to_num(matrix, nan=0.0) * LEVELS, 0, LEVELS - 1).astype(np.uint8) + 1
    indices = np.where(np.isfinite(matrix), levels, 0).astype(np.uint8)
    height, width = indices.shape
    if width % 2:
        indices = np.pad(indices, ((0, 0), (0, 1)))
    packed = (indices[:, ::2] << 4 | indices[:, 1::2]).astype(np.uint8)
    colors = b"\x00\x00\x00" + palette().tobytes()
    # color type 3, 4 bits: half a byte a pixel
    return _uri(width, height, 4, 3, packed, (b"PLTE", colors), (b"tRNS", b"\x00"))


def color_picture(values: npt.ArrayLike) -> str:
    """Draw an (H, W, 3) array of bytes; a pixel with NaN is transparent.

    Returns
    -------
    str
        A data URI.

    Examples
    --------
    >>> color_picture([[[255, 0, 0]]])[:22]
    'data:image/png;base64,'
    """
    colors = np.asarray(values, dtype=np.float64)
    known = np.isfinite(colors).all(axis=2)
    pixels = np.clip(np.nan_to_num(colors).round(), 0, 255).astype(np.uint8)
    if known.all():
        return _uri(pixels.shape[1], pixels.shape[0], 8, 2, pixels.reshape(len(pixels), -1))
    alpha = np.where(known, 255, 0).astype(np.uint8)[:, :, None]
    return _uri(pixels.shape[1], pixels.shape[0], 8, 6, np.concatenate([pixels, alpha], axis=2).reshape(len(pixels), -1))


def _uri(width: int, height: int, depth: int, kind: int, rows: npt.NDArray[np.uint8], *extra: tuple[bytes, bytes]) -> str:
    # filter 0 in front of each row
    raw = np.pad(rows, ((0, 0), (1, 0))).tobytes()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)),
        *extra,
        (b"IDAT", zlib.compress(raw, 9)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return "data:image/png;base64," + base64.b64encode(data).decode()
