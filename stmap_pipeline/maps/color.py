"""Linear color spaces: one 3 x 3 matrix and one offset each, applied to block means, never rounded and never clipped.

Averaging pixels and then changing the color space gives the same as the other way round, so a space is a choice of the
reader and costs nothing at build time. A further space is one entry of :data:`COLOR_SPACES`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import UnknownNameError, did_you_mean
from stmap_pipeline.signals.luma import KB, KG, KR

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """A linear map of R, G, B in gray levels (0 to 255).

    Parameters
    ----------
    channels : tuple of str
        Names of the components.
    matrix : tuple of rows
        Component ``c`` is ``matrix[c] . (R, G, B) + offset[c]``.
    offset : tuple of float
        Gray levels.
    reference : str
        Where the numbers come from.

    Examples
    --------
    >>> COLOR_SPACES["ycbcr"].channels
    ('Y', 'Cb', 'Cr')
    """

    channels: tuple[str, str, str]
    matrix: tuple[tuple[float, float, float], ...]
    offset: tuple[float, float, float]
    reference: str


_U, _V = 0.436 / (1 - KB), 0.615 / (1 - KR)  # about 0.492 and 0.877

COLOR_SPACES: dict[str, ColorSpace] = {
    "rgb": ColorSpace(("R", "G", "B"), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), (0.0, 0.0, 0.0), "as decoded"),
    "yuv": ColorSpace(
        ("Y", "U", "V"),
        ((KR, KG, KB), (-_U * KR, -_U * KG, _U * (1 - KB)), (_V * (1 - KR), -_V * KG, -_V * KB)),
        (0.0, 128.0, 128.0),
        "ITU-R BT.601, analog U and V: U = 0.492 (B - Y) + 128, V = 0.877 (R - Y) + 128",
    ),
    "ycbcr": ColorSpace(
        ("Y", "Cb", "Cr"),
        ((KR, KG, KB), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)),
        (0.0, 128.0, 128.0),
        "JPEG File Interchange Format 1.02: full range Cb and Cr of BT.601",
    ),
}


def split_color_space(name: str) -> list[str]:
    """Split a combination such as ``rgb+yuv`` into the names of its color spaces.

    Raises
    ------
    UnknownNameError
        Where a part is not one of :data:`COLOR_SPACES`; the message lists the names.

    Examples
    --------
    >>> split_color_space("rgb+yuv")
    ['rgb', 'yuv']
    """
    parts = name.split("+")
    for part in parts:
        if part not in COLOR_SPACES:
            hint = did_you_mean(part, COLOR_SPACES)
            raise UnknownNameError(
                f"no color space is called {part!r}{hint} (known: {', '.join(COLOR_SPACES)}; combine them as 'rgb+yuv')"
            )
    return parts


def channel_names(name: str) -> tuple[str, ...]:
    """Return the names of the components of a color space or combination, in the order of a map's channels.

    Raises
    ------
    UnknownNameError
        As :func:`split_color_space`.

    Examples
    --------
    >>> channel_names("rgb+ycbcr")
    ('R', 'G', 'B', 'Y', 'Cb', 'Cr')
    """
    return tuple(channel for part in split_color_space(name) for channel in COLOR_SPACES[part].channels)


def color_matrix(name: str) -> tuple[FloatArray, FloatArray]:
    """Return the matrix and offset of a color space or combination, for code that applies them itself.

    Returns
    -------
    matrix : (C, 3) array of float64
    offset : (C,) array of float64

    Raises
    ------
    UnknownNameError
        As :func:`split_color_space`.

    Examples
    --------
    >>> matrix, offset = color_matrix("yuv")
    >>> (matrix @ [100.0, 100.0, 100.0] + offset).round(9).tolist()
    [100.0, 128.0, 128.0]
    """
    spaces = [COLOR_SPACES[part] for part in split_color_space(name)]
    return np.concatenate([np.array(one.matrix) for one in spaces]), np.concatenate([np.array(one.offset) for one in spaces])


def convert_color(means: npt.ArrayLike, name: str) -> FloatArray:
    """Convert mean R, G, B to another linear color space.

    Parameters
    ----------
    means : (..., 3) array of float
        R, G, B in gray levels; NaN stays NaN in all components.
    name : str
        A key of :data:`COLOR_SPACES`, or several joined by ``+``.

    Returns
    -------
    (..., C) array of float64
        Gray levels, neither rounded nor clipped.

    Raises
    ------
    UnknownNameError
        As :func:`split_color_space`.
    ValueError
        Where the last axis is not R, G, B.

    Examples
    --------
    >>> convert_color([255.0, 0.0, 0.0], "ycbcr").round(3).tolist()
    [76.245, 84.972, 255.5]
    """
    values = np.asarray(means, dtype=np.float64)
    if values.shape[-1:] != (3,):
        raise ValueError(f"the last axis must be R, G, B, not of shape {values.shape}")
    matrix, offset = color_matrix(name)
    # one product with the components in rows: a stack of small ones is several times slower
    planes = matrix @ values.reshape(-1, 3).T + offset[:, None]
    return np.moveaxis(planes.reshape(len(offset), *values.shape[:-1]), 0, -1)
