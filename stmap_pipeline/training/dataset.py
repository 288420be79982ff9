"""All windows of a training on its device: nothing is read, and no window is touched one by one, while a network learns."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stmap_pipeline.errors import ConfigError, UnknownNameError
from stmap_pipeline.maps.color import color_matrix
from stmap_pipeline.maps.normalize import Normalization
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.networks.base import NetworkInput
from stmap_pipeline.training.rows import MaskOptions, hide_frames, network_rows
from stmap_pipeline.training.sequences import IntArray, WindowRows
from stmap_pipeline.training.traces import TraceTable


class TrainingSet:
    """Windows with their targets, and the traces that their maps are cut from, on one device.

    What is kept are the traces: windows overlap, and VIPL-HR's 2,378 recordings take 0.6 GB where its maps would take 9 GB. The
    maps of a batch are cut, resampled, colored, masked and normalized together when they are asked for.

    Parameters
    ----------
    maps : Shards
        The clock is that of its configuration.
    windows : sequence of Window
        As recorded or resampled, of one number of samples; without a label their target is NaN.
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or two joined by ``+``.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`.
    device : str or torch.device
        The CPU or a CUDA device.

    Attributes
    ----------
    targets_bpm, targets_beats, durations_s : (W,) tensor of float32 on the device
        Heart rate of each window, heart beats in it, and its length.
    shape : NetworkInput
        Size of one map.

    Raises
    ------
    ConfigError
        Where there is no window, or windows differ in their number of samples: lengths in seconds do that on the native clock.
    UnknownNameError
        Where the color space or a recording is unknown.
    ShardError
        Where a shard is missing or damaged, or does not hold a window.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = Shards(example_maps())
    >>> training = TrainingSet(maps, maps.windows(labeled=True), color="yuv")
    >>> len(training), training.shape
    (10, NetworkInput(channels=3, blocks=4, samples=60))
    >>> training.maps(torch.tensor([4, 0])).shape, training.targets_bpm[[4, 0]].tolist()
    (torch.Size([2, 3, 4, 60]), [96.0, 66.0])
    """

    targets_bpm: Tensor
    targets_beats: Tensor
    durations_s: Tensor
    windows: Sequence[Window]
    _trace: Tensor
    _start: Tensor
    _in_rows: WindowRows | None

    def __init__(
        self,
        maps: Shards,
        windows: Sequence[Window],
        *,
        color: str = "yuv",
        normalize: Normalization = "minmax",
        device: str | torch.device = "cpu",
    ) -> None:
        matrix, offset = color_matrix(color)
        _check(maps.root, windows)
        traces = sorted({(one.recording_id, one.speed) for one in windows})
        self.color, self.normalize = color, normalize
        self.device = torch.device(device)
        self._root = maps.root
        self._traces = TraceTable(maps, traces, device)
        self._number = {trace: number for number, trace in enumerate(traces)}
        self._matrix = torch.as_tensor(matrix, dtype=torch.float32, device=device)
        self._offset = torch.as_tensor(offset, dtype=torch.float32, device=device)
        self._take(windows)

    def with_windows(self, windows: Sequence[Window]) -> TrainingSet:
        """Give the same traces with other windows: a fold, or the windows to validate on. Nothing is read again.

        Raises
        ------
        UnknownNameError
            Where a window is of a recording that is not there, or at a speed that was not there before.
        ConfigError, ShardError
            As for the class.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> maps = Shards(example_maps())
        >>> everything = TrainingSet(maps, maps.windows(labeled=True))
        >>> split = maps.split(fold=1)
        >>> len(everything.with_windows(split.training)), len(everything.with_windows(split.evaluation))
        (3, 5)
        """
        other = copy.copy(self)
        other._take(windows)
        return other

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def shape(self) -> NetworkInput:
        """Size of one map."""
        return NetworkInput(len(self._matrix), self._traces.blocks, self._samples)

    @torch.no_grad()
    def maps(self, index: Tensor, *, generator: torch.Generator | None = None, mask_frames: MaskOptions | None = None) -> Tensor:
        """Make the maps of some windows.

        Parameters
        ----------
        index : (B,) or (B, K) tensor of int64
            On the CPU; from a GPU it would have to be waited for.
        generator : torch.Generator, optional
            For ``mask_frames``; on the CPU, so that a seed means the same on each device.
        mask_frames : MaskOptions, optional
            Hide frames at random.

        Returns
        -------
        (B, C, N, T) or (B, K, C, N, T) tensor of float32
            On the scale of a network, without NaN; see :func:`stmap_pipeline.training.rows.network_rows`.
        """
        flat = index.flatten().cpu()
        # in half precision, as a trainer may have set it, nothing of a pulse would be left
        with torch.autocast(self.device.type, enabled=False):
            means = self._cut(flat, level=self.normalize == "none")
            if mask_frames is not None:
                means = hide_frames(means, mask_frames, generator)
            rows = network_rows(means, self._matrix, self._offset, self.normalize)
        return rows.view(*index.shape, *rows.shape[1:])

    def sequences(self, index: npt.ArrayLike, consecutive: int) -> IntArray:
        """Name the windows in a row that end with each of these; see :class:`~stmap_pipeline.training.sequences.WindowRows`.

        Parameters
        ----------
        index : (B,) array of int
        consecutive : int
            K.

        Returns
        -------
        (B, K) array of int64
            For :meth:`maps` and the targets. The estimate of window ``index[b]`` is where the row holds it.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> maps = Shards(example_maps())
        >>> training = TrainingSet(maps, maps.windows(labeled=True))
        >>> rows = training.sequences([0, 2, 5], 2)
        >>> rows.tolist(), (rows == np.array([[0], [2], [5]])).argmax(axis=1).tolist()
        ([[0, 1], [1, 2], [4, 5]], [0, 1, 1])
        """
        if consecutive == 1:
            return np.asarray(index, dtype=np.int64)[:, None]
        if self._in_rows is None:
            self._in_rows = WindowRows(self._trace.numpy(), self._start.numpy(), np.ones(len(self._trace)))
        return self._in_rows.up_to(index, consecutive)

    def _cut(self, index: Tensor, *, level: bool) -> Tensor:
        return self._traces.cut(
            self._on_device(self._trace[index]), self._on_device(self._start[index]), self._samples, level=level
        )

    def _on_device(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)

    def _take(self, windows: Sequence[Window]) -> None:
        _check(self._root, windows)
        unknown = {(one.recording_id, one.speed) for one in windows} - self._number.keys()
        if unknown:
            name, speed = min(unknown)
            raise UnknownNameError(f"{self._root}: the trace of {name!r} at speed {speed:g} was not loaded")
        trace = np.array([self._number[one.recording_id, one.speed] for one in windows])
        start, stop = np.array([(one.start, one.stop) for one in windows]).T
        bpm, beats, durations_s = np.array(
            [(one.heart_rate_bpm, one.beats, one.stop_s - one.start_s) for one in windows], dtype=np.float64
        ).T
        self._traces.check(trace, start, stop)
        self._samples = windows[0].frames
        self._in_rows = None
        self._trace, self._start = torch.as_tensor(trace), torch.as_tensor(start)
        self.targets_bpm, self.targets_beats, self.durations_s = (
            torch.as_tensor(one, dtype=torch.float32, device=self.device) for one in (bpm, beats, durations_s)
        )
        self.windows = windows


def _check(root: Path, windows: Sequence[Window]) -> None:
    if not windows:
        raise ConfigError(f"{root}: no window is left; look at the folds, the labels and min_valid_fraction")
    samples = {one.stop - one.start for one in windows}
    if len(samples) > 1:
        raise ConfigError(
            f"{root}: windows have {min(samples)} to {max(samples)} samples, and a network reads maps of one size. Build with a "
            'length in frames (windows.length = "300 frames") or with windows.clock = "uniform"'
        )
