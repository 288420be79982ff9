"""The windows that training would use as they are: labeled, seen, as recorded. Only they are counted and resampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.balance.sources import Request

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Columns of ``windows.csv`` that are needed.
COLUMNS = ("recording_id", "subject", "fold", "start", "stop", "heart_rate_bpm", "valid_fraction")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingWindows:
    """Columns of the windows that are fit for training.

    Parameters
    ----------
    row : (W,) array of int
        Number of each in the table that it comes from.
    recording_id, subject : list of str
        Of each window; those of a recording stand side by side, in the order of time.
    fold, start, stop : (W,) array of int
    heart_rate_bpm : (W,) array of float
    """

    row: IntArray
    recording_id: list[str]
    subject: list[str]
    fold: IntArray
    start: IntArray
    stop: IntArray
    heart_rate_bpm: FloatArray

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], min_valid_fraction: float = 1.0) -> TrainingWindows:
        """Take the windows of a table that are fit for training.

        Parameters
        ----------
        columns : mapping of str to sequence
            :data:`COLUMNS` of windows as recorded.
        min_valid_fraction : float

        Examples
        --------
        >>> cells = (["a", "a"], ["p1", "p1"], [1, 1], [0, 15], [300, 315], [70.0, float("nan")], [1.0, 1.0])
        >>> TrainingWindows.of(dict(zip(COLUMNS, cells))).row.tolist()
        [0]
        """
        rates = np.array(columns["heart_rate_bpm"], dtype=np.float64)
        fit = np.isfinite(rates) & (np.array(columns["valid_fraction"], dtype=np.float64) >= min_valid_fraction)
        names, start = columns["recording_id"], np.array(columns["start"], dtype=np.int64)
        row = sorted(np.flatnonzero(fit).tolist(), key=lambda one: (names[one], start[one]))
        subjects = columns["subject"]
        return cls(
            np.array(row, dtype=np.int64),
            [names[one] for one in row],
            [subjects[one] for one in row],
            np.array(columns["fold"], dtype=np.int64)[row],
            start[row],
            np.array(columns["stop"], dtype=np.int64)[row],
            rates[row],
        )

    def __len__(self) -> int:
        return len(self.row)

    def recordings(self) -> dict[str, slice]:
        """Say where the windows of each recording stand, in the order of the ids."""
        numbers = Counter(self.recording_id)
        stops = list(accumulate(numbers.values()))
        return {name: slice(stop - numbers[name], stop) for name, stop in zip(numbers, stops, strict=True)}

    def by_subject(self) -> list[list[tuple[slice, Request]]]:
        """Give for each subject the windows of each recording, with their place among all."""
        found: dict[str, list[tuple[slice, Request]]] = {}
        for name, where in self.recordings().items():
            request = Request(name, self.start[where], self.stop[where], self.heart_rate_bpm[where])
            found.setdefault(self.subject[where.start], []).append((where, request))
        return [found[name] for name in sorted(found)]
