"""`stmap synth`: synthetic data with a known pulse, as drawn face videos or as simulated maps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import places
from stmap_cli.console import Progress, console, counted, default_jobs, duration, say, size
from stmap_cli.options import RegistryName, config_option, folder_argument, jobs_option, seed_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.synth import Synthesis, SyntheticRecording
    from stmap_pipeline.synth.traces import TraceSynthesis

# drawn videos must be decoded later; simulated traces need no decoding
_DRAWN_S, _TRACES_S = 20.0, 30.0
_DRAWN_SUBJECTS, _TRACES_SUBJECTS = 2, 107


@click.command()
@folder_argument("out")
@click.option(
    "--layout",
    type=RegistryName("layouts"),
    metavar="NAME",
    help="Write the tree of this database, quirks included; stmap databases lists them.  [default: vipl-hr]",
)
@click.option(
    "--traces",
    is_flag=True,
    help="Write finished maps of simulated traces, without any video; those of the size of VIPL-HR take a minute or two.",
)
@click.option(
    "--subjects",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Make N subjects.  [default: {_DRAWN_SUBJECTS}; with --traces {_TRACES_SUBJECTS}, which have the folds of VIPL-HR]",
)
@click.option(
    "--recordings-per-subject",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --traces, make at most N recordings of each subject.  [default: as many as in VIPL-HR, about 22]",
)
@seed_option("Seed of all that is random; the same seed gives the same files.")
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help=f"Make each recording this long; a window of 300 frames takes up to 19 s.  [default: {_DRAWN_S:g}; {_TRACES_S:g} with --traces]",
)
@click.option(
    "--setting",
    type=click.Choice(["easy", "hard", "mixed"]),
    help="Draw people who sit still in good light, or who move and talk in poor light, or both in turn.  [default: easy]",
)
@config_option("With --traces, take window length and clock from a TOML file, as in stmap build-maps.")
@jobs_option
def synth(
    out: Path, traces: bool, subjects: int | None, seed: int, duration_s: float | None, jobs: int | None, **choices: Any
) -> None:
    """Write drawn face videos, or simulated maps, into OUT.

    The faces have a known pulse, and OUT has the layout of a real database; with --traces, OUT is the output of a finished
    stmap build-maps. A run that was stopped resumes with the same command.

    \b
    Example:
        stmap synth videos --layout vipl-hr --subjects 2 --seed 1
        stmap synth maps --traces --subjects 107
        stmap synth maps --traces --config windows.toml
    """
    from stmap_pipeline.errors import OtherSettingsError

    screen, jobs = console(), jobs or default_jobs()
    others = ("layout", "setting") if traces else ("recordings_per_subject", "config_path")
    for name in others:
        if choices.pop(name) is not None:
            option = f"--{name.removesuffix('_path').replace('_', '-')}"
            raise click.UsageError(
                f"{option} is for drawn videos; --traces simulates all scenarios of VIPL-HR"
                if traces
                else f"{option} goes with --traces; the recordings of drawn videos follow from the layout, their windows from stmap build-maps"
            )
    given = {key: value for key, value in choices.items() if value is not None}
    try:
        _write(out, given, screen, traces=traces, subjects=subjects, seed=seed, duration_s=duration_s, jobs=jobs)
    except OtherSettingsError as error:
        beside = ("keeps it, and writes beside it", places.typed(places.free(out), without=out))
        raise places.OtherSettings(error, [beside]) from None
    click.echo(str(out))


def _write(
    out: Path,
    given: dict[str, Any],
    screen: Console,
    *,
    traces: bool,
    subjects: int | None,
    seed: int,
    duration_s: float | None,
    jobs: int,
) -> None:
    if traces:
        from stmap_pipeline.config import Config
        from stmap_pipeline.synth.traces import plan_traces

        if path := given.pop("config_path", None):
            given["config"] = Config.from_toml(path)
        _simulate(plan_traces(out, subjects or _TRACES_SUBJECTS, seed, duration_s=duration_s or _TRACES_S, **given), jobs, screen)
    else:
        from stmap_pipeline.synth import plan_synthesis

        layout = given.pop("layout", "vipl-hr")
        run(
            plan_synthesis(out, layout, subjects or _DRAWN_SUBJECTS, seed, duration_s=duration_s or _DRAWN_S, **given), jobs, screen
        )


def run(plan: Synthesis, jobs: int, screen: Console) -> list[SyntheticRecording]:
    """Write a drawn database with progress on the screen."""
    start = time.monotonic()
    progress = Progress("drawing", len(plan.recordings), screen)
    written = []
    with progress.running():
        for one in plan.run(jobs):
            written.append(one)
            progress.step()
    resumed = sum(one.resumed for one in written)
    earlier = f" ({resumed} in an earlier run)" if resumed else ""
    say(screen, f"drawn: {counted(len(written), 'recording')}{earlier} in {duration(time.monotonic() - start)}   ->  {plan.out}")
    return written


def _simulate(plan: TraceSynthesis, jobs: int, screen: Console) -> None:
    start = time.monotonic()
    progress = Progress("simulating", len(plan.recordings), screen)
    with progress.running():
        for _ in plan.run(jobs):
            progress.step()
    subjects = len({one.subject for one in plan.recordings})
    written = sum(one.stat().st_size for one in (plan.out / "shards").rglob("*.h5"))
    say(
        screen,
        f"simulated: {counted(len(plan.recordings), 'recording')} of {counted(subjects, 'subject')} in "
        f"{duration(time.monotonic() - start)}   ->  {plan.out} ({size(written)})",
    )
