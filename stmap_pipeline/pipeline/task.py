"""What a worker is asked to do, on this machine or another one, and how it begins."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Protocol, TypeVar

from stmap_pipeline.errors import WorkerError

# One death may be an accident (a stray kill, another program's hunger for memory); two on one task are its own.
MAX_DEATHS = 2
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Task(Protocol[Result_co]):
    """What can be handed to a worker, and again to another one where that one is lost."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def hard_time_s(self) -> float:
        """Seconds after which a worker that does not answer is ended."""

    def do(self) -> Result_co:
        """Do it, which may happen twice; what is wrong with the whole run is raised."""

    def deaths(self) -> int:
        """Count the lost workers that the task knows of: it gives up by itself when they are too many."""

    def note_hang(self) -> None:
        """Note that its process had to be killed."""


def begin_worker(parent: int) -> None:
    """Prepare a worker process of this machine: it leaves Ctrl-C to its parent, and ends when that one does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        # a killed parent can tell nobody; an orphan would go on with a recording that another run now builds
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, name="stmap-parent-watch", daemon=True).start()


def check_worker_threads() -> None:
    """Refuse a Dask worker with several threads: limits and measurements are those of a process.

    Raises
    ------
    WorkerError
        With what to start instead.
    """
    from distributed import get_worker

    threads = get_worker().state.nthreads
    if threads != 1:
        raise WorkerError(
            f"a Dask worker has {threads} threads; start more workers of one thread each: dask worker ADDRESS --nworkers {threads} --nthreads 1"
        )


def do_on_cluster(task: Task[Result]) -> Result:
    """Do a task on a Dask worker."""
    check_worker_threads()
    return task.do()
