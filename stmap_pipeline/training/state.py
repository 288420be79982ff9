"""State of a training: everything that the next epoch depends on, and the file that holds it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stmap_pipeline.errors import ModelError
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.networks import Network
from stmap_pipeline.training.optimizer import MuonAdamW
from stmap_pipeline.training.tensor_file import read_tensors, write_tensors


class TrainState:
    """Everything that the next epoch depends on: weights, optimizer and history.

    Parameters
    ----------
    network : Network
    config : TrainConfig

    Attributes
    ----------
    used : Network
        The network whose weights are validated and kept: the one that learns, or its moving average.
    """

    def __init__(self, network: Network, config: TrainConfig) -> None:
        self.network = network
        parts = network.parameters(), config.learning_rate
        self.optimizer = (
            MuonAdamW(*parts, config.weight_decay)
            if config.optimizer == "muon"
            else torch.optim.AdamW(*parts, weight_decay=config.weight_decay, fused=True)
        )
        self.average: AveragedModel | None = None
        if config.ema_decay:
            average: Any = get_ema_multi_avg_fn(config.ema_decay)
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.used: Any = network if self.average is None else self.average.module
        self.simulated = config.recipe == "simulated"
        self.history: list[dict[str, Any]] = []

    @property
    def best_row(self) -> dict[str, Any]:
        """Row of the history with the smallest validation error; the last one without validation, and on simulated windows.

        None of these is seen twice, so that nothing is learned by heart, and the smallest error would be chosen by its noise.
        """
        known = [] if self.simulated else [one for one in self.history if not math.isnan(one["validation_mae_bpm"])]
        return min(known, key=lambda one: float(one["validation_mae_bpm"])) if known else self.history[-1]

    def save(self, path: Path) -> None:
        """Write the state atomically.

        Raises
        ------
        OutputError
            Where the system refuses to write.
        """
        parts = {"network": self.network.state_dict()}
        if self.average is not None:
            parts["average"] = self.average.state_dict()
        for number, moments in self.optimizer.state_dict()["state"].items():
            parts[f"moments{number}"] = moments
        write_tensors(
            path, {f"{part}/{key}": one for part, of in parts.items() for key, one in of.items()}, json.dumps(self.history)
        )

    def restore(self, path: Path) -> None:
        """Read the state of the last finished epoch; nothing happens where the file is not there.

        Raises
        ------
        ModelError
            Where the file is damaged or of another network.
        """
        if not path.exists():
            return
        parts: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
        try:
            tensors, history = read_tensors(path)
            for name, value in tensors.items():
                part, _, key = name.partition("/")
                parts[part][key] = value
            self.network.load_state_dict(parts["network"])
            if self.average is not None:
                self.average.load_state_dict(parts["average"])
            state = {}
            for number, like in enumerate(self.network.parameters()):
                # in the memory order of its parameter: rounding depends on it
                moments = parts[f"moments{number}"].items()
                state[number] = {key: torch.empty_like(like).copy_(one) if one.shape == like.shape else one for key, one in moments}
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
            self.history = json.loads(history)
        except (ModelError, ValueError, LookupError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"{path}: cannot be resumed from ({reason}); remove {path.parent} and run the same command again"
            ) from None
