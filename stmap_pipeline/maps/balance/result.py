"""What an augmentation adds, and what it could not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Augmentation:
    """A plan: the windows that are added, and the histogram with and without them.

    Parameters
    ----------
    options : BalanceOptions or Fg2019Options
    windows : tuple of Window
        Resampled ones, in the order of recording, time and scale.
    bins : tuple of BinResult
    """

    options: Options
    windows: tuple[Window, ...]
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
        uses = Counter((one.recording_id, one.start) for one in self.windows)
        scales = [one.hr_scale for one in self.windows]
        return {
            "options": self.options.to_mapping(),
            "windows_before": sum(one.before for one in self.bins),
            "windows_added": len(self.windows),
            "windows_used": len(uses),
            "uses_of_a_window_at_most": max(uses.values(), default=0),
            "recordings_used": len({one.recording_id for one in self.windows}),
            "hr_scale_min": min(scales, default=None),
            "hr_scale_max": max(scales, default=None),
            "normalized_entropy_before": _number(self.entropy_before),
            "normalized_entropy_after": _number(self.entropy_after),
            "bins": [
                {
                    "low_bpm": one.low_bpm,
                    "high_bpm": one.high_bpm,
                    "before": one.before,
                    "wanted": one.wanted,
                    "added": one.added,
                    "after": one.after,
                    "shortfall": one.shortfall,
                }
                for one in self.bins
            ],
        }


def _number(value: float) -> float | None:
    # JSON has no NaN
    return round(value, 6) if value == value else None
