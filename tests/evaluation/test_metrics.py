"""Scores and their intervals: equal to reference implementations, and to the slow way of drawing."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, root_mean_squared_error

from stmap_pipeline.evaluation import Bootstrap, band_of, heart_rate_metrics, score
from stmap_pipeline.evaluation.metrics import MEASURES, mean_interval

RATES = st.floats(40, 180)
PAIRS = st.lists(st.tuples(RATES, RATES), min_size=1, max_size=50)
ROWS = st.lists(st.tuples(RATES, RATES, st.sampled_from("abcdefg")), min_size=1, max_size=60)


def data(subjects=20, videos=6, seed=0, shared_bpm=4.0, own_bpm=5.0):
    random = np.random.default_rng(seed)
    true = random.normal(80, 12, subjects * videos)
    units = np.repeat([f"p{i:03d}" for i in range(subjects)], videos)
    error = np.repeat(random.normal(0, shared_bpm, subjects), videos) + random.normal(0, own_bpm, subjects * videos)
    return true + error, true, units


@given(ROWS)
def test_the_numbers_are_those_of_reference_implementations(rows):
    estimated, true = np.array([row[:2] for row in rows]).T
    result = score(estimated, true, [row[2] for row in rows], Bootstrap(resamples=5))
    assert result.n == len(rows)
    assert result.me_bpm.value == pytest.approx(np.mean(estimated - true), abs=1e-9)
    assert result.sd_bpm.value == pytest.approx(np.std(estimated - true), abs=1e-9)
    assert result.mae_bpm.value == pytest.approx(mean_absolute_error(true, estimated), abs=1e-9)
    assert result.rmse_bpm.value == pytest.approx(root_mean_squared_error(true, estimated), abs=1e-9)
    assert result.mer_percent.value == pytest.approx(100 * mean_absolute_percentage_error(true, estimated), abs=1e-9)
    if len(rows) < 3:
        assert np.isnan(result.r.value)
    elif np.ptp(estimated) > 0.1 < np.ptp(true):
        assert result.r.value == pytest.approx(pearsonr(estimated, true).statistic, abs=1e-9)
    assert result.rmse_bpm.value**2 == pytest.approx(result.me_bpm.value**2 + result.sd_bpm.value**2, abs=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(2, 12))
def test_each_draw_is_what_the_plain_metrics_say_of_it(seed, subjects):
    estimated, true, units = data(subjects, 4, seed)
    estimated[::7] = np.nan
    result = score(estimated, true, units, Bootstrap(resamples=50, seed=seed))
    random = np.random.default_rng(seed)
    taken = random.integers(0, subjects, (50, subjects))
    rows_of = [np.flatnonzero(units == name) for name in np.unique(units)]
    slow = []
    for draw in taken:
        rows = np.concatenate([rows_of[one] for one in draw])
        plain = heart_rate_metrics(estimated[rows], true[rows])
        slow.append([getattr(plain, name) for name in MEASURES])
    low, high = np.nanquantile(slow, [0.025, 0.975], axis=0)
    for i, name in enumerate(MEASURES):
        assert getattr(result, name).low == pytest.approx(low[i], abs=1e-9), name
        assert getattr(result, name).high == pytest.approx(high[i], abs=1e-9), name


def test_many_draws_of_many_units_are_made_in_parts_and_stay_the_same(monkeypatch):
    estimated, true, units = data(30, 3)
    whole = score(estimated, true, units, Bootstrap(resamples=200))
    monkeypatch.setattr("stmap_pipeline.evaluation.metrics._BLOCK_CELLS", 1000)
    assert score(estimated, true, units, Bootstrap(resamples=200)) == whole


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    estimated, true, units = data()
    assert score(estimated, true, units) == score(estimated, true, units)
    assert score(estimated, true, units, Bootstrap(seed=1)).mae_bpm != score(estimated, true, units).mae_bpm


def test_an_interval_holds_its_number_and_is_wider_with_more_confidence():
    estimated, true, units = data()
    narrow, wide = (
        score(estimated, true, units, Bootstrap(confidence=0.8)),
        score(estimated, true, units, Bootstrap(confidence=0.99)),
    )
    for name in MEASURES:
        inner, outer = getattr(narrow, name), getattr(wide, name)
        assert outer.low < inner.low < inner.value < inner.high < outer.high


def test_subjects_who_err_in_their_own_way_make_the_honest_interval_wider():
    estimated, true, units = data(25, 20, shared_bpm=6.0, own_bpm=2.0)
    by_subject = score(estimated, true, units).mae_bpm
    by_video = score(estimated, true, np.arange(len(true)).astype(str)).mae_bpm
    assert by_subject.high - by_subject.low > 2 * (by_video.high - by_video.low)


def share_of_intervals_with_the_truth(subjects, videos, by):
    inside = 0
    for seed in range(100):
        estimated, true, units = data(subjects, videos, seed, shared_bpm=4.0, own_bpm=6.0)
        drawn = units if by == "subject" else np.arange(len(true)).astype(str)
        interval = score(estimated, true, drawn, Bootstrap(resamples=200, seed=seed)).mae_bpm
        inside += interval.low <= np.hypot(4.0, 6.0) * np.sqrt(2 / np.pi) <= interval.high
    return inside


def test_intervals_hold_the_truth_as_often_as_the_page_says():
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "evaluation.md").read_text("utf-8")
    held = re.search(r"held the true MAE in (\d+) of 100 cases and intervals by video in (\d+)", page)
    few = re.search(r"with 20, 10 and 5 subjects the same simulation gives (\d+), (\d+) and (\d+) of 100", page)
    cases = [(107, "subject"), (107, "video"), (20, "subject"), (10, "subject"), (5, "subject")]
    for (subjects, by), shown in zip(cases, [*held.groups(), *few.groups()], strict=True):
        assert share_of_intervals_with_the_truth(subjects, 22, by) == pytest.approx(float(shown), abs=6), (subjects, by)


def test_one_subject_has_numbers_and_no_interval():
    estimated, true_bpm = [70.0, 82.0, 65.0], [72.0, 80.0, 67.0]
    result = score(estimated, true_bpm, ["p001"] * 3)
    assert (result.n, result.n_units, result.mae_bpm.value) == (3, 1, 2.0)
    assert np.isnan([result.mae_bpm.low, result.rmse_bpm.high]).all()
    assert result.metrics == heart_rate_metrics(estimated, true_bpm)


def test_unknown_estimates_are_counted_and_their_subject_is_no_unit():
    result = score([70.0, np.nan, 75.0, 90.0], [72.0, 80.0, np.nan, 91.0], ["a", "b", "c", "d"])
    assert (result.n, result.n_missing, result.n_units) == (2, 2, 2)
    nothing = score([np.nan], [70.0], ["a"])
    assert (nothing.n, nothing.n_missing, nothing.n_units) == (0, 1, 0)
    assert np.isnan([nothing.mae_bpm.value, nothing.mae_bpm.low]).all()


def test_a_constant_has_no_correlation_and_no_interval_of_one():
    _, true, units = data()
    result = score(np.full(len(true), 79.3), true, units)
    assert np.isnan([result.r.value, result.r.low, result.r.high]).all()
    assert result.mae_bpm.low < result.mae_bpm.value < result.mae_bpm.high


def test_a_paired_mean_is_drawn_like_a_score():
    estimated, true, units = data()
    assert mean_interval(estimated - true, units).low == pytest.approx(score(estimated, true, units).me_bpm.low)
    assert np.isnan(mean_interval([], []).value)
    assert np.isnan(mean_interval([1.0, 2.0], ["a", "a"]).low)


def test_choices_that_make_no_sense_are_refused():
    for choice in ({"resamples": 0}, {"confidence": 1.0}, {"confidence": 0.0}):
        with pytest.raises(ValueError, match="resample"):
            Bootstrap(**choice)
    with pytest.raises(ValueError, match="1 for 2"):
        score([70.0, 71.0], [70.0, 71.0], ["a"])


@given(PAIRS)
def test_rmse_is_made_of_bias_and_spread(pairs):
    estimated, true = np.array(pairs).T
    result = heart_rate_metrics(estimated, true)
    assert result.rmse_bpm**2 == pytest.approx(result.me_bpm**2 + result.sd_bpm**2, abs=1e-9)
    assert abs(result.me_bpm) <= result.mae_bpm + 1e-9
    assert result.mae_bpm <= result.rmse_bpm + 1e-9
    assert np.isnan(result.r) or -1 <= result.r <= 1


@given(PAIRS, st.integers(1, 10))
def test_unknown_pairs_change_the_count_alone(pairs, extra):
    estimated, true = np.array(pairs).T
    with_gaps = heart_rate_metrics(np.r_[estimated, np.full(extra, np.nan)], np.r_[true, np.full(extra, 80.0)])
    plain = heart_rate_metrics(estimated, true)
    assert (with_gaps.n, with_gaps.n_missing) == (len(pairs), extra)
    assert with_gaps.mae_bpm == plain.mae_bpm
    assert with_gaps.r == plain.r or np.isnan(plain.r)


def test_hand_made_numbers():
    result = heart_rate_metrics([70, 85, 60], [72, 80, 60])
    assert result.me_bpm == pytest.approx(1.0)
    assert result.mae_bpm == pytest.approx(7 / 3)
    assert result.rmse_bpm == pytest.approx(np.sqrt(29 / 3))
    assert result.mer_percent == pytest.approx(100 * (2 / 72 + 5 / 80) / 3)
    assert result.r == pytest.approx(np.corrcoef([70, 85, 60], [72, 80, 60])[0, 1])


def test_too_little_to_say():
    nothing = heart_rate_metrics([np.nan], [70.0])
    assert (nothing.n, nothing.n_missing) == (0, 1)
    assert np.isnan([nothing.mae_bpm, nothing.rmse_bpm, nothing.r, nothing.sd_bpm]).all()
    assert heart_rate_metrics([], []).n == 0
    one = heart_rate_metrics([70.0], [72.0])
    assert (one.mae_bpm, one.sd_bpm) == (2.0, 0.0)
    assert np.isnan(one.r)


def test_a_constant_predictor_has_no_correlation():
    result = heart_rate_metrics(np.full(20, 79.3), np.linspace(60, 100, 20))
    assert np.isnan(result.r)
    assert np.isfinite(result.mae_bpm)


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        heart_rate_metrics([70.0, 71.0], [70.0])


def test_a_band_begins_with_its_lower_end():
    assert band_of([30, 59.99, 60, 69.99, 70, 85, 99.9, 100, 200]) == [
        "<60", "<60", "60-70", "60-70", "70-85", "85-100", "85-100", ">=100", ">=100"
    ]  # fmt: skip


def test_two_pairs_have_no_correlation_and_three_have():
    true_bpm = [60.0, 80.0, 71.0]
    two = score([61.0, 70.0], true_bpm[:2], ["a", "b"])
    assert np.isnan([two.r.value, two.r.low, two.r.high]).all()
    assert two.mae_bpm.value == 5.5
    assert score([61.0, 70.0, 72.0], true_bpm, ["a", "b", "c"]).r.value == pytest.approx(np.corrcoef([61, 70, 72], true_bpm)[0, 1])
