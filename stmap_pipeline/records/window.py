"""An interval of a recording with its label: a row of ``windows.csv``, never a copy of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Window:
    """An interval of one recording, cut on read; or, with another ``speed`` than 1, of the recording played at that speed.

    Parameters
    ----------
    recording_id : str
    start, stop : int
        First sample and one past the last, on the clock of the table (native frames, or the uniform grid).
    start_s, stop_s : float
        The same as times; ``stop_s`` is one sampling interval after the last sample. At another speed what happened at time t
        of the recording happens at ``t / speed``.
    heart_rate_bpm : float
        Mean heart rate inside the window, as the map shows it; NaN where the label does not cover it.
    beats : float
        Beats inside the window: ``heart_rate_bpm * (stop_s - start_s) / 60``.
    valid_fraction : float
        Share of the samples in which the face was known.
    coverage : float
        Mean share of the blocks' area that was seen, over all blocks and samples.
    fold : int
        Fold of the subject, from 1; 0 where the database has none.
    speed : float
        Factor on the heart rate by resampling in time: 1 is the recording as it is, 1.5 turns 60 bpm into 90.
    label_coverage : float
        Share of the label's samples inside the window that are there and trusted.
    label_problem : str
        Why the window has no heart rate, a code of :data:`~stmap_pipeline.records.traces.LABEL_PROBLEMS`; empty where it has one.

    Examples
    --------
    >>> Window("p001_v1_source1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0).duration_s
    10.0
    >>> Window("p001_v1_source1", 30, 330, 1.0, 11.0, 108.0, 18.0, 1.0, speed=1.5).augmented
    True
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
    fold: int = 0
    speed: float = 1.0
    label_coverage: float = 1.0
    label_problem: str = ""

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
        return self.speed != 1


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
