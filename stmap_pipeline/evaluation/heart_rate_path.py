"""Heart rate over time from the distributions of overlapping windows, by a forward-backward pass over a hidden Markov model.

The hidden state at the center of each window is a heart rate, or that there is no pulse at all. Three things are known of it:

* A heart changes its rate slowly. Between two windows ``d`` seconds apart the rate makes a random walk of variance ``DRIFT² d``, and with a
  small chance it jumps anywhere, as after a cut to another person. The mean rate over 10 s of 13 people at rest (21 records of a chest strap,
  Neshitov et al.: Sensors 21, 2021) differs 10 s later by a standard deviation of 3.5 bpm, which is 1.1 bpm per root of a second; in the first
  minute of exercise it rises by 20 bpm, with a standard deviation of 10 (von Essen et al.: Eur J Appl Physiol 114, 2014). 1.5 bpm per
  root of a second, 12 bpm in a minute, lies between both.
* Overlapping windows are not independent evidence. The evidence of a window counts by the share of its time that is its own: a second that is
  seen by five windows counts a fifth in each, so that each second of the video counts once.
* A window may be wrong altogether. Its distribution is mixed with a uniform one, so that no window alone can exclude a rate.

The result is exact: the probability of each rate at each window, given all windows before and after it. It takes errors of windows for
independent, which they are not: a lamp that flickers, or a head that nods, misleads one window after the other. :func:`calibrated` therefore
sets beside it how sure the windows are on their own, and makes of both a probability that holds on simulated videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.signals.rate_grid import best_rates, share_near

FloatArray = npt.NDArray[np.float64]

#: Standard deviation of the change of a heart rate, in bpm per root of a second.
DRIFT_BPM = 1.5
#: Chance in a second that the rate is another one altogether, and that a pulse appears or disappears.
JUMP_PER_S, SWITCH_PER_S = 0.001, 0.002
#: Chance that the distribution of a window is worth nothing.
WORTHLESS = 0.02
#: Chance that a video has no pulse, where nothing else is known.
NO_PULSE = 0.2
#: Windows support each other up to so far.
SUPPORT_S = 30.0
#: Highest probability of a rate: simulations do not tell more.
HIGHEST = 0.99
#: Probability that a rate lies in its interval.
INTERVAL = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class HeartRatePath:
    """The probability of each heart rate at each window, given all windows.

    Parameters
    ----------
    rates_bpm : (R,) array
        Increasing, evenly spaced.
    probability : (W, R) array
        Sums to ``1 - no_pulse`` over the rates.
    no_pulse : (W,) array
        Probability that there is no pulse.
    """

    rates_bpm: FloatArray
    probability: FloatArray
    no_pulse: FloatArray

    def best(self) -> tuple[FloatArray, FloatArray]:
        """Return the best rate of each window, and the probability that it is within 5 bpm of the truth.

        Of all intervals of 10 bpm the most probable one is taken, and the mean within it.

        Returns
        -------
        heart_rate_bpm, probability : (W,) array
        """
        return best_rates(self.rates_bpm, self.probability)

    def interval(self, share: float = INTERVAL) -> tuple[FloatArray, FloatArray]:
        """Return the shortest interval that holds the rate of each window with a probability, if there is a pulse.

        Parameters
        ----------
        share : float
            The probability.

        Returns
        -------
        low_bpm, high_bpm : (W,) array
        """
        step_bpm = float(self.rates_bpm[1] - self.rates_bpm[0])
        edges_bpm = np.append(self.rates_bpm, self.rates_bpm[-1] + step_bpm) - step_bpm / 2
        low, high = np.empty(len(self.probability)), np.empty(len(self.probability))
        for index, row in enumerate(self.probability):
            # a little everywhere: cumulative sums that increase have one inverse
            below = np.concatenate([[0.0], np.cumsum(row + 1e-12)])
            wanted = share * below[-1]
            # one end of the shortest lies on an edge of the grid
            starts, stops = below[below + wanted <= below[-1]], below[below >= wanted]
            begin = np.concatenate([starts, stops - wanted])
            begin_bpm, end_bpm = np.interp(begin, below, edges_bpm), np.interp(begin + wanted, below, edges_bpm)
            shortest = int(np.argmin(end_bpm - begin_bpm))
            low[index], high[index] = begin_bpm[shortest], end_bpm[shortest]
        return low, high

    def reweighted(self, probability: FloatArray) -> HeartRatePath:
        """Return the path with another probability of the best rate of each window.

        What lies within 5 bpm of that rate is scaled to the probability. Of the rest, what is no longer believed of the rate may be any other
        rate or no pulse, as where nothing is known.

        Parameters
        ----------
        probability : (W,) array
        """
        best_bpm, chance = self.best()
        near = share_near(self.rates_bpm, best_bpm)
        inside, outside = self.probability * near, self.probability * (1 - near)
        doubted = np.maximum(chance - probability, 0.0)[:, None]
        anything = (1 - near) / (1 - near).sum(axis=1, keepdims=True)
        kept = np.minimum((1 - probability) / np.maximum(1 - chance, 1e-12), 1.0)[:, None]
        scaled = (probability / np.maximum(chance, 1e-12))[:, None]
        return HeartRatePath(
            self.rates_bpm,
            scaled * inside + kept * outside + (1 - NO_PULSE) * doubted * anything,
            kept[:, 0] * self.no_pulse + NO_PULSE * doubted[:, 0],
        )


def find_path(
    rates_bpm: npt.ArrayLike,
    probability: npt.ArrayLike,
    spans_s: npt.ArrayLike,
    no_pulse: npt.ArrayLike | None = None,
    *,
    prior_no_pulse: float = NO_PULSE,
    drift_bpm: float = DRIFT_BPM,
    worthless: float = WORTHLESS,
) -> HeartRatePath:
    """Compute the probability of each heart rate at each window, given all windows.

    Parameters
    ----------
    rates_bpm : (R,) array
        Increasing, evenly spaced.
    probability : (W, R) array
        Of each window on its own, as found where all rates are equally frequent. A window without any information is
        uniform; so is one that is NaN.
    spans_s : (W, 2) array
        Start and end of each window, in the order of time.
    no_pulse : (W,) array, optional
        Probability of each window that there is no pulse; 0 where it is not given.
    prior_no_pulse : float
        Share of windows without a pulse among those that ``no_pulse`` was calibrated on, and chance that a video has none.
    drift_bpm : float
        Standard deviation of the change of a rate, in bpm per root of a second.
    worthless : float
        Chance that the distribution of a window is worth nothing.

    Returns
    -------
    HeartRatePath

    Examples
    --------
    >>> rates_bpm = np.arange(40.0, 181.0)
    >>> clear, unsure = np.exp(-0.5 * (rates_bpm - 72) ** 2), np.ones(141)
    >>> windows = np.stack([clear, clear, unsure, clear])
    >>> path = find_path(rates_bpm, windows / windows.sum(axis=1, keepdims=True), [[k, k + 10] for k in (0, 10, 20, 30)])
    >>> best_bpm, chance = path.best()
    >>> best_bpm.round().tolist(), bool(chance[2] > 0.6)
    ([72.0, 72.0, 72.0, 72.0], True)
    """
    rates, values, spans = (np.asarray(one, dtype=np.float64) for one in (rates_bpm, probability, spans_s))
    count = len(values)
    absent = np.zeros(count) if no_pulse is None else np.asarray(no_pulse, dtype=np.float64)
    if values.shape != (count, len(rates)) or spans.shape != (count, 2) or absent.shape != (count,):
        raise ValueError(
            f"{values.shape} probabilities need {len(rates)} rates and a span of two times for each window, not {spans.shape}"
        )
    if count == 0:
        return HeartRatePath(rates, values, absent)
    if no_pulse is None:
        prior_no_pulse = 0.0
    prior = np.append(np.full(len(rates), (1 - prior_no_pulse) / len(rates)), prior_no_pulse)
    known = np.isfinite(values).all(axis=1) & np.isfinite(absent)
    whole = np.where(known[:, None], np.column_stack([values, absent]), prior)
    whole = (1 - worthless) * whole / whole.sum(axis=1, keepdims=True) + worthless * prior
    ratio = np.divide(whole, prior, out=np.zeros_like(whole), where=prior > 0)
    evidence = np.log(np.maximum(ratio, 1e-300)) * own_time(spans, known)[:, None]
    likelihood = np.exp(evidence - evidence.max(axis=1, keepdims=True)) * (prior > 0)

    centers_s = spans.mean(axis=1)
    steps = [_transition(tuple(rates.tolist()), round(float(step_s), 3), drift_bpm) for step_s in np.diff(centers_s)]
    before, after = np.empty_like(likelihood), np.ones_like(likelihood)
    before[0] = prior * likelihood[0]
    before[0] /= before[0].sum()
    for index, step in enumerate(steps, start=1):
        before[index] = (before[index - 1] @ step) * likelihood[index]
        before[index] /= before[index].sum()
    for index in range(count - 2, -1, -1):
        after[index] = steps[index] @ (likelihood[index + 1] * after[index + 1])
        after[index] /= after[index].max()
    posterior = before * after
    posterior /= posterior.sum(axis=1, keepdims=True)
    return HeartRatePath(rates, posterior[:, :-1], posterior[:, -1])


class PathCalibration(NamedTuple):
    """Weights of a logistic regression: a rate of a path is right, where the path and its windows are so sure of it.

    Parameters
    ----------
    constant : float
    chance : float
        Weight of the logit of the probability by the path, not negative.
    support : float
        Weight of the logit of the mean probability by the windows on their own, not negative.
    """

    constant: float
    chance: float
    support: float


def calibrated(path: HeartRatePath, probability: npt.ArrayLike, spans_s: npt.ArrayLike, calibration: PathCalibration) -> FloatArray:
    """Compute the probability that the best rate of each window is within 5 bpm of the truth.

    The surer the path is of that rate, and the windows on their own, the higher it is.

    Parameters
    ----------
    path : HeartRatePath
    probability : (W, R) array
        Of the windows on their own, as the path was found from.
    spans_s : (W, 2) array
    calibration : PathCalibration

    Returns
    -------
    (W,) array
        NaN where no window within 30 s is known.
    """
    best_bpm, chance = path.best()
    return calibration_curve(chance, path_support(path.rates_bpm, best_bpm, probability, spans_s), calibration)


def calibration_curve(chance: FloatArray, support: FloatArray, calibration: PathCalibration) -> FloatArray:
    """Return the probability that a logistic regression makes of what is known of a rate."""
    score = calibration.constant + calibration.chance * _logit(chance) + calibration.support * _logit(support)
    return np.asarray(np.minimum(1 / (1 + np.exp(-score)), HIGHEST))


def path_support(rates_bpm: FloatArray, best_bpm: FloatArray, probability: npt.ArrayLike, spans_s: npt.ArrayLike) -> FloatArray:
    """Return how probable the windows around each one find the rates of a path, each on its own.

    Parameters
    ----------
    rates_bpm : (R,) array
    best_bpm : (W,) array
        The path.
    probability : (W, R) array
        NaN where a window tells nothing.
    spans_s : (W, 2) array

    Returns
    -------
    (W,) array
        Mean of the probabilities within 5 bpm of the path in windows up to 30 s away, weighted by the time that is their own, and less the
        farther they are; NaN where none is known.

    Examples
    --------
    >>> rates_bpm = np.arange(60.0, 81.0)
    >>> sure, unsure = np.where(rates_bpm == 70, 1.0, 0.0), np.full(21, 1 / 21)
    >>> spans_s = [[0.0, 10.0], [10.0, 20.0]]
    >>> path_support(rates_bpm, np.array([70.0, 70.0]), np.stack([sure, unsure]), spans_s).round(2).tolist()
    [0.79, 0.69]
    """
    values, spans = np.asarray(probability, dtype=np.float64), np.asarray(spans_s, dtype=np.float64)
    known = np.asarray(np.isfinite(values).all(axis=1))
    mass = (np.where(known[:, None], values, 0.0) * share_near(rates_bpm, best_bpm)).sum(axis=1)
    own_s = own_time(spans, known) * (spans[:, 1] - spans[:, 0])
    centers_s = spans.mean(axis=1)
    found = np.empty(len(mass))
    for index, center_s in enumerate(centers_s):
        near = slice(*np.searchsorted(centers_s, [center_s - SUPPORT_S, center_s + SUPPORT_S]))
        weight = own_s[near] * (1 - np.abs(centers_s[near] - center_s) / SUPPORT_S)
        total = weight.sum()
        found[index] = weight @ mass[near] / total if total > 0 else np.nan
    return found


def _logit(chance: FloatArray) -> FloatArray:
    inside = np.clip(chance, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))


def own_time(spans_s: npt.ArrayLike, known: npt.NDArray[np.bool_] | None = None) -> FloatArray:
    """Return the share of each window's time that is its own, where a moment that is in n windows belongs to each by 1 / n.

    Parameters
    ----------
    spans_s : (W, 2) array
    known : (W,) array of bool, optional
        The windows that count; the others have no time of their own.

    Returns
    -------
    (W,) array
        From 0 to 1; times the lengths they add up to the time that any window covers.

    Examples
    --------
    >>> own_time([[0.0, 10.0], [5.0, 15.0]]).tolist(), own_time([[0.0, 10.0], [20.0, 30.0]]).tolist()
    ([0.75, 0.75], [1.0, 1.0])
    >>> own_time([[0.0, 10.0], [5.0, 15.0]], np.array([True, False])).tolist()
    [1.0, 0.0]
    """
    spans = np.asarray(spans_s, dtype=np.float64)
    counted = np.ones(len(spans), dtype=np.int64) if known is None else known.astype(np.int64)
    edges = np.unique(spans)
    first, last = np.searchsorted(edges, spans[:, 0]), np.searchsorted(edges, spans[:, 1])
    change = np.zeros(len(edges) + 1)
    np.add.at(change, first, counted)
    np.add.at(change, last, -counted)
    windows = np.cumsum(change)[: len(edges) - 1]
    shared_s = np.concatenate([[0.0], np.cumsum(np.diff(edges) / np.maximum(windows, 1))])
    return np.asarray(counted * (shared_s[last] - shared_s[first]) / (spans[:, 1] - spans[:, 0]))


@lru_cache(maxsize=64)
def _transition(rates_bpm: tuple[float, ...], step_s: float, drift_bpm: float) -> FloatArray:
    """Return the probabilities from each state to each after a time, (R + 1, R + 1); the last state is that there is no pulse."""
    rates = np.array(rates_bpm)
    # half a step of the grid and the drift: a walk of less than the grid would not move
    variance = drift_bpm**2 * step_s + (rates[1] - rates[0]) ** 2 / 12
    walk = np.exp(-0.5 * (rates - rates[:, None]) ** 2 / variance)
    walk /= walk.sum(axis=1, keepdims=True)
    jump, switch = (1 - np.exp(-per_s * step_s) for per_s in (JUMP_PER_S, SWITCH_PER_S))
    whole = np.empty((len(rates) + 1, len(rates) + 1))
    whole[:-1, :-1] = (1 - switch) * ((1 - jump) * walk + jump / len(rates))
    whole[:-1, -1] = switch
    whole[-1, :-1], whole[-1, -1] = switch / len(rates), 1 - switch
    return whole
