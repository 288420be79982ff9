"""Whom the choice falls on: the least used first, subjects, recordings and times in turn."""

from collections import Counter

import numpy as np
import pytest
from balance_sources import request, source
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.maps.balance import (
    BalanceOptions,
    Bins,
    Fg2019Options,
    Offers,
    Target,
    TrainingWindows,
    Verdict,
    choose_windows,
    make_offers,
)
from stmap_pipeline.maps.balance.choose import Pool


def pool(subjects, per_recording=10, cap=None):
    """Subjects with so many recordings each, and windows in each recording."""
    recording = np.repeat(np.arange(sum(subjects)), per_recording)
    subject = np.repeat(np.arange(len(subjects)), [per_recording * one for one in subjects])
    return Pool(recording, subject, cap)


def take(where, number, candidates=None, seed=0):
    every = np.arange(len(where.recording)) if candidates is None else np.asarray(candidates)
    return where.take(every, number, np.zeros(len(every)), np.random.default_rng(seed))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 80), st.integers(0, 5))
def test_subjects_and_their_recordings_take_turns(subjects, number, seed):
    where = pool(subjects)
    taken, _ = take(where, number, seed=seed)
    assert len(taken) == len(set(taken)) == min(number, len(where.recording))
    of_subject = np.bincount(where.subject[taken], minlength=len(subjects))
    full = 10 * np.array(subjects)
    # whoever has less than another has given all there was
    for one, count in enumerate(of_subject):
        assert count == full[one] or count >= of_subject.max() - 1
    for one in range(len(subjects)):
        inside = taken[where.subject[taken] == one]
        if len(inside) < full[one]:
            numbers = np.bincount(where.recording[inside] - where.recording[where.subject == one].min(), minlength=subjects[one])
            assert numbers.max() - numbers.min() <= 1


def test_the_first_few_of_a_recording_are_spread_over_its_time():
    for seed in range(20):
        taken, _ = take(pool([1], per_recording=60), 6, seed=seed)
        assert np.diff(taken).min() >= 5


