"""A whole run: plan it, train its folds one after the other, and say what came of each."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stmap_pipeline import registry
from stmap_pipeline.errors import OutputError
from stmap_pipeline.lock import locked
from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.shards import Shards, read_table, remove_temporaries
from stmap_pipeline.training.apply import to_target
from stmap_pipeline.training.checkpoint import MapsFacts, ModelFacts, read_facts
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.dataset import TrainingSet
from stmap_pipeline.training.devices import find_precision, joined
from stmap_pipeline.training.loop import FoldTraining, Progress, steps_of_epoch
from stmap_pipeline.training.networks import NetworkInput, configured_network, load_trunk
from stmap_pipeline.training.protocol import FoldSplit, Protocol, plan_protocol
from stmap_pipeline.training.run_folder import begin, finish, fold_folder, is_done, maps_facts, standing_of
from stmap_pipeline.training.state import RESUME


@dataclass(frozen=True, slots=True, eq=False)
class TrainPlan:
    """What a run is going to do.

    Parameters
    ----------
    maps : Shards
    out : Path
    config : TrainConfig
    protocol : Protocol
    facts : MapsFacts
    """

    maps: Shards
    out: Path
    config: TrainConfig
    protocol: Protocol
    facts: MapsFacts

    @property
    def to_do(self) -> list[FoldSplit]:
        """The folds that are not trained to their end."""
        return [one for one in self.protocol.splits if not is_done(self.out, one.fold)]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.to_do and (self.out / "run.json").is_file()

    def steps(self, split: FoldSplit) -> int:
        """Count the steps of a fold."""
        return self.config.epochs * steps_of_epoch(len(split.training), self.config)


@dataclass(frozen=True, slots=True)
class FoldDone:
    """What came of a fold.

    Parameters
    ----------
    fold : int
    folder : Path
    epoch : int
        Whose weights are used.
    windows : int
        That were evaluated; 0 where nothing was held out.
    mae_bpm : float
        Mean absolute error of these windows; NaN where there are none.
    constant_mae_bpm : float
        The same where the mean heart rate of the training windows is given for each of them.
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
        Whether a run that was stopped may be gone on with.

    Raises
    ------
    ShardError
        Where the maps are unfinished or damaged, or lack what the protocol needs.
    UnknownNameError
        Where a fold, the network or the color space is unknown.
    ConfigError
        Where settings do not go together.
    OutputError
        Where the folder is not the run's: other settings, other maps, something else; or it was stopped and is not resumed.

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
    channel_names(config.color)
    shards = Shards(maps)
    protocol = plan_protocol(shards, config, folds)
    if config.init is not None:
        _check_init(shards, protocol, config)
    facts = maps_facts(shards)
    standing = standing_of(out, config, facts)
    plan = TrainPlan(shards, out, config, protocol, facts)
    if standing == "unfinished" and not resume:
        raise OutputError(f"{out}: holds a run that was stopped; the same command with --resume goes on with it")
    return plan


def run_training(
    plan: TrainPlan, device: str = "auto", *, save_every_s: float = 60.0
) -> Generator[Progress | FoldDone, None, None]:
    """Train what is to be done and yield where it stands.

    A kill takes ``save_every_s`` of work at most; closing the iterator, or a Ctrl-C, takes none. A run that is gone on with gives the
    same weights as one that was never stopped: bit by bit on a CPU with the same number of threads. Under ``torchrun`` each process
    calls this; the gradients are averaged, and the first process alone writes and yields what is worth showing.

    Parameters
    ----------
    plan : TrainPlan
    device : str
        See :func:`~stmap_pipeline.training.devices.joined`.
    save_every_s : float

    Yields
    ------
    Progress or FoldDone

    Raises
    ------
    ConfigError
        Where the device cannot be used, or the loss is no longer a number.
    OutputError
        Where the system refuses to write, or another process is at work in the folder.

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
    with joined(device) as world, ExitStack() as stack:
        find_precision(plan.config.precision, world.device)
        # all processes have planned before the first one writes
        world.wait()
        if world.leads:
            plan.out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(plan.out))
            remove_temporaries(plan.out)
            begin(plan.out, plan.config, plan.facts)
            for split in plan.protocol.splits:
                if is_done(plan.out, split.fold):
                    (fold_folder(plan.out, split.fold) / RESUME).unlink(missing_ok=True)
        stack.enter_context(torch.random.fork_rng([world.device] if world.device.type == "cuda" else []))
        if world.device.type == "cuda":
            # maps have one size, or two: worth looking for the fastest convolution
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, benchmark=True))
        world.wait()
        if to_do := plan.to_do:
            config = plan.config
            data = TrainingSet(
                plan.maps, plan.protocol.windows, color=config.color, normalize=config.normalize, device=world.device
            )
            for split in to_do:
                yield from FoldTraining(
                    data, split, model_facts(plan, data, split), fold_folder(plan.out, split.fold), world, save_every_s
                ).run()
                if world.leads:
                    yield _what_came(plan, split)
        if world.leads:
            folds = {int(one.name[4:]) for one in plan.out.glob("fold*") if one.name[4:].isdecimal()}
            finish(plan.out, plan.config, plan.maps, sorted(one for one in folds if is_done(plan.out, one)), str(world.device))
        world.wait()


def model_facts(plan: TrainPlan, data: TrainingSet, split: FoldSplit) -> ModelFacts:
    """Say what the checkpoints of a fold say: the standard units are those of the training windows alone."""
    windows = [plan.protocol.windows[one] for one in split.training]
    rates_bpm, durations_s = np.array([(one.heart_rate_bpm, one.duration_s) for one in windows]).T
    values = to_target(rates_bpm, durations_s, plan.config.target)
    scale = float(values.std())
    clock = plan.maps.config.windows
    return ModelFacts(
        channels=data.shape.channels,
        blocks=data.shape.blocks,
        samples=data.shape.samples,
        clock=clock.clock,
        rate_hz=clock.rate_hz if clock.clock == "uniform" else None,
        target_mean=float(values.mean()),
        # where all have one heart rate there is no scale to take
        target_scale=scale if scale > 1e-6 else 1.0,
        fold=split.fold,
        maps=plan.facts,
        config=plan.config,
    )


def _check_init(maps: Shards, protocol: Protocol, config: TrainConfig) -> None:
    """Find out before anything is written whether the weights fit."""
    grid = maps.config.blocks
    shape = NetworkInput(len(channel_names(config.color)), grid.rows * grid.cols, protocol.windows[0].frames)
    with torch.random.fork_rng([]):
        load_trunk(configured_network(config, shape), Path(config.init or ""))


def _what_came(plan: TrainPlan, split: FoldSplit) -> FoldDone:
    folder = fold_folder(plan.out, split.fold)
    rows = read_table(folder / "predictions.csv")
    best = (folder / "best.json").exists()
    epoch = read_facts(folder, "best" if best else "last").epoch
    if not rows:
        return FoldDone(split.fold, folder, epoch, 0, math.nan, math.nan)
    true_bpm, predicted_bpm = np.array([(one["heart_rate_bpm"], one["predicted_bpm"]) for one in rows]).T
    constant_bpm = np.mean([plan.protocol.windows[one].heart_rate_bpm for one in split.training])
    errors = (np.abs(predicted_bpm - true_bpm).mean(), np.abs(constant_bpm - true_bpm).mean())
    return FoldDone(split.fold, folder, epoch, len(rows), *map(float, errors))
