"""Tasks over processes: the one place that knows how joblib is to be asked."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from joblib.externals.loky import BrokenProcessPool, get_reusable_executor

from stmap_pipeline.errors import WorkerError

T = TypeVar("T")
R = TypeVar("R")


# of processes that share the cores: threads of theirs would only be in each other's way
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
# a matter of microseconds; but whoever pressed Ctrl-C must not wait for a thread that is gone
_PASS_ON_S = 1.0


def unordered(task: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[R]:
    """Run a task for each item in ``jobs`` processes and yield the results as they come.

    Closing the iterator ends the processes, as an interrupt (Ctrl-C) does; the processes themselves never see the interrupt.

    Parameters
    ----------
    task : callable
        A function of a module, or a partial of one.
    items : iterable
    jobs : int
        Number of processes, from 2.

    Raises
    ------
    WorkerError
        Where a process dies.

    Examples
    --------
    >>> sorted(unordered(abs, [-3, 1, -2], jobs=2))
    [1, 2, 3]
    """
    source, waiting, pool = iter(items), set[Future[R]](), None
    try:
        while True:
            # a second one for each process, so that none of them waits for this one
            for item in islice(source, 2 * jobs - len(waiting)):
                with children_without_interrupts():
                    pool = pool or get_reusable_executor(jobs, env=ONE_THREAD)
                    waiting.add(pool.submit(task, item))
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
    except BrokenProcessPool:
        raise WorkerError(
            "a worker process died, as it does when memory runs out; run the same command again, with fewer --jobs if it happens again"
        ) from None
    finally:
        if pool is not None and waiting:
            end_at_once(pool, waiting)


def end_at_once(pool: Any, tasks: Iterable[Future[Any]]) -> None:
    """End a pool of loky's in the middle of its tasks, and wait until its processes are gone."""
    tasks, end_s = list(tasks), time.monotonic() + _PASS_ON_S
    # loky's thread stumbles, with a traceback, over a task that it has not yet passed on to a process
    while time.monotonic() < end_s and not all(one.running() or one.done() for one in tasks):
        time.sleep(0.001)
    pool.shutdown(wait=True, kill_workers=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV and the linear algebra of NumPy to one thread: workers share the cores, and matrices here are small.

    A pool of threads for each of two Dask workers on two cores made them take twice the time. It also lets sums be added up in another
    order, and the bytes of an output must not hang on the number of cores.

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
def _thread_pools(modules: int) -> Any:  # noqa: ARG001 - a library can be new only where a module is
    # it takes milliseconds to find them, once for each recording
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def children_without_interrupts() -> Iterator[None]:
    """Start processes that a Ctrl-C does not reach: the terminal sends it to all, and each would print a traceback.

    One that comes meanwhile reaches this process when the block ends: in the middle of a start it would leave joblib in disorder.
    """
    # Python 3.11 unblocks signals when it starts this helper of its own, so it must be there before
    resource_tracker.ensure_running()
    came: list[int] = []
    ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if ours and callable(before):
        # the mask is not enough for this process: a thread of a numeric library may take the signal in its place
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    # a child inherits the mask from its first moment on; a handler it would not
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if ours and callable(before):
            signal.signal(signal.SIGINT, before)
            if came:
                signal.raise_signal(signal.SIGINT)
