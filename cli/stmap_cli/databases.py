"""`stmap databases`: the known databases, what is known of each, and the layout that it must have on disk."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from stmap_cli.options import RegistryName

if TYPE_CHECKING:
    from stmap_pipeline.databases.base import Database

_WIDTH = 100


@click.command()
@click.argument("name", required=False, type=RegistryName("databases"))
def databases(name: str | None) -> None:
    """List the databases, or describe the one called NAME.

    \b
    Example:
        stmap databases
        stmap databases vipl-hr
    """
    from stmap_pipeline import registry

    here = _folders()
    if name is None:
        known: list[Database] = [registry.load("databases", one) for one in registry.names("databases")]
        rows = [
            (one.name, *(str(count or "-") for count in (one.subjects, one.videos)), one.terms or "-", one.title) for one in known
        ]
        click.echo(_table(("name", "subjects", "videos", "access", "what it is"), rows))
        if here:
            click.echo("\nin this project:")
            click.echo(_table(("name", "folder"), list(here.items())))
        return
    database: Database = registry.load("databases", name)
    click.echo(f"{database.name}: {database.title}\n")
    for word, text in database.facts().items():
        click.echo(textwrap.fill(f"{word}: {text}", _width(), subsequent_indent="  ", break_on_hyphens=False))
    if name in here:
        click.echo(f"folder: {here[name]}")
    click.echo("\nlayout:")
    click.echo(textwrap.indent(textwrap.dedent(database.layout).strip("\n"), "  "))
    if database.defects:
        click.echo("\nknown defects:")
        for one in database.defects:
            click.echo(textwrap.fill(f"- {one}", _width(), initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False))
    if database.citation:
        click.echo("\ncite:")
        click.echo(textwrap.indent(textwrap.dedent(database.citation).strip("\n"), "  "))


def _folders() -> dict[str, str]:
    """Return where the databases of the project are, by name, as environment and ``stmap.toml`` say."""
    from stmap_pipeline import registry
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.project import find_project, find_source

    project = find_project()
    found = {}
    for name in [*registry.names("databases"), *(project.sources if project is not None else ())]:
        with contextlib.suppress(ProjectError):
            found[name] = str(find_source(name, project).path)
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns; on a narrow terminal the last column has several lines."""
    *widths, last = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    begin = sum(widths) + 2 * len(widths)
    room = max(20, _width() - begin) if sys.stdout.isatty() else max(1, last)
    lines = []
    for *cells, text in (head, *rows):
        first, *more = textwrap.wrap(text, room) or [""]
        lines.append("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), first]).rstrip())
        lines += [" " * begin + one for one in more]
    return "\n".join(lines)


def _width() -> int:
    return min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
