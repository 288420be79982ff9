"""From windows as recorded, and what each can give at another speed, to the windows that are added."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.balance.choose import Pool
from stmap_pipeline.maps.balance.histogram import wanted_counts
from stmap_pipeline.maps.balance.options import BalanceOptions, Fg2019Options, Options
from stmap_pipeline.maps.balance.result import Added, Augmentation, BinResult
from stmap_pipeline.maps.balance.sources import Offers, Source, Verdict, offer_bins, offer_scales
from stmap_pipeline.records import Window

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingWindows:
    """The windows that training would use as they are: labeled, seen, as recorded. Only they are counted and resampled.

    Parameters
    ----------
    windows : tuple of Window
        In the order of recording and time.
    subjects : tuple of str
        Of each window.
    """

    windows: tuple[Window, ...]
    subjects: tuple[str, ...]

    @classmethod
    def of(cls, windows: Iterable[Window], subjects: Mapping[str, str], min_valid_fraction: float = 1.0) -> TrainingWindows:
        """Take the windows of a build that are fit for training.

        Parameters
        ----------
        windows : iterable of Window
        subjects : mapping of str to str
            Subject of each recording.
        min_valid_fraction : float

        Examples
        --------
        >>> one, two = Window("a", 0, 9, 0.0, 9.0, 70.0, 10.5, 1.0), Window("a", 9, 18, 9.0, 18.0, float("nan"), float("nan"), 1.0)
        >>> len(TrainingWindows.of([one, two], {"a": "p1"}).windows)
        1
        """
        fit = [
            one
            for one in windows
            if not one.augmented and one.heart_rate_bpm == one.heart_rate_bpm and one.valid_fraction >= min_valid_fraction
        ]
        fit.sort(key=lambda one: (one.recording_id, one.start))
        return cls(tuple(fit), tuple(subjects[one.recording_id] for one in fit))

    @cached_property
    def heart_rate_bpm(self) -> FloatArray:
        """(W,) array."""
        return np.array([one.heart_rate_bpm for one in self.windows], dtype=np.float64)

    @cached_property
    def fold(self) -> IntArray:
        """(W,) array."""
        return np.array([one.fold for one in self.windows], dtype=np.int64)

    @cached_property
    def recordings(self) -> dict[str, slice]:
        """Where the windows of each recording stand, in the order of the ids."""
        ids = np.array([one.recording_id for one in self.windows], dtype=np.str_)
        names, starts = np.unique(ids, return_index=True)
        return {str(name): slice(int(a), int(b)) for name, a, b in zip(names, starts, [*starts[1:], len(ids)], strict=True)}


def make_offers(options: Options, recording_id: str, source: Source, windows: Iterable[Window]) -> Offers:
    """Find what the windows of one recording can give; it depends on that recording and the options alone.

    Parameters
    ----------
    options : BalanceOptions or Fg2019Options
    recording_id : str
    source : Source
    windows : iterable of Window
        Of this recording, from :class:`TrainingWindows`.

    Returns
    -------
    Offers
        A column a bin, or a scale.
    """
    chosen = list(windows)
    start, stop = np.array([one.start for one in chosen]), np.array([one.stop for one in chosen])
    rates = np.array([one.heart_rate_bpm for one in chosen])
    if isinstance(options, BalanceOptions):
        # a number of its own for each recording: the same one whoever works on it, and in whatever order
        seed = [options.seed, zlib.crc32(recording_id.encode())]
        return offer_bins(
            source,
            start,
            stop,
            rates,
            options.bins,
            max_scale=options.max_scale,
            seed=seed,
            min_valid_fraction=options.min_valid_fraction,
        )
    offers = offer_scales(source, start, stop, np.tile(options.hr_scales, (len(chosen), 1)), options.min_valid_fraction)
    low, high = options.band_bpm
    offers.verdict[~((rates >= low) & (rates < high))] = Verdict.OUT_OF_REACH
    return offers


def choose_windows(options: Options, training: TrainingWindows, offers: Offers) -> Augmentation:
    """Choose what is added.

    The official folds are planned one by one. A training set is a union of folds, so it comes out balanced whichever fold is
    held out, and nothing in the held-out fold has a say in what is trained on. Where a database has no folds, all its
    subjects are planned together.

    Parameters
    ----------
    options : BalanceOptions or Fg2019Options
    training : TrainingWindows
    offers : Offers
        A row a window of ``training``.

    Returns
    -------
    Augmentation

    Examples
    --------
    >>> training = TrainingWindows.of([Window("a", 0, 9, 0.0, 9.0, 80.0, 12.0, 1.0)], {"a": "p1"})
    >>> offers = Offers(*np.array([[[0.67, 1.5]], [[53.6, 120.0]], [[1.0, 1.0]], [[1.0, 1.0]]]), np.array([[0, 2]], "i1"))
    >>> [(one.hr_scale, one.heart_rate_bpm) for one in choose_windows(Fg2019Options(), training, offers).windows]
    [(0.67, 53.6)]
    """
    pool = _pool(training, options.per_subject_cap)
    if isinstance(options, BalanceOptions):
        rows, columns, results = _balance(options, training, offers, pool)
    else:
        rows, columns = _fixed(options, offers, pool)
        before = options.bins.count(training.heart_rate_bpm)
        added = options.bins.count(offers.heart_rate_bpm[rows, columns])
        edges = options.bins.edges_bpm
        results = [BinResult(float(edges[k]), float(edges[k + 1]), int(before[k]), None, int(added[k])) for k in range(len(before))]
    return Augmentation(options, _added(options.rule, training, offers, rows, columns), tuple(results))


def _pool(training: TrainingWindows, cap: int | None) -> Pool:
    recording = np.zeros(len(training.windows), dtype=np.int64)
    for number, where in enumerate(training.recordings.values()):
        recording[where] = number
    subject = np.unique(np.array(training.subjects, dtype=np.str_), return_inverse=True)[1]
    return Pool(recording, subject.astype(np.int64), cap)


def _balance(
    options: BalanceOptions, training: TrainingWindows, offers: Offers, pool: Pool
) -> tuple[IntArray, IntArray, list[BinResult]]:
    bins = options.bins
    place = bins.index(training.heart_rate_bpm)
    shares = options.target.shares(bins)
    before, wanted, missing, capped = (np.zeros(len(bins), dtype=np.int64) for _ in range(4))
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    for fold in np.unique(training.fold):
        inside = training.fold == fold
        count = np.bincount(place[inside & (place >= 0)], minlength=len(bins))
        aim = wanted_counts(count, shares)
        lack = np.maximum(aim - count, 0)
        offered = (offers.verdict == Verdict.OFFERED) & inside[:, None]
        supply = offered.sum(axis=0)
        # the scarcest first: it has no choice, and leaves the others those that it does not use
        for k in sorted(np.flatnonzero(lack).tolist(), key=lambda k: (supply[k] / lack[k], k)):
            random = np.random.default_rng([options.seed, int(fold), k])
            candidates = np.flatnonzero(offered[:, k]).astype(np.int64)
            cost = np.abs(np.log(offers.hr_scale[candidates, k]))
            taken, held_back = pool.take(candidates, int(lack[k]), cost, random)
            rows.append(taken)
            columns.append(np.full(len(taken), k))
            missing[k] += lack[k] - len(taken)
            capped[k] += len(held_back)
        before += count
        wanted += np.maximum(aim, count)
    row = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    column = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
    added = np.bincount(column, minlength=len(bins))
    edges = bins.edges_bpm
    results = [
        BinResult(
            float(edges[k]),
            float(edges[k + 1]),
            int(before[k]),
            int(wanted[k]),
            int(added[k]),
            _why(options, offers, k, int(capped[k])) if missing[k] else "",
        )
        for k in range(len(bins))
    ]
    return row, column, results


def _why(options: BalanceOptions, offers: Offers, column: int, capped: int) -> str:
    number = np.bincount(offers.verdict[:, column], minlength=len(Verdict))
    parts = [f"{number[Verdict.OFFERED]} windows can be brought here with scales up to {options.max_scale:g}"]
    parts += [
        f"{number[verdict]} more {text}"
        for verdict, text in (
            (Verdict.TOO_SHORT, "are too near the end of their recordings"),
            (Verdict.NOT_SEEN, "have gaps in what would be read"),
            (Verdict.UNLABELED, "have no label for what would be read"),
        )
        if number[verdict]
    ]
    if capped:
        parts.append(f"the cap of {options.per_subject_cap} a subject holds {capped} back")
    return "; ".join(parts)


def _fixed(options: Fg2019Options, offers: Offers, pool: Pool) -> tuple[IntArray, IntArray]:
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    for k in range(offers.verdict.shape[1]):
        candidates = np.flatnonzero(offers.verdict[:, k] == Verdict.OFFERED).astype(np.int64)
        random = np.random.default_rng([options.seed, k])
        taken, _ = pool.take(candidates, len(candidates), np.zeros(len(candidates)), random)
        rows.append(taken)
        columns.append(np.full(len(taken), k))
    return np.concatenate(rows), np.concatenate(columns)


def _added(rule: str, training: TrainingWindows, offers: Offers, rows: IntArray, columns: IntArray) -> Added:
    # by recording and time, which is the order of the training windows, then by scale
    order = np.lexsort((offers.hr_scale[rows, columns], rows))
    place = rows[order], columns[order]
    figures = (offers.hr_scale, offers.heart_rate_bpm, offers.valid_fraction, offers.coverage)
    return Added(rule, training.windows, place[0], *(one[place] for one in figures))
