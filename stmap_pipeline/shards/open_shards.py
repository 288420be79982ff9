"""Open shards of a build: opened late, few at a time, and never shared between processes."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.records import HeartRateTrace, RecordingResult
from stmap_pipeline.shards.hdf5 import attribute, checked_dataset, child, guarded, open_file, read_all
from stmap_pipeline.shards.manifest import Manifest
from stmap_pipeline.shards.quantize import restore_coverage
from stmap_pipeline.shards.recording_io import read_recording
from stmap_pipeline.shards.schema import DATASETS, DIM_SIZES
from stmap_pipeline.shards.shard import check_schema

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
class _OpenShard:
    path: Path
    file: Any
    series: dict[str, Series] = field(default_factory=dict)


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
        self._open: OrderedDict[str, _OpenShard] = OrderedDict()

    def recording(self, subject: str, recording_id: str) -> RecordingResult:
        """Read a whole recording and compare it with its checksum.

        Raises
        ------
        ShardError
            Where the shard is missing, damaged, or lacks the recording.
        """
        shard = self._shard(subject)
        with guarded(shard.path):
            return read_recording(child(shard.file, recording_id, h5py.Group))

    def series(self, subject: str, recording_id: str) -> Series:
        """Give the series of a recording, checked against the schema but not yet read.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        shard = self._shard(subject)
        if recording_id not in shard.series:
            shard.series[recording_id] = _series(shard, recording_id)
        return shard.series[recording_id]

    def means(self, subject: str, recording_id: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Read the times and means of a whole recording, of which nothing stays in memory here.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        # an open dataset keeps what was read of it: a database read from end to end would lie in memory twice
        series = _series(self._shard(subject), recording_id)
        return series.times_s, series.means(0, len(series.times_s))

    def facts(self, subject: str, recording_id: str, *, coverage: bool = True) -> Facts:
        """Read what a plan needs of a recording, and nothing else.

        Parameters
        ----------
        subject, recording_id : str
        coverage : bool
            Whether to read that, too; it is the largest part.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        shard = self._shard(subject)
        with guarded(shard.path):
            group = child(shard.file, recording_id, h5py.Group)
            sizes = dict(DIM_SIZES)
            found = {
                spec.name: read_all(checked_dataset(group, spec, sizes))
                for spec in (_FACTS if coverage else _FACTS_BUT_COVERAGE)
                if not spec.optional or group.id.links.exists(spec.name.encode())
            }
            rates = None
            if "heart_rate_bpm" in found:
                rates = HeartRateTrace(found["heart_rate_times_s"], found["heart_rate_bpm"])
            return Facts(found["times_s"], restore_coverage(found["coverage"]) if coverage else None, rates)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].file.close()

    def _shard(self, subject: str) -> _OpenShard:
        if self._pid != os.getpid():
            # a forked child must not read through files that its parent uses, too
            self.close()
            self._pid = os.getpid()
        if subject not in self._open:
            while len(self._open) >= _MAX_OPEN:
                self._open.popitem(last=False)[1].file.close()
            self._open[subject] = self._opened(subject)
        self._open.move_to_end(subject)
        return self._open[subject]

    def _opened(self, subject: str) -> _OpenShard:
        name = f"shards/{subject}.h5"
        path = self._root / name
        if name not in self._bytes or Path(subject).name != subject:
            raise ShardError(f"{path}: is not in the manifest; build again or restore a copy")
        with guarded(path):
            size = path.stat().st_size
            if size != self._bytes[name]:
                raise ShardError(f"{path}: has {size} bytes, not {self._bytes[name]}; build again or restore a copy")
            file = open_file(path)
            try:
                check_schema(path, file)
            except BaseException:
                file.close()
                raise
        return _OpenShard(path, file)


def _series(shard: _OpenShard, recording_id: str) -> Series:
    with guarded(shard.path):
        group = child(shard.file, recording_id, h5py.Group)
        blocks = int(attribute(group, "grid_rows", "int")) * int(attribute(group, "grid_cols", "int"))
        sizes = {**DIM_SIZES, "block": blocks}
        times_s, means = (checked_dataset(group, spec, sizes) for spec in DATASETS if spec.name in ("times_s", "means"))
        return Series(shard.path, np.asarray(times_s[...]), means)
