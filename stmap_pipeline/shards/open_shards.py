"""Open files of a build: opened late, few at a time, and never shared between processes."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.records import HeartRateTrace, RecordingResult
from stmap_pipeline.shards.hdf5 import attribute, checked_dataset, guarded, open_file, read_all
from stmap_pipeline.shards.manifest import Manifest, unsafe_path
from stmap_pipeline.shards.recording_file import DATASETS, DIM_SIZES, check_schema, read_recording, recording_path, restore_coverage

# a system may allow no more than 256 open files in a process
_MAX_OPEN = 64


@dataclass(frozen=True, slots=True)
class Series:
    """Times of a recording, and its block means still on disk."""

    path: Path
    times_s: npt.NDArray[np.float64]
    dataset: Any

    def means(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Read the means of some frames.

        Raises
        ------
        ShardError
            Where the samples do not match the file's own checksums.
        """
        with guarded(self.path):
            return np.asarray(self.dataset[start:stop], dtype=np.float32)


class Facts(NamedTuple):
    """Times of the frames (T,), coverage of the blocks (T, N) where it was read, and heart rate where there is one."""

    times_s: npt.NDArray[np.float64]
    coverage: npt.NDArray[np.float32] | None
    heart_rate: HeartRateTrace | None


_FACTS = [one for one in DATASETS if one.name in ("times_s", "coverage", "heart_rate_times_s", "heart_rate_bpm")]
_FACTS_BUT_COVERAGE = [one for one in _FACTS if one.name != "coverage"]


@dataclass(slots=True)
class _OpenFile:
    path: Path
    file: Any
    series: Series | None = None


class OpenShards:
    """The open files of one process.

    Parameters
    ----------
    root : Path
    manifest : Manifest
        Only files that it lists, with the size that it lists, are opened.
    """

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self._root = root
        self._bytes = {entry.path: entry.bytes for entry in manifest.files}
        self._pid = os.getpid()
        self._open: OrderedDict[str, _OpenFile] = OrderedDict()

    def recording(self, recording_id: str) -> RecordingResult:
        """Read a whole recording and compare it with its checksum.

        Raises
        ------
        ShardError
            Where its file is missing or damaged, or holds another recording.
        """
        path = self._checked_path(recording_id)
        result = read_recording(path)
        if result.recording.recording_id != recording_id:
            raise ShardError(f"{path}: holds the recording {result.recording.recording_id!r}")
        return result

    def series(self, recording_id: str) -> Series:
        """Return the series of a recording, checked against the schema but not yet read.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        opened = self._file(recording_id)
        if opened.series is None:
            opened.series = _series(opened)
        return opened.series

    def means(self, recording_id: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Read the times and means of a whole recording, of which nothing stays in memory here.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        # an open dataset keeps what was read of it: a database read from end to end would lie in memory twice
        series = _series(self._file(recording_id))
        return series.times_s, series.means(0, len(series.times_s))

    def facts(self, recording_id: str, *, coverage: bool = True) -> Facts:
        """Read what a plan needs of a recording, and nothing else.

        Parameters
        ----------
        recording_id : str
        coverage : bool
            Whether to read that, too; it is the largest part.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        opened = self._file(recording_id)
        with guarded(opened.path):
            sizes = dict(DIM_SIZES)
            found = {
                spec.name: read_all(checked_dataset(opened.file, spec, sizes))
                for spec in (_FACTS if coverage else _FACTS_BUT_COVERAGE)
                if not spec.optional or opened.file.id.links.exists(spec.name.encode())
            }
            rates = None
            if "heart_rate_bpm" in found:
                rates = HeartRateTrace(found["heart_rate_times_s"], found["heart_rate_bpm"])
            return Facts(found["times_s"], restore_coverage(found["coverage"]) if coverage else None, rates)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].file.close()

    def _file(self, recording_id: str) -> _OpenFile:
        if self._pid != os.getpid():
            # a forked child must not read through files that its parent uses, too
            self.close()
            self._pid = os.getpid()
        if recording_id not in self._open:
            while len(self._open) >= _MAX_OPEN:
                self._open.popitem(last=False)[1].file.close()
            self._open[recording_id] = self._opened(recording_id)
        self._open.move_to_end(recording_id)
        return self._open[recording_id]

    def _opened(self, recording_id: str) -> _OpenFile:
        path = self._checked_path(recording_id)
        with guarded(path):
            file = open_file(path)
            try:
                check_schema(path, file)
                if attribute(file, "recording_id", "str") != recording_id:
                    raise ShardError(f"{path}: holds another recording")
            except BaseException:
                file.close()
                raise
        return _OpenFile(path, file)

    def _checked_path(self, recording_id: str) -> Path:
        path = recording_path(self._root, recording_id)
        name = path.relative_to(self._root).as_posix()
        if name not in self._bytes:
            raise ShardError(f"{path}: is not in the manifest; build again or restore a copy")
        if problem := unsafe_path(self._root, name):
            raise ShardError(f"{path}: {problem}")
        with guarded(path):
            if (size := path.stat().st_size) != self._bytes[name]:
                raise ShardError(f"{path}: has {size} bytes, not {self._bytes[name]}; build again or restore a copy")
        return path


def _series(opened: _OpenFile) -> Series:
    with guarded(opened.path):
        blocks = int(attribute(opened.file, "grid_rows", "int")) * int(attribute(opened.file, "grid_cols", "int"))
        sizes = {**DIM_SIZES, "block": blocks}
        times_s, means = (checked_dataset(opened.file, spec, sizes) for spec in DATASETS if spec.name in ("times_s", "means"))
        return Series(opened.path, np.asarray(times_s[...]), means)
