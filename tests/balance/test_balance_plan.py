"""Which resampled windows are added: as many as the target asks for and the limit allows, from everybody in turn."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.balance import BalanceOptions, Bins, Source, Target, choose_windows
from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.errors import ConfigError
from stmap_pipeline.records import HeartRateTrace

CONFIG = WindowsConfig(length="200 frames")
OPTIONS = BalanceOptions(bins=Bins(40, 160, 10))


def source(rate=80.0, name="a", subject="p1", fold=1, *, duration_s=30.0, lost_s=(), label=True):
    """A recording with a heart rate and a face that is lost in some intervals."""
    times_s = np.arange(round(duration_s * 30)) / 30
    valid = np.ones(len(times_s), dtype=bool)
    for start_s, stop_s in lost_s:
        valid &= (times_s < start_s) | (times_s >= stop_s)
    seconds = np.arange(np.ceil(duration_s))
    heart_rate = HeartRateTrace(seconds, np.full(len(seconds), float(rate))) if label else None
    return Source(name, subject, fold, times_s, valid, 0.9 * valid, heart_rate)


def people(rates, folds=None, **more):
    """One recording for each of some subjects."""
    return [source(rate, f"r{k:02d}", f"s{k:02d}", (folds or [1] * len(rates))[k], **more) for k, rate in enumerate(rates)]


def plan(options, sources):
    return choose_windows(sources, CONFIG, options)


@given(
    st.lists(st.floats(50, 130), min_size=1, max_size=6),
    st.integers(0, 3),
    st.sampled_from([None, 4, 30]),
    st.sampled_from([0.3, 1.0, float("inf")]),
)
@settings(deadline=None, max_examples=40)
def test_a_plan_aims_at_the_target_and_accounts_for_each_bin(rates, seed, cap, max_added):
    options = replace(OPTIONS, seed=seed, per_subject_cap=cap, max_added=max_added)
    found = plan(options, people(rates))
    heart_rates = [one.heart_rate_bpm for one in found.windows]
    assert [one.added for one in found.bins] == options.bins.count(heart_rates).tolist()
    for one in found.bins:
        assert one.before <= one.after <= one.wanted
        assert bool(one.shortfall) == (one.after < one.wanted)
    assert len(found.windows) <= max_added * found.windows_before
    assert len(found.windows) <= found.windows_wanted
    assert cap is None or max(Counter(one.recording_id for one in found.windows).values(), default=0) <= cap
    # each of them once, in the order of recording, speed and time
    keys = [(one.recording_id, one.speed, one.start) for one in found.windows]
    assert keys == sorted(set(keys))
    result = found.to_mapping()
    assert result["windows_added"] == len(keys) == sum(one["added"] for one in result["bins"])
    assert result["epoch_factor"] == pytest.approx(1 + len(keys) / result["windows_before"], abs=1e-4)
    if found.bins and sum(one.before for one in found.bins):
        assert found.entropy_after >= found.entropy_before - 1e-9


def test_a_window_is_one_of_the_played_recording_with_its_label():
    (first, *_), (last, *_) = plan(OPTIONS, [source(80.0)]).windows, plan(OPTIONS, [source(80.0)]).windows[::-1]
    assert first.speed == min(OPTIONS.speeds)
    assert last.speed == max(OPTIONS.speeds)
    for one in (first, last):
        assert one.heart_rate_bpm == pytest.approx(80 * one.speed)
        assert one.beats == pytest.approx(one.heart_rate_bpm / 60 * 200 / 30)
        assert (one.frames, one.fold, one.coverage) == (200, 1, pytest.approx(0.9))
        assert one.speed * one.stop_s <= 30 + one.speed / 30 + 1e-9


def test_only_labeled_windows_with_a_known_face_are_added():
    sources = [source(80.0, lost_s=[(12.0, 12.5)]), source(70.0, "b", "p2", label=False)]
    found = plan(replace(OPTIONS, max_added=float("inf")), sources).windows
    assert {one.recording_id for one in found} == {"a"}
    assert all(one.speed * one.stop_s <= 12.0 + one.speed / 30 + 1e-9 or one.speed * one.start_s > 12.4 for one in found)
    lenient = plan(replace(OPTIONS, max_added=float("inf"), min_valid_fraction=0.5), sources).windows
    assert min(one.valid_fraction for one in lenient) < 1


def test_the_limit_fills_the_emptiest_bins_first():
    sources = people([75.0] * 4 + [95.0])
    free, limited = (plan(replace(OPTIONS, max_added=most), sources) for most in (float("inf"), 0.5))
    assert len(free.windows) > free.windows_before
    assert 0.9 * 0.5 * limited.windows_before < len(limited.windows) <= 0.5 * limited.windows_before
    assert limited.windows_wanted == free.windows_wanted > len(free.windows)
    # what is there by now in the bins that can be reached is level
    reached = [one.after for one in limited.bins if one.added and not one.shortfall]
    assert max(reached) - min(reached) <= 1
    assert [one.added for one in limited.bins if one.low_bpm == 70.0] == [0]


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4), st.integers(0, 5))
@settings(deadline=None, max_examples=20)
def test_subjects_and_their_recordings_take_turns(recordings, seed):
    sources = [source(80.0, f"r{s}{k}", f"s{s}") for s, count in enumerate(recordings) for k in range(count)]
    options = replace(OPTIONS, seed=seed, max_added=0.2)
    found = plan(options, sources)
    assert len(found.windows) >= 4
    of_subject = Counter(one.recording_id[:2] for one in found.windows)
    counts = [of_subject[f"s{s}".replace("s", "r")] for s in range(len(recordings))]
    assert max(counts) - min(counts) <= 1
    for s, number in enumerate(recordings):
        of_recording = Counter(one.recording_id for one in found.windows if one.recording_id.startswith(f"r{s}"))
        each = [of_recording[f"r{s}{k}"] for k in range(number)]
        assert max(each) - min(each) <= 1


def test_the_windows_of_a_recording_are_spread_over_its_time():
    options = BalanceOptions("fg2019", speeds=(0.67,), per_subject_cap=6)
    for seed in range(10):
        start_s = sorted(one.start_s for one in plan(replace(options, seed=seed), [source(80.0)]).windows)
        assert len(start_s) == 6
        assert np.diff(start_s).min() >= 2.0


def test_neither_order_of_sources_nor_another_fold_has_a_say():
    rates, folds = [55.0, 70.0, 75.0, 80.0, 95.0, 110.0], [1, 1, 1, 2, 2, 2]
    sources = people(rates, folds)
    both = plan(OPTIONS, sources)
    assert plan(OPTIONS, sources[::-1]).windows == both.windows
    assert plan(replace(OPTIONS, seed=1), sources).windows != both.windows
    first = [one for one in both.windows if one.fold == 1]
    assert first
    for other in ([60.0, 60.0, 60.0], [150.0, 45.0, 100.0]):
        changed = plan(OPTIONS, people(rates[:3] + other, folds))
        assert [one for one in changed.windows if one.fold == 1] == first


def test_a_plan_gives_the_reason_where_it_falls_short():
    found = plan(replace(OPTIONS, max_added=float("inf")), people([75.0, 80.0], lost_s=[(15.0, 15.5)]))
    shortfalls = {one.low_bpm: one.shortfall for one in found.bins}
    assert shortfalls[150.0] == "0 windows of fold 1 come here at speeds from 0.6667 to 1.5"
    assert "more have a known face in less than 100% of their samples" in shortfalls[110.0]
    capped = plan(replace(OPTIONS, per_subject_cap=3), people([75.0, 80.0]))
    assert any("the cap of 3 a subject holds" in one.shortfall for one in capped.bins)


def test_a_target_that_is_met_asks_for_nothing():
    found = plan(replace(OPTIONS, target=Target(((70.0, 80.0, 1.0),))), people([75.0] * 3))
    assert found.windows == ()
    assert found.windows_wanted == 0
    assert not any(one.shortfall for one in found.bins)
    assert found.to_mapping()["speed_min"] is None


def test_the_rule_of_the_paper_resamples_the_band_at_both_speeds():
    options = BalanceOptions("fg2019", max_added=float("inf"))
    sources = people([65.0, 72.0, 84.0, 90.0])
    found = plan(options, sources)
    assert {one.recording_id for one in found.windows} == {"r01", "r02"}
    # a slowed recording is longer, so it has more windows
    speeds = Counter(one.speed for one in found.windows)
    assert set(speeds) == {0.67, 1.5}
    assert speeds[0.67] > speeds[1.5] > 0
    assert found.windows_wanted == len(found.windows)
    assert all(one.wanted is None and not one.shortfall for one in found.bins)
    assert len(plan(replace(options, per_subject_cap=5), sources).windows) == 10
    assert len(plan(replace(options, max_added=0.25), sources).windows) == found.windows_before // 4


def test_without_a_window_to_train_on_there_is_no_plan():
    for sources in ([], [source(label=False)], [source(duration_s=5.0)], [source(lost_s=[(0.0, 30.0)])]):
        with pytest.raises(ConfigError, match=r"100% .*windows\.csv"):
            plan(OPTIONS, sources)


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"rule": "none"}, "'none'; use one of balance, fg2019"),
        ({"seed": -1}, "seed .*-1"),
        ({"per_subject_cap": 0}, "cap .*not 0"),
        ({"min_valid_fraction": 1.1}, r"valid fraction .*not 1\.1"),
        ({"max_added": 0.0}, "added windows .*not 0"),
        ({"max_added": float("nan")}, "added windows .*not nan"),
        ({"target": Target(((200.0, 220.0, 1.0),))}, "40 and 160"),
        ({"speeds": (1.5, 1.5)}, r"\(1\.5, 1\.5\)"),
        ({"speeds": (1.0,)}, "not 1$"),
        ({"speeds": (0.2,)}, r"between 1/3 and 3, .*not 0\.2$"),
        ({"speeds": (2 / 3,)}, r"4 decimals .*not 0\.666667$"),
        ({"band_bpm": (85, 70)}, "70,85 .*not 85,70"),
    ],
)
def test_options_that_make_no_sense_are_refused(choices, text):
    with pytest.raises(ConfigError, match=text):
        BalanceOptions(**choices)


def test_a_fold_of_any_number_is_a_fold():
    assert plan(OPTIONS, people([70.0, 80.0], [-1, 10**12])).windows
