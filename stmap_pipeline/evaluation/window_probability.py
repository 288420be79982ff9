"""Probability of each heart rate in a window of traces, by a classical method: from its spectrum, and from how the blocks agree.

A conditional logit: each rate has a score, a weighted sum of a few measures, and its probability is the exponential of the score over the
sum of all of them; one more alternative, that there is no pulse, has a constant score. The weights are fitted by maximum likelihood on
simulated windows whose rates are evenly spread, with and without a pulse; ``benchmarks/estimate_probability.py`` makes them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.heart_rate import RATE_HZ, on_uniform_grid
from stmap_pipeline.evaluation.heart_rate_path import PathCalibration
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.signals.classical import face_mean, method_named
from stmap_pipeline.signals.spectrum import SNR_BAND_BPM, power_spectrum

FloatArray = npt.NDArray[np.float64]

#: Heart rates that are told apart.
RATES_BPM: FloatArray = np.arange(40.0, 181.0)
#: A window in which less of the time is known tells nothing.
KNOWN = 0.5
# a block is heard where so much of its time is known
_BLOCK_KNOWN = 0.75
_FEWEST_BLOCKS = 4

#: Measures of a rate, in the order of the weights.
MEASURES = ("power", "power at the double rate", "agreement", "power and agreement")
#: By method: the weights of the measures, and the score of there being no pulse.
WEIGHTS: dict[str, tuple[float, float, float, float, float]] = {
    "green": (0.046, 0.190, 1.715, 1.858, 5.616),
    "chrom": (0.071, 0.164, -2.340, 3.557, 4.600),
    "pos": (0.139, 0.139, -1.012, 2.590, 4.765),
}
#: By method: what makes of a path through windows a probability that holds.
CALIBRATION: dict[str, PathCalibration] = {
    "green": PathCalibration(0.256, 0.1, 1.236),
    "chrom": PathCalibration(0.503, 0.273, 0.965),
    "pos": PathCalibration(0.427, 0.1, 1.226),
}


class PulseSignals(NamedTuple):
    """The pulse of a face and of each of its blocks on one uniform clock.

    Parameters
    ----------
    times_s : (T,) array
    face : (T,) array
        NaN where unknown.
    blocks : (T, N) array
    method : str
    rate_hz : float
    """

    times_s: FloatArray
    face: FloatArray
    blocks: FloatArray
    method: str
    rate_hz: float


def pulse_signals(blocks: BlockTrace, method: str = "pos") -> PulseSignals:
    """Extract the pulse of the face and of each block.

    Parameters
    ----------
    blocks : BlockTrace
    method : {"green", "chrom", "pos"}

    Raises
    ------
    UnknownNameError
        Where there is no such method.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> signals = pulse_signals(example_result(frames=300).blocks)
    >>> signals.face.shape, signals.blocks.shape
    ((300,), (300, 4))
    """
    extract = method_named(method)
    frames, count = len(blocks.times_s), blocks.grid.count
    colors = np.concatenate([face_mean(blocks), blocks.means.reshape(frames, 3 * count)], axis=1)
    times_s, uniform = on_uniform_grid(blocks.times_s, colors)
    # one series at a time: a block that is out of sight must not take the others along
    series = [extract(uniform[:, first : first + 3], RATE_HZ) for first in range(0, uniform.shape[1], 3)]
    return PulseSignals(times_s, series[0], np.stack(series[1:], axis=1), method, RATE_HZ)


def window_measures(signals: PulseSignals, begin: int, end: int) -> FloatArray | None:
    """Compute the measures of each rate in samples ``begin`` to ``end``.

    Parameters
    ----------
    signals : PulseSignals
    begin, end : int

    Returns
    -------
    (R, 4) array or None
        For each of :data:`RATES_BPM` the measures of :data:`MEASURES`: the logarithm of the power over the mean power of the band,
        at the rate and at its double (0 where that is beyond the band); the agreement in phase of the blocks, from 0 to 1: the
        length of the mean of their unit phasors, since a pulse reaches all skin at once, while motion makes some blocks brighter and
        others darker, and noise has no order; and the product of power and agreement. None where less than half of the window is
        known or nothing moves.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> measures = window_measures(pulse_signals(example_result(frames=300, heart_rate_bpm=72.0).blocks), 0, 300)
    >>> measures.shape, float(RATES_BPM[measures[:, 3].argmax()])
    ((141, 4), 72.0)
    """
    face = signals.face[begin:end]
    if not len(face) or np.isfinite(face).mean() < KNOWN:
        return None
    spectrum = power_spectrum(face, signals.rate_hz, SNR_BAND_BPM)
    if not spectrum.known:
        return None
    # the limits keep a signal without any noise from deciding the fit
    power = np.clip(np.log(np.maximum(spectrum.power, 1e-300) / spectrum.power.mean()), -4.0, 4.0)
    here, double = (np.interp(factor * RATES_BPM, spectrum.rates_bpm, power, right=0.0) for factor in (1, 2))
    agreement = _agreement(signals.blocks[begin:end], signals.rate_hz)
    return np.stack([here, double, agreement, here * agreement], axis=1)


def window_probability(
    signals: PulseSignals, spans_s: FloatArray, weights: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Compute the probability of each rate in each window, and of there being no pulse.

    Parameters
    ----------
    signals : PulseSignals
    spans_s : (W, 2) array
        Start and end of each window.
    weights : sequence of 5 floats, optional
        Instead of those of :data:`WEIGHTS`.

    Returns
    -------
    probability : (W, R) array
        Of each of :data:`RATES_BPM`; NaN where a window tells nothing.
    no_pulse : (W,) array
        The rest to 1.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> signals = pulse_signals(example_result(frames=300, heart_rate_bpm=72.0).blocks)
    >>> probability, no_pulse = window_probability(signals, np.array([[0.0, 10.0]]))
    >>> float(RATES_BPM[probability[0].argmax()]), bool(no_pulse[0] < 0.1)
    (72.0, True)
    """
    *slopes, constant = WEIGHTS[signals.method] if weights is None else np.asarray(weights).tolist()
    whole = np.full((len(spans_s), len(RATES_BPM) + 1), np.nan)
    for row, (start_s, stop_s) in zip(whole, np.asarray(spans_s).tolist(), strict=True):
        begin, end = (round((time_s - signals.times_s[0]) * signals.rate_hz) for time_s in (start_s, stop_s))
        measures = window_measures(signals, begin, end)
        if measures is not None:
            scores = np.append(measures @ np.array(slopes), constant)
            row[:] = np.exp(scores - scores.max())
    whole /= whole.sum(axis=1, keepdims=True)
    return whole[:, :-1], whole[:, -1]


def _agreement(blocks: FloatArray, rate_hz: float) -> FloatArray:
    """Return for each rate the length of the mean unit phasor of the blocks, (R,); 0 where too few blocks are known."""
    known = np.isfinite(blocks)
    seen = known.mean(axis=0) >= _BLOCK_KNOWN * known.any(axis=1).mean()
    if seen.sum() < _FEWEST_BLOCKS:
        return np.zeros(len(RATES_BPM))
    taper = np.hanning(len(blocks) + 2)[1:-1, None] * known[:, seen]
    values = np.where(known, blocks, 0.0)[:, seen]
    # without its mean, so that nothing slow leaks to the rate
    values = values - (taper * values).sum(axis=0) / np.maximum(taper.sum(axis=0), 1e-12)
    turns = np.exp(-2j * np.pi * np.outer(RATES_BPM / 60 / rate_hz, np.arange(len(blocks))))
    phasors = turns @ (taper * values)
    strength = np.abs(phasors)
    unit = np.divide(phasors, strength, out=np.zeros_like(phasors), where=strength > 0)
    return np.asarray(np.abs(unit.mean(axis=1)))
