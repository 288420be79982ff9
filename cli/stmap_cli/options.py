"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

jobs_option: Callable[[Any], Any] = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=None, metavar="N", help="Run N processes.  [default: one per core]"
)
color_option: Callable[[Any], Any] = click.option(
    "--color",
    default="yuv",
    show_default=True,
    metavar="SPACE",
    help="Color space of the map: rgb, yuv, ycbcr, or two such as rgb+yuv.",
)


def folder_argument(name: str, **more: Any) -> Callable[[Any], Any]:
    """Make an argument that takes the path of a folder or file; whether it exists is the library's to say."""
    return click.argument(name, type=click.Path(path_type=Path), **more)


class RegistryName(click.ParamType[str]):
    """A name of a registry, completed in the shell; the library says what is wrong with a wrong one."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from stmap_pipeline import registry

        return [CompletionItem(one) for one in registry.names(self._kind) if one.startswith(incomplete)]
