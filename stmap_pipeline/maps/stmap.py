"""A map from block means: cut, change the color space, normalize over the window, fill, and turn blocks into rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.color import convert_color
from stmap_pipeline.maps.normalize import Fill, Normalization, fill_rows, normalize_rows
from stmap_pipeline.records import BlockTrace, STMap
from stmap_pipeline.signals.resample import nearest_frame, resample_uniform


def stmap_from_means(
    times_s: npt.ArrayLike,
    means: npt.ArrayLike,
    *,
    color: str = "yuv",
    normalize: Normalization = "minmax",
    fill: Fill = "nan",
) -> STMap:
    """Compute a map of all samples given.

    Normalization comes before filling, so that only what was seen sets the scale of a row.

    Parameters
    ----------
    times_s : (T,) array of float
        Seconds, increasing.
    means : (T, N, 3) array of float
        Mean R, G, B in gray levels, NaN where a block was not seen.
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or several joined by ``+``.
    normalize : {"minmax", "zscore", "none"}
        See :func:`~stmap_pipeline.maps.normalize.normalize_rows`.
    fill : {"nan", "interpolate"}
        See :func:`~stmap_pipeline.maps.normalize.fill_rows`.

    Returns
    -------
    STMap
        Values (N, T, C) in float32; ``normalized`` tells whether rows were stretched at all.

    Raises
    ------
    UnknownNameError
        Where the color space is unknown.
    ValueError
        Where another choice is unknown or the axes do not fit.

    Examples
    --------
    >>> one = stmap_from_means([0.0, 0.1], [[[90.0, 80.0, 70.0]], [[91.0, 82.0, 70.0]]], color="rgb")
    >>> one.values[0].tolist()
    [[0.0, 0.0, 0.0], [255.0, 255.0, 0.0]]
    """
    rows = convert_color(means, color)
    if rows.ndim != 3:
        raise ValueError(f"means have three axes (time, blocks, 3), not shape {rows.shape}")
    rows = fill_rows(normalize_rows(rows.transpose(1, 0, 2), normalize), times_s, fill)
    return STMap(np.ascontiguousarray(rows, dtype=np.float32), color, normalize != "none")


def resample_blocks(blocks: BlockTrace, rate_hz: float) -> BlockTrace:
    """Resample a whole trace to the uniform clock.

    Gaps up to half a second are bridged in the means, longer ones stay NaN. Coverage is not interpolated: it is that of
    the nearest frame and tells what was seen, so that a bridged sample is recognized by a coverage of 0.

    Raises
    ------
    ValueError
        Where the rate is not positive.

    Examples
    --------
    >>> from stmap_pipeline.records import RoiGrid
    >>> trace = BlockTrace(np.array([0.0, 0.04, 0.1]), np.ones((3, 1, 3), "f4"), np.ones((3, 1), "f4"), RoiGrid(1, 1))
    >>> resample_blocks(trace, 50.0).times_s.tolist()
    [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]
    """
    times_s, means = resample_uniform(blocks.times_s, blocks.means, rate_hz)
    index, near = nearest_frame(blocks.times_s, times_s)
    coverage = np.where(near[:, None], blocks.coverage[index], np.float32(0))
    return BlockTrace(times_s, means.astype(np.float32), coverage, blocks.grid)


def make_stmap(
    blocks: BlockTrace,
    start: int = 0,
    stop: int | None = None,
    *,
    color: str = "yuv",
    normalize: Normalization = "minmax",
    fill: Fill = "nan",
    rate_hz: float | None = None,
) -> STMap:
    """Compute the map of one interval of a trace.

    Parameters
    ----------
    blocks : BlockTrace
    start, stop : int
        First sample and one past the last: frames, or samples of the uniform grid where ``rate_hz`` is given.
    color, normalize, fill
        See :func:`stmap_from_means`.
    rate_hz : float, optional
        Resample the whole trace to this rate first (the uniform clock); otherwise frames are columns as recorded.

    Raises
    ------
    ValueError
        Where the interval does not lie inside the trace, or a choice is unknown.
    UnknownNameError
        Where the color space is unknown.

    Examples
    --------
    >>> from stmap_pipeline.records import RoiGrid
    >>> trace = BlockTrace(np.arange(4) / 30, np.full((4, 2, 3), 90, "f4"), np.ones((4, 2), "f4"), RoiGrid(1, 2))
    >>> make_stmap(trace, 1, 4, color="rgb+yuv").values.shape
    (2, 3, 6)
    """
    trace = blocks if rate_hz is None else resample_blocks(blocks, rate_hz)
    frames = len(trace.times_s)
    end = frames if stop is None else stop
    if not 0 <= start < end <= frames:
        raise ValueError(f"samples {start} to {end} do not lie inside a trace of {frames}")
    return stmap_from_means(trace.times_s[start:end], trace.means[start:end], color=color, normalize=normalize, fill=fill)
