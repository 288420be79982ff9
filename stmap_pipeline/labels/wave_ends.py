"""The rate at both ends of a pulse wave, where a beat is seen in part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.labels.beat_places import Places, usual_lengths

FloatArray = npt.NDArray[np.float64]

# the wave shows up to where it goes on after the last beat, unless that is so many beats away
MAX_BEATS_AT_END = 1.3
# the breath hardly ever changes the rate by more from a beat to the next part of one at the end of a wave: the place of that part may be a wrong one
_MAX_CHANGE_AT_END = 0.07
# a breath lasts about so long; behind what is seen, the rate goes on so much nearer to the mean over it than it was last
_BREATH_S, _BACK_TO_MEAN = 4.0, 1 / 3


class End(NamedTuple):
    """An end of a run: the rate from the beat next to it, and how far from there the wave shows the beats."""

    rate_hz: float
    measured_to_s: float


def ends_of_wave(places: Places, limits_s: tuple[float, float]) -> tuple[End, End] | None:
    """Return both ends of a wave without gaps; None where there are too few beats.

    The waves around beats show the last place that has ``reach`` parts of a beat on its other side, too: it is compared with the same part of
    the other beats. Only what lies behind it goes on at the last rate.

    Parameters
    ----------
    places : Places
    limits_s : (float, float)
        Where the wave starts and stops.
    """
    if places.beats_s.size < 3:
        return None
    before = _end_of_wave(places.backward(), -limits_s[0])
    return End(before.rate_hz, -before.measured_to_s), _end_of_wave(places, limits_s[1])


def _end_of_wave(places: Places, last_s: float) -> End:
    """Return the end of a wave behind its last beat; see :func:`ends_of_wave`."""
    beats_s, times_s = places.beats_s, places.times_s
    interval_s = np.diff(beats_s)
    usual_hz = float(1 / interval_s[-1])
    length_s = usual_lengths(beats_s)
    not_seen = End(rate_behind_hz(usual_hz, beats_s), float(beats_s[-1]))
    part = (times_s[-1] - beats_s[-1]) / length_s[-1] - places.reach
    if not 0 < part <= MAX_BEATS_AT_END:
        return not_seen
    places_s = beats_s + part * np.append(interval_s, length_s[-1])
    later, fits, _ = places.later_of(places_s, length_s, times_s, places.values)
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
    behind_hz = rate_behind_hz(rate_hz, beats_s)
    return End(float((part + (last_s - place_s) * behind_hz) / (last_s - beats_s[-1])), place_s)


def rate_behind_hz(last_hz: float, beats_s: FloatArray) -> float:
    """Return the rate behind what is seen: the last one, a third nearer to the mean over about one breath before the last beat."""
    first = max(0, min(int(np.searchsorted(beats_s, beats_s[-1] - _BREATH_S)), beats_s.size - 2))
    mean_hz = (beats_s.size - 1 - first) / (beats_s[-1] - beats_s[first])
    return float(last_hz + _BACK_TO_MEAN * (mean_hz - last_hz))
