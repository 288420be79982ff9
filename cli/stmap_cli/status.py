"""`stmap status`: how far a build is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import places
from stmap_cli.console import number
from stmap_cli.options import folder_argument, json_option

if TYPE_CHECKING:
    from stmap_pipeline.pipeline import BuildStatus

_NAMES = 8


@click.command()
@folder_argument("out", metavar="[MAPS]", required=False)
@json_option("Print one JSON object.")
def status(out: Path | None, as_json: bool) -> None:
    """Show how far the build in the folder MAPS is.

    It can run meanwhile, have been stopped, or be finished; nothing is touched.

    \b
    Example:
        stmap status maps
    """
    from stmap_pipeline.pipeline import read_status

    out = places.maps_of_project(out, "stmap status {}", unfinished=True)
    found = read_status(out)
    click.echo(json.dumps({"out": str(out), **asdict(found)}) if as_json else "\n".join(_lines(found)))


def _lines(found: BuildStatus) -> list[str]:
    what = {
        "finished": "finished",
        "running": f"running: process {found.pid} on {found.host}",
        "stopped": "stopped: the same stmap build-maps command continues it",
    }[found.state]
    counts = [f"{number(getattr(found, name))} {name}" for name in ("ok", "skipped", "failed") if getattr(found, name)]
    if found.left:
        counts.append(f"{number(found.left)} to do")
    lines = [f"{found.database or 'build'}  {what}", f"  {', '.join(counts) or 'nothing done yet'}"]
    lines += [f"  {number(count):>6}  {reason}" for reason, count in found.reasons.items()]
    if found.in_progress:
        more = f" and {len(found.in_progress) - _NAMES} more" if len(found.in_progress) > _NAMES else ""
        word = "in progress" if found.state == "running" else "interrupted"
        lines.append(f"  {word}: {', '.join(found.in_progress[:_NAMES])}{more}")
    return lines
