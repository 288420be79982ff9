"""Train a network for each fold of a build: what ``stmap train`` does, from the check of the settings to the last file.

:func:`plan_training` checks everything and writes nothing. :func:`run_training` calls :func:`train_fold` for each fold, which holds
the loop. Its terms:

* A *batch* is ``config.batch`` windows, drawn without replacement; each epoch has another order. Under ``torchrun`` each process
  takes its share of every batch. The maps are made on the device, see :mod:`~stmap_pipeline.training.data`.
* The *target* is the number of beats in the window (or the heart rate) in standard units of the training windows.
* The *loss* is the mean absolute error of the output from the target.
* The *optimizer* is Adam; the learning rate rises in a straight line and falls along half a cosine, see :func:`learning_rate`.
* After each epoch the validation windows are estimated, and everything that the next epoch depends on is *saved*, in one file. A run
  that was stopped resumes after its last finished epoch, and ends with the same weights.
* After the last epoch the windows held out are estimated by the weights of the best epoch.

All random numbers come from the seed, the fold and the epoch, so that nothing about them has to be saved.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
import time
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stmap_pipeline import registry
from stmap_pipeline.errors import ConfigError, ModelError, OutputError
from stmap_pipeline.files import atomic_write_bytes, atomic_write_text, remove_temporaries
from stmap_pipeline.lock import locked
from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.shards import Shards, read_table, write_table
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import TrainingSet, find_device
from stmap_pipeline.training.networks import Network, NetworkInput, build_network, load_trunk
from stmap_pipeline.training.predict import FloatArray, predict_windows
from stmap_pipeline.training.protocol import FoldSplit, Protocol, plan_protocol
from stmap_pipeline.training.run_folder import (
    HISTORY,
    MAPS,
    PREDICTIONS,
    RESUME,
    RUN,
    SETTINGS,
    MapsMetadata,
    ModelMetadata,
    finished_folds,
    fold_folder,
    maps_metadata,
    run_status,
)
from stmap_pipeline.version import __version__

_PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
_REPORT_EVERY_S = 0.2
# what a seed is for, so that no two uses share a sequence
_WEIGHTS, _ORDER, _EPOCH = 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class TrainPlan:
    """What a run will train, made by :func:`plan_training`.

    Parameters
    ----------
    shards : Shards
    out : Path
    config : TrainConfig
    protocol : Protocol
    maps : MapsMetadata
    """

    shards: Shards
    out: Path
    config: TrainConfig
    protocol: Protocol
    maps: MapsMetadata

    @property
    def to_do(self) -> list[FoldSplit]:
        """The folds that are not finished."""
        done = finished_folds(self.out)
        return [one for one in self.protocol.splits if one.fold not in done]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.to_do and (self.out / RUN).is_file()

    def steps(self, split: FoldSplit) -> int:
        """Return the number of optimizer steps of a fold."""
        return self.config.epochs * epoch_size(len(split.training), self.config)[1]


@dataclass(frozen=True, slots=True)
class Progress:
    """State of the training of a fold.

    Parameters
    ----------
    fold : int
    epoch, epochs : int
        The epoch in progress or just finished, from 1, and the number of all.
    step, steps : int
        Finished steps and all steps of the fold.
    train_loss : float
        Mean of the epoch so far.
    validation_mae_bpm : float
        After the epoch; NaN before its end and without validation.
    windows_per_s : float
        Of the epoch so far.
    epoch_done : bool
    """

    fold: int
    epoch: int
    epochs: int
    step: int
    steps: int
    train_loss: float
    validation_mae_bpm: float
    windows_per_s: float
    epoch_done: bool = False


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Result of a fold.

    Parameters
    ----------
    fold : int
    folder : Path
    epoch : int
        Whose weights are used.
    windows : int
        Number of windows held out; 0 where all subjects were trained on.
    mae_bpm : float
        Their mean absolute error; NaN where there are none.
    constant_mae_bpm : float
        The same where each of them is estimated by the mean heart rate of the training windows.
    """

    fold: int
    folder: Path
    epoch: int
    windows: int
    mae_bpm: float
    constant_mae_bpm: float


