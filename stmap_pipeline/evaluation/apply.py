"""Whose predictions are evaluated: those of the persons held out in training, or those that the networks make on other maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stmap_pipeline.errors import ModelError, ShardError
from stmap_pipeline.evaluation.predictions import Predictions, read_predictions
from stmap_pipeline.evaluation.result import read_evaluation
from stmap_pipeline.evaluation.run_facts import RunFacts
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.manifest import MANIFEST
from stmap_pipeline.training import require_torch
from stmap_pipeline.training.protocol import FoldSplit, plan_protocol

_SAME_BPM = 1e-3


@dataclass(frozen=True, slots=True)
class Applied:
    """Predictions, and what is to be known of them.

    Parameters
    ----------
    predictions : Predictions
    constant_bpm : mapping of int to float
        Mean heart rate of the training videos, by fold; NaN where unknown.
    held_out : bool
        Whether they are of the maps of the training, and of persons that were held out.
    folds : tuple of int
    notes : tuple of str
    """

    predictions: Predictions
    constant_bpm: Mapping[int, float]
    held_out: bool
    folds: tuple[int, ...]
    notes: tuple[str, ...] = ()


def held_out_predictions(run: RunFacts, maps: Shards) -> Applied | None:
    """Read what a run said of the persons it held out, where these are the maps it was trained on.

    Returns
    -------
    Applied or None
        None where the maps are others.

    Raises
    ------
    ModelError
        Where the run has no finished fold, or its tables are damaged or do not fit its maps.
    """
    tables = run.tables()
    if not tables:
        raise ModelError(f"{run.path}: no fold is finished; run the same stmap train command again, with --resume")
    predictions = read_predictions(tables)
    odd = _unlike(predictions, maps)
    if odd and _is_same(run, maps):
        raise ModelError(
            f"{tables[0]}: {odd}, though these are the maps of its training; the table was changed: restore a copy or train again"
        )
    if odd or (not len(predictions) and not _is_same(run, maps)):
        return None
    if maps.manifest.fingerprint != run.maps.fingerprint:
        # the mean of all networks would be asked about persons that most of them were trained on
        raise ModelError(
            f"{maps.root}: holds the recordings that {run.path} was trained on, built with other settings; evaluate on "
            f"{run.maps.path_name}, or train on these maps"
        )
    windows, splits = _protocol(run, maps)
    folds = sorted({one.fold for one in splits} & ({0} | set(predictions.fold.tolist())))
    for split in splits:
        _refuse_trained(tables[0], predictions, windows, split)
    notes: list[str] = []
    if not run.finished:
        notes.append(f"the run is not finished: {_named(folds)} alone")
    elif rest := sorted({one.fold for one in splits} - set(folds)):
        notes.append(f"{_named(rest)} {'was' if len(rest) == 1 else 'were'} not trained: these are the numbers of {_named(folds)}")
    if not len(predictions):
        notes.append("all persons were trained on and none was held out: evaluate the run on other maps")
    constants = {one.fold: _training_mean_bpm(windows, one) for one in splits if one.fold in folds}
    return Applied(predictions, constants, True, tuple(folds), tuple(notes))


def predictions_on(
    run: RunFacts, maps: Shards, device: str = "auto", on_network: Callable[[int, int], None] | None = None
) -> Applied:
    """Let the networks of a run estimate all windows of other maps that are as valid as those of the training.

    Each fold's network estimates each window, and the mean is taken. Labels are not needed.

    Parameters
    ----------
    run : RunFacts
    maps : Shards
    device : str
    on_network : callable, optional
        Called with the number of networks that are done and of all.

    Raises
    ------
    ModelError
        Where the run has no finished fold or is damaged, or the maps are of another kind than those of the training.
    ShardError
        Where the maps have no such window, or are damaged.
    ExtraMissingError
        Where the extra ``train`` is not installed.
    """
    require_torch()
    # imported late: own maps are evaluated without torch
    from stmap_pipeline.training.predict import Model

    windows = maps.windows(min_valid_fraction=run.config.min_valid_fraction)
    if not windows:
        raise ShardError(
            f"{maps.root}: none of {len(maps.windows())} windows has a known face in {run.config.min_valid_fraction:.0%} of its "
            "frames, which is what the network was trained on; see windows.csv"
        )
    folds = Model.folds(run.path)
    total, names = np.zeros(len(windows)), []
    for fold in folds:
        model = Model.load(run.path, fold, device)
        total += model.predict(maps, windows)
        names.append(f"fold{fold}/{model.name}")
        if on_network is not None:
            on_network(len(names), len(folds))
    notes = [] if run.finished else [f"the run is not finished: {_named(folds)} alone"]
    if len(folds) > 1:
        notes.append(f"each window has the mean of what the networks of {_named(folds)} say")
    constant_bpm = _constant_of_training(run, folds)
    if not np.isfinite(constant_bpm):
        notes.append("the constant predictor is unknown: evaluate the run on the maps of its training first")
    if run.maps.database and run.maps.database == maps.manifest.settings.get("database"):
        notes.append(f"training and test are both {run.maps.database}: make sure that no person is in both")
    predictions = Predictions.of(windows, total / len(folds), checkpoint=" + ".join(names))
    return Applied(predictions, {0: constant_bpm}, False, (0,), tuple(notes))


def traces_sha256(maps: Shards) -> str:
    """Hash what was recorded: unlike the hash of the manifest, it does not change with an augmentation.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> len(traces_sha256(Shards(example_maps())))
    64
    """
    lines = (f"{one.path} {one.sha256}\n" for one in maps.manifest.files if one.path.startswith("shards/"))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _unlike(predictions: Predictions, maps: Shards) -> str:
    """Say which prediction is of no window of these maps; empty where all are."""
    columns = maps.window_columns(("recording_id", "start", "stop", "heart_rate_bpm"))
    labels = {key: label for *key_of, label in zip(*columns.values(), strict=True) for key in (tuple(key_of),)}
    keys = zip(predictions.recording_id.tolist(), predictions.start.tolist(), predictions.stop.tolist(), strict=True)
    for (name, start, stop), label in zip(keys, predictions.heart_rate_bpm.tolist(), strict=True):
        there = labels.get((name, start, stop))
        if there is None:
            return f"{name} has no window of samples {start} to {stop} in {maps.root}"
        # a label that went through single precision is the same label
        if not (abs(there - label) < _SAME_BPM or (np.isnan(there) and np.isnan(label))):
            return f"samples {start} to {stop} of {name} have {label:g} bpm, in {maps.root} {there:g} bpm"
    return ""


def _is_same(run: RunFacts, maps: Shards) -> bool:
    if hashlib.sha256((maps.root / MANIFEST).read_bytes()).hexdigest() == run.maps.manifest_sha256:
        return True
    try:
        # with another augmentation they are the same maps all the same
        earlier = read_evaluation(run.path)
    except ModelError:
        return False
    return earlier.held_out and earlier.maps.traces_sha256 == traces_sha256(maps)


def _protocol(run: RunFacts, maps: Shards) -> tuple[list[Window], list[FoldSplit]]:
    # what was resampled has no part in the mean of the training videos, and may have been taken away since
    found = plan_protocol(maps, run.config.model_copy(update={"augment": "none"}))
    return found.windows, found.splits


def _refuse_trained(table: Path, predictions: Predictions, windows: Sequence[Window], split: FoldSplit) -> None:
    trained = {windows[one].recording_id for part in (split.training, split.validation) for one in part.tolist()}
    if both := sorted(trained & set(predictions.recording_id[predictions.fold == split.fold].tolist())):
        raise ModelError(f"{table}: {both[0]} was trained on in fold {split.fold}, so it cannot be evaluated there; train again")


def _training_mean_bpm(windows: Sequence[Window], split: FoldSplit) -> float:
    """Mean over the videos of the mean of their labels, of all persons that were not held out."""
    labels: dict[str, list[float]] = {}
    for part in (split.training, split.validation):
        for one in part.tolist():
            labels.setdefault(windows[one].recording_id, []).append(windows[one].heart_rate_bpm)
    return float(np.mean([np.mean(one) for one in labels.values()])) if labels else float("nan")


def _constant_of_training(run: RunFacts, folds: Sequence[int]) -> float:
    try:
        earlier = read_evaluation(run.path)
    except ModelError:
        return float("nan")
    known = [earlier.constant_bpm.get(str(fold), float("nan")) for fold in folds]
    return float(np.mean(known)) if earlier.held_out and known else float("nan")


def _named(folds: Sequence[int]) -> str:
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
