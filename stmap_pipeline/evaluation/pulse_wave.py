"""One pulse wave from those of overlapping windows, and the beats in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.records import PulseTrace
from stmap_pipeline.signals.classical import known_runs
from stmap_pipeline.signals.resample import nearest_frame

FloatArray = npt.NDArray[np.float64]

# a beat follows the one before after at least so much of the usual time, and an interval outside of this range is no heart beat's
_SHORTEST, _LONGEST = 0.6, 1.5
# windows that overlap by less have no common sign
_FEWEST_COMMON_S = 1.0
# beats are looked for in stretches of so many
_FEWEST_BEATS = 3
# what is left of the harmonics: they make a beat sharp
_HARMONICS = 2.2
_SLOWEST_HZ = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Heart beats in a pulse wave.

    Parameters
    ----------
    times_s : (K,) array
        Of the crests, on the clock of the video.
    interval_s : (K,) array
        Since the beat before; NaN where that is not known.
    """

    times_s: FloatArray
    interval_s: FloatArray


def stitch(waves: FloatArray, starts_s: FloatArray, rate_hz: float) -> PulseTrace:
    """Join the waves of overlapping windows.

    Each is brought to zero mean and unit deviation, turned where it runs against those before it, and weighted by a Hann window.

    Parameters
    ----------
    waves : (W, S) array
        NaN where unknown.
    starts_s : (W,) array
        Time of the first sample of each, increasing.
    rate_hz : float

    Returns
    -------
    PulseTrace
        NaN where no wave is known; its crests are the beats, as far as the windows show their sign: the steep side of a beat goes up.

    Examples
    --------
    >>> times_s = np.arange(300) / 30
    >>> beat = np.sin(2 * np.pi * 1.2 * times_s)
    >>> whole = stitch(np.stack([beat[:200], -beat[100:]]), times_s[[0, 100]], 30.0)
    >>> bool(abs(np.corrcoef(whole.value, beat)[0, 1]) > 0.999)
    True
    """
    if len(waves) == 0:
        return PulseTrace(np.empty(0), np.empty(0))
    size = waves.shape[1]
    first = np.round((starts_s - starts_s[0]) * rate_hz).astype(np.int64)
    total, weight = np.zeros(first[-1] + size), np.zeros(first[-1] + size)
    hann = np.hanning(size + 2)[1:-1]
    for wave, start in zip(waves, first.tolist(), strict=True):
        known = np.isfinite(wave)
        if not known.any():
            continue
        one = np.where(known, wave - wave[known].mean(), 0.0)
        one /= max(float(np.sqrt(np.square(one).sum() / known.sum())), 1e-12)
        part = slice(start, start + size)
        common = known & (weight[part] > 0)
        so_far = np.divide(total[part], weight[part], out=np.zeros(size), where=weight[part] > 0)
        if common.sum() >= _FEWEST_COMMON_S * rate_hz and float(so_far[common] @ one[common]) < 0:
            one = -one
        total[part] += one * hann * known
        weight[part] += hann * known
    value = np.divide(total, weight, out=np.full(len(total), np.nan), where=weight > 0)
    return PulseTrace(starts_s[0] + np.arange(len(total)) / rate_hz, _steep_side_up(value))


def write_pulse(pulse: PulseTrace, beats: Beats | None, path: str | Path) -> None:
    """Write a pulse wave as a table: ``time_s``, ``pulse`` (empty where unknown), and ``beat``, 1 at the sample nearest to a beat.

    Parameters
    ----------
    pulse : PulseTrace
    beats : Beats, optional
    path : str or Path
        One that is there is replaced.

    Raises
    ------
    OutputError
        Where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_pulse(PulseTrace([0.0, 0.1], [0.5, np.nan]), Beats(np.array([0.01]), np.array([np.nan])), Path(folder) / "pulse.csv")
    ...     print((Path(folder) / "pulse.csv").read_text())
    time_s,pulse,beat
    0.0000,0.5000,1
    0.1000,,0
    """
    path = Path(path)
    is_beat = np.zeros(len(pulse.times_s), dtype=np.int64)
    if beats is not None and len(beats.times_s):
        is_beat[nearest_frame(pulse.times_s, beats.times_s)[0]] = 1
    rows = zip(pulse.times_s.tolist(), pulse.value.tolist(), is_beat.tolist(), strict=True)
    lines = [f"{time_s:.4f},{'' if np.isnan(value) else f'{value:.4f}'},{beat}\n" for time_s, value, beat in rows]
    atomic_write_text(path, "time_s,pulse,beat\n" + "".join(lines))