def plan_training(
    maps: Path, out: Path, config: TrainConfig | None = None, *, folds: Collection[int] = (), resume: bool = False
) -> TrainPlan:
    """Check maps, settings and run folder; nothing is written.

    Parameters
    ----------
    maps : Path
        The output of ``stmap build-maps``.
    out : Path
        Of the run.
    config : TrainConfig, optional
    folds : collection of int
        Only these of the official folds; others may follow in a later call.
    resume : bool
        Whether a run that was stopped may be resumed.

    Raises
    ------
    ShardError
        Where the maps are unfinished or damaged, or lack what the protocol needs.
    UnknownNameError
        Where a fold, the network or the color space is unknown.
    ConfigError
        Where settings exclude each other, or the initial weights do not fit.
    OutputError
        Where the folder has other settings or other maps or is no run; or the run was stopped and ``resume`` is not set.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> plan = plan_training(example_maps(), Path("nowhere"), TrainConfig(validation_share=0))
    >>> [one.fold for one in plan.to_do], plan.finished
    ([1, 2], False)
    """
    config = config or TrainConfig()
    if config.network not in registry.names("networks"):
        registry.load("networks", config.network)
    channels = len(channel_names(config.color))
    shards = Shards(maps)
    protocol = plan_protocol(shards, config, folds)
    if config.init is not None:
        grid = shards.config.blocks
        with torch.random.fork_rng([]):
            initial_network(config, NetworkInput(channels, grid.rows * grid.cols, protocol.windows[0].frames))
    identity = maps_metadata(shards)
    if run_status(out, config, identity) == "unfinished" and not resume:
        raise OutputError(f"{out}: holds a run that was stopped; the same command with --resume continues it")
    return TrainPlan(shards, out, config, protocol, identity)


def run_training(plan: TrainPlan, device: str = "auto") -> Generator[Progress | FoldResult, None, None]:
    """Train the folds that are not finished.

    A run may be killed at any time, and the iterator closed; what is lost is the epoch in progress. A resumed run gives the same
    weights as one that was never stopped: bit by bit on a CPU with the same number of threads. Under ``torchrun`` each process calls
    this; gradients are averaged, and the first process alone writes and yields results of folds.

    Parameters
    ----------
    plan : TrainPlan
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``; under torchrun ``cuda`` is the GPU of the process's own number.

    Yields
    ------
    Progress or FoldResult

    Raises
    ------
    ConfigError
        Where the device cannot be used, or the loss is not finite.
    OutputError
        Where the system refuses to write, or another process trains in the folder.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.shards.example import example_maps
    >>> config = TrainConfig(network="resnet18", epochs=1, validation_share=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plan = plan_training(example_maps(), Path(folder) / "run", config, folds=[2])
    ...     events = list(run_training(plan, "cpu"))
    ...     print(events[-2].epoch_done, events[-1].fold, events[-1].windows, (plan.out / "run.json").exists())
    True 2 3 True
    """
    if plan.finished:
        return
    config, out = plan.config, plan.out
    fabric = start_fabric(device, config.precision)
    with ExitStack() as stack:
        # all processes have read the run before the first one writes
        fabric.barrier()
        if fabric.is_global_zero:
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(out))
            remove_temporaries(out)
            for name in (RUN, "predictions.csv", "predictions.json"):
                (out / name).unlink(missing_ok=True)
            atomic_write_text(out / MAPS, plan.maps.model_dump_json(indent=1) + "\n")
            atomic_write_text(out / SETTINGS, config.to_toml())
        fabric.barrier()
        on_gpu = fabric.device.type == "cuda"
        stack.enter_context(torch.random.fork_rng([fabric.device] if on_gpu else []))
        if on_gpu:
            # all batches have one size, or two: worth looking for the fastest convolution
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, benchmark=True))
        if to_do := plan.to_do:
            as_trained: Any = {"color": config.color, "normalize": config.normalize}
            data = TrainingSet(plan.shards.trace, plan.protocol.windows, device=fabric.device, **as_trained)
            for split in to_do:
                with _tensorboard(plan, split) if fabric.is_global_zero else nullcontext() as board:
                    yield from train_fold(fabric, data, split, plan, board)
        if fabric.is_global_zero:
            _finish_run(plan, fabric.device)
        fabric.barrier()


