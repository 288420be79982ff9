"""`stmap config`: all settings with their defaults."""

from __future__ import annotations

import click

_PREFACE = (
    "All settings with their defaults. A file holds only what differs: copy the lines that you change into stmap.toml of a project, or into "
    "a file for --config.",
)


@click.command()
@click.argument("section", required=False)
def config(section: str | None) -> None:
    """Print all settings with their defaults, as a settings file.

    SECTION is faces, blocks, windows, limits or train. Above each key stands what it means and what is allowed. The settings that an
    output or a run was made with are in its own stmap.toml or run.toml.

    \b
    Example:
        stmap config
        stmap config windows
    """
    from stmap_pipeline.errors import UnknownNameError
    from stmap_pipeline.project import ProjectFile
    from stmap_pipeline.settings_text import commented_toml

    try:
        text = commented_toml(ProjectFile(), section, () if section else _PREFACE)
    except UnknownNameError as error:
        raise click.UsageError(str(error)) from None
    click.echo(text, nl=False)
