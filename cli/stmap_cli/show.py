"""`stmap show`: a picture of one recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stmap_cli.options import color_option, folder_argument, path_option


@click.command()
@folder_argument("maps")
@click.argument("recording")
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
def show(maps: Path, recording: str, output: Path | None, **choices: Any) -> None:
    """Draw one RECORDING: map, pulse, heart rate and spectrum.

    MAPS is the output of stmap build-maps. Pictures need the extra "plot": pip install "stmap[plot]".

    \b
    Example:
        stmap show maps p001_v1_source1 --output p001.png
    """
    from stmap_pipeline.report import draw_recording
    from stmap_pipeline.shards import Shards

    target = output or Path(f"{recording}.png")
    with Shards(maps) as shards:
        draw_recording(shards.recording(recording), target, **choices)
    click.echo(str(target))
