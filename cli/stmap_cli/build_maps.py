"""`stmap build-maps`: videos in, shards out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli.console import Progress, console, counted, default_jobs, duration, size
from stmap_cli.options import RegistryName, folder_argument, jobs_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.pipeline import BuildPlan
    from stmap_pipeline.records import Outcome

FAILED = 3


@click.command("build-maps")
@click.option(
    "--db",
    "database",
    required=True,
    type=RegistryName("databases"),
    metavar="NAME",
    help="Database, by name; `stmap databases` lists them.",
)
@folder_argument("source")
@folder_argument("out")
@jobs_option
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take settings from a TOML file; what it leaves out has its default.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take only the first N recordings.")
@click.option("--only", metavar="PATTERN", help="Take only recordings whose id matches a shell pattern, such as 'p00*_source1'.")
@click.option("--dry-run", is_flag=True, help="List what would be built and stop.")
@click.option("--retry-failed", is_flag=True, help="Build again what failed in an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on stdout.")
def build_maps(
    database: str,
    source: Path,
    out: Path,
    jobs: int | None,
    config_path: Path | None,
    limit: int | None,
    only: str | None,
    dry_run: bool,
    retry_failed: bool,
    as_json: bool,
) -> int:
    """Build spatial-temporal maps of the database in SOURCE into the folder OUT.

    Each listed recording ends in one row of OUT/outcomes.csv. The command can be stopped at any time; the same command
    goes on where it stopped.

    \b
    Example:
        stmap synth videos --layout vipl-hr --subjects 2
        stmap build-maps --db vipl-hr videos maps --jobs 2
    """
    from stmap_pipeline.config import Config
    from stmap_pipeline.pipeline import plan_build

    config = Config.from_toml(config_path) if config_path is not None else Config()
    plan = plan_build(database, source, out, config, limit=limit, only=only, retry_failed=retry_failed)
    screen = console()
    _introduce(plan, screen)
    if dry_run:
        _list(plan)
        return 0
    return run(plan, jobs or default_jobs(), screen, as_json=as_json)


def run(plan: BuildPlan, jobs: int, screen: Console, *, as_json: bool = False, hint: bool = True) -> int:
    """Run a plan with progress on the screen and give the exit code."""
    from stmap_pipeline.pipeline import run_build, summarize

    start = time.monotonic()
    progress = Progress("building", len(plan.listed), screen, done=len(plan.settled))
    outcomes: list[Outcome] = []
    try:
        with progress.running():
            for outcome in run_build(plan, jobs):
                outcomes.append(outcome)
                if len(outcomes) <= len(plan.settled):
                    continue
                if outcome.status == "failed":
                    progress.say(f"  x {outcome.recording_id:<18}  {outcome.stage:<7} {_short(outcome)}")
                progress.step(failed=outcome.status == "failed")
    except KeyboardInterrupt:
        screen.print(f"stopped; {progress.done} of {progress.total} done - run the same command to continue", markup=False)
        raise
    summary = summarize(plan.out)
    failed = sum(one.status == "failed" for one in outcomes)
    out = plan.out
    lines = [f"done in {duration(time.monotonic() - start)}"]
    rates = f", {summary.heart_rate_min_bpm:.0f}-{summary.heart_rate_max_bpm:.0f} bpm" if summary.labeled_windows else ", no labels"
    lines.append(
        f"  maps     {counted(summary.recordings, 'recording')}, {counted(summary.windows, 'window')}{rates}"
        f"   ->  {out / 'shards'} ({counted(summary.shards, 'file')}, {size(summary.shard_bytes)})"
    )
    if summary.skipped:
        lines.append(f"  skipped  {counted(summary.skipped, 'recording')}   ->  {out / 'outcomes.csv'}")
    if summary.failed:
        lines.append(f"  failed   {counted(summary.failed, 'recording')}   ->  {out / 'outcomes.csv'}")
    if hint:
        retry = "      retry: the same command with --retry-failed" if summary.failed else ""
        lines.append(f"  next     stmap show {out} RECORDING --output map.png{retry}")
    for line in lines:
        screen.print(line, markup=False)
    if as_json:
        click.echo(json.dumps(_as_json(plan, outcomes, summary.windows)))
    return FAILED if failed else 0


def _introduce(plan: BuildPlan, screen: Console) -> None:
    subjects = len({one.subject for one in plan.listed})
    parts = [f"{plan.database.name}  {counted(len(plan.listed), 'recording')}, {counted(subjects, 'subject')}"]
    if plan.resumed:
        parts.append(f"{plan.resumed} already done (same settings)")
    skipped = len(plan.settled) - plan.resumed
    if skipped:
        parts.append(f"{skipped} to skip")
    parts.append(f"faces: {plan.config.faces.backend}, {plan.config.faces.mode}")
    parts.append(f"grid: {plan.config.blocks.rows}x{plan.config.blocks.cols}")
    screen.print("   ".join(parts), markup=False)


def _list(plan: BuildPlan) -> None:
    settled = {one.recording_id: one for one in plan.settled}
    for recording in plan.listed:
        before = settled.get(recording.recording_id)
        what = "build" if before is None else f"{'done' if before.resumed else 'skip'}: {before.reason or before.status}"
        click.echo(f"{recording.recording_id}\t{what}\t{recording.video.path}")


def _short(outcome: Outcome) -> str:
    # the id stands at the start of the line already
    return outcome.message.removeprefix(f"{outcome.recording_id}: ")


def _as_json(plan: BuildPlan, outcomes: list[Outcome], windows: int) -> dict[str, object]:
    return {
        "out": str(plan.out),
        "database": plan.database.name,
        "listed": len(plan.listed),
        **{status: sum(one.status == status for one in outcomes) for status in ("ok", "skipped", "failed")},
        "resumed": plan.resumed,
        "windows": windows,
        "failures": [
            {"recording_id": one.recording_id, "reason": one.reason, "message": one.message}
            for one in outcomes
            if one.status == "failed"
        ],
    }
