"""Parts (one recording) and shards (one subject): the same file format, written whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py

from stmap_pipeline.errors import ShardError
from stmap_pipeline.files import atomic_path
from stmap_pipeline.records import RecordingResult
from stmap_pipeline.shards.hdf5 import attribute, child, create_file, guarded, open_file, write_attributes
from stmap_pipeline.shards.recording_io import read_recording, write_recording
from stmap_pipeline.shards.schema import CHECKSUM, FORMAT, SCHEMA_VERSION


def write_shard(
    path: Path, results: Iterable[RecordingResult], read_back: Callable[[RecordingResult], object] | None = None
) -> list[str]:
    """Write the recordings of one subject into one file, one at a time, in the order of their ids.

    The file is written under another name, re-opened and compared with what was meant, and renamed. The same
    recordings give the same bytes, whatever process wrote them and when (with the same HDF5 and zlib).

    Parameters
    ----------
    path : Path
    results : iterable of RecordingResult
        A sequence is sorted here; an iterator must come in the order of the ids, as it is never held as a whole.
        For parts on disk see :func:`merge_parts`.
    read_back : callable, optional
        Called with each recording as it was stored, which is quantized, before the file has its name.

    Returns
    -------
    list of str
        The ids written.

    Raises
    ------
    ValueError
        Where two recordings share an id, belong to different subjects, or an iterator is not in order.
    OutputError
        Where the system refuses to write.
    ShardError
        Where the written file does not read back as what was meant.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_shard(Path(folder) / "p001.h5", [example_result("p001_v2"), example_result("p001_v1")])
    ['p001_v1', 'p001_v2']
    """
    if isinstance(results, Sequence):
        results = sorted(results, key=lambda one: one.recording.recording_id)
    written: dict[str, str] = {}

    def check(temporary: Path) -> None:
        found = {}
        for one, checksum in _read_all(temporary):
            found[one.recording.recording_id] = checksum
            if read_back:
                read_back(one)
        if found != written:
            raise ShardError(f"{path}: did not read back as it was written; check the disk and run the same command again")

    with atomic_path(path, check) as temporary, create_file(temporary) as file:
        write_attributes(file, {"format": FORMAT, "schema_version": SCHEMA_VERSION})
        subject, last = "", ""
        for one in results:
            recording = one.recording
            if recording.recording_id <= last or (subject and recording.subject != subject):
                raise ValueError(
                    f"{path}: {recording.recording_id} of {recording.subject} after {last} of {subject}; a shard holds "
                    "the recordings of one subject in the order of their ids, each once"
                )
            subject, last = recording.subject, recording.recording_id
            written[last] = write_recording(file, one)
    return list(written)


def write_part(path: Path, result: RecordingResult) -> RecordingResult:
    """Write one recording and give it back as it was stored.

    Tables are to be made from what is given back, not from what was handed in: landmarks and coverage are quantized,
    and a run that is continued from its parts must come to the same numbers.

    Raises
    ------
    ValueError, OutputError, ShardError
        As :func:`write_shard`.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_part(Path(folder) / "one.h5", example_result("p001_v1")).recording.recording_id
    'p001_v1'
    """
    stored: list[RecordingResult] = []
    write_shard(path, [result], stored.append)
    return stored[0]


def read_part(path: Path) -> RecordingResult:
    """Read a file that holds exactly one recording.

    Raises
    ------
    ShardError
        Where the file is missing, damaged, or holds another number of recordings.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_part(Path(folder) / "one.h5", example_result("p001_v1"))
    ...     read_part(Path(folder) / "one.h5").blocks.means.shape
    (300, 4, 3)
    """
    found = list(read_shard(path))
    if len(found) != 1:
        raise ShardError(f"{path}: holds {len(found)} recordings, not one; it is no part")
    return found[0]


def merge_parts(path: Path, parts: Iterable[Path]) -> list[str]:
    """Write a shard from parts in any order, holding one recording in memory at a time.

    Raises
    ------
    ValueError, OutputError, ShardError
        As :func:`write_shard` and :func:`read_part`.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     parts = [Path(folder) / "b.h5", Path(folder) / "a.h5"]
    ...     for part in parts:
    ...         _ = write_part(part, example_result(part.stem))
    ...     merge_parts(Path(folder) / "p001.h5", parts)
    ['a', 'b']
    """
    # by the id inside: names of files sort otherwise ("a-b.h5" before "a.h5")
    ordered = sorted(parts, key=lambda part: (recording_ids(part), part))
    return write_shard(path, (read_part(part) for part in ordered))


def read_shard(path: Path) -> Iterator[RecordingResult]:
    """Read the recordings of a file in the order of their ids, each compared with its checksum.

    Raises
    ------
    ShardError
        Where the file is missing, damaged, of another schema, or no shard.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> [len(one.blocks.times_s) for one in read_shard(example_maps() / "shards" / "p001.h5")]
    [120, 150]
    """
    for one, _ in _read_all(path):
        yield one


def read_one(path: Path, recording_id: str) -> RecordingResult:
    """Read one recording of a file and compare it with its checksum; the others are not touched.

    Raises
    ------
    ShardError
        As :func:`read_shard`, and where the file lacks the recording.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> len(read_one(example_maps() / "shards" / "p001.h5", "p001_v2").blocks.times_s)
    150
    """
    with open_shard(path) as file, guarded(path):
        return read_recording(child(file, recording_id, h5py.Group))


def recording_ids(path: Path) -> list[str]:
    """List the recordings of a file without reading a sample.

    Raises
    ------
    ShardError
        As :func:`read_shard`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> recording_ids(example_maps() / "shards" / "p001.h5")
    ['p001_v1', 'p001_v2']
    """
    with open_shard(path) as file, guarded(path):
        return sorted(file)


@contextlib.contextmanager
def open_shard(path: Path) -> Iterator[Any]:
    """Open a shard or part for reading, its schema checked.

    Raises
    ------
    ShardError
        As :func:`read_shard`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> with open_shard(example_maps() / "shards" / "p001.h5") as file:
    ...     file["p001_v1/times_s"].attrs["units"].decode()
    's'
    """
    with guarded(path):
        file = open_file(path)
    try:
        with guarded(path):
            check_schema(path, file)
        yield file
    finally:
        file.close()


def check_schema(path: Path, file: Any) -> None:
    """Refuse an open file that is no shard, or one of another schema version.

    Raises
    ------
    ShardError
        With what was found.
    """
    if attribute(file, "format", "str") != FORMAT:
        raise ShardError(f"{path}: is an HDF5 file, but no shard of stmap")
    version = attribute(file, "schema_version", "int")
    if version != SCHEMA_VERSION:
        raise ShardError(
            f"{path}: has schema version {version}, this stmap reads {SCHEMA_VERSION}; install the stmap that wrote it"
        )


def _read_all(path: Path) -> Iterator[tuple[RecordingResult, str]]:
    with open_shard(path) as file:
        with guarded(path):
            names = sorted(file)
        for name in names:
            with guarded(path):
                group = child(file, name, h5py.Group)
                found = read_recording(group), str(attribute(group, CHECKSUM, "str"))
            yield found
