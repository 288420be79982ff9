"""Windows tile as documented, and carry the label of their own interval."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.maps import cut_windows, make_stmap
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.maps.windows import window_clock, window_figures
from stmap_pipeline.records import BlockTrace, HeartRateTrace, LandmarkTrack, RoiGrid


def at_times(times_s, **changes):
    """A recording whose frames stand at the given times."""
    times = np.asarray(times_s, dtype=np.float64)
    one = example_result(frames=len(times), **changes)
    blocks = BlockTrace(times, one.blocks.means, one.blocks.coverage, one.blocks.grid)
    return dataclasses.replace(one, blocks=blocks, track=LandmarkTrack(times, one.track.points_px, one.track.score))


@given(frames=st.integers(2, 120), length=st.integers(1, 60), step=st.integers(1, 40))
@settings(deadline=None)
def test_windows_in_frames_tile(frames, length, step):
    windows = cut_windows(example_result(frames=frames), WindowsConfig(length=f"{length} frames", step=f"{step} frames"))
    assert [one.start for one in windows] == list(range(0, max(frames - length + 1, 0), step))
    assert all(one.frames == length for one in windows)
    if windows:
        assert frames - windows[-1].stop < step
    else:
        assert frames < length


@given(steps=st.lists(st.floats(0.01, 0.2), min_size=5, max_size=80), length=st.integers(1, 30), step_s=st.floats(0.005, 2))
@settings(deadline=None)
def test_windows_in_seconds_start_at_the_nearest_frame(steps, length, step_s):
    result = at_times(5.0 + np.cumsum(steps))
    times = result.blocks.times_s
    windows = cut_windows(result, WindowsConfig(length=f"{length} frames", step=f"{step_s:.6f} s"))
    step_s = float(f"{step_s:.6f}")
    wanted = times[0] + np.arange(int((times[-1] - times[0]) / step_s) + 1) * step_s
    nearest = {int(np.argmin(np.abs(times - target))) for target in wanted}
    if step_s <= np.diff(times).min():
        nearest = set(range(len(times)))
    assert [one.start for one in windows] == sorted(start for start in nearest if start + length <= len(times))


@given(frames=st.integers(2, 200), rate=st.floats(5, 60), length_s=st.floats(0.3, 4), step_s=st.floats(0.1, 2))
@settings(deadline=None)
def test_the_uniform_clock_counts_in_samples_of_its_grid(frames, rate, length_s, step_s):
    result = example_result(frames=frames)
    config = WindowsConfig(clock="uniform", rate_hz=rate, length=f"{length_s:.3f} s", step=f"{step_s:.3f} s")
    length = max(1, round(float(f"{length_s:.3f}") * rate))
    for one in cut_windows(result, config):
        assert one.frames == length
        assert one.start_s == pytest.approx(result.blocks.times_s[0] + one.start / rate)
        assert one.stop_s == pytest.approx(result.blocks.times_s[0] + one.stop / rate)
        values = make_stmap(result.blocks, one.start, one.stop, rate_hz=rate).values
        assert values.shape == (4, length, 3)
        assert np.isfinite(values).all() == (one.valid_fraction == 1.0)


def test_length_in_seconds_follows_the_recordings_own_rate():
    config = WindowsConfig(length="10 s", step="0.5 s")
    for rate in (16.0, 25.0, 30.0):
        windows = cut_windows(example_result(frames=600, rate_hz=rate), config)
        assert {one.frames for one in windows} == {round(10 * rate)}
        assert windows[0].duration_s == pytest.approx(10.0, abs=0.5 / rate)


def test_a_half_second_step_is_15_frames_at_30_hz_and_follows_the_clock_elsewhere():
    config = WindowsConfig()
    assert [one.start for one in cut_windows(example_result(frames=345), config)] == [0, 15, 30, 45]
    slow = [one.start for one in cut_windows(example_result(frames=345, rate_hz=20.0), config)]
    assert slow == [0, 10, 20, 30, 40]


def test_the_label_is_the_mean_inside_the_window_and_beats_follow():
    result = example_result(frames=600)
    ramp = HeartRateTrace(np.arange(20.0), 60.0 + np.arange(20.0))
    windows = cut_windows(dataclasses.replace(result, heart_rate=ramp), WindowsConfig(length="300 frames", step="5 s"))
    assert [one.heart_rate_bpm for one in windows] == pytest.approx([64.5, 69.5, 74.5])
    assert [one.beats for one in windows] == pytest.approx([10.75, 69.5 / 6, 74.5 / 6])
    assert windows[0].stop_s == pytest.approx(10.0)


def test_a_window_without_label_stays_with_nan():
    bare = dataclasses.replace(example_result(frames=320), heart_rate=None)
    windows = cut_windows(bare, WindowsConfig())
    assert len(windows) == 2
    assert all(np.isnan(one.heart_rate_bpm) and np.isnan(one.beats) for one in windows)
    short = dataclasses.replace(bare, heart_rate=HeartRateTrace([0.0, 1.0, 2.0], [70.0, 70.0, 70.0]))
    assert np.isnan(cut_windows(short, WindowsConfig())[0].heart_rate_bpm)


def test_lost_frames_show_in_validity_and_coverage_on_both_clocks():
    result = example_result(frames=300, lost=slice(0, 75))
    for clock in ("native", "uniform"):
        one = cut_windows(result, WindowsConfig(clock=clock))[0]
        assert one.valid_fraction == pytest.approx(0.75)
        assert one.coverage == pytest.approx(0.75)


def test_missing_frames_show_on_the_uniform_clock():
    times = np.arange(450) / 30
    result = at_times(np.delete(times, slice(100, 250)))
    windows = cut_windows(result, WindowsConfig(clock="uniform", step="5 s"))
    assert [one.start_s for one in windows] == pytest.approx([0.0, 5.0])
    # a frame speaks for one and a half steps to each side
    assert windows[0].valid_fraction == pytest.approx((300 - 148) / 300)
    native = cut_windows(result, WindowsConfig(step="300 frames"))[0]
    assert native.valid_fraction == 1.0
    assert native.duration_s == pytest.approx(15.0)


@pytest.mark.parametrize("frames", [0, 1, 2, 299])
def test_a_recording_shorter_than_a_window_gives_none(frames):
    for clock in ("native", "uniform"):
        assert cut_windows(example_result(frames=frames), WindowsConfig(clock=clock)) == []


def test_fold_and_id_are_carried():
    windows = cut_windows(example_result("p007_v2_source3", subject="p007", fold=None), WindowsConfig())
    assert {(one.recording_id, one.fold, one.speed) for one in windows} == {("p007_v2_source3", 0, 1.0)}


def test_a_map_is_cut_normalized_and_turned():
    result = example_result(frames=400, grid=RoiGrid(2, 3))
    one = make_stmap(result.blocks, 30, 330, color="rgb", normalize="none")
    assert one.values.dtype == np.float32
    assert not one.normalized
    assert np.array_equal(one.values[4, :, 1], result.blocks.means[30:330, 4, 1])
    scaled = make_stmap(result.blocks, 30, 330, color="rgb+yuv")
    assert (scaled.values.shape, scaled.color_space, scaled.normalized) == ((6, 300, 6), "rgb+yuv", True)
    assert (scaled.values.min(), scaled.values.max()) == (0.0, 255.0)


def test_only_what_was_seen_sets_the_scale_before_filling():
    result = example_result(frames=60, lost=slice(20, 30))
    held = make_stmap(result.blocks, fill="interpolate").values
    assert np.isfinite(held).all()
    gaps = make_stmap(result.blocks).values
    assert np.isnan(gaps[:, 20:30]).all()
    assert np.array_equal(held[:, 30:], gaps[:, 30:])


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (0, 301), (5, 5), (300, None)])
def test_an_interval_outside_the_trace_is_refused(start, stop):
    with pytest.raises(ValueError, match="300"):
        make_stmap(example_result().blocks, start, stop)


@given(
    st.lists(st.one_of(st.none(), st.integers(50, 120)), min_size=1, max_size=40),
    st.floats(0, 3),
    st.sampled_from([0.67, 0.8, 1.25, 1.5]),
    st.sampled_from([1.0, 0.5, 0.001]),
    st.sampled_from(["native", "uniform"]),
)
@settings(deadline=None, max_examples=80)
def test_the_label_at_another_speed_is_that_of_the_part_that_is_shown_times_the_speed(rates, first_s, speed, spacing_s, clock):
    if spacing_s == 0.001:
        rates = np.repeat(rates, 1000)
    labels = HeartRateTrace(first_s + np.arange(len(rates)) * spacing_s, np.array(rates, dtype=np.float64))
    times_s = 2.0 + np.arange(750) / 30
    config = WindowsConfig(clock=clock, rate_hz=25.0, length="300 frames", step="15 frames")
    played = window_clock(times_s, np.ones(750, bool), np.ones(750), config, speed)
    figures = window_figures(played, labels, config)
    assert len(figures.start) == max(0, (len(played.times_s) - 300) // 15 + 1)
    assert played.times_s[0] == pytest.approx(2.0 / speed)
    assert times_s[-1] - 2 * speed / 25 < speed * played.times_s[-1] <= times_s[-1] + 1e-6
    for start_s, stop_s, rate, beats in zip(*figures[2:6], strict=True):
        expected = speed * labels.mean_between(speed * start_s, speed * stop_s)
        assert rate == pytest.approx(expected, nan_ok=True)
        assert beats == pytest.approx(rate * (stop_s - start_s) / 60, nan_ok=True)


def test_labels_at_1_khz_that_end_with_the_video_give_windows_at_each_speed():
    """A device may end a few frames before the video does: the tolerance is a tenth of a second at each speed."""
    labels = HeartRateTrace(np.arange(19_960) / 1000, np.full(19_960, 80.0))
    times_s = np.arange(600) / 30
    for speed in (1.0, 1.5):
        clock = window_clock(times_s, np.ones(600, bool), np.ones(600), WindowsConfig(step="1 frames"), speed)
        figures = window_figures(clock, labels, WindowsConfig(step="1 frames"))
        assert figures.stop[-1] == len(clock.times_s)
        assert figures.heart_rate_bpm.tolist() == pytest.approx([80 * speed] * len(figures.start))


def test_what_was_not_seen_counts_at_each_speed():
    times_s = np.arange(900) / 30
    valid = (times_s < 12.0) | (times_s >= 12.5)
    for speed in (0.5, 1.5):
        clock = window_clock(times_s, valid, 0.9 * valid, WindowsConfig(), speed)
        assert np.array_equal(clock.valid, (speed * clock.times_s < 12.0 - 1e-9) | (speed * clock.times_s >= 12.5 - 1e-9))
        figures = window_figures(clock, None, WindowsConfig())
        lost = (speed * figures.start_s < 12.5 - 1e-9) & (speed * (figures.stop_s - 1 / 30) >= 12.0)
        assert np.array_equal(figures.valid_fraction < 1, lost)
        assert figures.coverage == pytest.approx(0.9 * figures.valid_fraction)
    # frames that are missing are not seen either
    hole = window_clock(times_s[valid], np.ones(valid.sum(), bool), np.ones(valid.sum()), WindowsConfig(), 1.5)
    assert hole.valid.mean() == pytest.approx(clock.valid.mean(), abs=0.005)


def test_a_window_without_a_trusted_label_is_listed_with_its_reason():
    result = example_result(frames=600)
    times_s = np.arange(80) / 4
    rates = HeartRateTrace(times_s, np.full(80, 70.0), np.where(times_s < 10, 0.0, 9.0))
    config = WindowsConfig(length="5 s", step="5 s")
    windows = cut_windows(dataclasses.replace(result, heart_rate=rates), config)
    assert [one.label_problem for one in windows] == ["", "", "label_disagrees", "label_disagrees"]
    assert [one.label_coverage for one in windows] == [1.0, 1.0, 0.0, 0.0]
    assert np.isnan([one.heart_rate_bpm for one in windows]).tolist() == [False, False, True, True]
    (first, *_) = cut_windows(dataclasses.replace(result, heart_rate=None), config)
    assert (first.label_problem, first.label_coverage) == ("no_label", 0.0)
