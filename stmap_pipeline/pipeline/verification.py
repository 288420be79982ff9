"""Compare an output with its manifest, then its tables with the files of all recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.errors import StmapError
from stmap_pipeline.lock import holder
from stmap_pipeline.pipeline.worker import Row, rows_of
from stmap_pipeline.shards import Problem, Shards, check_manifest, read_columns, read_recording, read_table, recording_path
from stmap_pipeline.shards.augmentation import augmentation_problems
from stmap_pipeline.shards.recording_file import read_keys
from stmap_pipeline.shards.tables import BUILD_TABLES

_SHOWN = 3


def verify(out: str | Path, quick: bool = False) -> list[Problem]:
    """Compare an output with its manifest, and its tables with its shards.

    In full, each file is hashed, the file of each recording is read, and its rows of ``recordings.csv`` and ``windows.csv`` are made anew: what is
    found equal is exactly what a build would write. ``timings.csv`` differs from run to run, so it is only read.

    Parameters
    ----------
    out : str or Path
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
    >>> _ = (root / "shards" / "p002_v1.h5").rename(root / "shards" / "p003_v1.h5")
    >>> sorted(f"{one.kind} {one.path}" for one in verify(root, quick=True))
    ['missing shards/p002_v1.h5', 'unexpected shards/p003_v1.h5']
    """
    out = Path(out)
    owner = holder(out)
    if owner is not None and (out / "manifest.json").exists():
        message = f"process {owner.get('pid', '?')} on {owner.get('host', '?')} is writing here now; verify again when it has ended"
        return [Problem("", "unfinished", message)]
    problems = check_manifest(out, quick)
    known = {one.path for one in problems}
    if (out / "work").exists():
        problems.append(Problem("work", "unfinished", "a build is at work here or was stopped; the same command finishes it"))
    try:
        # a table that is damaged is a problem already, and comparing with it would only add noise
        if not {"stmap.toml", *BUILD_TABLES} & known:
            problems += _compare(out, known, quick)
        if (out / "timings.csv").exists():
            read_table(out / "timings.csv")
    except (StmapError, ValueError, KeyError) as error:
        problems.append(Problem("", "content", str(error)))
    return problems


def _compare(out: Path, known: set[str], quick: bool) -> Iterator[Problem]:
    """Compare tables with each other and with the shards that are what the manifest says."""
    with Shards(out) as shards:
        config, manifest = shards.config, shards.manifest
        if manifest.fingerprint != config.fingerprint():
            yield Problem("stmap.toml", "content", "stmap.toml holds other settings than the manifest")
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
    listed = {entry.path for entry in manifest.files if entry.path.startswith("shards/")}
    paths = {name: recording_path(out, name).relative_to(out).as_posix() for name in recordings}
    if listed != set(paths.values()):
        yield Problem("recordings.csv", "content", "recordings.csv does not list the recordings that the manifest has files of")
    for name, path in sorted(paths.items()):
        if path not in listed or path in known:
            continue
        try:
            yield from _compare_recording(out, path, recordings[name], windows.get(name, []), config, quick)
        except StmapError as error:
            yield Problem(path, "content", str(error))


def _compare_recording(
    out: Path, path: str, row: Mapping[str, Any], windows: list[Row], config: Config, quick: bool
) -> Iterator[Problem]:
    name = row["recording_id"]
    if read_keys(out / path)[0] != name:
        yield Problem(path, "content", f"{path} holds another recording than {name}")
        return
    if quick:
        return
    columns = [column.name for column in read_columns(out / "recordings.csv")]
    ours, cut = rows_of(read_recording(out / path), config)
    if different := _differences(ours, row, columns):
        yield Problem("recordings.csv", "content", f"recordings.csv and {path} differ for {name}: {', '.join(different[:_SHOWN])}")
    if len(cut) != len(windows) or any(_differences(one, other, one) for one, other in zip(cut, windows, strict=True)):
        yield Problem("windows.csv", "content", f"windows.csv and {path} differ in the windows of {name}")


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if _known(ours.get(name)) != _known(theirs.get(name))]


def _known(value: Any) -> Any:
    # a cell that is empty, a number that is unknown and a column that a row lacks are the same to a table
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value
