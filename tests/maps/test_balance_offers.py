"""What windows can give at another speed: the label is recomputed, and what is not there is not promised."""

import numpy as np
import pytest
from balance_sources import request, source
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.maps.balance import BalanceOptions, Bins, Fg2019Options, Verdict, make_offers
from stmap_pipeline.maps.balance.offers import MIN_CHANGE
from stmap_pipeline.maps.balance.sources import Parts
from stmap_pipeline.maps.resample import even_trace, resample_window
from stmap_pipeline.records import BlockTrace, HeartRateTrace, RoiGrid, Window


def resampled(one, windows, scales, min_valid=1.0):
    """Each window at each scale, by the fixed rule over all heart rates."""
    options = Fg2019Options(hr_scales=tuple(scales), band_bpm=(0, 300), min_valid_fraction=min_valid)
    return make_offers(options, [one], [windows])


def verdicts(offers):
    return [[Verdict(one).name for one in row] for row in offers.verdict]


@given(
    st.lists(st.one_of(st.none(), st.integers(50, 120)), min_size=1, max_size=40),
    st.floats(0, 3),
    st.sampled_from([0.67, 0.8, 1.25, 1.5]),
    st.sampled_from([1.0, 0.5]),
)
@settings(deadline=None, max_examples=80)
def test_the_label_is_the_mean_of_the_resampled_label_trace(rates, first_s, scale, spacing_s):
    seconds = first_s + np.arange(len(rates)) * spacing_s
    known = np.array([np.nan if one is None else one for one in rates])
    one = source(lambda t: known[round((t - first_s) / spacing_s)], 25.0, label_s=seconds)
    windows = request(one, step=37)
    offers = make_offers(
        Fg2019Options(hr_scales=(scale,), band_bpm=(0, 300)),
        [one],
        [windows._replace(heart_rate_bpm=np.full(len(windows.start), 80.0))],
    )
    for number, (start, stop) in enumerate(zip(windows.start, windows.stop, strict=True)):
        start_s, stop_s = one.clock.times_s[start], one.clock.times_s[stop - 1] + one.clock.interval_s
        window = Window("a", start, stop, start_s, stop_s, 0, 0, 1, hr_scale=scale)
        expected = scale * one.heart_rate.mean_between(window.source_start_s, window.source_stop_s)
        assert offers.heart_rate_bpm[number, 0] == pytest.approx(expected, rel=1e-9, nan_ok=True)
        # the same, said of the trace as the window's own clock sees it
        faster = HeartRateTrace(start_s + (seconds - start_s) / scale, known * scale)
        away = np.abs(seconds - window.source_stop_s).min()
        # where the label ends or begins exactly at the limit of what is allowed, rounding decides
        ends = seconds[-1] + 2 * spacing_s - window.source_stop_s, seconds[0] - spacing_s - window.source_start_s
        if away > 1e-6 and min(map(abs, ends)) > 1e-6 and spacing_s / scale >= 0.1:
            assert faster.mean_between(start_s, stop_s) == pytest.approx(expected, rel=1e-9, nan_ok=True)
        if np.isnan(expected):
            assert offers.verdict[number, 0] in (Verdict.UNLABELED, Verdict.TOO_SHORT)


def test_a_rising_heart_rate_is_read_over_the_part_that_is_read():
    one = source(lambda t: 60 + 2 * t, 40.0)
    windows = request(one, step=300)
    offers = resampled(one, windows, [0.5, 1.5])
    # from 0 s on: 5 s, of which the mean is 64, and 15 s, of which it is 74
    assert offers.heart_rate_bpm[0].tolist() == [0.5 * 64, 1.5 * 74]
    assert windows.heart_rate_bpm[0] == 69


def test_the_end_of_a_recording_is_exact():
    # 300 samples at 1.5 read up to 448.5 frames after the first
    for frames, name in ((450, "OFFERED"), (449, "TOO_SHORT")):
        one = source(duration_s=frames / 30)
        windows = request(one, step=1000)
        assert verdicts(resampled(one, windows, [1.5])) == [[name]]


