"""Where on the map a network looks: the weights of its spatial attention on windows that it estimates well and badly.

This is the one part of a report that runs a network, so it needs the extra ``train`` and the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ExtraMissingError, ModelError
from stmap_pipeline.evaluation.result import Predictions, read_predictions, traces_sha256
from stmap_pipeline.records import Window
from stmap_pipeline.report.charts import Figure, Image, png
from stmap_pipeline.report.runs import Case
from stmap_pipeline.report.tables import Field, Table, fixed_text, marked
from stmap_pipeline.shards import Shards
from stmap_pipeline.torch import require_torch
from stmap_pipeline.training.config import PULSE_NETWORK

if TYPE_CHECKING:
    from stmap_pipeline.training.predict import Model

FloatArray = npt.NDArray[np.float64]

#: Windows of each kind that are drawn, and windows that the mean over the face is taken of.
EXAMPLES, MANY = 2, 128
_TINT = np.array([1.0, 0.43, 0.0])
_ENOUGH = 0.8


@dataclass(frozen=True, slots=True)
class Attention:
    """What a network looks at.

    Parameters
    ----------
    lead : str
        Which network, or why there is nothing to show.
    figures : sequence of Figure
    table : Table, optional
        Mean weight of each block.
    """

    lead: str
    figures: Sequence[Figure] = ()
    table: Table | None = None


def show_attention(cases: Sequence[Case], maps: Sequence[Path]) -> Attention:
    """Draw the attention of the first case that has one.

    Parameters
    ----------
    cases : sequence of Case
        On subjects that were held out.
    maps : sequence of Path
        Outputs of ``stmap build-maps``; those of the training are found by the hash of what was recorded.

    Raises
    ------
    ShardError
        Where the maps are damaged.

    Examples
    --------
    >>> show_attention([], []).lead
    'No run has evaluated subjects that it held out, so there is no window to show.'
    """
    if not cases:
        return Attention("No run has evaluated subjects that it held out, so there is no window to show.")
    # the whole method first: attention and resampled windows
    ordered = sorted(cases, key=lambda one: one.config.augment != "plan")
    wanted = [one for one in ordered if "attention" in one.config.network or one.config.network == PULSE_NETWORK]
    if not wanted:
        return Attention("No run has a network with attention, so there are no weights to show.")
    found = next(((one, path) for one in wanted for path in maps if _trained_on(one, path)), None)
    run = (found[0] if found else wanted[0]).runs[0].metadata
    if not maps:
        text = "Weights are shown on the maps that a network was evaluated on. Give them, too: stmap report RUN"
        return Attention(f"{text} {run.maps.path_name}.")
    if found is None:
        return Attention(f"None of the maps given are those that {run.path} was evaluated on ({run.maps.path_name}).")
    try:
        require_torch()
        return _draw(*found)
    except ExtraMissingError as error:
        return Attention(f"The weights of a network cannot be read: {error}.")
    except ModelError as error:
        return Attention(f"The weights of {run.path} cannot be shown: {error}")


def _trained_on(case: Case, maps: Path) -> bool:
    with Shards(maps) as shards:
        return traces_sha256(shards) == case.tested[0].evaluation.maps.traces_sha256


def _draw(case: Case, maps: Path) -> Attention:
    from stmap_pipeline.training.predict import Model

    run = case.runs[0].metadata
    fold = case.tested[0].evaluation.folds[0]
    model = Model.load(run.path, fold)
    predictions = read_predictions(run.tables())
    with Shards(maps) as shards:
        good, bad, many = _choose(predictions, fold, shards)
        weights, pictures = _attention_and_maps(model, shards, [one for one, _ in (*good, *bad)])
        if not len(weights):
            return Attention(
                f"{run.config.network} gives no weights of attention, or fold {fold} held out no window with a heart rate."
            )
        face = _attention_and_maps(model, shards, many)[0].mean(axis=(0, 2))
        grid = shards.config.blocks
    figures = []
    for number, (window, error) in enumerate((*good, *bad)):
        kind = "Good" if number < len(good) else "Bad"
        title = f"{kind} example: {window.recording_id}, error {fixed_text(error, signed=True)} bpm"
        figures.append(_example(f"attention-{number + 1}", title, pictures[number], weights[number], window, case.mark))
    means = face.reshape(grid.rows, grid.cols)
    figures.append(_face(means, len(many), case))
    even = float(means.max() / means.min()) if means.min() > 0 else float("inf")
    how = "of each block over its heads and over time" if run.config.network == PULSE_NETWORK else "after its four stages"
    lead = (
        f"Spatial attention of {marked(case.label, case.mark)}, fold {fold}{f', seed {case.seeds[0]}' if len(case.seeds) > 1 else ''}: the mean of the weights "
        f"{how}, on windows of subjects it never saw. The block that it weights most gets {even:.2f} times the weight of the least "
        f"(1 would be no choice at all), as a mean over {len(many)} windows. A weight is what the network multiplies its features with; that it is large does not prove that "
        "the pulse is there."
    )
    return Attention(lead, figures, _table(means, case))


def _choose(
    predictions: Predictions, fold: int, shards: Shards
) -> tuple[list[tuple[Window, float]], list[tuple[Window, float]], list[Window]]:
    """Take windows with the least and the largest errors, each of another recording, and many evenly over all."""
    there = {(one.recording_id, one.start, one.stop): one for one in shards.windows(fold=fold or None, labeled=True)}
    keys = zip(predictions.recording_id.tolist(), predictions.start.tolist(), predictions.stop.tolist(), strict=True)
    errors = (predictions.predicted_bpm - predictions.heart_rate_bpm).tolist()
    known = [
        (there[key], error)
        for key, of, error in zip(keys, predictions.fold.tolist(), errors, strict=True)
        if of == fold and key in there
    ]
    order = sorted(known, key=lambda one: abs(one[1]))
    good = _of_others(order, set())
    bad = _of_others(order[::-1], {window.recording_id for window, _ in good})
    spread = np.linspace(0, len(known) - 1, min(MANY, len(known))).astype(np.int64).tolist()
    return good, bad, [known[row][0] for row in spread]


def _of_others(order: Sequence[tuple[Window, float]], taken: set[str]) -> list[tuple[Window, float]]:
    chosen: list[tuple[Window, float]] = []
    for window, error in order:
        if len(chosen) < EXAMPLES and window.recording_id not in taken:
            taken = taken | {window.recording_id}
            chosen.append((window, error))
    return chosen


def _attention_and_maps(model: Model, shards: Shards, windows: Sequence[Window]) -> tuple[FloatArray, FloatArray]:
    """Return the weights (W, N, T) of windows, and their maps (W, N, T, C) from 0 to 1; empty where there are none."""
    import torch

    if not windows:
        return np.empty((0, 0, 0)), np.empty((0, 0, 0, 0))
    from stmap_pipeline.torch import maps_from_means

    data = model.data(shards, windows)
    weights, maps = [], []
    for first in range(0, len(windows), 16):
        part = data.traces(torch.arange(first, min(first + 16, len(windows)), device=model.device))
        found = {name: one for name, one in model.network.attention_maps(part).items() if name.startswith("spatial")}
        if not found:
            return np.empty((0, 0, 0)), np.empty((0, 0, 0, 0))
        weights.append(torch.stack(list(found.values())).mean(dim=0).double().cpu().numpy())
        maps.append(maps_from_means(part.means, model.config.color)[:, :3].permute(0, 2, 3, 1).double().cpu().numpy())
    values = np.concatenate(maps)
    low, high = values.min(axis=2, keepdims=True), values.max(axis=2, keepdims=True)
    return np.concatenate(weights), (values - low) / np.where(high > low, high - low, 1.0)


def _stretched(values: FloatArray) -> FloatArray:
    span = values.max() - values.min()
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)


def _example(name: str, title: str, picture: FloatArray, weights: FloatArray, window: Window, mark: str) -> Figure:
    tint = _ENOUGH * _stretched(weights)[:, :, None]
    over = (0.92 - 0.67 * (1 - picture[:, :, :1])) * (1 - tint) + _TINT * tint
    span_s = f"{window.start_s:.1f} s to {window.stop_s:.1f} s"
    given = f"The map as the network is given it, {span_s}: its first three channels as red, green, blue"
    weighted = f"Its first channel in gray, and the weights in orange: from {weights.min():.3f} to {weights.max():.3f}"
    images = [
        Image(png(picture), f"Map of {title}, {span_s}", given),
        Image(png(over), f"Weights on {title}, {span_s}", weighted),
    ]
    caption = (
        f"Rows are blocks from forehead to chin, columns are time; the true rate is {window.heart_rate_bpm:.1f} bpm. Good: orange where stripes of the pulse are, and "
        "gray where blocks are disturbed. Bad: one orange everywhere, or orange on a flash or a movement."
    )
    return Figure(name, title, caption, images, mark)


def _face(means: FloatArray, count: int, case: Case) -> Figure:
    alt = f"Grid of {means.shape[0]} x {means.shape[1]} blocks; the numbers stand in the table below"
    image = Image(
        png(1 - _stretched(means)), alt, f"From {means.min():.3f} (light) to {means.max():.3f} (dark), mean of {count} windows"
    )
    caption = (
        "Forehead above, chin below, as in the image. Good: blocks of bare skin are the dark ones. Bad: all alike, or the "
        "border of the face, which is background and hair."
    )
    return Figure("attention-face", "Weight of each block of the face", caption, [image], case.mark)


def _table(means: FloatArray, case: Case) -> Table:
    fields = [Field("row", "row of blocks")] + [
        Field(f"c{one}", str(one + 1), "", "mean weight", "float", 3) for one in range(means.shape[1])
    ]
    rows = [
        {"row": str(number + 1), "mark": case.mark} | {f"c{one}": float(value) for one, value in enumerate(line)}
        for number, line in enumerate(means)
    ]
    return Table("attention_blocks", "Mean weight of each block", "Row 1 is the forehead.", fields, rows)
