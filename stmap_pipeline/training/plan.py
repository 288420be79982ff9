"""Plan of a training: its settings, maps, folds and first weights, checked before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stmap_pipeline.errors import ConfigError, OtherSettingsError, OutputError
from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import SIMULATED_EPOCH
from stmap_pipeline.training.networks import Network, build_network
from stmap_pipeline.training.predict import network_class
from stmap_pipeline.training.protocol import FoldSplit, Protocol, plan_protocol
from stmap_pipeline.training.run_folder import (
    RUN,
    MapsMetadata,
    ModelMetadata,
    finished_folds,
    maps_metadata,
    parse_json,
    run_status,
    simulated_maps,
)
from stmap_pipeline.training.tensor_file import read_tensors
from stmap_pipeline.weights import weights_path


@dataclass(frozen=True, slots=True, eq=False)
class TrainPlan:
    """What a run will train, made by :func:`plan_training`.

    Parameters
    ----------
    shards : Shards, optional
        None where the windows are simulated.
    out : Path
    config : TrainConfig
    protocol : Protocol
    maps : MapsMetadata
    replaces : bool
        Whether a run with other settings or on other maps is in the folder, and is removed when the training begins.
    """

    shards: Shards | None
    out: Path
    config: TrainConfig
    protocol: Protocol
    maps: MapsMetadata
    replaces: bool = False

    @property
    def to_do(self) -> list[FoldSplit]:
        """The folds that are not finished."""
        done = [] if self.replaces else finished_folds(self.out)
        return [one for one in self.protocol.splits if one.fold not in done]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.to_do and (self.out / RUN).is_file()


def plan_training(
    maps: str | Path | None,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    folds: Collection[int] = (),
    resume: bool = False,
    retrain: bool = False,
) -> TrainPlan:
    """Check maps, settings and run folder; nothing is written.

    Parameters
    ----------
    maps : str or Path, optional
        The output of ``stmap build-maps``; None with the recipe ``simulated``.
    out : str or Path
        Of the run.
    config : TrainConfig, optional
    folds : collection of int
        Only these of the official folds; others may follow in a later call.
    resume : bool
        Whether a run that was stopped may be resumed.
    retrain : bool
        Whether a run with other settings, or on other maps, may be replaced.

    Raises
    ------
    ShardError
        Where the maps are unfinished or damaged, or lack what the protocol needs.
    UnknownNameError
        Where a fold, the network or the color space is unknown.
    ConfigError
        Where settings exclude each other, or the initial weights do not fit.
    ModelError
        Where the initial weights cannot be read.
    OtherSettingsError
        Where the folder holds a run with other settings or on other maps, and ``retrain`` is not set.
    OutputError
        Where the folder holds something else; or the run was stopped and ``resume`` is not set.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> config = TrainConfig(network="attention-resnet18", validation_share=0)
    >>> plan = plan_training(example_maps(), Path("nowhere"), config)
    >>> [one.fold for one in plan.to_do], plan.finished
    ([1, 2], False)
    """
    maps = None if maps is None else Path(maps)
    out = Path(out)
    config = config or TrainConfig()
    network_class(config.network), channel_names(config.color)
    if (maps is None) != (config.recipe == "simulated"):
        raise ConfigError("the recipe 'simulated' takes no maps, and every other training needs them")
    if maps is None and (windows := config.windows_per_epoch or SIMULATED_EPOCH) < config.batch:
        raise ConfigError(f"an epoch of {windows} windows holds no batch of {config.batch}; make it larger")
    if maps is None:
        nothing = np.empty(0, dtype=np.int64)
        plan = TrainPlan(None, out, config, Protocol([], [FoldSplit(0, nothing, nothing, nothing)]), simulated_maps())
    else:
        shards = Shards(maps)
        plan = TrainPlan(shards, out, config, plan_protocol(shards, config, folds), maps_metadata(shards))
    if config.init != "random":
        with torch.random.fork_rng([]):
            initial_network(config)
    try:
        status = run_status(out, config, plan.maps)
    except OtherSettingsError:
        if not retrain:
            raise
        return dataclasses.replace(plan, replaces=True)
    if status == "unfinished" and not resume:
        raise OutputError(f"{out}: holds a run that was stopped; the same command with --resume continues it")
    return plan


def initial_network(config: TrainConfig) -> Network:
    """Return the network of a training before its first step: random weights, or those of ``config.init``.

    Raises
    ------
    ConfigError
        Where the weights do not fit.
    ModelError
        Where they cannot be read.
    """
    network = build_network(config.network, **config.network_options)
    if config.init != "random":
        path = weights_path() if config.init == "simulated" else Path(config.init)
        tensors, text = read_tensors(path)
        if text:
            # weights of stmap: of this version, in which a network may compute otherwise than in one before
            parse_json(path, text, ModelMetadata)
        try:
            network.load_initial(tensors)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
    return network
