"""`stmap demo`: every step from videos to reports on drawn faces, without any data."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import build_maps as build_command
from stmap_cli import estimate as estimate_command
from stmap_cli import evaluate as evaluate_command
from stmap_cli import report as report_command
from stmap_cli import synth as synth_command
from stmap_cli import train as train_command
from stmap_cli.console import console, counted, default_jobs, say
from stmap_cli.options import folder_argument, jobs_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.evaluation import HeartRateComparison

CLOSE_BPM = 2.0
EPOCHS, BATCH = 2, 16
# places in the project
VIDEOS, MAPS, RUN = "videos", "maps/vipl-hr", "runs/vipl-hr-demo"
_VIDEO = "data/p1/v1/source1/video.avi"


@click.command()
@folder_argument("out", default="stmap-demo", required=False)
@click.option("--subjects", type=click.IntRange(min=1, max=107), default=2, metavar="N", help="Draw N subjects.")
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=1),
    default=20.0,
    metavar="SECONDS",
    help="Make each video this long; a window of 300 frames takes up to 19 s.",
)
@jobs_option
def demo(out: Path, subjects: int, duration_s: float, jobs: int | None) -> int:
    """Run every step on drawn faces, without any data.

    Takes a few minutes. Makes a project in the folder OUT, draws a small VIPL-HR in OUT/videos, builds its maps in OUT/maps, compares
    the heart rates found in them with the true ones, balances rare heart rates, trains the network of the package a little further on one
    subject in OUT/runs, estimates the heart rate of a video of another one, and writes two reports. In OUT all commands then need no paths.
    OUT is stmap-demo where it is not given. A demo that was stopped resumes with the same command.

    \b
    Example:
        stmap demo
    """
    from stmap_pipeline.pipeline import plan_build
    from stmap_pipeline.project import add_source, create_project, is_project
    from stmap_pipeline.synth import plan_synthesis

    screen = console()
    jobs = jobs or default_jobs()
    videos, maps, run = out / VIDEOS, out / MAPS, out / RUN
    say(screen, f"in the folder {out}, which becomes a project:   cd {shlex.quote(str(out))}")

    _step(
        screen,
        "1  draw face videos with a known pulse",
        f"synth {VIDEOS} --subjects {subjects} --seed 1 --duration {duration_s:g}",
    )
    drawn = synth_command.run(plan_synthesis(videos, "vipl-hr", subjects, seed=1, duration_s=duration_s), jobs, screen)

    _step(screen, "2  make the project, and build the maps of its videos", f"init --db vipl-hr {VIDEOS}", "build-maps --db vipl-hr")
    if not is_project(out):
        create_project(out)
        add_source(out, "vipl-hr", "vipl-hr", videos)
    code = build_command.run(plan_build("vipl-hr", videos, maps), jobs, screen, hint=False)

    _step(screen, "3  compare the heart rates found in the maps (POS, Wang et al. 2017) with the true ones")
    rows = _compare(maps, {one.recording_id: one.true_heart_rate_bpm for one in drawn})
    written = [f"videos   {videos}", f"shards   {maps / 'shards'}", f"tables   {maps / 'recordings.csv'}"]
    if rows:
        _step(screen, "4  balance rare heart rates", "augment --balance")
        _balance(maps, screen)

        options = f"--protocol holdout --validation-share 0 --augment plan --epochs {EPOCHS} --batch {BATCH}"
        title = "5  train the network of the package a little further, on half of the subjects"
        _step(screen, title, f"train {MAPS} {RUN} {options}")
        trained = _train(maps, run, screen)

        video = videos.joinpath(_VIDEO)
        _step(screen, "6  estimate the heart rate in one of the videos", f"estimate {VIDEOS}/{_VIDEO}")
        click.get_current_context().invoke(estimate_command.estimate, videos=(video,))

        _step(screen, "7  draw a map and write reports", "report")
        written += _reports(maps, run if trained else None, out, rows, jobs, screen)
    for line in written:
        click.echo(line)
    if rows:
        _suggest(out, rows[-1].recording_id, screen)
    return code


def _step(screen: Console, title: str, *commands: str) -> None:
    say(screen, f"\n{title}")
    for command in commands:
        say(screen, f"$  stmap {command}")


def _compare(maps: Path, true_bpm: dict[str, float]) -> list[HeartRateComparison]:
    """Print true and estimated heart rates as a table on stdout: they are the result."""
    from rich.console import Console
    from rich.table import Table

    from stmap_pipeline.evaluation import compare_heart_rate
    from stmap_pipeline.shards import Shards

    with Shards(maps) as shards:
        rows = [compare_heart_rate(shards.recording(one.recording_id)) for one in shards.recordings()]
    table = Table("recording", "true HR", "POS", "difference", "SNR", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    close = 0
    for row in rows:
        true = true_bpm[row.recording_id]
        difference = row.estimated_bpm - true
        close += abs(difference) <= CLOSE_BPM
        table.add_row(row.recording_id, f"{true:.1f}", f"{row.estimated_bpm:.1f}", f"{difference:+z.1f}", f"{row.snr_db:+z.1f} dB")
    screen = Console(highlight=False)
    screen.print(table)
    screen.print(f"{close} of {len(rows)} within {CLOSE_BPM:g} bpm of the truth")
    return rows


def _balance(maps: Path, screen: Console) -> None:
    from stmap_pipeline.balance import BalanceOptions
    from stmap_pipeline.errors import StmapError
    from stmap_pipeline.shards import Shards, plan_augmentation, write_augmentation

    with Shards(maps) as shards:
        try:
            plan = plan_augmentation(shards, BalanceOptions())
        except StmapError as error:
            # videos shorter than a window
            say(screen, f"no window is added: {error}")
            return
        write_augmentation(shards, plan)
    say(screen, f"{counted(len(plan.windows), 'window')} resampled in time for training")


def _train(maps: Path, run: Path, screen: Console) -> bool:
    """Train and evaluate, where that is possible; return whether there is a run."""
    if any(find_spec(name) is None for name in ("torch", "lightning_fabric", "safetensors")):
        say(screen, 'no training: torch is not installed; pip install "stmap[train]" and run the same command again')
        return False
    from stmap_pipeline.errors import StmapError
    from stmap_pipeline.evaluation import read_evaluation
    from stmap_pipeline.training.config import TrainConfig
    from stmap_pipeline.training.plan import plan_training

    config = TrainConfig(protocol="holdout", validation_share=0.0, augment="plan", epochs=EPOCHS, batch=BATCH)
    try:
        plan = plan_training(maps, run, config, resume=True)
    except StmapError as error:
        # one person cannot be divided, and without a window there is nothing to learn from
        say(screen, f"no training: {error}")
        return False
    if not plan.finished:
        train_command.run_with_progress(plan, "cpu", screen, if_stopped="run the same command to continue")
    if not (run / "evaluation.json").exists():
        evaluate_command.after_training(run, maps, screen, show_table=True)
    evaluation = read_evaluation(run)
    network, constant, pos = (evaluation.score(name).mae_bpm.value for name in ("network", "constant", "pos"))
    say(
        screen,
        f"on videos of a subject that it never saw, the network has a mean absolute error of {network:.1f} bpm; POS has {pos:.1f}, and\n"
        f"always predicting the mean of the training videos {constant:.1f}. The videos are drawn: this says nothing about people",
    )
    return True


def _reports(maps: Path, run: Path | None, out: Path, rows: list[HeartRateComparison], jobs: int, screen: Console) -> list[str]:
    """Write what the installed extras allow; return a line for each."""
    if find_spec("jinja2") is None or find_spec("matplotlib") is None:
        say(screen, 'no reports: pip install "stmap[plot]" and run the same command again')
        return []
    from stmap_pipeline.report import draw_recording, write_runs_report
    from stmap_pipeline.shards import Shards

    clearest = max(rows, key=lambda row: row.snr_db).recording_id
    with Shards(maps) as shards:
        picture = draw_recording(shards.recording(clearest), out / f"{clearest}.png")
    page = maps / "report.html"
    report_command.report_maps(maps, page, "html", screen, jobs=jobs)
    written = [f"picture  {picture}", f"report   {page}"]
    if run is not None:
        page = run / "report.html"
        write_runs_report([run], page, maps=[maps])
        written.append(f"report   {page}")
    return written


def _suggest(out: Path, recording_id: str, screen: Console) -> None:
    """Suggest commands that work as they are, also where the environment is not activated, as after make demo."""
    program = "stmap" if shutil.which("stmap") else str(Path(sys.argv[0]).absolute())
    suggestions = {
        "both pages again, in a browser": ["report", "--open"],
        "another map with its pulse": ["show", recording_id, "--output", f"{recording_id}.png"],
        "a longer training": ["train", MAPS, "runs/longer", "--epochs", "10"],
        "the heart rate in a video of your own": ["estimate", "YOUR_VIDEO"],
        "add your own videos, and print what comes next": ["init", "YOUR_VIDEOS"],
        "databases that are known, and where to get them": ["databases"],
    }
    say(screen, f"\n{out} is a project: in it, commands need no paths. Go on with\n  cd {shlex.quote(str(out))}")
    for what, words in suggestions.items():
        say(screen, f"  {shlex.join([program, *words])}   # {what}")
