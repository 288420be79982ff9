"""Processes of this machine that do tasks: joblib's loky, one pool of one process for each.

With a pool of many, loky gives up all of its processes when one dies and cannot say whose task it was. A pool of one dies alone and
with a known task, and no other recording is touched.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from stmap_pipeline.errors import WorkerError
from stmap_pipeline.pipeline.task import Result, Task, begin_worker
from stmap_pipeline.processes import ONE_THREAD, children_without_interrupts, end_at_once

# an idle process holds a face model of 100 MB; a second build a moment later is glad to find it warm
_IDLE_S = 10
# beyond its own hard limit, before a process counts as one that no longer runs at all
_GRACE_S = 30.0
_STARTUP_S = 60.0


class Workers(Protocol[Result]):
    """Whoever does tasks."""

    def free(self) -> bool:
        """Tell whether another task should be handed in now."""

    def start(self, task: Task[Result]) -> None:
        """Hand in a task."""

    def finished(self) -> list[tuple[Task[Result], Result | None]]:
        """Wait for tasks to end; None stands for a worker that was lost.

        What was wrong with the whole run is raised.
        """

    def stop(self, kill: bool) -> None:
        """Let the workers go; with ``kill`` in the middle of their work."""


class InThisProcess(Generic[Result]):
    """No worker at all, for debugging: a crash ends the program."""

    def __init__(self) -> None:
        self._done: list[tuple[Task[Result], Result | None]] = []

    def free(self) -> bool:
        """Tell whether another task should be handed in now."""
        return not self._done

    def start(self, task: Task[Result]) -> None:
        """Do a task at once."""
        self._done.append((task, task.do()))

    def finished(self) -> list[tuple[Task[Result], Result | None]]:
        """Give what was done."""
        done, self._done = self._done, []
        return done

    def stop(self, kill: bool) -> None:
        """Do nothing: there is nobody to stop."""


@dataclass(slots=True)
class _Running(Generic[Result]):
    task: Task[Result]
    pool: Any
    end_s: float


class LocalWorkers(Generic[Result]):
    """Processes of this machine.

    Parameters
    ----------
    jobs : int
        How many work at once.
    """

    _idle: list[Any] = []  # noqa: RUF012 - shared on purpose: a second build finds the processes of the first

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._running: dict[Future[Result], _Running[Result]] = {}

    def free(self) -> bool:
        """Tell whether a process has nothing to do."""
        return len(self._running) < self._jobs

    def start(self, task: Task[Result]) -> None:
        """Hand a task to an idle process."""
        while True:
            fresh = not self._idle
            pool = _new_pool() if fresh else self._idle.pop()
            try:
                # a Ctrl-C that comes meanwhile is raised at the end of the block: by then the process must be known, to be stopped
                with children_without_interrupts():
                    end_s = time.monotonic() + _STARTUP_S + task.hard_time_s + _GRACE_S
                    self._running[pool.submit(task.do)] = _Running(task, pool, end_s)
            except Exception as error:
                pool.shutdown(wait=False, kill_workers=True)
                # an idle process may have died since
                if fresh:
                    raise _no_process(error) from None
            else:
                return

    def finished(self) -> list[tuple[Task[Result], Result | None]]:
        """Wait for tasks to end."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
        ended: list[tuple[Task[Result], Result | None]] = []
        for future in done:
            one = self._running.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                one.pool.shutdown(wait=True, kill_workers=True)
                ended.append((one.task, None))
                continue
            except BaseException:
                self._idle.append(one.pool)
                raise
            self._idle.append(one.pool)
            ended.append((one.task, result))
        for future, one in list(self._running.items()):
            if time.monotonic() > one.end_s:
                del self._running[future]
                one.task.note_hang()
                # not waited for: a process inside of a hanging network file system cannot even be killed
                one.pool.shutdown(wait=False, kill_workers=True)
                ended.append((one.task, None))
        return ended

    def stop(self, kill: bool) -> None:
        """Let the processes go; they end by themselves after a while."""
        for future, one in self._running.items():
            if kill:
                end_at_once(one.pool, [future])
            else:
                one.pool.shutdown(wait=False)
        self._running.clear()


def _new_pool() -> Any:
    from joblib.externals.loky.process_executor import ProcessPoolExecutor

    try:
        return ProcessPoolExecutor(1, timeout=_IDLE_S, initializer=begin_worker, initargs=(os.getpid(),), env=ONE_THREAD)
    except OSError as error:
        raise _no_process(error) from None


def _no_process(error: Exception) -> WorkerError:
    return WorkerError(f"no worker process can be started ({error}); run fewer with --jobs")
