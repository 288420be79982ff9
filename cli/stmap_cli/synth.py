"""`stmap synth`: a database of drawn faces with a known pulse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli.console import Progress, console, counted, default_jobs, duration, say
from stmap_cli.options import duration_option, folder_argument, jobs_option

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
    help="Write the tree of this database, quirks included.",
)
@click.option("--subjects", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Draw N persons.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="Draw what this number decides; the same seed gives the same files.",
)
@duration_option
@click.option(
    "--setting",
    type=click.Choice(["easy", "hard", "mixed"]),
    default="easy",
    show_default=True,
    help="Draw quiet sitting in good light, or large motion, talk and poor light, or both in turn.",
)
@jobs_option
def synth(out: Path, layout: Any, subjects: int, seed: int, duration_s: float, setting: Any, jobs: int | None) -> None:
    """Write videos of drawn faces with a known pulse into OUT.

    The folder OUT gets the layout of a real database. A run that was stopped goes on with the same command.

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
    with progress.running():
        for one in plan.run(jobs):
            written.append(one)
            progress.step()
    resumed = sum(one.resumed for one in written)
    again = f", {resumed} of them before" if resumed else ""
    say(screen, f"drawn: {counted(len(written), 'recording')}{again} in {duration(time.monotonic() - start)}   ->  {plan.out}")
    return written