@given(st.sampled_from([0.67, 0.9, 1.1, 1.2345, 1.5]), st.integers(300, 500), st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_what_is_offered_can_be_read_and_what_is_too_short_cannot(scale, frames, seed):
    times_s = np.cumsum(np.random.default_rng(seed).uniform(0.02, 0.05, frames))
    one = source(times_s=times_s, label_s=np.arange(-1, 30))
    windows = request(one, step=13)
    offers = resampled(one, windows, [scale])
    trace = even_trace(BlockTrace(times_s, np.ones((frames, 1, 3), np.float32), np.ones((frames, 1), np.float32), RoiGrid(1, 1)))
    for number, start in enumerate(windows.start):
        readable = np.isfinite(resample_window(trace, times_s[start : start + 300], scale)).all()
        assert readable == (offers.verdict[number, 0] == Verdict.OFFERED)


def test_gaps_count_in_the_part_that_is_read_and_nowhere_else():
    one = source(duration_s=40.0, lost_s=[(12.0, 12.5)])
    windows = request(one, step=300)
    # the first window ends at 10 s: at 1.5 it reads up to 15 s; the second one is from 10 s to 20 s, at 0.5 up to 15 s
    offers = resampled(one, windows, [0.5, 1.1, 1.5])
    assert verdicts(offers)[0] == ["OFFERED", "OFFERED", "NOT_SEEN"]
    assert verdicts(offers)[1] == ["NOT_SEEN", "NOT_SEEN", "NOT_SEEN"]
    assert offers.valid_fraction[0, 2] == pytest.approx(1 - 15 / 449)
    assert offers.coverage[0, 2] == pytest.approx(0.9 * (1 - 15 / 449))
    assert verdicts(resampled(one, windows, [0.5, 1.1, 1.5], min_valid=0.9))[1] == ["OFFERED"] * 3


def test_a_hole_in_the_times_is_no_place_to_read_from():
    times_s = np.arange(900) / 30
    hole = np.where(times_s > 13, times_s + 0.6, times_s)
    windows = request(source(times_s=hole, label_s=np.arange(40)), step=1000)
    assert verdicts(resampled(source(times_s=hole, label_s=np.arange(40)), windows, [1.1, 1.4])) == [["OFFERED", "NOT_SEEN"]]
    jump = np.where(times_s > 13, times_s + 0.4, times_s)
    assert verdicts(resampled(source(times_s=jump, label_s=np.arange(40)), windows, [1.1, 1.4])) == [["OFFERED"] * 2]


def test_without_a_label_nothing_is_offered():
    one = source()
    bare = source(label=False)
    assert verdicts(resampled(bare, request(one, step=1000), [0.67])) == [["UNLABELED"]]
    late = source(label_s=np.arange(12))
    windows = request(late, step=1000)
    assert verdicts(resampled(late, windows, [1.1, 1.5])) == [["OFFERED", "UNLABELED"]]


@given(st.floats(45, 140), st.floats(-0.4, 0.4), st.floats(1.1, 2.0), st.integers(0, 5), st.sampled_from(["native", "uniform"]))
@settings(deadline=None, max_examples=80)
def test_a_window_is_offered_to_a_bin_with_a_rate_inside_it(rate, drift, max_scale, seed, clock):
    config = WindowsConfig(clock=clock, rate_hz=20, length="200 frames")
    one = source(lambda t: rate + drift * t, config=config)
    windows = request(one, length=200)
    options = BalanceOptions(bins=Bins(40, 160, 5), max_scale=max_scale, seed=seed)
    offers = make_offers(options, [one], [windows])
    row, column = np.nonzero(offers.verdict == Verdict.OFFERED)
    assert np.array_equal(options.bins.index(offers.heart_rate_bpm[row, column]), column)
    scale = offers.hr_scale[row, column]
    assert ((scale >= 1 / max_scale) & (scale <= max_scale)).all()
    assert ((scale >= MIN_CHANGE) | (scale <= 1 / MIN_CHANGE)).all()
    assert np.array_equal(scale, np.round(scale, 4))


def test_all_bins_within_reach_are_offered_and_only_those():
    one = source(80.0, 40.0)
    offers = make_offers(BalanceOptions(), [one], [request(one, step=2000)])
    names = verdicts(offers)[0]
    edges = Bins().edges_bpm
    for low, high, name in zip(edges, edges[1:], names, strict=False):
        # a bin whose largest part within reach is a sliver of rounding may be missed
        if low >= 80 / 1.5 and high <= 80 / 1.05:
            assert name == "OFFERED"
        if high <= 80 / 1.5 or low >= 120:
            assert name == "OUT_OF_REACH"


def test_recordings_are_offered_alike_alone_and_together():
    sources = [source(70.0), source(lambda t: 90 - t, 25.0, 16.0), source(110.0, 20.0, lost_s=[(3, 4)])]
    requests = [request(one, name, 200) for one, name in zip(sources, "abc", strict=True)]
    options = BalanceOptions(seed=3)
    together = make_offers(options, sources, requests)
    alone = [make_offers(options, [one], [of]) for one, of in zip(sources, requests, strict=True)]
    for name in ("hr_scale", "heart_rate_bpm", "valid_fraction", "verdict"):
        assert np.array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in alone]), equal_nan=True)
    assert not np.array_equal(together.hr_scale, make_offers(BalanceOptions(seed=4), sources, requests).hr_scale, equal_nan=True)


def test_the_rule_of_the_paper_takes_its_band_and_its_scales():
    sources = [source(rate, 40.0) for rate in (69.9, 70.0, 84.9, 85.0)]
    requests = [request(one, str(number), step=2000) for number, one in enumerate(sources)]
    offers = make_offers(Fg2019Options(), sources, requests)
    assert verdicts(offers) == [["OUT_OF_REACH"] * 2, ["OFFERED"] * 2, ["OFFERED"] * 2, ["OUT_OF_REACH"] * 2]
    assert offers.heart_rate_bpm[1].tolist() == pytest.approx([46.9, 105.0])
    assert offers.heart_rate_bpm[2].tolist() == pytest.approx([56.883, 127.35])


def test_an_empty_label_has_no_mean():
    one = source(label_s=[])
    parts = Parts([one], [request(one, step=2000)._replace(heart_rate_bpm=np.array([80.0]))], 1.0)
    assert parts.read(np.array([0]), np.array([1.2])).verdict.tolist() == [Verdict.UNLABELED]
