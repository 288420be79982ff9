"""Recordings over workers: hand out, collect, hand out again what was lost with its worker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from stmap_pipeline.errors import WorkerError
from stmap_pipeline.pipeline.task import MAX_DEATHS, Task
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.pipeline.workers import InThisProcess, LocalWorkers, Workers
from stmap_pipeline.records import Outcome


def run_parallel(tasks: Sequence[Task], out: Path, *, jobs: int = 1, scheduler: str | None = None) -> Iterator[Outcome]:
    """Build recordings and yield their outcomes as they come.

    Parameters
    ----------
    tasks : sequence of Task
    out : Path
        The output that all of them belong to.
    jobs : int
        Processes; 0 uses none.
    scheduler : str, optional
        Address of a Dask scheduler, instead of own processes.
    """
    workers: Workers
    if not tasks:
        return
    work = Work(out.absolute())
    if scheduler is not None:
        from stmap_pipeline.pipeline.cluster import ClusterWorkers

        workers = ClusterWorkers(scheduler)
    elif jobs:
        workers = LocalWorkers(
            jobs,
            lambda task: work.note_timeout(
                task.recording.recording_id, f"{task.limits.hard_time_s:g} s, killed by the main process"
            ),
        )
    else:
        workers = InThisProcess()
    done = False
    try:
        yield from _collect(iter(tasks), workers, work)
        done = True
    finally:
        workers.stop(kill=not done)


def _collect(tasks: Iterator[Task], workers: Workers, work: Work) -> Iterator[Outcome]:
    again: deque[Task] = deque()
    lost: Counter[str] = Counter()
    in_flight = 0
    while True:
        while workers.free():
            task = again.popleft() if again else next(tasks, None)
            if task is None:
                break
            workers.start(task)
            in_flight += 1
        if not in_flight:
            return
        for task, outcome in workers.finished():
            in_flight -= 1
            if outcome is not None:
                yield outcome
                continue
            # the task itself sees by its mark how often that happened, and gives up in time
            name = task.recording.recording_id
            lost[name] += 1
            if lost[name] > work.mark(name).deaths + MAX_DEATHS:
                raise WorkerError(
                    f"worker processes die before they begin, last with {name}; is there memory for them, and does `stmap demo` work?"
                )
            again.append(task)
