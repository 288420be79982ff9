"""Heart rate from beats: of RR intervals, of a pulse wave, or of an ECG.

A wave is read by two independent estimators. *Beats* are found one by one, as peaks that stand out by a third of what is usual around them, and give the
heart rate. The *spectrum* of eight seconds at a time gives a second heart rate, which is not used as such: where the two differ, a beat was missed,
or the second wave of a pulse was counted, or there is no pulse. The difference is kept beside the heart rate, and
:class:`~stmap_pipeline.records.HeartRateTrace` does not trust what differs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.records import HeartRateTrace, median_interval_s
from stmap_pipeline.signals.classical import known_runs
from stmap_pipeline.signals.resample import resample_uniform
from stmap_pipeline.signals.spectrum import dominant_rates_bpm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
LaterOf = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, BoolArray, BoolArray]]

# what lies outside is no heart rate of a person in front of a camera: a sensor fault, or another unit
MIN_HEART_RATE_BPM, MAX_HEART_RATE_BPM = 25.0, 240.0
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
# where the first or last interval of a pulse differs by more from the one beside it, the outer beat may be on another crest, which no beat beyond it tells: it is none
_MAX_CHANGE_OF_OUTER = 0.15
# beats that are so near are one: times and intervals are rounded
_SAME_BEAT_S = 0.005
_PULSE_BAND_HZ, _ECG_BAND_HZ = (0.5, 8.0), (5.0, 20.0)
# fewer samples a second see too little of a QRS complex, which lasts a tenth of a second: with a jittered clock, one of fifty windows of 5 s at 50 Hz is wrong
MIN_ECG_RATE_HZ = 80.0
# fewer samples a second show no wave of any heart: these are heart rates
MIN_PULSE_RATE_HZ = 5.0
# what lies further outside, in units of the usual range of a pulse, is a fault of the sensor or no sample at all
_MAX_OUTSIDE = 3.0
# half the length of a QRS complex, about
_QRS_S = 0.03
# from the middle of a QRS complex to the end of the wave, at least
_WHOLE_QRS_S = 0.1
# where a beat has fewer samples, interpolation between them moves its peak; its place is then found by the phase of the wave at the samples
_FEW_PER_BEAT = 13.0
# the wave of a beat is compared with the usual one over so much of a beat on each side, at so many points; each round moves it by so much of a beat at most
_SHAPE_REACH, _SHAPE_POINTS, _MAX_SHIFT = 0.35, 41, 0.15
# the usual wave is clearer where beats are in their places; further rounds change hardly anything
_SHAPE_ROUNDS = 3
# the first or last wave that is lower, in parts of the usual one, is no beat
_LEAST_HEIGHT = 0.5
# where a beat has few samples, its phase near the ends is fitted over so much of a beat on each side, or over a few samples more than the fit needs
_PHASE_REACH, _PER_HARMONIC_AT_END = 0.75, 2.0
# where a beat has fewer samples, those near an end do not tell three harmonics apart: the usual wave is fitted instead, over so much of a beat on each side or so many samples
_VERY_FEW_PER_BEAT, _USUAL_REACH, _USUAL_SAMPLES = 7.0, 0.5, 3.5
# the wave shows up to where it goes on after the last beat, unless that is so many beats away
_MAX_BEATS_AT_END = 1.3
# the breath hardly ever changes the rate by more from a beat to the next part of one at the end of a wave: the place of that part may be a wrong one
_MAX_CHANGE_AT_END = 0.07
# a breath lasts about so long; behind what is seen, the rate goes on so much nearer to the mean over it than it was last
_BREATH_S, _BACK_TO_MEAN = 4.0, 1 / 3
# another crest of the wave is at least so much of a beat away; to see that, so many samples of a beat are enough
_OTHER_CREST, _ENOUGH_PER_BEAT = 0.08, 25.0
_TOO_NEAR = 0.5
# an interval of so many beats more or less than two holds two
_CHANGE_OF_TWO = 0.25
# where so many beats were found on another crest, none of the peaks is in a sure place
_MANY = 0.2
# a fit over less than the whole reach on one side, at the ends, finds another crest, but no exact phase
_WHOLE_REACH, _LEAST_REACH, _OTHER_AT_END = 0.8, 0.15, 0.11
# phases that are tried as the usual one, at least
_CANDIDATES = 200
# beats on each side that the wave is compared with, and how many harmonics it has: the third is told from the first above 4.5 samples a beat
_REACH_BEATS, _HARMONICS, _PER_HARMONIC = 2.0, 3, 1.5
# a beat stands out by so much of what is usual around it; the second wave of a pulse stands out by less
MIN_PROMINENCE = 0.35


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
            at_s, value = measured_s[of_run], samples[of_run]
            beats = _by_phase(beats, at_s, value)
            per_beat = _samples_per_beat(beats, at_s)
            later_of: LaterOf
            if per_beat > _FEW_PER_BEAT:
                filtered = _band_passed(wave[run] - wave[run].mean(), rate_hz, _PULSE_BAND_HZ)
                reach, later_of = _SHAPE_REACH, _later_by_shape
                beats = _by_shape(beats, grid_s[run], filtered, later_of)
                # a filter moves the waves next to the ends
                at_s, value = grid_s[run], wave[run]
            elif 0 < per_beat < _VERY_FEW_PER_BEAT:
                reach = max(_USUAL_REACH, _USUAL_SAMPLES / per_beat)
                later_of = functools.partial(_later_by_usual_wave, reach=reach)
                beats = _by_shape(beats, at_s, value, later_of)
            else:
                reach, later_of = _phase_reach(per_beat), _later_by_phase
            beats = _without_odd_ends(beats)
            ends = _ends_of_wave(beats, at_s, value, (first_s, last_s), reach, later_of)
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


def _without_odd_ends(beats_s: FloatArray) -> FloatArray:
    """Leave out the first and the last beat where their intervals are unlike those beside them."""
    interval_s = np.diff(beats_s)
    if interval_s.size < 3:
        return beats_s
    first = int(abs(interval_s[0] / interval_s[1] - 1) > _MAX_CHANGE_OF_OUTER)
    last = int(abs(interval_s[-1] / interval_s[-2] - 1) > _MAX_CHANGE_OF_OUTER)
    return beats_s[first : beats_s.size - last]


def _without_spikes(pulse: FloatArray) -> FloatArray:
    """Limit a pulse to its usual range and three times that beyond: after a spike the filter rings for seconds."""
    if not np.isfinite(pulse).any():
        return pulse
    low, high = np.nanpercentile(pulse, (5, 95))
    beyond = _MAX_OUTSIDE * (high - low)
    return np.clip(pulse, low - beyond, high + beyond) if beyond > 0 else pulse


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
    filtered = _band_passed(signal - signal.mean(), rate_hz, _ECG_BAND_HZ if ecg else _PULSE_BAND_HZ)
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
        least = _LEAST_HEIGHT * np.median(height[beats])
        beats = beats[int(height[beats[0]] < least) : beats.size - int(height[beats[-1]] < least)]
    return _refined(beats, height)


def _usual_range(height: FloatArray, rate_hz: float) -> FloatArray:
    """Return the usual difference between highest and lowest value within one slow beat, over six seconds around each sample."""
    size = max(3, round(60.0 / MIN_HEART_RATE_BPM * 0.75 * rate_hz))
    step = max(1, round(0.1 * rate_hz))
    spread = (scipy.ndimage.maximum_filter1d(height, size) - scipy.ndimage.minimum_filter1d(height, size))[::step]
    usual = scipy.ndimage.median_filter(spread, size=min(spread.size, 61), mode="nearest")
    return np.repeat(usual, step)[: height.size]


def _band_passed(signal: FloatArray, rate_hz: float, band_hz: tuple[float, float]) -> FloatArray:
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


def _by_phase(beats_s: FloatArray, times_s: FloatArray, values: FloatArray) -> FloatArray:
    """Return beats of a pulse where the phase of its first harmonic is the usual one.

    Around each beat a line and three harmonics of the local rate are fitted to the samples at their own times, by least squares.
    Where beats have enough samples, places of peaks are kept, since they follow a heart rate that changes from beat to beat, which a fit
    over four beats smooths; only a beat that was found on another crest of the wave than the others are is moved to its place among them, or
    left out where there is one already. Near the ends, where the fit has one side, that is all that is done. Where beats have few samples, the
    fit is shorter near the ends, and beats that are nearer to them have no place and are left out.
    """
    if beats_s.size < 3:
        return beats_s
    per_beat = _samples_per_beat(beats_s, times_s)
    few = per_beat <= _FEW_PER_BEAT
    least_reach = _phase_reach(per_beat)
    # of few samples, the first one within reach may be a whole step from its limit
    step_s = median_interval_s(times_s) if few else 0.0
    # one sample far outside would turn the phase of the beats around it
    low, high = np.percentile(values, (5, 95))
    known = np.abs(values - 0.5 * (low + high)) <= 1.5 * (high - low)
    every = max(1, int(per_beat / _ENOUGH_PER_BEAT))
    at_s, value = times_s[known][::every], values[known][::every]
    if few:
        beats_s = _with_missed(beats_s)
    length_s = _usual_lengths(beats_s)
    phase = np.full(beats_s.size, np.nan)
    whole = np.zeros(beats_s.size, dtype=np.bool_)
    for index, (beat_s, period_s) in enumerate(zip(beats_s, length_s, strict=True)):
        reach_s, harmonics = _REACH_BEATS * period_s, _harmonics(per_beat)
        if few and min(beat_s - at_s[0], at_s[-1] - beat_s) < reach_s:
            reach_s = min(reach_s, max(least_reach * period_s, min(beat_s - at_s[0], at_s[-1] - beat_s)))
            harmonics = _harmonics(per_beat, _PER_HARMONIC_AT_END)
        first, last = np.searchsorted(at_s, (beat_s - reach_s, beat_s + reach_s))
        from_s = at_s[first:last] - beat_s
        if from_s.size < 3 + 2 * harmonics.size:
            continue
        short, long = sorted(((step_s - from_s[0]) / reach_s, (step_s + from_s[-1]) / reach_s))
        if long < _WHOLE_REACH or short < _LEAST_REACH:
            continue
        whole[index] = short >= _WHOLE_REACH
        phase[index] = _phase(from_s, value[first:last], reach_s, period_s, harmonics)
    seen = np.isfinite(phase)
    if not whole.any():
        return beats_s
    # the phase that is nearest to all others: a mean of two crests would be none
    candidates = phase[whole][:: 1 + int(whole.sum()) // _CANDIDATES]
    between = np.abs(np.angle(np.exp(1j * np.subtract.outer(phase[whole], candidates))))
    usual = candidates[np.argmin(between.sum(axis=0))]
    turns = np.where(seen, np.angle(np.exp(1j * (phase - usual))), 0.0) / (2 * np.pi)
    other = np.abs(turns) >= np.where(whole, _OTHER_CREST, _OTHER_AT_END)
    turns[~(other | (whole & (few or np.mean(other) > _MANY)))] = 0.0
    moved_s = np.asarray(beats_s + turns * length_s)
    # a beat too much comes upon another one
    near = np.diff(moved_s) < _TOO_NEAR * length_s[1:]
    kept = ~(other & (np.append(False, near) | np.append(near, False)))
    return np.asarray(moved_s[kept & _between_ends(whole)] if few else moved_s[kept])


def _phase(from_s: FloatArray, values: FloatArray, reach_s: float, period_s: float, harmonics: IntArray) -> float:
    """Return the phase of the first harmonic of samples at times from a place."""
    return float(-np.angle(_fitted(from_s, values, reach_s, period_s, harmonics)[0]))


def _fitted(
    from_s: FloatArray, values: FloatArray, reach_s: float, period_s: float, harmonics: IntArray
) -> npt.NDArray[np.complex128]:
    """Return the harmonics of samples at times from a place, beside a line."""
    angle = 2 * np.pi * np.outer(from_s, harmonics) / period_s
    model = np.hstack([np.ones((from_s.size, 1)), from_s[:, None], np.cos(angle), np.sin(angle)])
    weight = np.cos(0.5 * np.pi * from_s / reach_s)
    found = np.linalg.lstsq(model * weight[:, None], values * weight, rcond=None)[0]
    return np.asarray(found[2 : 2 + harmonics.size] - 1j * found[2 + harmonics.size :])


def _harmonics(per_beat: float, per_harmonic: float = _PER_HARMONIC) -> IntArray:
    return np.arange(1, min(_HARMONICS, int(per_beat / per_harmonic)) + 1)


def _phase_reach(per_beat: float) -> float:
    """Return the parts of a beat on each side that a fit of its phase needs, where a beat has so many samples."""
    return max(_PHASE_REACH, (3 + _harmonics(per_beat, _PER_HARMONIC_AT_END).size) / per_beat) if per_beat else _PHASE_REACH


def _later_by_phase(
    places_s: FloatArray, length_s: FloatArray, times_s: FloatArray, values: FloatArray
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return by how much of a beat the wave around each place is later than usual by its phase, and for which that was found."""
    per_beat = float(np.median(length_s) / median_interval_s(times_s))
    harmonics = _harmonics(per_beat, _PER_HARMONIC_AT_END)
    phase = np.full(places_s.size, np.nan)
    for index, (place_s, period_s) in enumerate(zip(places_s, length_s, strict=True)):
        reach_s = _phase_reach(per_beat) * period_s
        first, last = np.searchsorted(times_s, (place_s - reach_s, place_s + reach_s))
        if last - first >= 3 + 2 * harmonics.size:
            phase[index] = _phase(times_s[first:last] - place_s, values[first:last], reach_s, period_s, harmonics)
    seen = np.isfinite(phase)
    turn = np.exp(1j * phase)
    later = np.where(seen, np.angle(turn * np.conj(turn[seen].sum())), 0.0) / (2 * np.pi)
    fits = seen & (np.abs(later) <= _MAX_SHIFT)
    return np.where(fits, later, 0.0), fits, seen


