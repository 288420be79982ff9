"""Read the files of the recordings of a build. No file stays open between two calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.records import HeartRateTrace, RecordingResult
from stmap_pipeline.shards.hdf5 import attribute, checked_dataset, guarded, open_file, read_all
from stmap_pipeline.shards.manifest import Manifest, unsafe_path
from stmap_pipeline.shards.recording_file import DATASETS, DIM_SIZES, check_schema, read_recording, recording_path, restore_coverage


class PlanData(NamedTuple):
    """Times of the frames (T,), coverage of the blocks (T, N) where it was read, and heart rate where there is one."""

    times_s: npt.NDArray[np.float64]
    coverage: npt.NDArray[np.float32] | None
    heart_rate: HeartRateTrace | None


class RecordingFiles:
    """The files of the recordings of a build, each checked against the manifest before it is opened.

    Parameters
    ----------
    root : Path
    manifest : Manifest
        Only files that it lists, with the size that it lists, are opened.
    """

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self._root = root
        self._bytes = {entry.path: entry.bytes for entry in manifest.files}

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

    def means(self, recording_id: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Read the times (T,) and means (T, N, 3) of a recording, guarded by the file's own checksums.

        Raises
        ------
        ShardError
            As :meth:`recording`.
        """
        with self._opened(recording_id) as file:
            blocks = int(attribute(file, "grid_rows", "int")) * int(attribute(file, "grid_cols", "int"))
            sizes = {**DIM_SIZES, "block": blocks}
            times_s, means = (checked_dataset(file, spec, sizes) for spec in DATASETS if spec.name in ("times_s", "means"))
            return np.asarray(times_s[...]), np.asarray(means[...], dtype=np.float32)

    def plan_data(self, recording_id: str, *, coverage: bool) -> PlanData:
        """Read what an augmentation is planned with, and nothing else.

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
        wanted = ["times_s", "heart_rate_times_s", "heart_rate_bpm", *(["coverage"] if coverage else [])]
        with self._opened(recording_id) as file:
            sizes = dict(DIM_SIZES)
            found = {
                spec.name: read_all(checked_dataset(file, spec, sizes))
                for spec in DATASETS
                if spec.name in wanted and (not spec.optional or file.id.links.exists(spec.name.encode()))
            }
            rates = None
            if "heart_rate_bpm" in found:
                rates = HeartRateTrace(found["heart_rate_times_s"], found["heart_rate_bpm"])
            return PlanData(found["times_s"], restore_coverage(found["coverage"]) if coverage else None, rates)

    @contextmanager
    def _opened(self, recording_id: str) -> Iterator[Any]:
        path = self._checked_path(recording_id)
        with guarded(path), open_file(path) as file:
            check_schema(path, file)
            if attribute(file, "recording_id", "str") != recording_id:
                raise ShardError(f"{path}: holds another recording")
            yield file

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
