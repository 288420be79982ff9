"""What a network said of each window: ``predictions.csv``, as columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError, ShardError
from stmap_pipeline.records import Window
from stmap_pipeline.shards import read_columns, write_table
from stmap_pipeline.shards.tables import parse_columns
from stmap_pipeline.training.columns import PREDICTIONS

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Windows and what a network said of each, in columns of one length.

    Parameters
    ----------
    recording_id : (n,) array of str
    fold, start, stop : (n,) array of int
    start_s, stop_s : (n,) array
    heart_rate_bpm : (n,) array
        Truth; NaN where unknown.
    predicted_bpm : (n,) array
    checkpoint : (n,) array of str

    Examples
    --------
    >>> one = Predictions.of([Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0)], [70.5], fold=1, checkpoint="fold1/best")
    >>> len(one), one.predicted_bpm.tolist()
    (1, [70.5])
    """

    recording_id: npt.NDArray[np.str_]
    fold: IntArray
    start: IntArray
    stop: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    heart_rate_bpm: FloatArray
    predicted_bpm: FloatArray
    checkpoint: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.recording_id)

    @classmethod
    def of(cls, windows: Sequence[Window], predicted_bpm: npt.ArrayLike, *, fold: int = 0, checkpoint: str = "") -> Predictions:
        """Join windows with predictions of the same order."""
        predicted = np.asarray(predicted_bpm, dtype=np.float64)
        if predicted.shape != (len(windows),):
            raise ValueError(f"{len(windows)} windows need as many predictions, not {predicted.shape}")
        return cls(
            np.array([one.recording_id for one in windows], dtype=np.str_),
            np.full(len(windows), fold, dtype=np.int64),
            np.array([one.start for one in windows], dtype=np.int64),
            np.array([one.stop for one in windows], dtype=np.int64),
            np.array([one.start_s for one in windows], dtype=np.float64),
            np.array([one.stop_s for one in windows], dtype=np.float64),
            np.array([one.heart_rate_bpm for one in windows], dtype=np.float64),
            predicted,
            np.full(len(windows), checkpoint),
        )

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Put several behind each other."""
        empty = cls.of([], [])
        return cls(*(np.concatenate([getattr(one, field.name) for one in (empty, *parts)]) for field in fields(cls)))


def read_predictions(paths: Sequence[Path]) -> Predictions:
    """Read one or several tables of predictions as one.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    ModelError
        Where a table is no such table, or holds a window twice, or a recording in two folds.

    Examples
    --------
    >>> import tempfile
    >>> window = Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "predictions.csv"
    ...     write_predictions(path, Predictions.of([window], [70.5]))
    ...     read_predictions([path]).predicted_bpm.tolist()
    [70.5]
    """
    found = Predictions.joined([Predictions(**_read(path)) for path in paths])
    _refuse_doubles(found, paths)
    return found


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the table, atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    columns = [getattr(predictions, one.name).tolist() for one in PREDICTIONS]
    names = [one.name for one in PREDICTIONS]
    write_table(path, PREDICTIONS, (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)))


def _read(path: Path) -> dict[str, Any]:
    kinds = {"str": np.str_, "int": np.int64, "float": np.float64}
    try:
        columns = read_columns(path)
        wrong = [one.name for one in PREDICTIONS if (one.name, one.kind) not in {(have.name, have.kind) for have in columns}]
        if wrong:
            raise ShardError(f"{path}: has no column {', '.join(wrong)} of the kind that predictions have")
        cells = parse_columns(path, columns, path.read_bytes().decode("utf-8"), [one.name for one in PREDICTIONS])
        return {one.name: np.array(cells[one.name], dtype=kinds[one.kind]) for one in PREDICTIONS}
    except FileNotFoundError:
        raise ModelError(f"{path}: is not there; train again, or restore a copy") from None
    except (ShardError, OSError, ValueError, TypeError, OverflowError) as error:
        told = str(error) if isinstance(error, ShardError) else f"{path}: is no table of predictions ({error})"
        raise ModelError(f"{told}; train again, or restore a copy") from None


def _refuse_doubles(found: Predictions, paths: Sequence[Path]) -> None:
    where = ", ".join(map(str, paths))
    names, index = np.unique(found.recording_id, return_inverse=True)
    least, most = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), np.iinfo(np.int64).min)
    np.minimum.at(least, index, found.fold)
    np.maximum.at(most, index, found.fold)
    if (least != most).any():
        raise ModelError(f"{where}: {names[least != most][0]} is in two folds, so it was trained on; train again")
    order = np.lexsort((found.stop, found.start, index))
    keys = np.stack([index, found.start, found.stop])[:, order]
    same = np.flatnonzero((np.diff(keys, axis=1) == 0).all(axis=0)) if len(found) > 1 else np.empty(0, dtype=np.intp)
    if same.size:
        one = order[same[0]]
        raise ModelError(f"{where}: holds samples {found.start[one]} to {found.stop[one]} of {found.recording_id[one]} twice")
