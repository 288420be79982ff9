"""A spatial-temporal map: derived on read, never stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class STMap:
    """Blocks by time by color: a picture of the pulse.

    Parameters
    ----------
    values : (N, T, C) array of float32
        Row per block, column per sample, channel per color component. NaN where a block was not seen, unless
        the reader was asked to fill it.
    color_space : str
        ``rgb``, ``yuv``, ``ycbcr`` or a combination such as ``rgb+yuv``.
    normalized : bool
        Whether each row and channel was stretched to 0..255 over the window.
    """

    values: npt.NDArray[np.float32]
    color_space: str
    normalized: bool

    def __post_init__(self) -> None:
        if self.values.ndim != 3:
            raise ValueError(f"a map has three axes (blocks, time, channels), not shape {self.values.shape}")
