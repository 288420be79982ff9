"""`stmap verify`: whether an output is whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from stmap_cli import ERROR, places
from stmap_cli.console import console, counted, printable, say
from stmap_cli.options import folder_argument, json_option


@click.command()
@folder_argument("out", metavar="[MAPS]", required=False)
@click.option("--quick", is_flag=True, help="Look at names and sizes only, and read no sample.")
@json_option("Print one JSON object.")
def verify(out: Path | None, quick: bool, as_json: bool) -> int:
    """Check that the output in the folder MAPS is whole.

    Each file is hashed and compared with the manifest, each shard is read, and the tables are compared with the shards. Prints a line
    for each problem; the exit code is 1 where there is one. Nothing is touched.

    \b
    Example:
        stmap verify maps
    """
    from stmap_pipeline.pipeline import verify as find_problems

    out = places.maps_of_project(out, "stmap verify {}")
    problems = find_problems(out, quick)
    if as_json:
        click.echo(json.dumps({"out": str(out), "problems": [asdict(one) for one in problems]}))
    else:
        for one in problems:
            click.echo(printable(f"{one.kind:<10} {one.message}"))
    how = "names and sizes agree; without --quick the content is checked" if quick else "every byte is as it was built"
    say(console(), f"{out}: {counted(len(problems), 'problem')}" if problems else f"{out}: whole; {how}")
    return ERROR if problems else 0
