"""A project: a folder with ``stmap.toml``, which says where databases lie and where maps and runs go.

In a project folder, and below it, a command needs no paths: :func:`find_project` finds the file, :func:`find_source` the folder of a
database, :meth:`Project.list_maps` and :meth:`Project.list_runs` what was made. An environment variable such as ``STMAP_VIPL_HR`` takes
precedence over the file. :func:`create_project` and :func:`add_source` write it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field

from stmap_pipeline import registry
from stmap_pipeline.config import Config, Settings, read_toml
from stmap_pipeline.databases.base import natural_key
from stmap_pipeline.errors import ConfigError, ProjectError, UnknownNameError, did_you_mean, plain_name, printable
from stmap_pipeline.files import atomic_write_text, read_bytes
from stmap_pipeline.shards.manifest import MANIFEST
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.run_folder import MAPS, SETTINGS, MapsMetadata, read_json

PROJECT = "stmap.toml"
#: The database of users' own videos.
FOLDER = "folder"

_MAX_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?\Z")
_TEMPLATE = """\
# A project of stmap: where videos are, and where maps and runs go. In this folder and below it,
#     stmap build-maps --db NAME
#     stmap augment --balance
#     stmap train
#     stmap report
# need no paths. What is typed on the command line comes first, then an environment variable, then this file.
# Relative paths begin at this folder; in paths with backslashes, use single quotes: 'D:\\data'.

# Maps of the database NAME go to maps/NAME, with their report.html.
maps = "maps"

# Trained networks go to runs/NAME-NETWORK, with their report.html.
runs = "runs"

# Where each database is. `stmap databases` lists the names; `stmap init --db NAME FOLDER` adds a line.
# The environment variable STMAP_VIPL_HR takes precedence over vipl-hr, and so on.
[databases]
# vipl-hr = "/data/VIPL-HR"

# Folders of your own videos, under names of your choice; `stmap init FOLDER` describes one and adds a line.
[videos]
# my-study = "my-videos"

# Settings of maps and of a training, where they are to differ from the defaults; `stmap config` prints all of them.
# A file that is given by --config takes the place of these.
[windows]
# length = "10 s"

