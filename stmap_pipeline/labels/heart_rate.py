"""Heart rate from beats: of RR intervals, of a pulse wave, or of an ECG.

A wave is read by two independent estimators. *Beats* are found one by one and give the
heart rate. The *spectrum* of eight seconds at a time gives a second heart rate, which is not used as such: where the two differ, a beat was missed,
or the second wave of a pulse was counted, or there is no pulse. The difference is kept beside the heart rate, and
:class:`~stmap_pipeline.records.HeartRateTrace` does not trust what differs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.labels.beat_places import place_beats
from stmap_pipeline.labels.beats import ECG_BAND_HZ, MAX_HEART_RATE_BPM, MIN_HEART_RATE_BPM, band_passed, find_beats
from stmap_pipeline.labels.wave_ends import MAX_BEATS_AT_END, End, ends_of_wave, rate_behind_hz
from stmap_pipeline.records import HeartRateTrace, median_interval_s
from stmap_pipeline.signals.classical import known_runs
from stmap_pipeline.signals.resample import resample_uniform
from stmap_pipeline.signals.spectrum import dominant_rates_bpm

FloatArray = npt.NDArray[np.float64]

# samples of a heart rate that is computed from beats
RATE_HZ = 10.0
# a wave is read on a uniform grid of at least and at most so many samples a second
MIN_GRID_HZ, MAX_GRID_HZ = 100.0, 500.0
# the spectrum sees so much at a time, and is computed each second
SPECTRUM_S, SPECTRUM_STEP_S = 8.0, 1.0
# a shorter stretch between two gaps holds no beat to beat interval that could be checked
MIN_RUN_S = 3.0
# an interval that differs by more from the usual one around it is a beat too much or too few
MAX_CHANGE = 0.4
_NEIGHBORS = 11
# parts of an interval, each with its own rate
_PARTS = 8
# a rate that changes by more from one beat to the next is a step: an extrasystole, or a beat in the wrong place
_STEP = 0.2
# beats that are so near are one: times and intervals are rounded
_SAME_BEAT_S = 0.005
# fewer samples a second see too little of a QRS complex, which lasts a tenth of a second: with a jittered clock, one of fifty windows of 5 s at 50 Hz is wrong
MIN_ECG_RATE_HZ = 80.0
# fewer samples a second show no wave of any heart: these are heart rates
MIN_PULSE_RATE_HZ = 5.0
# what lies further outside, in units of the usual range of a pulse, is a fault of the sensor or no sample at all
_MAX_OUTSIDE = 3.0
# from the middle of a QRS complex to the end of the wave, at least
_WHOLE_QRS_S = 0.1


def heart_rate_from_rr(times_s: npt.ArrayLike, rr_s: npt.ArrayLike) -> HeartRateTrace:
    """Return the heart rate of RR intervals.

    Each of its samples is the mean over a tenth of a second: the mean over a window is the number of beats in it, with parts of beats at
    its ends, over its length. A mean of one rate per beat would count fast beats more.

    Parameters
    ----------
    times_s : (n,) array_like
        Time of the beat at the end of each interval.
    rr_s : (n,) array_like
        Seconds from the beat before; NaN where unknown. Gaps between intervals are allowed.

    Returns
    -------
    HeartRateTrace
        NaN where no interval is known, or one is not within 25 to 240 bpm or differs from those around it by more than 40 %: a beat
        that the device missed would count as half the heart rate.

    Examples
    --------
    >>> trace = heart_rate_from_rr([0.75, 1.35, 1.95, 2.55, 3.15], [0.75, 0.6, 0.6, 0.6, 0.6])
    >>> trace.heart_rate_bpm[[0, 10]].round(6).tolist(), round(trace.mean_between(0.0, 1.5), 6)
    ([80.0, 100.0], 90.0)
    """
    stop_s, length_s = np.asarray(times_s, dtype=np.float64), np.asarray(rr_s, dtype=np.float64)
    known = np.isfinite(stop_s) & np.isfinite(length_s) & (length_s > 0)
    stop_s, length_s = stop_s[known], length_s[known]
    if not stop_s.size:
        return HeartRateTrace(np.empty(0), np.empty(0))
    # rounded intervals may overlap the beat before by a little
    start_s = np.maximum(stop_s - length_s, np.concatenate([[-np.inf], stop_s[:-1]]))
    return HeartRateTrace(*_sampled(*_parts(start_s, stop_s, length_s), float(start_s[0]), float(stop_s[-1])))


def heart_rate_from_wave(times_s: npt.ArrayLike, values: npt.ArrayLike, *, ecg: bool = False) -> HeartRateTrace:
    """Return the heart rate of a pulse wave or an ECG, with the difference between its two estimators.

    Parameters
    ----------
    times_s : (n,) array_like
        Seconds, increasing, in any steps; the sampling rate is measured from them.
    values : (n,) array_like
        Arbitrary units, either way up; NaN where unknown.
    ecg : bool

    Returns
    -------
    HeartRateTrace
        Ten samples a second. A beat that the wave shows in part has no place; before the first and after the last place, the heart rate is
        that of the part beside it, a third nearer to the mean of the last 4 s, and the difference is NaN. NaN where no beat is found, or where an interval is not within 25 to 240 bpm or differs from those
        around it by more than 40 %.

    Examples
    --------
    >>> times_s = np.arange(0, 20, 0.02)
    >>> trace = heart_rate_from_wave(times_s, np.sin(2 * np.pi * 1.2 * times_s) ** 3)
    >>> round(trace.mean_between(0.0, 10.0), 1), bool(np.nanmax(np.abs(trace.disagreement_bpm)) < 0.5)
    (72.0, True)
    """
    measured_s, samples = np.asarray(times_s, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if not ecg:
        samples = _without_spikes(samples)
    grid_s, wave, rate_hz = _on_grid(measured_s, samples)
    if not grid_s.size:
        return HeartRateTrace(np.empty(0), np.empty(0))
    # the last sample lasts as long as the others
    step_s = max(1 / rate_hz, median_interval_s(measured_s))
    starts: list[FloatArray] = []
    stops: list[FloatArray] = []
    rates: list[FloatArray] = []
    measured: list[tuple[float, float]] = []
    envelope = np.full(wave.size, np.nan)
    for run in known_runs(np.isfinite(wave)):
        if (run.stop - run.start) < MIN_RUN_S * rate_hz:
            continue
        first_s, last_s = float(grid_s[run.start]), float(grid_s[run.stop - 1]) + step_s
        beats = find_beats(wave[run], rate_hz, ecg=ecg) / rate_hz + grid_s[run.start]
        ends = None
        if ecg:
            # a QRS complex that is seen in part has no place
            beats = beats[(beats - first_s >= _WHOLE_QRS_S) & (last_s - beats >= _WHOLE_QRS_S)]
        else:
            of_run = (measured_s >= first_s) & (measured_s <= last_s) & np.isfinite(samples)
            places = place_beats(beats, measured_s[of_run], samples[of_run], grid_s[run], wave[run], rate_hz)
            beats, ends = places.beats_s, ends_of_wave(places, (first_s, last_s))
        envelope[run] = _envelope(wave[run], rate_hz) if ecg else wave[run]
        start_s, stop_s, rate = _intervals(beats, first_s, last_s, ends)
        starts.append(start_s)
        stops.append(stop_s)
        rates.append(rate)
        if beats.size:
            measured.append((ends[0].measured_to_s, ends[1].measured_to_s) if ends else (float(beats[0]), float(beats[-1])))
    # the last part of a tenth of a second counts where half of it is known
    first_s, last_s = float(grid_s[0]), float(grid_s[-1]) + step_s + 0.5 / RATE_HZ
    if not starts:
        starts, stops, rates = [np.empty(0)], [np.empty(0)], [np.empty(0)]
    samples_s, bpm = _sampled(np.concatenate(starts), np.concatenate(stops), np.concatenate(rates), first_s, last_s)
    disagreement_bpm = _disagreement(samples_s, bpm, grid_s, envelope, rate_hz)
    center_s = samples_s + 0.5 / RATE_HZ
    seen = np.any(
        [(start <= center_s) & (center_s <= stop) for start, stop in measured] or [np.zeros(center_s.size, dtype=np.bool_)], axis=0
    )
    return HeartRateTrace(samples_s, bpm, np.where(seen, disagreement_bpm, np.nan))


def _without_spikes(pulse: FloatArray) -> FloatArray:
    """Limit a pulse to its usual range and three times that beyond: after a spike the filter rings for seconds."""
    if not np.isfinite(pulse).any():
        return pulse
    low, high = np.nanpercentile(pulse, (5, 95))
    beyond = _MAX_OUTSIDE * (high - low)
    return np.clip(pulse, low - beyond, high + beyond) if beyond > 0 else pulse


def _on_grid(times_s: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return a wave on a uniform grid of 100 to 500 Hz: interpolated where it is slower, averaged where it is faster."""
    if times_s.size < 3:
        return np.empty(0), np.empty(0), MIN_GRID_HZ
    measured_hz = 1.0 / median_interval_s(times_s)
    several = int(np.ceil(measured_hz / MAX_GRID_HZ))
    if several > 1:
        count = times_s.size // several * several
        times_s = times_s[:count].reshape(-1, several).mean(axis=1)
        values = values[:count].reshape(-1, several).mean(axis=1)
        measured_hz /= several
    rate_hz = measured_hz * max(1.0, np.ceil(MIN_GRID_HZ / measured_hz - 1e-6))
    grid_s, wave = resample_uniform(times_s, values, rate_hz)
    return grid_s, wave, rate_hz


