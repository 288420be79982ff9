"""The uniform grid: exact where frames are dense, honest where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.maps.uniform import nearest_frame, resample_uniform, uniform_times

NAN = float("nan")


def camera_times(frames, seed=0):
    """Times of a webcam: steps between 22 and 50 ms."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.022, 0.050, frames))


def chirp(times_s, stop_s):
    """0.7 to 4 Hz, the whole range of human heart rates and a harmonic."""
    return np.sin(2 * np.pi * (0.7 * times_s + 3.3 * times_s**2 / (2 * stop_s)))


@pytest.mark.parametrize("seed", range(3))
def test_a_jittered_chirp_is_recovered_to_a_thousandth(seed):
    times = camera_times(900, seed)
    grid, values = resample_uniform(times, chirp(times, times[-1]), 30.0)
    error = values - chirp(grid, times[-1])
    assert np.sqrt(np.mean(error**2)) < 2e-3
    assert np.abs(error).max() < 2e-2
    linear = np.interp(grid, times, chirp(times, times[-1])) - chirp(grid, times[-1])
    assert np.sqrt(np.mean(error**2)) < np.sqrt(np.mean(linear**2)) / 15


def test_nothing_rings_across_a_gap():
    times = np.arange(300) / 30
    values = np.where(times < 5, 100.0, 200.0)
    values[145:155] = NAN  # a third of a second, in which the light was switched on
    _, out = resample_uniform(times, values, 30.0)
    assert np.array_equal(out[:145], np.full(145, 100.0))
    assert np.array_equal(out[155:], np.full(145, 200.0))
    assert np.all(np.diff(out[144:156]) > 0)
    assert np.allclose(np.diff(out[144:156]), 100 / 11)


def test_a_burst_after_a_stall_does_not_overshoot():
    times = np.r_[np.arange(30) / 30, 1.3, 1.301, 1.302, 1.303, 1.34 + np.arange(30) / 30]
    values = np.where(np.arange(64) % 2, 1.0, 0.0)  # neighbors one millisecond apart differ by the full range
    grid, out = resample_uniform(times, values, 90.0)
    stall = (grid > times[29]) & (grid < times[33])
    assert out[stall].min() >= 0
    assert out[stall].max() <= 1


def test_gaps_up_to_the_limit_are_bridged_and_longer_ones_stay_nan():
    times = np.arange(100) / 10
    values = times.copy()
    values[20:24] = NAN  # 0.5 s from the last known sample to the next
    values[50:55] = NAN  # 0.6 s
    _, out = resample_uniform(times, values, 10.0)
    assert np.allclose(out[20:24], times[20:24])
    assert np.isnan(out[50:55]).all()
    assert np.isfinite(np.delete(out, np.s_[50:55])).all()
    _, strict = resample_uniform(times, values, 10.0, max_gap_s=0.0)
    assert np.isnan(strict[20:24]).all()
    _, lenient = resample_uniform(times, values, 10.0, max_gap_s=0.6)
    assert np.isfinite(lenient).all()


def test_missing_frames_are_a_gap_as_much_as_unknown_values():
    times = np.arange(100) / 10
    kept = np.r_[0:40, 60:100]
    grid, out = resample_uniform(times[kept], times[kept], 10.0)
    assert len(grid) == 100
    assert np.isnan(out[40:60]).all()
    assert np.allclose(out[kept], times[kept])


def test_edges_are_not_extrapolated():
    times = np.arange(10) / 10
    values = times.copy()
    values[[0, 1, 9]] = NAN
    _, out = resample_uniform(times, values, 20.0)
    assert np.isnan(out[:4]).all()
    assert np.isnan(out[17:]).all()
    assert np.isfinite(out[4:17]).all()


def test_each_series_has_gaps_of_its_own_and_none_leaks_into_another():
    times = camera_times(200)
    values = np.sin(times)[:, None, None] * np.ones((1, 4, 3))
    values[50:100, 2] = NAN
    _, out = resample_uniform(times, values, 30.0)
    _, alone = resample_uniform(times, values[:, 0, 0], 30.0)
    assert out.shape == (len(alone), 4, 3)
    assert np.array_equal(out[:, [0, 1, 3]], np.broadcast_to(alone[:, None, None], (len(alone), 3, 3)))
    assert np.isnan(out[:, 2]).any()
    same = np.isfinite(out[:, 2])
    assert np.allclose(out[:, 2][same], out[:, 0][same], atol=1e-3)


@given(
    steps=st.lists(st.floats(0.001, 2.0), min_size=1, max_size=40),
    rate=st.floats(0.5, 60),
    start=st.floats(-100, 100),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_every_value_lies_between_neighbors_or_in_a_run_and_known_samples_stay(steps, rate, start, data):
    times = start + np.cumsum(steps)
    known = np.array(data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps))))
    values = np.where(known, 5.0, NAN)
    grid, out = resample_uniform(times, values, rate, max_gap_s=0.5)
    assert grid[0] == times[0]
    assert grid[-1] <= times[-1] + 1e-8
    assert times[-1] - grid[-1] < 1 / rate + 1e-8
    # a constant stays one, and nothing appears outside what was known
    assert np.allclose(out[np.isfinite(out)], 5.0)
    if known.any():
        outside = (grid < times[known][0] - 1e-8) | (grid > times[known][-1] + 1e-8)
        assert np.isnan(out[outside]).all()
    else:
        assert np.isnan(out).all()


@given(rate=st.integers(2, 240), frames=st.integers(1, 500))
@settings(deadline=None)
def test_a_grid_on_its_own_rate_is_the_identity(rate, frames):
    times = np.arange(frames) / rate
    values = np.cos(np.arange(frames))
    grid, out = resample_uniform(times, values, rate)
    assert len(grid) == frames
    assert np.allclose(out, values, atol=1e-9)


def test_few_frames():
    assert uniform_times([], 30.0).size == 0
    assert resample_uniform([], np.zeros((0, 3)), 30.0)[1].shape == (0, 3)
    grid, out = resample_uniform([4.0], [7.0], 30.0)
    assert (grid.tolist(), out.tolist()) == ([4.0], [7.0])
    assert resample_uniform([0.0, 1.0], np.zeros((2, 0)), 1.0)[1].shape == (2, 0)


@pytest.mark.parametrize(
    ("times", "values", "rate", "gap", "text"),
    [
        ([0.0, 0.0], [1.0, 1.0], 30.0, 0.5, "increasing"),
        ([0.0, NAN], [1.0, 1.0], 30.0, 0.5, "finite"),
        ([0.0, 1.0], [1.0], 30.0, 0.5, "2 times"),
        ([0.0, 1.0], [1.0, 1.0], 0.0, 0.5, "rate_hz"),
        ([0.0, 1.0], [1.0, 1.0], NAN, 0.5, "rate_hz"),
        ([0.0, 1.0], [1.0, 1.0], 30.0, -1.0, "max_gap_s"),
        ([[0.0, 1.0]], [[1.0, 1.0]], 30.0, 0.5, "vector"),
    ],
)
def test_wrong_input_is_named(times, values, rate, gap, text):
    with pytest.raises(ValueError, match=text):
        resample_uniform(times, values, rate, max_gap_s=gap)


def test_the_nearest_frame_speaks_only_for_its_neighborhood():
    times = np.r_[np.arange(10) / 10, 5 + np.arange(10) / 10]
    index, near = nearest_frame(times, [0.26, 1.0, 1.2, 3.0, 4.9, 9.0])
    assert index.tolist() == [3, 9, 9, 10, 10, 19]
    assert near.tolist() == [True, True, False, False, True, False]
