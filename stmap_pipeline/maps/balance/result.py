"""What an augmentation adds, and what it could not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.balance.histogram import normalized_entropy
from stmap_pipeline.maps.balance.options import Options
from stmap_pipeline.records import Window


@dataclass(frozen=True, slots=True)
class BinResult:
    """One bin of heart rates before and after.

    Parameters
    ----------
    low_bpm, high_bpm : float
        From the first up to, but not including, the second.
    before : int
        Windows as recorded.
    wanted : int, optional
        What the target asks for; never less than there are. None where there is no target.
    added : int
    shortfall : str
        Why not more, where less was added than wanted.

    Examples
    --------
    >>> BinResult(140, 145, 3, 100, 40, "37 windows can be brought here").after
    43
    """

    low_bpm: float
    high_bpm: float
    before: int
    wanted: int | None
    added: int
    shortfall: str = ""

    @property
    def after(self) -> int:
        """Windows as recorded and resampled."""
        return self.before + self.added


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """Resampled windows as columns: a plan may have hundreds of thousands.

    Parameters
    ----------
    rule : str
    row : (A,) array of int
        Number of the recorded window that each was made from, in the order of the table.
    hr_scale, heart_rate_bpm, valid_fraction, coverage : (A,) array of float
        As in :class:`~stmap_pipeline.records.Window`.

    Examples
    --------
    >>> recorded = [Window("a", 0, 300, 0.0, 10.0, 80.0, 40 / 3, 1.0)]
    >>> added = Added("balance", *np.array([[0], [1.5], [120.0], [1.0], [0.9]]))
    >>> [(one.heart_rate_bpm, one.beats, one.source_stop_s) for one in added.windows(recorded)]
    [(120.0, 20.0, 15.0)]
    """

    rule: str
    row: npt.NDArray[Any]
    hr_scale: npt.NDArray[np.float64]
    heart_rate_bpm: npt.NDArray[np.float64]
    valid_fraction: npt.NDArray[np.float64]
    coverage: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.row)

    def windows(self, recorded: Sequence[Window]) -> Iterator[Window]:
        """Make the windows.

        Parameters
        ----------
        recorded : sequence of Window
            All windows of the build as recorded, in the order of their table.
        """
        figures = (self.hr_scale, self.heart_rate_bpm, self.valid_fraction, self.coverage)
        for row, scale, rate, valid, coverage in zip(self.row.tolist(), *(one.tolist() for one in figures), strict=True):
            one = recorded[int(row)]
            beats = rate * one.duration_s / 60
            yield Window(
                one.recording_id,
                one.start,
                one.stop,
                one.start_s,
                one.stop_s,
                rate,
                beats,
                valid,
                coverage,
                scale,
                one.fold,
                self.rule,
            )


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """A plan: the windows that are added, and the histogram with and without them.

    Parameters
    ----------
    options : BalanceOptions or Fg2019Options
    added : Added
        In the order of recording, time and scale.
    recordings : int
        How many recordings they are made from.
    bins : tuple of BinResult
    """

    options: Options
    added: Added
    recordings: int
    bins: tuple[BinResult, ...]

    @property
    def entropy_before(self) -> float:
        """Flatness of the histogram as recorded; see :func:`~stmap_pipeline.maps.balance.histogram.normalized_entropy`."""
        return normalized_entropy([one.before for one in self.bins])

    @property
    def entropy_after(self) -> float:
        """Flatness of the histogram with the resampled windows."""
        return normalized_entropy([one.after for one in self.bins])

    def to_mapping(self) -> dict[str, Any]:
        """Give options and results, without the windows, as plain values for JSON."""
        used, uses = np.unique(self.added.row, return_counts=True)
        scales = self.added.hr_scale
        return {
            "options": self.options.to_mapping(),
            "windows_before": sum(one.before for one in self.bins),
            "windows_added": len(self.added),
            "windows_used": len(used),
            "uses_of_a_window_at_most": int(uses.max(initial=0)),
            "recordings_used": self.recordings,
            "hr_scale_min": float(scales.min()) if len(scales) else None,
            "hr_scale_max": float(scales.max()) if len(scales) else None,
            "normalized_entropy_before": _number(self.entropy_before),
            "normalized_entropy_after": _number(self.entropy_after),
            "bins": [{**asdict(one), "after": one.after} for one in self.bins],
        }


def _number(value: float) -> float | None:
    # JSON has no NaN
    return round(value, 6) if value == value else None
