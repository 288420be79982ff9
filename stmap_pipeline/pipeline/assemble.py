"""Make the output of the parts: shards, tables, and the manifest last. Every step can be repeated after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.databases.synthetic import is_drawn
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.maps import cut_windows
from stmap_pipeline.pipeline.attributes import ATTRIBUTES
from stmap_pipeline.pipeline.plan import PIPELINE_VERSION, BuildPlan, description
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome, RecordingResult
from stmap_pipeline.shards import (
    OUTCOMES,
    RECORDINGS,
    TIMINGS,
    WINDOWS,
    Shards,
    atomic_write_text,
    outcome_row,
    read_shard,
    read_table,
    recording_ids,
    recording_row,
    timing_row,
    window_row,
    with_extra_columns,
    write_manifest,
    write_shard,
    write_table,
)

Row = dict[str, Any]


def begin(plan: BuildPlan) -> None:
    """Say in the output folder what it will be, so that an unfinished one is known for what it is."""
    # first what names the folder as ours
    atomic_write_text(plan.out / "stmap.toml", plan.config.to_toml())
    atomic_write_text(
        plan.out / "dataset_description.json", json.dumps(description(plan.database), indent=2, sort_keys=True) + "\n"
    )


def assemble(plan: BuildPlan) -> None:
    """Write shards, tables and manifest from the parts of this run and the shards of earlier ones."""
    out, work = plan.out, Work(plan.out)
    outcomes = _all_outcomes(plan, work)
    ids_of: dict[str, list[str]] = {}
    for one in outcomes:
        if one.status == "ok":
            ids_of.setdefault(one.subject, []).append(one.recording_id)
    folder = out / "shards"
    folder.mkdir(exist_ok=True)
    shards = {folder / f"{subject}.h5": sorted(ids) for subject, ids in sorted(ids_of.items())}
    for path, ids in shards.items():
        _update_shard(path, ids, work)
    for stale in set(folder.glob("*.h5")) - set(shards):
        stale.unlink()
    rows: list[Row] = []
    windows: list[Row] = []
    # the tables are made of what is stored, which is quantized, and never of what was measured a moment ago
    for path in shards:
        for row, cut in rows_of_shard(path, plan.config):
            rows.append(row)
            windows.extend(cut)
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


def rows_of_shard(path: Path, config: Config) -> Iterator[tuple[Row, list[Row]]]:
    """Give the row of each recording of a shard, and the rows of its windows.

    Raises
    ------
    ShardError
        Where the shard is damaged.
    """
    for result in read_shard(path):
        subject = result.recording.subject
        yield recording_row(result), [window_row(one, subject) for one in cut_windows(result, config.windows)]


def _all_outcomes(plan: BuildPlan, work: Work) -> list[Outcome]:
    """One outcome for each recording of this listing and of earlier, wider ones, in the order of their ids."""
    found = {}
    if (plan.out / "manifest.json").is_file():
        with Shards(plan.out) as shards:
            found = {one.recording_id: one for one in shards.outcomes()}
    found |= {one.recording_id: one for one in plan.settled}
    found |= {one.recording_id: one for one in work.outcomes()}
    return [found[name] for name in sorted(found)]


def _update_shard(path: Path, ids: list[str], work: Work) -> None:
    """Write a subject's shard anew where it gained, lost or changed a recording."""
    parts = {name for name in ids if work.part(name).is_file()}
    try:
        if not parts and recording_ids(path) == ids:
            return
        stored = {} if parts.issuperset(ids) else {one.recording.recording_id: one for one in read_shard(path)}
    except ShardError as error:
        raise OutputError(f"{error}; remove that file, and the same command builds its recordings again") from None
    if missing := set(ids) - parts - stored.keys():
        raise OutputError(f"{path}: lacks {sorted(missing)[0]}; remove that file, and the same command builds its recordings again")
    write_shard(path, (_part(work, name, path.stem) if name in parts else stored[name] for name in ids))


def _part(work: Work, name: str, subject: str) -> RecordingResult:
    try:
        return work.read_part(name, subject)
    except ShardError as error:
        # the disk did this: the next run builds the recording again
        work.forget(name)
        raise OutputError(f"{error}; check the disk, and run the same command again") from None


def _write_timings(out: Path, outcomes: list[Outcome]) -> None:
    path = out / "timings.csv"
    earlier = {row["recording_id"]: row for row in read_table(path)} if path.is_file() else {}
    rows = [timing_row(one) if one.timings else earlier.get(one.recording_id, timing_row(one)) for one in outcomes]
    write_table(path, with_extra_columns(TIMINGS, rows), rows)
