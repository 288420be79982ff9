"""Heart rate and signal-to-noise ratio from the spectrum of a pulse, for one signal or many at once.

The grid is 0.1 bpm or finer whatever the length of the signal: a spectrum without zero padding steps by 60 / duration bpm, which
is 7 bpm and more for a few seconds, and rounds estimate and truth to the same few values. A fine grid adds no resolution:
two rates closer than about 120 / duration bpm still merge into one peak. The chirp z-transform computes the bins of the zero-padded
spectrum inside the band and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy

FloatArray = npt.NDArray[np.float64]

GRID_BPM = 0.1
BAND_BPM = (40.0, 180.0)
# the SNR also needs room for the first harmonic
SNR_BAND_BPM = (40.0, 240.0)
SNR_HALF_WIDTH_BPM = 6.0
# slower than this is trend: half of 0.25 Hz stays, 98 % of 40 bpm
TREND_HZ = 0.25
MIN_CYCLES = 2
# windows of a long recording are transformed by so many, which bounds the memory
_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Power over heart rate of one signal or many.

    Parameters
    ----------
    rates_bpm : (F,) array
        Uniform grid of 0.1 bpm or finer.
    power : (..., F) array
        Arbitrary units; NaN where the signal is too short (known samples of less than two beats at the low end of the band) or does
        not move.
    """

    rates_bpm: FloatArray
    power: FloatArray

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Whether each signal has a spectrum, (...)."""
        return np.asarray(np.isfinite(self.power[..., 0]))

    def peak_bpm(self, band_bpm: tuple[float, float] = BAND_BPM) -> FloatArray:
        """Return the rate of the highest peak inside a band, refined by a parabola through its three highest points.

        Only a peak counts: power that merely falls from an end of the band comes from outside it.

        Parameters
        ----------
        band_bpm : (float, float)

        Returns
        -------
        (...) array
            Beats per minute; NaN where the power is NaN or has no peak.
        """
        inside = _inside(self.rates_bpm, *band_bpm)
        rates, power = self.rates_bpm[inside], self.power[..., inside].reshape(-1, int(inside.sum()))
        inner = power[:, 1:-1]
        peak = (inner > power[:, :-2]) & (inner >= power[:, 2:])
        found = np.full(len(power), np.nan)
        rows = np.flatnonzero(peak.any(axis=1))
        if rows.size:
            top = np.where(peak[rows], inner[rows], -1.0).argmax(axis=1) + 1
            left, center, right = (power[rows, top + shift] for shift in (-1, 0, 1))
            found[rows] = rates[top] + 0.5 * (left - right) / (left - 2 * center + right) * (rates[1] - rates[0])
        return found.reshape(self.power.shape[:-1])

    def snr_db(self, heart_rate_bpm: npt.ArrayLike) -> FloatArray:
        """Return the power around a heart rate and its double over the rest, in decibels; see :func:`snr_db`.

        Parameters
        ----------
        heart_rate_bpm : (...) array

        Returns
        -------
        (...) array
            NaN where the power is NaN, or the rate is unknown or outside the band.
        """
        rates, wanted = self.rates_bpm, np.asarray(heart_rate_bpm, dtype=np.float64)
        near = np.zeros((*wanted.shape, len(rates)), dtype=np.bool_)
        for harmonic in (1, 2):
            near |= np.abs(rates - harmonic * wanted[..., None]) <= SNR_HALF_WIDTH_BPM
        signal, total = np.where(near, self.power, 0.0).sum(axis=-1), self.power.sum(axis=-1)
        noise = np.where(near, 0.0, self.power).sum(axis=-1)
        known = (wanted >= rates[0]) & (wanted <= rates[-1]) & (signal > 0) & (noise > 0) & np.isfinite(total)
        ratio = np.divide(signal, noise, out=np.ones_like(signal), where=known)
        return np.asarray(np.where(known, 10 * np.log10(ratio), np.nan))


def detrend(signals: npt.ArrayLike, rate_hz: float) -> FloatArray:
    """Remove what is slower than 0.25 Hz, gaps allowed.

    The trend is the smooth curve that minimizes squared distance to the known samples plus the weighted squared second
    difference (smoothness priors); unlike a filter it has no edge to settle at and passes under a gap.

    Parameters
    ----------
    signals : (..., T) array
        Uniform samples, NaN in gaps.
    rate_hz : float

    Returns
    -------
    (..., T) array of float64
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
    values = np.asarray(signals, dtype=np.float64)
    rows = values.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    known = np.isfinite(rows)
    residual = np.where(known, 0.0, np.nan)
    # signals with the same gaps share their equations
    alike: dict[bytes, list[int]] = {}
    for row, pattern in enumerate(known):
        alike.setdefault(pattern.tobytes(), []).append(row)
    for members in alike.values():
        pattern = known[members[0]]
        if pattern.sum() < 3:
            continue
        first, last = np.flatnonzero(pattern)[[0, -1]]
        part = slice(first, last + 1)
        observed = np.where(pattern[part], rows[members, part], 0.0)
        residual[members, part] = (
            rows[members, part] - scipy.linalg.solveh_banded(_smoothness(pattern[part], rate_hz), observed.T).T
        )
    return residual.reshape(values.shape)


