"""`stmap report`: a page about a build, or about trained networks."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli.console import Progress, console, default_jobs
from stmap_cli.options import folder_argument, jobs_option, path_option

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT = {"html": "report.html", "json": "report.json", "csv": "report", "latex": "report.tex"}


@click.command()
@folder_argument("folders", metavar="MAPS|RUN...", nargs=-1, required=True)
@path_option(
    "-o",
    "--output",
    metavar="FILE",
    text="Write the report here; tables as CSV go into a folder.  [default: report.html, .json or .tex, or the folder report]",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(DEFAULT)),
    default="html",
    help="Write the page, or its tables for another program or a paper.",
)
@click.option("--show-faces", is_flag=True, help="Draw the mean shape of each face; without this no face is in the report.")
@click.option(
    "--simulated",
    is_flag=True,
    help="Say at the top, and at each table and figure, that the recordings are simulated; for drawn videos that were built as another database.",
)
@click.option(
    "--title", metavar="TEXT", default="", help="Give the page this heading.  [default: the database and the name of the folder]"
)
@jobs_option
def report(folders: tuple[Path, ...], output: Path | None, kind: Any, jobs: int | None, **choices: Any) -> None:
    """Write one HTML page about MAPS or a RUN.

    MAPS is the output of stmap build-maps. The page shows what was built and what was not, heart rates and the quality of each
    recording, and loads nothing from a network. Details of more than 60 recordings go to files in a folder beside it.

    RUN is the output of stmap train, or a folder of several. The page has the errors on the same and on another database beside
    published ones, the ablation, where the network looks (give the maps of the training, too), and the error by heart rate.
    Pages need the extra "plot": pip install "stmap[plot]".

    \b
    Example:
        stmap report maps --output report.html
        stmap report runs/attention runs/plain maps
    """
    from stmap_pipeline.report import write_runs_report
    from stmap_pipeline.report.runs import find_runs

    target = output or Path(DEFAULT[kind])
    command = shlex.join(["stmap", *sys.argv[1:]])
    screen = console()
    runs = [one for one in folders if find_runs(one)]
    if runs:
        if choices.pop("show_faces"):
            raise click.UsageError("--show-faces goes with MAPS alone; a report of runs has no faces")
        maps = [one for one in folders if one not in runs]
        write_runs_report(runs, target, kind, maps=maps, command=command, **choices)
    elif len(folders) > 1:
        raise click.UsageError("give one MAPS, or one RUN or more with the MAPS they were trained on")
    else:
        report_maps(folders[0], target, kind, screen, jobs=jobs, command=command, **choices)
    click.echo(str(target))


def report_maps(maps: Path, target: Path, kind: Any, screen: Console, *, jobs: int | None, **choices: Any) -> None:
    """Write the report of maps with a bar."""
    from stmap_pipeline.report import write_maps_report

    steps = write_maps_report(maps, target, kind, jobs=jobs or default_jobs(), **choices)
    progress = Progress("examining", next(steps).total, screen, if_stopped="no page was written")
    with progress.running():
        for step in steps:
            if step.path is None:
                progress.step()