[train]
# epochs = 20
"""


class ProjectFile(Config):
    """Keys of ``stmap.toml``: places, and the settings that differ from the defaults."""

    maps: str = Field("maps", min_length=1, description="Folder of the maps: those of a database are in a folder of its name.")
    runs: str = Field("runs", min_length=1, description="Folder of the trained networks.")
    databases: dict[str, str] = Field(
        default_factory=dict, description="Folder of each database, by the names that `stmap databases` lists."
    )
    videos: dict[str, str] = Field(default_factory=dict, description="Folders of your own videos, under names of your choice.")
    train: TrainConfig = Field(default_factory=TrainConfig, description="Settings of a training.")


#: Sections of settings in ``stmap.toml``: those of a build, and ``train``.
SECTIONS: dict[str, type[Settings] | Any] = {name: field.annotation for name, field in Config.model_fields.items()} | {
    "train": TrainConfig
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where recordings are, and how they are read.

    Parameters
    ----------
    name : str
        As the project calls it; the maps go to a folder of this name.
    database : str
        Name in the registry.
    path : Path
    """

    name: str
    database: str
    path: Path


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder.

    Parameters
    ----------
    root : Path
        The folder of ``stmap.toml``, relative to the current folder where that is in it.
    maps, runs : Path
        Folders of all maps and of all runs.
    sources : mapping of str to Source
        The databases and folders of videos that the file names.
    settings : mapping
        Of a build, as far as the file has any: sections ``faces``, ``blocks``, ``windows``, ``limits``.
    train : mapping
        Settings of a training, as far as the file has any.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = create_project(Path(name))
    ...     add_source(Path(name), "vipl-hr", "vipl-hr", Path("/data/VIPL-HR"))
    ...     project = read_project(Path(name))
    ...     find_source("VIPL-HR", project).path.as_posix(), project.maps_of("vipl-hr").relative_to(name).as_posix(), project.list_maps()
    ('/data/VIPL-HR', 'maps/vipl-hr', [])
    """

    root: Path
    maps: Path
    runs: Path
    sources: Mapping[str, Source]
    settings: Mapping[str, Any]
    train: Mapping[str, Any]

    def maps_of(self, name: str) -> Path:
        """Return the folder for the maps of a source."""
        return self.maps / name

    def list_maps(self, *, unfinished: bool = False) -> list[Path]:
        """List the maps, in natural order of their names: finished ones, and unfinished ones where asked for or where no other is."""
        return maps_in(self.maps, unfinished=unfinished)

    def list_runs(self) -> list[Path]:
        """List the runs, in natural order of their names; the runs of an experiment are in its folder and not among them."""
        return runs_in(self.runs)

    def list_experiments(self) -> list[Path]:
        """List the folders of several runs."""
        return [one for one in _folders(self.runs) if not (one / SETTINGS).is_file() and runs_in(one)]

    def maps_of_run(self, run: Path) -> Path | None:
        """Return the maps that a run was trained on, where the project holds maps of this name.

        Raises
        ------
        ModelError
            Where the run is damaged.
        """
        name = read_json(run / MAPS, MapsMetadata).path_name
        return next((one for one in self.list_maps() if one.resolve().name == name), None)


def maps_in(folder: Path, *, unfinished: bool = False) -> list[Path]:
    """List the maps in a folder, itself included, in natural order of their names.

    Parameters
    ----------
    folder : Path
    unfinished : bool
        Whether unfinished maps count where there are finished ones.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = example_maps()
    >>> maps_in(maps) == [maps], maps_in(maps / "shards")
    (True, [])
    """
    every = [one for one in (folder, *_folders(folder)) if _is_output(one)]
    finished = [one for one in every if (one / MANIFEST).is_file()]
    return every if unfinished else finished or every


def runs_in(folder: Path) -> list[Path]:
    """List the runs in a folder, in natural order of their names; the folder alone where it is a run.

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> run, maps = example_run()
    >>> runs_in(run) == [run], runs_in(maps)
    (True, [])
    """
    return [folder] if (folder / SETTINGS).is_file() else [one for one in _folders(folder) if (one / SETTINGS).is_file()]


def named(name: Path, home: Path, known: Sequence[Path]) -> Path | None:
    """Return the folder that a name stands for: of ``known`` in the folder ``home``, in any case; None where there is none.

    Parameters
    ----------
    name : Path
        A name alone, or the path of one in ``home``.
    home : Path
    known : sequence of Path

    Examples
    --------
    >>> named(Path("VIPL_HR"), Path("maps"), [Path("maps/pure"), Path("maps/vipl-hr")]).as_posix()
    'maps/vipl-hr'
    """
    if name.parent != Path() and name.parent.resolve() != home.resolve():
        return None
    return next((one for one in known if plain_name(one.name) == plain_name(name.name)), None)


def find_project(start: Path | None = None) -> Project | None:
    """Read the project that a folder is in: the nearest ``stmap.toml`` upward; None where there is none.

    The ``stmap.toml`` of maps, which records their settings, is not one.

    Parameters
    ----------
    start : Path, optional
        The current folder where it is not given.

    Raises
    ------
    ConfigError, ProjectError
        As :func:`read_project`.
    """
    folder = Path.cwd() if start is None else start.absolute()
    for root in (folder, *folder.parents):
        if is_project(root):
            # a path that is short to read and to type
            return read_project(Path(os.path.relpath(root)) if start is None else root)
    return None


def is_project(root: Path) -> bool:
    """Return whether a folder holds the ``stmap.toml`` of a project, which is not that of maps.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> is_project(example_maps())
    False
    """
    return (root / PROJECT).is_file() and not _is_output(root)


def read_project(root: Path) -> Project:
    """Read the ``stmap.toml`` of a project.

    Raises
    ------
    ConfigError
        Where it cannot be read, or holds an unknown key or a value that is not allowed; with the nearest key.
    """
    path = root / PROJECT
    values = read_toml(path)
    file = ProjectFile.from_mapping(values, str(path))
    sources = {}
    for name, folder in file.databases.items():
        try:
            database = registry.find("databases", name)
        except UnknownNameError as error:
            raise ConfigError(f"{path}: [databases]: {error}; folders of your own videos go into [videos]") from None
        sources[database] = Source(database, database, _path(root, folder))
    for name, folder in file.videos.items():
        if not _NAME.match(name) or plain_name(name) in map(plain_name, registry.names("databases")):
            raise ConfigError(
                f"{path}: [videos]: '{name}' cannot be the name of a folder of videos: letters, digits, '.', '_' and '-', and not the "
                "name of a database"
            )
        sources[name] = Source(name, FOLDER, _path(root, folder))
    settings = {name: values[name] for name in Config.model_fields if name in values}
    return Project(root, _path(root, file.maps), _path(root, file.runs), sources, settings, values.get("train", {}))


def find_source(name: str, project: Project | None = None) -> Source:
    """Return where a database, or a folder of videos that the project names, is: by the environment, or by the project.

    Raises
    ------
    UnknownNameError
        Where there is no such database, and the project names no such folder.
    ProjectError
        Where neither says where it is.
    """
    known = project.sources if project is not None else {}
    same = next((one for one in known.values() if plain_name(one.name) == plain_name(name)), None)
    wanted = same.name if same is not None else find_name(name, project)
    if place := os.environ.get(variable(wanted)):
        return Source(wanted, same.database if same is not None else wanted, Path(place).expanduser())
    if same is None:
        raise ProjectError(f"{wanted}: neither the variable {variable(wanted)} nor a {PROJECT} says in which folder it is")
    return same


def find_name(name: str, project: Project | None = None) -> str:
    """Return the name of a database, or of a folder of videos of the project, as it is spelled there.

    Raises
    ------
    UnknownNameError
        Where there is neither; with the nearest name.
    """
    videos = [one.name for one in project.sources.values() if one.database == FOLDER] if project is not None else []
    for one in videos:
        if plain_name(one) == plain_name(name):
            return one
    try:
        return registry.find("databases", name)
    except UnknownNameError:
        if not videos:
            raise
        hint = did_you_mean(name, [*videos, *registry.names("databases")])
        raise UnknownNameError(
            f"no database and no folder of videos is called '{name}'{hint} (of the project: {', '.join(videos)}; stmap databases lists the "
            "others)"
        ) from None


def read_build_settings(path: Path) -> Config:
    """Read the settings of a build from a file that may also hold those of a training, such as ``stmap.toml``.

    Raises
    ------
    ConfigError
        Where the file cannot be read, is no TOML or holds an unknown key or a wrong value.
    """
    values = read_toml(path)
    ProjectFile.from_mapping(values, str(path))
    return Config.from_mapping({name: values[name] for name in Config.model_fields if name in values}, str(path))


def read_train_settings(path: Path) -> dict[str, Any]:
    """Read the settings of a training: all keys of a file such as ``run.toml``, or the section ``train`` of one such as ``stmap.toml``.

    Raises
    ------
    ConfigError
        Where the file cannot be read, is no TOML or holds an unknown key or a wrong value.
    """
    values = read_toml(path)
    if not values.keys() & ProjectFile.model_fields.keys():
        TrainConfig.from_mapping(values, str(path))
        return values
    ProjectFile.from_mapping(values, str(path))
    return dict(values.get("train", {}))


def variable(name: str) -> str:
    """Return the environment variable that says where a database is.

    Examples
    --------
    >>> variable("vipl-hr")
    'STMAP_VIPL_HR'
    """
    return "STMAP_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def create_project(root: Path) -> Path:
    """Write the commented ``stmap.toml`` of a new project, and return its path.

    Raises
    ------
    ProjectError
        Where there is one already, or the folder is an output of stmap.
    OutputError
        Where the system refuses to write.
    """
    path = root / PROJECT
    if is_project(root):
        raise ProjectError(f"{printable(path)}: is there already and is not overwritten; change it by hand")
    if _is_output(root) or (root / SETTINGS).is_file():
        raise ProjectError(f"{printable(root)}: holds maps or a run; a project is the folder above them")
    atomic_write_text(path, _TEMPLATE)
    return path


def add_source(root: Path, name: str, database: str, folder: Path) -> None:
    """Add the line of a database or of a folder of videos to ``stmap.toml``, or change it; all else stays as it is.

    Parameters
    ----------
    root : Path
        Of the project.
    name : str
    database : str
        Name in the registry; ``folder`` for videos of the user's own.
    folder : Path

    Raises
    ------
    ConfigError
        Where the name or the file is not as it should be; the file stays as it was.
    """
    path = root / PROJECT
    table: Literal["databases", "videos"] = "videos" if database == FOLDER else "databases"
    line = tomli_w.dumps({name: _written(root, folder)}).rstrip("\n")
    before = read_bytes(path, _MAX_BYTES)
    lines = before.decode().splitlines()
    try:
        begin = next(number for number, one in enumerate(lines) if re.match(rf"\s*\[\s*{table}\s*\]\s*(#.*)?\Z", one)) + 1
    except StopIteration:
        lines += ["", f"[{table}]"]
        begin = len(lines)
    end = next((number for number, one in enumerate(lines[begin:], begin) if one.lstrip().startswith("[")), len(lines))
    key = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
    mine = [number for number in range(begin, end) if key.match(lines[number])]
    last = max(number for number in range(begin - 1, end) if lines[number].strip() and not lines[number].lstrip().startswith("#"))
    place = slice(mine[0], mine[0] + 1) if mine else slice(last + 1, last + 1)
    lines[place] = [line]
    atomic_write_text(path, "\n".join(lines) + "\n")
    try:
        read_project(root)
    except ConfigError:
        atomic_write_text(path, before.decode())
        raise


def _written(root: Path, folder: Path) -> str:
    """Return a path as it stands in the file: relative where it lies in the project."""
    absolute = folder.expanduser().absolute()
    inside = absolute.is_relative_to(root.absolute().resolve()) or absolute.is_relative_to(root.absolute())
    return Path(os.path.relpath(absolute, root.absolute())).as_posix() if inside else str(absolute)


def _path(root: Path, text: str) -> Path:
    return root / Path(text).expanduser()


def _folders(root: Path) -> list[Path]:
    try:
        found = [one for one in root.iterdir() if one.is_dir() and not one.name.startswith(".")]
    except OSError:
        return []
    return sorted(found, key=lambda one: natural_key(one.name))


def _is_output(folder: Path) -> bool:
    """Return whether a folder is an output of a build, finished or not."""
    if (folder / "dataset_description.json").is_file() or (folder / MANIFEST).is_file():
        return True
    # a build that was killed at once has left its settings alone, all sections of them
    try:
        return set(read_toml(folder / PROJECT)) == set(Config.model_fields)
    except ConfigError:
        return False
