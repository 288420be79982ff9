"""Find the beats of a pulse wave or an ECG, as peaks that stand out by a third of what is usual around them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

# what lies outside is no heart rate of a person in front of a camera: a sensor fault, or another unit
MIN_HEART_RATE_BPM, MAX_HEART_RATE_BPM = 25.0, 240.0
PULSE_BAND_HZ, ECG_BAND_HZ = (0.5, 8.0), (5.0, 20.0)
# half the length of a QRS complex, about
_QRS_S = 0.03
# a beat stands out by so much of what is usual around it; the second wave of a pulse stands out by less
MIN_PROMINENCE = 0.35
# the first or last wave that is lower, in parts of the usual one, is no beat
LEAST_HEIGHT = 0.5


def find_beats(wave: npt.ArrayLike, rate_hz: float, *, ecg: bool = False) -> FloatArray:
    """Find the beats of a pulse wave or an ECG on a uniform grid, without gaps.

    Parameters
    ----------
    wave : (n,) array_like
    rate_hz : float
        At least 50.
    ecg : bool

    Returns
    -------
    (b,) array of float64
        Places of the beats in samples, with fractions.

    Examples
    --------
    >>> find_beats(np.cos(2 * np.pi * np.arange(500) / 100), 100.0).round().tolist()
    [100.0, 200.0, 300.0, 400.0]
    """
    signal = np.asarray(wave, dtype=np.float64)
    filtered = band_passed(signal - signal.mean(), rate_hz, ECG_BAND_HZ if ecg else PULSE_BAND_HZ)
    if not np.abs(filtered).max(initial=0.0) > 1e-9 * np.abs(signal).max(initial=0.0):
        return np.empty(0)
    if ecg:
        height = scipy.ndimage.gaussian_filter1d(np.abs(filtered), _QRS_S * rate_hz)
    else:
        # the rise of a pulse is steeper than its fall, whichever way up the sensor shows it
        height = filtered if np.mean(np.diff(filtered) ** 3) >= 0 else -filtered
    peaks, found = scipy.signal.find_peaks(height, distance=max(1, round(60.0 / MAX_HEART_RATE_BPM * rate_hz)), prominence=0.0)
    usual = _usual_range(height, rate_hz)
    beats = peaks[found["prominences"] >= MIN_PROMINENCE * usual[peaks]]
    if ecg and beats.size:
        # next to the ends, a filter makes a complex of what is none, or of a part of one
        least = LEAST_HEIGHT * np.median(height[beats])
        beats = beats[int(height[beats[0]] < least) : beats.size - int(height[beats[-1]] < least)]
    return _refined(beats, height)


def _usual_range(height: FloatArray, rate_hz: float) -> FloatArray:
    """Return the usual difference between highest and lowest value within one slow beat, over six seconds around each sample."""
    size = max(3, round(60.0 / MIN_HEART_RATE_BPM * 0.75 * rate_hz))
    step = max(1, round(0.1 * rate_hz))
    spread = (scipy.ndimage.maximum_filter1d(height, size) - scipy.ndimage.minimum_filter1d(height, size))[::step]
    usual = scipy.ndimage.median_filter(spread, size=min(spread.size, 61), mode="nearest")
    return np.repeat(usual, step)[: height.size]


def band_passed(signal: FloatArray, rate_hz: float, band_hz: tuple[float, float]) -> FloatArray:
    """Return a uniform signal without what is slower or faster than a band, which moves nothing in time."""
    sections = scipy.signal.butter(2, band_hz, "bandpass", fs=rate_hz, output="sos")
    padding = min(signal.size - 1, round(2 * rate_hz))
    return np.asarray(scipy.signal.sosfiltfilt(sections, signal, padtype="even", padlen=padding))


def _refined(peaks: IntArray, height: FloatArray) -> FloatArray:
    """Return the places of peaks with fractions, by the parabola through three samples."""
    if not peaks.size:
        return np.empty(0)
    left, center, right = height[peaks - 1], height[peaks], height[peaks + 1]
    curve = left - 2 * center + right
    shift = np.divide(0.5 * (left - right), curve, out=np.zeros(peaks.size), where=curve < 0)
    return np.asarray(peaks + np.clip(shift, -0.5, 0.5), dtype=np.float64)