def train_fold(
    fabric: Fabric, data: TrainingSet, split: FoldSplit, plan: TrainPlan, board: Any = None
) -> Iterator[Progress | FoldResult]:
    """Train one fold: epochs of batches, validation and saving after each epoch, predictions at the end.

    Parameters
    ----------
    fabric : Fabric
    data : TrainingSet
        All windows of the run.
    split : FoldSplit
    plan : TrainPlan
    board : torch.utils.tensorboard.SummaryWriter, optional
        Receives the history, too.
    """
    config, folder = plan.config, fold_folder(plan.out, split.fold)
    target = data.heart_rate_bpm if config.target == "bpm" else data.heart_rate_bpm * data.duration_s / 60
    metadata = _metadata(plan, data, split, target[split.training])
    standard = (target - metadata.target_mean) / metadata.target_scale
    targets = torch.as_tensor(standard, dtype=torch.float32, device=fabric.device)

    windows, steps = epoch_size(len(split.training), config)
    if windows // steps < fabric.world_size:
        raise ConfigError(
            f"fold {split.fold}: batches of {config.batch} are too small for {fabric.world_size} processes; use --batch"
        )

    torch.manual_seed(_seed(_WEIGHTS, config.seed, split.fold))
    network = initial_network(config, data.shape).to(fabric.device).train()
    adam = torch.optim.Adam(
        network.parameters(),
        config.learning_rate,
        weight_decay=config.weight_decay,
        # with float16 the gradients are scaled, and a fused step would have to see them before they are clipped
        fused=fabric.strategy.precision.precision != "16-mixed",
    )
    state = TrainState(network, adam, fabric)
    state.restore(folder / RESUME)
    model, optimizer = fabric.setup(network, adam)

    seconds_before = state.history[-1]["seconds"] if state.history else 0.0
    begin_s = reported_s = time.monotonic()
    for epoch in range(len(state.history), config.epochs):
        # masks and dropout differ between processes, the order of the windows does not
        torch.manual_seed(_seed(_EPOCH, config.seed, split.fold, epoch, fabric.global_rank))
        order = np.random.default_rng((_ORDER, config.seed, split.fold, epoch)).permutation(split.training)[:windows]
        epoch_s, seen = time.monotonic(), 0
        loss_sum = torch.zeros((), dtype=torch.float64, device=fabric.device)
        # of nearly the same size: batch normalization needs more than a last batch of two windows
        for step, batch in enumerate(np.array_split(order, steps), epoch * steps):
            rate = learning_rate(config.learning_rate, step, config.epochs * steps, config.warmup_share)
            for group in optimizer.param_groups:
                group["lr"] = rate
            index = torch.as_tensor(batch[fabric.global_rank :: fabric.world_size])
            output = model(data.batch(index, config.mask_frames))
            loss = (output - targets[index.to(fabric.device)]).abs().mean()
            optimizer.zero_grad(set_to_none=True)
            # gradients are averaged over processes, and one of these may have a window more than another
            fabric.backward(loss * (len(index) * fabric.world_size / len(batch)))
            fabric.clip_gradients(model, optimizer, max_norm=config.gradient_clip, error_if_nonfinite=False)
            optimizer.step()

            seen += len(index)
            loss_sum += loss.detach().double() * len(index)
            now_s = time.monotonic()
            if now_s - reported_s >= _REPORT_EVERY_S:
                reported_s = now_s
                yield Progress(
                    split.fold, epoch + 1, config.epochs, step + 1, config.epochs * steps,
                    loss_sum.item() / seen, math.nan, seen * fabric.world_size / (now_s - epoch_s),
                )  # fmt: skip

        total: Any = fabric.all_reduce(loss_sum, reduce_op="sum")
        train_loss = float(total) / windows
        windows_per_s = windows / (time.monotonic() - epoch_s)
        if not math.isfinite(train_loss):
            raise ConfigError(
                f"fold {split.fold}, epoch {epoch + 1}: the loss is not finite; train into another folder with a learning rate "
                f"below {config.learning_rate:g}"
            )
        mae_bpm = math.nan
        if fabric.is_global_zero and len(split.validation):
            mae_bpm = _mae(predict_windows(network, data, split.validation, metadata), data.heart_rate_bpm[split.validation])
        state.end_epoch(
            {
                "epoch": epoch + 1, "step": (epoch + 1) * steps, "train_loss": train_loss, "validation_mae_bpm": mae_bpm,
                "learning_rate": rate, "windows_per_s": windows_per_s, "seconds": seconds_before + time.monotonic() - begin_s,
            }
        )  # fmt: skip
        if fabric.is_global_zero:
            for name in ("train_loss", "validation_mae_bpm", "learning_rate", "windows_per_s"):
                if board is not None and not math.isnan(state.history[-1][name]):
                    board.add_scalar(name, state.history[-1][name], epoch + 1)
            write_table(folder / "history.csv", HISTORY, state.history)
            state.save(folder / RESUME)
        yield Progress(
            split.fold, epoch + 1, config.epochs, (epoch + 1) * steps, config.epochs * steps,
            train_loss, mae_bpm, windows_per_s, epoch_done=True,
        )  # fmt: skip

    if fabric.is_global_zero:
        yield _finish_fold(state, data, split, metadata, folder)