def _steep_side_up(value: FloatArray) -> FloatArray:
    """Turn a pulse so that it rises faster than it falls, as blood pressure does."""
    slopes = np.diff(value)
    slopes = slopes[np.isfinite(slopes)]
    return -value if slopes.size and float((slopes**3).sum()) < 0 else value


def find_beats(pulse: PulseTrace, rate_times_s: FloatArray, heart_rate_bpm: FloatArray, is_given: npt.NDArray[np.bool_]) -> Beats:
    """Find the beats of a pulse wave where the heart rate is known.

    Parameters
    ----------
    pulse : PulseTrace
        On a uniform clock.
    rate_times_s, heart_rate_bpm : (W,) array
        Heart rate over time.
    is_given : (W,) array of bool
        Where the rate can be trusted; there are no beats elsewhere.

    Returns
    -------
    Beats
        An interval is known where it is 0.6 to 1.5 times that of the heart rate there.

    Examples
    --------
    >>> times_s = np.arange(300) / 30
    >>> wave = PulseTrace(times_s, np.cos(2 * np.pi * 1.2 * times_s))
    >>> found = find_beats(wave, np.array([5.0]), np.array([72.0]), np.array([True]))
    >>> len(found.times_s), round(float(np.nanmedian(found.interval_s)), 3)
    (11, 0.833)
    """
    times_s, value = pulse.times_s, pulse.value
    empty = Beats(np.empty(0), np.empty(0))
    if not is_given.any() or len(times_s) < 3:
        return empty
    rate_hz = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    period_s = 60.0 / np.interp(times_s, rate_times_s, heart_rate_bpm)
    trusted = is_given[nearest_frame(rate_times_s, times_s)[0]] & np.isfinite(value)
    found_s: list[float] = []
    interval_s: list[float] = []
    for run in known_runs(trusted):
        # in beats instead of seconds, so that one filter suits a rate that rises
        beats = scipy.integrate.cumulative_trapezoid(1 / period_s[run], times_s[run], initial=0)
        if beats[-1] < _FEWEST_BEATS:
            continue
        per_beat = float(period_s[run].max()) * rate_hz
        grid = np.arange(0.0, beats[-1], 1 / per_beat)
        wave = scipy.interpolate.CubicSpline(beats, value[run])(grid)
        lowest, highest = _SLOWEST_HZ * float(period_s[run].min()), min(_HARMONICS, 0.45 * rate_hz * float(period_s[run].min()))
        sections = scipy.signal.butter(2, (lowest, highest), btype="bandpass", fs=per_beat, output="sos")
        smooth = scipy.signal.sosfiltfilt(sections, wave, padlen=min(len(wave) - 1, 30))
        peaks, _ = scipy.signal.find_peaks(smooth, distance=max(1, round(_SHORTEST * per_beat)), height=0.0)
        peaks = peaks[(peaks > 0) & (peaks < len(smooth) - 1)]
        left, center, right = smooth[peaks - 1], smooth[peaks], smooth[peaks + 1]
        at = (peaks + 0.5 * (left - right) / np.minimum(left - 2 * center + right, -1e-12)) / per_beat
        at_s = np.interp(at, beats, times_s[run])
        intervals = np.diff(at, prepend=np.nan)
        found_s += at_s.tolist()
        is_usual = (intervals >= _SHORTEST) & (intervals <= _LONGEST)
        interval_s += np.where(is_usual, np.diff(at_s, prepend=np.nan), np.nan).tolist()
    return Beats(np.array(found_s), np.array(interval_s))
