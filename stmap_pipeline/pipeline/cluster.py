"""Workers of a Dask cluster. Its scheduler hands tasks out, moves those of a lost worker, and lets workers join and leave.

Tasks go through Dask's own executor rather than through joblib's ``dask`` backend: that one waits for ever where Dask gives a task up
(joblib 1.6 with distributed 2026.8), which happens when four workers died on it, and where the scheduler is lost.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any

from stmap_pipeline.errors import WorkerError
from stmap_pipeline.pipeline.task import Task, do_on_cluster
from stmap_pipeline.records import Outcome

# enough for workers that join to find work, few enough for the scheduler not to notice
_IN_FLIGHT = 1000
_WAIT_FOR_WORKERS_S = 60.0
_CONNECT_S = 15.0


class ClusterWorkers:
    """Workers behind a Dask scheduler.

    Parameters
    ----------
    address : str
        Such as ``tcp://node1:8786``.

    Raises
    ------
    WorkerError
        Where Dask is not installed, no scheduler answers, or it has no workers.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
            from distributed.scheduler import KilledWorker
        except ImportError:
            raise WorkerError("a Dask cluster needs the extra 'dask': pip install 'stmap[dask]'") from None
        self._killed, self._address = KilledWorker, address
        make: Any = distributed.Client
        try:
            # not the default client: a caller's own Dask code must not find this one
            self._client: Any = make(address, timeout=_CONNECT_S, set_as_default=False, name="stmap")
        except (OSError, ValueError, TypeError) as error:
            raise WorkerError(f"{address}: no Dask scheduler answers ({_short(error)}); start one with: dask scheduler") from None
        try:
            self._client.wait_for_workers(1, timeout=_WAIT_FOR_WORKERS_S)
        except Exception as error:
            self._client.close()
            raise WorkerError(
                f"{address}: the scheduler has no worker ({_short(error)}); start some with: dask worker {address} --nthreads 1"
            ) from None
        self._executor: Any = self._client.get_executor(pure=False)
        self._running: dict[Future[Outcome], Task] = {}

    def free(self) -> bool:
        """Tell whether another task should be handed in now."""
        return len(self._running) < _IN_FLIGHT

    def start(self, task: Task) -> None:
        """Hand in a task."""
        self._running[self._executor.submit(do_on_cluster, task)] = task

    def finished(self) -> list[tuple[Task, Outcome | None]]:
        """Wait for tasks to end."""
        done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
        if not done and self._client.status in ("closed", "closing"):
            raise self._gone()
        ended: list[tuple[Task, Outcome | None]] = []
        for future in done:
            task = self._running.pop(future)
            try:
                ended.append((task, future.result()))
            except self._killed:
                ended.append((task, None))
            except CancelledError:
                raise self._gone() from None
        return ended

    def stop(self, kill: bool) -> None:  # noqa: ARG002 - a cluster's workers are not ours to end
        """Leave the cluster; what is under way there ends without being kept."""
        for future in list(self._running):
            future.cancel()
        self._running.clear()
        end = time.monotonic() + 2.0
        while self._client.futures and time.monotonic() < end:
            time.sleep(0.05)
        self._client.close()

    def _gone(self) -> WorkerError:
        return WorkerError(
            f"{self._address}: the Dask scheduler is gone; what is done is kept: start a cluster and run the same command again"
        )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
