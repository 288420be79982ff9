"""Run a plan: recordings in parallel, one outcome for each, then the finished output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.errors import OutputError
from stmap_pipeline.lock import locked
from stmap_pipeline.parallel import run_tasks
from stmap_pipeline.pipeline.assemble import assemble, begin
from stmap_pipeline.pipeline.limits import Limits
from stmap_pipeline.pipeline.plan import BuildPlan
from stmap_pipeline.pipeline.recording_task import RecordingTask
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome
from stmap_pipeline.shards import Shards


def run_build(plan: BuildPlan, jobs: int = 1, *, scheduler: str | None = None, limits: Limits | None = None) -> Iterator[Outcome]:
    """Build what a plan lists and yield one outcome for each listed recording.

    The output is complete when the iterator ends. An iterator that is closed earlier, or a process that is killed, leaves what
    is done in ``work/``, and the same call goes on from there.

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
            yield from _run(plan, jobs, scheduler, limits)
    except OSError as error:
        raise OutputError(
            f"{error.filename or plan.out}: cannot be written ({error.strerror}); nothing is lost, mend it and run again"
        ) from None


def _run(plan: BuildPlan, jobs: int, scheduler: str | None, limits: Limits | None) -> Iterator[Outcome]:
    work = Work(plan.out)
    begin(plan)
    run = work.begin(
        {
            "database": plan.database.name,
            "listed": len(plan.listed),
            "skipped": sum(one.status == "skipped" for one in plan.settled),
            "todo": [one.recording_id for one in plan.todo],
        }
    )
    for recording in plan.todo:
        # a part of an earlier run that is to be done again must not look done if this run is killed
        work.forget(recording.recording_id)
    yield from plan.settled
    yield from run_tasks(_tasks(plan, run, limits or Limits(), isolated=bool(jobs or scheduler)), jobs=jobs, scheduler=scheduler)
    # no more workers than have just been at work: to start some for shards alone takes longer than a hundred of these
    assemble(plan, run, min(jobs, len(plan.todo)), scheduler if plan.todo else None)
    work.remove()


def _tasks(plan: BuildPlan, run: str, limits: Limits, isolated: bool) -> list[RecordingTask]:
    out = plan.out.absolute()
    return [
        RecordingTask(one, plan.config, out, run, limits, isolated, plan.reuse if one.recording_id in plan.reused_ids else None)
        for one in plan.todo
    ]


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """A finished output in figures, for the last lines a user sees."""

    recordings: int
    windows: int
    labeled_windows: int
    heart_rate_min_bpm: float
    heart_rate_max_bpm: float
    shards: int
    shard_bytes: int
    skipped: int
    failed: int


def summarize(out: Path) -> BuildSummary:
    """Read the figures of a finished output.

    Raises
    ------
    ShardError
        Where the output is unfinished.
    """
    with Shards(out) as shards:
        windows = list(shards.windows())
        rates = [one.heart_rate_bpm for one in windows if one.heart_rate_bpm == one.heart_rate_bpm]
        outcomes = [one.status for one in shards.outcomes()]
        files = sorted((out / "shards").glob("*.h5"))
        return BuildSummary(
            outcomes.count("ok"),
            len(windows),
            len(rates),
            min(rates, default=float("nan")),
            max(rates, default=float("nan")),
            len(files),
            sum(one.stat().st_size for one in files),
            outcomes.count("skipped"),
            outcomes.count("failed"),
        )
