"""Windows of a build as a PyTorch dataset: read when they are asked for, or all at once on a device.

A window is cut from the trace of its recording when it is read, so nothing is stored twice: windows overlap, and those of
VIPL-HR would take 9 GB where its recordings take 0.6 GB. Traces that were read last stay in memory, up to ``cache_bytes`` of
:class:`~stmap_pipeline.shards.Shards`; :meth:`MapDataset.to` loads all that the windows need and keeps it on a device.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import embedding
from torch.utils.data import Dataset

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.faces.motion import head_motion
from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.maps.normalize import Normalization
from stmap_pipeline.pipeline.metadata import label_lag
from stmap_pipeline.records import RecordingResult, Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.reader import LruCache
from stmap_pipeline.torch.batch import Batch
from stmap_pipeline.torch.maps import maps_from_means

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

# columns of motion and pulse behind those of the block means
_SIGNALS = 5
# a few long recordings
_LOADING_BYTES = 2**26
# windows whose maps are made together on a CPU: their arrays then stay in its cache
_TOGETHER = 8


class RecordingSignals(NamedTuple):
    """Motion and pulse of a recording, each with times of its own.

    Parameters
    ----------
    track_times_s : (T,) array
    motion : (T, 4) array
        See :func:`stmap_pipeline.faces.motion.head_motion`.
    pulse_times_s, pulse : (P,) array
        Empty where there is no pulse label that can be trusted.
    """

    track_times_s: FloatArray
    motion: FloatArray
    pulse_times_s: FloatArray
    pulse: FloatArray

    def at(self, times_s: FloatArray) -> FloatArray:
        """Interpolate motion and pulse (K, 5) at times of the recording; the pulse is NaN where there is no label."""
        # landmarks are smoothed and pulse labels sampled densely: a straight line between two samples is near enough
        columns = [np.interp(times_s, self.track_times_s, column) for column in self.motion.T]
        pulse = np.full(len(times_s), np.nan)
        if len(self.pulse):
            pulse = np.interp(times_s, self.pulse_times_s, self.pulse, left=np.nan, right=np.nan)
        return np.column_stack([*columns, pulse])

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return sum(one.nbytes for one in self)


def recording_signals(result: RecordingResult) -> RecordingSignals:
    """Return motion and pulse of a recording, the pulse label moved to where the pulse is in the traces.

    Where that is not clear, the pulse label is left out.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> signals = recording_signals(example_result(frames=300))
    >>> signals.at(np.array([1.0, 2.0])).shape
    (2, 5)
    """
    track, label = result.track, result.pulse
    pulse_times_s, pulse = np.empty(0), np.empty(0)
    if label is not None and len(label.times_s) and len(result.blocks.times_s) > 1:
        lag = label_lag(result.blocks, label)
        if lag.clear:
            pulse_times_s, pulse = label.times_s - lag.lag_s, label.value
    return RecordingSignals(track.times_s, head_motion(track.points_px), pulse_times_s, pulse)


class MapDataset(Dataset[dict[str, Any]]):
    """Windows of a build with their labels, for a ``DataLoader`` or as batches in memory.

    ``data[i]`` is a dictionary, and a ``DataLoader`` makes batches of the same keys:

    ``map`` (C, N, T) or ``trace`` (T, N, 3)
        float32; C channels, N blocks, T samples.
    ``pulse`` (T,), ``motion`` (T, 4)
        Where ``pulse`` is set, as in :class:`Batch`.
    ``heart_rate_bpm``, ``duration_s``
        float32.
    ``subject``, ``recording_id``
        Texts.
    ``index``
        Position in :attr:`windows`.

    The object can be sent to workers that are forked or spawned: no file stays open between two calls, and a worker opens what
    it reads. Each worker has a cache of its own; after ``.to("cpu")`` all of them read the same memory.

    Parameters
    ----------
    maps : Shards, str or Path
        A finished build. ``Shards(path, cache_bytes=...)`` bounds the traces that stay in memory; where ``pulse`` is set, pulses and
        motion take up to a quarter more.
    windows : sequence of Window, optional
        Any of :meth:`Shards.windows <stmap_pipeline.shards.Shards.windows>` or
        :meth:`Shards.split <stmap_pipeline.shards.Shards.split>`.
    output : {"map", "trace"}
        Normalized maps, or block means in R, G, B, NaN where not seen.
    color, normalize, fill
        Of the maps, see :func:`~stmap_pipeline.torch.maps.maps_from_means`.
    rate_hz : float, optional
        Read samples at this rate around the middle of each window, at the ends of a recording its first or last ones, NaN where the
        recording is shorter; otherwise the samples of the windows, on the clock of the build. The heart rate stays that of the window.
    samples : int, optional
        How many with ``rate_hz``; without it as many as the median window is long.
    pulse : bool
        Also read the pulse label, freed of its lag, and the motion of the head.
    selection
        Where no windows are given: arguments of :meth:`Shards.windows <stmap_pipeline.shards.Shards.windows>` that choose them. Without
        others, windows with a trusted heart rate in which the face was known throughout.

    Attributes
    ----------
    windows : sequence of Window
    heart_rate_bpm, duration_s : (W,) array of float
        Label of each window, NaN where it has none, and its length.
    blocks, samples : int
        Size of a window.
    device : torch.device

    Raises
    ------
    ConfigError
        Where there is no window, or windows differ in their number of samples: lengths in seconds do that on the native clock.
    UnknownNameError
        Where a recording or the color space is unknown.
    ShardError
        On reading, where a shard is missing or damaged, or does not hold a window.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> data = MapDataset(example_maps(), subject="p001")
    >>> len(data), data[0]["map"].shape, data[0]["subject"], data[0]["heart_rate_bpm"].item()
    (5, torch.Size([3, 4, 60]), 'p001', 66.0)
    >>> batch = data.to("cpu").batch([4, 0])
    >>> batch["map"].shape, batch["heart_rate_bpm"].tolist(), batch["subject"]
    (torch.Size([2, 3, 4, 60]), [96.0, 66.0], ['p001', 'p001'])
    """

    def __init__(
        self,
        maps: Shards | str | Path,
        windows: Sequence[Window] | None = None,
        *,
        output: Literal["map", "trace"] = "map",
        color: str = "yuv",
        normalize: Normalization = "minmax",
        fill: float | None = None,
        rate_hz: float | None = None,
        samples: int | None = None,
        pulse: bool = False,
        **selection: Any,
    ) -> None:
        self.shards = maps if isinstance(maps, Shards) else Shards(maps)
        if windows is None:
            windows = self.shards.windows(**{"labeled": True, "min_valid_fraction": 1.0, **selection})
        elif selection:
            raise ValueError(f"windows are given, so {', '.join(selection)} cannot choose them")
        if output not in ("map", "trace"):
            raise ValueError(f"no output is called {output!r}; use map or trace")
        if samples is not None and rate_hz is None:
            raise ValueError("a number of samples needs the rate_hz at which they are read")
        if not windows:
            folds = sorted({one.fold for one in self.shards.recordings()} - {0})
            there = f"subjects of fold {', '.join(map(str, folds))}" if folds else "no folds"
            usable = len(self.shards.windows(labeled=True, min_valid_fraction=1.0))
            raise ConfigError(
                f"{self.shards.root}: no window is left. There are {there}, and {usable} windows with a heart rate and a face throughout; "
                "look at what selects them: fold, subject, labeled, min_valid_fraction"
            )
        channel_names(color)
        self.windows = windows
        self.heart_rate_bpm: FloatArray = np.array([one.heart_rate_bpm for one in windows], dtype=np.float64)
        self.duration_s: FloatArray = np.array([one.duration_s for one in windows], dtype=np.float64)
        self.subjects = [self.shards.info(one.recording_id).subject for one in windows]
        self.blocks = self.shards.config.blocks.rows * self.shards.config.blocks.cols
        self.samples = self._size(rate_hz, samples)
        self.device = torch.device("cpu")
        self._output, self._color, self._normalize, self._fill = output, color, normalize, fill
        self._rate_hz, self._pulse = rate_hz, pulse
        self._signals = LruCache(self.shards.cache_bytes // 4)
        self._rate_bpm = torch.as_tensor(self.heart_rate_bpm, dtype=torch.float32)
        self._length_s = torch.as_tensor(self.duration_s, dtype=torch.float32)
        # where all is in memory: samples of all recordings and speeds one below the other, and where each window begins
        self._rows: Tensor | None = None
        self._first: Tensor | None = None

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([range(len(self))[index]])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return several windows: a ``DataLoader`` asks for all of a batch in one call."""
        batch = self.batch(indices)
        columns = [column.unbind() if isinstance(column, Tensor) else column for column in batch.values()]
        return [dict(zip(batch, one, strict=True)) for one in zip(*columns, strict=True)]

    def batch(self, index: Tensor | npt.ArrayLike) -> dict[str, Any]:
        """Return several windows as one batch, on the device.

        Parameters
        ----------
        index : (B,) tensor or array of int
            Positions in :attr:`windows`.

        Returns
        -------
        dict
            As ``data[i]``, with an axis (B,) in front; texts are lists.
        """
        traces = self.traces(index)
        found: dict[str, Any] = {"trace": traces.means} if self._output == "trace" else {"map": self._maps(traces.means)}
        if traces.pulse is not None and traces.motion is not None:
            found |= {"pulse": traces.pulse, "motion": traces.motion}
        numbers = torch.as_tensor(index).reshape(-1)
        names = numbers.tolist()
        return found | {
            "heart_rate_bpm": traces.heart_rate_bpm,
            "duration_s": traces.duration_s,
            "subject": [self.subjects[one] for one in names],
            "recording_id": [self.windows[one].recording_id for one in names],
            "index": numbers,
        }

    @torch.no_grad()
    def traces(self, index: Tensor | npt.ArrayLike) -> Batch:
        """Return the block means of several windows, and motion and pulse where they are read, as the networks of the package take them.

        Parameters
        ----------
        index : (B,) tensor or array of int

        Returns
        -------
        Batch
            On the device.
        """
        numbers = torch.as_tensor(index).reshape(-1).to(self.device, non_blocking=True)
        if self._rows is not None and self._first is not None:
            rows = embedding(self._first[numbers][:, None] + torch.arange(self.samples, device=self.device), self._rows)
        else:
            rows = torch.empty(len(numbers), self.samples, self._columns)
            for out, number in zip(rows.numpy(), numbers.tolist(), strict=True):
                window = self.windows[number]
                first = self._first_sample(window)
                self._read(window.recording_id, window.speed, first, out)
        signals = rows[:, :, 3 * self.blocks :]
        return Batch(
            rows[:, :, : 3 * self.blocks].reshape(len(numbers), self.samples, self.blocks, 3),
            signals[:, :, :-1] if self._pulse else None,
            signals[:, :, -1] if self._pulse else None,
            self._rate_bpm[numbers],
            self._length_s[numbers],
        )

    def to(self, device: str | torch.device) -> MapDataset:
        """Load all that the windows need and keep it on a device; batches are then cut there.

        On ``cpu`` the workers of a ``DataLoader``, forked or spawned, share one copy. Batches from a GPU are for loops without a
        ``DataLoader``, see :meth:`batch`.

        Parameters
        ----------
        device : str or torch.device

        Returns
        -------
        MapDataset
            A copy with the same windows.
        """
        found = copy.copy(self)
        # the recording at hand is kept until all its speeds are read, and nothing afterwards
        found.shards, found._signals = Shards(self.shards.root, cache_bytes=_LOADING_BYTES), LruCache(0)
        found.device = torch.device(device)
        rows, first = found._load() if self._rows is None or self._first is None else (self._rows, self._first)
        found.shards.close()
        found._rows, found._first = rows.to(device), first.to(device)
        found._rate_bpm, found._length_s = self._rate_bpm.to(device), self._length_s.to(device)
        return found

    def __getstate__(self) -> dict[str, Any]:
        # what was read is read again by another process that wants it
        return self.__dict__ | {"_signals": LruCache(self._signals.max_bytes)}

    def __repr__(self) -> str:
        where = "read from the files" if self._rows is None else f"{self._rows.nbytes / 2**20:.0f} MB on {self.device}"
        subjects = len(set(self.subjects))
        return f"MapDataset({len(self):,} windows of {subjects} subjects, {self.samples} samples of {self.blocks} blocks, {where})"

    @property
    def _columns(self) -> int:
        return 3 * self.blocks + (_SIGNALS if self._pulse else 0)

    def _size(self, rate_hz: float | None, samples: int | None) -> int:
        if samples is not None:
            return samples
        if rate_hz is not None:
            return max(1, round(float(np.median(self.duration_s)) * rate_hz))
        sizes = {one.frames for one in self.windows}
        if len(sizes) > 1:
            raise ConfigError(
                f"windows have {min(sizes)} to {max(sizes)} samples, and a batch needs them of one size. Build with a length in frames "
                '(windows.length = "300 frames") or with windows.clock = "uniform", or read them at one rate_hz'
            )
        return sizes.pop()

    def _maps(self, means: Tensor) -> Tensor:
        def maps_of(part: Tensor) -> Tensor:
            return maps_from_means(part, self._color, self._normalize, self._fill)

        if means.is_cuda:
            return maps_of(means)
        count, samples, blocks, _ = means.shape
        maps = torch.empty(count, len(channel_names(self._color)), blocks, samples)
        # each part is copied at once, so that the next one is made in the same memory: new memory costs as much as the arithmetic
        for found, part in zip(maps.split(_TOGETHER), means.split(_TOGETHER), strict=True):
            found.copy_(maps_of(part))
        return maps

    def _first_sample(self, window: Window) -> int:
        if self._rate_hz is None:
            return window.start
        times_s = self.shards.sample_times(window.recording_id, window.speed, rate_hz=self._rate_hz)
        first = round((_middle_s(window) - float(times_s[0])) * self._rate_hz - self.samples / 2)
        return min(max(first, 0), max(len(times_s) - self.samples, 0))

    def _read(self, recording_id: str, speed: float, first: int, out: Float32Array) -> None:
        """Read ``len(out)`` samples of a recording at one speed: block means, motion, pulse."""
        stop = first + len(out)
        if self._rate_hz is not None:
            # a recording may be shorter than a window
            stop = min(stop, len(self.shards.sample_times(recording_id, speed, rate_hz=self._rate_hz)))
        times_s, means = self.shards.trace(recording_id, speed, first, stop, rate_hz=self._rate_hz)
        out[: len(means), : 3 * self.blocks] = means.reshape(len(means), -1)
        if self._pulse:
            out[: len(means), 3 * self.blocks :] = self._signals_of(recording_id).at(times_s * speed)
        out[len(means) :] = np.nan

    def _signals_of(self, recording_id: str) -> RecordingSignals:
        def read() -> tuple[RecordingSignals, int]:
            found = recording_signals(self.shards.recording(recording_id))
            return found, found.nbytes

        return self._signals.get(recording_id, read)

    def _load(self) -> tuple[Tensor, Tensor]:
        """Read what the windows need of each recording at each speed, and find the row where each window begins."""
        members: dict[tuple[str, float], list[int]] = defaultdict(list)
        for number, one in enumerate(self.windows):
            members[one.recording_id, one.speed].append(number)
        first = np.empty(len(self), dtype=np.int64)
        # read in place: a copy of all traces would take as much memory again
        rows = torch.empty(sum(self._most_rows(numbers) for numbers in members.values()), self._columns)
        total = 0
        # all speeds of a recording one after the other: it is opened once
        for (recording_id, speed), numbers in sorted(members.items()):
            starts = np.array([self._first_sample(self.windows[one]) for one in numbers])
            part = rows[total : total + int(np.ptp(starts)) + self.samples].numpy()
            self._read(recording_id, speed, int(starts.min()), part)
            first[numbers] = total + starts - starts.min()
            total += len(part)
        return rows[:total], torch.from_numpy(first)

    def _most_rows(self, numbers: Sequence[int]) -> int:
        """Return how many samples windows of one recording at one speed have at most in all, without opening it."""
        windows = [self.windows[one] for one in numbers]
        if self._rate_hz is None:
            return int(np.ptp([one.start for one in windows])) + self.samples
        between_s = float(np.ptp([_middle_s(one) for one in windows]))
        # the first sample of each window is rounded
        return math.ceil(between_s * self._rate_hz) + 1 + self.samples


def _middle_s(window: Window) -> float:
    return (window.start_s + window.stop_s) / 2
