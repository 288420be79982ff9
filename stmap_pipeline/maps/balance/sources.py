"""What recordings can give at another speed: label, length and quality of any part of them, without reading a sample."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.resample import last_source_time
from stmap_pipeline.maps.windows import WindowClock
from stmap_pipeline.records import HeartRateTrace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Resampling bridges no longer hole in the times of the frames.
MAX_HOLE_S = 0.5


class Verdict(IntEnum):
    """Whether a part of a recording can be had at a certain heart rate, or why not."""

    OFFERED = 0
    OUT_OF_REACH = 1
    TOO_SHORT = 2
    UNLABELED = 3
    NOT_SEEN = 4


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What must be known of a recording to plan with it.

    Parameters
    ----------
    clock : WindowClock
        Samples that its windows are counted in.
    frame_times_s : (T,) array of float64
        Times of its frames.
    heart_rate : HeartRateTrace, optional
    """

    clock: WindowClock
    frame_times_s: FloatArray
    heart_rate: HeartRateTrace | None


class Request(NamedTuple):
    """Windows of one recording that are to be resampled.

    Parameters
    ----------
    recording_id : str
    start, stop : (W,) array of int64
        Samples of each window.
    heart_rate_bpm : (W,) array of float64
        As recorded.
    """

    recording_id: str
    start: IntArray
    stop: IntArray
    heart_rate_bpm: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """What W windows give at K speeds each.

    Parameters
    ----------
    hr_scale, heart_rate_bpm, valid_fraction, coverage : (W, K) array of float64
        As in :class:`~stmap_pipeline.records.Window`; without meaning where nothing is offered.
    verdict : (W, K) array of int8
        A :class:`Verdict` each.
    """

    hr_scale: FloatArray
    heart_rate_bpm: FloatArray
    valid_fraction: FloatArray
    coverage: FloatArray
    verdict: npt.NDArray[np.int8]

    @classmethod
    def none(cls, windows: int, speeds: int) -> Offers:
        """Offer nothing."""
        empty = np.full((4, windows, speeds), np.nan)
        return cls(empty[0], empty[1], empty[2], empty[3], np.full((windows, speeds), Verdict.OUT_OF_REACH, dtype=np.int8))

    def put(self, place: Any, others: Offers) -> None:
        """Take over others at some places."""
        for name in Offers.__slots__:
            getattr(self, name)[place] = getattr(others, name)

    def at(self, place: Any) -> Offers:
        """Give those at some places."""
        return Offers(*(getattr(self, name)[place] for name in Offers.__slots__))