def _smoothness(known: npt.NDArray[np.bool_], rate_hz: float) -> FloatArray:
    """Return the upper bands of the equations of the trend: known samples, and the weighted squared second differences."""
    # the gain of the trend is 1 / (1 + stiffness * (2 sin(pi f / rate))^4): one half at TREND_HZ
    stiffness = (2 * np.sin(np.pi * min(TREND_HZ / rate_hz, 0.5))) ** -4
    difference, size = np.array([1.0, -2.0, 1.0]), len(known)
    bands = np.zeros((3, size))
    bands[2] = known
    for i in range(3):
        for j in range(i, 3):
            bands[2 - (j - i), j : size - 2 + j] += stiffness * difference[i] * difference[j]
    return bands


def power_spectrum(signals: npt.ArrayLike, rate_hz: float, band_bpm: tuple[float, float] = BAND_BPM) -> Spectrum:
    """Compute the zero-padded periodogram of detrended, Hann-windowed signals inside a band.

    Parameters
    ----------
    signals : (..., T) array
        Uniform samples, NaN in gaps; a gap has no weight.
    rate_hz : float
    band_bpm : (float, float)
        Lowest and highest rate; cut at half the sampling rate.

    Returns
    -------
    Spectrum

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
    values = np.asarray(signals, dtype=np.float64)
    rows = values.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    length = rows.shape[1]
    size = int(scipy.fft.next_fast_len(max(int(np.ceil(60.0 * rate_hz / GRID_BPM)), length), real=True))
    step_bpm = 60.0 * rate_hz / size
    first_bin, last_bin = int(np.ceil(low_bpm / step_bpm - 1e-9)), int(np.floor(high_bpm / step_bpm + 1e-9))
    power = np.full((len(rows), last_bin - first_bin + 1), np.nan)

    known = np.isfinite(rows)
    usable = np.flatnonzero(known.sum(axis=1) >= MIN_CYCLES * 60.0 * rate_hz / low_bpm)
    if usable.size:
        known, residual = known[usable], detrend(rows[usable], rate_hz)
        largest = np.where(known, np.abs(rows[usable]), 0.0).max(axis=1)
        residual = np.where(known, residual, 0.0)
        # what is left of a constant or a ramp is rounding
        moves = np.abs(residual).max(axis=1) > 1e-9 * largest
        residual = residual[moves] * _hann(known[moves])
        bins = np.asarray(_transform(length, first_bin, last_bin, size)(residual, axis=1), dtype=np.complex128)
        power[usable[moves]] = bins.real**2 + bins.imag**2
    rates_bpm = np.arange(first_bin, last_bin + 1, dtype=np.float64) * step_bpm
    return Spectrum(rates_bpm, power.reshape(*values.shape[:-1], len(rates_bpm)))


def dominant_rate_bpm(signal: npt.ArrayLike, rate_hz: float, band_bpm: tuple[float, float] = BAND_BPM) -> float:
    """Return the rate of the highest peak in the spectrum of a signal; see :meth:`Spectrum.peak_bpm`.

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
    return float(power_spectrum(signal, rate_hz, band_bpm).peak_bpm(band_bpm))


def dominant_rates_bpm(signals: Sequence[FloatArray], rate_hz: float, band_bpm: tuple[float, float] = BAND_BPM) -> FloatArray:
    """Return the rate of the highest peak of each of many signals, whose lengths may differ.

    Parameters
    ----------
    signals : sequence of (T,) array
        Uniform samples, NaN in gaps.
    rate_hz : float
    band_bpm : (float, float)

    Returns
    -------
    (n,) array
        Beats per minute; NaN where :func:`dominant_rate_bpm` is NaN.

    Examples
    --------
    >>> beats = [np.sin(2 * np.pi * bpm / 60 * np.arange(300) / 30) for bpm in (60, 74.2)]
    >>> dominant_rates_bpm([*beats, np.zeros(250)], rate_hz=30).round(1).tolist()
    [60.0, 74.2, nan]
    """
    found = np.full(len(signals), np.nan)
    for start in range(0, len(signals), _BATCH):
        batch = signals[start : start + _BATCH]
        # unknown samples behind a signal have no weight
        padded = np.full((len(batch), max(1, *map(len, batch))), np.nan)
        for row, one in zip(padded, batch, strict=True):
            row[: len(one)] = one
        found[start : start + len(batch)] = power_spectrum(padded, rate_hz, band_bpm).peak_bpm(band_bpm)
    return found


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
    return float(power_spectrum(signal, rate_hz, band_bpm).snr_db(heart_rate_bpm))


def _inside(rates_bpm: FloatArray, low_bpm: float, high_bpm: float) -> npt.NDArray[np.bool_]:
    # the same slack as where the grid is cut: a rate that is an end of the band but for rounding is inside
    slack_bpm = 1e-9 * GRID_BPM
    return np.asarray((rates_bpm >= low_bpm - slack_bpm) & (rates_bpm <= high_bpm + slack_bpm))


def _hann(known: npt.NDArray[np.bool_]) -> FloatArray:
    """Return for each row a Hann window from the first to the last known sample, zero in gaps."""
    first, last = known.argmax(axis=1)[:, None], known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)[:, None]
    phase = (np.arange(known.shape[1]) - first + 1) / (last - first + 2)
    return np.asarray(np.where(known, 0.5 - 0.5 * np.cos(2 * np.pi * phase), 0.0))


@lru_cache(maxsize=16)
def _transform(length: int, first_bin: int, last_bin: int, size: int) -> scipy.signal.CZT:
    turn = 2j * np.pi / size
    return scipy.signal.CZT(length, last_bin - first_bin + 1, w=np.exp(-turn), a=np.exp(turn * first_bin))
