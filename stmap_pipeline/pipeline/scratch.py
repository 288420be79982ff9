"""State of an unfinished run under ``work/``: an outcome for each recording that it decoded. Safe to delete.

``run.json`` names the run that owns the folder, so that a worker of an earlier run stops writing. ``running/`` holds a mark for
each recording in progress. A mark stays where its process dies: it counts these processes and, after a crash or a hang, has the
traceback.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from stmap_pipeline.errors import OutputError, WorkerError
from stmap_pipeline.files import atomic_write_text, read_bytes, remove_temporaries
from stmap_pipeline.pipeline.limits import TIMEOUT_MARK
from stmap_pipeline.records import Outcome, file_name

#: Traces of recordings that failed because of a label file or a limit: kept, as decoding takes long.
SET_ASIDE = "set-aside"
FOLDERS = ("work", "shards", "logs", SET_ASIDE)
_START = b"start of work by "
_MAX_MARK_BYTES = 100_000
_MAX_JSON_BYTES = 2**26
_MAX_NUMBER = 1e18


@dataclass(frozen=True, slots=True)
class Mark:
    """Earlier attempts at a recording in the same run, as its mark has them.

    Parameters
    ----------
    deaths : int
        Attempts that ended with their process.
    report : str
        What the last of them wrote when it crashed; empty where it was killed.
    """

    deaths: int = 0
    report: str = ""

    @property
    def timed_out(self) -> bool:
        """Whether the watchdog ended it."""
        return TIMEOUT_MARK in self.report


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run notes of its plan when it starts, for :func:`stmap_pipeline.pipeline.status.read_status`.

    Parameters
    ----------
    run : str
        Name of the run.
    database : str
    listed : int
        Recordings that were asked for.
    stored : tuple of str
        Ids of recordings with stored traces, whether asked for or not.
    settled : mapping of str to (str, str)
        Status and reason of those that the plan settled, by their ids.
    todo : tuple of str
        Ids of those to decode.
    """

    run: str = ""
    database: str = ""
    listed: int = 0
    stored: tuple[str, ...] = ()
    settled: dict[str, tuple[str, str]] = field(default_factory=dict)
    todo: tuple[str, ...] = ()


_RUN_INFO = TypeAdapter(RunInfo)


class Scratch:
    """The work folder of an output.

    Parameters
    ----------
    out : Path
        The output folder.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / "work"
        self._outcomes, self._logs = self.folder / "outcomes", out / "logs"
        self._running = self.folder / "running"
        self._run = self.folder / "run.json"

    def begin(self, info: RunInfo) -> str:
        """Start a new run in the folder, remove what a killed one left half written, and return the name of the run.

        Parameters
        ----------
        info : RunInfo
            Without a name, which it gets here.

        Raises
        ------
        OutputError
            Where a folder of the output is a link: what lies behind it is not ours to clear.
        """
        for name in FOLDERS:
            if (self.out / name).is_symlink():
                raise OutputError(f"{self.out / name}: is a link; an output's own folders must lie in it")
        name = secrets.token_hex(8)
        # before anything is cleared, so that workers of a killed run stop first
        atomic_write_text(self._run, json.dumps(asdict(replace(info, run=name))))
        shutil.rmtree(self._running, ignore_errors=True)
        remove_temporaries(self.out)
        for folder in (self._outcomes, self._running):
            folder.mkdir(parents=True, exist_ok=True)
        return name

    def check_run(self, run: str) -> None:
        """Raise an error where the folder belongs to another run.

        Raises
        ------
        WorkerError
            Where the run is over, or its folder is not seen from here.
        """
        found = self.run().run
        if found != run:
            what = (
                "was taken over by another run" if found else "is not there: is the output on a file system that all workers share?"
            )
            raise WorkerError(f"{self.folder}: {what} (on {socket.gethostname()})")

    def run(self) -> RunInfo:
        """Return what the last run wrote about itself; empty where there is none that can be read."""
        try:
            return _RUN_INFO.validate_json(read_bytes(self._run, _MAX_JSON_BYTES))
        except (OSError, ValueError):
            return RunInfo()

    @contextmanager
    def marked(self, recording_id: str) -> Iterator[BinaryIO]:
        """Leave a mark while a recording is in progress, and yield it open, for a last report."""
        path = self._running / file_name(recording_id)
        with path.open("ab", buffering=0) as mark:
            mark.write(_START + f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            yield mark
        path.unlink(missing_ok=True)

    def mark(self, recording_id: str) -> Mark:
        """Read the mark of a recording; the attempt that is under way counts as well."""
        try:
            with (self._running / file_name(recording_id)).open("rb") as file:
                text = file.read(_MAX_MARK_BYTES)
        except OSError:
            return Mark()
        last = text.rpartition(_START)[2].partition(b"\n")[2]
        return Mark(text.count(_START), last.decode("utf-8", "replace").strip())

    def unmark(self, recording_id: str) -> None:
        """Remove the mark of a recording that is given up."""
        (self._running / file_name(recording_id)).unlink(missing_ok=True)

    def note_timeout(self, recording_id: str, text: str) -> None:
        """Note a timeout in the mark of a recording whose process could not do so itself."""
        with (self._running / file_name(recording_id)).open("ab") as mark:
            mark.write(f"{TIMEOUT_MARK}{text})\n".encode())

    def in_progress(self) -> list[str]:
        """List the recordings with a mark, by the names of their files."""
        try:
            return sorted(mark.name for mark in self._running.iterdir())
        except OSError:
            return []

    def keep_outcome(self, outcome: Outcome) -> None:
        """Write an outcome."""
        atomic_write_text(self._outcome(outcome.recording_id), json.dumps(asdict(outcome), sort_keys=True))

    def log(self, recording_id: str, text: str) -> str:
        """Write a traceback for a person to read, and return the name of the file below the output."""
        name = f"{file_name(recording_id)}.txt"
        atomic_write_text(self._logs / name, text.rstrip() + "\n")
        return f"logs/{name}"

    def outcome(self, recording_id: str) -> Outcome | None:
        """Read the outcome of a recording; None where there is none, or none that can be read."""
        found = self._read(self._outcome(recording_id))
        return found if found is not None and found.recording_id == recording_id else None

    def outcomes(self) -> dict[str, Outcome]:
        """Read the outcomes of this and earlier unfinished runs, by the id of the recording."""
        found = [one for path in sorted(self._outcomes.glob("[!.]*.json")) if (one := self._read(path)) is not None]
        return {one.recording_id: one for one in found}

    def _read(self, path: Path) -> Outcome | None:
        try:
            found = Outcome(**json.loads(read_bytes(path, _MAX_JSON_BYTES)))
            texts = (found.stage, found.message, found.video_stamp, found.attempt)
            numbers = (found.frames, *found.timings.values())
            sane = all(isinstance(one, str) for one in texts) and all(0 <= one < _MAX_NUMBER for one in numbers)
            return found if sane else None
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return None

    def forget(self, recording_id: str) -> None:
        """Drop the outcome of a recording, so that it is tried again."""
        self._outcome(recording_id).unlink(missing_ok=True)
        (self._logs / f"{file_name(recording_id)}.txt").unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder after the output is complete."""
        # the name first: a worker that still runs must find no folder to write to
        self._run.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self._logs, self.out / SET_ASIDE):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _outcome(self, recording_id: str) -> Path:
        return self._outcomes / f"{file_name(recording_id)}.json"
