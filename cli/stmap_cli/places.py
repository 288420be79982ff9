"""Where a command reads and writes when no path is typed: in the project that the current folder is in.

A path on the command line always wins. Where there is one of a kind in the project, it is taken; of several, all are named, with what to
type. Without a project, the message says what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from stmap_cli.console import printable

if TYPE_CHECKING:
    from stmap_pipeline.config import Config
    from stmap_pipeline.project import Project, Source

_SHOWN = 12


class Missing(click.UsageError):
    """Wrong usage whose message says what to type, so that no usage line is shown."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        click.echo(printable(f"Error: {self.format_message()}"), file=file, err=file is None)


def here() -> Project | None:
    """Return the project of the current folder, if it is in one."""
    from stmap_pipeline.project import find_project

    return find_project()


def maps_of_project(given: Path | None, usage: str, *, unfinished: bool = False) -> Path:
    """Return the folder of maps that was given, or the only one of the project.

    Parameters
    ----------
    given : Path, optional
    usage : str
        What to type, with ``{}`` for the folder: ``stmap augment {} --balance``.
    unfinished : bool
        Whether unfinished maps count where there are finished ones.
    """
    if given is not None:
        return given
    project = _needed("which maps", usage.format("MAPS"))
    names = list(project.sources)
    command = f"stmap build-maps --db {names[0] if len(names) == 1 else 'NAME'}"
    found = project.list_maps(unfinished=unfinished)
    return _only(found, "sets of maps", usage, f"{project.maps}: there are no maps yet; first type: {command}")


def maps_named(given: Path | None, name: str, usage: str) -> Path:
    """Return the folder of maps that was given, or those of this name in the project, or its only ones."""
    project = here() if given is None else None
    if project is not None and project.maps_of(name) in project.list_maps():
        return project.maps_of(name)
    return maps_of_project(given, usage)


def maps_of_training(run: Path, usage: str) -> Path:
    """Return the maps of the project that a run was trained on."""
    found = _needed("which maps", usage.format("MAPS")).maps_of_run(run)
    return found if found is not None else maps_of_project(None, usage)


def run_of_project(given: Path | None, usage: str) -> Path:
    """Return the folder of a run that was given, or the only one of the project."""
    if given is not None:
        return given
    project = _needed("which run", usage.format("RUN"))
    return _only(project.list_runs(), "runs", usage, f"{project.runs}: there is no trained network yet; first type: stmap train")


def new_run(given: Path | None, name: str, usage: str) -> Path:
    """Return the folder that was given for a new run, or the one of this name in the project."""
    return given if given is not None else _needed("where to", usage).runs / name


def source_of_project(name: str | None, folder: Path | None, command: str) -> Source:
    """Return the database to read: name and folder as given, or as environment and project say.

    Parameters
    ----------
    name : str, optional
        Of a database, or of a folder of videos of the project.
    folder : Path, optional
    command : str
        What was typed: ``stmap check``.
    """
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.project import FOLDER, Source, find_source, variable

    project = here()
    sources = project.sources if project is not None else {}
    if name is None:
        if folder is not None or not sources:
            raise Missing(f"which database? Type {command} --db NAME; stmap databases lists the names")
        if len(sources) > 1:
            raise Missing(f"which database? The project has {_listed(list(sources))}; type {command} --db {min(sources)}")
        name = next(iter(sources))
    if folder is not None:
        database = sources[name].database if name in sources else name
        # maps of own videos go to a folder of the name of theirs
        return Source(folder.resolve().stem if name == FOLDER else name, database, folder)
    try:
        return find_source(name, project)
    except ProjectError:
        add = "stmap init FOLDER" if name == FOLDER else f"stmap init --db {name} FOLDER"
        raise Missing(
            f"where is {name}? Neither {variable(name)} nor {_file(project)} says so; type {command} --db {name} FOLDER, or once, for all "
            f"commands: {add}"
        ) from None


def out_of_project(given: Path | None, source: Source, command: str) -> Path:
    """Return the folder that was given for maps, or the one of the project for this database."""
    if given is not None:
        return given
    return _needed("where to", f"{command} --db {source.database} {source.path} OUT").maps_of(source.name)


def build_settings(config_path: Path | None) -> Config:
    """Read the settings of a build: of a file, or those of the project, or the defaults."""
    from stmap_pipeline.config import Config
    from stmap_pipeline.project import read_build_settings

    if config_path is not None:
        return read_build_settings(config_path)
    project = here()
    return Config.from_mapping(dict(project.settings)) if project is not None else Config()


def lines_of_settings(config_path: Path | None) -> list[str]:
    """Return a line about the settings of a build that the project has, where these are used."""
    from stmap_pipeline.config import Config

    project = here() if config_path is None else None
    if project is None or not project.settings:
        return []
    other = Config.from_mapping(dict(project.settings)).differences(Config())
    return [f"  settings {', '.join(other)}   ({_file(project)})"] if other else []


def _needed(question: str, example: str) -> Project:
    project = here()
    if project is None:
        raise Missing(f"{question}? No {_file(None)} is here or above; type {example}, or make a project: stmap init")
    return project


def _only(found: Sequence[Path], what: str, usage: str, nothing: str) -> Path:
    from stmap_pipeline.errors import ProjectError

    if not found:
        raise ProjectError(nothing)
    if len(found) > 1:
        raise ProjectError(
            f"there are {len(found)} {what}: {_listed([str(one) for one in found])}; name one: {usage.format(found[0])}"
        )
    return found[0]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _file(project: Project | None) -> str:
    from stmap_pipeline.project import PROJECT

    return str(project.root / PROJECT) if project is not None else PROJECT
