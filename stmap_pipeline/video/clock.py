"""Compute the time of each frame: from the container, a file of frame times, or a constant rate; never from the header's rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import read_frame_times
from stmap_pipeline.records import ClockSource, StreamPositions


@dataclass(slots=True)
class Clock:
    """Clock of one recording: computes the time of each frame and counts the frames that have none.

    Parameters
    ----------
    source : ClockSource
    fallback_rate_hz : float
        Used for frames without a presentation time, each of which is counted.

    Attributes
    ----------
    repaired : int
        Frames whose presentation time was missing or did not increase.
    surplus : int
        Frames beyond the end of the file of frame times: they have no time and are dropped.
    numbers, presentation_s : list
        Position in the decoded stream and presentation time (NaN where missing) of each frame that has a time.
    """

    source: ClockSource
    fallback_rate_hz: float = math.nan
    repaired: int = 0
    surplus: int = 0
    numbers: list[int] = field(default_factory=list)
    presentation_s: list[float] = field(default_factory=list)
    _listed: npt.NDArray[np.float64] | None = field(default=None)
    _last_s: float = -math.inf
    _count: int = 0
    _position: int = 0

    def __post_init__(self) -> None:
        if self.source.kind == "times_file" and self.source.path is not None:
            self._listed = read_frame_times(self.source.path, self.source.unit_s, self.source.column)

    def time_of(self, pts_s: float | None) -> float | None:
        """Return the time of the next frame in seconds, or None where it has none and must be dropped."""
        position, self._position = self._position, self._position + 1
        time_s = self._time_of(pts_s)
        if time_s is not None:
            self.numbers.append(position)
            self.presentation_s.append(math.nan if pts_s is None else pts_s)
        return time_s

    def _time_of(self, pts_s: float | None) -> float | None:
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
        """Skip a damaged frame: on a clock that counts frames its time is skipped too, so that later frames keep theirs."""
        self._position += 1
        if self.source.kind != "pts":
            self._count += 1

    def times_of(self, positions: StreamPositions, decoded: int) -> npt.NDArray[np.float64]:
        """Return the times of frames that were decoded earlier, from a clock that has seen no frame yet.

        Parameters
        ----------
        positions : StreamPositions
            Of all decoded frames.
        decoded : int
            Number of frames and damaged frames in the stream.

        Returns
        -------
        (K,) array of float64
            For the first K frames; the others are beyond the end of the file of frame times.
        """
        times_s = []
        for number, presentation_s in zip(positions.number.tolist(), positions.presentation_s.tolist(), strict=True):
            while self._position < number:
                self.skip()
            time_s = self.time_of(None if math.isnan(presentation_s) else presentation_s)
            if time_s is not None:
                times_s.append(time_s)
        while self._position < decoded:
            self.skip()
        return np.array(times_s, dtype=np.float64)

    def check(self, where: str, limit: float) -> None:
        """Compare the number of decoded frames with the number of listed times; call it after the last frame.

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
        """Number of listed times for which no frame was decoded."""
        return max(0, len(self._listed) - self._count) if self._listed is not None else 0
