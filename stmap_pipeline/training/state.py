"""Where a training stands, and how that survives a kill: one file, written whole or not at all.

All that is random is drawn from the seed, the fold and the position (see :func:`mixed_seed`), and the learning rate follows from the
position, too. So weights, moments and position are all that has to be kept for a resumed run to go on as if nothing had happened.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stmap_pipeline.errors import ModelError
from stmap_pipeline.shards import atomic_path

RESUME = "resume.safetensors"
_KEY = "stmap"


@dataclass(slots=True)
class Position:
    """The plain numbers of a training.

    Parameters
    ----------
    epoch : int
        Epochs that are done.
    step : int
        Steps that are done in the epoch after them.
    loss_sum, windows : float, int
        Sum of the losses of these steps, and their windows.
    train_s : float
        Seconds in these steps.
    seconds : float
        Seconds since the beginning of the fold.
    history : list of dict
        Rows of ``history.csv``.
    best_epoch : int
        0 where there is none.
    best_mae_bpm : float

    Examples
    --------
    >>> Position().epoch
    0
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    windows: int = 0
    train_s: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_mae_bpm: float = math.inf


class State:
    """A training in progress: network, optimizer, position, and the best weights so far.

    Parameters
    ----------
    network : nn.Module
    optimizer : torch.optim.Optimizer
    scaler : torch.amp.GradScaler
        Of float16; one that is not enabled has no state.
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
        self.network = network
        self.optimizer = optimizer
        self.scaler = scaler
        self.at = Position()
        self.best: dict[str, Tensor] = {}

    def keep_best(self, mae_bpm: float) -> None:
        """Remember the weights as they are where no earlier epoch was better; ``at.epoch`` counts the one just done."""
        if mae_bpm < self.at.best_mae_bpm:
            self.at.best_mae_bpm, self.at.best_epoch = mae_bpm, self.at.epoch
            self.best = {name: one.detach().clone() for name, one in self.network.state_dict().items()}

    def save(self, folder: Path) -> None:
        """Write all of it atomically.

        Raises
        ------
        OutputError
            Where the system refuses to write.
        """
        moments = self.optimizer.state_dict()["state"]
        tensors = {f"network/{name}": one for name, one in self.network.state_dict().items()}
        tensors |= {f"best/{name}": one for name, one in self.best.items()}
        tensors |= {f"optimizer/{number}/{name}": one for number, of in moments.items() for name, one in of.items()}
        words = {"position": asdict(self.at), "scaler": self.scaler.state_dict()}
        with atomic_path(folder / RESUME) as temporary:
            save_file(
                {name: one.detach().cpu().contiguous() for name, one in tensors.items()}, temporary, {_KEY: json.dumps(words)}
            )

    def restore(self, folder: Path) -> bool:
        """Go back to what was saved; False where nothing was.

        Raises
        ------
        ModelError
            Where the file is damaged or of another network.
        """
        path = folder / RESUME
        if not path.exists():
            return False
        try:
            with safe_open(path, framework="pt") as file:
                words = json.loads((file.metadata() or {})[_KEY])
                parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
                for key in file.keys():  # noqa: SIM118 - it is no mapping
                    part, _, name = key.partition("/")
                    parts[part][name] = file.get_tensor(key)
            parameters = [one for group in self.optimizer.param_groups for one in group["params"]]
            moments: dict[int, dict[str, Tensor]] = {}
            for name, value in parts["optimizer"].items():
                number, _, of = name.partition("/")
                # in the memory order of their parameters, as if they had never left: rounding may depend on it
                like = parameters[int(number)]
                moments.setdefault(int(number), {})[of] = (
                    torch.empty_like(like).copy_(value) if value.shape == like.shape else value
                )
            self.network.load_state_dict(parts["network"])
            self.best = parts["best"]
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
            if words["scaler"]:
                self.scaler.load_state_dict(words["scaler"])
            self.at = Position(**words["position"])
        except (
            SafetensorError,
            OSError,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            RuntimeError,
            AttributeError,
            RecursionError,
        ) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"{path}: cannot be continued from ({reason}); remove {folder} and run the same command again"
            ) from None
        return True


def mixed_seed(*parts: int) -> int:
    """Make one seed of several numbers, none of which shows in another's sequence.

    Examples
    --------
    >>> mixed_seed(0, 1, 2) == mixed_seed(0, 1, 2) != mixed_seed(0, 2, 1)
    True
    """
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def learning_rate(largest: float, step: int, steps: int, warmup_share: float = 0.05) -> float:
    """Give the learning rate of a step: a straight rise, then half a cosine down to 0.

    The end at 0 is what matters: with it the last epoch is about as good as the best, and a fixed number of epochs needs no
    milestones of its own, as steps down would.

    Examples
    --------
    >>> [round(learning_rate(1.0, step, 100), 3) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.508, 0.0]
    """
    rising = warmup_share * steps
    if step < rising:
        return largest * min(1.0, (step + 1) / rising)
    return largest * 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))
