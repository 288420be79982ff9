"""Whether a rhythm has the color of blood: a pulse changes the hue of skin, a lamp that flickers changes its brightness alone.

Blood absorbs green most, so at the rate of a pulse the relative changes of R, G and B have the ratios 0.33 to 0.77 to 0.53 (de Haan and van
Leest: Improved motion robustness of remote-PPG by using the blood volume pulse signature. Physiol. Meas. 35, 2014). Split into a change of
brightness, the same in all channels, and the rest, the rest is a third of it. Of a lamp it is nothing; of what a codec leaves
of a movement it may be all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.rhythm import phasors, together, uniform_changes
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.simulation.pulse import PULSE_RGB

FloatArray = npt.NDArray[np.float64]

_GRAY = np.ones(3) / np.sqrt(3)
_HUE = (PULSE_RGB - PULSE_RGB.mean()) / np.linalg.norm(PULSE_RGB - PULSE_RGB.mean())
_EXPECTED = float(PULSE_RGB @ _HUE / (PULSE_RGB @ _GRAY))
#: Least :func:`color_ratio` of a pulse: 95 % of 206 simulated windows whose rate is found have more, and photographs in flickering light less.
LEAST_RATIO = 0.25


def has_pulse_color(ratio: FloatArray) -> npt.NDArray[np.bool_]:
    """Return whether a ratio may be that of a pulse; so is what is not known.

    Examples
    --------
    >>> has_pulse_color(np.array([0.0, 1.0, np.nan])).tolist()
    [False, True, True]
    """
    return ~np.asarray(ratio < LEAST_RATIO)


def color_ratio(
    blocks: BlockTrace, block_weights: FloatArray | None, spans_s: FloatArray, heart_rate_bpm: FloatArray
) -> FloatArray:
    """Compute how much of a rhythm is a change of hue as blood makes it, beside the change of brightness.

    Parameters
    ----------
    blocks : BlockTrace
    block_weights : (N,) array, optional
        How much a network attends to each block.
    spans_s : (W, 2) array
    heart_rate_bpm : (W,) array
        Rate of the rhythm in each window.

    Returns
    -------
    (W,) array
        Ratio of hue to brightness, over that of a pulse: 1 for a pulse, 0 where there is no change of hue, negative for the opposite
        one; of each window and those up to 30 s away; in the whole face or where a network looks, whichever is more. NaN where nothing
        is known.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> pulse = example_result(frames=300, heart_rate_bpm=72.0).blocks
    >>> span_s, rate_bpm = np.array([[0.0, 10.0]]), np.array([72.0])
    >>> color_ratio(pulse, None, span_s, rate_bpm).round(1).tolist()
    [1.3]
    >>> lamp = 1 + 0.01 * np.sin(2 * np.pi * 1.2 * pulse.times_s)
    >>> flickering = BlockTrace(pulse.times_s, (lamp[:, None, None] * pulse.means[:1]).astype(np.float32), pulse.coverage, pulse.grid)
    >>> abs(color_ratio(flickering, None, span_s, rate_bpm)).round(1).tolist()
    [0.0]
    """
    whole = _color_ratio(blocks, blocks.coverage.astype(np.float64), spans_s, heart_rate_bpm)
    if block_weights is None:
        return whole
    return np.fmax(whole, _color_ratio(blocks, block_weights[None], spans_s, heart_rate_bpm))


def _color_ratio(blocks: BlockTrace, block_weights: FloatArray, spans_s: FloatArray, heart_rate_bpm: FloatArray) -> FloatArray:
    means = blocks.means.astype(np.float64)
    known = np.isfinite(means)
    level = np.where(known, means, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    relative = np.where(known, means / np.maximum(level, 1.0) - 1, 0.0)
    weight = known * block_weights[:, :, None]
    total = weight.sum(axis=1)
    color = np.divide((weight * relative).sum(axis=1), total, out=np.full((len(means), 3), np.nan), where=total > 0)
    found = phasors(*uniform_changes(blocks.times_s, color), spans_s, heart_rate_bpm)
    gray, hue = found @ _GRAY, found @ _HUE
    # hue in phase with the brightness, and power of the brightness
    hue_power, gray_power = together(np.column_stack([(hue * gray.conj()).real, np.abs(gray) ** 2]), spans_s).T
    ratio = np.divide(hue_power, gray_power, out=np.full(len(spans_s), np.nan), where=gray_power > 0)
    return np.asarray(ratio / _EXPECTED)
