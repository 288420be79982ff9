"""What an unfinished run keeps under ``work/``: a part and an outcome for each recording that is done. Safe to delete.

``run.json`` names the run that owns the folder, so that a worker whose run is over writes nothing any more. ``running/`` holds a
mark for each recording in work; it stays where the process dies, and says how often that happened and, after a crash or a
hang, where.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stmap_pipeline.errors import OutputError, ShardError, StmapError, WorkerError
from stmap_pipeline.pipeline.limits import TIMEOUT_MARK
from stmap_pipeline.records import Outcome, RecordingResult
from stmap_pipeline.shards import atomic_write_text, read_part, recording_ids, remove_temporaries, write_shard

FOLDERS = ("work", "shards", "logs")
_START = b"start of work by "
_MAX_MARK_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What the mark of a recording tells of earlier attempts in the same run.

    Parameters
    ----------
    deaths : int
        Attempts that ended with their process.
    report : str
        What the last of them wrote in dying; empty where it was killed from outside.
    """

    deaths: int = 0
    report: str = ""

    @property
    def timed_out(self) -> bool:
        """Whether the watchdog ended it."""
        return TIMEOUT_MARK in self.report


class Work:
    """The work folder of an output.

    Parameters
    ----------
    out : Path
        The output folder.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / "work"
        self._parts, self._outcomes, self._logs = self.folder / "parts", self.folder / "outcomes", out / "logs"
        self._running = self.folder / "running"
        self._run = self.folder / "run.json"

    def begin(self, told: Mapping[str, Any]) -> str:
        """Take the folder over for a new run, clear what a killed one left half written, and give the run's name.

        Parameters
        ----------
        told : mapping
            What :func:`stmap_pipeline.pipeline.status.read_status` needs to know of the plan; what JSON can hold.

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
        atomic_write_text(self._run, json.dumps({**told, "run": name}))
        shutil.rmtree(self._running, ignore_errors=True)
        remove_temporaries(self.out)
        for folder in (self._parts, self._outcomes, self._running):
            folder.mkdir(parents=True, exist_ok=True)
        return name

    def check_run(self, run: str) -> None:
        """Refuse to go on where the folder belongs to another run.

        Raises
        ------
        WorkerError
            Where the run is over, or its folder is not seen from here.
        """
        found = self.run().get("run")
        if found != run:
            what = (
                "was taken over by another run" if found else "is not there: is the output on a file system that all workers share?"
            )
            raise WorkerError(f"{self.folder}: {what} (on {socket.gethostname()})")

    def run(self) -> dict[str, Any]:
        """Give what the last run said of itself; empty where there is none."""
        try:
            told = json.loads(self._run.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}

    @contextmanager
    def marked(self, recording_id: str) -> Iterator[BinaryIO]:
        """Leave a mark while a recording is in work, and give it open, for a last report."""
        path = self._running / recording_id
        with path.open("ab", buffering=0) as mark:
            mark.write(_START + f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            yield mark
        path.unlink(missing_ok=True)

    def mark(self, recording_id: str) -> Mark:
        """Read the mark of a recording; the attempt that is under way counts as well."""
        try:
            with (self._running / recording_id).open("rb") as file:
                text = file.read(_MAX_MARK_BYTES)
        except OSError:
            return Mark()
        last = text.rpartition(_START)[2].partition(b"\n")[2]
        return Mark(text.count(_START), last.decode("utf-8", "replace").strip())

    def unmark(self, recording_id: str) -> None:
        """Remove the mark of a recording that is given up."""
        (self._running / recording_id).unlink(missing_ok=True)

    def note_timeout(self, recording_id: str, text: str) -> None:
        """Note a timeout in the mark of a recording whose process could not do so itself."""
        with (self._running / recording_id).open("ab") as mark:
            mark.write(f"{TIMEOUT_MARK}{text})\n".encode())

    def in_work(self) -> list[str]:
        """Give the recordings with a mark."""
        try:
            return sorted(mark.name for mark in self._running.iterdir())
        except OSError:
            return []

    def part(self, recording_id: str) -> Path:
        """Path of a recording's part."""
        return self._parts / f"{recording_id}.h5"

    def keep_part(self, result: RecordingResult) -> int:
        """Write a part and give its size in bytes."""
        path = self.part(result.recording.recording_id)
        write_shard(path, [result])
        return path.stat().st_size

    def read_part(self, recording_id: str, subject: str) -> RecordingResult:
        """Read a part.

        Raises
        ------
        ShardError
            Where it is damaged, or of another recording than its name says.
        """
        found = read_part(self.part(recording_id))
        if (found.recording.recording_id, found.recording.subject) != (recording_id, subject):
            raise ShardError(f"{self.part(recording_id)}: holds {found.recording.recording_id} of {found.recording.subject}")
        return found

    def keep_outcome(self, outcome: Outcome) -> None:
        """Write an outcome; with it the recording is done, so it comes after the part."""
        atomic_write_text(self._outcome(outcome.recording_id), json.dumps(asdict(outcome), sort_keys=True))

    def log(self, recording_id: str, text: str) -> None:
        """Keep a traceback for a person to read."""
        atomic_write_text(self._logs / f"{recording_id}.txt", text.rstrip() + "\n")

    def outcome(self, recording_id: str) -> Outcome | None:
        """Give the outcome of a recording that is done in full; what cannot be read is to be done again."""
        try:
            told = json.loads(self._outcome(recording_id).read_bytes())
            outcome = Outcome(**told)
            if outcome.recording_id != recording_id:
                return None
            if outcome.status == "ok" and recording_ids(self.part(recording_id)) != [recording_id]:
                return None
        except (OSError, ValueError, TypeError, RecursionError, StmapError):
            return None
        return outcome

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes of this and earlier unfinished runs."""
        for path in sorted(self._outcomes.glob("[!.]*.json")) if self._outcomes.is_dir() else ():
            outcome = self.outcome(path.name.removesuffix(".json"))
            if outcome is not None:
                yield outcome

    def forget(self, recording_id: str) -> None:
        """Drop what is kept of a recording, so that it is done again."""
        self._outcome(recording_id).unlink(missing_ok=True)
        self.part(recording_id).unlink(missing_ok=True)
        (self._logs / f"{recording_id}.txt").unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder after the output is complete."""
        # the name first: a worker that still runs must find no folder to write to
        self._run.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._logs.is_dir() and not any(self._logs.iterdir()):
            self._logs.rmdir()

    def _outcome(self, recording_id: str) -> Path:
        return self._outcomes / f"{recording_id}.json"
