"""What an augmentation adds, and what it could not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

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
class Added(Sequence[Window]):
    """Resampled windows, made when they are asked for: a plan may have hundreds of thousands.

    Parameters
    ----------
    rule : str
    recorded : sequence of Window
        Windows as recorded.
    row : (A,) array of int
        Which of them each window was made from, in ascending order.
    hr_scale, heart_rate_bpm, valid_fraction, coverage : (A,) array of float
        As in :class:`~stmap_pipeline.records.Window`.

    Examples
    --------
    >>> one = Window("a", 0, 300, 0.0, 10.0, 80.0, 40 / 3, 1.0)
    >>> added = Added("balance", [one], *np.array([[0], [1.5], [120.0], [1.0], [0.9]]))
    >>> len(added), added[0].heart_rate_bpm, added[0].beats, added[0].source_stop_s
    (1, 120.0, 20.0, 15.0)
    """

    rule: str
    recorded: Sequence[Window]
    row: npt.NDArray[Any]
    hr_scale: npt.NDArray[np.float64]
    heart_rate_bpm: npt.NDArray[np.float64]
    valid_fraction: npt.NDArray[np.float64]
    coverage: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.row)

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> list[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | list[Window]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        one, rate = self.recorded[int(self.row[index])], float(self.heart_rate_bpm[index])
        return Window(
            one.recording_id,
            one.start,
            one.stop,
            one.start_s,
            one.stop_s,
            rate,
            rate * one.duration_s / 60,
            float(self.valid_fraction[index]),
            float(self.coverage[index]),
            float(self.hr_scale[index]),
            one.fold,
            self.rule,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """A plan: the windows that are added, and the histogram with and without them.

    Parameters
    ----------
    options : BalanceOptions or Fg2019Options
    windows : Added
        In the order of recording, time and scale.
    bins : tuple of BinResult
    """

    options: Options
    windows: Added
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
        used, uses = np.unique(self.windows.row, return_counts=True)
        scales = self.windows.hr_scale
        return {
            "options": self.options.to_mapping(),
            "windows_before": sum(one.before for one in self.bins),
            "windows_added": len(self.windows),
            "windows_used": len(used),
            "uses_of_a_window_at_most": int(uses.max(initial=0)),
            "recordings_used": len({self.windows.recorded[int(row)].recording_id for row in used}),
            "hr_scale_min": float(scales.min()) if len(scales) else None,
            "hr_scale_max": float(scales.max()) if len(scales) else None,
            "normalized_entropy_before": _number(self.entropy_before),
            "normalized_entropy_after": _number(self.entropy_after),
            "bins": [{**asdict(one), "after": one.after} for one in self.bins],
        }


def _number(value: float) -> float | None:
    # JSON has no NaN
    return round(value, 6) if value == value else None
