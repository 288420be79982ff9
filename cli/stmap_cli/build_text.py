"""Messages of `stmap build-maps`: a line before the work, a table after it, and the same as JSON."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stmap_cli.console import counted, duration, number, size

# The ratio of lengths from which on windows of one output are not of one kind.
_SAME_LENGTH = 1.5

if TYPE_CHECKING:
    from stmap_pipeline.pipeline import BuildPlan, BuildSummary
    from stmap_pipeline.records import Outcome, Recording


def header(plan: BuildPlan, *, dry_run: bool = False) -> str:
    """Return what there is to do, in one line."""
    subjects = len({one.subject for one in plan.listed})
    skipped = sum(one.status == "skipped" for one in plan.settled)
    failed = sum(one.status == "failed" and one.resumed for one in plan.settled)
    unreadable = sum(one.status == "failed" and not one.resumed for one in plan.settled)
    done = len(plan.listed) - len(plan.todo) - skipped - failed - unreadable
    faces, blocks = plan.config.faces, plan.config.blocks
    parts = [
        f"{plan.database.name}  {counted(len(plan.listed), 'recording')}, {counted(subjects, 'subject')}",
        f"{number(done)} already done (same settings)" if done else "",
        f"{number(failed)} failed before" if failed else "",
        f"{number(unreadable)} cannot be built" if unreadable else "",
        f"{number(skipped)} to skip" if skipped else "",
        f"{number(len(plan.gone))} no longer listed" if plan.gone else "",
        f"{number(len(plan.todo))} to build" if dry_run else "",
        f"faces: {faces.backend}" + ("" if faces.mode == type(faces).model_fields["mode"].default else f" ({faces.mode})"),
        f"grid: {blocks.rows}x{blocks.cols}",
    ]
    return "   ".join(part for part in parts if part)


def failure(outcome: Outcome) -> str:
    """Return the line of a recording that failed."""
    # the id stands at the start of the line already
    message = outcome.message.removeprefix(f"{outcome.recording_id}: ")
    return f"  x {outcome.recording_id:<18}  {outcome.stage:<7} {message}"


def last_lines(plan: BuildPlan, outcomes: Sequence[Outcome], summary: BuildSummary, seconds: float, *, hint: bool) -> list[str]:
    """Return what there is now, what is missing and why, and what to do next."""
    out = plan.out
    rows = [("maps", _maps(plan, summary), f"{out / 'shards'} ({counted(summary.files, 'file')}, {size(summary.file_bytes)})")]
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
        lines.append(f"  next     stmap show {shlex.quote(str(out))} {built[0]} --output {built[0]}.png")
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
    return notes


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


def action(plan: BuildPlan) -> dict[str, str]:
    """Return for each listed recording what would be done: ``build``, or ``done``, ``skip`` or ``failed`` with the reason."""
    words = {"ok": "done", "skipped": "skip", "failed": "failed"}
    known = {one.recording_id: "done" for one in plan.stored}
    known |= {one.recording_id: f"{words[one.status]} {one.reason}".strip() for one in plan.settled}
    return {one.recording_id: known.get(one.recording_id, "build") for one in plan.listed}


def listing(plan: BuildPlan) -> list[str]:
    """List what would be done, a recording a line, with tabs between id, action and video."""
    actions = action(plan)
    return [f"{one.recording_id}\t{actions[one.recording_id]}\t{one.video.path}" for one in plan.listed]


def listing_json(plan: BuildPlan) -> dict[str, Any]:
    """Return the listing for ``--json``."""
    actions = action(plan)
    return {**_head(plan), "recordings": [_listed(one, actions[one.recording_id]) for one in plan.listed]}


def result_json(plan: BuildPlan, outcomes: Sequence[Outcome], summary: BuildSummary) -> dict[str, Any]:
    """Return the result for ``--json``."""
    counts = Counter(one.status for one in outcomes)
    return {
        **_head(plan),
        **{status: counts[status] for status in ("ok", "skipped", "failed")},
        "resumed": sum(one.resumed for one in outcomes),
        "without_window": summary.without_window,
        "windows": summary.windows,
        "failures": [
            {"recording_id": one.recording_id, "stage": one.stage, "reason": one.reason, "message": one.message}
            for one in outcomes
            if one.status == "failed"
        ],
    }


def _head(plan: BuildPlan) -> dict[str, Any]:
    return {"out": str(plan.out), "database": plan.database.name, "listed": len(plan.listed)}


def _listed(recording: Recording, what: str) -> dict[str, str]:
    return {"recording_id": recording.recording_id, "action": what, "video": str(recording.video.path)}