def initial_network(config: TrainConfig, shape: NetworkInput) -> Network:
    """Return the network of a training before its first step: random weights, or those of ``config.init``.

    Raises
    ------
    ConfigError
        Where the file of weights cannot be read or does not fit.
    """
    network = build_network(config.network, shape, resize=config.resize, width=config.width)
    if config.init is not None:
        load_trunk(network, Path(config.init))
    return network


def start_fabric(device: str, precision: str) -> Fabric:
    """Return Fabric on one device, or joined with the other processes that ``torchrun`` started.

    Raises
    ------
    ConfigError
        Where the device cannot be used, or has no such precision.
    """
    found = find_device(device)
    if precision == "auto":
        # older GPUs only imitate bfloat16, slowly
        half = "bfloat16" if found.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
        precision = half if found.type == "cuda" else "float32"
    if precision == "float16" and found.type == "cpu":
        raise ConfigError("precision float16 needs a GPU; use float32 or bfloat16")
    # Fabric logs each start to stderr
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    fabric = Fabric(
        accelerator=found.type,
        strategy="ddp" if processes > 1 else "auto",
        devices=here if processes > 1 or found.type == "cpu" else [found.index or 0],
        num_nodes=processes // here,
        precision=_PRECISIONS[precision],
        plugins=[TorchElasticEnvironment() if processes > 1 else LightningEnvironment()],
    )
    fabric.launch()
    return fabric


def epoch_size(windows: int, config: TrainConfig) -> tuple[int, int]:
    """Return how many windows an epoch draws of the training windows, and in how many steps.

    Examples
    --------
    >>> epoch_size(130, TrainConfig(batch=64)), epoch_size(130, TrainConfig(batch=64, windows_per_epoch=50))
    ((130, 3), (50, 1))
    """
    drawn = min(windows, config.windows_per_epoch or windows)
    return drawn, math.ceil(drawn / config.batch)


