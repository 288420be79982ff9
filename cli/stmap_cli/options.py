"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

jobs_option: Callable[[Any], Any] = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=None, metavar="N", help="Run N processes.  [default: one per core]"
)
duration_option: Callable[[Any], Any] = click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="Make each video this long; a window of 300 frames takes up to 19 s.",
)


def seed_option(text: str) -> Callable[[Any], Any]:
    """Make the option of a seed; ``text`` says what it decides."""
    return click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S", help=text)


def config_option(text: str) -> Callable[[Any], Any]:
    """Make the option of a TOML file of settings, given on as ``config_path``; ``text`` says what is taken from it."""
    return click.option("--config", "config_path", type=click.Path(path_type=Path), metavar="FILE", help=text)


def min_valid_option(text: str) -> Callable[[Any], Any]:
    """Make the option of the least share of frames with a face; ``text`` says what is taken."""
    return click.option("--min-valid", type=click.FloatRange(0, 1), default=1.0, show_default=True, metavar="SHARE", help=text)


class _LibraryName(click.ParamType[str]):
    """A name that the library knows; a wrong one is wrong usage, in the library's words."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stmap_pipeline.errors import UnknownNameError

        try:
            self.check(value)
        except UnknownNameError as error:
            self.fail(str(error), param, ctx)
        return value

    def check(self, value: str) -> None:
        """Raise where the library does not know the name."""
        raise NotImplementedError


class RegistryName(_LibraryName):
    """A name of a registry, completed in the shell."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def check(self, value: str) -> None:
        from stmap_pipeline import registry

        if value not in registry.names(self._kind):
            registry.load(self._kind, value)

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from stmap_pipeline import registry

        return [CompletionItem(one) for one in registry.names(self._kind) if one.startswith(incomplete)]


class ColorSpace(_LibraryName):
    """A color space, or two joined by a plus."""

    name = "space"

    def check(self, value: str) -> None:
        from stmap_pipeline.maps.color import split_color_space

        split_color_space(value)


color_option: Callable[[Any], Any] = click.option(
    "--color",
    type=ColorSpace(),
    default="yuv",
    show_default=True,
    metavar="SPACE",
    help="Make the map in this color space: rgb, yuv, ycbcr, or two such as rgb+yuv.",
)


def folder_argument(name: str, **more: Any) -> Callable[[Any], Any]:
    """Make an argument that takes the path of a folder or file; whether it exists is the library's to say."""
    return click.argument(name, type=click.Path(path_type=Path), **more)
