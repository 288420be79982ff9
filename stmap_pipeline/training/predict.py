"""Heart rates from a trained network: for windows of a build, or for the trace of one video."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from stmap_pipeline.errors import ModelError, StmapError
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import Means, TrainingSet, find_device
from stmap_pipeline.training.networks import Network, NetworkInput, build_network
from stmap_pipeline.training.run_folder import ModelMetadata, finished_folds, fold_folder, read_metadata

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# enough to keep a GPU busy, and 12 MB of maps
_BATCH = 128
# a hundred times the built-in networks
_MAX_BYTES = 2**32


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
            shape = NetworkInput(metadata.channels, metadata.blocks, metadata.samples)
            network = build_network(config.network, shape, resize=config.resize, width=config.width)
            network.load_state_dict(weights)
        except (StmapError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{folder / name}.safetensors: does not fit the network {config.network!r} ({reason})") from None
        return cls(network, metadata, name, find_device(str(device)))

    def check_maps(self, shards: Shards) -> None:
        """Raise an error where maps are of another kind than those of the training.

        Raises
        ------
        ModelError
            Naming what differs.
        """
        windows, blocks = shards.config.windows, shards.config.blocks
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
        """Load windows with the color, the normalization and on the device of the network.

        Raises
        ------
        ModelError
            Where the maps are of another kind than those of the training.
        ShardError
            Where a shard is missing or damaged.
        """
        self.check_maps(shards)
        if odd := next((one for one in windows if one.frames != self.metadata.samples), None):
            raise ModelError(
                f"{shards.root}: {odd.recording_id} has windows of {odd.frames} samples, the network was trained on {self.metadata.samples}"
            )
        return TrainingSet(shards.trace, windows, color=self.config.color, normalize=self.config.normalize, device=self.device)

    def predict(self, shards: Shards, windows: Sequence[Window]) -> FloatArray:
        """Estimate the heart rate of windows.

        Parameters
        ----------
        shards : Shards
        windows : sequence of Window
            Of these maps, in any order.

        Returns
        -------
        (W,) array of float
            In beats per minute.

        Raises
        ------
        ModelError, ShardError
            As :meth:`data`.
        """
        if not windows:
            self.check_maps(shards)
            return np.empty(0)
        return predict_windows(self.network, self.data(shards, windows), np.arange(len(windows)), self.metadata)

    def predict_trace(self, trace: Means, starts: Sequence[int], duration_s: Sequence[float]) -> FloatArray:
        """Estimate the heart rate of windows of one video.

        Parameters
        ----------
        trace : BlockTrace
            On the clock of the training.
        starts : sequence of int
            First sample of each window; it has as many as those of the training.
        duration_s : sequence of float
            Length of each window.

        Returns
        -------
        (W,) array of float
            In beats per minute.

        Raises
        ------
        ModelError
            Where the trace has another number of blocks than those of the training.
        ShardError
            Where a window does not lie inside the trace.
        """
        blocks, samples = trace.means.shape[1], self.metadata.samples
        if blocks != self.metadata.blocks:
            raise ModelError(f"the trace has {blocks} blocks, the network was trained on {self.metadata.blocks}")
        windows = [
            Window("video", start, start + samples, 0.0, length_s, np.nan, np.nan, 1.0)
            for start, length_s in zip(starts, duration_s, strict=True)
        ]
        data = TrainingSet(lambda *_: trace, windows, color=self.config.color, normalize=self.config.normalize, device=self.device)
        return predict_windows(self.network, data, np.arange(len(windows)), self.metadata)


def predict_windows(network: nn.Module, data: TrainingSet, index: IntArray, metadata: ModelMetadata) -> FloatArray:
    """Estimate windows of a training set, in evaluation mode and float32.

    Parameters
    ----------
    network : Network
    data : TrainingSet
    index : (W,) array of int
        Positions in the set.
    metadata : ModelMetadata
        The unit of the output.

    Returns
    -------
    (W,) array of float
        In beats per minute.
    """
    output = np.empty(len(index))
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        for first in range(0, len(index), _BATCH):
            part = slice(first, first + _BATCH)
            output[part] = network(data.batch(torch.as_tensor(index[part]))).double().cpu().numpy()
    network.train(was_training)
    target = output * metadata.target_scale + metadata.target_mean
    return target if metadata.config.target == "bpm" else target * 60 / data.duration_s[index]


def read_checkpoint(folder: Path, name: str) -> tuple[dict[str, Tensor], ModelMetadata]:
    """Read weights and their metadata. Neither file can run code.

    Raises
    ------
    ModelError
        Where one of the two is missing or damaged, or they do not belong together.
    """
    metadata = read_metadata(folder, name)
    path = folder / f"{name}.safetensors"
    try:
        data = read_bytes(path, _MAX_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); restore a copy or train again") from None
    if hashlib.sha256(data).hexdigest() != metadata.sha256:
        raise ModelError(
            f"{path}: is not the file that {path.with_suffix('.json').name} was written for; restore a copy or train again"
        )
    try:
        return load(data), metadata
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: holds no weights ({error}); restore a copy or train again") from None


def _clock(clock: str, rate_hz: float | None) -> str:
    return "native clock" if rate_hz is None else f"{clock} clock at {rate_hz:g} Hz"
