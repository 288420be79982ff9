"""Trainings of a second: small maps, tiny networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_network
import torch

from stmap_pipeline.shards import read_table
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.train import FoldResult, Progress, plan_training, run_training

SETTINGS: dict[str, Any] = {"network": "tiny", "epochs": 3, "batch": 8, "validation_share": 0.4, "mask_frames": (5, 20)}


def train(
    maps: Path, out: Path, *, folds: tuple[int, ...] = (), resume: bool = False, device: str = "cpu", **settings: Any
) -> list[Progress | FoldResult]:
    """Train to the end and return all events."""
    tiny_network.register()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plan = plan_training(maps, out, TrainConfig.from_mapping(SETTINGS | settings), folds=folds, resume=resume)
        return list(run_training(plan, device))
    finally:
        torch.set_num_threads(threads)


def result(out: Path) -> dict[str, Any]:
    """All that must not depend on how often a run was stopped: weights, predictions, and the history without its times."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.name == "history.csv":
            found[name] = [{k: str(v) for k, v in row.items() if k not in ("windows_per_s", "seconds")} for row in read_table(path)]
        elif path.is_file() and path.name != "run.json" and "tensorboard" not in name:
            found[name] = path.read_bytes()
    return found
