"""Heart rates from a trained network: for windows of a build, or for the trace of one video."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from stmap_pipeline import registry
from stmap_pipeline.errors import ModelError, StmapError
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import FloatArray, Samples, TrainingSet, batches, find_device, recorded_samples
from stmap_pipeline.training.networks import Batch, Network, NetworkInput, Rates, build_network
from stmap_pipeline.training.run_folder import ModelMetadata, finished_folds, fold_folder, read_metadata

# a hundred times the built-in networks
_MAX_BYTES = 2**32


class Trace(Protocol):
    """Block means over time, such as a :class:`~stmap_pipeline.records.BlockTrace`."""

    @property
    def times_s(self) -> FloatArray:
        """Time of each sample."""

    @property
    def means(self) -> npt.NDArray[np.float32]:
        """Mean R, G, B (T, N, 3) of each block in gray levels, NaN where not seen."""


class Model:
    """A trained network, read from a run by :meth:`load`.

    Parameters
    ----------
    network : Network
    metadata : ModelMetadata
        Of its checkpoint.
    name : str
        Of the checkpoint: ``best`` or ``last``.
    device : torch.device
    """

    def __init__(self, network: Network, metadata: ModelMetadata, name: str, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.metadata = metadata
        self.name = name
        self.device = device

    @property
    def config(self) -> TrainConfig:
        """Settings of the training."""
        return self.metadata.config

    @staticmethod
    def folds(run: Path) -> list[int]:
        """List the finished folds of a run; 0 where it has no folds.

        Raises
        ------
        ModelError
            Where the folder is no run, or none of its folds is finished.
        """
        if not (run / "run.toml").is_file():
            reason = "is no output of stmap train" if run.exists() else "there is no such folder"
            raise ModelError(f"{run}: {reason}; give the folder of a run")
        folds = finished_folds(run)
        if not folds:
            raise ModelError(f"{run}: no fold is finished; run the same stmap train command again, with --resume")
        return folds

    @classmethod
    def load(cls, run: Path, fold: int | None = None, device: str | torch.device = "cpu") -> Model:
        """Read the network of one fold: the best epoch where one was chosen, otherwise the last.

        Parameters
        ----------
        run : Path
            Folder of a run, or a file of weights in one.
        fold : int, optional
            May be left out where the run has a single one.
        device : str or torch.device

        Raises
        ------
        ModelError
            Where something is missing, damaged or of another program, or it is not clear which fold is meant.
        ConfigError
            Where the device cannot be used.
        """
        if run.suffix == ".safetensors":
            folder, name = run.parent, run.stem
        else:
            folds = cls.folds(run)
            if fold is None and len(folds) == 1:
                fold = folds[0]
            if fold not in folds:
                reason = f"fold {fold} is not there or not finished" if fold is not None else "it is not clear which fold is meant"
                raise ModelError(f"{run}: {reason} (finished: {', '.join(map(str, folds))})")
            folder = fold_folder(run, fold)
            name = "best" if (folder / "best.json").exists() else "last"
        weights, metadata = read_checkpoint(folder, name)
        config = metadata.config
        try:
            network = build_network(config.network, NetworkInput(metadata.blocks, metadata.samples), **config.network_options)
            network.load_state_dict(weights)
        except (StmapError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{folder / name}.safetensors: does not fit the network {config.network!r} ({reason})") from None
        return cls(network, metadata, name, find_device(str(device)))

    def check_maps(self, shards: Shards) -> None:
        """Raise an error where maps are of another kind than those of the training, and the network cannot read them.

        Raises
        ------
        ModelError
            Naming what differs.
        """
        windows, blocks = shards.config.windows, shards.config.blocks
        if self.network.rate_hz is not None:
            return
        ours = (self.metadata.clock, self.metadata.rate_hz)
        theirs = (windows.clock, windows.rate_hz if windows.clock == "uniform" else None)
        if ours != theirs:
            raise ModelError(
                f"{shards.root}: has the {_clock(*theirs)}, the network was trained on the {_clock(*ours)}; build maps alike"
            )
        if blocks.rows * blocks.cols != self.metadata.blocks:
            raise ModelError(
                f"{shards.root}: has {blocks.rows} x {blocks.cols} blocks, the network was trained on {self.metadata.blocks}; "
                "build maps alike"
            )

    def data(self, shards: Shards, windows: Sequence[Window]) -> TrainingSet:
        """Load windows as the network reads them, on its device.

        Raises
        ------
        ModelError
            Where the maps are of another kind than those of the training.
        ShardError
            Where a shard is missing or damaged.
        """
        self.check_maps(shards)
        odd = next((one for one in windows if one.frames != self.metadata.samples), None)
        if odd and self.network.rate_hz is None:
            raise ModelError(
                f"{shards.root}: {odd.recording_id} has windows of {odd.frames} samples, the network was trained on {self.metadata.samples}"
            )
        return load_windows(type(self.network), shards, windows, self.device)

    def predict(self, shards: Shards, windows: Sequence[Window]) -> Rates:
        """Estimate the heart rate of windows.

        Parameters
        ----------
        shards : Shards
        windows : sequence of Window
            Of these maps, in any order.

        Returns
        -------
        Rates
            Arrays (W,), in the order of the windows.

        Raises
        ------
        ModelError, ShardError
            As :meth:`data`.
        """
        if not windows:
            self.check_maps(shards)
            return Rates(np.empty(0), np.empty(0))
        return predict_batches(self.network, batches(self.data(shards, windows), np.arange(len(windows))))

    def predict_trace(self, trace: Trace, starts: Sequence[int], duration_s: Sequence[float]) -> Rates:
        """Estimate the heart rate of windows of one video.

        Parameters
        ----------
        trace : BlockTrace
            On the clock of the network.
        starts : sequence of int
            First sample of each window; it has as many as those of the training.
        duration_s : sequence of float
            Length of each window.

        Returns
        -------
        Rates
            Arrays (W,).

        Raises
        ------
        ModelError
            Where the trace has another number of blocks than those of the training, and the network cannot read it.
        ShardError
            Where a window does not lie inside the trace.
        """
        blocks, samples = trace.means.shape[1], self.metadata.samples
        if blocks != self.metadata.blocks and self.network.rate_hz is None:
            raise ModelError(f"the trace has {blocks} blocks, the network was trained on {self.metadata.blocks}")
        windows = [
            Window("video", start, start + samples, 0.0, length_s, np.nan, np.nan, 1.0)
            for start, length_s in zip(starts, duration_s, strict=True)
        ]
        data = TrainingSet(lambda *_: Samples(trace.times_s, trace.means), windows, device=self.device)
        return predict_batches(self.network, batches(data, np.arange(len(windows))))


def load_windows(network: type[Network], shards: Shards, windows: Sequence[Window], device: torch.device | str) -> TrainingSet:
    """Load windows as a kind of network reads them.

    Raises
    ------
    ConfigError, ShardError, UnknownNameError
        As :class:`TrainingSet`.
    """
    read = recorded_samples(shards, network.rate_hz)
    return TrainingSet(read, windows, rate_hz=network.rate_hz, samples=network.samples, device=device)


def network_class(name: str) -> type[Network]:
    """Return the class of a network.

    Raises
    ------
    UnknownNameError
        Where no network has that name.
    """
    found: type[Network] = registry.load("networks", name)
    return found


@torch.inference_mode()
def predict_batches(network: Network, windows: Iterable[Batch]) -> Rates:
    """Estimate windows, in evaluation mode and float32.

    Returns
    -------
    Rates
        Arrays (W,).
    """
    was_training = network.training
    network.eval()
    found = [network.rates(network(*network.inputs(one)), one) for one in windows]
    network.train(was_training)
    return Rates(*(_joined(part) for part in zip(*found, strict=True))) if found else Rates(np.empty(0), np.empty(0))


def read_checkpoint(folder: Path, name: str) -> tuple[dict[str, Tensor], ModelMetadata]:
    """Read weights and their metadata. Neither file can run code.

    Raises
    ------
    ModelError
        Where one of the two is missing or damaged, or they do not belong together.
    """
    metadata = read_metadata(folder, name)
    return read_weights(folder / f"{name}.safetensors", metadata.sha256), metadata


def read_weights(path: Path, sha256: str = "") -> dict[str, Tensor]:
    """Read a file of weights, compared with its hash where one is given. It cannot run code.

    Raises
    ------
    ModelError
        Where it is missing or damaged, or another file than the one with that hash.
    """
    try:
        data = read_bytes(path, _MAX_BYTES)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); give a .safetensors file, restore a copy or train again"
        ) from None
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"{path}: is not the file that {path.with_suffix('.json').name} was written for; restore a copy or train again"
        )
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: holds no weights ({error}); give a .safetensors file, restore a copy or train again") from None


def _joined(parts: Sequence[Tensor]) -> npt.NDArray[Any]:
    return torch.cat(list(parts)).double().cpu().numpy()


def _clock(clock: str, rate_hz: float | None) -> str:
    return "native clock" if rate_hz is None else f"{clock} clock at {rate_hz:g} Hz"
