"""`stmap demo`: the whole way on drawn faces, from no data at all."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import build_maps as build_command
from stmap_cli import demo_training
from stmap_cli import synth as synth_command
from stmap_cli.console import console, default_jobs, say
from stmap_cli.options import duration_option, folder_argument, jobs_option

if TYPE_CHECKING:
    from stmap_pipeline.evaluation import HeartRateComparison

AGREES_BPM = 2.0


@click.command()
@folder_argument("out", default="stmap-demo", required=False)
@click.option("--subjects", type=click.IntRange(min=1, max=107), default=2, show_default=True, metavar="N", help="Draw N persons.")
@duration_option
@jobs_option
def demo(out: Path, subjects: int, duration_s: float, jobs: int | None) -> int:
    """Go the whole way on drawn faces, without any data.

    Draws a small VIPL-HR in OUT/videos, builds its maps in OUT/maps, shows the heart rates found in them beside the true ones,
    balances them, trains a network for a moment in OUT/run, and writes a report of both. OUT is stmap-demo where it is not given. A
    demo that was stopped goes on with the same command.

    \b
    Example:
        stmap demo
    """
    from stmap_pipeline.pipeline import plan_build
    from stmap_pipeline.synth import plan_synthesis

    screen = console()
    jobs = jobs or default_jobs()
    videos, maps = out / "videos", out / "maps"
    say(screen, "1  draw videos of faces with a known pulse, in the layout of VIPL-HR")
    drawn = synth_command.run(plan_synthesis(videos, "vipl-hr", subjects, seed=1, duration_s=duration_s), jobs, screen)
    say(screen, f"2  build maps: {shlex.join(['stmap', 'build-maps', '--db', 'vipl-hr', str(videos), str(maps)])}")
    code = build_command.run(plan_build("vipl-hr", videos, maps), jobs, screen, hint=False)
    say(screen, "3  look for the pulse in the stored traces (POS, Wang et al. 2017)")
    rows = _compare(maps)
    truth = {one.recording_id: one.true_heart_rate_bpm for one in drawn}
    _table(rows, truth)
    picture = _picture(maps, rows, out)
    reports = demo_training.run(maps, out, jobs, screen) if rows else []
    for line in (
        f"videos   {videos}",
        f"shards   {maps / 'shards'}",
        f"tables   {maps / 'recordings.csv'}",
        *([f"picture  {picture}"] if picture else []),
        *(f"report   {one}" for one in reports),
    ):
        click.echo(line)
    return code


def _compare(maps: Path) -> list[HeartRateComparison]:
    from stmap_pipeline.evaluation import compare_heart_rate
    from stmap_pipeline.shards import Shards

    with Shards(maps) as shards:
        return [compare_heart_rate(shards.recording(one.recording_id)) for one in shards.recordings()]


def _table(rows: list[HeartRateComparison], truth: dict[str, float]) -> None:
    """Print the table to stdout: it is the result."""
    from rich.console import Console
    from rich.table import Table

    table = Table("recording", "true HR", "POS", "difference", "SNR", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    close = 0
    for row in rows:
        difference = row.estimated_bpm - truth[row.recording_id]
        close += abs(difference) <= AGREES_BPM
        table.add_row(
            row.recording_id,
            f"{truth[row.recording_id]:.1f}",
            f"{row.estimated_bpm:.1f}",
            f"{difference:+.1f}",
            f"{row.snr_db:+.1f} dB",
        )
    out = Console(highlight=False, width=None)
    out.print(table)
    out.print(f"{close} of {len(rows)} within {AGREES_BPM:g} bpm of the truth\n")


def _picture(maps: Path, rows: list[HeartRateComparison], out: Path) -> Path | None:
    """Draw the first recording, where the extra for pictures is installed."""
    from importlib.util import find_spec

    if not rows or find_spec("matplotlib") is None:
        return None
    from stmap_pipeline.report import draw_recording
    from stmap_pipeline.shards import Shards

    with Shards(maps) as shards:
        return draw_recording(shards.recording(rows[0].recording_id), out / f"{rows[0].recording_id}.png")
