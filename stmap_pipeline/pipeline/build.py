"""Run a plan: recordings in parallel, one outcome for each; then tables and, last, the manifest. Every step can be repeated."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.databases.synthetic import is_drawn
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.files import atomic_write_text, remove_temporaries, replace
from stmap_pipeline.lock import locked
from stmap_pipeline.parallel import run_tasks
from stmap_pipeline.pipeline.limits import Limits
from stmap_pipeline.pipeline.metadata import METADATA
from stmap_pipeline.pipeline.plan import BuildPlan
from stmap_pipeline.pipeline.scratch import SET_ASIDE, RunInfo, Scratch
from stmap_pipeline.pipeline.sources import PIPELINE_VERSION
from stmap_pipeline.pipeline.user_videos import title_of_videos
from stmap_pipeline.pipeline.worker import RecordingTask, Rows
from stmap_pipeline.records import Outcome, Window
from stmap_pipeline.shards import (
    Shards,
    is_augmented,
    read_augmentation,
    read_table,
    recording_path,
    remove_augmentation,
    write_table,
)
from stmap_pipeline.shards.manifest import write_manifest
from stmap_pipeline.shards.notes import label_problems_by_recording, recordings_by_note
from stmap_pipeline.shards.tables import TIMINGS, timing_row, with_extra_columns, write_build_tables
from stmap_pipeline.version import __version__

# To start a worker takes a second, in which this process derives so many recordings again.
_FEW = 100


def run_build(plan: BuildPlan, jobs: int = 1, *, scheduler: str | None = None, limits: Limits | None = None) -> Iterator[Outcome]:
    """Build what a plan lists and yield one outcome for each listed recording.

    The output is complete when the iterator ends. After an iterator that is closed earlier, or a process that is killed, the same call
    resumes there.

    Parameters
    ----------
    plan : BuildPlan
    jobs : int
        Worker processes on this machine. With 0 this process does the work itself: for debugging, as a crash ends it.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://node1:8786``, whose workers do the work instead.
    limits : Limits, optional
        How much time and memory one recording may take.

    Yields
    ------
    Outcome
        Settled ones first, then in the order in which they are finished.

    Raises
    ------
    OutputError
        Where the output cannot be written, or another build is at work in it.
    WorkerError
        Where the workers cannot do the work.
    """
    if plan.complete:
        yield from plan.settled
        return
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        with locked(plan.out):
            yield from _run(plan, jobs, scheduler, limits or Limits())
    except OSError as error:
        raise OutputError(
            f"{error.filename or plan.out}: cannot be written ({error.strerror}); nothing is lost, correct that and run again"
        ) from None


def _run(plan: BuildPlan, jobs: int, scheduler: str | None, limits: Limits) -> Iterator[Outcome]:
    scratch = Scratch(plan.out)
    # first what names the folder as ours
    atomic_write_text(plan.out / "stmap.toml", plan.config.to_toml())
    described = json.dumps(description(plan), indent=2, sort_keys=True)
    atomic_write_text(plan.out / "dataset_description.json", described + "\n")
    asked = {one.recording_id for one in plan.listed}
    run = scratch.begin(
        RunInfo(
            database=plan.database.name,
            listed=len(plan.listed),
            stored=tuple(one.recording_id for one in plan.stored),
            settled={one.recording_id: (one.status, one.reason) for one in (*plan.settled, *plan.kept)},
            todo=tuple(one.recording_id for one in plan.todo),
        )
    )
    for recording in plan.todo:
        scratch.forget(recording.recording_id)
    yield from plan.settled
    if not plan.todo and len(plan.stored) <= _FEW:
        jobs, scheduler = 0, None
    tasks = [
        RecordingTask(
            one, plan.config, plan.out.absolute(), run, limits, plan.stamps.get(one.recording_id), bool(jobs or scheduler)
        )
        for one in sorted([*plan.todo, *plan.stored], key=lambda one: one.recording_id)
    ]
    found = [Rows(one) for one in (*plan.settled, *plan.kept)]
    for rows in run_tasks(tasks, jobs=jobs, scheduler=scheduler):
        found.append(rows)
        if rows.outcome.recording_id in asked:
            yield rows.outcome
    # a worker that was killed while it wrote leaves a partial file
    remove_temporaries(plan.out)
    simulated = plan.database.simulated or is_drawn(plan.source)
    write_output(plan.out, plan.config, plan.database.name, found, simulated=simulated)
    scratch.remove()


def write_output(out: Path, config: Config, database: str, recordings: Iterable[Rows], *, simulated: bool) -> None:
    """Write the tables and the manifest of recordings whose files are there; files of others are removed.

    Parameters
    ----------
    out : Path
    config : Config
    database : str
    recordings : iterable of Rows
        One for each recording, in any order.
    simulated : bool
        Whether the data are synthetic.
    """
    found = sorted(recordings, key=lambda one: one.outcome.recording_id)
    outcomes = [one.outcome for one in found]
    rows = [one.recording for one in found if one.recording is not None]
    windows = [row for one in found for row in one.windows]
    files = _tidy(out, outcomes)
    tables = write_build_tables(out, rows, windows, outcomes, METADATA)
    _write_timings(out / "timings.csv", outcomes)
    write_manifest(
        out,
        fingerprint=config.fingerprint(),
        files=[out / "dataset_description.json", out / "stmap.toml", *tables, *files],
        settings={
            "database": database,
            "simulated": simulated,
            "pipeline_version": PIPELINE_VERSION,
            **config.model_dump(),
        },
    )
    _drop_stale_augmentation(out)


def _drop_stale_augmentation(out: Path) -> None:
    """Remove resampled windows that were made of other windows than the output has."""
    if is_augmented(out):
        try:
            read_augmentation(out)
        except ShardError:
            remove_augmentation(out)


def _tidy(out: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """Remove the files of recordings that are no longer listed, and set aside those of recordings that failed."""
    folder, aside = out / "shards", out / SET_ASIDE
    folder.mkdir(exist_ok=True)
    built = {recording_path(out, one.recording_id) for one in outcomes if one.status == "ok"}
    failed = {recording_path(out, one.recording_id).name for one in outcomes if one.status == "failed"}
    for path in set(folder.iterdir()) - built:
        if path.name in failed:
            aside.mkdir(exist_ok=True)
            replace(path, aside / path.name)
        elif path.suffix == ".h5":
            path.unlink()
    for path in aside.iterdir() if aside.is_dir() else ():
        if path.name not in failed:
            path.unlink()
    return sorted(built)


def _write_timings(path: Path, outcomes: Sequence[Outcome]) -> None:
    earlier: dict[str, dict[str, Any]] = {}
    # damaged or missing, it costs nothing but what it says of earlier runs
    with contextlib.suppress(ShardError):
        earlier = {str(row["recording_id"]): row for row in read_table(path)}
    rows = []
    for one in outcomes:
        row = timing_row(one)
        before = {} if one.timings else earlier.get(one.recording_id, {})
        rows.append({**before, **{key: value for key, value in row.items() if value or key not in before}})
    write_table(path, with_extra_columns(TIMINGS, rows), rows)


def description(plan: BuildPlan) -> dict[str, Any]:
    """Describe an output and how it was made, in the terms of BIDS derivatives."""
    database, title, study = plan.database, plan.database.title, ""
    if database.list_by_subject is not None:
        title, study = title_of_videos(plan.source, plan.listed)
    return {
        "Name": f"Spatial-temporal maps of {title}",
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "stmap",
                "Version": __version__,
                "Command": f"stmap build-maps --db {database.name} SOURCE OUT --config stmap.toml",
            }
        ],
        "SourceDatasets": [
            {"Name": title, "Key": database.name, "License": database.license, "BibTeX": database.citation}
            | ({"Study": study} if study else {})
        ],
        "PipelineVersion": PIPELINE_VERSION,
    }


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """A finished output in numbers, for the last lines a user sees.

    Parameters
    ----------
    recordings, skipped, failed : int
    without_window : int
        Recordings that were built and are shorter than one window.
    windows, labeled_windows : int
    heart_rate_min_bpm, heart_rate_max_bpm : float
        NaN where there is no label.
    window_min_s, window_max_s : float
        Shortest and longest window; NaN where there is none.
    files, file_bytes : int
        Files of recordings.
    labeled_recordings : int
        Recordings with a heart rate in at least one window.
    label_problems : mapping of str to int
        For the others, by the most frequent ``label_problem`` of their windows: how many.
    notes : mapping of str to int
        Notes of the recordings, those that differ in numbers alone as one; of how many recordings.
    """

    recordings: int
    skipped: int
    failed: int
    without_window: int
    windows: int
    labeled_windows: int
    heart_rate_min_bpm: float
    heart_rate_max_bpm: float
    window_min_s: float
    window_max_s: float
    files: int
    file_bytes: int
    labeled_recordings: int = 0
    label_problems: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)


def summarize(out: str | Path) -> BuildSummary:
    """Read the numbers of a finished output.

    Raises
    ------
    ShardError
        Where the output is unfinished.
    """
    out = Path(out)
    with Shards(out) as shards:
        windows = shards.windows()
        rates = [one.heart_rate_bpm for one in windows if one.heart_rate_bpm == one.heart_rate_bpm]
        lengths_s = [one.duration_s for one in windows]
        outcomes = [one.status for one in shards.outcomes()]
        files = [entry.bytes for entry in shards.manifest.files if entry.path.startswith("shards/")]
        nan = float("nan")
        return BuildSummary(
            outcomes.count("ok"),
            outcomes.count("skipped"),
            outcomes.count("failed"),
            outcomes.count("ok") - len({one.recording_id for one in windows}),
            len(windows),
            len(rates),
            min(rates, default=nan),
            max(rates, default=nan),
            min(lengths_s, default=nan),
            max(lengths_s, default=nan),
            len(files),
            sum(files),
            *_label_counts(windows),
            {note: len(ids) for note, ids in recordings_by_note(shards.recordings()).items()},
        )


def _label_counts(windows: Iterable[Window]) -> tuple[int, dict[str, int]]:
    """Return how many recordings have a label, and how many of the others have none for which reason."""
    problems = label_problems_by_recording(windows)
    without = Counter(found.most_common(1)[0][0] for found in problems.values() if not found[""])
    return len(problems) - without.total(), dict(without.most_common())
