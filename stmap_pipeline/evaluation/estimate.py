"""Heart rate of a recording, from its block means or from its pulse label, by one and the same way.

An estimate and the contact sensor it is held against go through the same resampling, the same windows and the same
spectrum, so a difference between the two is a difference of the signals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.classical import method_named
from stmap_pipeline.evaluation.face import face_mean
from stmap_pipeline.evaluation.spectrum import BAND_BPM, dominant_rate_bpm
from stmap_pipeline.evaluation.spectrum_batch import dominant_rates_bpm
from stmap_pipeline.maps.uniform import resample_uniform
from stmap_pipeline.records import BlockTrace, PulseTrace

FloatArray = npt.NDArray[np.float64]

RATE_HZ = 30.0


class UniformPulse(NamedTuple):
    """A pulse on a uniform clock.

    Parameters
    ----------
    times_s : (T,) array
    value : (T,) array
        Arbitrary units, NaN where unknown.
    rate_hz : float
    """

    times_s: FloatArray
    value: FloatArray
    rate_hz: float


class HeartRateSeries(NamedTuple):
    """Heart rate in a sliding window.

    Parameters
    ----------
    times_s : (W,) array
        Center of each window on the clock of the recording.
    heart_rate_bpm : (W,) array
        NaN where less than half of the window, or too little for a spectrum, is known.
    """

    times_s: FloatArray
    heart_rate_bpm: FloatArray


def uniform_pulse(source: BlockTrace | PulseTrace | UniformPulse, method: str = "pos", *, rate_hz: float = RATE_HZ) -> UniformPulse:
    """Bring a recording's pulse onto a uniform clock.

    Parameters
    ----------
    source : BlockTrace, PulseTrace or UniformPulse
        Block means, from which ``method`` extracts a pulse, or a pulse label, which is resampled as it is. A pulse that is on
        a uniform clock already is returned as it is, so that several numbers can be computed from one extraction.
    method : {"green", "chrom", "pos"}
    rate_hz : float
        Gaps of more than 0.5 s in the source stay gaps.

    Returns
    -------
    UniformPulse

    Raises
    ------
    UnknownNameError
        Where there is no such method.

    Examples
    --------
    >>> label = PulseTrace(np.arange(0, 10, 0.02), np.sin(2 * np.pi * 1.2 * np.arange(0, 10, 0.02)))
    >>> uniform_pulse(label, rate_hz=30).times_s[:3].round(3).tolist()
    [0.0, 0.033, 0.067]
    """
    if isinstance(source, UniformPulse):
        return source
    if isinstance(source, PulseTrace):
        times_s, values = resample_uniform(source.times_s, source.value[:, None], rate_hz)
        return UniformPulse(times_s, values[:, 0], rate_hz)
    extract = method_named(method)
    times_s, values = resample_uniform(source.times_s, face_mean(source), rate_hz)
    return UniformPulse(times_s, extract(values, rate_hz), rate_hz)


def estimate_heart_rate(
    source: BlockTrace | PulseTrace | UniformPulse,
    method: str = "pos",
    *,
    rate_hz: float = RATE_HZ,
    band_bpm: tuple[float, float] = BAND_BPM,
    start_s: float = -np.inf,
    stop_s: float = np.inf,
) -> float:
    """Estimate one heart rate for a recording or a part of it.

    Parameters
    ----------
    source : BlockTrace, PulseTrace or UniformPulse
    method : {"green", "chrom", "pos"}
        How to extract a pulse from block means; a pulse label needs none.
    rate_hz : float
        Uniform rate of the pulse.
    band_bpm : (float, float)
        Where to look for the rate.
    start_s, stop_s : float
        The part to look at, ``[start_s, stop_s)``.

    Returns
    -------
    float
        Beats per minute; NaN where no pulse can be seen (no face, too short, no movement).

    Examples
    --------
    >>> label = PulseTrace(np.arange(0, 10, 0.02), np.sin(2 * np.pi * 1.2 * np.arange(0, 10, 0.02)))
    >>> round(estimate_heart_rate(label), 1)
    72.0
    """
    pulse = uniform_pulse(source, method, rate_hz=rate_hz)
    inside = (pulse.times_s >= start_s) & (pulse.times_s < stop_s)
    return dominant_rate_bpm(pulse.value[inside], pulse.rate_hz, band_bpm)


def heart_rate_over_time(
    source: BlockTrace | PulseTrace | UniformPulse,
    method: str = "pos",
    *,
    window_s: float = 6.0,
    step_s: float = 1.0,
    rate_hz: float = RATE_HZ,
    band_bpm: tuple[float, float] = BAND_BPM,
) -> HeartRateSeries:
    """Estimate the heart rate in a sliding window.

    Windows start at whole multiples of ``step_s``, so the series of two sources on one clock share their times.

    Parameters
    ----------
    source : BlockTrace, PulseTrace or UniformPulse
    method : {"green", "chrom", "pos"}
    window_s, step_s : float
        Length of the window and step to the next.
    rate_hz : float
    band_bpm : (float, float)

    Returns
    -------
    HeartRateSeries
        Empty where the source is shorter than one window.

    Examples
    --------
    >>> label = PulseTrace(np.arange(0, 10, 0.02), np.sin(2 * np.pi * 1.2 * np.arange(0, 10, 0.02)))
    >>> series = heart_rate_over_time(label, step_s=2)
    >>> series.times_s.tolist(), series.heart_rate_bpm.round(0).tolist()
    ([3.0, 5.0, 7.0], [72.0, 72.0, 72.0])
    """
    if not (window_s > 0 and step_s > 0):
        raise ValueError(f"window_s and step_s must be positive, not {window_s} and {step_s}")
    pulse = uniform_pulse(source, method, rate_hz=rate_hz)
    rate_hz = pulse.rate_hz
    if not pulse.times_s.size:
        return HeartRateSeries(np.empty(0), np.empty(0))
    first_s, last_s = float(pulse.times_s[0]), float(pulse.times_s[-1]) + 1.0 / rate_hz
    # half a sample of slack: a recording of exactly one window has one window
    slack_s = 0.5 / rate_hz
    first = int(np.ceil((first_s - slack_s) / step_s))
    last = int(np.floor((last_s - window_s + slack_s) / step_s))
    starts_s = np.arange(first, last + 1, dtype=np.float64) * step_s
    size = round(window_s * rate_hz)
    begins = np.maximum(np.round((starts_s - first_s) * rate_hz), 0).astype(np.int64)
    parts = [pulse.value[begin : begin + size] for begin in begins]
    rates = dominant_rates_bpm(parts, rate_hz, band_bpm)
    rates[[2 * np.isfinite(part).sum() < size for part in parts]] = np.nan
    return HeartRateSeries(starts_s + window_s / 2, rates)
