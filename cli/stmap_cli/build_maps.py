"""`stmap build-maps`: videos in, shards out."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import FAILED, places
from stmap_cli import check as check_command
from stmap_cli.console import Progress, console, counted, default_jobs, duration, number, say, size
from stmap_cli.options import config_option, database_option, folder_argument, json_option, subject_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.pipeline import BuildPlan, BuildSummary, Limits
    from stmap_pipeline.project import Source
    from stmap_pipeline.records import Outcome

# The ratio of lengths from which on windows of one output are not of one kind.
_SAME_LENGTH = 1.5
# The same note of many recordings is one line; so many lines at most.
_MAX_NOTES = 8


@click.command("build-maps")
@database_option
@folder_argument("source", required=False)
@folder_argument("out", required=False)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=0),
    metavar="N",
    help="Run N processes; 0 works in this one, for debugging.  [default: one per core]",
)
@click.option("--scheduler", metavar="ADDRESS", help="Let the workers of this Dask scheduler do the work; tcp://HOST:8786 or so.")
@click.option(
    "--time-limit",
    "time_limit_s",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    metavar="SECONDS",
    help="Give up a recording that takes longer than this.",
)
@click.option(
    "--memory-limit",
    "memory_limit_mb",
    type=click.IntRange(min=1),
    default=2048,
    metavar="MB",
    help="Give up a recording that needs more memory than this; on Linux only.",
)
@config_option("Take settings from a TOML file; what it leaves out has its default.")
@subject_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take only the first N recordings.")
@click.option("--only", metavar="PATTERN", help="Take only recordings whose id matches a shell pattern, such as 'p00*_source1'.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="List each recording and what would be done with it, check the sources as stmap check does, and stop.",
)
@click.option("--retry-failed", is_flag=True, help="Build again what failed in an earlier run.")
@click.option(
    "--rebuild",
    is_flag=True,
    help="Replace maps in OUT that were built with other settings of faces or blocks: all recordings are decoded again.",
)
@json_option("Print the result, or the listing of --dry-run, as one JSON object on stdout.")
def build_maps(
    database: str | None,
    source: Path | None,
    out: Path | None,
    jobs: int | None,
    config_path: Path | None,
    subject: str,
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
    resumes where it stopped, and follows changed labels, clocks and windows without decoding again. In a project (stmap init), SOURCE
    is what STMAP_NAME or stmap.toml says, and OUT is maps/NAME.

    \b
    Example:
        stmap synth videos --layout vipl-hr --subjects 2
        stmap build-maps --db vipl-hr videos maps --jobs 2
    """
    from stmap_pipeline.errors import OtherSettingsError
    from stmap_pipeline.pipeline import Limits, plan_build
    from stmap_pipeline.pipeline.limits import memory_is_limited

    found = places.source_of_project(database, source, "stmap build-maps")
    config = places.build_settings(config_path)
    target = places.out_of_project(out, found, "stmap build-maps")
    news = places.lines_of_settings(config_path, target)
    choices: dict[str, Any] = {"subject": subject, "limit": limit, "only": only, "retry_failed": retry_failed, "rebuild": rebuild}
    try:
        plan = plan_build(found.database, found.path, target, config, **choices)
    except OtherSettingsError as error:
        raise places.OtherSettings(error, _ways(found, source, out, target, named=database is not None)) from None
    screen = console()
    say(screen, _header(plan, dry_run=dry_run))
    if out is None:
        say(screen, f"  project  {plan.source}  ->  {plan.out}")
    for line in news:
        say(screen, line)
    for line in _lines_before(plan):
        say(screen, line)
    if dry_run:
        return _dry_run(plan, subject, screen, as_json=as_json)
    limits = Limits(time_limit_s, memory_limit_mb * 2**20)
    if not memory_is_limited():
        say(screen, "  note     this system cannot limit the memory of a recording: --memory-limit has no effect")
    jobs = default_jobs() if jobs is None else jobs
    if scheduler is None and (line := _line_of_forecast(plan, jobs)):
        say(screen, line)
    return run(plan, jobs, screen, as_json=as_json, scheduler=scheduler, limits=limits)


def _ways(found: Source, source: Path | None, out: Path | None, target: Path, *, named: bool) -> list[tuple[str, str]]:
    """Return how to go on where the output has other settings."""
    words = [*(() if named else ("--db", found.name)), *((found.path,) if source is None else ()), places.free(target)]
    return [
        ("decodes all recordings again, in its place", places.typed("--rebuild")),
        ("keeps it, and builds beside it", places.typed(*words, without=out)),
        ("goes on with the settings that it has", places.typed("--config", target / "stmap.toml")),
    ]


def _line_of_forecast(plan: BuildPlan, jobs: int) -> str:
    """Return how long a build will take; nothing for one that is short."""
    from stmap_pipeline.pipeline.forecast import forecast_build

    processes = max(1, min(jobs, default_jobs()))
    found = forecast_build(plan, processes)
    if found is None:
        return ""
    where = "one process" if processes == 1 else f"each of {processes} processes"
    speed = f"about {number(round(found.frames))} frames, at {found.frames_per_s:.0f}/s in {where}"
    return f"  takes about {duration(found.seconds)} here: {speed}"


