"""Recordings over processes with joblib. A worker that dies costs the recordings it held, which are then tried one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from joblib.externals.loky.process_executor import TerminatedWorkerError

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.process import process_recording, use_one_thread
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.processes import unordered
from stmap_pipeline.records import Outcome, Recording


def run_parallel(recordings: Sequence[Recording], config: Config, out: Path, jobs: int) -> Iterator[Outcome]:
    """Build recordings in ``jobs`` processes and yield their outcomes as they come."""
    if jobs == 1:
        for recording in recordings:
            yield _task(recording, config, out)
        return
    pending = {one.recording_id: one for one in recordings}
    while pending:
        try:
            for outcome in _pool(list(pending.values()), config, out, jobs):
                del pending[outcome.recording_id]
                yield outcome
        except TerminatedWorkerError:
            # joblib drops every later result with the pool; what was in flight is known by its marks
            suspects = [pending[name] for name in Work(out).in_flight() if name in pending]
            for recording in suspects or list(pending.values())[:jobs]:
                yield _alone(recording, config, out)
                del pending[recording.recording_id]


def _pool(recordings: Sequence[Recording], config: Config, out: Path, jobs: int) -> Iterator[Outcome]:
    return unordered(partial(_task, config=config, out=out), recordings, jobs)


def _alone(recording: Recording, config: Config, out: Path) -> Outcome:
    try:
        # two workers make joblib start processes at all; only one has work
        return next(iter(_pool([recording], config, out, 2)))
    except TerminatedWorkerError:
        outcome = Outcome(
            recording.recording_id,
            recording.subject,
            "failed",
            "run",
            "worker_died",
            f"{recording.recording_id}: the worker process died (segmentation fault or out of memory)",
        )
        Work(out).keep_outcome(outcome)
        return outcome


def _task(recording: Recording, config: Config, out: Path) -> Outcome:
    use_one_thread()
    with Work(out).marked(recording.recording_id):
        return process_recording(recording, config, out)
