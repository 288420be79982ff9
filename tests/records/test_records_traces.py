"""Labels of intervals: which samples count, and when there is none; and traces of larger blocks."""

from __future__ import annotations

import numpy as np
import pytest

from stmap_pipeline.records import BlockTrace, HeartRateTrace, RoiGrid

NAN = float("nan")


def test_many_intervals_at_once_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    times_s = np.cumsum(rng.uniform(0.5, 1.5, 200))
    bpm = np.where(rng.random(200) < 0.2, NAN, rng.uniform(40, 180, 200))
    trace = HeartRateTrace(times_s, bpm)
    start_s = rng.uniform(-5, 200, 300)
    stop_s = start_s + rng.uniform(0.2, 20, 300)
    means = trace.mean_between(start_s, stop_s)
    assert np.array_equal(means, [trace.mean_between(a, b) for a, b in zip(start_s, stop_s, strict=True)], equal_nan=True)
    problems = trace.coverage_problem(start_s, stop_s)
    assert ((problems == "") == np.isfinite(means)).all()
    assert set(np.isfinite(means)) == {True, False}
    for a, b, mean in zip(start_s, stop_s, means, strict=True):
        if np.isfinite(mean):
            assert mean == pytest.approx(np.nanmean(bpm[(times_s >= a) & (times_s < b)]), rel=1e-12)


def test_a_constant_label_keeps_its_value_to_the_last_bit() -> None:
    trace = HeartRateTrace(np.arange(60_000) / 1000, np.full(60_000, 71.3))
    assert trace.mean_between(np.array([0.0, 13.7]), np.array([10.0, 23.7])).tolist() == [71.3, 71.3]


def test_a_hole_in_the_time_column_counts_as_samples_without_a_value() -> None:
    times_s = np.r_[np.arange(6.0), np.arange(60.0, 90.0)]
    trace = HeartRateTrace(times_s, np.where(times_s < 10, 60.0, 100.0))
    assert trace.mean_between(0.0, 6.0) == 60.0
    assert np.isnan(trace.mean_between(5.0, 15.0))  # one sample in 10 s
    assert np.isnan(trace.mean_between(20.0, 30.0))
    assert np.isnan(trace.mean_between(54.0, 64.0))  # 4 of 10
    assert trace.mean_between(55.0, 65.0) == 100.0  # 5 of 10
    filled = HeartRateTrace(np.arange(90.0), np.interp(np.arange(90.0), times_s, trace.heart_rate_bpm, NAN, NAN))
    holes = HeartRateTrace(filled.times_s, np.where((filled.times_s > 5) & (filled.times_s < 60), NAN, filled.heart_rate_bpm))
    starts = np.arange(80.0)
    assert np.array_equal(trace.mean_between(starts, starts + 10), holes.mean_between(starts, starts + 10), equal_nan=True)


def test_samples_further_apart_than_the_interval_label_nothing() -> None:
    in_milliseconds = HeartRateTrace(1000.0 * np.arange(60), np.full(60, 70.0))  # read as seconds
    starts = np.arange(0.0, 60.0, 0.5)
    assert np.isnan(in_milliseconds.mean_between(starts, starts + 10)).all()
    assert HeartRateTrace(10.0 * np.arange(6), np.full(6, 70.0)).mean_between(0.0, 9.95) == 70.0
    assert HeartRateTrace(np.arange(6.0), np.full(6, 70.0)).mean_between(1.0, 1.5) == 70.0
    one_sample = HeartRateTrace([0.0], [70.0])
    assert np.isnan(one_sample.mean_between(0.0, 10.0))
    assert np.isnan(HeartRateTrace([], []).mean_between(0.0, 10.0))


@pytest.mark.parametrize(("rate_hz", "slack_s"), [(1.0, 1.0), (1000.0, 0.1)])
def test_a_label_may_begin_and_end_one_sample_or_a_tenth_of_a_second_inside_the_interval(rate_hz: float, slack_s: float) -> None:
    trace = HeartRateTrace(np.arange(int(20 * rate_hz)) / rate_hz, np.full(int(20 * rate_hz), 70.0))  # 0 to 20 s
    start_s = np.array([-slack_s + 0.01, -slack_s - 0.01, 10.0 + slack_s - 0.01, 10.0 + slack_s + 0.01])
    assert np.isfinite(trace.mean_between(start_s, start_s + 10)).tolist() == [True, False, True, False]


def test_half_of_the_samples_must_be_known() -> None:
    values = np.full(20, 70.0)
    values[:10:2] = NAN
    assert HeartRateTrace(np.arange(20.0), values).mean_between(0.0, 10.0) == 70.0
    values[1] = NAN
    assert np.isnan(HeartRateTrace(np.arange(20.0), values).mean_between(0.0, 10.0))


def test_where_two_estimators_disagree_there_is_no_mean():
    difference = np.zeros(80)
    difference[30:44] = 9.0  # 14 of 80 samples at 4 Hz, 14 of the 40 of a window
    trace = HeartRateTrace(np.arange(80) / 4, np.full(80, 70.0), difference)
    assert trace.mean_between(0.0, 20.0) == 70.0
    assert np.isnan(trace.mean_between(5.0, 15.0))
    assert trace.coverage_problem(5.0, 15.0) == "label_disagrees"
    assert (trace.coverage(0.0, 20.0), trace.coverage(5.0, 15.0)) == (66 / 80, 26 / 40)
    unknown = HeartRateTrace(trace.times_s, trace.heart_rate_bpm, np.full(80, np.nan))
    assert unknown.coverage_problem(0.0, 20.0) == "label_disagrees"


def test_merged_blocks_are_means_of_the_parts_that_were_seen() -> None:
    random = np.random.default_rng(1)
    means, coverage = random.uniform(0, 255, (3, 24, 3)).astype(np.float32), random.uniform(0.3, 1, (3, 24)).astype(np.float32)
    means[0, 0] = means[1] = np.nan
    coverage[1] = 0
    found = BlockTrace(np.arange(3.0), means, coverage, RoiGrid(4, 6)).merged(2)
    assert found.grid == RoiGrid(2, 3)
    # the second block has its parts in rows 0 and 1, columns 2 and 3
    parts = [2, 3, 8, 9]
    np.testing.assert_allclose(found.means[2, 1], np.average(means[2, parts], axis=0, weights=coverage[2, parts]), rtol=1e-5)
    np.testing.assert_allclose(found.coverage[2, 1], coverage[2, parts].mean(), rtol=1e-6)
    np.testing.assert_allclose(
        found.means[0, 0], np.average(means[0, [1, 6, 7]], axis=0, weights=coverage[0, [1, 6, 7]]), rtol=1e-5
    )
    assert found.coverage[0, 0] == pytest.approx(coverage[0, [1, 6, 7]].sum() / 4)
    assert np.isnan(found.means[1]).all()
    assert found.valid.tolist() == [True, False, True]
    with pytest.raises(ValueError, match="4 x 6"):
        BlockTrace(np.arange(3.0), means, coverage, RoiGrid(4, 6)).merged(4)
