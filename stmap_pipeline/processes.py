"""Tasks over processes: the one place that knows how joblib is to be asked."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config

T = TypeVar("T")
R = TypeVar("R")


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

    Examples
    --------
    >>> sorted(unordered(abs, [-3, 1, -2], jobs=2))
    [1, 2, 3]
    """
    with parallel_config(backend="loky", inner_max_num_threads=1):
        # one item a task: they are long, and a lost task must cost one item
        pool = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        results: Any = None
        try:
            with children_without_interrupts():
                results = pool(delayed(task)(item) for item in items)
            yield from _pass_on(results)
        finally:
            if results is not None:
                with warnings.catch_warnings():
                    # joblib warns of canceled tasks; to stop early is no mistake here
                    warnings.simplefilter("ignore", UserWarning)
                    results.close()


def _pass_on(results: Iterator[R]) -> Iterator[R]:
    # `yield from results` would close joblib's iterator outside of the guard above
    for one in results:  # noqa: UP028
        yield one


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
    from threadpoolctl import threadpool_limits

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(threads)


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
