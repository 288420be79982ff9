"""The experiment of a paper as a list of trainings and tests.

:func:`plan_experiment` lists them and :func:`run_experiment` runs them. Each cell of the tables is a run of its own, so that the
experiment can be stopped and resumed at any time.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stmap_pipeline import registry
from stmap_pipeline.errors import ConfigError, ModelError, OutputError, ShardError
from stmap_pipeline.evaluation.evaluate import evaluate_run
from stmap_pipeline.evaluation.result import Evaluation, read_evaluation, traces_sha256
from stmap_pipeline.shards import Shards
from stmap_pipeline.torch import require_torch
from stmap_pipeline.training.config import TrainConfig

if TYPE_CHECKING:
    from stmap_pipeline.training.plan import TrainPlan

NETWORKS = ("attention-resnet18", "resnet18")
AUGMENTS = ("plan", "none")


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of an experiment.

    Parameters
    ----------
    folder : Path
    config : TrainConfig
    folds : tuple of int
        Official folds that are trained; all where none is given.
    on_other : bool
        Whether it is tested on the other database.
    """

    folder: Path
    config: TrainConfig
    folds: tuple[int, ...]
    on_other: bool


@dataclass(frozen=True, slots=True)
class Experiment:
    """The runs of an experiment, made by :func:`plan_experiment`.

    Parameters
    ----------
    maps : Path
        Of the database that is trained on.
    other : Path, optional
        Maps of another database.
    cells : tuple of Cell
    """

    maps: Path
    other: Path | None
    cells: tuple[Cell, ...]


