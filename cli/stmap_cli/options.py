"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Any], Any]

jobs_option: Decorator = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Run N processes.  [default: one per core]"
)

preset_option: Decorator = click.option(
    "--preset",
    type=click.Choice(["laptop", "paper"]),
    help="Settings that end in minutes to hours on a CPU, or those of the paper; other options take precedence.",
)

subject_option: Callable[[Any], Any] = click.option(
    "--subject",
    default="",
    metavar="TEXT",
    help="With --db folder, name who is seen in a video by its path: '{parent}', '{grandparent}', '{stem}' or '{dir}', as in database.toml.",
)


def path_option(*names: str, metavar: str, text: str, **more: Any) -> Decorator:
    """Return the option of a file or folder; ``text`` says what it is for."""
    return click.option(*names, type=click.Path(path_type=Path), metavar=metavar, help=text, **more)


def config_option(text: str) -> Decorator:
    """Return the option of a TOML file of settings, passed as ``config_path``; ``text`` says what is read from it."""
    return path_option("--config", "config_path", metavar="FILE", text=text)


def seed_option(text: str) -> Decorator:
    """Return the option of a seed; ``text`` says what it determines."""
    return click.option("--seed", type=click.IntRange(min=0), default=0, metavar="S", help=text)


def min_valid_option(text: str) -> Decorator:
    """Return the option of the smallest share of frames with a face; ``text`` says what is selected by it."""
    return click.option("--min-valid", type=click.FloatRange(0, 1), default=1.0, metavar="SHARE", help=text)


def device_option(text: str) -> Decorator:
    """Return the option of where a network runs; ``text`` lists the names."""
    return click.option("--device", default="auto", metavar="NAME", help=text)


def json_option(text: str) -> Decorator:
    """Return the flag of a result for programs, passed as ``as_json``; ``text`` says what is printed."""
    return click.option("--json", "as_json", is_flag=True, help=text)


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers separated by commas."""

    name = "numbers"

    def __init__(self, count: int | None = None) -> None:
        self._count = count

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        wanted = f"{self._count} numbers" if self._count else "numbers"
        if not all(re.fullmatch(r"\s*[0-9]*\.?[0-9]+\s*", one) for one in parts) or self._count not in (None, len(parts)):
            self.fail(f"{value!r} is not {wanted} separated by a comma", param, ctx)
        return tuple(map(float, parts))


class _LibraryName(click.ParamType[str]):
    """Name that the library must know; an unknown one is a usage error with the library's message."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stmap_pipeline.errors import UnknownNameError

        try:
            return self.known(value)
        except UnknownNameError as error:
            self.fail(str(error), param, ctx)

    def known(self, value: str) -> str:
        """Return the name as the library spells it; raise `UnknownNameError` where it does not know the name."""
        raise NotImplementedError


class RegistryName(_LibraryName):
    """Name of a registry, with shell completion."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def known(self, value: str) -> str:
        from stmap_pipeline import registry

        return registry.find(self._kind, value)

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from stmap_pipeline import registry

        return [CompletionItem(one) for one in registry.names(self._kind) if one.startswith(incomplete)]


class SourceName(RegistryName):
    """Name of a database, or of a folder of videos of the project."""

    def __init__(self) -> None:
        super().__init__("databases")

    def known(self, value: str) -> str:
        from stmap_pipeline import registry
        from stmap_pipeline.errors import UnknownNameError
        from stmap_pipeline.project import find_name, find_project

        try:
            # fast, and right also where stmap.toml is broken
            return registry.find("databases", value)
        except UnknownNameError:
            return find_name(value, find_project())


class ColorSpace(_LibraryName):
    """Color space, or two joined by a plus sign."""

    name = "space"

    def known(self, value: str) -> str:
        from stmap_pipeline.maps.color import split_color_space

        split_color_space(value)
        return value


database_option: Decorator = click.option(
    "--db",
    "database",
    type=SourceName(),
    metavar="NAME",
    help="Read this database; `stmap databases` lists the names. Not needed where the project has one.",
)

color_option: Decorator = click.option(
    "--color",
    type=ColorSpace(),
    default="yuv",
    metavar="SPACE",
    help="Make the map in this color space: rgb, yuv, ycbcr, or two such as rgb+yuv.",
)


def folder_argument(name: str, **more: Any) -> Decorator:
    """Return an argument that takes the path of a folder or file; the library checks whether it exists."""
    return click.argument(name, type=click.Path(path_type=Path), **more)
