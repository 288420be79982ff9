"""Batches of windows, cut on the device from the traces of whole recordings that lie there, or simulated while a network learns.

:class:`TrainingSet` holds recordings. :class:`RecordedSource` and :class:`SimulatedSource` are what an epoch is made of: the first
draws windows of a fold in a new order each time, the second has new windows in each step and never repeats one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import embedding

from stmap_pipeline.errors import ConfigError, ShardError
from stmap_pipeline.faces.motion import head_motion
from stmap_pipeline.pipeline.metadata import label_lag
from stmap_pipeline.records import RecordingResult, Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.signals.resample import play, resample_uniform, uniform_trace
from stmap_pipeline.simulation import SimulationConfig, simulate_windows
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.networks.base import Batch
from stmap_pipeline.training.protocol import FoldSplit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# what the seed is for: apart from the random numbers of weights and steps
_ORDER, _SIMULATED, _VALIDATION = 2, 6, 7

#: Simulated windows in an epoch where the settings name no number, and those on which the best epoch is chosen.
SIMULATED_EPOCH, SIMULATED_VALIDATION = 6400, 1024
VALIDATION_BATCH = 128


class Samples(NamedTuple):
    """A whole recording, played at one speed, on the clock on which a network reads it.

    Parameters
    ----------
    times_s : (T,) array
    means : (T, N, 3) array
        R, G, B in gray levels, NaN where not seen.
    motion : (T, 4) array, optional
        See :func:`stmap_pipeline.faces.motion.head_motion`.
    pulse : (T,) array, optional
        NaN where there is no label.
    """

    times_s: FloatArray
    means: npt.NDArray[np.float32]
    motion: FloatArray | None = None
    pulse: FloatArray | None = None


ReadSamples = Callable[[str, float], Samples]


def recorded_samples(shards: Shards, rate_hz: float | None = None) -> ReadSamples:
    """Return the function that reads recordings by id and speed.

    Parameters
    ----------
    shards : Shards
    rate_hz : float, optional
        Resample the recordings to this uniform clock, and also read motion and pulse; otherwise the clock is that of the maps. A pulse
        label is trusted where it is found again in the traces, and freed of its lag.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> one = recorded_samples(Shards(example_maps()), 25.0)("p001_v1", 1.0)
    >>> one.means.shape, one.motion.shape, one.pulse.shape
    ((100, 4, 3), (100, 4), (100,))
    """
    if rate_hz is None:
        return lambda recording_id, speed: Samples(*shards.trace(recording_id, speed))

    @lru_cache(maxsize=1)
    def aligned(recording_id: str) -> RecordingResult:
        """Read a recording, its pulse label moved to where the pulse is in the traces, or left out where that is not clear."""
        one = shards.recording(recording_id)
        if one.pulse is None or len(one.blocks.times_s) < 2:
            return one
        lag = label_lag(one.blocks, one.pulse)
        return replace(one, pulse=replace(one.pulse, times_s=one.pulse.times_s - lag.lag_s) if lag.clear else None)

    return lambda recording_id, speed: uniform_samples(aligned(recording_id), rate_hz, speed)


def uniform_samples(result: RecordingResult, rate_hz: float, speed: float = 1.0) -> Samples:
    """Resample block means, head motion and pulse of a recording to a uniform clock, played ``speed`` times as fast."""
    blocks, track, label = result.blocks, result.track, result.pulse
    means: npt.NDArray[Any]
    if speed == 1:
        times_s, means = resample_uniform(blocks.times_s, blocks.means, rate_hz)
    else:
        times_s, means = play(uniform_trace(blocks.times_s, blocks.means), speed, 1 / rate_hz)
    at_s = times_s * speed
    # landmarks are smoothed and pulse labels sampled densely: a straight line between two samples is near enough
    motion = np.column_stack([np.interp(at_s, track.times_s, column) for column in head_motion(track.points_px).T])
    pulse = np.full(len(at_s), np.nan)
    if label is not None and len(label.times_s):
        pulse = np.interp(at_s, label.times_s, label.value, left=np.nan, right=np.nan)
    return Samples(times_s, means.astype(np.float32), motion, pulse)


class TrainingSet:
    """Windows, and on a device the recordings from which they are cut.

    Recordings take less than their windows would, because windows overlap: 0.6 GB for the 2,378 recordings of VIPL-HR, where the
    windows would take 9 GB. A recording that is played at several speeds is there once for each of them.

    Parameters
    ----------
    read : callable
        Called with recording and speed, as made by :func:`recorded_samples`.
    windows : sequence of Window
    rate_hz, samples : optional
        Read so many samples at this rate around the middle of each window, NaN where the recording is shorter; otherwise the samples
        of the windows, all of one number, are read.
    device : str or torch.device

    Attributes
    ----------
    windows : sequence of Window
    heart_rate_bpm, duration_s : (W,) array of float
        Label of each window, NaN where it has none, and its length.
    blocks, samples : int
        Size of a window.

    Raises
    ------
    ConfigError
        Where there is no window, or windows differ in their number of samples: lengths in seconds do that on the native clock.
    UnknownNameError
        Where a recording is unknown.
    ShardError
        Where a shard is missing or damaged, or does not hold a window.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> shards = Shards(example_maps())
    >>> data = TrainingSet(recorded_samples(shards), shards.windows(labeled=True))
    >>> len(data), data.blocks, data.samples
    (10, 4, 60)
    >>> batch = data.batch(torch.tensor([4, 0]))
    >>> batch.means.shape, batch.heart_rate_bpm.tolist()
    (torch.Size([2, 60, 4, 3]), [96.0, 66.0])
    """

    def __init__(
        self,
        read: ReadSamples,
        windows: Sequence[Window],
        *,
        rate_hz: float | None = None,
        samples: int | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        sizes = {one.frames for one in windows} if samples is None else {samples}
        if not windows:
            raise ConfigError("no window is left; look at the folds, the labels and min_valid_fraction")
        if len(sizes) > 1:
            raise ConfigError(
                f"windows have {min(sizes)} to {max(sizes)} samples, and a network that reads maps needs them of one size. Build with "
                'a length in frames (windows.length = "300 frames") or with windows.clock = "uniform"'
            )
        size = sizes.pop()
        played = sorted({(one.recording_id, one.speed) for one in windows})
        recordings = [read(*one) for one in played]
        rows = [_rows(one, size if samples is not None else 0) for one in recordings]
        lengths = np.array([len(one) for one in rows])
        first = np.cumsum(lengths) - lengths
        number_of = {one: number for number, one in enumerate(played)}
        number = np.array([number_of[one.recording_id, one.speed] for one in windows])
        if rate_hz is None:
            start = np.array([one.start for one in windows])
        else:
            middle_s = np.array([(one.start_s + one.stop_s) / 2 for one in windows])
            begin_s = np.array([one.times_s[0] for one in recordings])[number]
            start = np.round((middle_s - begin_s) * rate_hz - size / 2).astype(np.int64).clip(0, lengths[number] - size)
        for one, begin, length in zip(windows, start.tolist(), lengths[number].tolist(), strict=True):
            if not 0 <= begin <= length - size:
                raise ShardError(
                    f"{one.recording_id}: samples {one.start} to {one.stop} do not lie inside its {length} samples (speed {one.speed:g})"
                )
        self.windows = windows
        self.heart_rate_bpm: FloatArray = np.array([one.heart_rate_bpm for one in windows], dtype=np.float64)
        self.duration_s: FloatArray = np.array([one.duration_s for one in windows], dtype=np.float64)
        self.blocks, self.samples = recordings[0].means.shape[1], size
        self.device = torch.device(device)
        self._rows = torch.empty(int(lengths.sum()), rows[0].shape[1], device=device)
        for begin, one_rows in zip(first.tolist(), rows, strict=True):
            self._rows[begin : begin + len(one_rows)] = torch.from_numpy(one_rows)
        self._first = torch.as_tensor(first[number] + start, device=device)
        self._rate_bpm = torch.as_tensor(self.heart_rate_bpm, dtype=torch.float32, device=device)
        self._duration_s = torch.as_tensor(self.duration_s, dtype=torch.float32, device=device)

    def __len__(self) -> int:
        return len(self.windows)

    @torch.no_grad()
    def batch(self, index: Tensor | IntArray) -> Batch:
        """Cut some windows out of their recordings.

        Parameters
        ----------
        index : (B,) tensor or array of int64
            Positions in ``windows``.

        Returns
        -------
        Batch
            On the device.
        """
        index = torch.as_tensor(index).to(self.device, non_blocking=True)
        rows = embedding(self._first[index][:, None] + torch.arange(self.samples, device=self.device), self._rows)
        motion = pulse = None
        if rows.shape[2] > 3 * self.blocks:
            motion, pulse = rows[:, :, -5:-1], rows[:, :, -1]
        means = rows[:, :, : 3 * self.blocks].reshape(len(index), self.samples, self.blocks, 3)
        return Batch(means, motion, pulse, self._rate_bpm[index], self._duration_s[index])


def _rows(one: Samples, shortest: int) -> npt.NDArray[np.float32]:
    """Return means, motion and pulse side by side, with NaN behind them where they are shorter than a window."""
    columns: list[npt.NDArray[Any]] = [one.means.reshape(len(one.means), -1)]
    if one.motion is not None and one.pulse is not None:
        columns += [one.motion, one.pulse[:, None]]
    rows = np.concatenate(columns, axis=1, dtype=np.float32)
    return np.pad(rows, ((0, max(0, shortest - len(rows))), (0, 0)), constant_values=np.nan)


class RecordedSource:
    """The windows of a fold, in a new order in each epoch.

    Parameters
    ----------
    data : TrainingSet
    split : FoldSplit
    config : TrainConfig
    """

    def __init__(self, data: TrainingSet, split: FoldSplit, config: TrainConfig) -> None:
        self._data, self._split, self._config = data, split, config
        self.blocks, self.samples = data.blocks, data.samples
        self.windows = min(len(split.training), config.windows_per_epoch or len(split.training))
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
            yield self._data.batch(batch[rank::processes]), len(batch)

    def validation(self) -> Iterator[Batch]:
        """Yield the validation windows."""
        return batches(self._data, self._split.validation)


class SimulatedSource:
    """An endless stream of simulated windows: new ones in each step, computed in a thread while the network learns from those before.

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
        self._validation = [self._simulate(unseen, VALIDATION_BATCH, _VALIDATION, number) for number in parts]

    def labels(self) -> tuple[Tensor, Tensor]:
        """Return heart rates and lengths of validation windows with a pulse: they are distributed like those of all others."""
        labels = torch.cat([torch.stack([one.heart_rate_bpm, one.duration_s]) for one in self._validation], dim=1)
        rate_bpm, duration_s = labels[:, labels[0].isfinite()]
        return rate_bpm, duration_s

    def epoch(self, number: int, rank: int, processes: int) -> Iterator[tuple[Batch, int]]:
        """Yield the share of this process in each batch of an epoch, with the number of windows in the whole batch."""
        count = len(range(rank, self._config.batch, processes))
        before: Future[Batch] | None = None
        with ThreadPoolExecutor(1) as pool:
            for step in range(number * self.steps, (number + 1) * self.steps):
                ahead = pool.submit(self._simulate, SimulationConfig(), count, _SIMULATED, step, rank)
                if before is not None:
                    yield before.result(), self._config.batch
                before = ahead
            yield ahead.result(), self._config.batch

    def validation(self) -> Iterator[Batch]:
        """Yield the validation windows, of people, cameras and light that no step has."""
        yield from self._validation

    def _simulate(self, config: SimulationConfig, count: int, *seed: int) -> Batch:
        made = simulate_windows(count, (self._config.seed, *seed), config)
        arrays = made.means, made.motion, made.pulse, made.heart_rate_bpm, np.full(count, config.samples / config.rate_hz)
        return Batch(*(torch.as_tensor(one, dtype=torch.float32, device=self._device) for one in arrays))


Source = RecordedSource | SimulatedSource
"""Where the windows of a training come from."""


def batches(data: TrainingSet, index: IntArray, size: int = VALIDATION_BATCH) -> Iterator[Batch]:
    """Yield windows of a training set in their order."""
    for first in range(0, len(index), size):
        yield data.batch(index[first : first + size])


def find_device(name: str = "auto") -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``; ``auto`` is a GPU where there is one.

    Raises
    ------
    ConfigError
        Where this machine, or this torch, has no such device.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda") or (device.index is not None and device.type == "cpu"):
            raise ValueError("it is of another kind")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"device {name!r} cannot be used ({reason}); give cpu, cuda or cuda:1, or install torch for your GPU"
        ) from None
    return device
