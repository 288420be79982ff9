"""`stmap export`: finished windows for other people's trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stmap_cli.console import Progress, console, counted
from stmap_cli.options import color_option, folder_argument


@click.command()
@folder_argument("maps")
@folder_argument("out")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["hdf5", "png"]),
    default="hdf5",
    show_default=True,
    help="One HDF5 file, or one PNG a window with a CSV.",
)
@color_option
@click.option(
    "--normalize",
    type=click.Choice(["minmax", "zscore", "none"]),
    default="minmax",
    show_default=True,
    help="Normalize each row over the window.",
)
@click.option(
    "--fill",
    type=click.Choice(["interpolate", "nan"]),
    default="interpolate",
    show_default=True,
    help="Bridge gaps in a row, or keep them; PNG cannot hold a gap.",
)
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    show_default=True,
    help="Samples in HDF5: 8 bits, or float32 with all decimals.",
)
@click.option("--labeled", is_flag=True, help="Leave out windows without a heart rate.")
@click.option(
    "--min-valid",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Take windows in which the face was known in this share of the frames or more.",
)
def export(
    maps: Path, out: Path, kind: Any, color: str, normalize: Any, fill: Any, dtype: Any, labeled: bool, min_valid: float
) -> None:
    """Write the windows of MAPS as finished, normalized maps into the new folder OUT.

    \b
    Example:
        stmap export maps windows --format png --color yuv
    """
    from stmap_pipeline.shards import Shards, export_windows

    with Shards(maps) as shards:
        steps = export_windows(
            shards,
            out,
            kind,
            color=color,
            normalize=normalize,
            fill=fill,
            dtype=dtype,
            min_valid_fraction=min_valid,
            labeled=labeled,
        )
        screen = console()
        progress = Progress("exporting", len(shards.windows()), screen)
        written = skipped = 0
        with progress.running():
            for step in steps:
                written, skipped = step.written, step.skipped
                progress.step()
    screen.print(f"done: {counted(written, 'window')} written, {skipped} not (see {out / 'skipped.csv'})", markup=False)
    click.echo(str(out))
