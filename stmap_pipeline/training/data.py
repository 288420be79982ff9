"""What an epoch is made of: batches of windows of a build, or of windows that are simulated while a network learns.

:class:`RecordedSource` draws windows of a fold in a new order each time, and cuts them on the device, see
:class:`~stmap_pipeline.torch.MapDataset`. :class:`SimulatedSource` has new windows in each step and never repeats one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from joblib import cpu_count
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stmap_pipeline import registry
from stmap_pipeline.errors import WorkerError
from stmap_pipeline.simulation import SimulationConfig, simulate_windows
from stmap_pipeline.simulation.config import TRAINING_GRIDS
from stmap_pipeline.torch import Batch, MapDataset
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.networks import Network
from stmap_pipeline.training.protocol import FoldSplit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# what the seed is for: apart from the random numbers of weights and steps
_ORDER, _SIMULATED, _VALIDATION = 2, 6, 7

#: Simulated windows in an epoch where the settings name no number, and those that are estimated after each one.
SIMULATED_EPOCH, SIMULATED_VALIDATION = 6400, 1024
VALIDATION_BATCH = 128
# simulated batches that each process computes ahead
_AHEAD = 2


def windows_of_epoch(split: FoldSplit, config: TrainConfig) -> int:
    """Return how many windows an epoch of a fold has."""
    return min(len(split.training), config.windows_per_epoch or len(split.training))


class RecordedSource:
    """The windows of a fold, in a new order in each epoch.

    Parameters
    ----------
    data : MapDataset
    split : FoldSplit
    config : TrainConfig
    """

    def __init__(self, data: MapDataset, split: FoldSplit, config: TrainConfig) -> None:
        self._data, self._split, self._config = data, split, config
        self.blocks, self.samples = data.blocks, data.samples
        self.windows = windows_of_epoch(split, config)
        self.steps = -(-self.windows // config.batch)
        self.validated = len(split.validation)

    def labels(self) -> tuple[Tensor, Tensor]:
        """Return heart rates and lengths of the training windows."""
        index = self._split.training
        return torch.from_numpy(self._data.heart_rate_bpm[index]), torch.from_numpy(self._data.duration_s[index])

    def epoch(self, number: int, rank: int, processes: int) -> Iterator[tuple[Batch, int]]:
        """Yield the share of this process in each batch of an epoch, with the number of windows in the whole batch."""
        rng = np.random.default_rng((_ORDER, self._config.seed, self._split.fold, number))
        order = rng.permutation(self._split.training)[: self.windows]
        # of nearly the same size: a last batch of two windows has no use
        for batch in np.array_split(order, self.steps):
            yield self._data.traces(batch[rank::processes]), len(batch)

    def validation(self) -> Iterator[Batch]:
        """Yield the validation windows."""
        return batches(self._data, self._split.validation)


class SimulatedSteps(Dataset[tuple[Tensor, ...]]):
    """Simulated windows of a process by the number of a step: the same ones whichever worker computes them, and when.

    Parameters
    ----------
    seed : sequence of int
    count : int
        Windows of this process in a step.
    rank : int
        Of this process.
    grids : sequence of int
        Rows and columns of the blocks, in turn; one number is that of both.
    """

    def __init__(self, seed: tuple[int, ...], count: int, rank: int, grids: tuple[int, ...]) -> None:
        self._seed, self._count, self._rank, self._grids = seed, count, rank, grids

    def __getitem__(self, step: int) -> tuple[Tensor, ...]:
        """Simulate the windows of a step."""
        size = self._grids[step % len(self._grids)]
        return simulated_tensors(SimulationConfig.training(rows=size, cols=size), self._count, (*self._seed, step, self._rank))


class SimulatedSource:
    """An endless stream of simulated windows: new ones in each step, computed by processes of their own while the network learns.

    Parameters
    ----------
    config : TrainConfig
        An epoch is ``windows_per_epoch`` windows long.
    device : torch.device
    """

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self._config, self._device = config, device
        self.steps = (config.windows_per_epoch or SIMULATED_EPOCH) // config.batch
        self.windows = self.steps * config.batch
        self.validated = SIMULATED_VALIDATION
        unseen, parts = SimulationConfig.unseen(), range(SIMULATED_VALIDATION // VALIDATION_BATCH)
        self.blocks, self.samples = unseen.rows * unseen.cols, unseen.samples
        network: type[Network] = registry.load("networks", config.network)
        self._grids = TRAINING_GRIDS if network.any_grid else (unseen.rows,)
        self._validation = [
            self._batch(simulated_tensors(unseen, VALIDATION_BATCH, (config.seed, _VALIDATION, number))) for number in parts
        ]

    def labels(self) -> tuple[Tensor, Tensor]:
        """Return heart rates and lengths of validation windows with a pulse: they are distributed like those of all others."""
        labels = torch.cat([torch.stack([one.heart_rate_bpm, one.duration_s]) for one in self._validation], dim=1)
        rate_bpm, duration_s = labels[:, labels[0].isfinite()]
        return rate_bpm, duration_s

    def epoch(self, number: int, rank: int, processes: int) -> Iterator[tuple[Batch, int]]:
        """Yield the share of this process in each batch of an epoch, with the number of windows in the whole batch."""
        count = len(range(rank, self._config.batch, processes))
        data = SimulatedSteps((self._config.seed, _SIMULATED), count, rank, self._grids)
        steps = range(number * self.steps, (number + 1) * self.steps)
        # one thread on a CPU learns from half as many windows a second as one worker simulates; a GPU from many more
        workers = 1 if self._device.type == "cpu" else max(1, (cpu_count() - 1) // processes)
        try:
            for tensors in DataLoader(data, batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=_AHEAD):
                yield self._batch(tensors), self._config.batch
        except RuntimeError as error:
            # torch has no class of its own for it
            if "DataLoader worker" not in str(error):
                raise
            raise WorkerError(
                "a process that simulates windows died, as it does when memory runs out; run the same command again with --resume"
            ) from None

    def validation(self) -> Iterator[Batch]:
        """Yield the validation windows, with the blocks of a map, of people, cameras and light that no step has."""
        yield from self._validation

    def _batch(self, tensors: tuple[Tensor, ...]) -> Batch:
        return Batch(*(one.to(self._device) for one in tensors))


def simulated_tensors(config: SimulationConfig, count: int, seed: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Simulate windows as the tensors of a :class:`~stmap_pipeline.torch.Batch`."""
    made = simulate_windows(count, seed, config)
    arrays = made.means, made.motion, made.pulse, made.heart_rate_bpm, np.full(count, config.samples / config.rate_hz)
    return tuple(torch.as_tensor(one, dtype=torch.float32) for one in arrays)


Source = RecordedSource | SimulatedSource
"""Where the windows of a training come from."""


def batches(data: MapDataset, index: IntArray, size: int = VALIDATION_BATCH) -> Iterator[Batch]:
    """Yield windows of a dataset in their order."""
    for first in range(0, len(index), size):
        yield data.traces(index[first : first + size])
