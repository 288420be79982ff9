"""`stmap init`: a database.toml for a folder of user videos, from what is found in it."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from stmap_cli.console import console, counted, say
from stmap_cli.options import folder_argument, subject_option


@click.command()
@folder_argument("folder")
@subject_option
def init(folder: Path, subject: str) -> None:
    """Write a commented database.toml into FOLDER.

    It names the videos that are found, who is seen in them, and the files beside them that hold heart rate, pulse or frame times. A file that is
    there already is never overwritten.

    \b
    Example:
        stmap synth videos --layout folder --subjects 2
        rm videos/database.toml
        stmap init videos
        stmap check --db folder videos
    """
    from stmap_pipeline.files import atomic_write_text
    from stmap_pipeline.pipeline.describe import propose_description

    proposal = propose_description(folder, subject)
    path = folder / "database.toml"
    atomic_write_text(path, proposal.text)
    screen = console()
    who = proposal.subjects or "each a subject of its own"
    say(screen, f"{counted(proposal.videos, 'video')}, {who}; {proposal.labeled} with a label")
    for one in proposal.notes:
        say(screen, f"  note     {one}")
    say(screen, f"  next     read {path}, then: stmap check --db folder {shlex.quote(str(folder))}")
    click.echo(str(path))
