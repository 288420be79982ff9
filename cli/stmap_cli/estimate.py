"""`stmap estimate`: the heart rate in a user's video."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import FAILED, interrupt, places
from stmap_cli.console import Progress, console, printable
from stmap_cli.options import json_option

if TYPE_CHECKING:
    from stmap_pipeline.evaluation.video_estimate import VideoEstimate, WindowEstimate
    from stmap_pipeline.evaluation.window_rates import RateSource

_METHODS = ("pulse-net", "pos", "chrom", "green")
# rows of a long video that are printed
_ROWS = 40
_MAX_EXPECTED = 10**9
# videos of a folder that are named
_FEW = 3


@click.command()
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--method",
    default="pulse-net",
    metavar="pulse-net|pos|chrom|green|RUN",
    help="Find the rate by the network that comes with stmap, by a classical method, or by the networks in the folder RUN of stmap train.",
)
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(min=5, max=600),
    metavar="SECONDS",
    help="Look at this much at once; a trained run has a length of its own.  [default: 10]",
)
@click.option(
    "--step",
    "step_s",
    type=click.FloatRange(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="Move on by this much from one window to the next.",
)
@json_option("Print one JSON object a video, each on a line of its own, with POS and CHROM beside.")
@click.option(
    "--csv",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the pulse wave of the one video into this table: time_s, pulse, beat.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw pulse, heart rate and spectrum of the one video into this .png, .svg or .pdf file.",
)
def estimate(
    videos: tuple[Path, ...],
    method: str,
    window_s: float | None,
    step_s: float,
    as_json: bool,
    csv: Path | None,
    plot: Path | None,
) -> int:
    """Estimate the heart rate in videos of a face.

    Each VIDEO gets a heart rate over time with its interval of 90 % and the probability that it is within 5 bpm of the truth, or a refusal
    with its reason and a best guess where there is no face, or no pulse that stands out. The exit code is 3 if any was refused.

    \b
    Example:
        stmap estimate clip.mp4
        stmap estimate one.mp4 two.mp4 --json --method runs/fg2019
    """
    for option, file in (("--plot", plot), ("--csv", csv)):
        if file is not None and len(videos) > 1:
            raise click.UsageError(f"{option} takes one video, not {len(videos)}")
    # a word too many after the option, and the video itself would be replaced
    if csv is not None and csv.suffix.lower() != ".csv":
        raise click.UsageError(f"--csv writes a .csv file, not {csv.name}; name the table first, then the video")
    if method not in _METHODS and window_s is not None:
        raise click.UsageError(f"--window goes with {', '.join(_METHODS)}; a trained run has a length of its own")
    for video in videos:
        _refuse_folder(video)
    source = _source(method)
    if plot is not None:
        from stmap_pipeline.report import check_picture

        check_picture(plot)
    from stmap_pipeline.evaluation.estimate import SECOND_OPINIONS, WINDOW_S, estimate_video

    screen = console()
    others = SECOND_OPINIONS if as_json else ()
    refused = False
    total, reached = _extent(videos)
    unit = "videos" if len(videos) > 1 else "frames" if reached else "seconds"
    progress = Progress("estimating", total, screen, if_stopped="the same command begins anew", unit=unit)
    with progress.running():
        for video in videos:
            on_frame = _by_frame(progress, reached) if len(videos) == 1 else _checked
            found = estimate_video(video, source, window_s=window_s or WINDOW_S, step_s=step_s, others=others, on_frame=on_frame)
            refused |= found.refused
            click.echo(json.dumps(found.as_json()) if as_json else printable("\n".join(_lines(found))))
            if len(videos) > 1:
                progress.step(failed=found.refused)
            if csv is not None:
                _write_pulse(found, csv, progress)
            if plot is not None:
                _draw(found, plot, progress)
    return FAILED if refused else 0


def _checked(_time_s: float) -> None:
    """Stop where Ctrl-C came while something was imported."""
    interrupt.check()


def _refuse_folder(video: Path) -> None:
    """Say which videos to name where a folder is named."""
    if not video.is_dir():
        return
    from stmap_pipeline.databases.folder import find_videos

    found = find_videos(video)
    if not found:
        raise places.Missing(f"{video} is a folder without a video; type stmap estimate VIDEO, with the name of a video file")
    few = shlex.join(map(str, found[:_FEW]))
    more = f" (it holds {len(found) - _FEW} more)" if len(found) > _FEW else ""
    raise places.Missing(f"{video} is a folder; name its videos: stmap estimate {few}{more}")


def _extent(videos: tuple[Path, ...]) -> tuple[int, bool]:
    """Return how much there is to do, and whether that is a number of frames (otherwise of seconds, or of videos)."""
    if len(videos) > 1:
        return len(videos), False
    from stmap_pipeline.errors import RecordingError
    from stmap_pipeline.records import Recording, VideoSource
    from stmap_pipeline.video import probe_video

    try:
        facts = probe_video(Recording("one", "estimate", "one", VideoSource(videos[0])), quick=True)
    except RecordingError:
        # the estimate tells why
        return 1, True
    # a header may say anything
    if 0 < facts.frames < _MAX_EXPECTED:
        return facts.frames, True
    return math.ceil(facts.duration_s) if 0 < facts.duration_s < _MAX_EXPECTED else 1, False


def _by_frame(progress: Progress, frames: bool) -> Callable[[float], None]:
    done = 0

    def on_frame(time_s: float) -> None:
        nonlocal done
        done += 1
        reached = done if frames else int(time_s)
        # the header may say less than there is
        progress.total = max(progress.total, reached)
        progress.reach(reached, "")

    return on_frame


def _source(method: str) -> RateSource:
    """Load a method, or the networks of a run; what is neither a method nor a path is a typing error."""
    if method in _METHODS:
        from stmap_pipeline.evaluation.window_rates import rate_source

        return rate_source(method)
    from stmap_pipeline.errors import ProjectError
    from stmap_pipeline.evaluation.window_rates import RunRates

    try:
        run = places.run_of_project(Path(method), "stmap estimate --method {} VIDEO")
    except ProjectError as error:
        raise click.UsageError(f"--method {method!r} is neither {', '.join(_METHODS)} nor a run: {error}") from None

    return RunRates(run)


def _write_pulse(found: VideoEstimate, csv: Path, progress: Progress) -> None:
    from stmap_pipeline.evaluation.pulse_wave import write_pulse

    if found.pulse is None:
        progress.say(f"no pulse to write: {found.message}")
        return
    write_pulse(found.pulse, found.beats, csv)
    progress.say(f"pulse  {csv}" + ("  (no beats: they are found where a window has a rate)" if found.beats is None else ""))


def _draw(found: VideoEstimate, plot: Path, progress: Progress) -> None:
    from stmap_pipeline.report import draw_estimate

    if found.blocks is None:
        progress.say(f"no picture: {found.message}")
        return
    progress.say(f"picture  {draw_estimate(found, plot)}")


def _lines(found: VideoEstimate) -> list[str]:
    if found.refused:
        lines = [f"{found.video}  no heart rate ({found.reason}): {_unnamed(found)}"]
    else:
        interval = f"({found.low_bpm:.0f} to {found.high_bpm:.0f})"
        lines = [f"{found.video}  {found.heart_rate_bpm:.1f} bpm {interval}  probability {found.probability:.2f}"]
    lines += [f"  note: {one}" for one in (*found.notes, *(() if found.refused else [one.text for one in found.problems]))]
    every = math.ceil(len(found.windows) / _ROWS)
    lines += [_row(one) for one in found.windows[::every]] if found.windows else []
    if every > 1:
        lines.append(f"  (each {every}th of {len(found.windows)} windows; --json lists all)")
    return lines


def _unnamed(found: VideoEstimate) -> str:
    """Return the message without the name of the video, which stands before it already."""
    return found.message.removeprefix(f"{found.video}: ").removeprefix(f"{Path(found.video).name}: ")


def _row(one: WindowEstimate) -> str:
    span = f"  {one.start_s:7.1f} to {one.stop_s:6.1f} s  "
    if math.isnan(one.guess_bpm):
        return f"{span}no face, or no new frame"
    rate = f" {one.heart_rate_bpm:5.1f} bpm " if one.heart_rate_bpm == one.heart_rate_bpm else f"({one.guess_bpm:5.1f} bpm)"
    return f"{span}{rate}  {one.low_bpm:3.0f} to {one.high_bpm:3.0f}  probability {one.probability:.2f}"
