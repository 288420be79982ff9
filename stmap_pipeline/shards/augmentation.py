"""Resampled windows beside a finished build: the folder ``augmentation/`` with a table of windows, the plan and its plots.

The build itself never changes. The folder is written atomically, and its manifest has the hash of the windows that it was made from:
where those have changed, the folder is refused. To remove the resampled windows, delete it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stmap_pipeline.balance import Augmentation, BalanceOptions, choose_windows
from stmap_pipeline.errors import ConfigError, OutputError, ShardError, StmapError, content_problem
from stmap_pipeline.files import atomic_folder, atomic_write_text, read_bytes
from stmap_pipeline.maps.windows import window_clock, window_figures
from stmap_pipeline.records import Window
from stmap_pipeline.shards.manifest import MAX_BYTES, Manifest, Problem, check_manifest, read_manifest, write_manifest
from stmap_pipeline.shards.tables import RESAMPLED_WINDOWS, window_row, write_table

if TYPE_CHECKING:
    from stmap_pipeline.shards.reader import Shards

FOLDER = "augmentation"
PLAN = "plan.json"
_MAKE_WRITABLE = "make it writable, or copy the maps to a folder that is, and augment the copy"

# sums in another order may end in another last digit
_SAME = 1e-9
_AGAIN = "run stmap augment again, or stmap augment --reset"
# keys of plan.json that are read back, and what they hold
_NUMBERS = ("windows_before", "windows_added", "windows_wanted", "epoch_factor", "recordings_used")
_NUMBERS_OR_NONE = ("speed_min", "speed_max", "normalized_entropy_before", "normalized_entropy_after")
_BIN_NUMBERS = ("low_bpm", "high_bpm", "before", "added", "after")


def plan_augmentation(shards: Shards, options: BalanceOptions) -> Augmentation:
    """Choose the resampled windows that balance the heart rates of a build; nothing is written.

    The same build, options and seed give the same plan, whether the build is augmented already or not.

    Parameters
    ----------
    shards : Shards
    options : BalanceOptions

    Raises
    ------
    ShardError
        Where the build is damaged, or has no window to train on.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> plan = plan_augmentation(Shards(example_maps()), BalanceOptions("fg2019", band_bpm=(60, 90)))
    >>> [(one.recording_id, one.speed, round(one.heart_rate_bpm, 2)) for one in plan.windows[::4]]
    [('p001_v1', 0.67, 44.22), ('p001_v1', 1.5, 99.0)]
    """
    sources = (shards.source(one.recording_id) for one in shards.recordings())
    try:
        return choose_windows(sources, shards.config.windows, options)
    except ConfigError as error:
        raise ShardError(f"{shards.root}: {error}") from None


def write_augmentation(shards: Shards, plan: Augmentation, pictures: Mapping[str, bytes] | None = None) -> None:
    """Write a plan beside its build, in place of any that is there.

    Parameters
    ----------
    shards : Shards
    plan : Augmentation
    pictures : mapping of str to bytes, optional
        Files that are written beside the plan, by name.

    Raises
    ------
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> shards = Shards(example_maps())
    >>> write_augmentation(shards, plan_augmentation(shards, BalanceOptions("fg2019", band_bpm=(60, 90))))
    >>> sorted({one.speed for one in Shards(shards.root).windows(augmented=True)})
    [0.67, 1.0, 1.5]
    """
    remove_augmentation(shards.root)
    with atomic_folder(shards.root / FOLDER) as folder:
        rows = (window_row(one, shards.info(one.recording_id).subject, RESAMPLED_WINDOWS) for one in plan.windows)
        write_table(folder / "windows.csv", RESAMPLED_WINDOWS, rows)
        atomic_write_text(folder / PLAN, json.dumps(plan.to_mapping(), indent=1, ensure_ascii=False) + "\n")
        for name, data in (pictures or {}).items():
            (folder / name).write_bytes(data)
        made_from = {"windows_sha256": _windows_sha256(shards.manifest)}
        write_manifest(folder, fingerprint=shards.manifest.fingerprint, files=list(folder.iterdir()), settings=made_from)


def check_writable(root: str | Path) -> None:
    """Raise where the resampled windows of a build could not be written.

    Raises
    ------
    OutputError
        Where this user may not write to the folder of the build, or to that of the resampled windows in it.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> check_writable(example_maps())
    """
    for folder in (Path(root), Path(root) / FOLDER):
        if folder.exists() and not os.access(folder, os.W_OK):
            raise OutputError(f"{folder}: may not be written to; {_MAKE_WRITABLE}")


def remove_augmentation(root: str | Path) -> bool:
    """Remove the augmentation of a build, and return whether there was one.

    Raises
    ------
    OutputError
        Where the system refuses to.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> remove_augmentation(example_maps())
    False
    """
    root = Path(root)
    there = is_augmented(root)
    try:
        # first of all what says that there is one: a folder half removed is none
        (root / FOLDER / PLAN).unlink(missing_ok=True)
        if (root / FOLDER).exists():
            shutil.rmtree(root / FOLDER)
    except OSError as error:
        raise OutputError(f"{root / FOLDER}: cannot be removed ({error.strerror}); {_MAKE_WRITABLE}") from None
    return there


def is_augmented(root: str | Path) -> bool:
    """Return whether an output holds an augmentation.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> is_augmented(example_maps())
    False
    """
    root = Path(root)
    return (root / FOLDER / PLAN).exists()


def read_augmentation(root: str | Path) -> dict[str, Any] | None:
    """Read the plan of an output: its options, and what came of them; None where there is none.

    Raises
    ------
    ShardError
        Where it cannot be read, or was made from other windows than the output has now.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_augmentation(example_maps()) is None
    True
    """
    root = Path(root)
    if not is_augmented(root):
        return None
    augmentation_manifest(root, read_manifest(root))
    path = root / FOLDER / PLAN
    try:
        plan = json.loads(read_bytes(path, MAX_BYTES))
        _check_plan(plan)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ShardError(f"{path}: is no plan of an augmentation ({content_problem(error)}); {_AGAIN}") from None
    return dict(plan)


def augmentation_manifest(root: Path, built: Manifest) -> Manifest | None:
    """Return the manifest of the augmentation of a build; None where there is none.

    Parameters
    ----------
    root : Path
    built : Manifest
        Of the build.

    Raises
    ------
    ShardError
        Where it is damaged, or was made from other windows than the build has now.
    """
    if not is_augmented(root):
        return None
    try:
        manifest = read_manifest(root / FOLDER)
    except ShardError as error:
        raise ShardError(f"{root / FOLDER}: is damaged ({error}); {_AGAIN}") from None
    if (manifest.fingerprint, manifest.settings.get("windows_sha256")) != (built.fingerprint, _windows_sha256(built)):
        raise ShardError(f"{root / FOLDER}: was made from other windows than windows.csv has now and is not read; {_AGAIN}")
    return manifest


def augmentation_problems(shards: Shards, quick: bool = False) -> Iterator[Problem]:
    """Compare an augmentation with its manifest, its build, and the labels and frames of the recordings.

    Not with a new plan: another version of NumPy may draw other random numbers, and the windows are right all the same.

    Parameters
    ----------
    shards : Shards
    quick : bool
        Look at presence and size alone.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> shards = Shards(example_maps())
    >>> write_augmentation(shards, plan_augmentation(shards, BalanceOptions("fg2019", band_bpm=(60, 90))))
    >>> list(augmentation_problems(Shards(shards.root)))
    []
    """
    if not is_augmented(shards.root):
        return
    try:
        augmentation_manifest(shards.root, shards.manifest)
        problems = check_manifest(shards.root / FOLDER, quick)
        yield from (Problem(f"{FOLDER}/{one.path}", one.kind, f"{FOLDER}/{one.message}") for one in problems)
        if problems or quick:
            return
        read_augmentation(shards.root)
        added = [one for one in shards.windows(augmented=True) if one.augmented]
        for name, windows in groupby(added, key=lambda one: one.recording_id):
            for one in _wrong(shards, name, list(windows)):
                yield Problem(
                    f"{FOLDER}/windows.csv",
                    "content",
                    f"{name} from {one.start} at speed {one.speed:g} does not fit the label and the frames of its recording",
                )
    except StmapError as error:
        yield Problem(FOLDER, "content", str(error))


def _wrong(shards: Shards, name: str, windows: list[Window]) -> Iterator[Window]:
    source = shards.source(name)
    for speed, group in groupby(windows, key=lambda one: one.speed):
        clock = window_clock(source.times_s, source.valid, source.coverage, shards.config.windows, speed)
        figures = window_figures(clock, source.heart_rate, shards.config.windows)
        rows = dict(zip(figures.start.tolist(), np.stack(figures, axis=1), strict=True))
        for one in group:
            ours = [getattr(one, field) for field in figures._fields]
            if one.start not in rows or one.fold != source.fold or not np.allclose(ours, rows[one.start], rtol=_SAME, atol=0):
                yield one


def _windows_sha256(built: Manifest) -> str | None:
    return next((one.sha256 for one in built.files if one.path == "windows.csv"), None)


def _check_plan(plan: Any) -> None:
    """Raise an error where what was read is not what :meth:`Augmentation.to_mapping` writes."""
    if not isinstance(plan["options"]["rule"], str):
        raise TypeError("options.rule is no text")
    for where, keys in ((plan, _NUMBERS), *((one, _BIN_NUMBERS) for one in plan["bins"])):
        for key in keys:
            if not _is_number(where[key]):
                raise TypeError(f"{key} is no number")
    optional = [(plan, key) for key in _NUMBERS_OR_NONE] + [(one, "wanted") for one in plan["bins"]]
    for where, key in optional:
        if not (where[key] is None or _is_number(where[key])):
            raise TypeError(f"{key} is no number")
    if not all(isinstance(one["shortfall"], str) for one in plan["bins"]):
        raise TypeError("shortfall is no text")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
