"""`stmap estimate`: the heart rate in a user's video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import FAILED
from stmap_cli.console import Progress, console, printable

if TYPE_CHECKING:
    from stmap_pipeline.evaluation.estimate import RunRates, VideoEstimate

_CLASSICAL = ("pos", "chrom", "green")


@click.command()
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--method",
    default="pos",
    show_default=True,
    metavar="pos|chrom|green|RUN",
    help="Find the rate by this classical method, or by the networks in the folder RUN that stmap train wrote.",
)
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(min=5, max=600),
    default=None,
    metavar="SECONDS",
    help="Look at this much at once; a trained run has a length of its own.  [default: 10]",
)
@click.option(
    "--step",
    "step_s",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Move on by this much from one window to the next.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a video, each on a line of its own.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Draw pulse, heart rate and spectrum of the one video into this .png, .svg or .pdf file.",
)
def estimate(videos: tuple[Path, ...], method: str, window_s: float | None, step_s: float, as_json: bool, plot: Path | None) -> int:
    """Estimate the heart rate in videos of a face.

    Each VIDEO gets a heart rate over time with its quality from 0 to 1, or a refusal with its reason where there is no face, or no
    pulse that stands out. The exit code is 3 if any was refused.

    \b
    Example:
        stmap estimate clip.mp4
        stmap estimate one.mp4 two.mp4 --json --method runs/fg2019
    """
    if plot is not None and len(videos) > 1:
        raise click.UsageError(f"--plot draws one video, not {len(videos)}")
    rates = None
    if method not in _CLASSICAL:
        if window_s is not None:
            raise click.UsageError("--window goes with pos, chrom and green; a trained run has a length of its own")
        rates = _run(method)
    if plot is not None:
        from stmap_pipeline.report import check_picture

        check_picture(plot)
    from stmap_pipeline.evaluation.estimate import WINDOW_S, estimate_video

    screen = console()
    progress = Progress("estimating", len(videos), screen, if_stopped="what was found stands above")
    refused = False
    with progress.running():
        for video in videos:
            found = estimate_video(video, method, window_s=window_s or WINDOW_S, step_s=step_s, rates=rates)
            refused |= found.refused
            click.echo(json.dumps(found.as_json()) if as_json else printable("\n".join(_lines(found))))
            progress.step(failed=found.refused)
            if plot is not None:
                _draw(found, plot, progress)
    return FAILED if refused else 0


def _run(method: str) -> RunRates:
    """Load the networks of a run; what is neither a method nor a path is a typing error."""
    run = Path(method)
    if not run.exists():
        raise click.UsageError(f"--method {method!r} is neither {', '.join(_CLASSICAL)} nor the folder of a run")
    from stmap_pipeline.evaluation.estimate import RunRates

    return RunRates(run)


def _draw(found: VideoEstimate, plot: Path, progress: Progress) -> None:
    from stmap_pipeline.report import draw_estimate

    if found.blocks is None:
        progress.say(f"no picture: {found.message}")
        return
    progress.say(f"picture  {draw_estimate(found, plot)}")


def _lines(found: VideoEstimate) -> list[str]:
    if found.refused:
        head = f"{found.video}  no heart rate ({found.reason}): {found.message}"
    else:
        given = [one for one in found.windows if one.heart_rate_bpm == one.heart_rate_bpm]
        head = f"{found.video}  {found.heart_rate_bpm:.1f} bpm  quality {found.quality:.2f}  ({len(given)} of {len(found.windows)} windows)"
    return [head, *(_row(one.start_s, one.stop_s, one.heart_rate_bpm, one.quality) for one in found.windows)]


def _row(start_s: float, stop_s: float, heart_rate_bpm: float, quality: float) -> str:
    rate = f"{heart_rate_bpm:5.1f} bpm" if heart_rate_bpm == heart_rate_bpm else "    -    "
    trust = f"quality {quality:.2f}" if quality == quality else "no face"
    return f"  {start_s:7.1f} to {stop_s:6.1f} s  {rate}  {trust}"
