"""Windows tile as documented, and carry the label of their own interval."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.maps import cut_windows, make_stmap, uncovered_samples
from stmap_pipeline.maps.example import example_result
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
    left = uncovered_samples(windows, frames)
    if windows and step <= length:
        assert left == frames - windows[-1].stop
        assert left < step
    if not windows:
        assert frames < length
        assert left == frames


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
    assert {(one.recording_id, one.fold, one.hr_scale) for one in windows} == {("p007_v2_source3", 0, 1.0)}


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
    with pytest.raises(ValueError, match="inside a trace of 300"):
        make_stmap(example_result().blocks, start, stop)
