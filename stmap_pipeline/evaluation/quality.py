"""Quality of a heart rate that was found in the traces of a face: the evidence for it, and one number from 0 to 1.

The number is a calibrated chance: on simulated traces, of the windows with a quality of 0.6 to 0.8, 62 to 64 % are within
5 bpm of the truth, of those above 95 to 97 %. ``benchmarks/quality.py`` makes the numbers of :data:`CALIBRATION`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.heart_rate import RATE_HZ, on_uniform_grid
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.signals.classical import face_mean, method_named
from stmap_pipeline.signals.spectrum import snr_db

FloatArray = npt.NDArray[np.float64]

CLOSE_BPM = 5.0
_KNOWN = 0.75
_FEWEST_BLOCKS = 4
# beyond this the ratio is very good or very bad, and how much does not matter
_LIMITS_DB = (-15.0, 15.0)

#: By method: what a window starts with, and the weight of SNR (per dB), of agreement (per 1) and of length (per doubling of 10 s).
CALIBRATION: dict[str, tuple[float, float, float, float]] = {
    "green": (-3.738, 0.308, 5.378, -0.570),
    "chrom": (-1.513, 0.704, 4.181, -0.071),
    "pos": (-3.618, 0.463, 5.814, -0.218),
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


class Evidence(NamedTuple):
    """Evidence for a heart rate in an interval.

    Parameters
    ----------
    snr_db : float
        Power within 6 bpm of the rate and its double over the rest of the band; see
        :func:`~stmap_pipeline.signals.spectrum.snr_db`.
    agreement : float
        Agreement in phase of the blocks at the rate, from 0 to 1: length of the mean of their unit phasors. A pulse reaches all
        skin at once, while motion makes some blocks brighter and others darker, and noise has no order.
    """

    snr_db: float
    agreement: float


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


def find_evidence(signals: PulseSignals, begin: int, end: int, heart_rate_bpm: float) -> Evidence:
    """Compute the evidence for a heart rate in samples ``begin`` to ``end``.

    Parameters
    ----------
    signals : PulseSignals
    begin, end : int
    heart_rate_bpm : float
        From whatever source.

    Returns
    -------
    Evidence
        NaN where it cannot be measured: too short, no movement, rate unknown; agreement also where fewer than four blocks are seen.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> signals = pulse_signals(example_result(frames=300, heart_rate_bpm=72.0).blocks)
    >>> good, bad = find_evidence(signals, 0, 300, 72.0), find_evidence(signals, 0, 300, 110.0)
    >>> good.snr_db > 10 > -10 > bad.snr_db, round(good.agreement, 3)
    (True, 1.0)
    """
    if not np.isfinite(heart_rate_bpm):
        return Evidence(np.nan, np.nan)
    return Evidence(
        snr_db(signals.face[begin:end], signals.rate_hz, heart_rate_bpm),
        _agreement(signals.blocks[begin:end], heart_rate_bpm / 60 / signals.rate_hz),
    )


def quality(evidence: Evidence, method: str, window_s: float) -> float:
    """Compute from the evidence the chance that a rate is within 5 bpm of the truth.

    Parameters
    ----------
    evidence : Evidence
    method : {"green", "chrom", "pos"}
        That made the signals.
    window_s : float
        Length of the interval; calibrated for 6 to 20 s.

    Returns
    -------
    float
        From 0 to 1; NaN where there is no evidence.

    Examples
    --------
    >>> quality(Evidence(3.0, 0.9), "pos", 10.0) > 0.7 > 0.3 > quality(Evidence(-4.0, 0.3), "pos", 10.0)
    True
    """
    if not all(map(np.isfinite, evidence)):
        return float("nan")
    start, *weights = CALIBRATION[method]
    score = start + float(np.dot(weights, measures(evidence, window_s)))
    return float(1 / (1 + np.exp(-score)))


def measures(evidence: Evidence, window_s: float) -> FloatArray:
    """Return the numbers that :data:`CALIBRATION` weights, in its order."""
    return np.array([np.clip(evidence.snr_db, *_LIMITS_DB), evidence.agreement, np.log2(window_s / 10.0)])


def _agreement(blocks: FloatArray, cycles_per_sample: float) -> float:
    known = np.isfinite(blocks)
    seen = known.mean(axis=0) >= _KNOWN
    if seen.sum() < _FEWEST_BLOCKS:
        return float("nan")
    taper = np.hanning(len(blocks) + 2)[1:-1, None] * known[:, seen]
    values = np.where(known, blocks, 0.0)[:, seen]
    # without its mean, so that nothing slow leaks to the rate
    values = values - (taper * values).sum(axis=0) / taper.sum(axis=0)
    turns = np.exp(-2j * np.pi * cycles_per_sample * np.arange(len(blocks)))
    phasors = turns @ (taper * values)
    strength = np.abs(phasors)
    if not np.all(strength > 0):
        return float("nan")
    return float(np.abs((phasors / strength).mean()))
