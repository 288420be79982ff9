"""`stmap evaluate`: errors of a trained network beside those of methods that need no training."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import places
from stmap_cli.console import Progress, console, counted, default_jobs, say
from stmap_cli.options import device_option, folder_argument, jobs_option, json_option, path_option, seed_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.evaluation import Evaluation, Interval

TITLES = {"network": "network", "constant": "constant", "green": "GREEN", "chrom": "CHROM", "pos": "POS"}


@click.command()
@folder_argument("run_folder", metavar="[RUN]", required=False)
@folder_argument("maps", required=False)
@path_option(
    "--out", metavar="FOLDER", text="Write the tables here.  [default: RUN; for other maps RUN/on-NAME, with the name of MAPS]"
)
@click.option(
    "--resample",
    type=click.Choice(["subject", "video"]),
    default="subject",
    help="Draw these for the intervals; videos of one subject err alike, so with 'video' the intervals come out too narrow.",
)
@click.option("--resamples", type=click.IntRange(min=100), default=2000, metavar="N", help="Draw N times for the intervals.")
@seed_option("Draw by this number.")
@path_option(
    "--baselines",
    metavar="FOLDER",
    text="Take GREEN, CHROM and POS from this evaluation of the same recordings on the same clock, where it has all windows.",
)
@device_option("Run the network here, on other maps: cpu, cuda, or auto.")
@jobs_option
@json_option("Print evaluation.json on stdout in place of the table.")
def evaluate(
    run_folder: Path | None, maps: Path | None, resample: Any, resamples: int, seed: int, as_json: bool, **choices: Any
) -> None:
    """Measure how well the network of RUN predicts heart rates.

    RUN is the output of stmap train. On the maps of its training, each network is evaluated on the subjects that its fold held out; on
    other maps, the mean of the predictions of all folds' networks. For comparison there are, on the same windows, a constant (the mean
    heart rate of the training videos) and the classical methods GREEN, CHROM and POS. The estimate for a video is the mean over its
    windows. In a project (stmap init), RUN is its only run and MAPS those of its training, where they are not given.

    \b
    Example:
        stmap evaluate runs/first maps
        stmap evaluate runs/first other-maps --json
    """
    from stmap_pipeline.evaluation import Bootstrap

    screen = console()
    run_folder = places.run_of_project(run_folder, "stmap evaluate {}")
    usage = f"stmap evaluate {shlex.quote(str(run_folder))} {{}}"
    maps = places.maps_of_training(run_folder, usage) if maps is None else places.maps_of_project(maps, usage)
    if choices["baselines"] is not None:
        choices["baselines"] = places.run_of_project(choices["baselines"], "stmap evaluate --baselines {}")
    bootstrap = Bootstrap(resample, resamples, seed=seed)
    evaluation = run(run_folder, maps, screen, bootstrap=bootstrap, **choices)
    if as_json:
        click.echo(evaluation.to_json(), nl=False)
    else:
        show(evaluation)


def after_training(run_folder: Path, maps: Path, screen: Console, *, show_table: bool) -> None:
    """End a training with its evaluation."""
    if_stopped = f"the networks are trained; stmap evaluate {shlex.quote(str(run_folder))} {shlex.quote(str(maps))} begins anew"
    evaluation = run(run_folder, maps, screen, if_stopped=if_stopped)
    if show_table:
        show(evaluation)


def run(
    run_folder: Path,
    maps: Path,
    screen: Console,
    *,
    out: Path | None = None,
    jobs: int | None = None,
    if_stopped: str = "the same command begins anew",
    **more: Any,
) -> Evaluation:
    """Evaluate with a progress bar; print the notes and where the tables are."""
    from stmap_pipeline.errors import OtherSettingsError
    from stmap_pipeline.evaluation import evaluate_run

    progress = Progress("GREEN, CHROM, POS", 0, screen, if_stopped=if_stopped)

    def on_progress(stage: str, done: int, total: int) -> None:
        if stage == "networks":
            progress.say(f"network {done} of {total} has predicted {maps}")
            return
        progress.total = total
        if done:
            progress.step()

    try:
        with progress.running():
            evaluation = evaluate_run(run_folder, maps, out=out, jobs=jobs or default_jobs(), on_progress=on_progress, **more)
    except OtherSettingsError as error:
        settings = ["--config", str(run_folder / "run.toml")]
        ways = [
            ("removes the networks, and trains on these maps", ["train", str(maps), str(run_folder), *settings, "--retrain"]),
            ("keeps the run, and trains on these maps beside it", ["train", str(maps), str(places.free(run_folder)), *settings]),
        ]
        raise places.OtherSettings(error, [(what, shlex.join(["stmap", *words])) for what, words in ways]) from None
    for note in evaluation.notes:
        say(screen, f"note     {note}")
    folder = out or evaluation.folder(run_folder)
    say(screen, f"written  ->  {folder / 'evaluation.json'}, {folder / 'videos.csv'}")
    return evaluation


def show(evaluation: Evaluation) -> None:
    """Print the tables to stdout: they are the result."""
    from rich.console import Console

    out = Console(highlight=False)
    out.print(_title(evaluation), markup=False, soft_wrap=True)
    if not evaluation.rows:
        return
    out.print(_overall(evaluation))
    if bands := evaluation.names("band"):
        out.print(f"\nMAE in beats/min by true heart rate{' (simulated)' if evaluation.simulated else ''}", markup=False)
        out.print(_bands(evaluation, bands))


def _title(evaluation: Evaluation) -> str:
    whose = "held out in training" if evaluation.held_out else f"of {evaluation.maps.name}"
    simulated = "simulated, " if evaluation.simulated else ""
    labeled = evaluation.videos - evaluation.unlabeled_videos
    counts = f"{counted(labeled, 'video')}, {counted(evaluation.windows, 'window')}"
    trained = " (trained on simulated maps)" if evaluation.run.simulated and not evaluation.simulated else ""
    return f"{evaluation.run.network}{trained}: heart rate of {counts} {whose} ({simulated}{evaluation.maps.database})"


def _overall(evaluation: Evaluation) -> Any:
    # within 80 columns; the intervals of the others are in the files
    mae = f"MAE [{100 * evaluation.bootstrap.confidence:.0f} %]"
    table = _empty_table("videos", "missing", "ME", "SD", mae, "RMSE", "MER %", "r")
    for method in evaluation.methods:
        score = evaluation.score(method)
        cells = [_cell(score.me_bpm, "+z.2f"), _cell(score.sd_bpm), _cell(score.mae_bpm, interval=True)]
        cells += [_cell(one) for one in (score.rmse_bpm, score.mer_percent, score.r)]
        table.add_row(TITLES.get(method, method), str(score.n), str(score.n_missing), *cells)
    return table


def _bands(evaluation: Evaluation, bands: list[str]) -> Any:
    table = _empty_table(*bands)
    counts = [evaluation.score(evaluation.methods[0], "band", name) for name in bands]
    table.add_row("videos", *(str(one.n + one.n_missing) for one in counts))
    for method in evaluation.methods:
        scores = [evaluation.score(method, "band", name) for name in bands]
        table.add_row(TITLES.get(method, method), *(_cell(one.mae_bpm) for one in scores))
    return table


def _empty_table(*heads: str) -> Any:
    from rich.table import Table

    table = Table("method", *heads, box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    return table


def _cell(one: Interval, form: str = ".2f", *, interval: bool = False) -> str:
    if one.value != one.value:
        return "-"
    # a backslash keeps rich from reading the bracket
    ends = f" \\[{one.low:.2f}, {one.high:.2f}]" if interval and one.low == one.low else ""
    return f"{one.value:{form}}{ends}"
