"""A small finished run on the maps of :mod:`stmap_pipeline.shards.example`, made without a network, for examples and tests."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from stmap_pipeline.evaluation.result import Predictions, write_predictions
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.protocol import plan_protocol
from stmap_pipeline.training.run_folder import maps_metadata


def example_run(
    run: Path | None = None, maps: Path | None = None, *, config: TrainConfig | None = None, error_bpm: float = 3.0
) -> tuple[Path, Path]:
    """Write the folder of a run whose predictions err by a given spread, without weights.

    Parameters
    ----------
    run : Path, optional
        Where to write; a temporary folder, removed at the end of the process, where none is given.
    maps : Path, optional
        Finished maps; the example's own where none are given.
    config : TrainConfig, optional
    error_bpm : float
        Standard deviation of the errors of windows.

    Returns
    -------
    (Path, Path)
        The run, and its maps.

    Examples
    --------
    >>> run, maps = example_run()
    >>> sorted(one.name for one in run.iterdir())
    ['maps.json', 'predictions.csv', 'predictions.json', 'run.json', 'run.toml']
    """
    config = config or TrainConfig(network="attention-resnet18", validation_share=0)
    maps = maps or example_maps()
    if run is None:
        run = Path(tempfile.mkdtemp(prefix="stmap-example-")) / "run"
        atexit.register(shutil.rmtree, run.parent, ignore_errors=True)
    run.mkdir(parents=True)
    random = np.random.default_rng(config.seed)
    with Shards(maps) as shards:
        protocol = plan_protocol(shards, config)
        parts = []
        for split in protocol.splits:
            windows = [protocol.windows[one] for one in split.evaluation.tolist()]
            predicted = np.array([one.heart_rate_bpm for one in windows]) + error_bpm * random.standard_normal(len(windows))
            parts.append(Predictions.of(windows, predicted, fold=split.fold))
        trained_on = maps_metadata(shards)
    write_predictions(run / "predictions.csv", Predictions.joined(parts))
    atomic_write_text(run / "run.toml", config.to_toml())
    atomic_write_text(run / "maps.json", trained_on.model_dump_json() + "\n")
    atomic_write_text(run / "run.json", json.dumps({"format": "stmap-run", "schema_version": 1}) + "\n")
    return run, maps
