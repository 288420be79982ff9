"""Run tasks in processes of this machine or of a Dask cluster, restart tasks of lost workers, and yield results as they come.

:func:`unordered` calls a function for each item. :func:`run_tasks` runs :class:`Task` objects, which know what to do when
the process that works on them dies or hangs. Workers of a cluster are in :mod:`stmap_pipeline.cluster`.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import resource_tracker
from typing import Any, Generic, Protocol, TypeVar

from stmap_pipeline.errors import WorkerError

T = TypeVar("T")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

# Environment of a worker: processes share the cores, so threads of their numeric libraries would only compete.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
# One death may be an accident (a stray kill, another program that exhausts the memory); two on one task are its own.
MAX_DEATHS = 2
# an idle process holds a face model of 100 MB; a second run a moment later starts faster with it
_IDLE_S = 10
# seconds beyond the task's own hard limit before a process counts as hanging
_GRACE_S = 30.0
_STARTUP_S = 60.0
# loky hands a task to its process within microseconds; a caller who pressed Ctrl-C waits no longer than this for it
_HAND_OVER_S = 1.0


class Task(Protocol[Result_co]):
    """A unit of work that can be sent to a worker, and sent again where that worker is lost."""

    @property
    def name(self) -> str:
        """Name in messages, unique within a run."""

    @property
    def hard_time_s(self) -> float:
        """Seconds after which a worker that does not answer is killed; ``inf`` for no limit."""

    def do(self) -> Result_co:
        """Do the work, possibly a second time; raise what is wrong with the whole run."""

    def lost(self, times: int, hung: bool) -> None:
        """Note that a worker died, or hung and was killed, on this task; raise `WorkerError` to end the run.

        Parameters
        ----------
        times : int
            Number of workers that this run has lost on the task so far.
        hung : bool
        """


@dataclass(frozen=True, slots=True)
class _Call(Generic[T, Result]):
    """Call of a function with one item."""

    function: Callable[[T], Result]
    item: T
    name: str = ""
    hard_time_s: float = math.inf

    def do(self) -> Result:
        return self.function(self.item)

    def lost(self, times: int, hung: bool) -> None:  # noqa: ARG002
        raise WorkerError(
            "a worker process died, as it does when memory runs out; run the same command again, with fewer --jobs if it happens again"
        )


def unordered(task: Callable[[T], Result], items: Iterable[T], jobs: int) -> Iterator[Result]:
    """Yield the result of a function for each item, in the order in which they are finished.

    Closing the iterator ends the processes, as Ctrl-C does; the processes themselves never see the interrupt.

    Parameters
    ----------
    task : callable
        A function of a module, or a partial of one.
    items : iterable
        Taken one by one, as processes become free.
    jobs : int
        Number of processes.

    Raises
    ------
    WorkerError
        Where a process dies.

    Examples
    --------
    >>> sorted(unordered(abs, [-3, 1, -2], jobs=2))
    [1, 2, 3]
    """
    return run_tasks((_Call(task, item) for item in items), jobs=jobs)


def run_tasks(tasks: Iterable[Task[Result]], *, jobs: int = 1, scheduler: str | None = None) -> Iterator[Result]:
    """Yield the results of tasks in the order in which they are finished.

    Parameters
    ----------
    tasks : iterable of Task
        Taken one by one, as workers become free.
    jobs : int
        Number of processes; with 0 this process does the work itself.
    scheduler : str, optional
        Address of a Dask scheduler whose workers are used instead.

    Raises
    ------
    WorkerError
        Where processes cannot be started, or a task gives up after the loss of its worker.
    """
    workers: Workers[Result]
    if scheduler is not None:
        from stmap_pipeline.cluster import ClusterWorkers

        workers = ClusterWorkers(scheduler)
    elif jobs:
        workers = LocalWorkers(jobs)
    else:
        workers = InThisProcess()
    done = False
    try:
        yield from _collect(iter(tasks), workers)
        done = True
    finally:
        workers.stop(kill=not done)


def _collect(tasks: Iterator[Task[Result]], workers: Workers[Result]) -> Iterator[Result]:
    again: deque[Task[Result]] = deque()
    losses: Counter[str] = Counter()
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
        for ended in workers.finished():
            in_flight -= 1
            if ended.lost:
                losses[ended.task.name] += 1
                ended.task.lost(losses[ended.task.name], ended.hung)
                again.append(ended.task)
            else:
                yield ended.result


@dataclass(frozen=True, slots=True)
class Ended(Generic[Result]):
    """A task that left its worker: with a result, or lost because the worker died or hung."""

    task: Task[Result]
    result: Any = None
    lost: bool = False
    hung: bool = False


class Workers(Protocol[Result]):
    """Processes that do tasks."""

    def free(self) -> bool:
        """Return whether another task should be started now."""

    def start(self, task: Task[Result]) -> None:
        """Start a task."""

    def finished(self) -> list[Ended[Result]]:
        """Wait for tasks to end; raise what is wrong with the whole run."""

    def stop(self, kill: bool) -> None:
        """Release the workers; with ``kill`` in the middle of their work."""


class InThisProcess(Generic[Result]):
    """The calling process itself, for debugging: a crash ends the program."""

    def __init__(self) -> None:
        self._done: list[Ended[Result]] = []

    def free(self) -> bool:
        """Return whether another task should be started now."""
        return not self._done

    def start(self, task: Task[Result]) -> None:
        """Do a task at once."""
        self._done.append(Ended(task, task.do()))

    def finished(self) -> list[Ended[Result]]:
        """Return what was done."""
        done, self._done = self._done, []
        return done

    def stop(self, kill: bool) -> None:
        """Do nothing: no process was started."""


@dataclass(slots=True)
class _Running(Generic[Result]):
    task: Task[Result]
    pool: Any
    end_s: float


class LocalWorkers(Generic[Result]):
    """Processes of this machine: one loky pool of one process for each.

    A loky pool of several processes is broken as a whole when one of them dies, and does not report whose task it was.

    Parameters
    ----------
    jobs : int
        Number of tasks at once.
    """

    _idle: list[Any] = []  # noqa: RUF012 - shared on purpose: a second run reuses the processes of the first

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._running: dict[Future[Result], _Running[Result]] = {}

    def free(self) -> bool:
        """Return whether a process has nothing to do."""
        return len(self._running) < self._jobs

    def start(self, task: Task[Result]) -> None:
        """Start a task in an idle process."""
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

    def finished(self) -> list[Ended[Result]]:
        """Wait up to a second for tasks to end."""
        done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
        ended: list[Ended[Result]] = []
        for future in done:
            one = self._running.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                one.pool.shutdown(wait=True, kill_workers=True)
                ended.append(Ended(one.task, lost=True))
                continue
            except BaseException:
                self._idle.append(one.pool)
                raise
            self._idle.append(one.pool)
            ended.append(Ended(one.task, result))
        for future, one in list(self._running.items()):
            if time.monotonic() > one.end_s:
                del self._running[future]
                # not waited for: a process that waits for a network file system cannot even be killed
                one.pool.shutdown(wait=False, kill_workers=True)
                ended.append(Ended(one.task, lost=True, hung=True))
        return ended

    def stop(self, kill: bool) -> None:
        """Release the processes, which end when they have been idle for some seconds; with ``kill`` end them now."""
        end_s = time.monotonic() + _HAND_OVER_S
        for future, one in self._running.items():
            # loky's thread prints a traceback for a task that it has not yet passed on to a process
            while kill and time.monotonic() < end_s and not (future.running() or future.done()):
                time.sleep(0.001)
            one.pool.shutdown(wait=kill, kill_workers=kill)
        self._running.clear()


def _new_pool() -> Any:
    from loky import ProcessPoolExecutor

    try:
        return ProcessPoolExecutor(1, timeout=_IDLE_S, initializer=begin_worker, initargs=(os.getpid(),), env=ONE_THREAD)
    except OSError as error:
        raise _no_process(error) from None


def _no_process(error: Exception) -> WorkerError:
    return WorkerError(f"no worker process can be started ({error}); run fewer with --jobs")


def begin_worker(parent: int) -> None:
    """Prepare a worker process: it ignores Ctrl-C, which its parent handles, and ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        # a killed parent cannot stop its worker, which would continue to write where another run works by then
        wait_for_parent(parent)
        os._exit(1)

    threading.Thread(target=watch, name="stmap-parent-watch", daemon=True).start()


