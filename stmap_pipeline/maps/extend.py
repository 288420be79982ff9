"""Continue series into their gaps and beyond their ends, so that a filter beside a gap finds something sensible there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.distinct import distinct_columns

FloatArray = npt.NDArray[np.float64]


def extend_into_gaps(values: npt.ArrayLike, known: npt.ArrayLike) -> FloatArray:
    """Replace unknown samples by the continuation of their neighbors.

    A stretch of known samples is continued by turning it about its last sample (a straight line goes on straight); between
    two stretches one continuation is faded into the other. Value and slope run on without a step, so a symmetric filter
    gives back the last known sample as it is. What is filled in is for the filter alone: it is no measurement.

    Parameters
    ----------
    values : (G, N, C) array of float
    known : (G, N) array of bool

    Returns
    -------
    (G, N, C) array of float64
        Equal to ``values`` where known; a block that is never known is 0.

    Examples
    --------
    >>> series = np.array([0.0, 1.0, 2.0, 0.0, 0.0])[:, None, None]
    >>> extend_into_gaps(series, np.array([False, True, True, False, False])[:, None])[:, 0, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 3.0]
    """
    mask = np.asarray(known, dtype=np.bool_)
    out = np.where(mask[:, :, None], np.asarray(values, dtype=np.float64), 0.0)
    patterns, owner = distinct_columns(mask)
    for index in range(patterns.shape[1]):
        members = np.flatnonzero(owner == index)
        out[:, members] = _filled(out[:, members], patterns[:, index])
    return out


def _filled(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], known.astype(np.int8), [0]))))
    runs = [values[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return values
    pieces = [_continued(runs[0][::-1], int(edges[0]))[::-1]]
    for number, (run, following) in enumerate(pairwise(runs)):
        gap = int(edges[2 * number + 2] - edges[2 * number + 1])
        share = (np.arange(1, gap + 1) / (gap + 1))[:, None, None]
        onward, backward = _continued(run, gap), _continued(following[::-1], gap)[::-1]
        pieces += [run, (1 - share) * onward + share * backward]
    pieces += [runs[-1], _continued(runs[-1], len(known) - int(edges[-1]))]
    return np.concatenate(pieces)


def _continued(run: FloatArray, count: int) -> FloatArray:
    back = np.maximum(len(run) - 2 - np.arange(count), 0)
    return np.asarray(2 * run[-1] - run[back])
