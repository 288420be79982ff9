"""A Dask cluster of real processes on this machine, as a person would start it by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


class Cluster:
    """A scheduler and its workers, each a process; close it, or they stay."""

    def __init__(self, folder: Path, path: list[str] | None = None) -> None:
        self._folder, self._file = folder, folder / "scheduler.json"
        folder.mkdir(parents=True, exist_ok=True)
        searched = os.pathsep.join([*(path or []), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        self._environment = {**os.environ, "PYTHONPATH": searched, "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0"}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(self._file))
        end = time.monotonic() + 60
        while not self._file.exists() and time.monotonic() < end:
            time.sleep(0.05)
        self.address: str = json.loads(self._file.read_text())["address"]

    def add_worker(self, threads: int = 1, nanny: bool = True) -> subprocess.Popen[bytes]:
        words = [self.address, "--nthreads", str(threads), "--no-dashboard", "--local-directory", str(self._folder)]
        return self._start("worker", *words, "--nanny" if nanny else "--no-nanny")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{words[0]}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
                stdout=log, stderr=log, env=self._environment, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
