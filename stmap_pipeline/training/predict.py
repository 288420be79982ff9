"""Heart rates from a trained network: for windows of a build, or for the trace of one video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stmap_pipeline import registry
from stmap_pipeline.errors import ModelError, ShardError, UnknownNameError
from stmap_pipeline.records import BlockTrace, Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.torch import Batch, MapDataset
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import VALIDATION_BATCH, batches
from stmap_pipeline.training.device import find_device
from stmap_pipeline.training.networks import Network, Rates, build_network
from stmap_pipeline.training.run_folder import WEIGHTS, ModelMetadata, finished_folds, fold_folder, parse_json
from stmap_pipeline.training.tensor_file import read_tensors


class Model:
    """A trained network, read from a run by :meth:`load`.

    Parameters
    ----------
    network : Network
    metadata : ModelMetadata
    device : torch.device
    """

    def __init__(self, network: Network, metadata: ModelMetadata, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.metadata = metadata
        self.device = device

    @property
    def config(self) -> TrainConfig:
        """Settings of the training."""
        return self.metadata.config

    @staticmethod
    def folds(run: str | Path) -> list[int]:
        """List the finished folds of a run; 0 where it has no folds.

        Raises
        ------
        ModelError
            Where the folder is no run, or none of its folds is finished.
        """
        run = Path(run)
        if not (run / "run.toml").is_file():
            reason = "is no output of stmap train" if run.exists() else "there is no such folder"
            raise ModelError(f"{run}: {reason}; give the folder of a run")
        folds = finished_folds(run)
        if not folds:
            raise ModelError(f"{run}: no fold is finished; run the same stmap train command again, with --resume")
        return folds

    @classmethod
    def load(cls, run: str | Path, fold: int | None = None, device: str | torch.device = "cpu") -> Model:
        """Read the network of one fold.

        Parameters
        ----------
        run : str or Path
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
        run = Path(run)
        path = run
        if run.suffix != ".safetensors":
            folds = cls.folds(run)
            if (fold is None and len(folds) > 1) or fold not in (None, *folds):
                raise ModelError(f"{run}: give one of the folds that are finished ({', '.join(map(str, folds))})")
            path = fold_folder(run, folds[0] if fold is None else fold) / WEIGHTS
        weights, text = read_tensors(path)
        metadata = parse_json(path, text, ModelMetadata)
        config = metadata.config
        try:
            network = build_network(config.network, **config.network_options)
            network.load_state_dict(weights)
        except UnknownNameError:
            raise ModelError(
                f"{path}: was trained with the network {config.network!r}, which is not known here: install the package that adds it "
                "to the entry-point group stmap.networks, or register it first"
            ) from None
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: does not fit the network {config.network!r} ({str(error).splitlines()[0]})") from None
        return cls(network, metadata, find_device(str(device)))

    def data(self, shards: Shards, windows: Sequence[Window]) -> MapDataset:
        """Load windows as the network reads them, on its device.

        Raises
        ------
        ModelError
            Where the windows are of another kind than those of the training, and the network cannot read them.
        ShardError
            Where a shard is missing or damaged.
        """
        if self.network.rate_hz is None:
            ours, grid = self.metadata, shards.config.blocks
            trained = _kind(ours.clock, ours.rate_hz, ours.blocks, [ours.samples])
            theirs = _kind(*clock_of(shards), grid.rows * grid.cols, sorted({one.frames for one in windows}))
            if theirs != trained:
                raise ModelError(f"{shards.root}: has {theirs}; the network was trained on {trained}; build maps alike")
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
            return Rates(np.empty(0), np.empty(0))
        return predict_batches(self.network, batches(self.data(shards, windows), np.arange(len(windows))))

    def predict_trace(self, trace: BlockTrace, starts: Sequence[int], duration_s: Sequence[float]) -> Rates:
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
        frames = len(trace.means)
        if outside := [one for one in starts if not 0 <= one <= frames - samples]:
            raise ShardError(f"samples {outside[0]} to {outside[0] + samples} do not lie inside the trace of {frames} samples")
        means, length_s = torch.from_numpy(trace.means), torch.as_tensor(duration_s, dtype=torch.float32)

        def windows(part: Sequence[int]) -> Batch:
            cut = torch.stack([means[starts[one] : starts[one] + samples] for one in part]).to(self.device)
            return Batch(cut, None, None, torch.full((len(part),), torch.nan), length_s[part].to(self.device))

        parts = np.array_split(np.arange(len(starts)), -(-len(starts) // VALIDATION_BATCH))
        return predict_batches(self.network, (windows(part.tolist()) for part in parts))


def load_windows(network: type[Network], shards: Shards, windows: Sequence[Window], device: torch.device | str) -> MapDataset:
    """Load windows as a kind of network reads them.

    Raises
    ------
    ConfigError, ShardError, UnknownNameError
        As :class:`MapDataset`.
    """
    traces = MapDataset(
        shards, windows, output="trace", rate_hz=network.rate_hz, samples=network.samples, pulse=network.rate_hz is not None
    )
    return traces.to(device)


def clock_of(shards: Shards) -> tuple[str, float | None]:
    """Return the clock of the windows of a build, and its rate in hertz where it is uniform."""
    windows = shards.config.windows
    return windows.clock, windows.rate_hz if windows.clock == "uniform" else None


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


def _joined(parts: Sequence[Tensor]) -> npt.NDArray[Any]:
    return torch.cat(list(parts)).double().cpu().numpy()


def _kind(clock: str, rate_hz: float | None, blocks: int, samples: Sequence[int]) -> str:
    clock = f"{clock} clock" if rate_hz is None else f"{clock} clock at {rate_hz:g} Hz"
    return f"the {clock}, {blocks} blocks, and windows of {', '.join(map(str, samples))} samples"
