"""Where a command reads and writes when no path is typed: in the project that the current folder is in.

A path that is there always wins; what is no path may be a name of the project, in any case. Where nothing is typed and there is one of a
kind in the project, it is taken; of several, all are named, with what to type. Without a project, the message says what is missing.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from stmap_cli import ERROR
from stmap_cli.console import printable

if TYPE_CHECKING:
    from stmap_pipeline.config import Config
    from stmap_pipeline.errors import OtherSettingsError, StmapError
    from stmap_pipeline.project import Project, Source

_SHOWN = 12


class Missing(click.UsageError):
    """Wrong usage whose message says what to type, so that no usage line is shown."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        click.echo(printable(f"Error: {self.format_message()}"), file=file, err=file is None)


class OtherSettings(click.ClickException):
    """A result of other settings is in the way: what differs, and the command lines that go on.

    Parameters
    ----------
    error : OtherSettingsError
    ways : sequence of (str, str)
        What is done, and the command line that does it.
    """

    exit_code = ERROR

    def __init__(self, error: OtherSettingsError, ways: Sequence[tuple[str, str]]) -> None:
        width = max((len(key) for key, _, _ in error.differences), default=0)
        lines = [f"{error.place}: {error.what}"]
        lines += [f"  {key:<{width}}  then {then}, now {now}" for key, then, now in error.differences]
        lines.append("type one of")
        for what, command in ways:
            lines += [f"  {command}", f"      {what}"]
        super().__init__("\n".join(lines))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        click.echo(printable(f"Error: {self.message}"), file=file, err=file is None)


def typed(*more: str | Path, without: Path | None = None) -> str:
    """Return what was typed with more words after it, and without an argument of it."""
    words = sys.argv[1:]
    if without is not None:
        # "maps/" and "./maps" are typed for the path "maps", too
        places = [place for place, word in enumerate(words) if Path(word) == without]
        words = [word for place, word in enumerate(words) if place not in places[-1:]]
    return shlex.join(["stmap", *words, *map(str, more)])


def free(folder: Path) -> Path:
    """Return the path of a folder that is not there: with the next number after its name."""
    return next(one for number in count(2) if not os.path.lexists(one := folder.with_name(f"{folder.name}-{number}")))


def here() -> Project | None:
    """Return the project of the current folder, if it is in one."""
    from stmap_pipeline.project import find_project

    return find_project()


def maps_of_project(given: Path | None, usage: str, *, unfinished: bool = False) -> Path:
    """Return the folder of maps that was given by path or name, or the only one of the project.

    Parameters
    ----------
    given : Path, optional
    usage : str
        What to type, with ``{}`` for the folder: ``stmap augment {} --balance``.
    unfinished : bool
        Whether unfinished maps count where there are finished ones.
    """
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.project import maps_in, named

    if given is not None and os.path.lexists(given):
        inside = maps_in(given, unfinished=unfinished)
        return _only(inside, "sets of maps", usage, "") if inside and given not in inside else given
    project = here()
    if given is None:
        project = _needed("which maps", usage.replace("{}", "MAPS"))
        names = list(project.sources)
        command = f"stmap build-maps --db {names[0] if len(names) == 1 else 'NAME'}"
        found = project.list_maps(unfinished=unfinished)
        return _only(found, "sets of maps", usage, f"{project.maps}: there are no maps yet; first type: {command}")
    known = project.list_maps(unfinished=True) if project is not None else []
    if project is not None and (one := named(given, project.maps, known)) is not None:
        return one
    if project is not None and (source := _source_named(given, project)) is not None:
        raise ProjectError(f"there are no maps of {source.name} yet; first type: stmap build-maps --db {source.name}")
    raise _not_there(given, "maps", known)


def are_maps(given: Path) -> bool:
    """Return whether a path, or a name of the project, stands for maps."""
    from stmap_pipeline.project import maps_in, named

    if os.path.lexists(given):
        return bool(maps_in(given))
    project = here()
    return project is not None and named(given, project.maps, project.list_maps()) is not None


def maps_named(given: Path | None, name: str, usage: str) -> Path:
    """Return the folder of maps that was given, or those of this name in the project, or its only ones."""
    project = here() if given is None else None
    if project is not None and project.maps_of(name) in project.list_maps():
        return project.maps_of(name)
    return maps_of_project(given, usage)


def maps_of_training(run: Path, usage: str) -> Path:
    """Return the maps of the project that a run was trained on."""
    found = _needed("which maps", usage.replace("{}", "MAPS")).maps_of_run(run)
    return found if found is not None else maps_of_project(None, usage)


