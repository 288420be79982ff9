"""Batches of maps, made on the device from the traces of whole recordings that lie there. Nothing is read while a network learns.

A batch is made in five steps, each over all of its windows at once:

1. cut the samples of each window out of the trace of its recording, played at the speed of the window
2. where the training asks for it, hide a stretch of frames at random in half of the windows
3. convert the color space
4. normalize each row (one block, one channel) over the window, to the range that networks read
5. set what was not seen to 0

The arithmetic is that of :mod:`stmap_pipeline.maps.color` and :mod:`stmap_pipeline.maps.normalize`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import embedding

from stmap_pipeline.errors import ConfigError, ShardError
from stmap_pipeline.maps.color import color_matrix
from stmap_pipeline.maps.normalize import FLAT_GRAY_LEVELS, Normalization
from stmap_pipeline.records import Window
from stmap_pipeline.training.networks.base import NetworkInput

FloatArray = npt.NDArray[np.float64]

#: Networks read values of 0 to 255 as -1 to 1.
HALF_RANGE = 127.5
#: Value where a block was not seen: the middle of the range, which is also what convolutions see beyond the edge of a map.
FILL = 0.0
#: Share of the windows of a batch in which frames are hidden.
MASKED_SHARE = 0.5


class Means(Protocol):
    """Anything with block means (T, N, 3) over time, such as a :class:`~stmap_pipeline.records.BlockTrace`."""

    @property
    def means(self) -> npt.NDArray[np.float32]:
        """Mean R, G, B of each block in gray levels, NaN where not seen."""


class TrainingSet:
    """Windows, and on a device the traces from which their maps are made.

    The traces take less than the maps would, because windows overlap: 0.6 GB for the 2,378 recordings of VIPL-HR, where the maps
    would take 9 GB. A recording that is played at several speeds has one trace for each of them.

    Parameters
    ----------
    trace : callable
        Called with recording and speed, returns the trace whose samples the windows count, as
        :meth:`Shards.trace <stmap_pipeline.shards.Shards.trace>` does.
    windows : sequence of Window
        All of one number of samples.
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or two joined by ``+``.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`.
    device : str or torch.device

    Attributes
    ----------
    windows : sequence of Window
    heart_rate_bpm, duration_s : (W,) array of float
        Label of each window, NaN where it has none, and its length.
    shape : NetworkInput
        Size of a map.

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
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> shards = Shards(example_maps())
    >>> data = TrainingSet(shards.trace, shards.windows(labeled=True), color="yuv")
    >>> len(data), data.shape
    (10, NetworkInput(channels=3, blocks=4, samples=60))
    >>> data.batch(torch.tensor([4, 0])).shape, data.heart_rate_bpm[[4, 0]].tolist()
    (torch.Size([2, 3, 4, 60]), [96.0, 66.0])
    """

    def __init__(
        self,
        trace: Callable[[str, float], Means],
        windows: Sequence[Window],
        *,
        color: str = "yuv",
        normalize: Normalization = "minmax",
        device: str | torch.device = "cpu",
    ) -> None:
        matrix, offset = color_matrix(color)
        samples = {one.frames for one in windows}
        if not samples:
            raise ConfigError("no window is left; look at the folds, the labels and min_valid_fraction")
        if len(samples) > 1:
            raise ConfigError(
                f"windows have {min(samples)} to {max(samples)} samples, and a network reads maps of one size. Build with a "
                'length in frames (windows.length = "300 frames") or with windows.clock = "uniform"'
            )
        played = sorted({(one.recording_id, one.speed) for one in windows})
        # float32 has seven digits and the pulse is in the last ones: the mean of each block and color is kept apart
        means = [trace(*one).means for one in played]
        levels = [_mean_level(one) for one in means]
        lengths = np.array([len(one) for one in means])
        first = np.cumsum(lengths) - lengths
        number_of = {one: number for number, one in enumerate(played)}
        number = np.array([number_of[one.recording_id, one.speed] for one in windows])
        start, stop = np.array([(one.start, one.stop) for one in windows]).T
        if len(outside := np.flatnonzero((start < 0) | (start >= stop) | (stop > lengths[number]))):
            one = windows[outside[0]]
            raise ShardError(
                f"{one.recording_id}: samples {one.start} to {one.stop} do not lie inside its {lengths[number[outside[0]]]} samples "
                f"(speed {one.speed:g}); build again or restore a copy"
            )
        self.windows = windows
        self.heart_rate_bpm: FloatArray = np.array([one.heart_rate_bpm for one in windows], dtype=np.float64)
        self.duration_s: FloatArray = np.array([one.duration_s for one in windows], dtype=np.float64)
        self.shape = NetworkInput(len(matrix), levels[0].shape[0], samples.pop())
        self.normalize = normalize
        self.device = torch.device(device)
        self._matrix = torch.as_tensor(matrix, dtype=torch.float32, device=device)
        self._offset = torch.as_tensor(offset, dtype=torch.float32, device=device)
        self._rows = torch.empty(int(lengths.sum()), 3 * self.shape.blocks, device=device)
        for begin, one, level in zip(first.tolist(), means, levels, strict=True):
            self._rows[begin : begin + len(one)] = torch.from_numpy((one - level).reshape(len(one), -1))
        self._levels = torch.as_tensor(np.stack(levels), device=device)
        self._trace_of = torch.as_tensor(number, device=device)
        self._first = torch.as_tensor(first[number] + start, device=device)

    def __len__(self) -> int:
        return len(self.windows)

    @torch.no_grad()
    def batch(self, index: Tensor, mask_frames: tuple[int, int] | None = None) -> Tensor:
        """Make the maps of some windows.

        Parameters
        ----------
        index : (B,) tensor of int64
            Positions in ``windows``.
        mask_frames : (int, int), optional
            Hide a stretch of so many frames, smallest and largest number, in half of the maps; see :func:`hide_frames`.

        Returns
        -------
        (B, C, N, T) tensor of float32
            In the range of a network, without NaN; see :func:`network_input`.
        """
        index = index.to(self.device, non_blocking=True)
        samples = torch.arange(self.shape.samples, device=self.device)
        means = embedding(self._first[index][:, None] + samples, self._rows).view(len(index), -1, self.shape.blocks, 3)
        if self.normalize == "none":
            means = means + self._levels[self._trace_of[index]][:, None]
        if mask_frames is not None:
            means = hide_frames(means, *mask_frames)
        return network_input(means, self._matrix, self._offset, self.normalize)


def hide_frames(means: Tensor, shortest: int, longest: int, share: float = MASKED_SHARE) -> Tensor:
    """Hide a stretch of frames at random in some windows, as if the face had been lost there.

    Hidden frames do not count in the normalization. Random numbers are drawn on the CPU from torch's own generator, so that a seed
    means the same on each device.

    Parameters
    ----------
    means : (B, T, N, 3) tensor
    shortest, longest : int
        Frames of the stretch, both included.
    share : float
        Share of the windows, 0 to 1.

    Returns
    -------
    (B, T, N, 3) tensor
        NaN where hidden.

    Examples
    --------
    >>> hidden = hide_frames(torch.zeros(100, 60, 4, 3), 10, 10, share=1.0).isnan().all(dim=(2, 3)).sum(dim=1)
    >>> hidden.unique().tolist()
    [10]
    """
    count, samples = means.shape[:2]
    chosen, length, place = torch.rand(3, count, dtype=torch.float64)
    frames = (shortest + (length * (longest - shortest + 1)).floor()).clamp(max=samples)
    start = (place * (samples - frames + 1)).floor()
    stop = torch.where(chosen < share, start + frames, start)
    at, bounds = torch.arange(samples, device=means.device), torch.stack([start, stop]).to(means.device)
    hidden = (at >= bounds[0][:, None]) & (at < bounds[1][:, None])
    return means.masked_fill(hidden[:, :, None, None], torch.nan)


def network_input(means: Tensor, matrix: Tensor, offset: Tensor, normalize: Normalization) -> Tensor:
    """Convert the color space, normalize each row over the window, and scale to the range of a network.

    Parameters
    ----------
    means : (B, T, N, 3) tensor of float32
        R, G, B in gray levels, NaN where not seen.
    matrix, offset : (C, 3) and (C,) tensor
        See :func:`stmap_pipeline.maps.color.color_matrix`.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`.

    Returns
    -------
    (B, C, N, T) tensor of float32
        ``minmax`` and ``none``: 0 to 255 become -1 to 1. ``zscore``: as it is. :data:`FILL` where not seen.

    Examples
    --------
    >>> means = torch.tensor([10.0, 12.0, float("nan"), 11.0])[None, :, None, None].expand(1, 4, 1, 3)
    >>> network_input(means, torch.eye(3), torch.zeros(3), "minmax")[0, 0, 0].tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """
    red, green, blue = means.permute(3, 0, 2, 1)[:, :, None]
    # three products and no matrix product: on a GPU that might be rounded to ten bits
    weight = matrix.to(means)[:, :, None, None]
    rows = weight[:, 0] * red + weight[:, 1] * green + weight[:, 2] * blue
    seen = rows.isfinite()
    if normalize == "none":
        rows = (rows + offset.to(means)[:, None, None]) / HALF_RANGE - 1
    else:
        low = rows.masked_fill(~seen, torch.inf).amin(dim=3, keepdim=True)
        span = rows.masked_fill(~seen, -torch.inf).amax(dim=3, keepdim=True) - low
        flat = ~(span > FLAT_GRAY_LEVELS)
        # a flat row is divided by infinity, as in normalize_rows
        if normalize == "minmax":
            rows = (rows - low) * (2 / span.masked_fill(flat, torch.inf)) - 1
        else:
            count = seen.sum(dim=3, keepdim=True).clamp(min=1)
            rows = rows - rows.masked_fill(~seen, 0).sum(dim=3, keepdim=True) / count
            spread = (rows.masked_fill(~seen, 0).square().sum(dim=3, keepdim=True) / count).sqrt()
            rows = rows / spread.masked_fill(flat, torch.inf)
    filled: Tensor = rows.masked_fill(~seen, FILL)
    return filled


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
    kind, _, number = name.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        reason = "finds no GPU" if torch.version.cuda else "is a build without CUDA"
        raise ConfigError(f"device {name!r}: torch {torch.__version__} {reason}; use --device cpu, or install torch for your GPU")
    count = torch.cuda.device_count() if kind == "cuda" else 0
    if kind not in ("cpu", "cuda") or (number and not (number.isdecimal() and int(number) < count)):
        raise ConfigError(f"device {name!r} cannot be used; give cpu, cuda or cuda:1")
    return torch.device(kind, int(number)) if number else torch.device(kind)


def _mean_level(means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # nanmean warns of blocks that were never seen
    known = np.isfinite(means)
    total = np.where(known, means, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1), dtype=np.float32)
