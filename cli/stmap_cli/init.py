"""`stmap init`: a project in this folder; a database in it; a description of user videos."""

from __future__ import annotations

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
    there are, who is seen in them, and the files beside them that hold heart rate, pulse or frame times; a project gets its line.
    Nothing is asked, and no file that is there already is overwritten.

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


def _describe(folder: Path, subject: str, screen: Console) -> None:
    from stmap_pipeline.files import atomic_write_text
    from stmap_pipeline.pipeline.describe import propose_description

    proposal = propose_description(folder, subject)
    path = folder / "database.toml"
    atomic_write_text(path, proposal.text)
    who = proposal.subjects or "each a subject of its own"
    say(screen, f"{counted(proposal.videos, 'video')}, {who}; {proposal.labeled} with a label")
    for one in proposal.notes:
        say(screen, f"  note     {one}")
    project = places.here()
    name = _add_videos(project, folder) if project is not None else ""
    if name:
        say(screen, f"  project  added as {name}")
    command = f"stmap check --db {name}" if name else f"stmap check --db folder {shlex.quote(str(folder))}"
    say(screen, f"  next     read {path}, then: {command}")
    click.echo(str(path))


def _add_videos(project: Project, folder: Path) -> str:
    """Add a folder of videos to the project under its own name, and return that; nothing where the name cannot be one."""
    from stmap_pipeline.errors import ConfigError
    from stmap_pipeline.project import FOLDER, add_source

    name = folder.resolve().name
    if name in project.sources:
        return name if project.sources[name].path.resolve() == folder.resolve() else ""
    try:
        add_source(project.root, name, FOLDER, folder)
    except ConfigError:
        return ""
    return name
