"""Is an output whole, and does it say the same everywhere? Hashes first, then every shard opened and compared with the tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.errors import StmapError
from stmap_pipeline.pipeline.shard_task import Row, rows_of_shard
from stmap_pipeline.shards import (
    Problem,
    Shards,
    augmentation_problems,
    check_manifest,
    read_columns,
    read_manifest,
    read_table,
    recording_ids,
)

_SHOWN = 3
_TABLES = {"stmap.toml", *(f"{name}.{kind}" for name in ("recordings", "windows", "outcomes") for kind in ("csv", "json"))}


def verify(out: Path, quick: bool = False) -> list[Problem]:
    """Compare an output with its manifest, and its tables with its shards.

    In full, each file is hashed, each shard is read, and its rows of ``recordings.csv`` and ``windows.csv`` are made anew: what is
    found equal is exactly what a build would write. ``timings.csv`` differs from run to run, so it is only read.

    Parameters
    ----------
    out : Path
        The output folder of a build.
    quick : bool
        Look only at the presence and size of the files and at the names of the recordings.

    Returns
    -------
    list of Problem
        Empty where all is well.

    Raises
    ------
    ShardError
        Where there is no manifest that could be compared with.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> root = example_maps()
    >>> _ = (root / "shards" / "p002.h5").rename(root / "shards" / "p003.h5")
    >>> sorted(f"{one.kind} {one.path}" for one in verify(root, quick=True))
    ['missing shards/p002.h5', 'unexpected shards/p003.h5']
    """
    problems = check_manifest(out, quick)
    known = {one.path for one in problems}
    if (out / "work").exists():
        problems.append(Problem("work", "unfinished", "a build is at work here or was stopped; the same command finishes it"))
    try:
        # a table that is damaged is a problem already, and comparing with it would only add noise
        if not _TABLES & known:
            problems += _compare(out, known, quick)
        if (out / "timings.csv").exists():
            read_table(out / "timings.csv")
    except (StmapError, ValueError, KeyError) as error:
        problems.append(Problem("", "content", str(error)))
    return problems


def _compare(out: Path, known: set[str], quick: bool) -> Iterator[Problem]:
    """Compare tables with each other and with the shards that are what the manifest says."""
    config = Config.from_toml(out / "stmap.toml")
    manifest = read_manifest(out)
    if manifest.fingerprint != config.fingerprint():
        yield Problem("stmap.toml", "content", "stmap.toml holds other settings than the manifest")
    with Shards(out) as shards:
        yield from augmentation_problems(shards, quick)
    recordings = {str(row["recording_id"]): row for row in read_table(out / "recordings.csv")}
    built = {str(row["recording_id"]) for row in read_table(out / "outcomes.csv") if row["status"] == "ok"}
    if built != recordings.keys():
        names = ", ".join(sorted(built ^ recordings.keys())[:_SHOWN])
        yield Problem("outcomes.csv", "content", f"outcomes.csv and recordings.csv do not list the same recordings: {names}")
    windows: dict[str, list[Row]] = {}
    if not quick:
        for row in read_table(out / "windows.csv"):
            windows.setdefault(str(row["recording_id"]), []).append(row)
        if strange := windows.keys() - recordings.keys():
            yield Problem("windows.csv", "content", f"windows.csv has windows of {sorted(strange)[0]}, which recordings.csv lacks")
    subjects: dict[str, set[str]] = {}
    for name, row in recordings.items():
        subjects.setdefault(str(row["subject"]), set()).add(name)
    listed = {entry.path for entry in manifest.files if entry.path.startswith("shards/")}
    if listed != {f"shards/{subject}.h5" for subject in subjects}:
        yield Problem("recordings.csv", "content", "recordings.csv names other subjects than there are shards")
    for subject, members in sorted(subjects.items()):
        path = f"shards/{subject}.h5"
        if path not in listed or path in known:
            continue
        try:
            yield from _compare_shard(out / path, path, members, recordings, windows, config, quick)
        except StmapError as error:
            yield Problem(path, "content", str(error))


def _compare_shard(
    file: Path,
    path: str,
    names: set[str],
    recordings: Mapping[str, Row],
    windows: Mapping[str, list[Row]],
    config: Config,
    quick: bool,
) -> Iterator[Problem]:
    if set(recording_ids(file)) != names:
        yield Problem(path, "content", f"{path} holds other recordings than recordings.csv says")
        return
    if quick:
        return
    columns = [column.name for column in read_columns(file.parents[1] / "recordings.csv")]
    for row, cut in rows_of_shard(file, config):
        name = row["recording_id"]
        if different := _differences(row, recordings[name], columns):
            yield Problem(
                "recordings.csv", "content", f"recordings.csv and {path} differ for {name}: {', '.join(different[:_SHOWN])}"
            )
        stored = windows.get(name, [])
        if len(cut) != len(stored) or any(_differences(ours, theirs, ours) for ours, theirs in zip(cut, stored, strict=True)):
            yield Problem("windows.csv", "content", f"windows.csv and {path} differ in the windows of {name}")


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if _known(ours.get(name)) != _known(theirs.get(name))]


def _known(value: Any) -> Any:
    # a cell that is empty, a number that is unknown and a column that a row lacks are the same to a table
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value
