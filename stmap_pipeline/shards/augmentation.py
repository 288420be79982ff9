"""An augmentation on disk: rows behind those of ``windows.csv``, and ``augmentation/`` with the plan and its pictures.

The manifest is written last. Killed before, an output reads as it was recorded, and the next call of any of these puts it in
order. Nobody else may write into the output meanwhile: see :mod:`stmap_pipeline.pipeline.augment`, which holds its lock.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.files import atomic_write_bytes, atomic_write_text, remove_temporaries
from stmap_pipeline.maps.balance import Augmentation
from stmap_pipeline.records import Window
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


def refuse_augmented(root: Path) -> None:
    """Refuse to build into an output with resampled windows: recorded ones would come and go under a plan made of the old ones.

    Raises
    ------
    OutputError
        Saying how to go on.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> refuse_augmented(example_maps())
    """
    try:
        read_manifest(root)
    except ShardError:
        # without a manifest nothing can be taken away: the build makes a new table, and the plan is gone with the old one
        return
    if is_augmented(root):
        raise OutputError(
            f"{root}: holds resampled windows, which would no longer fit after building here; run stmap augment {root} --reset, "
            "build, and augment again (the same options give the same windows)"
        )


def forget_augmentation(root: Path) -> None:
    """Delete what an augmentation left beside a table that is about to be written anew.

    Raises
    ------
    OutputError
        As :func:`refuse_augmented`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> forget_augmentation(example_maps())
    """
    refuse_augmented(root)
    _delete_folder(root)


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
    root: Path,
    augmentation: Augmentation,
    windows: Iterable[Window],
    subjects: Mapping[str, str],
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Put an augmentation in place of any that is there.

    Parameters
    ----------
    root : Path
    augmentation : Augmentation
    windows : iterable of Window
        Those that it adds.
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
    >>> from stmap_pipeline.maps.balance import Fg2019Options
    >>> from stmap_pipeline.pipeline.augment import plan_augmentation
    >>> from stmap_pipeline.shards import Shards, check_manifest
    >>> from stmap_pipeline.shards.example import example_maps
    >>> root = example_maps()
    >>> plan = plan_augmentation(root, Fg2019Options(hr_scales=(1.2,), band_bpm=(66, 67)))
    >>> write_augmentation(root, plan, plan.added.windows(Shards(root).windows()), {"p001_v1": "p001"})
    >>> len(Shards(root).windows()), len(Shards(root).windows(augmented=True)), check_manifest(root)
    (10, 12, [])
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
    atomic_write_bytes(root / TABLE, table.recorded + _rows(windows, subjects))
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
    _delete_folder(root)
    return True


def _delete_folder(root: Path) -> None:
    remove_temporaries(root / FOLDER)
    _unlink(root, [PLAN, *PICTURES])
    # what somebody else put there stays, and the folder with it
    with contextlib.suppress(OSError):
        (root / FOLDER).rmdir()


def _rows(windows: Iterable[Window], subjects: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for one in windows:
        writer.writerow(format_row(Path(TABLE), WINDOWS, window_row(one, subjects[one.recording_id])))
    return text.getvalue().encode("utf-8")


def _unlink(root: Path, names: list[str]) -> None:
    for name in names:
        (root / FOLDER / name).unlink(missing_ok=True)
