"""`stmap experiment`: all trainings and tests of a paper, and the report of them."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import evaluate as evaluate_command
from stmap_cli import train as train_command
from stmap_cli.console import console, counted, say
from stmap_cli.options import RegistryName, config_option, folder_argument, jobs_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.evaluation.experiment import Cell, Experiment

IF_STOPPED = "run the same command to continue"


@click.command()
@click.argument("name", type=click.Choice(["fg2019"]), metavar="fg2019")
@folder_argument("out")
@click.option(
    "--vipl", type=click.Path(path_type=Path), required=True, metavar="MAPS", help="Train on these maps, by their official folds."
)
@click.option("--mmse", type=click.Path(path_type=Path), metavar="MAPS", help="Also test on these maps of another database.")
@click.option(
    "--network",
    "networks",
    type=RegistryName("networks"),
    multiple=True,
    metavar="NAME",
    help="Compare these networks; the first one is the whole method.  [default: attention-resnet18 and resnet18]",
)
@click.option(
    "--augment",
    "augments",
    type=click.Choice(["plan", "none"]),
    multiple=True,
    help="Compare training with the windows that stmap augment added and without.  [default: both]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Train each cell N times, with the seeds from 0.",
)
@click.option("--fold", "folds", type=int, multiple=True, metavar="K", help="Train only this fold; may be given several times.")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Pass over the training windows so many times.")
@click.option(
    "--protocol", type=click.Choice(["within", "holdout"]), help="Hold out each official fold in turn, or a share of the subjects."
)
@config_option("Take all other settings from a TOML file such as RUN/run.toml.")
@click.option(
    "--device", default="auto", show_default=True, metavar="NAME", help="Train on cpu, cuda or cuda:1; auto prefers a GPU."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Use so many threads on the CPU.")
@click.option("--dry-run", is_flag=True, help="List the runs and stop.")
@jobs_option
def experiment(
    *,
    name: str,
    out: Path,
    vipl: Path,
    mmse: Path | None,
    networks: tuple[str, ...],
    augments: tuple[Any, ...],
    seeds: int,
    folds: tuple[int, ...],
    config_path: Path | None,
    device: str,
    threads: int | None,
    dry_run: bool,
    jobs: int | None,
    **choices: Any,
) -> None:
    """Train and test all that a paper compares, into OUT.

    The experiment fg2019 trains on VIPL-HR's folds: with and without attention, with and without resampled windows, with several seeds;
    with --mmse also on all of VIPL-HR, to be tested on MMSE-HR. Each is a run OUT/NETWORK-WINDOWS-seedS; it ends in
    OUT/report.html. Stopped at any moment, the same command goes on. The maps are not changed: run stmap augment before.

    \b
    Example:
        stmap experiment fg2019 --vipl maps/vipl --mmse maps/mmse runs/fg2019
        stmap experiment fg2019 --vipl maps/vipl runs/quick --seeds 1 --fold 1 --epochs 5
    """
    from stmap_pipeline.evaluation.experiment import AUGMENTS, NETWORKS, ExperimentOptions, plan_experiment

    base = train_command.read_config(config_path, choices)
    options = ExperimentOptions(networks or NETWORKS, augments or AUGMENTS, seeds, folds, base)
    plan = plan_experiment(vipl, out, mmse, options)
    screen = console()
    say(screen, f"{name}: {counted(len(plan.cells), 'run')} of {counted(base.epochs, 'epoch')}   ->  {out}")
    if dry_run:
        for one in plan.cells:
            click.echo(str(one.folder))
        return
    run(plan, screen, device=device, threads=threads, jobs=jobs)
    click.echo(str(out / "report.html"))


def run(plan: Experiment, screen: Console, *, device: str = "auto", threads: int | None = None, jobs: int | None = None) -> None:
    """Train, test and report, with bars."""
    from stmap_pipeline.evaluation.experiment import check_standing
    from stmap_pipeline.report.page import environment
    from stmap_pipeline.report.runs import write_runs_report

    # what is missing is said before the work, not after it
    environment()
    check_standing(plan)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    tested: dict[bool, Path] = {}
    for number, cell in enumerate(plan.cells, 1):
        say(screen, f"\n{number} of {len(plan.cells)}   {cell.folder.name}")
        _train_and_test(plan, cell, tested, screen, device, jobs)
    target = plan.out / "report.html"
    maps = [one for one in (plan.maps, plan.other) if one is not None]
    write_runs_report([one.folder for one in plan.cells], target, maps=maps, command=shlex.join(["stmap", *sys.argv[1:]]))


def _train_and_test(plan: Experiment, cell: Cell, tested: dict[bool, Path], screen: Console, device: str, jobs: int | None) -> None:
    from stmap_pipeline.training.devices import find_device
    from stmap_pipeline.training.run import plan_training

    training = plan_training(plan.maps, cell.folder, cell.config, folds=() if cell.on_other else plan.options.folds, resume=True)
    trained = bool(training.to_do)
    if training.finished:
        say(screen, "is trained already")
    else:
        train_command.say_header(training, str(find_device(device)), screen)
        train_command.carry_out(training, device, 60.0, screen, if_stopped=IF_STOPPED)
    tests = [(plan.maps, cell.folder)]
    if cell.on_other and plan.other is not None:
        tests.append((plan.other, cell.folder / f"on-{plan.other.resolve().name}"))
    for maps, folder in tests:
        if trained or _is_stale(folder, cell.folder):
            # the windows are the same in each cell, so the classical methods need to see them once
            baselines = tested.get(folder != cell.folder)
            evaluation = evaluate_command.run(
                cell.folder, maps, screen, baselines=baselines, jobs=jobs, device=device, if_stopped=IF_STOPPED
            )
            evaluate_command.tell(evaluation, folder, screen)
        if cell.on_other == (folder != cell.folder):
            tested.setdefault(folder != cell.folder, folder)


def _is_stale(folder: Path, run_folder: Path) -> bool:
    """Tell whether an evaluation is not there, or is older than the last fold."""
    from stmap_pipeline.errors import ModelError
    from stmap_pipeline.evaluation import read_evaluation

    try:
        evaluated = read_evaluation(folder)
    except ModelError:
        return True
    folds = json.loads((run_folder / "run.json").read_text("utf-8"))["folds"]
    return evaluated.held_out and list(evaluated.folds) != folds
