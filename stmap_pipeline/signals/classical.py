"""Classical pulse extraction: GREEN, CHROM and POS, the baselines that need no training.

:func:`face_mean` reduces block means to one color per frame. Each method takes it on a uniform clock, (T, 3) R, G, B with NaN where
there was no face, and returns a pulse (T,) without unit. The sign is that of the light: a heart beat, which darkens the skin, is a
minimum. Stretches between gaps are processed one by one; a stretch shorter than a method's window stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy
from numpy.lib.stride_tricks import sliding_window_view

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.records import BlockTrace

FloatArray = npt.NDArray[np.float64]

# 1.6 s holds at least one beat of 40 bpm; both papers use it (32 frames at 20 Hz)
WINDOW_S = 1.6
CHROM_BAND_HZ = (0.7, 4.0)


def face_mean(blocks: BlockTrace) -> npt.NDArray[np.float64]:
    """Compute the mean of the blocks of each frame, weighted by their coverage.

    A block that is out of sight for some frames is left out there, and its own level with it: the others do not shift the
    mean, so no step is made that a spectrum would show. Where all blocks are seen, the result is the plain weighted mean.

    Parameters
    ----------
    blocks : BlockTrace

    Returns
    -------
    (T, 3) array of float64
        R, G, B in gray levels; NaN in frames without a face.

    Examples
    --------
    >>> from stmap_pipeline.records import RoiGrid
    >>> means = np.array([[[10, 20, 30], [30, 40, 50]], [[11, 20, 30], [np.nan] * 3], [[np.nan] * 3] * 2], dtype=np.float32)
    >>> coverage = np.isfinite(means[:, :, 0]).astype(np.float32)
    >>> face_mean(BlockTrace(np.arange(3.0), means, coverage, RoiGrid(1, 2))).tolist()
    [[20.0, 30.0, 40.0], [20.75, 30.0, 40.0], [nan, nan, nan]]
    """
    means = blocks.means.astype(np.float64)
    seen = np.isfinite(means).all(axis=2) & (blocks.coverage > 0)
    weight = np.where(seen, blocks.coverage, 0.0).astype(np.float64)
    values = np.where(seen[:, :, None], means, 0.0)

    frames_seen, per_block = seen.sum(axis=0), weight.sum(axis=0)
    # a block that is never seen has no level: its weight is 0 wherever the level is used
    usual_weight = per_block / np.maximum(frames_seen, 1)
    level = np.einsum("tn,tnc->nc", weight, values) / np.where(per_block > 0, per_block, 1.0)[:, None]
    per_frame = weight.sum(axis=1)
    if not per_frame.any():
        return np.full((len(means), 3), np.nan)
    face_level = usual_weight @ level / usual_weight.sum()
    deviation = np.einsum("tn,tnc->tc", weight, values) - weight @ level
    return np.asarray(face_level + deviation / np.where(per_frame > 0, per_frame, np.nan)[:, None])


def green(rgb: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Take the green channel, relative to its mean.

    Parameters
    ----------
    rgb : (T, 3) array
        Face color on a uniform clock, NaN in gaps.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    (T,) array of float64

    References
    ----------
    Verkruysse, Svaasand, Nelson: Remote plethysmographic imaging using ambient light. Optics Express 16 (2008).

    Examples
    --------
    >>> green([[90, 99, 80], [90, 101, 80]], rate_hz=30).round(3).tolist()
    [-0.01, 0.01]
    """
    colors = _checked(rgb, rate_hz)
    return _by_run(colors, 1, lambda run: run[:, 1] / run[:, 1].mean() - 1.0 if run[:, 1].mean() > 0 else np.full(len(run), np.nan))


