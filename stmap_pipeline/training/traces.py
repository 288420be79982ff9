"""The traces of many recordings in one table on a device, from which windows are cut in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import embedding

from stmap_pipeline.errors import ShardError
from stmap_pipeline.shards import Shards

IntArray = npt.NDArray[np.int64]


class TraceTable:
    """Means of whole recordings on the clock of their build, each at one or more speeds.

    A recording of 30 s with 25 blocks at 30 frames/s takes 0.27 MB, and at another speed that divided by the speed.

    Parameters
    ----------
    maps : Shards
    traces : sequence of (str, float)
        Id of a recording and its speed; a trace is named by its place in here.
    device : str or torch.device

    Raises
    ------
    ShardError, UnknownNameError
        Where a recording is not there, or is damaged.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> table = TraceTable(Shards(example_maps()), [("p001_v1", 1.0), ("p002_v1", 1.5)])
    >>> table.cut(torch.tensor([1, 0, 0]), torch.tensor([0, 0, 30]), 60).shape
    torch.Size([3, 60, 4, 3])
    """

    def __init__(self, maps: Shards, traces: Sequence[tuple[str, float]], device: str | torch.device = "cpu") -> None:
        rows: list[npt.NDArray[np.float32]] = []
        levels: list[npt.NDArray[np.float32]] = []
        for name, speed in traces:
            means = maps.trace(name, speed).means
            level = _level(means)
            levels.append(level)
            rows.append((means - level).reshape(len(means), -1))
        self.traces = tuple(traces)
        self.device = torch.device(device)
        self.blocks = levels[0].shape[0]
        self.lengths = np.array([len(one) for one in rows], dtype=np.int64)
        self._rows = torch.as_tensor(np.concatenate(rows), device=device)
        self._level = torch.as_tensor(np.stack(levels), device=device)
        self._first = torch.as_tensor(np.cumsum(self.lengths) - self.lengths, device=device)

    def cut(self, trace: Tensor, start: Tensor, samples: int, *, level: bool = True) -> Tensor:
        """Cut windows.

        Parameters
        ----------
        trace, start : (B,) tensor of int64 on the device
        samples : int
            T, of each window.
        level : bool
            Without it the mean of each block and color over its trace is left out, and more digits are left for the pulse.

        Returns
        -------
        (B, T, N, 3) tensor of float32
            NaN where not seen.
        """
        place = (self._first[trace] + start)[:, None] + torch.arange(samples, device=self.device)
        values = embedding(place, self._rows)
        cut: Tensor = values.view(*values.shape[:2], self.blocks, 3)
        return cut + self._level[trace][:, None] if level else cut

    def check(self, trace: IntArray, start: IntArray, stop: IntArray) -> None:
        """Refuse windows that do not lie inside their traces.

        Raises
        ------
        ShardError
            With the first of them.
        """
        wrong = np.flatnonzero((start < 0) | (start >= stop) | (stop > self.lengths[trace]))
        if wrong.size:
            one = int(wrong[0])
            name, speed = self.traces[trace[one]]
            raise ShardError(
                f"{name}: samples {start[one]} to {stop[one]} do not lie inside its {self.lengths[trace[one]]} samples at speed "
                f"{speed:g}; build again or restore a copy"
            )


def _level(means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # nanmean warns of blocks that were never seen
    known = np.isfinite(means)
    total = np.where(known, means, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1), dtype=np.float32)
