"""How long a training will take, by the measurement of a few steps before it starts."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from lightning_fabric import Fabric

from stmap_pipeline.shards import read_table
from stmap_pipeline.training.data import RecordedSource, Source, windows_of_epoch
from stmap_pipeline.training.device import start_fabric
from stmap_pipeline.training.networks import build_network
from stmap_pipeline.training.plan import TrainPlan
from stmap_pipeline.training.predict import load_windows, network_class, predict_batches
from stmap_pipeline.training.protocol import FoldSplit
from stmap_pipeline.training.run_folder import RESUME, fold_folder

# steps that are measured before a training, after one that is not
_MEASURED_STEPS, _MEASURED_S = 3, 2.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """Time that a training will take, from the measurement of a few steps before it starts.

    Parameters
    ----------
    windows_per_s : float
    seconds : float
        For all folds that are not finished.
    steps : int
        Of the optimizer, in all of these folds.
    """

    windows_per_s: float
    seconds: float
    steps: int


def forecast_training(plan: TrainPlan, device: str = "auto") -> Forecast:
    """Estimate how long a training will take, from a few steps on a few of its windows; nothing is written.

    Parameters
    ----------
    plan : TrainPlan
        On recordings, with a fold to do.
    device : str
        As in :func:`run_training`.

    Raises
    ------
    ConfigError
        Where the device cannot be used, or windows do not fit the network.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> from stmap_pipeline.training import TrainConfig, plan_training
    >>> plan = plan_training(example_maps(), "nowhere", TrainConfig(validation_share=0), folds=[2])
    >>> forecast = forecast_training(plan, "cpu")
    >>> forecast.steps, forecast.seconds > 0, plan.out.exists()
    (10, True, False)
    """
    if plan.shards is None or not plan.to_do:
        raise ValueError("only a training on recordings with a fold to do has a forecast without being run")
    fabric, split, config = start_fabric(device, plan.config.precision), plan.to_do[0], plan.config
    few = [
        plan.protocol.windows[one] for one in (*split.training[: _MEASURED_STEPS * config.batch], *split.validation[: config.batch])
    ]
    learned = np.arange(min(len(split.training), _MEASURED_STEPS * config.batch))
    sample = FoldSplit(0, learned, np.arange(len(learned), len(few)), np.empty(0, dtype=np.int64))
    data = load_windows(network_class(config.network), plan.shards, few, fabric.device)
    return measure_forecast(fabric, plan, RecordedSource(data, sample, config))


def measure_forecast(fabric: Fabric, plan: TrainPlan, source: Source) -> Forecast:
    """Return the forecast by a few steps, and a batch of the validation, of a network that is thrown away."""
    config = plan.config
    with torch.random.fork_rng([]):
        network = build_network(config.network, **config.network_options).to(fabric.device)
    begin_s, windows = time.monotonic(), 0
    for number, (batch, _) in enumerate(islice(source.epoch(0, fabric.global_rank, fabric.world_size), 1 + _MEASURED_STEPS)):
        if number == 1:
            # the first step is slower than those that follow
            begin_s, windows = time.monotonic(), 0
        with fabric.autocast():
            output = network(*network.inputs(batch))
        loss = network.loss(output, batch)
        fabric.backward(loss)
        # waits for a GPU
        loss.item()
        windows += len(batch)
        if number and time.monotonic() - begin_s > _MEASURED_S:
            break
    windows_per_s = windows * fabric.world_size / (time.monotonic() - begin_s)
    begin_s, validated = time.monotonic(), list(islice(source.validation(), 1))
    predict_batches(network, validated)
    validated_per_s = len(validated[0]) / (time.monotonic() - begin_s) if validated else math.inf
    seconds, steps = 0.0, 0
    for split in plan.to_do:
        recorded = plan.shards is not None
        of_epoch = windows_of_epoch(split, config) if recorded else source.windows
        folder = fold_folder(plan.out, split.fold)
        done = len(read_table(folder / "history.csv")) if (folder / RESUME).exists() else 0
        validation = len(split.validation) if recorded else source.validated
        seconds += (config.epochs - done) * (of_epoch / windows_per_s + validation / validated_per_s)
        steps += config.epochs * (-(-of_epoch // config.batch) if recorded else source.steps)
    return Forecast(windows_per_s, seconds, steps)
