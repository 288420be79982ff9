"""Run a network over windows, and turn what it says into beats per minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stmap_pipeline.records import Window
from stmap_pipeline.training.checkpoint import ModelFacts
from stmap_pipeline.training.dataset import TrainingSet
from stmap_pipeline.training.networks import Network
from stmap_pipeline.training.sequences import WindowRows

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# windows at once: enough to keep a GPU busy, and 12 MB of maps
_BATCH = 128


def predict_windows(network: Network, data: TrainingSet, index: IntArray, facts: ModelFacts) -> FloatArray:
    """Estimate windows of a training set.

    Parameters
    ----------
    network : Network
    data : TrainingSet
    index : (W,) array of int
        Places in the set.
    facts : ModelFacts

    Returns
    -------
    (W,) array of float
        In beats per minute.
    """
    rows = data.sequences(index, network.consecutive)
    output = _at_their_place(network, rows, index, lambda part: data.maps(torch.as_tensor(part)))
    durations_s = np.array([data.windows[one].duration_s for one in index])
    return to_bpm(output, durations_s, facts)


def predict_stack(network: Network, maps: Tensor, durations_s: FloatArray, facts: ModelFacts) -> FloatArray:
    """Estimate maps (W, C, N, T) of windows at consecutive starts; otherwise as :func:`predict_windows`."""
    device = next(network.parameters()).device
    index = np.arange(len(maps))
    rows = WindowRows(np.zeros_like(index), index, np.ones(len(index))).up_to(index, network.consecutive)
    return to_bpm(_at_their_place(network, rows, index, lambda part: maps[torch.as_tensor(part)].to(device)), durations_s, facts)


def to_target(heart_rate_bpm: FloatArray, durations_s: FloatArray, target: str) -> FloatArray:
    """Give what is learned of heart rates: themselves, or the beats in the window.

    Examples
    --------
    >>> to_target(np.array([72.0]), np.array([10.0]), "beats").tolist()
    [12.0]
    """
    return heart_rate_bpm if target == "bpm" else heart_rate_bpm * durations_s / 60


def standard_targets(windows: Sequence[Window], facts: ModelFacts) -> FloatArray:
    """Give what a network is to say of each window: the target in standard units."""
    rates_bpm, durations_s = np.array([(one.heart_rate_bpm, one.duration_s) for one in windows]).T
    standard: FloatArray = (to_target(rates_bpm, durations_s, facts.config.target) - facts.target_mean) / facts.target_scale
    return standard


def to_bpm(output: FloatArray, durations_s: FloatArray, facts: ModelFacts) -> FloatArray:
    """Turn what a network says into beats per minute: the way back from :func:`to_target` and the standard units."""
    value = output * facts.target_scale + facts.target_mean
    return value if facts.config.target == "bpm" else value * 60 / durations_s


def output_of(network: nn.Module, maps: Tensor, consecutive: int) -> Tensor:
    """Apply a network to rows of maps (B, K, C, N, T) and give (B, K); one that reads no rows sees each map alone."""
    if consecutive > 1:
        rows: Tensor = network(maps)
        return rows
    alone: Tensor = network(maps.flatten(0, 1))
    return alone.view(maps.shape[:2])


def _at_their_place(network: Network, rows: IntArray, index: IntArray, maps_of: Callable[[IntArray], Tensor]) -> FloatArray:
    """Estimate each window where its row holds it."""
    place = (rows == index[:, None]).argmax(axis=1)
    found = np.empty(len(index))
    was_training = network.training
    network.eval()
    size = max(1, _BATCH // network.consecutive)
    with torch.inference_mode():
        for first in range(0, len(rows), size):
            part = slice(first, first + size)
            output = output_of(network, maps_of(rows[part]), network.consecutive).double().cpu().numpy()
            found[part] = output[np.arange(len(output)), place[part]]
    network.train(was_training)
    return found