def _later_by_usual_wave(
    places_s: FloatArray, length_s: FloatArray, times_s: FloatArray, values: FloatArray, *, reach: float
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return by how much of a beat the samples around each place are later than usual, around which they are like the usual wave, and around which it is seen whole.

    As :func:`_later_by_shape`, from samples at their own times: the usual wave has the harmonics that places have at the median, of those with two beats on each side.
    """
    step_s = median_interval_s(times_s)
    harmonics = _harmonics(float(np.median(length_s)) / step_s)
    inside_s = np.minimum(places_s - times_s[0], times_s[-1] - places_s)
    seen = inside_s >= reach * length_s - 1e-6
    later, fits = np.zeros(places_s.size), np.zeros(places_s.size, dtype=np.bool_)
    waves = []
    for index in np.flatnonzero(inside_s + step_s >= _WHOLE_REACH * _REACH_BEATS * length_s):
        from_s, value = _around(places_s[index], _REACH_BEATS * length_s[index], times_s, values)
        if from_s.size >= 3 + 2 * harmonics.size:
            waves.append(_fitted(from_s, value, _REACH_BEATS * length_s[index], length_s[index], harmonics))
    if not waves:
        return later, fits, seen
    usual = np.median(np.real(waves), axis=0) + 1j * np.median(np.imag(waves), axis=0)
    for index in np.flatnonzero(seen):
        from_s, value = _around(places_s[index], reach * length_s[index], times_s, values)
        part = from_s / length_s[index]
        turn = usual * np.exp(2j * np.pi * np.outer(part, harmonics))
        model = np.stack(
            [turn.real.sum(axis=1), -2 * np.pi * (harmonics * turn.imag).sum(axis=1), np.ones(part.size), part], axis=1
        )
        weight = np.cos(0.5 * np.pi * np.clip(part / reach, -1.0, 1.0))
        scale, steep = np.linalg.lstsq(model * weight[:, None], value * weight, rcond=None)[0][:2]
        if scale > 0 and abs(steep) <= _MAX_SHIFT * scale:
            later[index], fits[index] = -steep / scale, True
    later[fits] -= np.median(later[fits]) if fits.any() else 0.0
    return later, fits, seen


def _around(place_s: float, reach_s: float, times_s: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return times from a place, and values, of the samples within reach."""
    first, last = np.searchsorted(times_s, (place_s - reach_s - 1e-6, place_s + reach_s + 1e-6))
    return times_s[first:last] - place_s, values[first:last]


def _by_shape(
    beats_s: FloatArray,
    times_s: FloatArray,
    wave: FloatArray,
    later_of: LaterOf,
) -> FloatArray:
    """Return beats of a pulse where the wave around each fits the usual one best.

    A crest may be so flat that drift of the base line or jitter moves its highest point by a twentieth of a beat, and that of a
    premature beat comes late; the slopes beside it show the place. The usual wave is the median over all beats. The wave of each is fitted by
    it, its derivative, a constant and a line, by least squares: to first order, a wave that is later by ``d`` has ``-d`` times as much of the
    derivative as of the wave. Only differences of beats count, so the median shift is taken off. Beats at the ends that are seen in part are left
    out, and so is the first or last of the others where its wave is another one.

    Parameters
    ----------
    beats_s : (b,) array of float64
    times_s, wave : (n,) array of float64
        Pulse without drift and noise, on a uniform grid, or its few samples.
    later_of : callable
        By how much of a beat the wave around places is later than usual, see :func:`_later_by_shape`.
    """
    fits = seen = np.ones(beats_s.size, dtype=np.bool_)
    for _ in range(_SHAPE_ROUNDS):
        if beats_s.size < 3:
            break
        length_s = _usual_lengths(beats_s)
        later, fits, seen = later_of(beats_s, length_s, times_s, wave)
        beats_s = beats_s + later * length_s
    kept = _between_ends(seen)
    beats_s, fits = beats_s[kept], fits[kept]
    first, last = (int(not fits[0]), fits.size - int(not fits[-1])) if fits.size else (0, 0)
    return beats_s[first:last]


def _between_ends(good: BoolArray) -> BoolArray:
    """Return what lies from the first good one to the last one."""
    return np.asarray(np.logical_or.accumulate(good) & np.logical_or.accumulate(good[::-1])[::-1])


def _usual_lengths(beats_s: FloatArray) -> FloatArray:
    """Return the usual length of a beat around each one."""
    return np.asarray(scipy.ndimage.median_filter(np.gradient(beats_s), size=5, mode="nearest"))


def _later_by_shape(
    places_s: FloatArray, length_s: FloatArray, times_s: FloatArray, wave: FloatArray
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return by how much of a beat the wave around each place is later than usual, around which it is like the usual one, and around which it is seen whole."""
    part = np.linspace(-_SHAPE_REACH, _SHAPE_REACH, _SHAPE_POINTS)
    weight = np.cos(0.5 * np.pi * part / _SHAPE_REACH)
    at_s = places_s[:, None] + part * length_s[:, None]
    seen = (at_s[:, 0] >= times_s[0] - 1e-6) & (at_s[:, -1] <= times_s[-1] + 1e-6)
    later, fits = np.zeros(places_s.size), np.zeros(places_s.size, dtype=np.bool_)
    if seen.sum() < 3:
        return later, fits, seen
    waves = np.interp(at_s[seen], times_s, wave)
    usual = np.median(waves, axis=0)
    model = np.stack([usual, np.gradient(usual, part), np.ones(part.size), part], axis=1)
    scale, steep = np.linalg.lstsq(model * weight[:, None], (waves * weight).T, rcond=None)[0][:2]
    found = np.divide(-steep, scale, out=np.zeros(scale.size), where=scale > 0)
    found -= np.median(found)
    near = (scale > 0) & (np.abs(found) <= _MAX_SHIFT)
    later[seen] = np.where(near, found, 0.0)
    fits[seen] = near & (scale >= _LEAST_HEIGHT)
    return later, fits, seen


class _End(NamedTuple):
    """An end of a run: the rate from the beat next to it, and how far from there the wave shows the beats."""

    rate_hz: float
    measured_to_s: float


def _ends_of_wave(
    beats_s: FloatArray,
    times_s: FloatArray,
    values: FloatArray,
    limits_s: tuple[float, float],
    reach: float,
    later_of: LaterOf,
) -> tuple[_End, _End] | None:
    """Return both ends of a run.

    The waves around beats show the last place that has ``reach`` parts of a beat on its other side, too: it is compared with the same part of
    the other beats. Only what lies behind it goes on at the last rate.
    """
    if beats_s.size < 3:
        return None
    before = _end_of_wave(-beats_s[::-1], -times_s[::-1], values[::-1], -limits_s[0], reach, later_of)
    return _End(before.rate_hz, -before.measured_to_s), _end_of_wave(beats_s, times_s, values, limits_s[1], reach, later_of)


def _end_of_wave(
    beats_s: FloatArray,
    times_s: FloatArray,
    values: FloatArray,
    last_s: float,
    reach: float,
    later_of: LaterOf,
) -> _End:
    """Return the end of a run behind its last beat; see :func:`_ends_of_wave`."""
    interval_s = np.diff(beats_s)
    usual_hz = float(1 / interval_s[-1])
    length_s = _usual_lengths(beats_s)
    not_seen = _End(_rate_behind_hz(usual_hz, beats_s), float(beats_s[-1]))
    part = (times_s[-1] - beats_s[-1]) / length_s[-1] - reach
    if not 0 < part <= _MAX_BEATS_AT_END:
        return not_seen
    places_s = beats_s + part * np.append(interval_s, length_s[-1])
    later, fits, _ = later_of(places_s, length_s, times_s, values)
    places_s = places_s + later * length_s
    others = fits & (places_s < beats_s[-1])
    if not (fits[-1] and others.any()):
        return not_seen
    number = np.arange(beats_s.size)
    part = float(np.median(scipy.interpolate.CubicSpline(beats_s, number)(places_s[others]) - number[others]))
    place_s = float(places_s[-1])
    # the rate of half a beat at least
    rate_hz = part / (place_s - beats_s[-1]) if part >= 0.5 else (1 + part) / (place_s - beats_s[-2])
    if abs(rate_hz / usual_hz - 1) > _MAX_CHANGE_AT_END:
        return not_seen
    behind_hz = _rate_behind_hz(rate_hz, beats_s)
    return _End(float((part + (last_s - place_s) * behind_hz) / (last_s - beats_s[-1])), place_s)


def _rate_behind_hz(last_hz: float, beats_s: FloatArray) -> float:
    """Return the rate behind what is seen: the last one, a third nearer to the mean over about one breath before the last beat."""
    first = max(0, min(int(np.searchsorted(beats_s, beats_s[-1] - _BREATH_S)), beats_s.size - 2))
    mean_hz = (beats_s.size - 1 - first) / (beats_s[-1] - beats_s[first])
    return float(last_hz + _BACK_TO_MEAN * (mean_hz - last_hz))


def _samples_per_beat(beats_s: FloatArray, times_s: FloatArray) -> float:
    """Return the usual number of samples in a beat; 0 where there is no interval."""
    return float(median_interval_s(beats_s) / median_interval_s(times_s)) if beats_s.size > 1 else 0.0


def _with_missed(beats_s: FloatArray) -> FloatArray:
    """Return beats, and one more in the middle of each interval of two: of two peaks that jitter moved together one was left out."""
    usual_s = scipy.ndimage.median_filter(np.diff(beats_s), size=5, mode="nearest")
    missed = np.flatnonzero(np.abs(np.diff(beats_s) / usual_s - 2.0) <= _CHANGE_OF_TWO)
    return np.insert(beats_s, missed + 1, 0.5 * (beats_s[missed] + beats_s[missed + 1]))


def _intervals(
    beats_s: FloatArray, first_s: float, last_s: float, ends: tuple[_End, _End] | None
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
        _End(_rate_behind_hz(1 / length_s[0], -beats_s[::-1]), beats_s[0]),
        _End(_rate_behind_hz(1 / length_s[-1], beats_s), beats_s[-1]),
    )
    if likely[0] and beats_s[0] > first_s and before.measured_to_s - first_s <= _MAX_BEATS_AT_END * length_s[0]:
        parts.insert(0, (np.array([first_s]), beats_s[:1], np.array([before.rate_hz])))
    if likely[-1] and last_s > beats_s[-1] and last_s - after.measured_to_s <= _MAX_BEATS_AT_END * length_s[-1]:
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
    return np.asarray(
        scipy.ndimage.gaussian_filter1d(np.abs(_band_passed(wave - wave.mean(), rate_hz, _ECG_BAND_HZ)), 0.1 * rate_hz)
    )


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