def learning_rate(largest: float, step: int, steps: int, warmup_share: float = 0.05) -> float:
    """Return the learning rate of a step: a straight rise, then half a cosine down to 0.

    With the end at 0 the last epoch is about as good as the best, for any number of epochs.

    Examples
    --------
    >>> [round(learning_rate(1.0, step, 100), 3) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.508, 0.0]
    """
    rising = warmup_share * steps
    if step < rising:
        return largest * min(1.0, (step + 1) / rising)
    return largest * 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))


class TrainState:
    """Everything that the next epoch depends on: weights, optimizer, history, and the weights of the best epoch.

    Parameters
    ----------
    network : Network
    optimizer : torch.optim.Optimizer
    fabric : Fabric
        Its precision has a state: the scale of the gradients in float16.
    """

    def __init__(self, network: Network, optimizer: torch.optim.Optimizer, fabric: Fabric) -> None:
        self.network = network
        self.optimizer = optimizer
        self.precision = fabric.strategy.precision
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] = {}

    @property
    def best_row(self) -> dict[str, Any]:
        """Row of the history with the smallest validation error; the last one without validation."""
        known = [one for one in self.history if not math.isnan(one["validation_mae_bpm"])]
        return min(known, key=lambda one: float(one["validation_mae_bpm"])) if known else self.history[-1]

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Append a row to the history, and keep the weights where no earlier epoch was better."""
        self.history.append(row)
        if not math.isnan(row["validation_mae_bpm"]) and self.best_row is row:
            self.best = {name: one.detach().clone() for name, one in self.network.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write the state atomically.

        Raises
        ------
        OutputError
            Where the system refuses to write.
        """
        tensors = {f"network/{name}": one for name, one in self.network.state_dict().items()}
        tensors |= {f"best/{name}": one for name, one in self.best.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{name}": one for name, one in moments.items()}
        rest = {"history": self.history, "precision": self.precision.state_dict()}
        atomic_write_bytes(path, _to_bytes(tensors, {"stmap": json.dumps(rest)}))

    def restore(self, path: Path) -> None:
        """Read the state of the last finished epoch; nothing happens where the file is not there.

        Raises
        ------
        ModelError
            Where the file is damaged or of another network.
        """
        if not path.exists():
            return
        parameters = list(self.network.parameters())
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
        moments: dict[int, dict[str, Tensor]] = {}
        try:
            with safe_open(path, framework="pt") as file:
                rest = json.loads((file.metadata() or {})["stmap"])
                for key in file.keys():  # noqa: SIM118 - it is no mapping
                    part, _, name = key.partition("/")
                    parts[part][name] = file.get_tensor(key)
            for key, value in parts["optimizer"].items():
                number, _, name = key.partition("/")
                # in the memory order of its parameter: rounding depends on it
                like = parameters[int(number)]
                kept = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
                moments.setdefault(int(number), {})[name] = kept
            self.network.load_state_dict(parts["network"])
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
            self.precision.load_state_dict(rest["precision"])
            self.best, self.history = parts["best"], rest["history"]
        except (SafetensorError, OSError, ValueError, LookupError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"{path}: cannot be resumed from ({reason}); remove {path.parent} and run the same command again"
            ) from None


def write_checkpoint(folder: Path, name: str, weights: Mapping[str, Tensor], metadata: ModelMetadata) -> None:
    """Write ``name.safetensors``, then ``name.json`` with the hash of the other, each atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    data = _to_bytes(weights)
    known = metadata.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    atomic_write_bytes(folder / f"{name}.safetensors", data)
    atomic_write_text(folder / f"{name}.json", known.model_dump_json(indent=1) + "\n")


def _finish_fold(state: TrainState, data: TrainingSet, split: FoldSplit, metadata: ModelMetadata, folder: Path) -> FoldResult:
    """Write predictions and checkpoints; ``last.json`` comes last and marks the fold as finished."""
    last = {name: one.detach().clone() for name, one in state.network.state_dict().items()}
    if state.best:
        state.network.load_state_dict(state.best)
    name, index = "best" if state.best else "last", split.evaluation
    predicted_bpm = predict_windows(state.network, data, index, metadata)
    rows = [
        {
            column: getattr(data.windows[one], column)
            for column in ("recording_id", "start", "stop", "start_s", "stop_s", "heart_rate_bpm")
        }
        | {"fold": split.fold, "predicted_bpm": bpm, "checkpoint": name}
        for one, bpm in zip(index.tolist(), predicted_bpm.tolist(), strict=True)
    ]
    write_table(folder / "predictions.csv", PREDICTIONS, rows)
    for kind, weights, row in (("best", state.best, state.best_row), ("last", last, state.history[-1])):
        if weights:
            mae_bpm = row["validation_mae_bpm"]
            about = {"epoch": row["epoch"], "validation_mae_bpm": None if math.isnan(mae_bpm) else mae_bpm}
            write_checkpoint(folder, kind, weights, metadata.model_copy(update=about))
    (folder / RESUME).unlink(missing_ok=True)
    true_bpm = data.heart_rate_bpm[index]
    constant_bpm = data.heart_rate_bpm[split.training].mean()
    return FoldResult(
        split.fold, folder, state.best_row["epoch"], len(index), _mae(predicted_bpm, true_bpm), _mae(constant_bpm, true_bpm)
    )


def _finish_run(plan: TrainPlan, device: torch.device) -> None:
    """Gather the predictions of all folds, and write ``run.json``."""
    config, out = plan.config, plan.out
    folds = finished_folds(out)
    for fold in folds:
        # a kill between the last checkpoint and its removal leaves it
        (fold_folder(out, fold) / RESUME).unlink(missing_ok=True)
    rows = [row for fold in folds for row in read_table(fold_folder(out, fold) / "predictions.csv")]
    write_table(out / "predictions.csv", PREDICTIONS, rows)
    content = {
        "format": "stmap-run",
        "schema_version": 1,
        "software": f"stmap {__version__}",
        "finished": True,
        **{key: getattr(config, key) for key in ("network", "protocol", "augment", "color", "normalize", "target", "seed")},
        "folds": folds,
        "maps": plan.maps.model_dump(),
        "clock": plan.shards.config.windows.clock,
        "device": str(device),
        "seconds": sum(read_table(fold_folder(out, fold) / "history.csv")[-1]["seconds"] for fold in folds),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }
    atomic_write_text(out / RUN, json.dumps(content, indent=1) + "\n")


def _metadata(plan: TrainPlan, data: TrainingSet, split: FoldSplit, target: FloatArray) -> ModelMetadata:
    clock, scale = plan.shards.config.windows, float(target.std())
    return ModelMetadata(
        channels=data.shape.channels,
        blocks=data.shape.blocks,
        samples=data.shape.samples,
        clock=clock.clock,
        rate_hz=clock.rate_hz if clock.clock == "uniform" else None,
        target_mean=float(target.mean()),
        # where all windows have one heart rate there is no scale
        target_scale=scale if scale > 1e-6 else 1.0,
        fold=split.fold,
        maps=plan.maps,
        config=plan.config,
    )


def _tensorboard(plan: TrainPlan, split: FoldSplit) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(fold_folder(plan.out, split.fold) / "tensorboard"))


def _mae(estimate_bpm: FloatArray | float, true_bpm: FloatArray) -> float:
    return float(np.abs(estimate_bpm - true_bpm).mean()) if len(true_bpm) else math.nan


def _to_bytes(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    # save_file of safetensors has an error of its own for a full disk
    return save({name: one.detach().cpu().contiguous() for name, one in tensors.items()}, metadata)


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
