"""Whether a rhythm is in the background, too: light that flickers falls on the wall behind a face as well, and a pulse does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.heart_rate import RATE_HZ, on_uniform_grid
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.signals.spectrum import detrend

FloatArray = npt.NDArray[np.float64]

# fewer parts may all be hands and neck
_FEWEST_PARTS = 8
_LUMA = np.array([0.299, 0.587, 0.114])
#: Least :func:`background_share` of a rhythm of the light. Of a pulse it is near 0, of a lamp near 1.
LEAST_SHARE = 0.5
# windows up to so far away are looked at together, as their color is
_TOGETHER_S = 30.0
# least power of a rhythm of the face: below a millionth of its luma there are only errors of rounding, which are alike in all parts
_LEAST_POWER = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Luma of the parts of the picture that hold no face.

    Parameters
    ----------
    times_s : (T,) array of float64
    luma : (T, C) array of float32
        Mean of each part in gray levels; no column where the face fills the picture.
    """

    times_s: FloatArray
    luma: npt.NDArray[np.float32]


def background_share(background: Background, blocks: BlockTrace, spans_s: FloatArray, heart_rate_bpm: FloatArray) -> FloatArray:
    """Compute how strong a rhythm of the face is in the background, in phase with it.

    Parameters
    ----------
    background : Background
    blocks : BlockTrace
    spans_s : (W, 2) array
    heart_rate_bpm : (W,) array
        Rate of the rhythm in each window.

    Returns
    -------
    (W,) array
        Relative change of luma at the rate, of the median part of the background over that of the face: 0 for a pulse, 1 for light; of each
        window and those up to 30 s away. NaN where too little of the picture is background, or the
        face does not change.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> blocks = example_result(frames=300, heart_rate_bpm=72.0).blocks
    >>> span_s, rate_bpm = np.array([[0.0, 10.0]]), np.array([72.0])
    >>> face = np.nanmean(blocks.means, axis=1) @ [0.299, 0.587, 0.114]
    >>> lit = Background(blocks.times_s, np.tile(face[:, None] / 2, (1, 20)).astype(np.float32))
    >>> still = Background(blocks.times_s, np.full((300, 20), 90.0, dtype=np.float32))
    >>> [background_share(one, blocks, span_s, rate_bpm).round(1).tolist() for one in (lit, still)]
    [[1.0], [0.0]]
    """
    if background.luma.shape[1] < _FEWEST_PARTS:
        return np.full(len(spans_s), np.nan)
    face = _phasors(blocks.times_s, _face_luma(blocks)[:, None], spans_s, heart_rate_bpm)
    parts = _phasors(background.times_s, background.luma.astype(np.float64), spans_s, heart_rate_bpm)
    centers_s = spans_s.mean(axis=1)
    near = np.maximum(1 - np.abs(centers_s - centers_s[:, None]) / _TOGETHER_S, 0.0)
    power = near @ np.abs(face) ** 2
    together = near @ (parts * face.conj()).real
    shares = np.divide(together, power, out=np.full(together.shape, np.nan), where=power > _LEAST_POWER)
    return np.asarray(np.median(shares, axis=1))


def is_light(share: FloatArray) -> npt.NDArray[np.bool_]:
    """Return whether a rhythm is one of the light; what is not known is not.

    Examples
    --------
    >>> is_light(np.array([0.0, 1.0, np.nan])).tolist()
    [False, True, False]
    """
    return np.asarray(share >= LEAST_SHARE)


def _face_luma(blocks: BlockTrace) -> FloatArray:
    """(T,) luma of all blocks that are seen, NaN where none is."""
    weight = np.where(np.isfinite(blocks.means).all(axis=2), blocks.coverage, 0.0)
    total = weight.sum(axis=1)
    luma = (weight * (np.nan_to_num(blocks.means) @ _LUMA)).sum(axis=1)
    return np.asarray(np.divide(luma, total, out=np.full(len(total), np.nan), where=total > 0))


def _phasors(times_s: FloatArray, luma: FloatArray, spans_s: FloatArray, heart_rate_bpm: FloatArray) -> npt.NDArray[np.complex128]:
    """(W, C) relative amplitude and phase of columns of luma at the rate of each window; 0 where nothing is known."""
    found = np.zeros((len(spans_s), luma.shape[1]), dtype=np.complex128)
    grid_s, uniform = on_uniform_grid(times_s, luma)
    if not len(grid_s):
        return found
    level = np.nanmedian(uniform, axis=0) if np.isfinite(uniform).any() else np.ones(luma.shape[1])
    series = detrend(uniform.T / np.maximum(level, 1.0)[:, None], RATE_HZ)
    for index, ((start_s, stop_s), rate_bpm) in enumerate(zip(spans_s.tolist(), heart_rate_bpm.tolist(), strict=True)):
        first, last = np.searchsorted(grid_s, [start_s - 1e-6, stop_s - 1e-6])
        part = series[:, first:last]
        known = np.isfinite(part).all(axis=0)
        if known.any() and np.isfinite(rate_bpm):
            taper = np.hanning(part.shape[1] + 2)[1:-1] * known
            # of the clock of both, not of the samples: they may begin at different times
            turns = np.exp(-2j * np.pi * rate_bpm / 60 * grid_s[first:last])
            found[index] = np.where(known, part, 0.0) @ (taper * turns)
    return found
