"""When a frame was taken: by the container, by a file of frame times, or by a constant rate. Never by the header's rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stmap_pipeline.databases.clocks import read_frame_times
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.records import ClockSource


@dataclass(slots=True)
class Clock:
    """Gives each frame its time and counts where it could not.

    Parameters
    ----------
    source : ClockSource
    fallback_rate_hz : float
        Used for frames that come without a time of their own, each of which is counted.

    Attributes
    ----------
    repaired : int
        Frames whose presentation time was missing or did not increase.
    surplus : int
        Frames beyond the end of the file of frame times: they have no time and are left out.
    """

    source: ClockSource
    fallback_rate_hz: float = math.nan
    repaired: int = 0
    surplus: int = 0
    _listed: npt.NDArray[np.float64] | None = field(default=None)
    _last_s: float = -math.inf
    _count: int = 0

    def __post_init__(self) -> None:
        if self.source.kind == "times_file" and self.source.path is not None:
            self._listed = read_frame_times(self.source.path, self.source.unit_s)

    def time_of(self, pts_s: float | None) -> float | None:
        """Give the time of the next frame in seconds, or None where it has none and must be left out."""
        index, self._count = self._count, self._count + 1
        if self._listed is not None:
            if index >= len(self._listed):
                self.surplus += 1
                return None
            return float(self._listed[index])
        if self.source.rate_hz is not None:
            return index / self.source.rate_hz
        if pts_s is None or pts_s <= self._last_s:
            if not self.fallback_rate_hz > 0:
                raise RecordingError(
                    "decode",
                    "clock_unreadable",
                    f"frame {index} has no time and the container no rate; give rate_hz or a times file",
                )
            self.repaired += 1
            pts_s = 0.0 if self._last_s == -math.inf else self._last_s + 1 / self.fallback_rate_hz
        self._last_s = pts_s
        return pts_s

    def skip(self) -> None:
        """Pass over a damaged frame: on a counted clock it takes its time with it, so that later frames keep theirs."""
        if self.source.kind != "pts":
            self._count += 1

    def check(self, where: str, limit: float) -> None:
        """Compare the number of frames with the number of listed times after the last frame.

        Raises
        ------
        RecordingError
            With ``clock_mismatch`` where they differ by more than ``limit`` (a share of the listed times).
        """
        if self._listed is None:
            return
        listed = len(self._listed)
        if abs(self._count - listed) > limit * listed:
            path = self.source.path.name if self.source.path else ""
            raise RecordingError(
                "decode",
                "clock_mismatch",
                f"{where}: {self._count} frames decoded but {listed} times in {path} (limit {limit:.0%}); the times cannot be assigned",
            )

    @property
    def missing(self) -> int:
        """Listed times for which no frame was decoded."""
        return max(0, len(self._listed) - self._count) if self._listed is not None else 0
