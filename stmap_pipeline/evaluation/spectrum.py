"""Heart rate and signal-to-noise ratio from the spectrum of a pulse.

The grid is 0.1 bpm or finer whatever the length of the signal: a spectrum without zero padding steps by 60 / duration bpm, which
is 7 bpm and more for a few seconds, and rounds estimate and truth to the same few values. A fine grid adds no resolution:
two rates closer than about 120 / duration bpm still melt into one peak.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len, rfft
from scipy.linalg import solveh_banded

FloatArray = npt.NDArray[np.float64]

GRID_BPM = 0.1
BAND_BPM = (40.0, 180.0)
# the SNR also needs room for the first harmonic
SNR_BAND_BPM = (40.0, 240.0)
SNR_HALF_WIDTH_BPM = 6.0
# slower than this is trend: half of 0.25 Hz stays, 98 % of 40 bpm
TREND_HZ = 0.25
MIN_CYCLES = 2


class Spectrum(NamedTuple):
    """Power over heart rate.

    Parameters
    ----------
    rates_bpm : (F,) array
        Even grid of 0.1 bpm or finer.
    power : (F,) array
        Arbitrary units.
    """

    rates_bpm: FloatArray
    power: FloatArray


def detrend(signal: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Remove what is slower than 0.25 Hz, gaps allowed.

    The trend is the smooth curve that minimizes squared distance to the known samples plus the weighted squared second
    difference (smoothness priors); unlike a filter it has no edge to settle at and passes under a gap.

    Parameters
    ----------
    signal : (T,) array
        Uniform samples, NaN in gaps.
    rate_hz : float

    Returns
    -------
    (T,) array of float64
        NaN where the signal is.

    References
    ----------
    Tarvainen, Ranta-aho, Karjalainen: An advanced detrending method with application to HRV analysis. IEEE Trans. Biomed.
    Eng. 49 (2002).

    Examples
    --------
    >>> bool(np.abs(detrend(np.linspace(3, 9, 300), rate_hz=30)).max() < 1e-6)
    True
    """
    values = np.asarray(signal, dtype=np.float64)
    known = np.isfinite(values)
    if values.ndim != 1:
        raise ValueError(f"a signal has one axis (time), not shape {values.shape}")
    if known.sum() < 3:
        return np.where(known, 0.0, np.nan)
    size = len(values)
    # the gain of the trend is 1 / (1 + stiffness * (2 sin(pi f / rate))^4): one half at TREND_HZ
    stiffness = (2 * np.sin(np.pi * min(TREND_HZ / rate_hz, 0.5))) ** -4
    difference = np.array([1.0, -2.0, 1.0])
    bands = np.zeros((3, size))
    bands[2] = known
    for i in range(3):
        for j in range(i, 3):
            lag = j - i
            bands[2 - lag, j : size - 2 + j] += stiffness * difference[i] * difference[j]
    trend = solveh_banded(bands, np.where(known, values, 0.0))
    return np.asarray(values - trend)


def power_spectrum(signal: npt.ArrayLike, rate_hz: float, band_bpm: tuple[float, float] = BAND_BPM) -> Spectrum:
    """Compute the zero-padded periodogram of a detrended, Hann-windowed signal inside a band.

    Parameters
    ----------
    signal : (T,) array
        Uniform samples, NaN in gaps; a gap has no weight.
    rate_hz : float
    band_bpm : (float, float)
        Lowest and highest rate; cut at half the sampling rate.

    Returns
    -------
    Spectrum
        Empty where the signal is too short (known samples of less than two beats at the low end of the band) or does not move.

    Raises
    ------
    ValueError
        Where the band is empty or lies above half the sampling rate.

    Examples
    --------
    >>> spectrum = power_spectrum(np.sin(2 * np.pi * 1.25 * np.arange(300) / 30), rate_hz=30)
    >>> round(float(spectrum.rates_bpm[spectrum.power.argmax()]), 1)
    75.0
    """
    low_bpm, high_bpm = band_bpm[0], min(band_bpm[1], 30.0 * rate_hz)
    if not 0 < low_bpm < high_bpm:
        raise ValueError(f"no rate between {band_bpm[0]} and {band_bpm[1]} bpm can be seen at {rate_hz} Hz")
    values = np.asarray(signal, dtype=np.float64)
    residue = detrend(values, rate_hz)
    known = np.isfinite(residue)
    if known.sum() < MIN_CYCLES * 60.0 * rate_hz / low_bpm:
        return Spectrum(np.empty(0), np.empty(0))
    # what is left of a constant or a ramp is rounding
    if np.abs(residue[known]).max() <= 1e-9 * np.abs(values[known]).max():
        return Spectrum(np.empty(0), np.empty(0))

    first, last = np.flatnonzero(known)[[0, -1]]
    taper = np.hanning(last - first + 3)[1:-1] * known[first : last + 1]
    size = next_fast_len(max(int(np.ceil(60.0 * rate_hz / GRID_BPM)), last - first + 1), real=True)
    power = np.abs(rfft(np.where(known, residue, 0.0)[first : last + 1] * taper, size)) ** 2
    rates_bpm = np.arange(len(power), dtype=np.float64) * (60.0 * rate_hz / size)
    inside = (rates_bpm >= low_bpm) & (rates_bpm <= high_bpm)
    return Spectrum(rates_bpm[inside], power[inside])


