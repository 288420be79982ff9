"""The traces of many recordings in one table on a device, from which windows are cut in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import embedding

from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.resample import REACH, EvenTrace, even_means, last_source_time
from stmap_pipeline.maps.resample_torch import TraceBank
from stmap_pipeline.maps.uniform import resample_uniform
from stmap_pipeline.shards import Shards

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class TraceTable:
    """Means of whole recordings on the clock of their build, and traces that windows are resampled from.

    A recording of 30 s with 25 blocks at 30 frames/s takes 0.27 MB, and as much again where windows of it are resampled.

    Parameters
    ----------
    maps : Shards
    recordings : sequence of str
        Ids; a recording is named by its place in here.
    resampled : collection of str
        Those of which resampled windows will be asked for.
    device : str or torch.device

    Raises
    ------
    ShardError, UnknownNameError
        Where a recording is not there, or is damaged.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> table = TraceTable(Shards(example_maps()), ["p001_v1", "p002_v1"])
    >>> table.recorded(torch.tensor([1, 0, 0]), torch.tensor([0, 0, 30]), 60).shape
    torch.Size([3, 60, 4, 3])
    """

    def __init__(
        self, maps: Shards, recordings: Sequence[str], resampled: Collection[str] = (), device: str | torch.device = "cpu"
    ) -> None:
        settings = maps.config.windows
        uniform = settings.clock == "uniform"
        rows: list[npt.NDArray[np.float32]] = []
        levels: list[npt.NDArray[np.float32]] = []
        clocks: list[FloatArray] = []
        intervals_s: list[float] = []
        trace_of = np.full(len(recordings), -1, dtype=np.int64)
        self._last_s = np.full(len(recordings), np.nan)
        self._bank: TraceBank | None = None

        def traces() -> Iterator[EvenTrace]:
            for number, name in enumerate(recordings):
                times_s, means = maps.means(name)
                if name in resampled:
                    trace_of[number] = len(intervals_s)
                    self._last_s[number] = last_source_time(times_s)
                    trace = even_means(times_s, means)
                    intervals_s.append(trace.interval_s)
                    yield trace
                if uniform:
                    times_s, values = resample_uniform(times_s, means, settings.rate_hz)
                    means = values.astype(np.float32)
                level = _level(means)
                levels.append(level)
                rows.append((means - level).reshape(len(means), -1))
                clocks.append(times_s)

        # each recording is read once, and its trace is gone when the next one is read
        if resampled:
            self._bank = TraceBank(traces(), device)
        else:
            deque(traces(), maxlen=0)
        self.recordings = tuple(recordings)
        self.device = torch.device(device)
        self.blocks = levels[0].shape[0]
        self.lengths = np.array([len(one) for one in rows], dtype=np.int64)
        self.times_s = np.concatenate(clocks)
        self.first = np.cumsum(self.lengths) - self.lengths
        self._trace_of = trace_of
        self._interval_s = np.array(intervals_s)
        self._window_interval_s = 1 / settings.rate_hz if uniform else None
        self._rows = torch.as_tensor(np.concatenate(rows), device=device)
        self._level = torch.as_tensor(np.stack(levels), device=device)
        self._first = torch.as_tensor(self.first, device=device)
        self._times_s = torch.as_tensor(self.times_s, device=device) if resampled else None
        self._bank_index = torch.as_tensor(trace_of, device=device)

    def recorded(self, recording: Tensor, start: Tensor, samples: int, *, level: bool = True) -> Tensor:
        """Cut windows as recorded.

        Parameters
        ----------
        recording, start : (B,) tensor of int64 on the device
        samples : int
            T, of each window.
        level : bool
            Without it the mean of each block and color over its recording is left out, and more digits are left for the pulse.

        Returns
        -------
        (B, T, N, 3) tensor of float32
            NaN where not seen.
        """
        values = embedding(self._place(recording, start, samples), self._rows)
        cut = values.view(*values.shape[:2], self.blocks, 3)
        return cut + self._level[recording][:, None] if level else cut

    def resampled(
        self, recording: Tensor, start: Tensor, samples: int, hr_scale: Tensor, reach: int, *, level: bool = True
    ) -> Tensor:
        """Cut windows of recordings that run ``hr_scale`` times as fast.

        Parameters
        ----------
        recording, start, samples, level
            As for :meth:`recorded`.
        hr_scale : (B,) tensor on the device
        reach : int
            Of :meth:`reach`.

        Returns
        -------
        (B, T, N, 3) tensor of float32
            NaN where not seen.
        """
        if self._bank is None or self._times_s is None:
            raise ValueError("the table was made for windows as recorded")
        times_s = self._times_s[self._place(recording, start, samples)]
        interval_s = None if self._window_interval_s is None else torch.full_like(hr_scale, self._window_interval_s)
        return self._bank.resample(self._bank_index[recording], times_s, hr_scale, interval_s, reach=reach, level=level)

    def check(self, recording: IntArray, start: IntArray, stop: IntArray, hr_scale: FloatArray) -> None:
        """Refuse windows that do not lie inside their recordings.

        Raises
        ------
        ShardError
            With the first of them.
        """
        wrong = (start < 0) | (start >= stop) | (stop > self.lengths[recording])
        first = self.first[recording]
        inside = np.flatnonzero((hr_scale != 1) & ~wrong)
        begin_s = self.times_s[(first + start)[inside]]
        read_s = begin_s + hr_scale[inside] * (self.times_s[(first + stop)[inside] - 1] - begin_s)
        wrong[inside] = ~(hr_scale[inside] > 0) | (read_s > self._last_s[recording[inside]])
        if wrong.any():
            one = int(np.flatnonzero(wrong)[0])
            raise ShardError(
                f"{self.recordings[recording[one]]}: samples {start[one]} to {stop[one]} (hr_scale {hr_scale[one]:g}) do not lie "
                f"inside its {self.lengths[recording[one]]} samples; build again or restore a copy"
            )

    def reach(self, recording: IntArray, hr_scale: FloatArray) -> int:
        """Say how many neighbors the resampling of these windows needs to each side."""
        interval_s = self._interval_s[self._trace_of[recording]]
        own_s = interval_s if self._window_interval_s is None else self._window_interval_s
        return int(np.ceil(REACH * np.maximum(1.0, hr_scale * own_s / interval_s).max(initial=1.0)))

    def can_resample(self, recording: IntArray) -> bool:
        """Say whether traces are there for all of these recordings."""
        return bool((self._trace_of[recording] >= 0).all())

    def _place(self, recording: Tensor, start: Tensor, samples: int) -> Tensor:
        return (self._first[recording] + start)[:, None] + torch.arange(samples, device=self.device)


def _level(means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # nanmean warns of blocks that were never seen
    known = np.isfinite(means)
    total = np.where(known, means, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1), dtype=np.float32)
