"""The folder of a run: what it holds, whether it may be written to, and what it says when all is done.

======================  ================================================================================
``run.toml``            all settings
``maps.json``           which maps: their name, fingerprint and the hash of their manifest
``fold1/`` ...          a folder a fold (``fold0`` where there are no folds), done where it has a ``last.json``
``predictions.csv``     the predictions of all folds
``run.json``            written last: what was trained, on what, and in which time
======================  ================================================================================
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from stmap_pipeline.errors import OutputError
from stmap_pipeline.files import is_temporary
from stmap_pipeline.lock import LOCK
from stmap_pipeline.shards import Shards, atomic_write_text, read_table, write_table
from stmap_pipeline.training.checkpoint import MapsFacts, parse_json
from stmap_pipeline.training.columns import PREDICTIONS
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.version import __version__

FORMAT = "stmap-run"
SCHEMA_VERSION = 1
SETTINGS, MAPS, RUN = "run.toml", "maps.json", "run.json"

Standing = Literal["new", "unfinished", "finished"]


def maps_facts(maps: Shards) -> MapsFacts:
    """Say which maps these are.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps_facts(Shards(example_maps())).database
    'example'
    """
    return MapsFacts(
        path_name=maps.root.resolve().name,
        fingerprint=maps.manifest.fingerprint,
        manifest_sha256=hashlib.sha256((maps.root / "manifest.json").read_bytes()).hexdigest(),
        database=str(maps.manifest.settings.get("database", "")),
        simulated=maps.simulated,
        augmentation_sha256=maps.augmentation_sha256,
    )


def fold_folder(out: Path, fold: int) -> Path:
    """Give the folder of a fold.

    Examples
    --------
    >>> fold_folder(Path("runs/a"), 2).as_posix()
    'runs/a/fold2'
    """
    return out / f"fold{fold}"


def is_done(out: Path, fold: int) -> bool:
    """Tell whether a fold is trained to its end.

    Examples
    --------
    >>> is_done(Path("nowhere"), 1)
    False
    """
    return (fold_folder(out, fold) / "last.json").is_file()


def standing_of(out: Path, config: TrainConfig, maps: MapsFacts) -> Standing:
    """Tell how far a run is, and refuse a folder that is another run's or no run's.

    Raises
    ------
    OutputError
        With the settings that differ, or what changed in the maps.
    """
    if not out.exists():
        return "new"
    if not out.is_dir():
        raise OutputError(f"{out}: is a file; give a folder for the run")
    names = {one.name for one in out.iterdir() if one.name != LOCK and not is_temporary(one)}
    if names <= {MAPS, SETTINGS}:
        # nothing is trained yet, so nothing can be lost
        return "new"
    if SETTINGS not in names:
        raise OutputError(f"{out}: is not empty and not a run of stmap train; give another folder")
    if differences := config.differences(TrainConfig.from_toml(out / SETTINGS)):
        raise OutputError(
            f"{out}: was trained with other settings ({'; '.join(differences)}); give another folder, or the settings of {out / SETTINGS}"
        )
    before = parse_json(out / MAPS, MapsFacts)
    resampled = config.augment == "plan" and before.augmentation_sha256 != maps.augmentation_sha256
    if before.manifest_sha256 != maps.manifest_sha256 or resampled:
        what = "settings and windows" if before.fingerprint != maps.fingerprint else "recordings or resampled windows"
        raise OutputError(
            f"{out}: was trained on maps with other {what} ({before.path_name}, of {before.database}); give another folder, or those maps"
        )
    return "finished" if RUN in names else "unfinished"


def begin(out: Path, config: TrainConfig, maps: MapsFacts) -> None:
    """Write what a run is about, before it has anything else.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    for name in (RUN, "predictions.csv", "predictions.json"):
        (out / name).unlink(missing_ok=True)
    atomic_write_text(out / MAPS, maps.model_dump_json(indent=1) + "\n")
    atomic_write_text(out / SETTINGS, config.to_toml())


def finish(out: Path, config: TrainConfig, maps: Shards, folds: Sequence[int], device: str) -> dict[str, Any]:
    """Gather the predictions of all folds and write ``run.json``.

    Returns
    -------
    dict
        What was written.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    rows = [row for fold in folds for row in read_table(fold_folder(out, fold) / "predictions.csv")]
    write_table(out / "predictions.csv", PREDICTIONS, rows)
    seconds = sum(read_table(fold_folder(out, fold) / "history.csv")[-1]["seconds"] for fold in folds)
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "software": f"stmap {__version__}",
        "finished": True,
        **{key: getattr(config, key) for key in ("network", "protocol", "augment", "color", "normalize", "target", "seed")},
        "folds": list(folds),
        "maps": maps_facts(maps).model_dump(),
        "clock": maps.config.windows.clock,
        "device": device,
        "seconds": seconds,
        "versions": {
            "stmap": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    atomic_write_text(out / RUN, json.dumps(content, indent=1) + "\n")
    return content