def dominant_rate_bpm(signal: npt.ArrayLike, rate_hz: float, band_bpm: tuple[float, float] = BAND_BPM) -> float:
    """Find the rate of the highest peak, refined by a parabola through its three highest points.

    Only a peak counts: power that merely falls from an end of the band comes from outside it.

    Parameters
    ----------
    signal : (T,) array
        Uniform samples, NaN in gaps.
    rate_hz : float
    band_bpm : (float, float)

    Returns
    -------
    float
        Beats per minute; NaN where the signal is too short, does not move or has no peak in the band.

    Examples
    --------
    >>> round(dominant_rate_bpm(np.sin(2 * np.pi * 1.237 * np.arange(180) / 30), rate_hz=30), 1)
    74.2
    >>> dominant_rate_bpm(np.full(300, np.nan), rate_hz=30)
    nan
    """
    rates_bpm, power = power_spectrum(signal, rate_hz, band_bpm)
    inner = power[1:-1]
    peaks = 1 + np.flatnonzero((inner > power[:-2]) & (inner >= power[2:]))
    if not peaks.size:
        return float("nan")
    top = int(peaks[power[peaks].argmax()])
    left, center, right = power[top - 1 : top + 2]
    shift = 0.5 * (left - right) / (left - 2 * center + right)
    return float(rates_bpm[top] + shift * (rates_bpm[1] - rates_bpm[0]))


def snr_db(signal: npt.ArrayLike, rate_hz: float, heart_rate_bpm: float, band_bpm: tuple[float, float] = SNR_BAND_BPM) -> float:
    """Compare the power at a heart rate with the rest of the band.

    ``10 log10(P_in / P_out)`` with ``P_in`` the power within 6 bpm of the rate and of its double.

    Parameters
    ----------
    signal : (T,) array
        Uniform samples, NaN in gaps.
    rate_hz : float
    heart_rate_bpm : float
        The true rate, or an estimate; with an estimate the number says how sharp the peak is, not whether it is right.
    band_bpm : (float, float)

    Returns
    -------
    float
        Decibels; NaN where the signal has no spectrum or the rate is unknown or outside the band.

    References
    ----------
    de Haan, Jeanne: Robust pulse rate from chrominance-based rPPG. IEEE Trans. Biomed. Eng. 60 (2013).

    Examples
    --------
    >>> beat = np.sin(2 * np.pi * 1.2 * np.arange(900) / 30)
    >>> snr_db(beat, 30, 72) > 20 > 0 > snr_db(beat, 30, 100)
    True
    """
    rates_bpm, power = power_spectrum(signal, rate_hz, band_bpm)
    if not rates_bpm.size or not rates_bpm[0] <= heart_rate_bpm <= rates_bpm[-1]:
        return float("nan")
    inside = np.zeros(len(power), dtype=np.bool_)
    for harmonic in (1, 2):
        inside |= np.abs(rates_bpm - harmonic * heart_rate_bpm) <= SNR_HALF_WIDTH_BPM
    signal_power, noise_power = power[inside].sum(), power[~inside].sum()
    if signal_power <= 0 or noise_power <= 0:
        return float("nan")
    return float(10 * np.log10(signal_power / noise_power))
