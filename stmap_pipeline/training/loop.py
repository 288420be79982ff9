"""The training of one fold: a plain loop, to be read from top to bottom.

It yields where it stands a few times a second, so that whoever calls it can show that, or stop it, between any two steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.shards import write_table
from stmap_pipeline.training.apply import IntArray, output_of, predict_windows, standard_targets
from stmap_pipeline.training.checkpoint import ModelFacts, write_checkpoint
from stmap_pipeline.training.columns import HISTORY, PREDICTIONS, prediction_row
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.dataset import TrainingSet
from stmap_pipeline.training.devices import World, find_precision, uninterrupted
from stmap_pipeline.training.networks import configured_network, load_trunk
from stmap_pipeline.training.protocol import FoldSplit
from stmap_pipeline.training.rows import MaskOptions
from stmap_pipeline.training.state import RESUME, State, learning_rate, mixed_seed

_TELL_EVERY_S = 0.2
# what a random number is for: none of them shares its sequence with another
_WEIGHTS, _ORDER, _STEP = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the training of a fold stands.

    Parameters
    ----------
    fold : int
    epoch, epochs : int
        The epoch at work, or just done, from 1.
    step, steps : int
        Steps that are done of all steps of the fold.
    train_loss : float
        Of the epoch so far.
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


def windows_of_epoch(windows: int, config: TrainConfig) -> int:
    """Count the windows that an epoch sees of so many training windows.

    Examples
    --------
    >>> windows_of_epoch(130, TrainConfig()), windows_of_epoch(130, TrainConfig(windows_per_epoch=50))
    (130, 50)
    """
    return min(windows, config.windows_per_epoch or windows)


def steps_of_epoch(windows: int, config: TrainConfig) -> int:
    """Count the steps of an epoch of so many training windows.

    Examples
    --------
    >>> steps_of_epoch(130, TrainConfig(batch=64)), steps_of_epoch(130, TrainConfig(batch=64, windows_per_epoch=50))
    (3, 1)
    """
    return math.ceil(windows_of_epoch(windows, config) / config.batch)


class FoldTraining:
    """The training of one fold.

    Parameters
    ----------
    data : TrainingSet
        All windows of the run.
    split : FoldSplit
    facts : ModelFacts
        What the checkpoints say; the settings are in it.
    folder : Path
        Of the fold.
    world : World
    save_every_s : float
        Longest time of which a kill can take the work.
    """

    def __init__(
        self, data: TrainingSet, split: FoldSplit, facts: ModelFacts, folder: Path, world: World, save_every_s: float = 60.0
    ) -> None:
        self.data, self.split, self.facts, self.folder, self.world = data, split, facts, folder, world
        self.config = config = facts.config
        self.save_every_s = save_every_s
        self.dtype = find_precision(config.precision, world.device)
        torch.manual_seed(mixed_seed(_WEIGHTS, config.seed, split.fold))
        self.network = configured_network(config, data.shape)
        if config.init is not None:
            load_trunk(self.network, Path(config.init))
        self.network.to(world.device).train()
        optimizer = torch.optim.Adam(self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True)
        self.state = State(self.network, optimizer, torch.amp.GradScaler(world.device.type, enabled=self.dtype == torch.float16))
        self.resumed = self.state.restore(folder)
        self.wrapped: nn.Module = world.wrap(self.network)
        self.targets = torch.as_tensor(standard_targets(data.windows, facts), dtype=torch.float32, device=world.device)
        self.mask = None if config.mask_frames is None else MaskOptions(*config.mask_frames)
        # an epoch has as many windows as there are, be it alone or in rows, or as many as it may have
        self.rows = math.ceil(windows_of_epoch(len(split.training), config) / self.network.consecutive)
        self.steps = steps_of_epoch(len(split.training), config)
        if self.rows // self.steps < world.size:
            raise ConfigError(f"fold {split.fold}: batches of {config.batch} are too small for {world.size} processes; use --batch")
        self._loss_sum = torch.tensor(self.state.at.loss_sum, dtype=torch.float64, device=world.device)
        self._saved_s = self._settled_s = time.monotonic()

    def run(self) -> Iterator[Progress]:
        """Train to the end of the last epoch; stopped before, the state is saved and the next run goes on from there."""
        at = self.state.at
        if self.world.leads:
            from torch.utils.tensorboard import SummaryWriter

            board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=at.epoch + 1)
        try:
            while at.epoch < self.config.epochs:
                yield from self._steps_of_epoch()
                row = self._end_epoch()
                if self.world.leads:
                    write_table(self.folder / "history.csv", HISTORY, at.history)
                    for name in ("train_loss", "validation_mae_bpm", "learning_rate", "windows_per_s"):
                        if not math.isnan(row[name]):
                            board.add_scalar(name, row[name], at.epoch)
                yield Progress(
                    self.split.fold, at.epoch, self.config.epochs, at.epoch * self.steps, self.config.epochs * self.steps,
                    row["train_loss"], row["validation_mae_bpm"], row["windows_per_s"], epoch_done=True,
                )  # fmt: skip
        except (KeyboardInterrupt, GeneratorExit):
            self._save()
            raise
        finally:
            if self.world.leads:
                board.close()
        if self.world.leads:
            self._finish()

    def _steps_of_epoch(self) -> Iterator[Progress]:
        at, told_s = self.state.at, time.monotonic()
        draw = np.random.default_rng((_ORDER, self.config.seed, self.split.fold, at.epoch))
        # as even as can be: no last batch of two windows, whose mean and deviation would say nothing
        batches = np.array_split(draw.permutation(self.split.training)[: self.rows], self.steps)
        while at.step < self.steps:
            with uninterrupted():
                self._step(batches[at.step])
            now_s = time.monotonic()
            if now_s - self._saved_s >= self.save_every_s:
                self._save()
            if now_s - told_s >= _TELL_EVERY_S:
                told_s = now_s
                self._settle()
                yield Progress(
                    self.split.fold, at.epoch + 1, self.config.epochs, at.epoch * self.steps + at.step, self.config.epochs * self.steps,
                    at.loss_sum / at.windows, math.nan, at.windows / at.train_s,
                )  # fmt: skip

    def _step(self, batch: IntArray) -> None:
        config, world, state, at = self.config, self.world, self.state, self.state.at
        number = at.epoch * self.steps + at.step
        # drawn from the position: a resumed run has the same masks and dropout without having kept any generator
        seed = mixed_seed(_STEP, config.seed, self.split.fold, number, world.rank)
        torch.manual_seed(seed)
        for group in state.optimizer.param_groups:
            group["lr"] = self._learning_rate(number)
        rows = torch.as_tensor(self.data.sequences(batch[world.rank :: world.size], self.network.consecutive))
        maps = self.data.maps(rows, generator=torch.Generator().manual_seed(seed), mask_frames=self.mask)
        with world.autocast(self.dtype):
            output = output_of(self.wrapped, maps, self.network.consecutive).float()
        loss = (output - self.targets[rows.to(world.device)]).abs().mean()
        if config.smoothness:
            loss = loss + config.smoothness * (output - output.mean(dim=1, keepdim=True)).abs().mean()
        state.optimizer.zero_grad(set_to_none=True)
        # gradients are averaged over processes, and one of these may have a window more than another
        torch.autograd.backward(state.scaler.scale(loss * (len(rows) * world.size / len(batch))))
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_clip)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        windows = len(batch) * self.network.consecutive
        self._loss_sum += loss.detach().double() * windows
        at.windows += windows
        at.step += 1

    def _end_epoch(self) -> dict[str, float]:
        self._settle()
        at = self.state.at
        loss = at.loss_sum / at.windows
        if not math.isfinite(loss):
            raise ConfigError(
                f"fold {self.split.fold}, epoch {at.epoch + 1}: the loss is no longer a number; train into another folder with a "
                f"learning rate below {self.config.learning_rate:g}"
            )
        mae_bpm = self._validation_mae_bpm()
        self._settle(training=False)
        with uninterrupted():
            at.epoch += 1
            row = {
                "epoch": at.epoch, "step": at.epoch * self.steps, "train_loss": loss, "validation_mae_bpm": mae_bpm,
                "learning_rate": self._learning_rate(at.epoch * self.steps - 1), "windows_per_s": at.windows / at.train_s,
                "seconds": at.seconds,
            }  # fmt: skip
            at.history.append(row)
            self.state.keep_best(mae_bpm)
            at.step, at.windows, at.loss_sum, at.train_s = 0, 0, 0.0, 0.0
            self._loss_sum.zero_()
        return row

    def _validation_mae_bpm(self) -> float:
        index = self.split.validation
        if not self.world.leads or not len(index):
            return math.nan
        predicted_bpm = predict_windows(self.network, self.data, index, self.facts)
        return float(np.abs(predicted_bpm - [self.data.windows[one].heart_rate_bpm for one in index]).mean())

    def _learning_rate(self, step: int) -> float:
        return learning_rate(self.config.learning_rate, step, self.config.epochs * self.steps, self.config.warmup_share)

    def _settle(self, *, training: bool = True) -> None:
        """Bring the plain numbers up to date; on a GPU this waits for the steps that are still at work."""
        at = self.state.at
        at.loss_sum = self._loss_sum.item()
        now_s = time.monotonic()
        at.seconds += now_s - self._settled_s
        if training:
            at.train_s += now_s - self._settled_s
        self._settled_s = now_s

    def _save(self) -> None:
        if self.world.leads:
            self._settle()
            self.state.save(self.folder)
        self._saved_s = self._settled_s = time.monotonic()

    def _finish(self) -> None:
        """Write predictions and checkpoints; ``last.json`` comes last and says that the fold is done."""
        state, at, folder = self.state, self.state.at, self.folder
        last = {name: one.detach().clone() for name, one in self.network.state_dict().items()}
        if state.best:
            self.network.load_state_dict(state.best)
        index = self.split.evaluation
        predicted_bpm = predict_windows(self.network, self.data, index, self.facts)
        name = "best" if state.best else "last"
        rows = (
            prediction_row(self.data.windows[one], self.split.fold, value, name)
            for one, value in zip(index, predicted_bpm.tolist(), strict=True)
        )
        write_table(folder / "predictions.csv", PREDICTIONS, rows)
        if state.best:
            when: dict[str, float | None] = {"epoch": at.best_epoch, "validation_mae_bpm": at.best_mae_bpm}
            write_checkpoint(folder, "best", state.best, self.facts.model_copy(update=when))
        mae_bpm = at.history[-1]["validation_mae_bpm"]
        when = {"epoch": at.epoch, "validation_mae_bpm": None if math.isnan(mae_bpm) else mae_bpm}
        write_checkpoint(folder, "last", last, self.facts.model_copy(update=when))
        (folder / RESUME).unlink(missing_ok=True)
