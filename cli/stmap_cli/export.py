"""`stmap export`: finished windows for other trainers."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from stmap_cli import places
from stmap_cli.console import Progress, console, counted, number, say
from stmap_cli.options import RegistryName, color_option, min_valid_option


@click.command()
@click.argument("words", metavar="[MAPS] OUT", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--layout",
    "--format",
    "layout",
    type=RegistryName("export_layouts"),
    metavar="NAME",
    default="hdf5",
    help="Write this layout: hdf5 (one file), png (an image a window), npy (arrays), rhythmnet or nest (for these trainers).",
)
@color_option
@click.option(
    "--normalize",
    type=click.Choice(["minmax", "zscore", "none"]),
    default="minmax",
    help="Normalize each row over the window in this way.",
)
@click.option(
    "--fill",
    type=click.Choice(["interpolate", "nan"]),
    default="interpolate",
    help="Bridge gaps in a row, or keep them; PNG cannot hold a gap.",
)
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    help="Write the samples in HDF5 as 8 bits, or as float32 with all decimals.",
)
@click.option("--labeled", is_flag=True, help="Leave out windows without a heart rate.")
@click.option("--augmented", is_flag=True, help="Also write the resampled windows of `stmap augment`, for training alone.")
@min_valid_option("Take windows in which the face was known in this share of the frames or more.")
def export(
    words: tuple[Path, ...], layout: str, normalize: Any, dtype: Any, augmented: bool, min_valid: float, **choices: Any
) -> None:
    """Write finished, normalized maps into the new folder OUT.

    MAPS is the output of stmap build-maps; in a project (stmap init) with one set of maps it need not be given. Windows
    that are not written are listed in OUT/skipped.csv, each with the reason.

    \b
    Example:
        stmap export maps windows --layout png --color yuv
    """
    from stmap_pipeline.shards import Shards, export_windows

    if layout == "png" and dtype != "uint8":
        raise click.UsageError("a PNG holds 8 bits; for others choose --layout hdf5 --dtype float32")
    if dtype == "uint8" and normalize != "minmax":
        raise click.UsageError(f"8 bits hold --normalize minmax alone; for {normalize} choose --layout hdf5 --dtype float32")
    if len(words) > 2:
        raise click.UsageError(f"give the folder of the maps and a new folder, not {len(words)} names")
    if not words or (len(words) == 1 and places.are_maps(words[0])):
        raise places.Missing(
            f"where to? Type stmap export {shlex.quote(str(words[0])) if words else '[MAPS]'} OUT, with the name of a new folder"
        )
    *folder, out = words
    maps = places.maps_of_project(folder[0] if folder else None, f"stmap export {{}} {shlex.quote(str(out))}")
    with Shards(maps) as shards:
        steps = export_windows(
            shards, out, layout, normalize=normalize, dtype=dtype, min_valid_fraction=min_valid, augmented=augmented, **choices
        )
        screen, total = console(), len(shards.recordings() if layout == "nest" else shards.windows(augmented=augmented))
        last = Progress("exporting", total, screen, if_stopped="nothing was written").follow(steps)
    written, skipped = (last.written, last.skipped) if last else (0, 0)
    left_out = f", {number(skipped)} left out   ->  {out / 'skipped.csv'}" if skipped else ""
    say(screen, f"done: {counted(written, 'recording' if layout == 'nest' else 'window')} written{left_out}")
    click.echo(str(out))
