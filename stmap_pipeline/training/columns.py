"""The files of a run and the columns of its tables."""

from __future__ import annotations

from stmap_pipeline.records import Window
from stmap_pipeline.shards import Column
from stmap_pipeline.shards.tables import Row

HISTORY: tuple[Column, ...] = (
    Column("epoch", "", "passes over the training windows, from 1", "int"),
    Column("step", "", "steps of the optimizer since the beginning", "int"),
    Column(
        "train_loss", "1", "mean absolute error of the training windows while they were learned, in standard deviations", "float"
    ),
    Column("validation_mae_bpm", "beats/min", "mean absolute error of the validation windows; empty without validation", "float"),
    Column("learning_rate", "1", "learning rate of the last step", "float"),
    Column("windows_per_s", "1/s", "training windows per second, validation left out", "float"),
    Column("seconds", "s", "time since the beginning of the fold, interruptions left out", "float"),
)

PREDICTIONS: tuple[Column, ...] = (
    Column("recording_id", "", "recording, unique in the database"),
    Column("fold", "", "official fold that was held out; 0 where there is none", "int"),
    Column("start", "", "first sample of the window, on the clock of the maps", "int"),
    Column("stop", "", "one past the last sample", "int"),
    Column("start_s", "s", "time of the first sample", "float"),
    Column("stop_s", "s", "one sampling interval after the last sample", "float"),
    Column("heart_rate_bpm", "beats/min", "mean ground-truth heart rate inside the window", "float"),
    Column("predicted_bpm", "beats/min", "heart rate that the network gives for the window", "float"),
    Column("checkpoint", "", "the network that gave it: best or last, in the folder of its fold"),
)


def prediction_row(window: Window, fold: int, predicted_bpm: float, checkpoint: str) -> Row:
    """Make the row of a window in ``predictions.csv``.

    Examples
    --------
    >>> prediction_row(Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0), 1, 70.5, "best")["predicted_bpm"]
    70.5
    """
    ours = {name: getattr(window, name) for name in ("recording_id", "start", "stop", "start_s", "stop_s", "heart_rate_bpm")}
    return {**ours, "fold": fold, "predicted_bpm": predicted_bpm, "checkpoint": checkpoint}


#: Name and content of what a run writes.
RUN_FILES: tuple[tuple[str, str], ...] = (
    ("run.toml", "all settings"),
    ("maps.json", "which maps: name, fingerprint, hash of their manifest"),
    ("fold1/ ...", "a folder for each fold; fold0 where there are none. A fold is done where it has a last.json"),
    ("fold1/best.safetensors, .json", "weights of the epoch chosen by the validation subjects; not there without these"),
    ("fold1/last.safetensors, .json", "weights after the last epoch"),
    ("fold1/history.csv", "a row for each epoch"),
    ("fold1/predictions.csv", "a row for each window of the persons held out"),
    ("fold1/resume.safetensors", "where a stopped training stands; gone when the fold is done"),
    ("fold1/tensorboard/", "the history for TensorBoard"),
    ("predictions.csv", "the predictions of all folds"),
    ("run.json", "written last: what was trained, on what, with which versions, and in how many seconds"),
    ("videos.csv", "by the evaluation: truth, prediction and baselines of each video"),
    ("baselines.csv", "by the evaluation: GREEN, CHROM and POS of each window"),
    ("evaluation.json", "by the evaluation: all numbers with their intervals"),
    ("on-NAME/", "predictions and evaluation on other maps, called NAME"),
)
