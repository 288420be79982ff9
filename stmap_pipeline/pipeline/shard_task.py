"""One subject's shard and the rows of the tables that are made of it; what a worker does once the recordings are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, ShardError, WorkerError
from stmap_pipeline.maps import cut_windows
from stmap_pipeline.parallel import MAX_DEATHS
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import RecordingResult
from stmap_pipeline.shards import read_shard, recording_ids, recording_row, window_row, write_shard

Row = dict[str, Any]
Rows = tuple[Row, list[Row]]
"""The row of a recording, and the rows of its windows."""

# reading and writing some megabytes; a file server may be slow, but not for hours
_HARD_TIME_S = 3600.0


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to bring up to date.

    Parameters
    ----------
    subject : str
    ids : tuple of str
        The recordings that it is to hold, in order.
    config : Config
    out : Path
        Absolute, and the same on all machines.
    run : str
        The run it belongs to; empty where there is none, as shards are whole already.
    """

    subject: str
    ids: tuple[str, ...]
    config: Config
    out: Path
    run: str

    @property
    def name(self) -> str:
        """Of its file."""
        return self.path.name

    @property
    def path(self) -> Path:
        """Of the shard."""
        return self.out / "shards" / f"{self.subject}.h5"

    @property
    def hard_time_s(self) -> float:
        """An hour."""
        return _HARD_TIME_S

    def do(self) -> list[Rows]:
        """Write the shard anew where it gained, lost or changed a recording, and give its rows.

        Rows are made of what is stored, which is quantized, and never of what was measured a moment ago.

        Raises
        ------
        StmapError
            Where a part or the shard is damaged, a recording is missing, or the system refuses to write.
        """
        work = Work(self.out)
        if self.run:
            work.check_run(self.run)
        rows: list[Rows] = []
        if not self._update(work, lambda result: rows.append(_rows_of(result, self.config))):
            rows.extend(rows_of_shard(self.path, self.config))
        return rows

    def lost(self, times: int, hung: bool) -> None:  # noqa: ARG002
        """Give up after the second loss of a worker."""
        if times > MAX_DEATHS:
            raise WorkerError(f"worker processes die while they write {self.name}; is there memory for them?")

    def _update(self, work: Work, keep: Callable[[RecordingResult], object]) -> bool:
        parts = {name for name in self.ids if work.part(name).is_file()}
        again = "remove that file, and the same command builds its recordings again"
        try:
            if not parts and tuple(recording_ids(self.path)) == self.ids:
                return False
            stored = {} if parts.issuperset(self.ids) else {one.recording.recording_id: one for one in read_shard(self.path)}
        except ShardError as error:
            raise OutputError(f"{error}; {again}") from None
        if missing := set(self.ids) - parts - stored.keys():
            raise OutputError(f"{self.path}: lacks {sorted(missing)[0]}; {again}")
        write_shard(self.path, (self._part(work, name) if name in parts else stored[name] for name in self.ids), keep)
        return True

    def _part(self, work: Work, name: str) -> RecordingResult:
        try:
            return work.read_part(name, self.subject)
        except ShardError as error:
            # the disk did this: the next run builds the recording again
            work.forget(name)
            raise OutputError(f"{error}; check the disk, and run the same command again") from None


def rows_of_shard(path: Path, config: Config) -> Iterator[Rows]:
    """Give the row of each recording of a shard, and the rows of its windows.

    Raises
    ------
    ShardError
        Where the shard is damaged.
    """
    for result in read_shard(path):
        yield _rows_of(result, config)


def _rows_of(result: RecordingResult, config: Config) -> Rows:
    subject = result.recording.subject
    return recording_row(result), [window_row(one, subject) for one in cut_windows(result, config.windows)]
