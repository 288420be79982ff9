"""Make the output of the parts: shards, tables, and the manifest last. Every step can be repeated after a kill."""

from __future__ import annotations

import json
from pathlib import Path

from stmap_pipeline.databases.synthetic import is_drawn
from stmap_pipeline.parallel import run_tasks
from stmap_pipeline.pipeline.attributes import ATTRIBUTES
from stmap_pipeline.pipeline.plan import PIPELINE_VERSION, BuildPlan, description
from stmap_pipeline.pipeline.shard_task import Row, ShardTask
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome
from stmap_pipeline.shards import (
    OUTCOMES,
    RECORDINGS,
    TIMINGS,
    WINDOWS,
    Shards,
    atomic_write_text,
    outcome_row,
    read_table,
    remove_temporaries,
    timing_row,
    with_extra_columns,
    write_manifest,
    write_table,
)


def begin(plan: BuildPlan) -> None:
    """Say in the output folder what it will be, so that an unfinished one is known for what it is."""
    # first what names the folder as ours
    atomic_write_text(plan.out / "stmap.toml", plan.config.to_toml())
    atomic_write_text(
        plan.out / "dataset_description.json", json.dumps(description(plan.database), indent=2, sort_keys=True) + "\n"
    )


def assemble(plan: BuildPlan, run: str = "", jobs: int = 0, scheduler: str | None = None) -> None:
    """Write shards, tables and manifest from the parts of this run and the shards of earlier ones.

    Parameters
    ----------
    plan : BuildPlan
    run : str
        The run that owns the parts.
    jobs, scheduler
        Who writes the shards, one subject at a time, as for :func:`~stmap_pipeline.parallel.run_tasks`.
    """
    out = plan.out
    outcomes = _all_outcomes(plan)
    ids_of: dict[str, list[str]] = {}
    for one in outcomes:
        if one.status == "ok":
            ids_of.setdefault(one.subject, []).append(one.recording_id)
    folder = out / "shards"
    folder.mkdir(exist_ok=True)
    tasks = [ShardTask(subject, tuple(sorted(ids)), plan.config, out.absolute(), run) for subject, ids in sorted(ids_of.items())]
    rows: list[Row] = []
    windows: list[Row] = []
    for found in run_tasks(tasks, jobs=jobs, scheduler=scheduler):
        for row, cut in found:
            rows.append(row)
            windows.extend(cut)
    # a worker that was killed while it wrote leaves its half to nobody else
    remove_temporaries(out)
    shards = [folder / task.name for task in tasks]
    for stale in set(folder.glob("*.h5")).difference(shards):
        stale.unlink()
    rows.sort(key=lambda row: row["recording_id"])
    windows.sort(key=lambda row: (row["recording_id"], row["start"]))
    write_table(out / "recordings.csv", with_extra_columns(RECORDINGS, rows, ATTRIBUTES), rows)
    write_table(out / "windows.csv", WINDOWS, windows)
    write_table(out / "outcomes.csv", OUTCOMES, [outcome_row(one) for one in outcomes])
    _write_timings(out, outcomes)
    tables = [out / f"{name}.{kind}" for name in ("recordings", "windows", "outcomes") for kind in ("csv", "json")]
    write_manifest(
        out,
        fingerprint=plan.config.fingerprint(),
        files=[out / "dataset_description.json", out / "stmap.toml", *tables, *shards],
        settings={
            "database": plan.database.name,
            "simulated": plan.database.simulated or is_drawn(plan.source),
            "pipeline_version": PIPELINE_VERSION,
            **plan.config.model_dump(),
        },
    )


def _all_outcomes(plan: BuildPlan) -> list[Outcome]:
    """One outcome for each recording of this listing and of earlier, wider ones, in the order of their ids."""
    found = {}
    if (plan.out / "manifest.json").is_file():
        with Shards(plan.out) as shards:
            found = {one.recording_id: one for one in shards.outcomes()}
    found |= {one.recording_id: one for one in plan.settled}
    found |= {one.recording_id: one for one in Work(plan.out).outcomes()}
    return [found[name] for name in sorted(found)]


def _write_timings(out: Path, outcomes: list[Outcome]) -> None:
    path = out / "timings.csv"
    earlier = {row["recording_id"]: row for row in read_table(path)} if path.is_file() else {}
    rows = [timing_row(one) if one.timings else earlier.get(one.recording_id, timing_row(one)) for one in outcomes]
    write_table(path, with_extra_columns(TIMINGS, rows), rows)
