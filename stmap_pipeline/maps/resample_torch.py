"""The resampling of :mod:`stmap_pipeline.maps.resample` for batches of windows on a GPU, with the same grid and weights.

torch comes with the extra ``train``; this module is imported by whoever trains and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from stmap_pipeline.maps.resample import BETA, CUTOFF, REACH, EvenTrace

_SAME = 1e-6


class TraceBank:
    """Traces of many recordings on one device, to be read in batches of windows at any speed.

    All rows lie in one table, and a sample of a window is a weighted sum of at most 36 of them (up to a scale of 1.5),
    done by one fused operation: nothing of the size of batch x samples x neighbors x blocks is ever made.

    Parameters
    ----------
    traces : iterable of EvenTrace
        With the same number of blocks. They are taken one by one, and of each half is kept.
    device : str or torch.device
        Times are handled in double precision, which CPUs and CUDA devices have.

    Raises
    ------
    ValueError
        Where there is no trace, or the numbers of blocks differ.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> from stmap_pipeline.maps.resample import even_trace
    >>> blocks = example_result(frames=120).blocks
    >>> bank = TraceBank([even_trace(blocks)])
    >>> times_s = torch.as_tensor(blocks.times_s[None, :60])
    >>> tuple(bank.resample(torch.tensor([0]), times_s, torch.tensor([1.5])).shape)
    (1, 60, 4, 3)
    """

    def __init__(self, traces: Iterable[EvenTrace], device: str | torch.device = "cpu") -> None:
        levels: list[npt.NDArray[np.float32]] = []
        rows: list[npt.NDArray[np.float32]] = []
        known: list[npt.NDArray[np.bool_]] = []
        clocks: list[tuple[float, float]] = []
        for one in traces:
            # float32 has seven digits and the pulse is in the last ones: the level is kept apart
            level = one.values.mean(axis=0)
            levels.append(level.astype(np.float32))
            rows.append((one.values - level).reshape(len(one.values), -1).astype(np.float32))
            known.append(one.known)
            clocks.append((one.start_s, one.interval_s))
        if len({one.shape for one in levels}) != 1:
            raise ValueError("a bank needs traces, all of them with the same number of blocks")
        lengths = np.array([len(one) for one in rows])
        self.blocks = levels[0].shape[0]
        self._rows = torch.as_tensor(np.concatenate(rows), device=device)
        self._known = torch.as_tensor(np.concatenate(known), device=device)
        self._level = torch.as_tensor(np.stack(levels), device=device)
        self._length = torch.as_tensor(lengths, device=device)
        self._first = torch.as_tensor(np.cumsum(lengths) - lengths, device=device)
        self._start_s, self._interval_s = torch.tensor(clocks, dtype=torch.float64, device=device).T.contiguous()

    def resample(
        self,
        index: Tensor,
        times_s: Tensor,
        hr_scale: Tensor,
        interval_s: Tensor | None = None,
        *,
        reach: int | None = None,
        level: bool = True,
    ) -> Tensor:
        """Give the means of windows in which their recordings run ``hr_scale`` times as fast.

        Parameters
        ----------
        index : (B,) tensor of int64
            Which trace each window is of.
        times_s : (B, T) tensor of float64
            Times of the window's samples on the clock of its recording.
        hr_scale : (B,) tensor
            Factor on the heart rate.
        interval_s : (B,) tensor, optional
            Usual interval between samples, where it is not that of the frames (the uniform clock).
        reach : int, optional
            Neighbors to each side, at least ``REACH`` times the largest compression; to find it, a GPU has to be waited for.
        level : bool
            Without it the mean of each block over its recording is left out, and more digits are left for the pulse.

        Returns
        -------
        (B, T, N, 3) tensor of float32
            NaN in gaps and outside the recording, as :func:`~stmap_pipeline.maps.resample.resample_window` gives it.
        """
        scale = hr_scale.to(self._start_s)
        times = times_s.to(self._start_s)
        own_s = self._interval_s[index] if interval_s is None else interval_s.to(self._start_s)
        compress = (scale * own_s / self._interval_s[index]).clamp(min=1.0)
        wanted_s = times[:, :1] + scale[:, None] * (times - times[:, :1])
        place = (wanted_s - self._start_s[index, None]) / self._interval_s[index, None]
        last = (self._length[index] - 1)[:, None]
        inside = (place >= 0) & (place <= last)
        place = place.clamp(min=0).minimum(last.to(place))
        left = place.floor().long()
        part = place - left
        reach = int(torch.ceil(REACH * compress.max())) if reach is None else reach
        offsets = torch.arange(1 - reach, reach + 1, device=left.device)
        taps = left[..., None] + offsets
        weights = _kernel(((part[..., None] - offsets) / compress[:, None, None]).float())
        weights = weights * ((taps >= 0) & (taps <= last[..., None]))
        weights = weights / weights.sum(dim=-1, keepdim=True)
        first = self._first[index][:, None]
        rows = taps.clamp(min=0).minimum(last[..., None]) + first[..., None]
        taken = embedding_bag(rows.flatten(0, 1), self._rows, mode="sum", per_sample_weights=weights.flatten(0, 1))
        values: Tensor = taken.view(*place.shape, self.blocks, 3)
        if level:
            values = values + self._level[index][:, None]
        before = self._known[left + first] | (part > 1 - _SAME)[..., None]
        after = self._known[(left + 1).minimum(last) + first] | (part < _SAME)[..., None]
        seen: Tensor = before & after & inside[..., None]
        return values.masked_fill(~seen[..., None], torch.nan)


def _kernel(distance: Tensor) -> Tensor:
    # the peak of the window cancels in the sum of weights
    window: Tensor = torch.special.i0(BETA * (1 - (distance / REACH) ** 2).clamp(min=0).sqrt()) - 1
    return torch.sinc(2 * CUTOFF * distance) * window
