"""What a worker is asked to do, on this machine or another one: one recording, its limits, and whose run it belongs to."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.config import Config
from stmap_pipeline.errors import WorkerError
from stmap_pipeline.pipeline.limits import Limits, guarded, timeout_message
from stmap_pipeline.pipeline.process import load_backend, process_recording
from stmap_pipeline.pipeline.reuse import Reuse
from stmap_pipeline.pipeline.work import Mark, Work
from stmap_pipeline.records import Outcome, Recording

# One death may be an accident (a stray kill, another program's hunger for memory); two on one recording are its own.
MAX_DEATHS = 2
_FAULT = re.compile(r"Fatal Python error: (.+)")


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to build.

    Parameters
    ----------
    recording : Recording
    config : Config
    out : Path
        Absolute, and the same on all machines.
    run : str
        The run it belongs to.
    limits : Limits
    isolated : bool
        Whether the process may be lost; otherwise only the time is limited, and only from frame to frame.
    reuse : Reuse, optional
        Where something of the recording is stored already.
    """

    recording: Recording
    config: Config
    out: Path
    run: str
    limits: Limits
    isolated: bool = True
    reuse: Reuse | None = None


def do(task: Task) -> Outcome:
    """Build a recording, unless it is done already or was the death of two workers.

    A scheduler that loses a worker gives its tasks to another one, even those whose result was only not yet fetched: so a task
    can be done twice without harm.

    Raises
    ------
    StmapError
        For what is wrong with the whole run.
    """
    work, one = Work(task.out), task.recording
    work.check_run(task.run)
    kept = work.outcome(one.recording_id)
    if kept is not None:
        return kept
    earlier = work.mark(one.recording_id)
    if earlier.timed_out or earlier.deaths >= MAX_DEATHS:
        return _blame(task, work, earlier)
    if task.reuse is None:
        # once per process, and no part of any recording's time and memory
        load_backend(task.config.faces.backend)
    with work.marked(one.recording_id) as mark, guarded(task.limits, mark) if task.isolated else contextlib.nullcontext():
        return process_recording(one, task.config, work, task.run, task.limits, task.reuse)


def _blame(task: Task, work: Work, mark: Mark) -> Outcome:
    """Make the outcome of a recording that ended its workers."""
    one = task.recording
    if mark.timed_out:
        reason, message = "timed_out", timeout_message(task.limits.time_s)
    else:
        fault = _FAULT.search(mark.report)
        cause = fault[1].strip().lower() if fault else "killed, as the system does when memory runs out"
        reason, message = "worker_died", f"the worker process died {MAX_DEATHS} times ({cause})"
    if mark.report:
        work.log(one.recording_id, mark.report)
        message += f"; see logs/{one.recording_id}.txt"
    outcome = Outcome(one.recording_id, one.subject, "failed", "run", reason, f"{one.recording_id}: {message}")
    work.keep_outcome(outcome)
    work.unmark(one.recording_id)
    return outcome


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


def do_on_cluster(task: Task) -> Outcome:
    """Do a task on a Dask worker."""
    check_worker_threads()
    return do(task)