def _envelope(wave: FloatArray, rate_hz: float) -> FloatArray:
    """Return the power of the QRS complexes over time, smooth enough that its spectrum is highest at the heart rate."""
    return np.asarray(scipy.ndimage.gaussian_filter1d(np.abs(band_passed(wave - wave.mean(), rate_hz, ECG_BAND_HZ)), 0.1 * rate_hz))


def _intervals(
    beats_s: FloatArray, first_s: float, last_s: float, ends: tuple[End, End] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return start, end and rate in hertz of the parts of a run's beat to beat intervals.

    Where the next beat would be outside of the run, the time to its end has the rate of ``ends``, or that of the interval beside it.
    """
    if beats_s.size < 3:
        return np.empty(0), np.empty(0), np.empty(0)
    length_s = np.diff(beats_s)
    likely = _likely(length_s)
    parts = [_parts(beats_s[:-1], beats_s[1:], length_s)]
    before, after = ends or (
        End(rate_behind_hz(1 / length_s[0], -beats_s[::-1]), beats_s[0]),
        End(rate_behind_hz(1 / length_s[-1], beats_s), beats_s[-1]),
    )
    if likely[0] and beats_s[0] > first_s and before.measured_to_s - first_s <= MAX_BEATS_AT_END * length_s[0]:
        parts.insert(0, (np.array([first_s]), beats_s[:1], np.array([before.rate_hz])))
    if likely[-1] and last_s > beats_s[-1] and last_s - after.measured_to_s <= MAX_BEATS_AT_END * length_s[-1]:
        parts.append((beats_s[-1:], np.array([last_s]), np.array([after.rate_hz])))
    start_s, stop_s, rate_hz = (np.concatenate(one) for one in zip(*parts, strict=True))
    return start_s, stop_s, rate_hz


def _parts(start_s: FloatArray, stop_s: FloatArray, length_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return start, end and rate in hertz of the parts of those beat to beat intervals that can be those of a heart.

    The number of beats up to a time is a cubic spline through beats that follow each other. A rate that changes with the breath
    thereby changes within intervals, too: at the ends of a window of few beats, parts of beats would otherwise count at the mean rate
    of the whole one. No curve is laid over a step: an interval that differs by more than a fifth from its neighbors, whose neighbors are
    unknown, or whose length is not the time between its ends, has a constant rate.
    """
    index = np.flatnonzero(_likely(length_s)) if length_s.size else np.empty(0, dtype=np.intp)
    exact = np.abs(stop_s - start_s - length_s)[index] <= _SAME_BEAT_S
    follows = (np.diff(index) == 1) & (start_s[index[1:]] - stop_s[index[:-1]] <= _SAME_BEAT_S)
    edges_s, rates_hz = [np.empty((0, 2))], [np.empty(0)]
    smooth = np.abs(np.diff(length_s[index])) <= _STEP * np.minimum(length_s[index[1:]], length_s[index[:-1]])
    for run in np.split(index, np.flatnonzero(~(follows & smooth & exact[1:] & exact[:-1])) + 1):
        if run.size == 1:
            edges_s.append(np.stack([start_s[run], stop_s[run]], axis=1))
            rates_hz.append(1 / length_s[run])
        elif run.size > 1:
            beats_s = np.append(start_s[run[0]], stop_s[run])
            number = scipy.interpolate.CubicSpline(beats_s, np.arange(beats_s.size))
            at_s = np.interp(np.arange(run.size * _PARTS + 1) / _PARTS, np.arange(beats_s.size), beats_s)
            edges_s.append(np.stack([at_s[:-1], at_s[1:]], axis=1))
            rates_hz.append(np.diff(number(at_s)) / np.diff(at_s))
    edges = np.concatenate(edges_s)
    return edges[:, 0], edges[:, 1], np.concatenate(rates_hz)


def _likely(length_s: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which intervals can be those of a heart, and are not a beat too much or too few beside those around them."""
    usual_s = scipy.ndimage.median_filter(length_s, size=min(_NEIGHBORS, length_s.size), mode="nearest")
    possible = (length_s >= 60.0 / MAX_HEART_RATE_BPM) & (length_s <= 60.0 / MIN_HEART_RATE_BPM)
    return np.asarray(possible & (np.abs(length_s / usual_s - 1) <= MAX_CHANGE))


def _sampled(
    start_s: FloatArray, stop_s: FloatArray, rates_hz: FloatArray, first_s: float, last_s: float
) -> tuple[FloatArray, FloatArray]:
    """Return the mean rate in beats/min in each tenth of a second; NaN where less than half of it is known."""
    count = max(1, int(np.floor((last_s - first_s) * RATE_HZ + 1e-6)))
    edges_s = first_s + np.arange(count + 1) / RATE_HZ
    length_s = stop_s - start_s
    knots_s = np.stack([start_s, stop_s], axis=1).reshape(-1)
    time_known = np.stack([np.cumsum(length_s) - length_s, np.cumsum(length_s)], axis=1).reshape(-1)
    beats_of = rates_hz * length_s
    beats = np.stack([np.cumsum(beats_of) - beats_of, np.cumsum(beats_of)], axis=1).reshape(-1)
    if not knots_s.size:
        return edges_s[:-1], np.full(count, np.nan)
    seconds = np.diff(np.interp(edges_s, knots_s, time_known))
    found = np.diff(np.interp(edges_s, knots_s, beats))
    bpm = np.divide(60.0 * found, seconds, out=np.full(count, np.nan), where=seconds >= 0.5 / RATE_HZ)
    return edges_s[:-1], bpm


def _disagreement(samples_s: FloatArray, bpm: FloatArray, grid_s: FloatArray, wave: FloatArray, rate_hz: float) -> FloatArray:
    """Return the heart rate by beats minus that by the spectrum of eight seconds around each sample; NaN where either is unknown."""
    step = max(1, int(rate_hz / 50.0))
    wave = wave[: wave.size // step * step].reshape(-1, step).mean(axis=1)
    rate_hz /= step
    size = min(wave.size, round(SPECTRUM_S * rate_hz))
    first = np.arange(0, wave.size - size + 1, max(1, round(SPECTRUM_STEP_S * rate_hz)))
    spectrum_bpm = dominant_rates_bpm([wave[at : at + size] for at in first], rate_hz, (30.0, MAX_HEART_RATE_BPM))
    known = np.isfinite(bpm)
    start = np.searchsorted(samples_s, grid_s[0] + first / rate_hz - 1e-9)
    stop = np.searchsorted(samples_s, grid_s[0] + (first + size) / rate_hz - 1e-9)
    total, count = np.concatenate([[0.0], np.cumsum(np.where(known, bpm, 0.0))]), np.concatenate([[0], np.cumsum(known)])
    beats = count[stop] - count[start]
    mean_bpm = np.divide(total[stop] - total[start], beats, out=np.full(first.size, np.nan), where=2 * beats >= stop - start)
    center_s = grid_s[0] + (first + size / 2) / rate_hz
    nearest = np.clip(np.rint((samples_s - center_s[0]) / SPECTRUM_STEP_S), 0, first.size - 1).astype(np.intp)
    return np.asarray((mean_bpm - spectrum_bpm)[nearest])
