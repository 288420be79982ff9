"""GREEN, CHROM and POS on exactly the windows that a network was asked about, so that nothing but the method differs."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.evaluation.classical import METHODS
from stmap_pipeline.evaluation.estimate import RATE_HZ
from stmap_pipeline.evaluation.face import face_mean
from stmap_pipeline.evaluation.predictions import Predictions
from stmap_pipeline.evaluation.spectrum_batch import dominant_rates_bpm
from stmap_pipeline.maps.uniform import resample_uniform
from stmap_pipeline.parallel import unordered
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.shards import Column, Shards, read_columns, write_table
from stmap_pipeline.shards.tables import parse_columns

FloatArray = npt.NDArray[np.float64]

_ID = ("recording_id", "start", "stop")
BASELINES: tuple[Column, ...] = (
    Column("recording_id", "", "recording, unique in the database"),
    Column("start", "", "first sample of the window, on the clock of the maps", "int"),
    Column("stop", "", "one past the last sample", "int"),
    *(Column(f"{name}_bpm", "beats/min", f"heart rate by {name.upper()}; empty where it sees none", "float") for name in METHODS),
)


class RecordingRates(NamedTuple):
    """What the classical methods say of some windows of one recording.

    Parameters
    ----------
    recording_id : str
    rows : (w,) array of int
        Places of the windows in the predictions.
    rates_bpm : (w, 3) array
        Heart rate by GREEN, CHROM and POS; NaN where none is seen.
    """

    recording_id: str
    rows: npt.NDArray[np.intp]
    rates_bpm: FloatArray


def window_rates_bpm(blocks: BlockTrace, start_s: npt.ArrayLike, stop_s: npt.ArrayLike) -> FloatArray:
    """Estimate the heart rate in intervals of a recording by each classical method.

    The pulse is extracted from the whole recording and then cut, as
    :func:`~stmap_pipeline.evaluation.estimate.estimate_heart_rate` does it.

    Parameters
    ----------
    blocks : BlockTrace
    start_s, stop_s : (w,) array
        The intervals, ``[start_s, stop_s)``.

    Returns
    -------
    (w, 3) array
        Beats per minute by GREEN, CHROM and POS; NaN where no pulse is seen.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> window_rates_bpm(example_result(frames=450, heart_rate_bpm=81.0).blocks, [0.0, 5.0], [10.0, 15.0]).round().tolist()
    [[81.0, 81.0, 81.0], [81.0, 81.0, 81.0]]
    """
    times_s, colors = resample_uniform(blocks.times_s, face_mean(blocks), RATE_HZ)
    pulses = [extract(colors, RATE_HZ) for extract in METHODS.values()]
    first = np.searchsorted(times_s, np.asarray(start_s, dtype=np.float64))
    last = np.searchsorted(times_s, np.asarray(stop_s, dtype=np.float64))
    parts = [pulse[begin:end] for begin, end in zip(first, last, strict=True) for pulse in pulses]
    return dominant_rates_bpm(parts, RATE_HZ).reshape(len(first), len(pulses))


def classical_rates(maps: Shards, windows: Predictions, *, jobs: int = 1) -> Generator[RecordingRates, None, None]:
    """Estimate the heart rates of many windows, recording by recording, as they come.

    Parameters
    ----------
    maps : Shards
    windows : Predictions
        What the network said of them is not looked at.
    jobs : int
        Number of processes; the numbers do not depend on it.

    Yields
    ------
    RecordingRates
        One for each recording that has windows, in no particular order.

    Raises
    ------
    UnknownNameError, ShardError
        Where the maps lack a recording, or a shard is damaged.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = Shards(example_maps())
    >>> windows = maps.windows(subject="p001")
    >>> [one.recording_id for one in classical_rates(maps, Predictions.of(windows, [0.0] * len(windows)))]
    ['p001_v1', 'p001_v2']
    """
    by_subject: dict[str, list[tuple[str, npt.NDArray[np.intp], FloatArray, FloatArray]]] = {}
    names, index = np.unique(windows.recording_id, return_inverse=True)
    order = np.argsort(index, kind="stable")
    for name, rows in zip(names.tolist(), np.split(order, np.cumsum(np.bincount(index))[:-1]) if len(names) else [], strict=True):
        part = (name, rows, windows.start_s[rows], windows.stop_s[rows])
        by_subject.setdefault(maps.info(name).subject, []).append(part)
    # a subject a task: to open its shard is dearer than to read a recording of it
    task = partial(_of_subject, maps)
    results = unordered(task, by_subject.values(), jobs) if jobs > 1 else map(task, by_subject.values())
    for found in results:
        yield from found


def _of_subject(maps: Shards, parts: Sequence[tuple[str, npt.NDArray[np.intp], FloatArray, FloatArray]]) -> list[RecordingRates]:
    return [
        RecordingRates(name, rows, window_rates_bpm(maps.recording(name).blocks, start_s, stop_s))
        for name, rows, start_s, stop_s in parts
    ]


def write_baselines(path: Path, windows: Predictions, rates_bpm: FloatArray) -> None:
    """Keep the rates of all windows beside an evaluation: they take longer than all the rest of it.

    Parameters
    ----------
    path : Path
    windows : Predictions
    rates_bpm : (n, 3) array

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    keys = [getattr(windows, name).tolist() for name in _ID]
    names = [one.name for one in BASELINES]
    write_table(path, BASELINES, (dict(zip(names, row, strict=True)) for row in zip(*keys, *rates_bpm.T.tolist(), strict=True)))


def read_baselines(path: Path, windows: Predictions) -> FloatArray | None:
    """Take the rates of an earlier evaluation, where it has all of the windows.

    Returns
    -------
    (n, 3) array or None
        None where the table is not there, is no such table, or lacks a window.
    """
    try:
        columns = read_columns(path)
        if columns != list(BASELINES):
            return None
        cells = parse_columns(path, columns, path.read_bytes().decode("utf-8"))
    except (ShardError, OSError, UnicodeDecodeError):
        return None
    row_of = {key: row for row, key in enumerate(zip(*(cells[name] for name in _ID), strict=True))}
    wanted = [row_of.get(key, -1) for key in zip(*(getattr(windows, name).tolist() for name in _ID), strict=True)]
    if -1 in wanted:
        return None
    rates = np.stack([np.array(cells[f"{name}_bpm"], dtype=np.float64) for name in METHODS], axis=1)
    return np.asarray(rates[wanted])
