"""The task of a worker for most of the time: one recording, its limits, and whose run it belongs to."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.config import Config
from stmap_pipeline.errors import WorkerError
from stmap_pipeline.parallel import MAX_DEATHS
from stmap_pipeline.pipeline.limits import Limits, guarded, timeout_message
from stmap_pipeline.pipeline.process import load_backend, process_recording
from stmap_pipeline.pipeline.reuse import Reuse
from stmap_pipeline.pipeline.work import Mark, Work
from stmap_pipeline.records import Outcome, Recording

_FAULT = re.compile(r"Fatal Python error: (.+)")


@dataclass(frozen=True, slots=True)
class RecordingTask:
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

    @property
    def name(self) -> str:
        """The recording's."""
        return self.recording.recording_id

    @property
    def hard_time_s(self) -> float:
        """As its limits say."""
        return self.limits.hard_time_s

    def do(self) -> Outcome:
        """Build a recording, unless it is done already or was the death of two workers.

        A scheduler that loses a worker gives its tasks to another one, even those whose result was only not yet fetched: so a task
        can be done twice without harm.

        Raises
        ------
        StmapError
            For what is wrong with the whole run.
        """
        work = Work(self.out)
        work.check_run(self.run)
        kept = work.outcome(self.name)
        if kept is not None:
            return kept
        earlier = work.mark(self.name)
        if earlier.timed_out or earlier.deaths >= MAX_DEATHS:
            return _blame(self, work, earlier)
        if self.reuse is None:
            # once per process, and no part of any recording's time and memory
            load_backend(self.config.faces.backend)
        with work.marked(self.name) as mark, guarded(self.limits, mark) if self.isolated else contextlib.nullcontext():
            return process_recording(self.recording, self.config, work, self.run, self.limits, self.reuse)

    def lost(self, times: int, hung: bool) -> None:
        """Note a hang in its mark, as the process could not do so itself; its own deaths are in the mark already.

        Raises
        ------
        WorkerError
            Where workers die before they leave a mark, so that the recording is not the cause.
        """
        work = Work(self.out)
        if hung:
            work.note_timeout(self.name, f"{self.hard_time_s:g} s, killed by the main process")
        if times > work.mark(self.name).deaths + MAX_DEATHS:
            raise WorkerError(
                f"worker processes die before they begin, last with {self.name}; is there memory for them, and does `stmap demo` work?"
            )


def _blame(task: RecordingTask, work: Work, mark: Mark) -> Outcome:
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
