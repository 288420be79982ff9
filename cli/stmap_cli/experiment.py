"""`stmap experiment`: all trainings and tests of a paper, and the report of them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import evaluate as evaluate_command
from stmap_cli import places
from stmap_cli import train as train_command
from stmap_cli.console import console, counted, duration, say
from stmap_cli.options import RegistryName, config_option, device_option, folder_argument, jobs_option, path_option, preset_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.evaluation.experiment import Experiment
    from stmap_pipeline.training.plan import TrainPlan

IF_STOPPED = "run the same command to continue"


@click.command()
@click.argument("name", type=click.Choice(["fg2019"]), metavar="fg2019")
@folder_argument("out", required=False)
@path_option(
    "--vipl", metavar="MAPS", text="Train on these maps, by their official folds.  [default: those of vipl-hr in the project]"
)
@path_option("--mmse", metavar="MAPS", text="Also test on these maps of another database.")
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
    "--init",
    "inits",
    type=click.Choice(["simulated", "random"]),
    multiple=True,
    help="Compare these initial weights: those of the package, or random ones.  [default: those of stmap train]",
)
@click.option(
    "--subjects",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="Compare training on N subjects at most.  [default: all]",
)
@preset_option
@click.option("--seeds", type=click.IntRange(min=1), default=3, metavar="N", help="Train each cell N times, with the seeds from 0.")
@click.option("--fold", "folds", type=int, multiple=True, metavar="K", help="Train only this fold; may be given several times.")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Pass over the training windows so many times.")
@click.option(
    "--protocol", type=click.Choice(["within", "holdout"]), help="Hold out each official fold in turn, or a share of the subjects."
)
@config_option("Take all other settings from a TOML file such as RUN/run.toml.")
@device_option("Train on cpu, cuda or cuda:1; auto prefers a GPU.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Use so many threads on the CPU.")
@click.option("--dry-run", is_flag=True, help="List the runs and stop.")
@jobs_option
def experiment(
    *,
    name: str,
    out: Path | None,
    vipl: Path | None,
    mmse: Path | None,
    networks: tuple[str, ...],
    augments: tuple[Any, ...],
    inits: tuple[str, ...],
    subjects: tuple[int, ...],
    preset: str | None,
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
    OUT/report.html. A run that was stopped resumes with the same command. The maps are not changed: run stmap augment before. In a
    project (stmap init) OUT is runs/fg2019 where it is not given.

    \b
    Example:
        stmap experiment fg2019 --vipl maps/vipl --mmse maps/mmse runs/fg2019
        stmap experiment fg2019 --vipl maps/vipl runs/quick --seeds 1 --fold 1 --epochs 5
        stmap experiment fg2019 --vipl maps/vipl runs/few --network pulse-net --init simulated --init random --subjects 20
    """
    from stmap_pipeline.errors import OtherSettingsError
    from stmap_pipeline.evaluation.experiment import AUGMENTS, NETWORKS, forecast_experiment, plan_experiment

    given = out
    out = places.new_run(out, name, f"stmap experiment {name} --vipl MAPS OUT")
    vipl = places.maps_named(vipl, "vipl-hr", f"stmap experiment {name} --vipl {{}}")
    mmse = mmse and places.maps_of_project(mmse, f"stmap experiment {name} --mmse {{}}")
    settings = train_command.read_settings(config_path, preset, choices)
    plan = plan_experiment(
        vipl,
        out,
        mmse,
        networks=networks or NETWORKS,
        augments=augments or AUGMENTS,
        inits=inits,
        subjects=subjects,
        seeds=seeds,
        folds=folds,
        settings=settings,
    )
    screen = console()
    say(screen, f"{name}: {counted(len(plan.cells), 'run')} of {counted(plan.cells[0].config.epochs, 'epoch')}   ->  {out}")
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    if seconds := forecast_experiment(plan, device):
        say(
            screen,
            f"  takes about {duration(seconds)} here, and the tests; --preset laptop, --seeds 1 and --fold 1 make it shorter",
        )
    if dry_run:
        for one in plan.cells:
            click.echo(str(one.folder))
        return
    try:
        run(plan, out / "report.html", screen, device=device, jobs=jobs)
    except OtherSettingsError as error:
        beside = ("keeps it, and trains all runs beside it", places.typed(places.free(out), without=given))
        raise places.OtherSettings(error, [beside]) from None
    click.echo(str(out / "report.html"))


def run(experiment: Experiment, page: Path, screen: Console, *, device: str, jobs: int | None) -> None:
    """Train, test and report, with progress bars."""
    from stmap_pipeline.evaluation import Evaluation
    from stmap_pipeline.evaluation.experiment import Cell, run_experiment
    from stmap_pipeline.report import write_runs_report
    from stmap_pipeline.report.page import check_extra
    from stmap_pipeline.training.device import find_device

    # what is missing is reported before the work, not after it
    check_extra()

    def on_cell(cell: Cell) -> None:
        say(screen, f"\n{experiment.cells.index(cell) + 1} of {len(experiment.cells)}   {cell.folder.name}")

    def train(training: TrainPlan) -> None:
        if training.finished:
            say(screen, "is trained already")
            return
        train_command.say_header(training, str(find_device(device)), screen)
        train_command.run_with_progress(training, device, screen, if_stopped=IF_STOPPED)

    def evaluate(folder: Path, maps: Path, baselines: Path | None) -> Evaluation:
        return evaluate_command.run(folder, maps, screen, baselines=baselines, jobs=jobs, device=device, if_stopped=IF_STOPPED)

    run_experiment(experiment, device=device, on_cell=on_cell, train=train, evaluate=evaluate)
    maps = [one for one in (experiment.maps, experiment.other) if one is not None]
    write_runs_report([one.folder for one in experiment.cells], page, maps=maps, command=shlex.join(["stmap", *sys.argv[1:]]))
