"""``windows.csv`` in its two parts: the windows as recorded, and behind them those that an augmentation added.

The recorded part never changes, byte for byte, whatever is added or taken away behind it, and its hash stands in the manifest
all the time. So it can be read, and a new plan be made from it, also where an augmentation was killed half way.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stmap_pipeline.errors import ShardError
from stmap_pipeline.records import Window
from stmap_pipeline.shards.columns import OF_WINDOW, windows_from_columns
from stmap_pipeline.shards.hdf5 import guarded
from stmap_pipeline.shards.manifest import MANIFEST, Manifest
from stmap_pipeline.shards.tables import parse_columns, read_columns

TABLE = "windows.csv"
#: Key of a manifest's settings where there is an augmentation.
AUGMENTATION = "augmentation"


class WindowTable(NamedTuple):
    """The bytes of ``windows.csv``.

    Parameters
    ----------
    recorded : bytes
        The first line and the rows as recorded.
    added : bytes
        The rows behind them.
    whole : bool
        Whether both together are what the manifest says; if not, an augmentation was interrupted or somebody changed them.
    """

    recorded: bytes
    added: bytes
    whole: bool


def read_window_table(root: Path, manifest: Manifest) -> WindowTable:
    """Read ``windows.csv`` and compare it with the manifest.

    Raises
    ------
    ShardError
        Where it is missing, or its recorded part is not what the build wrote.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> from stmap_pipeline.shards.manifest import read_manifest
    >>> root = example_maps()
    >>> table = read_window_table(root, read_manifest(root))
    >>> len(table.recorded.splitlines()), table.added, table.whole
    (11, b'', True)
    """
    path = root / TABLE
    entry = next((one for one in manifest.files if one.path == TABLE), None)
    if entry is None:
        raise ShardError(f"{root}: its manifest lists no {TABLE}; build it again or restore a copy")
    with guarded(path):
        data = path.read_bytes()
        recorded = manifest.settings.get(AUGMENTATION, {})
        size, sha256 = int(recorded.get("recorded_bytes", entry.bytes)), str(recorded.get("recorded_sha256", entry.sha256))
    if _sha256(data[:size]) != sha256:
        raise ShardError(
            f"{path}: is not what the build wrote; restore a copy, or remove {root / MANIFEST} and run the same stmap build-maps "
            "command again: what is in the shards is kept"
        )
    return WindowTable(data[:size], data[size:], _sha256(data) == entry.sha256)


def recorded_settings(table: WindowTable) -> dict[str, int | str]:
    """Say in the manifest what the recorded part is.

    Examples
    --------
    >>> recorded_settings(WindowTable(b"ab", b"c", True))["recorded_bytes"]
    2
    """
    return {"recorded_bytes": len(table.recorded), "recorded_sha256": _sha256(table.recorded)}


def parse_windows(root: Path, table: WindowTable, recordings: Collection[str], *, added: bool) -> list[Window]:
    """Make windows of the rows of one part.

    Parameters
    ----------
    root : Path
    table : WindowTable
    recordings : collection of str
        Ids that there are.
    added : bool
        The rows behind the recorded ones instead of these.

    Raises
    ------
    ShardError
        Where a row is no window of the recordings or does not belong into its part, or an augmentation is half written.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> from stmap_pipeline.shards.manifest import read_manifest
    >>> root = example_maps()
    >>> table = read_window_table(root, read_manifest(root))
    >>> len(parse_windows(root, table, {"p001_v1", "p001_v2", "p002_v1"}, added=False))
    10
    """
    path = root / TABLE
    if added and not table.whole:
        raise ShardError(
            f"{path}: is not what the manifest says; an augmentation was interrupted, or the table was changed by hand. "
            "Run the same stmap augment command again, or stmap augment --reset"
        )
    with guarded(path), _collector_at_rest():
        text = (table.recorded.split(b"\n", 1)[0] + b"\n" + table.added if added else table.recorded).decode("utf-8")
        windows = windows_from_columns(_columns(path, text, OF_WINDOW))
    for number, one in enumerate(windows, 2 + (table.recorded.count(b"\n") - 1 if added else 0)):
        if one.recording_id not in recordings or one.start is None or one.stop is None or one.augmented != added:
            raise ShardError(f"{path}, line {number}: is no window of a recording in recordings.csv; build again or restore a copy")
    return windows


def recorded_columns(root: Path, table: WindowTable, names: Collection[str]) -> dict[str, list[Any]]:
    """Give columns of the recorded part.

    Raises
    ------
    ShardError
        Where it has no such column, or cannot be read.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> from stmap_pipeline.shards.manifest import read_manifest
    >>> root = example_maps()
    >>> recorded_columns(root, read_window_table(root, read_manifest(root)), ["start"])["start"][:3]
    [0, 30, 60]
    """
    path = root / TABLE
    with guarded(path), _collector_at_rest():
        return _columns(path, table.recorded.decode("utf-8"), names)


def _columns(path: Path, text: str, names: Collection[str]) -> dict[str, list[Any]]:
    columns = parse_columns(path, read_columns(path), text, names)
    if missing := sorted(set(names) - columns.keys()):
        raise ShardError(f"{path}: has no column {', '.join(missing)}; build again, or use the stmap that built it")
    return columns


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Spare the garbage collector looking through half a million new cells again and again: none of them is garbage."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