@given(st.integers(0, 5), st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_no_window_is_used_again_while_another_one_waits(seed, numbers):
    where = pool([2, 1, 3])
    for number in numbers:
        before = np.zeros(60, dtype=int) if where.uses is None else where.uses.copy()
        taken, _ = take(where, number, seed=seed)
        left = np.setdiff1d(np.arange(60), taken)
        if len(left) and len(taken):
            assert before[taken].max() <= before[left].min()
    assert where.uses.max() - where.uses.min() <= 1


def test_of_a_subject_the_mildest_recordings_come_first():
    where = pool([2], per_recording=3)
    cost = np.where(where.recording == 1, 0.1, 0.3)
    taken, _ = where.take(np.arange(6), 1, cost, np.random.default_rng(0))
    assert where.recording[taken].tolist() == [1]


def test_the_cap_holds_over_all_calls():
    where = pool([1, 3], cap=7)
    for _ in range(5):
        taken, held = take(where, 40)
    assert not len(taken)
    assert len(held) == 40
    assert np.bincount(where.subject, weights=where.uses).tolist() == [7, 7]


def build(rates, duration_s=30.0, folds=None):
    """A table of windows and their sources: a recording a subject."""
    sources = [source(rate, duration_s) for rate in rates]
    requests = [request(one, f"p{number:02d}", 200, 15) for number, one in enumerate(sources)]
    names = [one.recording_id for one in requests for _ in one.start]
    folds = folds or [1] * len(rates)
    columns = {
        "recording_id": names,
        "subject": [f"s{one}" for one in names],
        "fold": [folds[int(one[1:])] for one in names],
        "start": np.concatenate([one.start for one in requests]),
        "stop": np.concatenate([one.stop for one in requests]),
        "heart_rate_bpm": np.concatenate([one.heart_rate_bpm for one in requests]),
        "valid_fraction": [1.0] * len(names),
    }
    return TrainingWindows.of(columns), sources, requests


def plan(options, rates, **more):
    training, sources, requests = build(rates, **more)
    return training, choose_windows(options, training, make_offers(options, sources, requests))


@given(st.lists(st.floats(50, 130), min_size=1, max_size=8), st.integers(0, 3), st.sampled_from([None, 4, 30]))
@settings(deadline=None, max_examples=40)
def test_a_plan_aims_at_the_target_and_accounts_for_each_bin(rates, seed, cap):
    options = BalanceOptions(bins=Bins(40, 160, 10), seed=seed, per_subject_cap=cap)
    training, found = plan(options, rates)
    added = found.added
    rate = added.heart_rate_bpm
    assert np.array_equal(options.bins.count(rate), [one.added for one in found.bins])
    for one in found.bins:
        assert one.before <= one.after <= one.wanted
        assert bool(one.shortfall) == (one.after < one.wanted)
    # nobody twice in a bin, nobody beyond the cap
    uses = Counter(zip(added.row.tolist(), options.bins.index(rate).tolist(), strict=True))
    assert max(uses.values(), default=1) == 1
    of_subject = Counter(training.subject[np.flatnonzero(training.row == row)[0]] for row in added.row.tolist())
    assert cap is None or max(of_subject.values(), default=0) <= cap
    told = found.to_mapping()
    assert told["windows_added"] == len(added) == sum(one["added"] for one in told["bins"])
    if told["windows_before"]:
        assert told["normalized_entropy_after"] >= told["normalized_entropy_before"] - 1e-9
    # rows are in the order of recording, time and scale, each of them once
    keys = list(zip(added.row.tolist(), added.hr_scale.tolist(), strict=True))
    assert keys == sorted(set(keys))


def test_a_plan_says_why_it_falls_short():
    options = BalanceOptions(bins=Bins(40, 160, 10))
    _, found = plan(options, [75.0, 80.0], duration_s=9.0)
    shortfalls = {one.low_bpm: one.shortfall for one in found.bins}
    assert shortfalls[40.0].startswith("0 windows of fold 1 can be brought here with scales up to 1.5")
    assert "are too near the end of their recordings" in shortfalls[110.0]
    capped = BalanceOptions(bins=Bins(40, 160, 10), per_subject_cap=3)
    _, found = plan(capped, [75.0, 80.0])
    assert any("the cap of 3 a subject holds" in one.shortfall for one in found.bins)


def test_each_fold_is_planned_from_itself_alone():
    rates, folds = [55.0, 70.0, 75.0, 80.0, 95.0, 110.0], [1, 1, 1, 2, 2, 2]
    options = BalanceOptions(bins=Bins(40, 160, 10))
    training, both = plan(options, rates, folds=folds)
    first = training.fold[np.searchsorted(training.row, both.added.row)] == 1
    # whatever stands in the second fold: the first one gets the same windows
    for other in ([60.0, 60.0, 60.0], [150.0, 45.0, 100.0]):
        _, changed = plan(options, rates[:3] + other, folds=folds)
        inside = changed.added.row < training.row[training.fold == 2].min()
        for name in ("row", "hr_scale", "heart_rate_bpm"):
            assert np.array_equal(getattr(both.added, name)[first], getattr(changed.added, name)[inside])


def test_a_target_that_is_met_asks_for_nothing():
    options = BalanceOptions(bins=Bins(40, 160, 10), target=Target(((70.0, 80.0, 1.0),)))
    _, found = plan(options, [75.0] * 3)
    assert len(found.added) == 0
    assert found.recordings == 0
    assert not any(one.shortfall for one in found.bins)
    assert found.to_mapping()["hr_scale_min"] is None


def test_the_rule_of_the_paper_takes_all_it_can():
    training, found = plan(Fg2019Options(), [65.0, 72.0, 84.0, 90.0])
    scales = Counter(found.added.hr_scale.tolist())
    windows = int(((training.heart_rate_bpm >= 70) & (training.heart_rate_bpm < 85)).sum())
    assert scales[0.67] == windows
    assert 0 < scales[1.5] < windows
    assert all(one.wanted is None and not one.shortfall for one in found.bins)
    capped = plan(Fg2019Options(per_subject_cap=5), [65.0, 72.0, 84.0])[1]
    assert len(capped.added) == 10


def test_windows_out_of_order_and_unfit_ones_are_sorted_out():
    columns = {
        "recording_id": ["b", "a", "a", "a"],
        "subject": ["y", "x", "x", "x"],
        "fold": [2, 1, 1, 1],
        "start": [0, 15, 0, 30],
        "stop": [9, 24, 9, 39],
        "heart_rate_bpm": [70.0, 71.0, 72.0, float("nan")],
        "valid_fraction": [1.0, 0.9, 1.0, 1.0],
    }
    assert TrainingWindows.of(columns).row.tolist() == [2, 0]
    some = TrainingWindows.of(columns, 0.5)
    assert some.row.tolist() == [2, 1, 0]
    assert some.recordings() == {"a": slice(0, 2), "b": slice(2, 3)}
    assert [[one.recording_id for _, one in each] for each in some.by_subject()] == [["a"], ["b"]]


def test_offers_are_none_until_put():
    offers = Offers.none(2, 3)
    assert (offers.verdict == Verdict.OUT_OF_REACH).all()
    offers.put((0, 1), Offers(*(np.float64(one) for one in (1.2, 90.0, 1.0, 0.5)), np.int8(0)))
    assert offers.at((0, 1)).heart_rate_bpm == 90.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BalanceOptions(max_scale=1.04), "above 1.05"),
        (lambda: BalanceOptions(max_scale=4), "at most 3"),
        (lambda: BalanceOptions(max_scale=float("nan")), "above 1.05"),
        (lambda: BalanceOptions(seed=-1), "seed must be 0 or more"),
        (lambda: BalanceOptions(per_subject_cap=0), "room for one window"),
        (lambda: BalanceOptions(min_valid_fraction=1.1), "between 0 and 1"),
        (lambda: BalanceOptions(target=Target(((200.0, 220.0, 1.0),))), "no weight between 40 and 160"),
        (lambda: Fg2019Options(hr_scales=()), "each of them once"),
        (lambda: Fg2019Options(hr_scales=(1.5, 1.5)), "each of them once"),
        (lambda: Fg2019Options(hr_scales=(1.0,)), "and not 1|not 1, and"),
        (lambda: Fg2019Options(hr_scales=(0.2,)), "between 1/3 and 3"),
        (lambda: Fg2019Options(hr_scales=(2 / 3,)), "4 decimals at most"),
        (lambda: Fg2019Options(band_bpm=(85, 70)), "such as 70,85"),
        (lambda: Fg2019Options(seed=-1), "seed must be 0 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, text):
    with pytest.raises(ConfigError, match=text):
        make()
