"""Exact places of the beats of a pulse wave.

A peak is found by its highest sample, which drift, jitter and few samples move. A beat is placed by the wave around it instead: where beats
have many samples, by the *shape* of the wave beside the usual one; where they have few, by the *phase* of its harmonics, or by the usual wave that
these make. All of them tell differences between beats; which point of the wave is the beat does not matter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.labels.beats import LEAST_HEIGHT, PULSE_BAND_HZ, band_passed
from stmap_pipeline.records import median_interval_s

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
LaterOf = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, BoolArray, BoolArray]]

# where the first or last interval of a pulse differs by more from the one beside it, the outer beat may be on another crest, which no beat beyond it tells: it is none
_MAX_CHANGE_OF_OUTER = 0.15
# where a beat has fewer samples, interpolation between them moves its peak; its place is then found by the phase of the wave at the samples
_FEW_PER_BEAT = 13.0
# the wave of a beat is compared with the usual one over so much of a beat on each side, at so many points; each round moves it by so much of a beat at most
_SHAPE_REACH, _SHAPE_POINTS, _MAX_SHIFT = 0.35, 41, 0.15
# the usual wave is clearer where beats are in their places; further rounds change hardly anything
_SHAPE_ROUNDS = 3
# where a beat has few samples, its phase near the ends is fitted over so much of a beat on each side, or over a few samples more than the fit needs
_PHASE_REACH, _PER_HARMONIC_AT_END = 0.75, 2.0
# where a beat has fewer samples, those near an end do not tell three harmonics apart: the usual wave is fitted instead, over so much of a beat on each side or so many samples
_VERY_FEW_PER_BEAT, _USUAL_REACH, _USUAL_SAMPLES = 7.0, 0.5, 3.5
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


class Places(NamedTuple):
    """Places of beats, and how further places of the same wave are found.

    Parameters
    ----------
    beats_s : (b,) array of float64
    times_s, values : (n,) array of float64
        Samples that the wave is compared in.
    reach : float
        Parts of a beat on each side that a comparison needs.
    later_of : callable
        By how much of a beat the wave around places is later than usual, see :func:`_later_by_shape`.
    """

    beats_s: FloatArray
    times_s: FloatArray
    values: FloatArray
    reach: float
    later_of: LaterOf

    def backward(self) -> Places:
        """Return the same with time running backward."""
        return self._replace(beats_s=-self.beats_s[::-1], times_s=-self.times_s[::-1], values=self.values[::-1])


def place_beats(
    peaks_s: FloatArray, times_s: FloatArray, values: FloatArray, grid_s: FloatArray, wave: FloatArray, rate_hz: float
) -> Places:
    """Return the exact places of the beats of a pulse wave without gaps.

    Parameters
    ----------
    peaks_s : (p,) array of float64
        Beats as :func:`~stmap_pipeline.labels.beats.find_beats` finds them.
    times_s, values : (n,) array of float64
        Samples as they were measured.
    grid_s, wave : (m,) array of float64
        The same on a uniform grid.
    rate_hz : float
        Of the grid.

    Examples
    --------
    >>> times_s = np.arange(0, 10, 0.01)
    >>> wave = np.cos(2 * np.pi * 1.25 * times_s)
    >>> peaks_s = np.arange(0.8, 9.7, 0.8) + 0.02 * np.resize([1, -1], 12)
    >>> np.diff(place_beats(peaks_s, times_s, wave, times_s, wave, 100.0).beats_s)[:3].round(3).tolist()
    [0.8, 0.8, 0.8]
    """
    beats_s = _by_phase(peaks_s, times_s, values)
    per_beat = _samples_per_beat(beats_s, times_s)
    if per_beat > _FEW_PER_BEAT:
        filtered = band_passed(wave - wave.mean(), rate_hz, PULSE_BAND_HZ)
        beats_s = _by_shape(beats_s, grid_s, filtered, _later_by_shape)
        # a filter moves the waves next to the ends
        return Places(_without_odd_ends(beats_s), grid_s, wave, _SHAPE_REACH, _later_by_shape)
    if 0 < per_beat < _VERY_FEW_PER_BEAT:
        reach = max(_USUAL_REACH, _USUAL_SAMPLES / per_beat)
        later_of = functools.partial(_later_by_usual_wave, reach=reach)
        return Places(_without_odd_ends(_by_shape(beats_s, times_s, values, later_of)), times_s, values, reach, later_of)
    return Places(_without_odd_ends(beats_s), times_s, values, _phase_reach(per_beat), _later_by_phase)


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
    length_s = usual_lengths(beats_s)
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
        length_s = usual_lengths(beats_s)
        later, fits, seen = later_of(beats_s, length_s, times_s, wave)
        beats_s = beats_s + later * length_s
    kept = _between_ends(seen)
    beats_s, fits = beats_s[kept], fits[kept]
    first, last = (int(not fits[0]), fits.size - int(not fits[-1])) if fits.size else (0, 0)
    return beats_s[first:last]


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
    fits[seen] = near & (scale >= LEAST_HEIGHT)
    return later, fits, seen


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


def _around(place_s: float, reach_s: float, times_s: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return times from a place, and values, of the samples within reach."""
    first, last = np.searchsorted(times_s, (place_s - reach_s - 1e-6, place_s + reach_s + 1e-6))
    return times_s[first:last] - place_s, values[first:last]


def _between_ends(good: BoolArray) -> BoolArray:
    """Return what lies from the first good one to the last one."""
    return np.asarray(np.logical_or.accumulate(good) & np.logical_or.accumulate(good[::-1])[::-1])


def usual_lengths(beats_s: FloatArray) -> FloatArray:
    """Return the usual length of a beat around each one."""
    return np.asarray(scipy.ndimage.median_filter(np.gradient(beats_s), size=5, mode="nearest"))


def _samples_per_beat(beats_s: FloatArray, times_s: FloatArray) -> float:
    """Return the usual number of samples in a beat; 0 where there is no interval."""
    return float(median_interval_s(beats_s) / median_interval_s(times_s)) if beats_s.size > 1 else 0.0


def _with_missed(beats_s: FloatArray) -> FloatArray:
    """Return beats, and one more in the middle of each interval of two: of two peaks that jitter moved together one was left out."""
    usual_s = scipy.ndimage.median_filter(np.diff(beats_s), size=5, mode="nearest")
    missed = np.flatnonzero(np.abs(np.diff(beats_s) / usual_s - 2.0) <= _CHANGE_OF_TWO)
    return np.insert(beats_s, missed + 1, 0.5 * (beats_s[missed] + beats_s[missed + 1]))


def _without_odd_ends(beats_s: FloatArray) -> FloatArray:
    """Leave out the first and the last beat where their intervals are unlike those beside them."""
    interval_s = np.diff(beats_s)
    if interval_s.size < 3:
        return beats_s
    first = int(abs(interval_s[0] / interval_s[1] - 1) > _MAX_CHANGE_OF_OUTER)
    last = int(abs(interval_s[-1] / interval_s[-2] - 1) > _MAX_CHANGE_OF_OUTER)
    return beats_s[first : beats_s.size - last]
