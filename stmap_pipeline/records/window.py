"""An interval of a recording with its label: a row of ``windows.csv``, never a copy of samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """An interval of one recording, cut on read.

    Parameters
    ----------
    recording_id : str
    start, stop : int
        First sample and one past the last, on the clock of the table (native frames, or the uniform grid).
    start_s, stop_s : float
        The same as times; ``stop_s`` is one sampling interval after the last sample.
    heart_rate_bpm : float
        Mean heart rate inside the window; NaN where the label does not cover it.
    beats : float
        Beats inside the window: ``heart_rate_bpm * (stop_s - start_s) / 60``.
    valid_fraction : float
        Share of the window's frames in which the face was known.
    coverage : float
        Mean share of the blocks' area that was seen, over all blocks and frames of the window.
    hr_scale : float
        Factor on the heart rate by resampling in time: 1 is the recording as it is, 1.5 turns 60 bpm into 90.
    fold : int
        Fold of the subject, from 1; 0 where the database has none.

    Examples
    --------
    >>> Window("p001_v1_source1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0).duration_s
    10.0
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

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.stop_s - self.start_s

    @property
    def frames(self) -> int:
        """Number of samples."""
        return self.stop - self.start
