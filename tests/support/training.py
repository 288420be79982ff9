"""Trainings of a second: networks of a few hundred parameters on small maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stmap_pipeline import registry
from stmap_pipeline.shards import read_table
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.forecast import Forecast
from stmap_pipeline.training.networks.map_network import MapNetwork
from stmap_pipeline.training.plan import plan_training
from stmap_pipeline.training.train import FoldResult, Progress, run_training


class Tiny(MapNetwork):
    """One convolution over time, normalized and with dropout: everything a resumed training must have right."""

    def __init__(self, **options: Any) -> None:
        options.pop("width", None)
        super().__init__(**options)
        self.conv1 = nn.Conv2d(self.channels, 8, (4, 9), (1, 3))
        self.bn1 = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(8, 1)

    def forward(self, maps: Tensor) -> Tensor:
        x = self.bn1(self.conv1(maps)).square().mean(dim=(2, 3))
        return self.head(self.drop(torch.log1p(x))).squeeze(1)


class Plain(Tiny):
    """Without what depends on the batch, so that half batches on two processes learn what a whole one does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.bn1, self.drop = nn.Identity(), nn.Identity()


def register() -> None:
    """Make the networks known by name, in this process."""
    registry.REGISTRIES["networks"] |= {"tiny": "support.training:Tiny", "tiny-plain": "support.training:Plain"}


SETTINGS: dict[str, Any] = {"network": "tiny", "epochs": 3, "batch": 8, "validation_share": 0.4}


def train(
    maps: Path,
    out: Path,
    *,
    folds: tuple[int, ...] = (),
    resume: bool = False,
    retrain: bool = False,
    device: str = "cpu",
    **settings: Any,
) -> list[Forecast | Progress | FoldResult]:
    """Train to the end and return all events."""
    register()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plan = plan_training(maps, out, TrainConfig.from_mapping(SETTINGS | settings), folds=folds, resume=resume, retrain=retrain)
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
        elif path.is_file() and path.name != "run.json":
            found[name] = path.read_bytes()
    return found