def run_of_project(given: Path | None, usage: str) -> Path:
    """Return the folder of a run that was given by path or name, or the only one of the project."""
    from stmap_pipeline.project import named, runs_in

    if given is not None and os.path.lexists(given):
        inside = runs_in(given)
        return _only(inside, "runs", usage, "") if inside else given
    if given is not None:
        project = here()
        known = project.list_runs() if project is not None else []
        one = named(given, project.runs, known) if project is not None else None
        if one is None:
            raise _not_there(given, "runs", known)
        return one
    project = _needed("which run", usage.replace("{}", "RUN"))
    return _only(project.list_runs(), "runs", usage, f"{project.runs}: there is no trained network yet; first type: stmap train")


def maps_or_runs(given: Path, usage: str) -> Path:
    """Return the folder of maps, of a run or of several runs that was given by path or name."""
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.project import maps_in, named, runs_in

    if os.path.lexists(given):
        return given if runs_in(given) or not maps_in(given) else maps_of_project(given, usage)
    project = here()
    if project is None:
        raise _not_there(given, "maps or runs", [])
    known = {"maps": project.list_maps(), "runs": [*project.list_runs(), *project.list_experiments()]}
    homes = {"maps": project.maps, "runs": project.runs}
    found = [one for kind in known if (one := named(given, homes[kind], known[kind])) is not None]
    if len(found) > 1:
        raise ProjectError(
            f"{given}: is the name of maps and of a run; name one: {_listed([_filled(usage, one) for one in found])}"
        )
    if found:
        return found[0]
    if _source_named(given, project) is not None:
        return maps_of_project(given, usage)
    raise _not_there(given, "maps and runs", [*known["maps"], *known["runs"]])


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
        A path, or a name of the project.
    command : str
        What was typed: ``stmap check``.
    """
    from stmap_pipeline.project import FOLDER, Source

    project = here()
    sources = project.sources if project is not None else {}
    database = sources[name].database if name is not None and name in sources else name
    if folder is None:
        return _source_of_name(name, project, command)
    if project is not None and not os.path.lexists(folder):
        found = _source_named(folder, project)
        if found is None or database not in (None, found.database):
            raise _not_there(folder, "databases and folders of videos", list(sources))
        return _there(found, project, command)
    same = [one for one in sources.values() if one.path.resolve() == folder.resolve() and database in (None, one.database)]
    if same:
        return replace(same[0], path=folder)
    if name is None or database is None:
        raise Missing(_which_database(folder, command))
    # maps of own videos go to a folder of the name of theirs
    return Source(folder.resolve().stem if name == FOLDER else name, database, folder)


def videos_named(given: Path) -> Path:
    """Return the folder of videos that was given by path, or by a name of the project."""
    if os.path.lexists(given):
        return given
    project = here()
    found = _source_named(given, project) if project is not None else None
    if found is None:
        raise _not_there(given, "databases and folders of videos", list(project.sources) if project is not None else [])
    return found.path


def _source_of_name(name: str | None, project: Project | None, command: str) -> Source:
    """Return the source that was named, or the only one of the project."""
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.project import FOLDER, find_source, variable

    sources = project.sources if project is not None else {}
    if name is None:
        if not sources:
            raise Missing(f"which database? Type {command} --db NAME; stmap databases lists the names")
        name = _one_of(list(sources), "which database", command)
    own = [one.name for one in sources.values() if one.database == FOLDER]
    if name == FOLDER and own and not os.environ.get(variable(FOLDER)):
        name = _one_of(own, "which videos", command)
    try:
        found = find_source(name, project)
    except ProjectError:
        add = "stmap init FOLDER" if name == FOLDER else f"stmap init --db {name} FOLDER"
        unsaid = f"{_file(project)} does not say so" if project is not None else f"no {_file(None)} is here or above"
        raise Missing(
            f"where is {name}? The variable {variable(name)} is not set, and {unsaid}; type {command} --db {name} FOLDER, or once, for "
            f"all commands: {add}"
        ) from None
    return _there(found, project, command)


def _one_of(names: Sequence[str], question: str, command: str) -> str:
    if len(names) > 1:
        raise Missing(f"{question}? The project has {_listed(names)}; type {command} --db {min(names)}")
    return names[0]


def _which_database(folder: Path, command: str) -> str:
    from stmap_pipeline.pipeline.plan import recognize_databases

    like = recognize_databases(folder) if folder.is_dir() else []
    if like:
        typed = " or ".join(f"{command} --db {one} {shlex.quote(str(folder))}" for one in like)
        return f"which database? {folder} is laid out like {' and '.join(like)}; type {typed}"
    return f"which database? Type {command} --db NAME {shlex.quote(str(folder))}; stmap databases lists the names, and folder stands for your own videos"


def _source_named(given: Path, project: Project) -> Source | None:
    """Return the source of the project that a name stands for; None where it is no name of one."""
    from stmap_pipeline.errors import ProjectError, UnknownNameError
    from stmap_pipeline.project import find_source

    if given.parent != Path():
        return None
    try:
        return find_source(given.name, project)
    except (ProjectError, UnknownNameError):
        return None


def _there(source: Source, project: Project | None, command: str) -> Source:
    """Return a source whose folder is there; the error of another one says where its path stands."""
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.project import FOLDER, variable

    if os.path.lexists(source.path):
        return source
    name = variable(source.name)
    table = "videos" if source.database == FOLDER else "databases"
    where = f"the variable {name}" if os.environ.get(name) else f"{_file(project)}: [{table}] {source.name}"
    raise ProjectError(
        f"{where}: there is no {source.path}; correct it, or give the folder: {command} --db {source.database} FOLDER"
    )


def _not_there(given: Path, what: str, known: Sequence[Path | str]) -> StmapError:
    """Return the error of what is neither a path nor a name of the project."""
    from stmap_pipeline.errors import ProjectError, did_you_mean

    names = [str(one) for one in known]
    near = did_you_mean(given.name, [Path(one).name for one in names])
    has = f"{what} of the project: {_listed(names)}{near}" if names else f"give the path of {what}"
    return ProjectError(f"{given}: there is no such folder; {has}")


def out_of_project(given: Path | None, source: Source, command: str) -> Path:
    """Return the folder that was given for maps, or the one of the project for this database."""
    if given is not None:
        return given
    return _needed("where to", f"{command} --db {source.database} {shlex.quote(str(source.path))} OUT").maps_of(source.name)


def build_settings(config_path: Path | None) -> Config:
    """Read the settings of a build: of a file, or those of the project, or the defaults."""
    from stmap_pipeline.config import Config
    from stmap_pipeline.project import read_build_settings

    project = here() if config_path is None else None
    if config_path is not None:
        config = read_build_settings(config_path)
    else:
        config = Config.from_mapping(dict(project.settings)) if project is not None else Config()
    check_name("face_backends", config.faces.backend, f"{config_path or _file(project)}: faces.backend")
    return config


def check_name(kind: str, name: str, where: str) -> None:
    """Raise ConfigError where a settings file has a name that a registry does not know.

    Parameters
    ----------
    kind : str
        Registry: ``networks``.
    name : str
    where : str
        File and key.
    """
    from stmap_pipeline import registry
    from stmap_pipeline.errors import ConfigError, UnknownNameError

    try:
        registry.find(kind, name)
    except UnknownNameError as error:
        raise ConfigError(f"{where}: {error}") from None


def lines_of_settings(config_path: Path | None, out: Path) -> list[str]:
    """Return a line about the settings of a build that the project has, where these are used and are news to the output."""
    from stmap_pipeline.config import Config
    from stmap_pipeline.errors import ConfigError

    project = here() if config_path is None else None
    if project is None or not project.settings:
        return []
    config = Config.from_mapping(dict(project.settings))
    try:
        before = Config.from_toml(out / "stmap.toml")
    except ConfigError:
        before = Config()
    # what the project leaves open may have been chosen to suit the videos
    named = {f"{section}.{key}" for section, values in project.settings.items() for key in values}
    changed = [f"{key} {then} -> {now}" for key, then, now in config.differences(before) if key in named]
    return [f"  settings {', '.join(changed)}   ({_file(project)})"] if changed else []


def _needed(question: str, example: str) -> Project:
    project = here()
    if project is None:
        raise Missing(f"{question}? No {_file(None)} is here or above; type {example}, or make a project: stmap init")
    return project


def _filled(usage: str, path: Path) -> str:
    return usage.replace("{}", shlex.quote(str(path)))


def _only(found: Sequence[Path], what: str, usage: str, nothing: str) -> Path:
    from stmap_pipeline.errors import ProjectError

    if not found:
        raise ProjectError(nothing)
    if len(found) > 1:
        raise ProjectError(
            f"there are {len(found)} {what}: {_listed([str(one) for one in found])}; name one: {_filled(usage, found[0])}"
        )
    return found[0]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _file(project: Project | None) -> str:
    from stmap_pipeline.project import PROJECT

    return str(project.root / PROJECT) if project is not None else PROJECT