def chrom(rgb: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Extract the pulse by chrominance.

    In windows of 1.6 s with half overlap: divide by the mean, project to X = 3R - 2G and Y = 1.5R + G - 1.5B, band-pass
    both, take X from Y scaled to the deviation of X, add up under a Hann window.

    Parameters
    ----------
    rgb : (T, 3) array
        Face color on a uniform clock, NaN in gaps.
    rate_hz : float
        Sampling rate, above 3 Hz.

    Returns
    -------
    (T,) array of float64

    References
    ----------
    de Haan, Jeanne: Robust pulse rate from chrominance-based rPPG. IEEE Trans. Biomed. Eng. 60 (2013).

    Examples
    --------
    >>> beat = np.sin(2 * np.pi * 1.2 * np.arange(300) / 30)[:, None]
    >>> pulse = chrom(np.array([120, 100, 80]) * (1 + 0.01 * beat * [0.3, 0.8, 0.5]), rate_hz=30)
    >>> bool(np.corrcoef(pulse[30:-30], beat[30:-30, 0])[0, 1] > 0.99)
    True
    """
    colors = _checked(rgb, rate_hz)
    size = 2 * int(np.ceil(WINDOW_S * rate_hz / 2))
    high_hz = min(CHROM_BAND_HZ[1], 0.45 * rate_hz)
    sections = scipy.signal.butter(3, (CHROM_BAND_HZ[0], high_hz), btype="bandpass", fs=rate_hz, output="sos")
    hann = np.hanning(size + 1)[:size]

    def of_run(run: FloatArray) -> FloatArray:
        # the last window may not meet the end of the run: one more is set there, and the sum of windows divided out
        starts = sorted({*range(0, len(run) - size + 1, size // 2), len(run) - size})
        # (windows, 3, size), each divided by its own mean; all windows go through the filter at once
        windows = sliding_window_view(run, size, axis=0)[starts]
        mean = windows.mean(axis=2, keepdims=True)
        # a channel without light has no relative change: NaN, not a division by zero
        r, g, b = np.moveaxis(windows / np.where(mean > 0, mean, np.nan), 1, 0)
        both = np.stack([3 * r - 2 * g, 1.5 * r + g - 1.5 * b])
        x, y = scipy.signal.sosfiltfilt(sections, both, axis=2, padlen=min(size - 1, 3 * 2 * len(sections)))
        # the sign of the light: the paper's X - a Y rises with a beat
        pulses = _ratio(x.std(axis=1), y.std(axis=1))[:, None] * y - x
        pulse, weight = np.zeros(len(run)), np.zeros(len(run))
        for start, one in zip(starts, pulses, strict=True):
            # 1e-3: the very first and last sample have no weight of their own
            pulse[start : start + size] += one * (hann + 1e-3)
            weight[start : start + size] += hann + 1e-3
        return np.asarray(pulse / weight)

    return _by_run(colors, size, of_run)


def pos(rgb: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Extract the pulse by projection onto the plane orthogonal to skin.

    For each window of 1.6 s: divide by the mean, project to S1 = G - B and S2 = G + B - 2R, add S2 scaled to the deviation
    of S1, remove the mean. Overlapping windows are averaged rather than summed, so that a run keeps its amplitude to its ends.

    Parameters
    ----------
    rgb : (T, 3) array
        Face color on a uniform clock, NaN in gaps.
    rate_hz : float
        Sampling rate, above 3 Hz.

    Returns
    -------
    (T,) array of float64

    References
    ----------
    Wang, den Brinker, Stuijk, de Haan: Algorithmic principles of remote PPG. IEEE Trans. Biomed. Eng. 64 (2017), algorithm 1.

    Examples
    --------
    >>> beat = np.sin(2 * np.pi * 1.2 * np.arange(300) / 30)[:, None]
    >>> pulse = pos(np.array([120, 100, 80]) * (1 + 0.01 * beat * [0.3, 0.8, 0.5]), rate_hz=30)
    >>> bool(np.corrcoef(pulse, beat[:, 0])[0, 1] > 0.99)
    True
    """
    colors = _checked(rgb, rate_hz)
    size = int(np.ceil(WINDOW_S * rate_hz))

    def of_run(run: FloatArray) -> FloatArray:
        # the projection of a window is a sum of its channels with weights of the window, so that all follows from sums over windows
        level = run.mean(axis=0)
        rest = run - level
        mean = _window_sums(rest, size) / size
        covariance = _window_sums(rest[:, :, None] * rest[:, None, :], size) / size - mean[:, :, None] * mean[:, None, :]
        color = mean + level
        # a channel without light has no relative change
        dark = ~(color > 0).all(axis=1)
        first, second = (np.array(plane) / np.where(dark[:, None], np.inf, color) for plane in ([0, 1, -1], [-2, 1, 1]))
        deviation = [np.sqrt(np.maximum(np.einsum("wc,wcd,wd->w", plane, covariance, plane), 0)) for plane in (first, second)]
        # both projections of a window have no mean, so neither has their sum
        weights = first + _ratio(*deviation)[:, None] * second
        held = np.pad(np.column_stack([weights, np.ones(len(run) - size + 1), dark]), ((size - 1, size - 1), (0, 0)))
        r, g, b, count, in_dark = _window_sums(held, size).T
        pulse = (r * run[:, 0] + g * run[:, 1] + b * run[:, 2]) / count
        return np.asarray(np.where(in_dark > 0.5, np.nan, pulse))

    return _by_run(colors, size, of_run)


METHODS: dict[str, Callable[[npt.ArrayLike, float], FloatArray]] = {"green": green, "chrom": chrom, "pos": pos}


def method_named(name: str) -> Callable[[npt.ArrayLike, float], FloatArray]:
    """Return a method by name.

    Raises
    ------
    UnknownNameError
        Where there is none; the message lists the names.

    Examples
    --------
    >>> method_named("pos") is pos
    True
    """
    if name not in METHODS:
        raise UnknownNameError(f"no pulse method is called {name!r} (known: {', '.join(sorted(METHODS))})")
    return METHODS[name]


def known_runs(known: npt.NDArray[np.bool_]) -> list[slice]:
    """List the stretches in which all samples are known.

    Examples
    --------
    >>> known_runs(np.array([False, True, True, False, True]))
    [slice(1, 3, None), slice(4, 5, None)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(known, dtype=np.int8), [0]))))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _checked(rgb: npt.ArrayLike, rate_hz: float) -> FloatArray:
    colors = np.asarray(rgb, dtype=np.float64)
    if colors.ndim != 2 or colors.shape[1] != 3:
        raise ValueError(f"face color needs shape (T, 3), not {colors.shape}")
    if not rate_hz > 3:
        raise ValueError(f"rate_hz must be above 3 Hz for a pulse to be seen, not {rate_hz}")
    return colors


def _by_run(colors: FloatArray, shortest: int, extract: Callable[[FloatArray], FloatArray]) -> FloatArray:
    pulse = np.full(len(colors), np.nan)
    for run in known_runs(np.asarray(np.isfinite(colors).all(axis=1))):
        if run.stop - run.start >= shortest:
            pulse[run] = extract(colors[run])
    # far below one bit of the stored float32: what is left of a constant color is rounding, and rounding has a spectrum
    pulse[np.abs(pulse) < 1e-9] = 0.0
    return pulse


def _window_sums(values: FloatArray, size: int) -> FloatArray:
    """Add up each window of ``size`` samples, (T, ...) to (T - size + 1, ...)."""
    total = np.cumsum(np.concatenate([np.zeros((1, *values.shape[1:])), values]), axis=0)
    return np.asarray(total[size:] - total[:-size])


def _ratio(over: npt.ArrayLike, under: npt.ArrayLike) -> FloatArray:
    over, under = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    # a projection that does not move has nothing to be tuned against
    still = ~(under > 1e-12)
    return np.asarray(np.where(still, 0.0, over / np.where(still, 1.0, under)))