def wait_for_parent(parent: int) -> None:
    """Wait until the process that started this one has ended.

    Parameters
    ----------
    parent : int
        Its number.
    """
    started_by = multiprocessing.parent_process()
    if os.name == "nt" and started_by is not None:
        # a process keeps the number of its parent there, but has a handle of it
        started_by.join()
        return
    while os.getppid() == parent:
        time.sleep(0.2)


@contextmanager
def children_without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: the terminal sends it to all, and each would print a traceback.

    An interrupt that comes meanwhile reaches this process when the block ends: during a start it would leave loky inconsistent.
    """
    if sys.platform != "win32":
        # Python 3.11 unblocks signals when it starts this helper process, so it must exist before
        resource_tracker.ensure_running()
    came: list[int] = []
    ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if ours and callable(before):
        # the mask is not enough for this process: a thread of a numeric library may take the signal in its place
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        with _blocked_interrupts():
            yield
    finally:
        if ours and callable(before):
            signal.signal(signal.SIGINT, before)
            if came:
                signal.raise_signal(signal.SIGINT)


@contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Block the signal of Ctrl-C: a child inherits this from its first moment on, but not a handler. Windows has no such thing."""
    if sys.platform == "win32" or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenCV and the linear algebra of NumPy to one thread: workers share the cores, and matrices here are small.

    A pool of threads for each of two Dask workers on two cores made them take twice the time. With several threads sums are also
    added in another order, and the bytes of an output must not depend on the number of cores.

    Examples
    --------
    >>> import cv2
    >>> before = cv2.getNumThreads()
    >>> with one_thread():
    ...     cv2.getNumThreads()
    1
    >>> cv2.getNumThreads() == before
    True
    """
    # not at the top: a command that builds nothing should answer at once
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with _thread_pools(len(sys.modules)).limit(limits=1):
            yield
    finally:
        cv2.setNumThreads(threads)


@lru_cache(maxsize=1)
def _thread_pools(modules: int) -> Any:  # noqa: ARG001 - a new library can only have come with a new module
    # finding them takes milliseconds, once for each recording
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
