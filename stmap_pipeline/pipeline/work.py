"""What an unfinished run keeps under ``work/``: a part and an outcome for each recording that is done. Safe to delete."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from stmap_pipeline.records import Outcome, RecordingResult
from stmap_pipeline.shards import atomic_write_text, write_part


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

    def prepare(self) -> None:
        """Make the folders and clear what a killed process left half written."""
        shutil.rmtree(self._running, ignore_errors=True)
        for folder in (self._parts, self._outcomes, self._running):
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob(".*"):
                leftover.unlink(missing_ok=True)

    @contextmanager
    def marked(self, recording_id: str) -> Iterator[None]:
        """Leave a mark while a recording is in work: it stays where the process dies."""
        mark = self._running / recording_id
        mark.touch()
        yield
        mark.unlink(missing_ok=True)

    def in_flight(self) -> list[str]:
        """Give the recordings that were in work when their process died, and clear the marks."""
        names = sorted(mark.name for mark in self._running.iterdir()) if self._running.is_dir() else []
        for name in names:
            (self._running / name).unlink(missing_ok=True)
        return names

    def part(self, recording_id: str) -> Path:
        """Path of a recording's part."""
        return self._parts / f"{recording_id}.h5"

    def keep_part(self, result: RecordingResult) -> None:
        """Write a part."""
        write_part(self.part(result.recording.recording_id), result)

    def keep_outcome(self, outcome: Outcome) -> None:
        """Write an outcome; with it the recording is done, so it comes after the part."""
        atomic_write_text(self._outcomes / f"{outcome.recording_id}.json", json.dumps(asdict(outcome), sort_keys=True))

    def log(self, recording_id: str, text: str) -> None:
        """Keep a traceback for a person to read."""
        self._logs.mkdir(parents=True, exist_ok=True)
        atomic_write_text(self._logs / f"{recording_id}.txt", text)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes of this and earlier unfinished runs; what cannot be read is done again."""
        for path in sorted(self._outcomes.glob("*.json")) if self._outcomes.is_dir() else ():
            try:
                outcome = Outcome(**json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                continue
            if outcome.status != "ok" or self.part(outcome.recording_id).is_file():
                yield outcome

    def forget(self, recording_id: str) -> None:
        """Drop what is kept of a recording, so that it is done again."""
        (self._outcomes / f"{recording_id}.json").unlink(missing_ok=True)
        self.part(recording_id).unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder after the output is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)
