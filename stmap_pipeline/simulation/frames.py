"""Frames of many simulated cameras: when they are taken, what time they are stamped with, and how they become uniform samples.

The frames of all windows lie on one axis, window after window. Resampling is a sparse matrix over that axis; its weights are those of
:func:`~stmap_pipeline.maps.resample.resample_uniform` (a cubic spline inside a run of regular frames, a straight line across short gaps,
nothing across long ones), with the difference that the spline passes through the four frames on each side alone, which changes a
weight by less than a hundredth, and that it becomes a straight line within four frames of a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from stmap_pipeline.simulation.config import SimulationConfig

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

TAPS = 8
_MARGIN = TAPS // 2 + 1  # frames before and after a window, so that a spline has its knots
_MAX_GAP_S = 0.5
_IRREGULAR = 3.0
_FRAME_RATES_HZ = {
    "training": ((30.0, 29.97, 25.0, 24.0, 23.976, 60.0, 20.0, 30.098), (0.42, 0.14, 0.18, 0.06, 0.04, 0.03, 0.08, 0.05)),
    "unseen": ((30.0, 28.5, 27.0, 22.0, 25.0, 50.0, 18.0), (0.25, 0.15, 0.15, 0.15, 0.15, 0.05, 0.10)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames of B windows, M of them together.

    Parameters
    ----------
    owner : (M,) array of int
        Window of each frame, ascending.
    starts : (B + 1,) array of int
        First frame of each window, and M.
    number : (M,) array of int
        Number of the frame in its window.
    taken_s, stamped_s : (M,) array of float64
        When the frame was taken, and what time the file says; 0 is the first sample of the window.
    shown : (M,) array of int
        Index of the frame whose image is shown: its own, or an earlier one where frames are repeated.
    seen : (M,) array of bool
        Whether the face is found in it.
    rate_hz : (B,) array of float64
        Rate of the frames in the file.
    """

    owner: IntArray
    starts: IntArray
    number: IntArray
    taken_s: FloatArray
    stamped_s: FloatArray
    shown: IntArray
    seen: BoolArray
    rate_hz: FloatArray

    def taken_at(self, times_s: FloatArray) -> FloatArray:
        """Compute when what is shown at stamped times of each window was taken, (B, K) for (K,) times."""
        shift_s = 1e4 * np.arange(len(self.rate_hz))
        at = self.stamped_s + shift_s[self.owner]
        return np.interp((times_s + shift_s[:, None]).ravel(), at, self.taken_s).reshape(len(shift_s), -1)


def draw_frames(
    generators: dict[str, np.random.Generator], terms: dict[str, BoolArray], duration_s: float, config: SimulationConfig
) -> Frames:
    """Draw the frames of B windows of a duration.

    Parameters
    ----------
    generators : dict of numpy.random.Generator
        One for each term.
    terms : dict of (B,) array of bool
        Damages of each window.
    duration_s : float
        Time of the last sample.
    config : SimulationConfig
    """
    count, random = len(terms["jitter"]), generators["frames"]
    rates, weights = _FRAME_RATES_HZ[config.settings]
    rate_hz = random.choice(rates, count, p=np.array(weights) / sum(weights))
    rate_hz = np.where(terms["low_frame_rate"], random.uniform(8, 22, count), rate_hz)
    shown_hz = np.where(terms["repeated_frames"], rate_hz * random.uniform(0.3, 0.95, count), rate_hz)
    rate_hz = np.where(terms["repeated_frames"] & terms["low_frame_rate"], 30.0, rate_hz)

    # the clock of the samples begins with a frame of the recording, some samples before the window: 30 frames a second are samples as they are
    before = np.ceil(_MARGIN / rate_hz * config.rate_hz) + random.integers(0, 3, count)
    number_of = np.ceil((duration_s + before / config.rate_hz) * rate_hz).astype(np.intp) + _MARGIN + 1
    starts = np.concatenate(([0], np.cumsum(number_of)))
    owner = np.repeat(np.arange(count), number_of)
    number = np.arange(starts[-1]) - starts[owner]
    step_s = 1 / rate_hz

    jitter = np.where(terms["jitter"], random.uniform(0.03, 0.25, count), random.uniform(0, 0.01, count))
    early = np.clip(random.standard_normal(len(owner)), -1.8, 1.8) * (jitter * step_s)[owner]
    drop_share = np.where(terms["dropped_frames"], 10 ** random.uniform(-2.5, -1.2, count), 0)
    skipped = np.where(random.random(len(owner)) < drop_share[owner], random.integers(1, 3, len(owner)), 0)
    skipped[starts[:-1]] = 0
    elapsed = np.cumsum(skipped)
    elapsed -= elapsed[starts[:-1]][owner]
    # a file of constant frame rate says nothing of jitter and of frames that are missing
    constant = random.random(count) < 0.5
    nominal_s = number * step_s[owner]
    taken_s = nominal_s + elapsed * step_s[owner] + early
    stamped_s = np.where(constant[owner], nominal_s, np.round(taken_s, 6))
    taken_s -= (before / config.rate_hz)[owner]
    stamped_s -= (before / config.rate_hz)[owner]

    held = np.zeros(len(owner), dtype=np.bool_)
    if terms["repeated_frames"].any():
        share = (shown_hz / rate_hz)[owner]
        phase = random.random(count)[owner]
        content = np.floor(number * share + phase)
        held = (np.diff(content, prepend=-1) == 0) & terms["repeated_frames"][owner]
        # some repeat at random instead of evenly
        uneven = (random.random(count) < 0.4)[owner]
        held = np.where(uneven, terms["repeated_frames"][owner] & (random.random(len(owner)) > share), held)
    for _ in range(3):
        start_s, length_s = random.uniform(-0.5, duration_s, count), 10 ** random.uniform(-0.8, 0.25, count)
        frozen = terms["freeze"] & (random.random(count) < 0.6)
        held |= frozen[owner] & (stamped_s > start_s[owner]) & (stamped_s < (start_s + length_s)[owner])
    held[starts[:-1]] = False
    shown = np.maximum.accumulate(np.where(held, 0, np.arange(len(owner))))

    seen = np.ones(len(owner), dtype=np.bool_)
    for _ in range(2):
        # at least a third of a window is seen
        start_s, length_s = (
            random.uniform(-0.5, duration_s, count),
            np.minimum(10 ** random.uniform(-1.3, 0.5, count), duration_s / 3),
        )
        gone = terms["lost_frames"] & (random.random(count) < 0.7)
        seen &= ~(gone[owner] & (stamped_s > start_s[owner]) & (stamped_s < (start_s + length_s)[owner]))
    # a window keeps its first and last frames: an interval has two ends
    seen[starts[:-1]] = seen[starts[1:] - 1] = True
    return Frames(owner, starts, number, taken_s, stamped_s, shown, seen, rate_hz)


