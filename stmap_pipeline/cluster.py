"""Run tasks on the workers of a Dask cluster, whose scheduler moves the tasks of a lost worker and lets workers join and leave.

Tasks go through Dask's own executor rather than through joblib's ``dask`` backend: that one waits forever where Dask gives up a task
(joblib 1.6 with distributed 2026.8), which happens when four workers died on it, and where the scheduler is lost.
"""

from __future__ import annotations

import contextlib
import logging
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any, Generic

from stmap_pipeline.errors import StmapError, WorkerError
from stmap_pipeline.parallel import Ended, Result, Task
from stmap_pipeline.version import __version__

# enough that workers that join find work, few enough not to load the scheduler
_IN_FLIGHT = 1000
_WAIT_FOR_WORKERS_S = 60.0
_CONNECT_S = 15.0
# a batch system may take minutes to start workers again
_PATIENCE_S = 600.0
_LOOK_EVERY_S = 5.0
_SAME_STMAP = "install the same stmap on all machines, that of the scheduler included"


class ClusterWorkers(Generic[Result]):
    """Workers behind a Dask scheduler.

    Parameters
    ----------
    address : str
        Such as ``tcp://node1:8786``.

    Raises
    ------
    WorkerError
        Where Dask is not installed, no scheduler answers, it has no workers, or they have another stmap.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
            from distributed.scheduler import KilledWorker
        except ImportError:
            raise WorkerError("a Dask cluster needs the extra 'dask': pip install 'stmap[dask]'") from None
        self._killed, self._address = KilledWorker, address
        # its tracebacks of a lost connection would precede our own message of one line
        self._logger = logging.getLogger("distributed.client")
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL)

        class Client(distributed.Client):
            def start(self, **how: Any) -> None:
                try:
                    super().start(**how)  # type: ignore[no-untyped-call]
                except BaseException:
                    # otherwise the garbage collector closes it, perhaps while the next client starts, and both wait for one lock
                    self.close()  # type: ignore[no-untyped-call]
                    raise

        make: Any = Client
        try:
            # not the default client: a caller's own Dask code must not find this one
            self._client: Any = make(address, timeout=_CONNECT_S, set_as_default=False, name="stmap")
        except (OSError, ValueError, TypeError) as error:
            self._logger.setLevel(self._level)
            raise WorkerError(f"{address}: no Dask scheduler answers ({_short(error)}); start one with: dask scheduler") from None
        try:
            self._client.wait_for_workers(1, timeout=_WAIT_FOR_WORKERS_S)
        except Exception as error:
            self._close()
            raise WorkerError(
                f"{address}: the scheduler has no worker ({_short(error)}); start some with: dask worker {address} --nthreads 1"
            ) from None
        try:
            self._check_versions()
        except BaseException:
            self._close()
            raise
        self._executor: Any = self._client.get_executor(pure=False)
        self._running: dict[Future[Result], Task[Result]] = {}
        self._seen_s = self._looked_s = time.monotonic()

    def free(self) -> bool:
        """Return whether another task should be started now."""
        return len(self._running) < _IN_FLIGHT

    def start(self, task: Task[Result]) -> None:
        """Start a task."""
        self._running[self._executor.submit(do_on_cluster, task)] = task

    def finished(self) -> list[Ended[Result]]:
        """Wait up to a second for tasks to end."""
        done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
        if done:
            self._seen_s = time.monotonic()
        else:
            self._look_for_workers()
        ended: list[Ended[Result]] = []
        for future in done:
            task = self._running.pop(future)
            try:
                ended.append(Ended(task, future.result()))
            except self._killed:
                ended.append(Ended(task, lost=True))
            except CancelledError:
                raise self._gone() from None
            except StmapError:
                raise
            except Exception as error:
                raise WorkerError(f"{self._address}: a worker cannot do its task ({_short(error)}); {_SAME_STMAP}") from None
        return ended

    def stop(self, kill: bool) -> None:  # noqa: ARG002 - a cluster's workers are not ours to end
        """Leave the cluster; tasks that are running there end, and their results are discarded."""
        for future in list(self._running):
            future.cancel()
        self._running.clear()
        end = time.monotonic() + 2.0
        while self._client.futures and time.monotonic() < end:
            time.sleep(0.05)
        self._close()

    def _close(self) -> None:
        self._client.close()
        self._logger.setLevel(self._level)

    def _check_versions(self) -> None:
        # tasks pass through the scheduler, which must know them; one that does not drops its workers and says nothing
        try:
            found = {"the scheduler": self._client.run_on_scheduler(installed_version)}
            found |= self._client.run(installed_version, on_error="return")
            if failed := next((one for one in found.values() if isinstance(one, Exception) and not isinstance(one, OSError)), None):
                raise failed
        except Exception as error:
            raise WorkerError(f"{self._address}: the cluster cannot import stmap ({_short(error)}); {_SAME_STMAP}") from None
        for who, version in found.items():
            # a worker that left meanwhile gives an error in place of a version
            if isinstance(version, str) and version != __version__:
                raise WorkerError(f"{self._address}: {who} has stmap {version}, and this is {__version__}; {_SAME_STMAP}")

    def _look_for_workers(self) -> None:
        now = time.monotonic()
        if self._client.status in ("closed", "closing"):
            raise self._gone()
        if now < self._looked_s + _LOOK_EVERY_S:
            return
        self._looked_s = now
        with contextlib.suppress(OSError):
            if self._client.nthreads():
                self._seen_s = now
        if now > self._seen_s + _PATIENCE_S:
            raise WorkerError(
                f"{self._address}: the scheduler has had no worker for {_PATIENCE_S:g} s; what is done is kept: start workers and run the "
                "same command again"
            )

    def _gone(self) -> WorkerError:
        return WorkerError(
            f"{self._address}: the Dask scheduler is gone; what is done is kept: start a cluster and run the same command again"
        )


def do_on_cluster(task: Task[Result]) -> Result:
    """Do a task on a Dask worker.

    Raises
    ------
    WorkerError
        Where the worker has several threads: limits and measurements are those of a process.
    """
    from distributed import get_worker

    threads = get_worker().state.nthreads
    if threads != 1:
        raise WorkerError(
            f"a Dask worker has {threads} threads; start more workers of one thread each: dask worker ADDRESS --nworkers {threads} --nthreads 1"
        )
    return task.do()


def installed_version() -> str:
    """Return the version of stmap of the process that runs this.

    Examples
    --------
    >>> installed_version() == __version__
    True
    """
    return __version__


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
