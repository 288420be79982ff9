"""Builds that are killed at random, a Dask cluster of real processes, Python without the rights of root."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.cli import content

_BUILD = """
import sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build
if __name__ == "__main__":
    config = Config.from_toml(Path(sys.argv[3]))
    for outcome in run_build(plan_build("folder", Path(sys.argv[1]), Path(sys.argv[2]), config), 2):
        pass
"""


@dataclass(slots=True)
class Chaos:
    """What was done to a build."""

    killed_main: int = 0
    killed_workers: int = 0
    commands: int = 0
    finished: int = 0

    @property
    def kills(self) -> int:
        return self.killed_main + self.killed_workers


def descendants(pid: int) -> list[int]:
    """Processes below another one, resource trackers left out: they only clean up."""
    found = []
    for child in _children(pid):
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"resource_tracker" not in line:
            found.append(child)
        found += descendants(child)
    return found


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from map(int, task.read_text().split())
        except OSError:
            continue


def kill_until(
    kills: int,
    source: Path,
    folder: Path,
    config: Path,
    expected: dict[str, bytes],
    seed: int,
    longest_s: float,
    told: Callable[[Chaos], None] | None = None,
) -> Chaos:
    """Kill so many times: a worker, whose build goes on, or the main process, which is followed by the same command.

    Each finished build is compared and a new one begun.

    Parameters
    ----------
    kills : int
    source, config : Path
        Of the build.
    folder : Path
        For the outputs.
    expected : dict
        Content of an undisturbed build.
    seed : int
    longest_s : float
        A kill comes 0 to so many seconds after the start, or after the kill before it.
    told : callable, optional
        Called after each finished build.
    """
    rng, chaos = random.Random(seed), Chaos()  # noqa: S311
    out = folder / "maps-0"
    while True:
        command = [sys.executable, "-c", _BUILD, str(source), str(out), str(config)]
        # a process whose parent dies while it starts says so on stdout
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        chaos.commands += 1
        # one worker at most: a recording that two of them died on has another outcome, and rightly
        spared = False
        while chaos.kills < kills and not _ended(process, rng.uniform(0, longest_s)):
            workers = [] if spared else descendants(process.pid)
            if workers and rng.random() < 0.5:
                _kill(rng.choice(workers))
                chaos.killed_workers += 1
                spared = True
            else:
                _kill(process.pid)
                chaos.killed_main += 1
                break
        process.wait(600)
        errors = process.communicate()[1].decode()
        if process.returncode == 0:
            _compare(out, expected)
            chaos.finished += 1
            if told:
                told(chaos)
            if chaos.kills >= kills:
                return chaos
            out = folder / f"maps-{chaos.finished}"
        else:
            assert process.returncode == -signal.SIGKILL, errors


def _ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _compare(out: Path, expected: dict[str, bytes]) -> None:
    found = content(out)
    assert found.keys() == expected.keys(), sorted(found.keys() ^ expected.keys())
    different = [name for name in found if found[name] != expected[name]]
    assert not different, different
    # orphans of killed commands must not write anything later
    time.sleep(0.3)
    assert content(out).keys() == expected.keys()


class Cluster:
    """A scheduler and its workers, each a process; close it, or they stay.

    Parameters
    ----------
    folder : Path
        For their files.
    path : list of str, optional
        Where they look for modules first.
    deaths : int
        How many workers may die on a task before the scheduler gives it back.
    """

    def __init__(self, folder: Path, path: list[str] | None = None, *, deaths: int = 1) -> None:
        self._folder, self._file = folder, folder / "scheduler.json"
        folder.mkdir(parents=True, exist_ok=True)
        searched = os.pathsep.join([*(path or []), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        self._environment = {
            **os.environ,
            "PYTHONPATH": searched,
            "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(deaths),
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(self._file))
        end = time.monotonic() + 60
        # the file is there before its content is
        while not (self._file.exists() and self._file.read_text().rstrip().endswith("}")) and time.monotonic() < end:
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


# without these two, root is bound by the permissions of its own files like anybody else; they go with the next exec
_DROP = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
        sys.exit(99)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def run_unprivileged(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run code with arguments, and skip the test where root cannot give up its rights."""
    command = [sys.executable, "-c", code, *map(str, words)]
    if os.getuid() == 0:
        command = [sys.executable, "-c", _DROP, *command[1:]]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if run.returncode == 99:
        pytest.skip("root cannot give up its rights here")
    return run
