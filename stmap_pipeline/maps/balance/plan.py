"""Choose, of what the windows can give, what is added."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.balance.choose import Pool
from stmap_pipeline.maps.balance.histogram import wanted_counts
from stmap_pipeline.maps.balance.options import BalanceOptions, Fg2019Options, Options
from stmap_pipeline.maps.balance.result import Added, Augmentation, BinResult
from stmap_pipeline.maps.balance.sources import Offers, Verdict
from stmap_pipeline.maps.balance.training import TrainingWindows

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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
    >>> from stmap_pipeline.maps.balance.training import COLUMNS
    >>> training = TrainingWindows.of(dict(zip(COLUMNS, (["a"], ["p1"], [1], [0], [300], [80.0], [1.0]))))
    >>> offers = Offers(*np.array([[[0.67, 1.5]], [[53.6, 120.0]], [[1.0, 1.0]], [[1.0, 1.0]]]), np.array([[0, 2]], "i1"))
    >>> added = choose_windows(Fg2019Options(), training, offers).added
    >>> added.hr_scale.tolist(), added.heart_rate_bpm.tolist()
    ([0.67], [53.6])
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
    recordings = len({training.recording_id[row] for row in np.unique(rows)})
    return Augmentation(options, _added(options.rule, training, offers, rows, columns), recordings, tuple(results))


def _pool(training: TrainingWindows, cap: int | None) -> Pool:
    recording = np.zeros(len(training), dtype=np.int64)
    for number, where in enumerate(training.recordings().values()):
        recording[where] = number
    numbers = {name: number for number, name in enumerate(sorted(set(training.subject)))}
    return Pool(recording, np.array([numbers[name] for name in training.subject], dtype=np.int64), cap)


def _balance(
    options: BalanceOptions, training: TrainingWindows, offers: Offers, pool: Pool
) -> tuple[IntArray, IntArray, list[BinResult]]:
    bins = options.bins
    place = bins.index(training.heart_rate_bpm)
    shares = options.target.shares(bins)
    before, wanted, capped = (np.zeros(len(bins), dtype=np.int64) for _ in range(3))
    # of each bin, the windows in whose fold there were not enough
    short = np.zeros(offers.verdict.shape, dtype=np.bool_)
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
            if len(taken) < lack[k]:
                short[:, k] |= inside
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
            _why(options, training.fold[short[:, k]], offers.verdict[short[:, k], k], int(capped[k])),
        )
        for k in range(len(bins))
    ]
    return row, column, results


def _why(options: BalanceOptions, folds: IntArray, verdicts: npt.NDArray[np.int8], capped: int) -> str:
    """Say why a bin is short, by the windows of the folds in which it is."""
    if not len(verdicts):
        return ""
    number = np.bincount(verdicts, minlength=len(Verdict))
    names = ", ".join(str(fold) for fold in np.unique(folds) if fold)
    where = f" of fold {names}" if names else ""
    parts = [f"{number[Verdict.OFFERED]} windows{where} can be brought here with scales up to {options.max_scale:g}"]
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
    taken = offers.at((rows[order], columns[order]))
    return Added(rule, training.row[rows[order]], taken.hr_scale, taken.heart_rate_bpm, taken.valid_fraction, taken.coverage)
