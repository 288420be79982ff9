"""`stmap show`: a picture of one recording."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from stmap_cli import places
from stmap_cli.options import color_option, path_option


@click.command()
@click.argument("words", metavar="[MAPS] RECORDING", nargs=-1, type=click.Path(path_type=Path))
@path_option("-o", "--output", metavar="FILE", text="Write this picture: .png, .svg or .pdf.  [default: RECORDING.png]")
@color_option
@click.option("--method", type=click.Choice(["pos", "chrom", "green"]), default="pos", help="Extract the pulse this way.")
@click.option(
    "--start", "start_s", type=float, metavar="SECONDS", help="Start the map's window here.  [default: the first frame with a face]"
)
@click.option(
    "--length",
    "window_s",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    metavar="SECONDS",
    help="Make the map's window this long.",
)
def show(words: tuple[Path, ...], output: Path | None, **choices: Any) -> None:
    """Draw one RECORDING: map, pulse, heart rate and spectrum.

    Rows of the map are numbered as the blocks on the drawn face beside it.
    MAPS is the output of stmap build-maps; in a project (stmap init) with one set of maps it need not be given. Pictures need the extra
    "plot": pip install "stmap[plot]".

    \b
    Example:
        stmap show maps p001_v1_source1 --output p001.png
    """
    from stmap_pipeline.report import draw_recording
    from stmap_pipeline.shards import Shards

    if len(words) > 2:
        raise click.UsageError(f"give the folder of the maps and one recording, not {len(words)} names")
    if not words or (len(words) == 1 and places.are_maps(words[0])):
        raise places.Missing(
            f"which recording? Type stmap show {shlex.quote(str(words[0])) if words else '[MAPS]'} RECORDING; recordings.csv of the maps lists them"
        )
    *folder, name = words
    recording = str(name)
    maps = places.maps_of_project(folder[0] if folder else None, f"stmap show {{}} {shlex.quote(str(recording))}")
    with Shards(maps) as shards:
        found = shards.recording(recording)
        target = output or Path(f"{found.recording.recording_id}.png")
        draw_recording(found, target, blocks=shards.config.blocks, **choices)
    click.echo(str(target))
