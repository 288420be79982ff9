"""From windows to videos: the number of a video is the mean over its windows, for each method the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError, ShardError
from stmap_pipeline.evaluation.classical import METHODS
from stmap_pipeline.evaluation.predictions import Predictions
from stmap_pipeline.shards import Column, RecordingInfo, read_columns, read_table, write_table

FloatArray = npt.NDArray[np.float64]

#: Methods of an evaluation, by the beginning of their columns in ``videos.csv``; ``predicted`` is the network.
METHOD_COLUMNS = {"network": "predicted_bpm", "constant": "constant_bpm"} | {name: f"{name}_bpm" for name in METHODS}

VIDEOS: tuple[Column, ...] = (
    Column("recording_id", "", "recording, unique in the database"),
    Column("subject", "", "person"),
    Column("scenario", "", "what the person did, in the database's own terms"),
    Column("camera", "", "which camera, in the database's own terms"),
    Column("fold", "", "fold that was held out; 0 where the network was not trained on this database, or it has no folds", "int"),
    Column("windows", "", "windows that the means are over", "int"),
    Column("true_bpm", "beats/min", "mean label of these windows; empty where there is none", "float"),
    Column("predicted_bpm", "beats/min", "mean of the network's predictions", "float"),
    Column("constant_bpm", "beats/min", "mean heart rate of the videos that the network was trained on", "float"),
    *(
        Column(
            f"{name}_bpm", "beats/min", f"mean over the windows in which {name.upper()} sees a pulse; empty without any", "float"
        )
        for name in METHODS
    ),
)


@dataclass(frozen=True, slots=True)
class Video:
    """One recording of an evaluation: a row of ``videos.csv``.

    Parameters
    ----------
    recording_id, subject, scenario, camera : str
    fold : int
    windows : int
        Windows that the means are over.
    true_bpm, predicted_bpm, constant_bpm, green_bpm, chrom_bpm, pos_bpm : float
        NaN where unknown, or where no window has an estimate.

    Examples
    --------
    >>> Video("p001_v1", "p001", "v1", "source1", 1, 41, 72.0, 74.5, 79.2, 71.0, 72.4, float("nan")).predicted_bpm
    74.5
    """

    recording_id: str
    subject: str
    scenario: str
    camera: str
    fold: int
    windows: int
    true_bpm: float
    predicted_bpm: float
    constant_bpm: float
    green_bpm: float
    chrom_bpm: float
    pos_bpm: float


def videos_of(
    predictions: Predictions, rates_bpm: FloatArray, infos: Mapping[str, RecordingInfo], constant_bpm: Mapping[int, float]
) -> list[Video]:
    """Average the windows of each video.

    Where some windows of a video have a label, only these are averaged, so that truth and estimates are of the same time.

    Parameters
    ----------
    predictions : Predictions
    rates_bpm : (n, 3) array
        Heart rate of each window by GREEN, CHROM and POS.
    infos : mapping of str to RecordingInfo
    constant_bpm : mapping of int to float
        Mean heart rate of the training videos, by fold.

    Returns
    -------
    list of Video
        In the order of their ids.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = Shards(example_maps())
    >>> windows = maps.windows(recording_id="p001_v1")
    >>> said = Predictions.of(windows, np.linspace(60, 70, len(windows)), fold=1)
    >>> [one] = videos_of(said, np.full((len(windows), 3), np.nan), {"p001_v1": maps.info("p001_v1")}, {1: 80.0})
    >>> one.windows, one.true_bpm, one.predicted_bpm, one.constant_bpm, one.pos_bpm
    (3, 66.0, 65.0, 80.0, nan)
    """
    names, first, index = np.unique(predictions.recording_id, return_index=True, return_inverse=True)
    labeled = np.isfinite(predictions.heart_rate_bpm)
    has_label = np.bincount(index, labeled, len(names)) > 0
    used = labeled | ~has_label[index]
    counts = np.bincount(index[used], minlength=len(names))

    def mean(values: FloatArray) -> list[float]:
        known = used & np.isfinite(values)
        number = np.bincount(index[known], minlength=len(names))
        total = np.bincount(index[known], values[known], len(names))
        return [float(one) for one in np.where(number > 0, total / np.maximum(number, 1), np.nan)]

    true_bpm, predicted_bpm = mean(predictions.heart_rate_bpm), mean(predictions.predicted_bpm)
    classical = [mean(column) for column in rates_bpm.T]
    videos = []
    for place, name in enumerate(names.tolist()):
        info, fold = infos[name], int(predictions.fold[first[place]])
        constant = constant_bpm.get(fold, float("nan"))
        rates = (true_bpm[place], predicted_bpm[place], constant, *(column[place] for column in classical))
        videos.append(Video(name, info.subject, info.scenario, info.camera, fold, int(counts[place]), *rates))
    return videos


def write_videos(path: Path, videos: Sequence[Video]) -> None:
    """Write ``videos.csv``, atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    names = [one.name for one in fields(Video)]
    write_table(path, VIDEOS, ({name: getattr(one, name) for name in names} for one in videos))


def read_videos(path: Path) -> list[Video]:
    """Read ``videos.csv``.

    Raises
    ------
    ModelError
        Where it is not there, or is no such table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_videos(Path(folder) / "videos.csv", [Video("a", "p1", "", "", 1, 2, 72.0, 74.5, 79.2, 71.0, 72.4, 70.0)])
    ...     read_videos(Path(folder) / "videos.csv")[0].chrom_bpm
    72.4
    """
    try:
        if read_columns(path) != list(VIDEOS):
            raise ShardError(f"{path}: has other columns than videos.csv has")
        rows = read_table(path)
    except ShardError as error:
        raise ModelError(f"{error}; run stmap evaluate again") from None
    if any(row["fold"] is None or row["windows"] is None for row in rows):
        raise ModelError(f"{path}: a video lacks its fold or its number of windows; run stmap evaluate again")
    return [Video(**row) for row in rows]