class Parts:
    """Facts about parts of a few recordings, with all that they have in common computed once.

    Parameters
    ----------
    sources : sequence of Source
    requests : sequence of Request
        Of each of them.
    min_valid_fraction : float

    Examples
    --------
    >>> from stmap_pipeline.config import WindowsConfig
    >>> from stmap_pipeline.maps.windows import window_clock
    >>> times_s = np.arange(600) / 30
    >>> clock = window_clock(times_s, np.ones(600, bool), np.ones(600), WindowsConfig())
    >>> source = Source(clock, times_s, HeartRateTrace(np.arange(20.0), np.full(20, 80.0)))
    >>> parts = Parts([source], [Request("a", np.array([0]), np.array([300]), np.array([80.0]))], 1.0)
    >>> found = parts.read(np.array([0, 0, 0]), np.array([0.5, 1.5, 2.5]))
    >>> found.heart_rate_bpm.tolist(), [Verdict(one).name for one in found.verdict]
    ([40.0, 120.0, nan], ['OFFERED', 'OFFERED', 'TOO_SHORT'])
    """

    def __init__(self, sources: Sequence[Source], requests: Sequence[Request], min_valid_fraction: float) -> None:
        self._min_valid = min_valid_fraction
        clocks = [one.clock for one in sources]
        self._times_s = [one.times_s for one in clocks]
        # sums over all recordings in one row: a part is the difference of two of them
        self._valid, self._coverage = (_sums([getattr(one, name) for one in clocks]) for name in ("valid", "coverage"))
        offset = _offsets(self._times_s)
        self._recording = np.repeat(np.arange(len(sources)), [len(one.start) for one in requests])
        self._first = np.concatenate([one.start + first for one, first in zip(requests, offset, strict=True)])
        start_s = [clock.times_s[one.start] for clock, one in zip(clocks, requests, strict=True)]
        last_s = [clock.times_s[one.stop - 1] for clock, one in zip(clocks, requests, strict=True)]
        stop_s = [last + clock.interval_s for clock, last in zip(clocks, last_s, strict=True)]
        # the same sums in the same order as a window has them, so that its label is that of its own interval to the last bit
        self._start_s = np.concatenate(start_s)
        self._to_last_s = np.concatenate(last_s) - self._start_s
        self._to_stop_s = np.concatenate(stop_s) - self._start_s
        self._last_s = np.array([last_source_time(one.frame_times_s) for one in sources])
        self._holes_s = [_holes(one.frame_times_s) for one in sources]
        self._labels = [one.heart_rate or HeartRateTrace(np.zeros(0), np.zeros(0)) for one in sources]

    def read(self, window: IntArray, scale: FloatArray) -> Offers:
        """Say what windows give at a scale each.

        Parameters
        ----------
        window : (P,) array of int
            Numbers through all requests, ascending.
        scale : (P,) array of float

        Returns
        -------
        Offers
            With arrays (P,).
        """
        recording = self._recording[window]
        start_s = self._start_s[window]
        last_s = start_s + scale * self._to_last_s[window]
        begin, end = self._first[window], _find(self._times_s, recording, last_s, "right")
        valid, coverage = ((one[end] - one[begin]) / np.maximum(end - begin, 1) for one in (self._valid, self._coverage))
        label = self._mean_heart_rate(recording, start_s, start_s + scale * self._to_stop_s[window])
        verdict = np.full(scale.shape, Verdict.OFFERED, dtype=np.int8)
        verdict[(valid < self._min_valid) | self._over_a_hole(recording, start_s, last_s)] = Verdict.NOT_SEEN
        verdict[np.isnan(label)] = Verdict.UNLABELED
        verdict[last_s > self._last_s[recording]] = Verdict.TOO_SHORT
        return Offers(scale, scale * label, valid, coverage, verdict)

    def _mean_heart_rate(self, recording: IntArray, start_s: FloatArray, stop_s: FloatArray) -> FloatArray:
        bounds = np.searchsorted(recording, np.arange(len(self._labels) + 1))
        parts = [slice(*limits) for limits in itertools.pairwise(bounds)]
        return np.concatenate(
            [one.mean_between(start_s[part], stop_s[part]) for one, part in zip(self._labels, parts, strict=True)]
        )

    def _over_a_hole(self, recording: IntArray, start_s: FloatArray, last_s: FloatArray) -> npt.NDArray[np.bool_]:
        over = np.zeros(len(recording), dtype=np.bool_)
        for number, holes in enumerate(self._holes_s):
            for begin_s, end_s in holes:
                over |= (recording == number) & (begin_s < last_s) & (end_s > start_s)
        return over


def _offsets(parts: Sequence[npt.NDArray[Any]]) -> IntArray:
    # one sum more than there are values, at the beginning of each
    lengths = np.array([len(one) + 1 for one in parts], dtype=np.int64)
    return np.asarray(np.cumsum(lengths) - lengths, dtype=np.int64)


def _sums(parts: Sequence[npt.NDArray[Any]]) -> FloatArray:
    return np.cumsum(np.concatenate([one for part in parts for one in ([0.0], part)]))


def _find(parts: Sequence[FloatArray], number: IntArray, values: FloatArray, side: Any) -> IntArray:
    """Search each value in its own part; ``number`` ascends."""
    bounds = np.searchsorted(number, np.arange(len(parts) + 1))
    found = np.empty(len(values), dtype=np.int64)
    for part, offset, begin, end in zip(parts, _offsets(parts), bounds, bounds[1:], strict=False):
        found[begin:end] = part.searchsorted(values[begin:end], side) + offset
    return found


def _holes(frame_times_s: FloatArray) -> list[tuple[float, float]]:
    wide = np.flatnonzero(np.diff(frame_times_s) > MAX_HOLE_S)
    return list(zip(frame_times_s[wide].tolist(), frame_times_s[wide + 1].tolist(), strict=True))
