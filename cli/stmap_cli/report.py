"""`stmap report`: a page about a build, or about trained networks."""

from __future__ import annotations

import os
import shlex
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import places
from stmap_cli.console import Progress, console, default_jobs, say
from stmap_cli.options import folder_argument, jobs_option, path_option

if TYPE_CHECKING:
    from rich.console import Console

NAMES = {"html": "report.html", "json": "report.json", "csv": "report", "latex": "report.tex"}


@click.command()
@folder_argument("folders", metavar="[MAPS|RUN]...", nargs=-1)
@path_option(
    "-o",
    "--output",
    metavar="FILE",
    text="Write the report here; tables as CSV go into a folder.  [default: report.html, .json or .tex, or the folder report, in MAPS or RUN]",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(NAMES)),
    default="html",
    help="Write the page, or its tables for another program or a paper.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--show-faces",
    is_flag=True,
    help="Show of each recording the first frame with its face, the grid drawn on it, and the mean shape of the face. Faces are biometric "
    "data: without this no face is in any page, and with it ask whether you may pass the page on. Frames need --source.",
)
@path_option(
    "--source",
    metavar="FOLDER",
    text="Read the frames of --show-faces from the videos here: the folder that the maps were built from.  [default: that of the project]",
)
@click.option(
    "--simulated",
    is_flag=True,
    help="Say at the top, and at each table and figure, that the recordings are simulated; for drawn videos that were built as another database.",
)
@click.option(
    "--title",
    metavar="TEXT",
    help="Give the page this heading.  [default: the project and the folder; without a project, the database and the folder]",
)
@jobs_option
def report(
    folders: tuple[Path, ...],
    output: Path | None,
    kind: Any,
    open_page: bool,
    show_faces: bool,
    source: Path | None,
    jobs: int | None,
    title: str | None,
    simulated: bool,
) -> None:
    """Write one HTML page about MAPS or a RUN, into its folder.

    MAPS is the output of stmap build-maps. The page shows what was built and what was not, heart rates and the quality of each
    recording, and loads nothing from a network. Details of more than 60 recordings go to files in a folder beside it.

    RUN is the output of stmap train, or a folder of several. The page has the errors on the same and on another database beside
    published ones, the ablation, where the network looks (give the maps of the training, too), and the error by heart rate.
    In a project (stmap init), nothing need be given: the page of its maps is written, and that of its run, if there is one.
    Pages need the extra "plot": pip install "stmap[plot]".

    \b
    Example:
        stmap report maps --output report.html
        stmap report maps --show-faces --source /data/VIPL-HR
        stmap report runs/attention runs/plain maps
    """
    from stmap_pipeline.report import write_runs_report
    from stmap_pipeline.report.runs import find_runs

    screen = console()
    folders = tuple(places.maps_or_runs(one, "stmap report {}") for one in folders)
    maps, runs = _of_project(screen) if not folders else ([], [one for one in folders if find_runs(one)])
    if folders:
        maps = [one for one in folders if one not in runs]
        if len(maps) > 1 and not runs:
            raise click.UsageError("give one MAPS, or one RUN or more with the MAPS they were trained on")
    suffix = Path(NAMES[kind]).suffix
    # a video, say, that was named by mistake is not replaced by a page
    if output is not None and suffix and output.suffix.lower() != suffix:
        raise click.UsageError(f"--output writes a {suffix} file, not {output.name}")
    if output is not None and not folders and maps and runs:
        raise click.UsageError(f"--output is one file, and there is a page of {maps[0]} and one of {runs[0]}: name one of them")
    if show_faces and folders and runs:
        raise click.UsageError("--show-faces goes with MAPS alone; a report of runs has no faces")
    if show_faces and maps:
        source = _videos_of(maps[0]) if source is None else places.videos_named(source)
    command = shlex.join(["stmap", *sys.argv[1:]])
    if maps and (not runs or not folders):
        target = output or maps[0] / NAMES[kind]
        # own videos may have a name of their own
        heading = title or ("" if _has_name(maps[0]) else _of_study(maps[0], "maps of"))
        faces = {"show_faces": show_faces, "source": source}
        report_maps(maps[0], target, kind, screen, jobs=jobs, simulated=simulated, title=heading, command=command, **faces)
        _say_written(target, screen, open_page=open_page)
    if runs:
        target = output or _beside(runs) / NAMES[kind]
        heading = title or _of_study(_beside(runs), "heart rate by")
        given = maps or _maps_of(runs)
        write_runs_report(runs, target, kind, maps=given, simulated=simulated, title=heading, command=command)
        _say_written(target, screen, open_page=open_page)


def _of_project(screen: Console) -> tuple[list[Path], list[Path]]:
    """Return the only maps and the only run of the project; the run may be missing."""
    maps = places.maps_of_project(None, "stmap report {}")
    project = places.here()
    run = []
    if project is not None and project.list_runs():
        run = [places.run_of_project(None, f"stmap report {{}}, or compare all: stmap report {shlex.quote(str(project.runs))}")]
    say(screen, f"project  {', '.join(map(str, [maps, *run]))}")
    return [maps], run


def _of_study(folder: Path, what: str) -> str:
    """Return the heading of a page about a folder of the project: a study is called as its project; empty outside of one."""
    project = places.here()
    place = folder.resolve()
    if project is None or place.parent not in (project.maps.resolve(), project.runs.resolve()):
        return ""
    return f"{project.root.resolve().name}: {what} {place.name}"


def _has_name(maps: Path) -> bool:
    from stmap_pipeline.report.provenance import database_of
    from stmap_pipeline.shards import Shards

    with Shards(maps) as shards:
        return bool(database_of(shards)["Study"])


def _videos_of(maps: Path) -> Path | None:
    """Return where the project has the videos of maps, if they are there."""
    from stmap_pipeline.errors import ProjectError, UnknownNameError
    from stmap_pipeline.project import find_source

    try:
        path = find_source(maps.resolve().name, places.here()).path
    except (ProjectError, UnknownNameError):
        return None
    return path if path.exists() else None


def _maps_of(runs: list[Path]) -> list[Path]:
    """Return the maps of the project that runs were trained on: the page shows where on them a network looks."""
    project = places.here()
    if project is None:
        return []
    found = (project.maps_of_run(one) for one in runs if (one / "run.toml").is_file())
    return list(dict.fromkeys(one for one in found if one is not None))


def _beside(runs: list[Path]) -> Path:
    """Return the folder of a run; of several, the folder that all of them are in."""
    if len(runs) == 1:
        return runs[0]
    common = Path(os.path.commonpath([one.resolve().parent for one in runs]))
    return common.relative_to(Path.cwd()) if common.is_relative_to(Path.cwd()) else common


def _say_written(target: Path, screen: Console, *, open_page: bool) -> None:
    click.echo(str(target))
    if target.suffix != ".html":
        return
    link = target.resolve().as_uri()
    say(screen, f"  open     {link}")
    if open_page:
        webbrowser.open(link)


def report_maps(maps: Path, target: Path, kind: Any, screen: Console, *, jobs: int | None, **choices: Any) -> None:
    """Write the report of maps with a bar."""
    from stmap_pipeline.report import write_maps_report

    steps = write_maps_report(maps, target, kind, jobs=jobs or default_jobs(), **choices)
    progress = Progress("examining", next(steps).total, screen, if_stopped="no page was written")
    with progress.running():
        for step in steps:
            if step.path is None:
                progress.step()
