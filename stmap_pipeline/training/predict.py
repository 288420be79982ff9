"""Heart rates from a trained network, for windows of maps or for maps at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stmap_pipeline.errors import ModelError, StmapError
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.apply import predict_stack, predict_windows
from stmap_pipeline.training.checkpoint import ModelFacts, read_checkpoint
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.dataset import TrainingSet
from stmap_pipeline.training.devices import find_device
from stmap_pipeline.training.networks import Network, NetworkInput, configured_network

FloatArray = npt.NDArray[np.float64]


class Model:
    """A trained network that was read from a run; see :meth:`load`.

    Parameters
    ----------
    network : Network
    facts : ModelFacts
        What the checkpoint says of it.
    name : str
        Of the checkpoint: ``best`` or ``last``.
    device : torch.device
    """

    def __init__(self, network: Network, facts: ModelFacts, name: str, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.facts = facts
        self.name = name
        self.device = device

    @property
    def config(self) -> TrainConfig:
        """Settings of the training."""
        return self.facts.config

    @staticmethod
    def folds(run: Path) -> list[int]:
        """List the folds of a run that are trained to the end; 0 where it has no folds.

        Raises
        ------
        ModelError
            Where the folder is no run, or none of its folds is finished.
        """
        if not (run / "run.toml").is_file():
            there = "is no output of stmap train" if run.exists() else "there is no such folder"
            raise ModelError(f"{run}: {there}; give the folder of a run")
        folders = [one for one in run.glob("fold*") if one.name[4:].isdecimal() and (one / "last.json").is_file()]
        if not folders:
            raise ModelError(f"{run}: no fold is finished; run the same stmap train command again, with --resume")
        return sorted(int(one.name[4:]) for one in folders)

    @classmethod
    def load(cls, run: Path, fold: int | None = None, device: str | torch.device = "cpu") -> Model:
        """Read the network of one fold: the best epoch where one was chosen, otherwise the last.

        Parameters
        ----------
        run : Path
            Folder of a run, or a file of weights in one.
        fold : int, optional
            May be left out where the run has one alone.
        device : str or torch.device

        Raises
        ------
        ModelError
            Where something is missing, damaged or not ours, or it is not clear which fold is meant.
        ConfigError
            Where the device cannot be used.
        """
        if run.suffix == ".safetensors":
            return cls._read(run.parent, run.stem, device)
        folds = cls.folds(run)
        if fold is None and len(folds) == 1:
            fold = folds[0]
        if fold not in folds:
            asked = f"fold {fold} is not there or not finished" if fold is not None else "it is not clear which fold is meant"
            raise ModelError(f"{run}: {asked} (finished: {', '.join(map(str, folds))})")
        folder = run / f"fold{fold}"
        return cls._read(folder, "best" if (folder / "best.json").exists() else "last", device)

    @classmethod
    def _read(cls, folder: Path, name: str, device: str | torch.device) -> Model:
        weights, facts = read_checkpoint(folder, name)
        try:
            network = network_of(facts)
            network.load_state_dict(weights)
        except (StmapError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{folder / name}.safetensors: does not fit the network {facts.config.network!r} ({reason})") from None
        return cls(network, facts, name, find_device(str(device)))

    def check_maps(self, maps: Shards) -> None:
        """Make sure that maps are of the kind the network was trained on.

        Raises
        ------
        ModelError
            Naming what differs.
        """
        windows, blocks = maps.config.windows, maps.config.blocks
        ours = (self.facts.clock, self.facts.rate_hz)
        theirs = (windows.clock, windows.rate_hz if windows.clock == "uniform" else None)
        if ours != theirs:
            raise ModelError(
                f"{maps.root}: has the {_clock(*theirs)}, the network was trained on the {_clock(*ours)}; build maps alike"
            )
        if blocks.rows * blocks.cols != self.facts.blocks:
            raise ModelError(
                f"{maps.root}: has {blocks.rows} x {blocks.cols} blocks, the network was trained on {self.facts.blocks}; build maps alike"
            )

    def predict(self, maps: Shards, windows: Sequence[Window]) -> FloatArray:
        """Estimate the heart rate of windows.

        Parameters
        ----------
        maps : Shards
        windows : sequence of Window
            Of these maps, in any order.

        Returns
        -------
        (W,) array of float
            In beats per minute.

        Raises
        ------
        ModelError
            Where the maps are of another kind than those of the training.
        ShardError
            Where a shard is missing or damaged.
        """
        self.check_maps(maps)
        if odd := next((one for one in windows if one.frames != self.facts.samples), None):
            raise ModelError(
                f"{maps.root}: {odd.recording_id} has windows of {odd.frames} samples, the network was trained on {self.facts.samples}"
            )
        if not windows:
            return np.empty(0)
        data = TrainingSet(maps, windows, color=self.config.color, normalize=self.config.normalize, device=self.device)
        return predict_windows(self.network, data, np.arange(len(windows)), self.facts)

    def predict_maps(self, maps: Tensor, durations_s: npt.ArrayLike) -> FloatArray:
        """Estimate the heart rate of maps at hand, in the order of time.

        Parameters
        ----------
        maps : (B, C, N, T) tensor
            As :meth:`~stmap_pipeline.training.dataset.TrainingSet.maps` gives them.
        durations_s : (B,) array of float

        Returns
        -------
        (B,) array of float
            In beats per minute.

        Raises
        ------
        ModelError
            Where the maps have another size than those of the training.
        """
        shape = (self.facts.channels, self.facts.blocks, self.facts.samples)
        if maps.ndim != 4 or tuple(maps.shape[1:]) != shape:
            raise ModelError(f"the network reads maps of (channels, blocks, samples) {shape}, not {tuple(maps.shape[1:])}")
        return predict_stack(self.network, maps, np.asarray(durations_s, dtype=np.float64), self.facts)


def network_of(facts: ModelFacts) -> Network:
    """Build the network of a checkpoint, with random weights.

    Raises
    ------
    UnknownNameError
        Where no network has that name.
    """
    return configured_network(facts.config, NetworkInput(facts.channels, facts.blocks, facts.samples))


def _clock(clock: str, rate_hz: float | None) -> str:
    return "native clock" if rate_hz is None else f"{clock} clock at {rate_hz:g} Hz"
