"""Train networks by a plan: what ``stmap train`` does, to the last file.

:func:`~stmap_pipeline.training.plan.plan_training` has checked everything. :func:`run_training` calls :func:`train_fold` for each fold,
which holds the loop; on simulated windows there is one fold, 0. The terms of the loop:

* A *batch* is ``config.batch`` windows, see :mod:`~stmap_pipeline.training.data`. Under ``torchrun`` each process takes its share of
  every batch.
* *Inputs*, *loss* and *heart rates* are the network's own, see :class:`~stmap_pipeline.training.networks.base.Network`.
* The *optimizer* is AdamW, or Muon and AdamW (:mod:`~stmap_pipeline.training.optimizer`); the learning rate rises in a straight line
  and falls along half a cosine, see :func:`learning_rate`.
* With ``config.ema_decay`` the weights that are used are an exponential moving average of those that learn.
* After each epoch the validation windows are estimated, and everything that the next epoch depends on
  (:mod:`~stmap_pipeline.training.state`) is *saved*, in one file. A run that was stopped resumes after its last finished epoch, and ends with the same weights.
* After the last epoch the windows held out are estimated by the weights of the best epoch; a training on
  simulated windows keeps those of the last.

All random numbers come from the seed, the fold and the epoch, so that nothing about them has to be saved.
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.lock import locked
from stmap_pipeline.shards import read_table, write_table
from stmap_pipeline.torch import MapDataset
from stmap_pipeline.training.data import (
    FloatArray,
    RecordedSource,
    SimulatedSource,
    Source,
    batches,
)
from stmap_pipeline.training.device import start_fabric
from stmap_pipeline.training.forecast import Forecast, measure_forecast
from stmap_pipeline.training.networks import Network
from stmap_pipeline.training.plan import TrainPlan, initial_network
from stmap_pipeline.training.predict import clock_of, load_windows, network_class, predict_batches
from stmap_pipeline.training.protocol import FoldSplit, training_mean_bpm
from stmap_pipeline.training.run_folder import (
    HISTORY,
    OF_WINDOW,
    PREDICTIONS,
    RESUME,
    RUN,
    WEIGHTS,
    ModelMetadata,
    begin_run,
    finished_folds,
    fold_folder,
)
from stmap_pipeline.training.state import TrainState
from stmap_pipeline.training.tensor_file import read_tensors, write_tensors
from stmap_pipeline.version import __version__

_REPORT_EVERY_S = 0.2
_LARGEST_GRADIENT = 1.0
_WARMUP_SHARE = 0.05
# what a seed is for, so that no two uses share a sequence
_WEIGHTS, _EPOCH = 1, 3


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
    validation_mae_bpm : float
        Of the windows that the epoch was chosen on, by these weights; NaN without validation.
    videos, windows : int
        Number of videos held out, and of their windows; 0 where all subjects were trained on.
    mae_bpm : float
        Mean absolute error of these videos, as an evaluation has it; NaN where there are none.
    constant_mae_bpm : float
        The same where each of them is estimated by the mean heart rate of the training videos.
    """

    fold: int
    folder: Path
    epoch: int
    validation_mae_bpm: float
    videos: int
    windows: int
    mae_bpm: float
    constant_mae_bpm: float


def run_training(plan: TrainPlan, device: str = "auto") -> Generator[Forecast | Progress | FoldResult, None, None]:
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
    Forecast, Progress or FoldResult

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
    >>> from stmap_pipeline.training import TrainConfig, plan_training
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
            begin_run(out, config, plan.maps, replace=plan.replaces)
        fabric.barrier()
        on_gpu = fabric.device.type == "cuda"
        stack.enter_context(torch.random.fork_rng([fabric.device] if on_gpu else []))
        if on_gpu:
            # all batches have one size, or two: worth looking for the fastest convolution
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, benchmark=True))
        data: MapDataset | None = None
        if (to_do := plan.to_do) and plan.shards is not None:
            data = load_windows(network_class(config.network), plan.shards, plan.protocol.windows, fabric.device)
        sources: list[Source] = [
            SimulatedSource(config, fabric.device) if data is None else RecordedSource(data, one, config) for one in to_do
        ]
        if to_do:
            yield measure_forecast(fabric, plan, sources[0])
        for split, source in zip(to_do, sources, strict=True):
            yield from train_fold(fabric, source, split, plan, data)
        if fabric.is_global_zero:
            _finish_run(plan, fabric.device)
        fabric.barrier()


