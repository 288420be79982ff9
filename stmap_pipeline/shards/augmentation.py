"""An augmentation on disk: rows behind those of ``windows.csv``, and ``augmentation/`` with the plan and its pictures.

The manifest is written last. Killed before, an output reads as it was recorded, and the next call of any of these puts it in
order. Nobody else may write into the output meanwhile: see :mod:`stmap_pipeline.pipeline.augment`, which holds its lock.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.balance import Augmentation
from stmap_pipeline.shards.atomic import atomic_write_bytes, atomic_write_text, remove_temporaries
from stmap_pipeline.shards.columns import WINDOWS, window_row
from stmap_pipeline.shards.manifest import amend_manifest, read_manifest
from stmap_pipeline.shards.tables import format_row, read_columns
from stmap_pipeline.shards.window_table import AUGMENTATION, TABLE, read_window_table, recorded_settings

FOLDER = "augmentation"
PLAN = "plan.json"
PICTURES = ("histogram.png", "histogram.svg")


def is_augmented(root: Path) -> bool:
    """Tell whether an output holds an augmentation, be it half written.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> is_augmented(example_maps())
    False
    """
    if (root / FOLDER).exists():
        return True
    with contextlib.suppress(ShardError):
        return AUGMENTATION in read_manifest(root).settings
    return False


def read_augmentation(root: Path) -> dict[str, Any] | None:
    """Read the plan of an output: its options, and what came of them; None where there is none.

    Raises
    ------
    ShardError
        Where it cannot be read.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_augmentation(example_maps()) is None
    True
    """
    if AUGMENTATION not in read_manifest(root).settings:
        return None
    path = root / FOLDER / PLAN
    try:
        plan = json.loads(path.read_bytes())
        if not isinstance(plan, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise ShardError(f"{path}: cannot be read ({error}); run stmap augment again") from None
    return plan


def write_augmentation(
    root: Path, augmentation: Augmentation, subjects: Mapping[str, str], pictures: Mapping[str, bytes] | None = None
) -> None:
    """Put an augmentation in place of any that is there.

    Parameters
    ----------
    root : Path
    augmentation : Augmentation
    subjects : mapping of str to str
        Subject of each recording.
    pictures : mapping of str to bytes, optional
        By name, of :data:`PICTURES`.

    Raises
    ------
    ShardError
        Where the recorded rows of ``windows.csv`` are not what the build wrote, or were written by an older stmap.
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> import numpy as np
    >>> from stmap_pipeline.maps.balance import Added, Augmentation, BalanceOptions
    >>> from stmap_pipeline.shards import Shards, check_manifest
    >>> from stmap_pipeline.shards.example import example_maps
    >>> root = example_maps()
    >>> added = Added("balance", Shards(root).windows(), *np.array([[0], [1.2], [79.2], [1.0], [1.0]]))
    >>> write_augmentation(root, Augmentation(BalanceOptions(), added, ()), {"p001_v1": "p001"})
    >>> len(Shards(root).windows()), len(Shards(root).windows(augmented=True)), check_manifest(root)
    (10, 11, [])
    """
    manifest = read_manifest(root)
    table = read_window_table(root, manifest)
    if [one.name for one in read_columns(root / TABLE)] != [one.name for one in WINDOWS]:
        raise ShardError(f"{root / TABLE}: has other columns than this stmap writes; build again, or use the stmap that built it")
    pictures = dict(pictures or {})
    remove_temporaries(root / FOLDER)
    files = [root / FOLDER / PLAN, *(root / FOLDER / name for name in sorted(pictures)), root / TABLE]
    atomic_write_text(files[0], json.dumps(augmentation.to_mapping(), indent=1, ensure_ascii=False) + "\n")
    for name, data in sorted(pictures.items()):
        atomic_write_bytes(root / FOLDER / name, data)
    dropped = [name for name in PICTURES if name not in pictures]
    _unlink(root, dropped)
    atomic_write_bytes(root / TABLE, table.recorded + _rows(augmentation, subjects))
    settings = {**manifest.settings, AUGMENTATION: {"rule": augmentation.options.rule, **recorded_settings(table)}}
    amend_manifest(root, manifest, changed=files, removed=[f"{FOLDER}/{name}" for name in dropped], settings=settings)


def remove_augmentation(root: Path) -> bool:
    """Take an augmentation away; the output is then, byte for byte, what it was before.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    ShardError, OutputError
        As :func:`write_augmentation`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> remove_augmentation(example_maps())
    False
    """
    manifest = read_manifest(root)
    table = read_window_table(root, manifest)
    there = is_augmented(root) or bool(table.added)
    if not there:
        return False
    atomic_write_bytes(root / TABLE, table.recorded)
    settings = {key: value for key, value in manifest.settings.items() if key != AUGMENTATION}
    removed = [f"{FOLDER}/{name}" for name in (PLAN, *PICTURES)]
    amend_manifest(root, manifest, changed=[root / TABLE], removed=removed, settings=settings)
    remove_temporaries(root / FOLDER)
    _unlink(root, [PLAN, *PICTURES])
    # what somebody else put there stays, and the folder with it
    with contextlib.suppress(OSError):
        (root / FOLDER).rmdir()
    return True


def _rows(augmentation: Augmentation, subjects: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for one in augmentation.windows:
        writer.writerow(format_row(Path(TABLE), WINDOWS, window_row(one, subjects[one.recording_id])))
    return text.getvalue().encode("utf-8")


def _unlink(root: Path, names: list[str]) -> None:
    for name in names:
        (root / FOLDER / name).unlink(missing_ok=True)
