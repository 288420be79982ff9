"""`stmap train`: train networks on maps, or on simulated windows."""

from __future__ import annotations

import json
import math
import os
import shlex
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import evaluate as evaluate_command
from stmap_cli import places
from stmap_cli.console import Progress, console, counted, default_jobs, duration, say
from stmap_cli.options import ColorSpace, RegistryName, config_option, device_option, folder_argument, json_option, preset_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.training.plan import TrainPlan
    from stmap_pipeline.training.train import FoldResult

# options that choose among recordings
_OF_RECORDINGS = ("protocol", "subjects", "augment", "validation_share")


@click.command()
@folder_argument("maps", required=False)
@folder_argument("run", required=False)
@click.option(
    "--network",
    type=RegistryName("networks"),
    metavar="NAME",
    help="Train this network: pulse-net, attention-resnet18 (the paper's), or resnet18 (the same without attention).",
)
@click.option(
    "--init",
    metavar="WEIGHTS",
    help="Start from the weights of the package (simulated), from random ones (random), or from a .safetensors file.",
)
@preset_option
@click.option(
    "--recipe",
    type=click.Choice(["simulated"]),
    help="Train on simulated windows instead of MAPS: this makes the weights of the package. Options that choose recordings do not go with it.",
)
@click.option(
    "--protocol",
    type=click.Choice(["within", "holdout", "cross"]),
    help="Hold out each official fold in turn, a share of the subjects, or none.",
)
@click.option("--fold", "folds", type=int, multiple=True, metavar="K", help="Train only this fold; may be given several times.")
@click.option(
    "--subjects", type=click.IntRange(min=1), metavar="N", help="Train on N of the training subjects at most, drawn at random."
)
@click.option(
    "--augment",
    type=click.Choice(["plan", "none"]),
    help="Train also on the windows that stmap augment added, or as recorded alone.",
)
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Pass over the training windows so many times.")
@click.option("--batch", type=click.IntRange(min=2), metavar="N", help="Take so many windows in a batch.")
@click.option("--lr", "learning_rate", type=click.FloatRange(0, 1, min_open=True), metavar="RATE", help="Largest learning rate.")
@click.option("--color", type=ColorSpace(), metavar="SPACE", help="ResNets: make maps in rgb, yuv, ycbcr, or rgb+yuv.")
@click.option(
    "--validation-share",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="Choose the best epoch on this share of the training subjects; 0 takes the last epoch.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Seed of all random numbers.")
