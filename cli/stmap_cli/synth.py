"""`stmap synth`: a database of drawn faces with a known pulse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli.console import Progress, console, counted, default_jobs, duration
from stmap_cli.options import folder_argument, jobs_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.synth import Synthesis, SyntheticRecording


@click.command()
@folder_argument("out")
@click.option(
    "--layout",
    type=click.Choice(["vipl-hr", "mmse-hr", "folder"]),
    default="vipl-hr",
    show_default=True,
    help="Whose tree to write, quirks included.",
)
@click.option("--subjects", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Number of persons.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="Decides everything: same seed, same files.",
)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="Length of a video.",
)
@click.option(
    "--setting",
    type=click.Choice(["easy", "hard", "mixed"]),
    default="easy",
    show_default=True,
    help="Quiet sitting in good light; large motion, talk and poor light; or both.",
)
@jobs_option
def synth(out: Path, layout: Any, subjects: int, seed: int, duration_s: float, setting: Any, jobs: int | None) -> None:
    """Write real video files of drawn faces with a known pulse into the folder OUT, in the layout of a database.

    A run that was stopped goes on with the same command.

    \b
    Example:
        stmap synth videos --layout vipl-hr --subjects 2 --seed 1
    """
    from stmap_pipeline.synth import plan_synthesis

    plan = plan_synthesis(out, layout, subjects, seed, duration_s=duration_s, setting=setting)
    run(plan, jobs or default_jobs(), console())
    click.echo(str(out))


def run(plan: Synthesis, jobs: int, screen: Console) -> list[SyntheticRecording]:
    """Write a planned database with progress on the screen."""
    start = time.monotonic()
    progress = Progress("drawing", len(plan.recordings), screen)
    written = []
    try:
        with progress.running():
            for one in plan.run(jobs):
                written.append(one)
                progress.step()
    except KeyboardInterrupt:
        screen.print(f"stopped; {progress.done} of {progress.total} done - run the same command to continue", markup=False)
        raise
    resumed = sum(one.resumed for one in written)
    again = f", {resumed} of them before" if resumed else ""
    screen.print(
        f"drawn: {counted(len(written), 'recording')}{again} in {duration(time.monotonic() - start)}   ->  {plan.out}", markup=False
    )
    return written
