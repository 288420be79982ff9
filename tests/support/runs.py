"""Evaluated runs without a network, for tests of reports."""

from __future__ import annotations

import json
from pathlib import Path

from stmap_pipeline.evaluation import Bootstrap, evaluate_run
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.training.config import TrainConfig
from support.maps import add_augmentation, folded_maps

RESAMPLES = 100
ERRORS_BPM = {
    ("attention-resnet18", "plan"): 2.0,
    ("attention-resnet18", "none"): 4.0,
    ("resnet18", "plan"): 6.0,
    ("resnet18", "none"): 9.0,
}


def balanced_maps(root: Path) -> Path:
    """Four subjects in two folds, with resampled windows."""
    maps = folded_maps(root)
    add_augmentation(maps)
    return maps


def four_cells(folder: Path, maps: Path, seeds: int = 2) -> list[Path]:
    """The runs of an ablation: a better one errs less."""
    runs: list[Path] = []
    for (network, augment), error in ERRORS_BPM.items():
        for seed in range(seeds):
            config = TrainConfig(network=network, augment=augment, seed=seed, validation_share=0)
            run = folder / f"{network}-{augment}-{seed}"
            example_run(run, maps, config=config, error_bpm=error)
            evaluated(run, maps, runs[0] if runs else None)
            runs.append(run)
    return runs


def evaluated(run: Path, maps: Path, baselines: Path | None = None) -> Path:
    """Evaluate with few draws."""
    evaluate_run(run, maps, bootstrap=Bootstrap(resamples=RESAMPLES), baselines=baselines)
    return run


def renamed_database(run: Path, database: str, *, simulated: bool = False) -> Path:
    """Let a run say that it is of another database."""
    facts = json.loads((run / "maps.json").read_text())
    (run / "maps.json").write_text(json.dumps(facts | {"database": database, "simulated": simulated}))
    content = json.loads((run / "evaluation.json").read_text())
    content["simulated"] = content["run"]["simulated"] = simulated
    content["maps"]["database"] = content["run"]["database"] = database
    (run / "evaluation.json").write_text(json.dumps(content))
    return run
