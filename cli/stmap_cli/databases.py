"""`stmap databases`: the known databases, and the layout that each must have on disk."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from stmap_cli.options import RegistryName

if TYPE_CHECKING:
    from stmap_pipeline.databases.base import Database


@click.command()
@click.argument("name", required=False, type=RegistryName("databases"))
def databases(name: str | None) -> None:
    """List the databases, or describe the one called NAME.

    \b
    Example:
        stmap databases vipl-hr
    """
    from stmap_pipeline import registry

    if name is None:
        for one in registry.names("databases"):
            click.echo(f"{one:<12} {registry.load('databases', one).title}")
        return
    database: Database = registry.load("databases", name)
    click.echo(f"{database.name}: {database.title}\n")
    for word, text in (("license", database.license), ("access", database.access)):
        click.echo(textwrap.fill(f"{word}: {text}", 100, subsequent_indent="  "))
    click.echo("\nlayout:")
    click.echo(textwrap.indent(textwrap.dedent(database.layout).strip("\n"), "  "))
    if database.citation:
        click.echo("\ncite:")
        click.echo(textwrap.indent(textwrap.dedent(database.citation).strip("\n"), "  "))
