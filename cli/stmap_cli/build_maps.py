"""`stmap build-maps`: videos in, shards out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import FAILED, build_text
from stmap_cli.console import Progress, console, default_jobs, say
from stmap_cli.options import RegistryName, as_arguments, config_option, folder_argument, worker_options

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.pipeline import BuildPlan
    from stmap_pipeline.records import Outcome


@click.command("build-maps")
@click.option(
    "--db",
    "database",
    required=True,
    type=RegistryName("databases"),
    metavar="NAME",
    help="Read SOURCE as this database; `stmap databases` lists the names.",
)
@folder_argument("source")
@folder_argument("out")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=0),
    metavar="N",
    help="Run N processes; 0 works in this one, for debugging.  [default: one per core]",
)
@worker_options
@config_option("Take settings from a TOML file; what it leaves out has its default.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take only the first N recordings.")
@click.option("--only", metavar="PATTERN", help="Take only recordings whose id matches a shell pattern, such as 'p00*_source1'.")
@click.option("--dry-run", is_flag=True, help="List each recording and what would be done with it, and stop.")
@click.option("--retry-failed", is_flag=True, help="Build again what failed in an earlier run.")
@click.option(
    "--rebuild",
    is_flag=True,
    help="Replace maps in OUT that were built with other settings of faces or blocks: all recordings are decoded again.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the result, or the listing of --dry-run, as one JSON object on stdout."
)
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
    rebuild: bool,
    as_json: bool,
    scheduler: str | None,
    time_limit_s: float,
    memory_limit_mb: int,
) -> int:
    """Build maps of the database in SOURCE into the folder OUT.

    Each listed recording ends in one row of OUT/outcomes.csv. The command can be stopped at any time; the same command
    resumes where it stopped, and follows changed labels, clocks and windows without decoding again.

    \b
    Example:
        stmap synth videos --layout vipl-hr --subjects 2
        stmap build-maps --db vipl-hr videos maps --jobs 2
    """
    from stmap_pipeline.config import Config
    from stmap_pipeline.pipeline import plan_build

    config = Config.from_toml(config_path) if config_path is not None else Config()
    plan = plan_build(database, source, out, config, limit=limit, only=only, retry_failed=retry_failed, rebuild=rebuild)
    screen = console()
    say(screen, build_text.header(plan, dry_run=dry_run))
    if dry_run:
        lines = [json.dumps(build_text.listing_json(plan))] if as_json else build_text.listing(plan)
        click.echo("\n".join(lines))
        return 0
    workers = as_arguments(scheduler, time_limit_s, memory_limit_mb)
    return run(plan, default_jobs() if jobs is None else jobs, screen, as_json=as_json, workers=workers)


def run(
    plan: BuildPlan,
    jobs: int,
    screen: Console,
    *,
    as_json: bool = False,
    hint: bool = True,
    workers: dict[str, Any] | None = None,
) -> int:
    """Run a plan with progress on the screen and give the exit code."""
    from stmap_pipeline.pipeline import run_build, summarize
    from stmap_pipeline.shards import is_augmented

    augmented = is_augmented(plan.out)
    start = time.monotonic()
    stored = {one.recording_id for one in plan.stored}
    progress = Progress("building", len(plan.listed), screen, done=len(plan.listed) - len(plan.todo))
    outcomes: list[Outcome] = []
    with progress.running():
        for outcome in run_build(plan, jobs, **workers or {}):
            outcomes.append(outcome)
            failed = outcome.status == "failed"
            if len(outcomes) > len(plan.settled) and outcome.recording_id not in stored:
                progress.step(failed=failed)
            if failed and not outcome.resumed:
                progress.say(build_text.failure(outcome))
    summary = summarize(plan.out)
    for line in build_text.last_lines(plan, outcomes, summary, time.monotonic() - start, hint=hint):
        say(screen, line)
    if augmented and not is_augmented(plan.out):
        say(screen, "  note     windows changed, so the resampled windows were removed; run stmap augment again")
    if as_json:
        click.echo(json.dumps(build_text.result_json(plan, outcomes, summary)))
    return FAILED if any(one.status == "failed" for one in outcomes) else 0
