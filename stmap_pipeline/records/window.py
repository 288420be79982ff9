"""An interval of a recording with its label: a row of ``windows.csv``, never a copy of samples.

A resampled window is a row too. It has the samples of the window it was made from - as many, at the same times - and what it
shows in them is the recording played ``hr_scale`` times as fast from the same start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Window:
    """An interval of one recording, cut on read; or, with another ``hr_scale`` than 1, resampled on read.

    Parameters
    ----------
    recording_id : str
    start, stop : int
        First sample and one past the last, on the clock of the table (native frames, or the uniform grid).
    start_s, stop_s : float
        The same as times; ``stop_s`` is one sampling interval after the last sample.
    heart_rate_bpm : float
        Mean heart rate inside the window, as the map shows it; NaN where the label does not cover it.
    beats : float
        Beats inside the window: ``heart_rate_bpm * (stop_s - start_s) / 60``.
    valid_fraction : float
        Share of the frames that were read in which the face was known.
    coverage : float
        Mean share of the blocks' area that was seen, over all blocks and frames that were read.
    hr_scale : float
        Factor on the heart rate by resampling in time: 1 is the recording as it is, 1.5 turns 60 bpm into 90.
    fold : int
        Fold of the subject, from 1; 0 where the database has none.
    rule : str
        The rule that made a resampled window; empty for a window as recorded.

    Examples
    --------
    >>> Window("p001_v1_source1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0).duration_s
    10.0
    >>> Window("p001_v1_source1", 30, 330, 1.0, 11.0, 108.0, 18.0, 1.0, hr_scale=1.5, rule="balance").source_stop_s
    16.0
    """

    recording_id: str
    start: int
    stop: int
    start_s: float
    stop_s: float
    heart_rate_bpm: float
    beats: float
    valid_fraction: float
    coverage: float = 1.0
    hr_scale: float = 1.0
    fold: int = 0
    rule: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.stop_s - self.start_s

    @property
    def frames(self) -> int:
        """Number of samples."""
        return self.stop - self.start

    @property
    def augmented(self) -> bool:
        """Whether the window is resampled: fit for training, never for evaluation."""
        return self.hr_scale != 1

    @property
    def source_start_s(self) -> float:
        """Start of the part of the recording that is read, in seconds: that of the window."""
        return self.start_s

    @property
    def source_stop_s(self) -> float:
        """End of the part of the recording that is read, in seconds: of 10 s at ``hr_scale`` 1.5 it is 15 s long."""
        return self.start_s + self.hr_scale * self.duration_s if self.augmented else self.stop_s


@dataclass(frozen=True, slots=True, eq=False)
class STMap:
    """A spatial-temporal map: blocks by time by color. It is derived on read, never stored.

    Parameters
    ----------
    values : (N, T, C) array of float32
        Row per block, column per sample, channel per color component. NaN where a block was not seen, unless
        the reader fills it.
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