@config_option("Take settings from a TOML file such as RUN/run.toml; options take precedence.")
@click.option(
    "--resume", is_flag=True, help="Continue a run that was stopped after its last finished epoch; start one where there is none."
)
@click.option(
    "--retrain", is_flag=True, help="Replace a run in RUN that has other settings or other maps: its networks are removed."
)
@device_option("Train on cpu, cuda or cuda:1; auto prefers a GPU.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use so many threads on the CPU; with --recipe simulated one core is left to the simulation by default.",
)
@json_option("Print the result as one JSON object on stdout.")
def train(
    *,
    maps: Path | None,
    run: Path | None,
    folds: tuple[int, ...],
    config_path: Path | None,
    preset: str | None,
    resume: bool,
    retrain: bool,
    device: str,
    threads: int | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train a network on MAPS into the folder RUN.

    MAPS is the output of stmap build-maps; in a project (stmap init) with one set of maps it need not be given, and RUN is
    runs/MAPS-NETWORK. The network is pulse-net, which starts from the weights of the package, learned on
    simulated windows. No subject is both trained on and evaluated, and windows that stmap augment added are never evaluated. Options
    that are not given have the values of --config, --preset or stmap.toml, or the defaults of stmap config train; what is chosen to suit
    the maps is printed. How long it will take is
    measured and printed first. The command can be stopped at any time; the same command with --resume continues after the last
    finished epoch.

    \b
    Example:
        stmap train maps runs/pulse --protocol holdout
        stmap train maps runs/paper --preset paper --augment plan --resume
        stmap train --recipe simulated runs/simulated
    """
    from stmap_pipeline.torch import require_torch

    require_torch("lightning_fabric")
    from stmap_pipeline.errors import OtherSettingsError
    from stmap_pipeline.training.config import TrainConfig

    settings = read_settings(config_path, preset, choices)
    screen = _screen()
    if settings.get("recipe") == "simulated":
        if run is not None:
            raise click.UsageError("--recipe simulated takes no maps: give the folder of the run alone")
        unused = [f"--{name.replace('_', '-')}" for name in _OF_RECORDINGS if choices.get(name) is not None]
        if folds:
            unused.append("--fold")
        if unused:
            raise click.UsageError(f"--recipe simulated trains on no recordings, among which {', '.join(unused)} would choose")
        source, out = None, places.new_run(maps, "simulated", "stmap train --recipe simulated RUN")
        config = TrainConfig.from_mapping(settings, "options")
    else:
        source = places.maps_of_project(maps, "stmap train {}" if places.here() else "stmap train {} RUN")
        settings, notes = _fit(source, settings)
        config = TrainConfig.from_mapping(settings, "options")
        name = "-".join([source.resolve().name, config.network, *(["balanced"] if config.augment == "plan" else [])])
        out = places.new_run(run, name, f"stmap train {shlex.quote(str(source))} RUN")
        if run is None:
            say(screen, f"project  {source}  ->  {out}")
        for one in notes:
            say(screen, f"  chosen   {one}")
    # seconds of imports, after all that is wrong at once
    import torch

    from stmap_pipeline.training.device import find_device
    from stmap_pipeline.training.plan import plan_training

    if threads is None and source is None:
        # one core simulates; more threads than cores wait for each other most of the time
        threads = max(1, min(torch.get_num_threads(), default_jobs() - 1))
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        plan = plan_training(source, out, config, folds=folds, resume=resume, retrain=retrain)
    except OtherSettingsError as error:
        words = [*((source,) if source is not None and maps is None else ()), places.free(out)]
        given = maps if source is None else run
        ways = [
            ("removes its networks, and trains in its place", places.typed("--retrain")),
            ("keeps it, and trains beside it", places.typed(*words, without=given)),
        ]
        raise places.OtherSettings(error, ways) from None
    to_do = not plan.finished
    if to_do:
        say_header(plan, str(find_device(device)), screen)
        run_with_progress(plan, device, screen)
    else:
        say(screen, f"{out}: is already finished with these settings; nothing to do")
    # a run that was stopped after its last fold has no evaluation yet
    if source is not None and _is_main_process() and (to_do or not (out / "evaluation.json").exists()):
        _evaluate(plan, source, screen, show_table=not as_json)
    if as_json and _is_main_process():
        click.echo(json.dumps({"run": str(out), **json.loads((out / "run.json").read_text("utf-8"))}))


def read_settings(path: Path | None, preset: str | None, choices: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the project, or of a file in their place, with those of a preset below the file, and options above all."""
    from stmap_pipeline.project import PROJECT, read_train_settings
    from stmap_pipeline.training.config import PRESETS

    project = places.here() if path is None else None
    settings = dict(project.train) if project is not None else {}
    settings |= PRESETS[preset] if preset else {}
    settings |= read_train_settings(path) if path is not None else {}
    if "network" in settings and choices.get("network") is None:
        file = path if path is not None else project.root / PROJECT if project is not None else "settings"
        places.check_name("networks", str(settings["network"]), f"{file}: train.network")
    return settings | {key: value for key, value in choices.items() if value is not None}


def _fit(maps: Path, settings: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from stmap_pipeline.shards import Shards
    from stmap_pipeline.training.protocol import fit_settings

    with Shards(maps) as shards:
        return fit_settings(shards, settings)


def run_with_progress(
    plan: TrainPlan, device: str, screen: Console, *, if_stopped: str = "run the same command with --resume to continue"
) -> None:
    """Train with a progress bar, after a line about the time that it will take."""
    from stmap_pipeline.training.forecast import Forecast
    from stmap_pipeline.training.train import FoldResult, run_training

    start, done, of_fold = time.monotonic(), 0, 0
    progress = Progress("training", 0, screen, if_stopped=if_stopped)
    with progress.running(), closing(run_training(plan, device)) as events:
        for event in events:
            if isinstance(event, Forecast):
                progress.total = event.steps
                progress.say(f"  takes about {duration(event.seconds)} here, at {event.windows_per_s:.0f} windows/s")
            elif isinstance(event, FoldResult):
                done += of_fold
                progress.say(_fold_line(event, plan.config.epochs))
            else:
                of_fold = event.steps
                mae = "" if math.isnan(event.validation_mae_bpm) else f"  validation {event.validation_mae_bpm:.2f} bpm per window"
                fold = f"fold {event.fold}  " if event.fold else ""
                more = f"{fold}epoch {event.epoch}/{event.epochs}  loss {event.train_loss:.3f}{mae}  {event.windows_per_s:.0f} windows/s"
                progress.reach(done + event.step, more)
    say(screen, f"done in {duration(time.monotonic() - start)}   ->  {plan.out}")


def _evaluate(plan: TrainPlan, maps: Path, screen: Console, *, show_table: bool) -> None:
    """Evaluate the run where subjects were held out."""
    if plan.config.protocol == "cross":
        # keeps the mean heart rate of the training videos, which an evaluation on other maps puts beside the network
        evaluate_command.run(plan.out, maps, screen)
        say(screen, f"  next     stmap evaluate {shlex.quote(str(plan.out))} OTHER_MAPS")
    else:
        evaluate_command.after_training(plan.out, maps, screen, show_table=show_table)


def say_header(plan: TrainPlan, device: str, screen: Console) -> None:
    """Write what is going to be trained."""
    from stmap_pipeline.training.protocol import number_range

    splits, config = plan.protocol.splits, plan.config
    start = {"simulated": "from the weights of the package, learned on simulated windows", "random": "from random weights"}
    say(screen, f"{config.network}  {start.get(config.init, f'from the weights {config.init}')}   {device}")
    if plan.shards is None:
        say(screen, f"  {counted(config.epochs, 'epoch')} of simulated windows, none of them twice")
        return
    recorded, resampled = zip(*(plan.protocol.count_training(one) for one in plan.to_do or splits), strict=True)
    say(
        screen,
        f"  {config.protocol}   trains on {number_range(recorded)} windows"
        f"{f' and {number_range(resampled)} resampled' if any(resampled) else ''}   "
        f"{counted(len(plan.to_do), 'fold')} of {len(splits)} to train, {counted(config.epochs, 'epoch')} each",
    )
    if plan.maps.simulated:
        say(screen, "  the maps are simulated: results say nothing about people")


def _fold_line(one: FoldResult, epochs: int) -> str:
    name = f"fold {one.fold}" if one.fold else one.folder.name
    which = f"epoch {one.epoch} of {epochs}"
    if not math.isnan(one.validation_mae_bpm):
        which += f" (validation {one.validation_mae_bpm:.2f} bpm per window)"
    if not one.windows:
        return f"  {name}   {which}   nothing held out"
    return (
        f"  {name}   {which}   {counted(one.videos, 'video')} held out: MAE {one.mae_bpm:.2f} bpm "
        f"(always the mean of the training videos: {one.constant_mae_bpm:.2f})"
    )


def _is_main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _screen() -> Console:
    """Return a console; under torchrun only that of the first process is visible."""
    screen = console()
    if not _is_main_process():
        screen.file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    return screen
