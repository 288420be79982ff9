"""`stmap init`: a project in this folder; a database in it; a description of user videos."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import places
from stmap_cli.console import console, counted, say
from stmap_cli.options import RegistryName, folder_argument, subject_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.project import Project

_MOST_NAMES = 100


@click.command()
@folder_argument("folder", required=False)
@click.option(
    "--db",
    "database",
    type=RegistryName("databases"),
    metavar="NAME",
    help="FOLDER holds this database; `stmap databases` lists the names.  [default: folder, your own videos]",
)
@subject_option
def init(folder: Path | None, database: str | None, subject: str) -> None:
    """Make this folder a project, or add FOLDER to it.

    Without FOLDER, writes a commented stmap.toml here: in a project, commands need no paths. With --db NAME FOLDER, it also gets the line
    of this database. With FOLDER alone, which holds your own videos, writes a commented database.toml there: which videos
    there are, who is seen in them, and the files beside them that hold heart rate, pulse or frame times; a project gets its line, also
    where there is a database.toml already. Nothing is asked, and no file that is there already is overwritten.

    \b
    Example:
        stmap init
        stmap init --db vipl-hr /data/VIPL-HR
        stmap init my-videos
    """
    from stmap_pipeline.project import FOLDER, create_project

    screen = console()
    if folder is None:
        if database is not None or subject:
            raise click.UsageError("Missing argument 'FOLDER': with --db or --subject, give the folder of the videos")
        path = create_project(Path())
        say(
            screen,
            "  next     stmap init --db NAME FOLDER adds a database, stmap init FOLDER your own videos; then: stmap build-maps",
        )
        click.echo(str(path))
    elif database in (None, FOLDER):
        if database is None:
            _refuse_database(folder)
        _describe(folder, subject, screen)
    else:
        _add_database(folder, database, subject, screen)


def _add_database(folder: Path, database: str, subject: str, screen: Console) -> None:
    from stmap_pipeline import registry
    from stmap_pipeline.pipeline.plan import list_recordings
    from stmap_pipeline.project import PROJECT, add_source, create_project

    found = list_recordings(registry.load("databases", database), folder, subject)
    project = places.here()
    root = project.root if project is not None else create_project(Path()).parent
    add_source(root, database, database, folder)
    subjects = len({one.subject for one in found})
    say(screen, f"{database}  {counted(len(found), 'recording')}, {counted(subjects, 'subject')}")
    say(screen, f"  next     stmap build-maps --db {database}")
    click.echo(str(root / PROJECT))


def _refuse_database(folder: Path) -> None:
    """Say what to type where a folder is laid out as a known database."""
    from stmap_pipeline.databases.folder_description import find_description
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.pipeline.plan import recognize_databases

    if not folder.is_dir() or find_description(folder) is not None:
        return
    if like := recognize_databases(folder):
        place = shlex.quote(str(folder))
        lines = [f"{folder}: is laid out as {' and '.join(like)}, with files that stmap knows how to read; type"]
        lines += [f"  stmap init --db {one} {place}" for one in like]
        lines += ["or, if these are your own videos all the same,", f"  stmap init --db folder {place}"]
        raise ProjectError("\n".join(lines))


def _describe(folder: Path, subject: str, screen: Console) -> None:
    from stmap_pipeline.databases.folder_description import find_description
    from stmap_pipeline.files import atomic_write_text
    from stmap_pipeline.pipeline.describe import propose_description

    project = places.here()
    path = find_description(folder)
    if path is not None and project is not None and not subject:
        say(screen, f"  videos   {path} is there already and stays as it is")
    else:
        # where there is a description already, the proposal refuses
        proposal = propose_description(folder, subject)
        path = folder / "database.toml"
        atomic_write_text(path, proposal.text)
        who = proposal.subjects or "each a subject of its own"
        say(screen, f"{counted(proposal.videos, 'video')}, {who}; {proposal.labeled} with a label")
        for one in proposal.notes:
            say(screen, f"  note     {one}")
    name = _add_videos(project, folder, screen) if project is not None else ""
    command = f"stmap check --db {name}" if name else f"stmap check --db folder {shlex.quote(str(folder))}"
    say(screen, f"  next     read {path}, then: {command}")
    click.echo(str(path))


def _add_videos(project: Project, folder: Path, screen: Console) -> str:
    """Add a folder of videos to the project, and return its name there: that of the folder, made fit where it cannot be one."""
    from stmap_pipeline.errors import ConfigError
    from stmap_pipeline.project import FOLDER, PROJECT, add_source

    place = folder.resolve()
    there = [one.name for one in project.sources.values() if one.path.resolve() == place]
    if there:
        say(screen, f"  project  is there already as {there[0]}")
        return there[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.name).strip("._-") or "videos"
    for wanted in (name, *(f"{name}-{number}" for number in range(2, _MOST_NAMES))):
        if wanted in project.sources:
            continue
        try:
            add_source(project.root, wanted, FOLDER, folder)
        except ConfigError:
            continue
        say(screen, f"  project  added as {wanted} under [videos] of {project.root / PROJECT}")
        return wanted
    return ""