def _dry_run(plan: BuildPlan, subject: str, screen: Console, *, as_json: bool) -> int:
    """Check the sources and list what would be done; return the exit code."""
    from stmap_pipeline.pipeline.check import plan_check

    asked = {one.recording_id for one in plan.listed}
    checks = plan_check(plan.database.name, plan.source, plan.config, subject=subject)
    checks = replace(checks, todo=tuple(one for one in checks.todo if one.recording_id in asked))
    findings = check_command.look(checks, screen)
    actions = _actions(plan)
    rows = [(one.recording_id, actions[one.recording_id], str(one.video.path)) for one in plan.listed]
    if as_json:
        recordings = [dict(zip(("recording_id", "action", "video"), row, strict=True)) for row in rows]
        click.echo(json.dumps({**_head(plan), "recordings": recordings, "findings": check_command.as_rows(findings)}))
    else:
        click.echo("\n".join(map("\t".join, rows)))
    unsaid = [one for one in findings if one not in plan.findings]
    return check_command.say_result(checks, unsaid, screen, table_on=screen)


def run(
    plan: BuildPlan,
    jobs: int,
    screen: Console,
    *,
    as_json: bool = False,
    hint: bool = True,
    scheduler: str | None = None,
    limits: Limits | None = None,
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
        for outcome in run_build(plan, jobs, scheduler=scheduler, limits=limits):
            outcomes.append(outcome)
            failed = outcome.status == "failed"
            if len(outcomes) > len(plan.settled) and outcome.recording_id not in stored:
                progress.step(failed=failed)
            if failed and not outcome.resumed:
                progress.say(_failure(outcome))
    summary = summarize(plan.out)
    for line in _last_lines(plan, outcomes, summary, time.monotonic() - start, hint=hint):
        say(screen, line)
    if augmented and not is_augmented(plan.out):
        say(screen, "  note     windows changed, so the resampled windows were removed; run stmap augment again")
    if as_json:
        click.echo(json.dumps(_result_json(plan, outcomes, summary)))
    return FAILED if any(one.status == "failed" for one in outcomes) else 0


def _header(plan: BuildPlan, *, dry_run: bool = False) -> str:
    """Return what there is to do, in one line."""
    subjects = len({one.subject for one in plan.listed})
    skipped = sum(one.status == "skipped" for one in plan.settled)
    failed = sum(one.status == "failed" and one.resumed for one in plan.settled)
    unreadable = sum(one.status == "failed" and not one.resumed for one in plan.settled)
    done = len(plan.listed) - len(plan.todo) - skipped - failed - unreadable
    faces, blocks = plan.config.faces, plan.config.blocks
    parts = [
        f"{plan.database.name}  {counted(len(plan.listed), 'recording')}, {counted(subjects, 'subject')}",
        f"{number(done)} already decoded" if done else "",
        f"{number(failed)} failed before" if failed else "",
        f"{number(unreadable)} cannot be built" if unreadable else "",
        f"{number(skipped)} to skip" if skipped else "",
        f"{number(len(plan.gone))} no longer listed" if plan.gone else "",
        f"{number(len(plan.todo))} to build" if dry_run else "",
        f"faces: {faces.backend}" + ("" if faces.mode == type(faces).model_fields["mode"].default else f" ({faces.mode})"),
        f"grid: {blocks.rows}x{blocks.cols}",
    ]
    return "   ".join(part for part in parts if part)


def _lines_before(plan: BuildPlan) -> list[str]:
    """Return who is who in a folder of user videos, and what else to know before the build."""
    from stmap_pipeline.pipeline.user_videos import subject_counts

    lines = [f"  note     {one.message}" for one in plan.findings if one.code != "same_content"]
    if plan.database.list_by_subject is None:
        return lines
    copies = [one for one in plan.findings if one.code == "same_content"]
    if copies:
        more = f" (and {len(copies) - 1} more)" if len(copies) > 1 else ""
        lines.append(f"  note     {copies[0].message}{more}")
    if any(one.code == "own_subject" for one in plan.findings):
        return lines
    videos = [one.subject for one in plan.listed if not one.skip_reason]
    return [f"  videos   {counted(len(videos), 'video')}, {subject_counts(videos)}", *lines]


def _failure(outcome: Outcome) -> str:
    """Return the line of a recording that failed."""
    return f"  x {outcome.recording_id:<18}  {outcome.stage:<7} {outcome.message}"


def _last_lines(plan: BuildPlan, outcomes: Sequence[Outcome], summary: BuildSummary, seconds: float, *, hint: bool) -> list[str]:
    """Return what there is now, what is missing and why, and what to do next."""
    out = plan.out
    rows = [("maps", _maps(plan, summary), f"{out / 'shards'} ({counted(summary.files, 'file')}, {size(summary.file_bytes)})")]
    if summary.label_problems and (summary.labeled_recordings or set(summary.label_problems) != {"no_label"}):
        problems = [f"{number(count)} {problem}" for problem, count in summary.label_problems.items()]
        problems += [f"{number(summary.without_window)} without a window"] if summary.without_window else []
        why = ", ".join(problems)
        labeled = f"{number(summary.labeled_recordings)} of {counted(summary.recordings, 'recording')}"
        rows.append(("labels", labeled, f"{out / 'windows.csv'} (without: {why})"))
    for status in ("skipped", "failed"):
        reasons = Counter(one.reason for one in outcomes if one.status == status)
        if reasons:
            why = ", ".join(f"{number(count)} {reason}" for reason, count in reasons.most_common())
            rows.append((status, counted(reasons.total(), "recording"), f"{out / 'outcomes.csv'} ({why})"))
    width = max(len(what) for _, what, _ in rows)
    lines = [f"done in {duration(seconds)}", *(f"  {word:<9}{what:<{width}}   ->  {where}" for word, what, where in rows)]
    lines += [f"  note     {text}" for text in _notes(plan, summary)]
    built = sorted(one.recording_id for one in outcomes if one.status == "ok")
    if hint and built:
        lines.append(
            f"  next     stmap show {shlex.quote(str(out))} {shlex.quote(built[0])} --output {shlex.quote(built[0] + '.png')}"
        )
    if hint and any(one.status == "failed" for one in outcomes):
        lines.append("  retry    the same command with --retry-failed")
    return lines


def _notes(plan: BuildPlan, summary: BuildSummary) -> list[str]:
    """List what a user may not expect of the windows."""
    length, notes = plan.config.windows.length, []
    if summary.windows and summary.without_window:
        few = counted(summary.without_window, "recording")
        notes.append(f"{few} shorter than one window ({length}): none of their frames is in a window; see outcomes.csv")
    if summary.window_max_s > _SAME_LENGTH * summary.window_min_s:
        notes.append(
            f"windows of {length} last {summary.window_min_s:.1f} to {summary.window_max_s:.1f} s, as frame rates differ; for one "
            'length set windows.length in seconds, such as "10 s"'
        )
    listed = {note for one in plan.listed for note in one.notes}  # known before the build
    found = [(text, count) for text, count in summary.notes.items() if text not in listed]
    shown = found[:_MAX_NOTES]
    notes += [f"{text} ({_how_often(text, count)})" for text, count in shown]
    if len(found) > len(shown):
        notes.append(f"{counted(len(found) - len(shown), 'other note')} in recordings.csv")
    return notes


def _how_often(text: str, count: int) -> str:
    # a range over several recordings must not be read as what is in one file
    ranges = ", each with numbers in these ranges" if count > 1 and re.search(r"\d to \d", text) else ""
    return counted(count, "recording") + ranges


def _maps(plan: BuildPlan, summary: BuildSummary) -> str:
    text = counted(summary.recordings, "recording")
    if not summary.windows:
        # nothing built has its reasons below
        return text + (f", all shorter than one window ({plan.config.windows.length})" if summary.recordings else "")
    text += f", {counted(summary.windows, 'window')}"
    if not summary.labeled_windows:
        return f"{text}, no labels"
    if summary.labeled_windows < summary.windows:
        text += f" ({number(summary.labeled_windows)} labeled)"
    low, high = (f"{bpm:.0f}" for bpm in (summary.heart_rate_min_bpm, summary.heart_rate_max_bpm))
    return f"{text}, {low} bpm" if low == high else f"{text}, {low}-{high} bpm"


def _actions(plan: BuildPlan) -> dict[str, str]:
    """Return for each listed recording what would be done: ``build``, or ``done``, ``skip`` or ``failed`` with the reason."""
    words = {"ok": "done", "skipped": "skip", "failed": "failed"}
    known = {one.recording_id: "done" for one in plan.stored}
    known |= {one.recording_id: f"{words[one.status]} {one.reason}".strip() for one in plan.settled}
    return {one.recording_id: known.get(one.recording_id, "build") for one in plan.listed}


def _result_json(plan: BuildPlan, outcomes: Sequence[Outcome], summary: BuildSummary) -> dict[str, Any]:
    """Return the result for ``--json``."""
    counts = Counter(one.status for one in outcomes)
    return {
        **_head(plan),
        **{status: counts[status] for status in ("ok", "skipped", "failed")},
        "resumed": sum(one.resumed for one in outcomes),
        "without_window": summary.without_window,
        "windows": summary.windows,
        "labeled_recordings": summary.labeled_recordings,
        "label_problems": dict(summary.label_problems),
        "failures": [
            {"recording_id": one.recording_id, "stage": one.stage, "reason": one.reason, "message": one.message}
            for one in outcomes
            if one.status == "failed"
        ],
    }


def _head(plan: BuildPlan) -> dict[str, Any]:
    return {"out": str(plan.out), "database": plan.database.name, "listed": len(plan.listed)}
