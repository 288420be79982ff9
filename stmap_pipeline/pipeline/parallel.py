"""Tasks over workers: hand out, collect, hand out again what was lost with its worker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from stmap_pipeline.errors import WorkerError
from stmap_pipeline.pipeline.task import MAX_DEATHS, Result, Task
from stmap_pipeline.pipeline.workers import InThisProcess, LocalWorkers, Workers


def run_parallel(todo: Sequence[Task[Result]], *, jobs: int = 1, scheduler: str | None = None) -> Iterator[Result]:
    """Do tasks and yield their results as they come.

    Parameters
    ----------
    todo : sequence of Task
    jobs : int
        Processes; 0 uses none.
    scheduler : str, optional
        Address of a Dask scheduler, instead of own processes.
    """
    workers: Workers[Result]
    if not todo:
        return
    if scheduler is not None:
        from stmap_pipeline.pipeline.cluster import ClusterWorkers

        workers = ClusterWorkers(scheduler)
    elif jobs:
        workers = LocalWorkers(jobs)
    else:
        workers = InThisProcess()
    done = False
    try:
        yield from _collect(iter(todo), workers)
        done = True
    finally:
        workers.stop(kill=not done)


def _collect(todo: Iterator[Task[Result]], workers: Workers[Result]) -> Iterator[Result]:
    again: deque[Task[Result]] = deque()
    lost: Counter[str] = Counter()
    in_flight = 0
    while True:
        while workers.free():
            task = again.popleft() if again else next(todo, None)
            if task is None:
                break
            workers.start(task)
            in_flight += 1
        if not in_flight:
            return
        for task, result in workers.finished():
            in_flight -= 1
            if result is not None:
                yield result
                continue
            # where the task itself sees how often that happened, it gives up in time
            lost[task.name] += 1
            if lost[task.name] > task.deaths() + MAX_DEATHS:
                raise WorkerError(
                    f"worker processes die before they begin, last with {task.name}; is there memory for them, and does `stmap demo` "
                    "work?"
                )
            again.append(task)
