"""The experiment of a paper as a list of trainings: each cell of its tables is a run of its own, so that all can be stopped and gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stmap_pipeline import registry
from stmap_pipeline.errors import ConfigError, ModelError, OutputError, ShardError
from stmap_pipeline.evaluation.result import traces_sha256
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig

NETWORKS = ("attention-resnet18", "resnet18")
AUGMENTS = ("plan", "none")


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of an experiment.

    Parameters
    ----------
    folder : Path
    config : TrainConfig
    on_other : bool
        Whether it is tested on the other database.
    """

    folder: Path
    config: TrainConfig
    on_other: bool


@dataclass(frozen=True, slots=True)
class ExperimentOptions:
    """What an experiment compares.

    Parameters
    ----------
    networks : sequence of str
        By name; the first one is the whole method, which is also tested across databases.
    augments : sequence of {"plan", "none"}
        With the windows of the augmentation, and without.
    seeds : int
        Each cell is trained with the seeds 0, 1, ... below it.
    folds : sequence of int
        Official folds; all where none is given.
    base : TrainConfig
        All other settings.

    Examples
    --------
    >>> ExperimentOptions().seeds
    3
    """

    networks: Sequence[str] = NETWORKS
    augments: Sequence[str] = AUGMENTS
    seeds: int = 3
    folds: Sequence[int] = ()
    base: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is to be trained and tested, and where. Made by :func:`plan_experiment`.

    Parameters
    ----------
    maps : Path
        Of the database that is trained on.
    other : Path, optional
        Maps of another database.
    out : Path
    cells : tuple of Cell
    options : ExperimentOptions
    """

    maps: Path
    other: Path | None
    out: Path
    cells: tuple[Cell, ...]
    options: ExperimentOptions


def plan_experiment(maps: Path, out: Path, other: Path | None = None, options: ExperimentOptions | None = None) -> Experiment:
    """List the runs of the experiment and check all that can be known before the first one; nothing is written.

    On the official folds of one database: each network, with and without resampled windows, with each seed. With another database,
    also the whole method trained on all subjects of the first one, to be tested on the second. The maps are not changed: resampled
    windows must be there already.

    Parameters
    ----------
    maps : Path
        Output of ``stmap build-maps``.
    out : Path
        Folder for the runs, ``NETWORK-WINDOWS-seedS`` each.
    other : Path, optional
        Maps of another database, built with the same grid, clock and window length.
    options : ExperimentOptions, optional

    Raises
    ------
    ConfigError
        Where the choices make no experiment.
    UnknownNameError
        Where a network is unknown.
    ShardError
        Where maps are unfinished or damaged, or have no resampled windows where these are asked for.
    ModelError
        Where a network of the one maps cannot read the other ones.
    OutputError
        Where the folder is a file, a run, or inside the maps.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> plan = plan_experiment(example_maps(), Path("nowhere"), options=ExperimentOptions(augments=["none"], seeds=1))
    >>> [one.folder.name for one in plan.cells]
    ['attention-resnet18-none-seed0', 'resnet18-none-seed0']
    """
    options = options or ExperimentOptions()
    _check_options(options)
    _check_out(out, [maps, *([other] if other else [])])
    with Shards(maps) as shards:
        if "plan" in options.augments and not any(one.augmented for one in shards.windows(labeled=True, augmented=True)):
            raise ShardError(
                f"{maps}: has no resampled windows, which the experiment compares with those as recorded; add them by: "
                f"stmap augment {maps} --balance (or leave them out with --augment none)"
            )
        if other is not None:
            with Shards(other) as others:
                _check_other(shards, others)
    cells: list[Cell] = []
    for seed in range(options.seeds):
        cells += [_cell(out, options, network, augment, seed) for network in options.networks for augment in options.augments]
        if other is not None:
            cells.append(_cell(out, options, options.networks[0], options.augments[0], seed, cross=True))
    return Experiment(maps, other, out, tuple(cells), options)


def check_standing(experiment: Experiment) -> None:
    """Find out before the first training whether each folder is that of its cell.

    Raises
    ------
    OutputError
        Where one holds something else, or a run of other settings or other maps.
    ModelError
        Where a file of one is damaged.
    ExtraMissingError
        Where the extra ``train`` is not installed.
    """
    from stmap_pipeline.training import require_torch

    require_torch("tensorboard")
    # imported late: an experiment is planned without torch
    from stmap_pipeline.training.run_folder import maps_facts, standing_of

    with Shards(experiment.maps) as shards:
        facts = maps_facts(shards)
    for one in experiment.cells:
        standing_of(one.folder, one.config, facts)


def _cell(out: Path, options: ExperimentOptions, network: str, augment: str, seed: int, *, cross: bool = False) -> Cell:
    protocol = "cross" if cross else options.base.protocol
    config = TrainConfig.from_mapping(
        {**options.base.model_dump(), "network": network, "augment": augment, "seed": seed, "protocol": protocol}, "experiment"
    )
    name = f"{network}-{augment}{'-cross' if cross else ''}-seed{seed}"
    return Cell(out / name, config, cross)


def _check_options(options: ExperimentOptions) -> None:
    for what, values in (("network", options.networks), ("augmentation", options.augments)):
        if not values or len(set(values)) < len(values):
            raise ConfigError(f"an experiment needs each {what} once, not {', '.join(values) or 'none'}")
    for name in options.networks:
        if name not in registry.names("networks"):
            registry.load("networks", name)
    if options.seeds < 1:
        raise ConfigError(f"an experiment needs a seed or more, not {options.seeds}")
    if options.base.protocol == "cross":
        raise ConfigError(
            "with the protocol 'cross' nobody is held out; choose 'within', or 'holdout' for a database without folds"
        )


def _check_out(out: Path, maps: Sequence[Path]) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; give a folder for the runs")
    if (out / "run.toml").exists():
        raise OutputError(f"{out}: is the folder of a run; give another one for the experiment")
    for one in maps:
        if out.resolve().is_relative_to(one.resolve()):
            raise OutputError(f"{out}: lies inside {one}, which holds the build and nothing else; write it beside")


def _check_other(maps: Shards, other: Shards) -> None:
    if traces_sha256(maps) == traces_sha256(other):
        raise ConfigError(f"{other.root}: holds the same recordings as {maps.root}; another database is tested on")
    one, two = maps.config, other.config
    pairs = {
        "blocks": (one.blocks.rows * one.blocks.cols, two.blocks.rows * two.blocks.cols),
        "clock": (one.windows.clock, two.windows.clock),
        "window length": (one.windows.length, two.windows.length),
        "rate_hz": (one.windows.rate_hz, two.windows.rate_hz) if one.windows.clock == "uniform" else (0, 0),
    }
    if wrong := [f"{key} {mine} and {theirs}" for key, (mine, theirs) in pairs.items() if mine != theirs]:
        raise ModelError(f"{maps.root} and {other.root} differ in what a network reads ({'; '.join(wrong)}); build maps alike")
