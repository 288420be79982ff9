"""`stmap show`: a picture of one recording."""

from __future__ import annotations

from pathlib import Path

import click

from stmap_cli.options import color_option, folder_argument


@click.command()
@folder_argument("maps")
@click.argument("recording")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write this picture: .png, .svg or .pdf.  [default: RECORDING.png]",
)
@color_option
@click.option(
    "--method", type=click.Choice(["pos", "chrom", "green"]), default="pos", show_default=True, help="Extract the pulse this way."
)
@click.option(
    "--start", "start_s", type=float, metavar="SECONDS", help="Start the map's window here.  [default: the first frame with a face]"
)
@click.option(
    "--length",
    "window_s",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Make the map's window this long.",
)
def show(maps: Path, recording: str, output: Path | None, color: str, method: str, start_s: float | None, window_s: float) -> None:
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
        draw_recording(shards.recording(recording), target, color=color, method=method, start_s=start_s, window_s=window_s)
    click.echo(str(target))
