"""The order in which windows are read: new in each epoch, the same again with the same seed, as recorded or with balanced heart rates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from stmap_pipeline.balance import Bins
from stmap_pipeline.errors import ConfigError
from stmap_pipeline.torch.dataset import MapDataset


class WindowSampler(Sampler[int]):
    """Positions of windows in random order, for the ``sampler`` of a ``DataLoader``.

    Without ``bins`` an epoch has each window once. With them, windows are drawn with replacement, and each bin of heart rates
    that holds a window is drawn equally often; windows without a label, or with one outside of the bins, are left out. What
    is drawn depends on seed and epoch alone, not on the number of workers.

    Parameters
    ----------
    data : MapDataset
    bins : Bins, optional
        Balance the heart rates over these bins.
    windows_per_epoch : int, optional
        Without it, as many as the dataset has.
    recordings_at_once : int, optional
        Read the windows of so many recordings, drawn anew in each epoch, before those of the next: for databases whose traces do not
        fit into the cache. An epoch without ``bins`` that is shorter than the dataset then has some of the recordings. Without it the
        windows of all recordings are mixed.
    seed : int

    Attributes
    ----------
    epoch : int
        Number of the next epoch; each pass raises it by 1. Set it to resume a training.

    Raises
    ------
    ConfigError
        Where no window has a heart rate inside the bins, or a number is below 1.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> data = MapDataset(example_maps())
    >>> sorted(WindowSampler(data)), len(list(WindowSampler(data, bins=Bins(40, 160, 20), windows_per_epoch=100)))
    ([0, 1, 2, 3, 4, 5, 6, 7], 100)
    """

    def __init__(
        self,
        data: MapDataset,
        *,
        bins: Bins | None = None,
        windows_per_epoch: int | None = None,
        recordings_at_once: int | None = None,
        seed: int = 0,
    ) -> None:
        if any(one is not None and one < 1 for one in (windows_per_epoch, recordings_at_once)):
            raise ConfigError("windows_per_epoch and recordings_at_once must be 1 or more")
        self._probability: npt.NDArray[np.float64] | None = None
        if bins is not None:
            place = bins.index(data.heart_rate_bpm)
            counts = bins.count(data.heart_rate_bpm)
            if not counts.any():
                raise ConfigError(f"no window has a heart rate from {bins.low_bpm:g} to {bins.high_bpm:g} bpm")
            weight = np.where(place >= 0, 1 / np.maximum(counts, 1)[place], 0.0)
            self._probability = weight / weight.sum()
        names = np.array([one.recording_id for one in data.windows])
        self._recording = np.unique(names, return_inverse=True)[1]
        count = windows_per_epoch or len(data)
        self._count = count if bins is not None else min(count, len(data))
        self._at_once, self._seed, self.epoch = recordings_at_once, seed, 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self._seed, self.epoch))
        self.epoch += 1
        windows = len(self._recording)
        drawn = rng.permutation(windows) if self._probability is None else rng.choice(windows, self._count, p=self._probability)
        if self._at_once is not None:
            rank = rng.permutation(int(self._recording.max()) + 1)
            # they are mixed: a stable sort keeps each group mixed
            drawn = drawn[np.argsort(rank[self._recording[drawn]] // self._at_once, kind="stable")]
        drawn = drawn[: self._count]
        yield from drawn.tolist()