def train_fold(
    fabric: Fabric, source: Source, split: FoldSplit, plan: TrainPlan, data: MapDataset | None = None
) -> Iterator[Progress | FoldResult]:
    """Train one fold: epochs of batches, validation and saving after each epoch, predictions at the end.

    Parameters
    ----------
    fabric : Fabric
    source : RecordedSource or SimulatedSource
        Training and validation windows.
    split : FoldSplit
    plan : TrainPlan
    data : MapDataset, optional
        All windows of the run, those held out included.
    """
    config, folder = plan.config, fold_folder(plan.out, split.fold)
    if source.windows // source.steps < fabric.world_size:
        raise ConfigError(
            f"fold {split.fold}: batches of {config.batch} are too small for {fabric.world_size} processes; use --batch"
        )
    torch.manual_seed(_seed(_WEIGHTS, config.seed, split.fold))
    network = initial_network(config)
    network.fit_target(*source.labels())
    state = TrainState(network.to(fabric.device).train(), config)
    state.restore(folder / RESUME)
    model, optimizer = fabric.setup(network, state.optimizer)

    steps = config.epochs * source.steps
    seconds_before = state.history[-1]["seconds"] if state.history else 0.0
    begin_s = reported_s = time.monotonic()
    for epoch in range(len(state.history), config.epochs):
        # dropout differs between processes, the order of the windows does not
        torch.manual_seed(_seed(_EPOCH, config.seed, split.fold, epoch, fabric.global_rank))
        epoch_s, seen = time.monotonic(), 0
        loss_sum = torch.zeros((), dtype=torch.float64, device=fabric.device)
        shares = source.epoch(epoch, fabric.global_rank, fabric.world_size)
        for step, (batch, whole) in enumerate(shares, epoch * source.steps):
            rate = learning_rate(config.learning_rate, step, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = network.loss(model(*network.inputs(batch)), batch)
            optimizer.zero_grad(set_to_none=True)
            # gradients are averaged over processes, and one of these may have a window more than another
            fabric.backward(loss * (len(batch) * fabric.world_size / whole))
            fabric.clip_gradients(model, optimizer, max_norm=_LARGEST_GRADIENT, error_if_nonfinite=False)
            optimizer.step()
            if state.average is not None:
                state.average.update_parameters(network)

            seen += len(batch)
            loss_sum += loss.detach().double() * len(batch)
            now_s = time.monotonic()
            if now_s - reported_s >= _REPORT_EVERY_S:
                reported_s = now_s
                yield Progress(
                    split.fold, epoch + 1, config.epochs, step + 1, steps,
                    loss_sum.item() / seen, math.nan, seen * fabric.world_size / (now_s - epoch_s),
                )  # fmt: skip

        total: Any = fabric.all_reduce(loss_sum, reduce_op="sum")
        train_loss = float(total) / source.windows
        windows_per_s = source.windows / (time.monotonic() - epoch_s)
        if not math.isfinite(train_loss):
            raise ConfigError(
                f"fold {split.fold}, epoch {epoch + 1}: the loss is not finite; train into another folder with a learning rate "
                f"below {config.learning_rate:g}"
            )
        mae_bpm = validation_mae_bpm(state.used, source) if fabric.is_global_zero else math.nan
        row = {
            "epoch": epoch + 1, "step": (epoch + 1) * source.steps, "train_loss": train_loss, "validation_mae_bpm": mae_bpm,
            "learning_rate": rate, "windows_per_s": windows_per_s, "seconds": seconds_before + time.monotonic() - begin_s,
        }  # fmt: skip
        state.history.append(row)
        if fabric.is_global_zero:
            if state.best_row is row:
                _write_weights(folder / WEIGHTS, state.used, row, split, plan, source)
            write_table(folder / "history.csv", HISTORY, state.history)
            state.save(folder / RESUME)
        yield Progress(
            split.fold, epoch + 1, config.epochs, (epoch + 1) * source.steps, steps,
            train_loss, mae_bpm, windows_per_s, epoch_done=True,
        )  # fmt: skip

    if fabric.is_global_zero:
        yield _finish_fold(state, data, split, folder)


def learning_rate(largest: float, step: int, steps: int, warmup_share: float = _WARMUP_SHARE) -> float:
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


def validation_mae_bpm(network: Network, source: Source) -> float:
    """Return the mean absolute error of the validation windows that have a heart rate; NaN where there are none."""
    windows = list(source.validation())
    estimated_bpm = predict_batches(network, windows).heart_rate_bpm
    true_bpm = np.concatenate([one.heart_rate_bpm.double().cpu().numpy() for one in windows]) if windows else np.empty(0)
    known = np.isfinite(true_bpm)
    return _mae(estimated_bpm[known], true_bpm[known])


def _write_weights(path: Path, network: Network, row: Mapping[str, Any], split: FoldSplit, plan: TrainPlan, source: Source) -> None:
    clock, rate_hz = clock_of(plan.shards) if network.rate_hz is None and plan.shards else ("uniform", network.rate_hz)
    mae_bpm = None if math.isnan(row["validation_mae_bpm"]) else row["validation_mae_bpm"]
    metadata = ModelMetadata(
        blocks=source.blocks, samples=source.samples, clock=clock, rate_hz=rate_hz,
        fold=split.fold, epoch=row["epoch"], validation_mae_bpm=mae_bpm, maps=plan.maps, config=plan.config,
    )  # fmt: skip
    write_tensors(path, network.state_dict(), metadata.model_dump_json())


def _finish_fold(state: TrainState, data: MapDataset | None, split: FoldSplit, folder: Path) -> FoldResult:
    """Estimate the windows held out by the weights that were kept; ``predictions.csv`` marks the fold as finished."""
    state.used.load_state_dict(read_tensors(folder / WEIGHTS)[0])
    rows, maes_bpm, index, videos = [], [math.nan, math.nan], split.evaluation, 0
    if data is not None:
        rates = predict_batches(state.used, batches(data, index))
        rows = [
            {"fold": split.fold, "predicted_bpm": bpm, "confidence": confidence}
            | {column: getattr(data.windows[one], column) for column in OF_WINDOW}
            for one, bpm, confidence in zip(index.tolist(), *(part.tolist() for part in rates), strict=True)
        ]
        found_bpm, true_bpm = _video_means([row["recording_id"] for row in rows], rates.heart_rate_bpm, data.heart_rate_bpm[index])
        videos = len(true_bpm)
        maes_bpm = [_mae(one, true_bpm) for one in (found_bpm, training_mean_bpm(data.windows, split))]
    write_table(folder / "predictions.csv", PREDICTIONS, rows)
    (folder / RESUME).unlink(missing_ok=True)
    best = state.best_row
    return FoldResult(split.fold, folder, best["epoch"], best["validation_mae_bpm"], videos, len(index), *maes_bpm)


def _video_means(recording_ids: Sequence[str], *values: FloatArray) -> list[FloatArray]:
    """Compute means over the windows of each video."""
    names, index = np.unique(np.array(recording_ids, dtype=np.str_), return_inverse=True)
    counts = np.bincount(index, minlength=len(names))
    return [np.bincount(index, one, len(names)) / counts for one in values]


def _finish_run(plan: TrainPlan, device: torch.device) -> None:
    """Gather the predictions of all folds, and write ``run.json``."""
    config, out = plan.config, plan.out
    folds = finished_folds(out)
    for fold in folds:
        # a kill before its removal leaves it
        (fold_folder(out, fold) / RESUME).unlink(missing_ok=True)
    rows = [row for fold in folds for row in read_table(fold_folder(out, fold) / "predictions.csv")]
    write_table(out / "predictions.csv", PREDICTIONS, rows)
    content = {
        "software": f"stmap {__version__}",
        "finished": True,
        "recipe": config.recipe,
        "network": config.network,
        "init": config.init,
        "protocol": config.protocol,
        "folds": folds,
        "device": str(device),
        "seconds": sum(read_table(fold_folder(out, fold) / "history.csv")[-1]["seconds"] for fold in folds),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }
    atomic_write_text(out / RUN, json.dumps(content, indent=1) + "\n")


def _mae(estimate_bpm: FloatArray | float, true_bpm: FloatArray) -> float:
    return float(np.abs(estimate_bpm - true_bpm).mean()) if len(true_bpm) else math.nan


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