def resampling_matrix(frames: Frames, samples: int, rate_hz: float, straight: BoolArray) -> tuple[csr_matrix, BoolArray]:
    """Compute the weights of all frames for all samples.

    Parameters
    ----------
    frames : Frames
    samples : int
        Samples of a window; the first one is at time 0.
    rate_hz : float
    straight : (B,) array of bool
        Windows whose frames were blended linearly.

    Returns
    -------
    matrix : (B * samples, M) sparse array of float32
    known : (B, samples) array of bool
        False in a gap of more than half a second.
    """
    windows, total = len(frames.rate_hz), len(frames.owner)
    used = np.flatnonzero(frames.seen)
    owner = frames.owner[used]
    shift_s = 1e4 * np.arange(windows)
    at = frames.stamped_s[used] + shift_s[owner]
    wanted = (np.arange(samples) / rate_hz + shift_s[:, None]).ravel()
    left = np.clip(np.searchsorted(at, wanted, side="right") - 1, 0, len(at) - 2)
    step = np.diff(at)
    usual = np.repeat(1 / frames.rate_hz, samples)
    interval = step[left]
    known = ((wanted - at[left] < 1e-9) | (interval <= np.maximum(_MAX_GAP_S, 0) + 1e-9)).reshape(windows, samples)

    half = TAPS // 2
    first = np.clip(left - half + 1, 0, len(at) - TAPS)
    index = first[:, None] + np.arange(TAPS)
    around = step[index[:, :-1]]
    regular = (around <= _IRREGULAR * usual[:, None]) & (around * _IRREGULAR >= usual[:, None])
    smooth = regular.all(axis=1) & (first == left - half + 1) & ~np.repeat(straight, samples)
    weights = np.zeros((len(wanted), TAPS))
    place = (wanted - at[left]) / interval
    slot = np.arange(len(wanted)), left - first
    weights[slot] = 1 - place
    weights[slot[0], slot[1] + 1] = place
    bent = smooth & (place != 0)
    weights[bent] += _bend(around[bent], place[bent])
    matrix = csr_matrix(
        (weights.astype(np.float32).ravel(), used[index].ravel(), np.arange(0, weights.size + 1, TAPS)), shape=(len(wanted), total)
    )
    # a sample at the time of a frame, or on a straight line, needs one or two of the eight
    matrix.eliminate_zeros()
    return matrix, known


def _bend(step: FloatArray, place: FloatArray) -> FloatArray:
    """(K, TAPS) weights by which a natural cubic spline through TAPS knots differs from a straight line in its middle interval.

    With h the steps, the second derivatives m of the spline solve ``h[i] m[i] + 2 (h[i] + h[i+1]) m[i+1] + h[i+1] m[i+2] = 6 r[i]``,
    where r is the change of slope at a knot. The weights are r's coefficients times the solution of the transposed, equal, system.
    """
    middle = TAPS // 2 - 1
    inner = TAPS - 2
    h = step.T
    width = h[middle]
    right = [np.zeros(len(place))] * inner
    rest = 1 - place
    right[middle - 1] = (rest**3 - rest) * width**2
    right[middle] = (place**3 - place) * width**2
    diagonal = [2 * (h[i] + h[i + 1]) for i in range(inner)]
    # Thomas' algorithm
    for i in range(1, inner):
        factor = h[i] / diagonal[i - 1]
        diagonal[i] = diagonal[i] - factor * h[i]
        right[i] = right[i] - factor * right[i - 1]
    solution = [right[-1] / diagonal[-1]]
    for i in range(inner - 2, -1, -1):
        solution.insert(0, (right[i] - h[i + 1] * solution[0]) / diagonal[i])
    weights = np.zeros((TAPS, len(place)))
    for i, one in enumerate(solution):
        weights[i] += one / h[i]
        weights[i + 1] -= one * (1 / h[i] + 1 / h[i + 1])
        weights[i + 2] += one / h[i + 1]
    return weights.T
