"""Whether a rhythm is in the background, too: light that flickers falls on the wall behind a face as well, and a pulse does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.rhythm import phasors, together, uniform_changes
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.signals.luma import LUMA

FloatArray = npt.NDArray[np.float64]

# fewer parts may all be hands and neck
_FEWEST_PARTS = 8
#: Least :func:`background_share` of a rhythm of the light. Of a pulse it is near 0, of a lamp near 1.
LEAST_SHARE = 0.5
# what moves behind a face changes at all rates, and at that of a pulse by chance: a lamp stands out of the rates beside it, which 10 s tell apart
_BESIDE_BPM, _SLOWEST_BPM, _STANDS_OUT = (-35.0, -30.0, -25.0, -20.0, -15.0, 15.0, 20.0, 25.0, 30.0, 35.0), 35.0, 3.0
# parts that sway change in all ways, and their median is uncertain: standard error of a median of independent normal values, in their interquartile
# ranges over the root of their number, and how many of these errors a share must have
_MEDIAN_ERROR, _CERTAIN = 0.93, 2.0
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
        window and those up to 30 s away. NaN where too little of the picture is background, the face does not change, or the background
        changes nearly as much at the rates beside or its parts in all ways, as where something moves in it.

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
    face = phasors(*_changes(blocks.times_s, _face_luma(blocks)[:, None]), spans_s, heart_rate_bpm)
    grid_s, parts = _changes(background.times_s, background.luma.astype(np.float64))
    power = together(np.abs(face) ** 2, spans_s)

    def shares(rate_bpm: FloatArray) -> FloatArray:
        in_phase = together((phasors(grid_s, parts, spans_s, rate_bpm) * face.conj()).real, spans_s)
        return np.asarray(np.divide(in_phase, power, out=np.full(in_phase.shape, np.nan), where=power > _LEAST_POWER))

    low, found, high = np.percentile(shares(heart_rate_bpm), (25, 50, 75), axis=1)
    if not (found >= LEAST_SHARE).any():
        return np.asarray(found)
    beside = np.stack([heart_rate_bpm + apart for apart in _BESIDE_BPM])
    counted = beside >= _SLOWEST_BPM
    others = np.where(counted, np.square([np.median(shares(one), axis=1) for one in beside]), 0.0)
    by_chance = np.sqrt(others.sum(axis=0) / np.maximum(counted.sum(axis=0), 1))
    error = _MEDIAN_ERROR * (high - low) / np.sqrt(background.luma.shape[1])
    return np.where((found < _STANDS_OUT * by_chance) | (found < _CERTAIN * error), np.nan, found)


def is_light(share: FloatArray) -> npt.NDArray[np.bool_]:
    """Return whether a rhythm is one of the light, by its :func:`background_share`; False where that is NaN.

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
    luma = (weight * (np.nan_to_num(blocks.means) @ np.array(LUMA))).sum(axis=1)
    return np.asarray(np.divide(luma, total, out=np.full(len(total), np.nan), where=total > 0))


def _changes(times_s: FloatArray, luma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the uniform changes of columns of luma, relative to their level."""
    level = np.nanmedian(luma, axis=0) if np.isfinite(luma).any() else np.ones(luma.shape[1])
    return uniform_changes(times_s, luma / np.maximum(level, 1.0))
