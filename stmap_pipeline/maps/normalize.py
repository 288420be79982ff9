"""Normalization of each row of a map over its window, and interpolation of gaps. NaN stays NaN unless a fill is asked for."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Normalization = Literal["none", "minmax", "zscore"]
Fill = Literal["nan", "interpolate"]

# Means are stored as float32, whose steps near 255 are 1.5e-5: a span below a few of them is rounding, and stretching
# it to full scale would show noise as signal.
FLAT_GRAY_LEVELS = 1e-4


def normalize_rows(values: npt.ArrayLike, method: Normalization = "minmax") -> FloatArray:
    """Normalize each row and channel of a map over the window.

    NaN stays NaN and counts for nothing. A flat row (all its values within :data:`FLAT_GRAY_LEVELS`) becomes 0: it
    carries no pulse, and 0 is the one value that says so under each method without inventing a wave.

    Parameters
    ----------
    values : (N, T, C) array of float
        Gray levels.
    method : {"minmax", "zscore", "none"}
        ``minmax``: smallest value to 0, largest to 255, as ST-maps are commonly published. ``zscore``: mean 0 and
        standard deviation 1. ``none``: as it is.

    Returns
    -------
    (N, T, C) array of float64

    Raises
    ------
    ValueError
        Where the method is unknown or the array has not three axes.

    Examples
    --------
    >>> normalize_rows([[[10.0], [12.0], [float("nan")], [11.0]]])[0, :, 0].tolist()
    [0.0, 255.0, nan, 127.5]
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 3:
        raise ValueError(f"a map has three axes (blocks, time, channels), not shape {rows.shape}")
    if method not in get_args(Normalization):
        raise ValueError(f"no normalization is called {method!r}; use one of {', '.join(get_args(Normalization))}")
    if method == "none" or rows.size == 0:
        return rows.copy()
    # time last and in one piece: three times as fast as with three channels innermost
    series = np.array(rows.transpose(0, 2, 1), order="C")
    # fmin and fmax pass over NaN without the warning that nanmin gives for a row never seen
    low, high = np.fmin.reduce(series, axis=2, keepdims=True), np.fmax.reduce(series, axis=2, keepdims=True)
    flat = ~(high - low > FLAT_GRAY_LEVELS)
    # a flat row is divided by infinity: 0 where it was seen, NaN where not
    if method == "minmax":
        series -= low
        series /= np.where(flat, np.inf, high - low)
        series *= 255.0  # last, so that the largest value is 255 exactly
    else:
        known = np.isfinite(series)
        count = np.maximum(known.sum(axis=2, keepdims=True), 1)
        series -= np.where(known, series, 0.0).sum(axis=2, keepdims=True) / count
        spread = np.sqrt(np.where(known, series**2, 0.0).sum(axis=2, keepdims=True) / count)
        series /= np.where(flat, np.inf, spread)
    return series.transpose(0, 2, 1)


def fill_rows(values: npt.ArrayLike, times_s: npt.ArrayLike, method: Fill = "interpolate") -> FloatArray:
    """Fill the gaps of each row and channel inside its window.

    Parameters
    ----------
    values : (N, T, C) array of float
    times_s : (T,) array of float
        Seconds, increasing: a straight line in time is none in frames.
    method : {"interpolate", "nan"}
        ``interpolate``: a straight line between the neighbors in time, edges held. A row that was not seen once stays
        NaN: there is nothing to fill it from. ``nan``: as it is.

    Returns
    -------
    (N, T, C) array of float64

    Raises
    ------
    ValueError
        Where the method is unknown or the axes do not fit.

    Examples
    --------
    >>> nan = float("nan")
    >>> fill_rows([[[nan], [0.0], [nan], [6.0]]], [0.0, 1.0, 2.0, 4.0])[0, :, 0].tolist()
    [0.0, 0.0, 2.0, 6.0]
    """
    rows = np.array(values, dtype=np.float64)
    times = np.asarray(times_s, dtype=np.float64)
    if rows.ndim != 3 or times.shape != rows.shape[1:2]:
        raise ValueError(f"a map (blocks, time, channels) with one time each is needed, not {rows.shape} and {times.shape}")
    if method not in get_args(Fill):
        raise ValueError(f"no filling is called {method!r}; use one of {', '.join(get_args(Fill))}")
    if method == "interpolate":
        known = np.isfinite(rows)
        for block, channel in np.argwhere(known.any(axis=1) & ~known.all(axis=1)):
            seen = known[block, :, channel]
            rows[block, ~seen, channel] = np.interp(times[~seen], times[seen], rows[block, seen, channel])
    return rows