def plan_experiment(
    maps: Path,
    out: Path,
    other: Path | None = None,
    *,
    networks: Sequence[str] = NETWORKS,
    augments: Sequence[str] = AUGMENTS,
    inits: Sequence[str] = (),
    subjects: Sequence[int] = (),
    seeds: int = 3,
    folds: Sequence[int] = (),
    settings: Mapping[str, Any] | None = None,
) -> Experiment:
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
    networks : sequence of str
        By name; the first one is the whole method, which is also tested across databases.
    augments : sequence of {"plan", "none"}
        With the windows of the augmentation, and without.
    inits : sequence of str
        Initial weights: ``random``, ``simulated``; the default of each network where none is given.
    subjects : sequence of int
        Train on so many subjects at most; on all where none is given. More subjects include the fewer ones.
    seeds : int
        Each cell is trained with the seeds 0, 1, ... below it.
    folds : sequence of int
        Official folds; all where none is given.
    settings : mapping, optional
        All other settings of a :class:`~stmap_pipeline.training.config.TrainConfig`; what is not given has the default of the network.

    Raises
    ------
    ConfigError
        Where the choices make no experiment.
    UnknownNameError
        Where a network is unknown.
    ShardError
        Where maps are unfinished or damaged, or have no resampled windows where these are needed.
    ModelError
        Where a network of the one maps cannot read the other ones.
    OutputError
        Where the folder is a file, a run, or inside the maps.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> plan = plan_experiment(example_maps(), Path("nowhere"), augments=["none"], seeds=1)
    >>> [one.folder.name for one in plan.cells]
    ['attention-resnet18-none-seed0', 'resnet18-none-seed0']
    """
    base = TrainConfig.from_mapping({"network": networks[0] if networks else NETWORKS[0], **(settings or {})}, "experiment")
    _check_choices(networks, augments, seeds, base)
    _check_out(out, [maps, *([other] if other else [])])
    with Shards(maps) as shards:
        if "plan" in augments and not any(one.augmented for one in shards.windows(labeled=True, augmented=True)):
            raise ShardError(
                f"{maps}: has no resampled windows, which the experiment compares with those as recorded; add them by: "
                f"stmap augment {shlex.quote(str(maps))} --balance (or leave them out with --augment none)"
            )
        if other is not None:
            with Shards(other) as others:
                _check_other(shards, others)

    def cell(seed: int, network: str, augment: str, init: str | None, count: int | None, *, cross: bool = False) -> Cell:
        choices = {"seed": seed, "network": network, "augment": augment, "protocol": "cross" if cross else base.protocol}
        choices |= ({"init": init} if init else {}) | ({"subjects": count} if count else {})
        config = TrainConfig.from_mapping({**(settings or {}), **choices}, "experiment")
        words = [
            network,
            augment,
            *([init] if init else []),
            *([f"{count}-subjects"] if count else []),
            *(["cross"] if cross else []),
        ]
        return Cell(out / "-".join([*words, f"seed{seed}"]), config, () if cross else tuple(folds), cross)

    starts: Sequence[str | None] = inits or [None]
    counts: Sequence[int | None] = subjects or [None]
    cells: list[Cell] = []
    for seed in range(seeds):
        cells += [cell(seed, *one) for one in product(networks, augments, starts, counts)]
        if other is not None:
            cells.append(cell(seed, networks[0], augments[0], starts[0], None, cross=True))
    return Experiment(maps, other, tuple(cells))


def forecast_experiment(experiment: Experiment, device: str = "auto") -> float:
    """Estimate how many seconds the trainings of an experiment will take, from a few steps of each kind of network; nothing is written.

    Validation and tests come on top, which take a few percent of it.

    Parameters
    ----------
    experiment : Experiment
    device : str

    Raises
    ------
    ConfigError, OutputError, ShardError
        As :func:`~stmap_pipeline.training.plan.plan_training`.
    ExtraMissingError
        Where the extra ``train`` is not installed.
    """
    require_torch("lightning_fabric")
    from stmap_pipeline.training.data import windows_of_epoch
    from stmap_pipeline.training.forecast import forecast_training
    from stmap_pipeline.training.plan import plan_training

    measured_per_s: dict[tuple[object, ...], float] = {}
    seconds = 0.0
    for cell in experiment.cells:
        config = cell.config
        plan = plan_training(experiment.maps, cell.folder, config, folds=cell.folds, resume=True)
        if plan.shards is None or not plan.to_do:
            continue
        kind = (config.network, config.width, config.color, config.batch, config.precision)
        if kind not in measured_per_s:
            measured_per_s[kind] = forecast_training(plan, device).windows_per_s
        seconds += config.epochs * sum(windows_of_epoch(split, config) for split in plan.to_do) / measured_per_s[kind]
    return seconds


def run_experiment(
    experiment: Experiment,
    *,
    device: str = "auto",
    jobs: int = 1,
    on_cell: Callable[[Cell], None] | None = None,
    train: Callable[[TrainPlan], None] | None = None,
    evaluate: Callable[[Path, Path, Path | None], Evaluation] | None = None,
) -> list[Evaluation]:
    """Train and test each cell of an experiment; what is done already is left as it is.

    Parameters
    ----------
    experiment : Experiment
    device : str
        For training and for tests on the other maps.
    jobs : int
        Processes for the classical methods.
    on_cell : callable, optional
        Called with each cell before its training.
    train : callable, optional
        Called with the plan of each training in place of :func:`~stmap_pipeline.training.train.run_training`, also where it is finished.
    evaluate : callable, optional
        Called with run, maps and an evaluation that has the classical rates, in place of
        :func:`~stmap_pipeline.evaluation.evaluate_run`.

    Returns
    -------
    list of Evaluation
        By cell: on the maps of its training, then on the other ones.

    Raises
    ------
    OutputError
        Where a folder holds something else, or a run of other settings or other maps; before the first training.
    ModelError
        Where a file of a run is damaged.
    ExtraMissingError
        Where the extra ``train`` is not installed.
    """
    require_torch("lightning_fabric")
    # imported late: an experiment is planned without torch
    from stmap_pipeline.training.plan import plan_training
    from stmap_pipeline.training.run_folder import maps_metadata, run_status
    from stmap_pipeline.training.train import run_training

    def train_plan(plan: TrainPlan) -> None:
        for _ in () if plan.finished else run_training(plan, device):
            pass

    def evaluate_on(run: Path, maps: Path, baselines: Path | None) -> Evaluation:
        return evaluate_run(run, maps, jobs=jobs, device=device, baselines=baselines)

    train, evaluate = train or train_plan, evaluate or evaluate_on
    with Shards(experiment.maps) as shards:
        identity = maps_metadata(shards)
    for cell in experiment.cells:
        run_status(cell.folder, cell.config, identity)
    found = []
    # the windows are the same in each cell, so their classical rates are computed once
    baselines: dict[Path, Path] = {}
    for cell in experiment.cells:
        if on_cell is not None:
            on_cell(cell)
        plan = plan_training(experiment.maps, cell.folder, cell.config, folds=cell.folds, resume=True)
        changed = bool(plan.to_do)
        train(plan)
        tests = [(experiment.maps, cell.folder)]
        if cell.on_other and experiment.other is not None:
            tests.append((experiment.other, cell.folder / f"on-{experiment.other.resolve().name}"))
        for maps, folder in tests:
            evaluation = None if changed else _current(folder, cell.folder)
            found.append(evaluation or evaluate(cell.folder, maps, baselines.get(maps)))
            if found[-1].windows:
                baselines.setdefault(maps, folder)
    return found


def _current(folder: Path, run: Path) -> Evaluation | None:
    """Read an evaluation; None where it is not there, or is older than the last fold."""
    try:
        evaluation = read_evaluation(folder)
    except ModelError:
        return None
    folds = json.loads((run / "run.json").read_text("utf-8"))["folds"]
    return None if evaluation.held_out and list(evaluation.folds) != folds else evaluation


def _check_choices(networks: Sequence[str], augments: Sequence[str], seeds: int, base: TrainConfig) -> None:
    for what, values in (("network", networks), ("augmentation", augments)):
        if not values or len(set(values)) < len(values):
            raise ConfigError(f"an experiment needs each {what} once, not {', '.join(values) or 'none'}")
    for name in networks:
        if name not in registry.names("networks"):
            registry.load("networks", name)
    if seeds < 1:
        raise ConfigError(f"an experiment needs a seed or more, not {seeds}")
    if base.protocol == "cross":
        raise ConfigError(
            "with the protocol 'cross' no subject is held out; choose 'within', or 'holdout' for a database without folds"
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
