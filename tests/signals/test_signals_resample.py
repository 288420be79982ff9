"""Sampling: exact on a uniform grid, and played faster or slower the heart rate moves by the speed and nothing else does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.maps import frame_times, simulated_blocks
from support.measured import measure
from support.videos import real

from stmap_pipeline.evaluation import estimate_heart_rate
from stmap_pipeline.maps import make_stmap
from stmap_pipeline.maps.stmap import stmap_from_means
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.signals.resample import (
    continue_into_gaps,
    nearest_frame,
    play,
    played_times,
    resample_uniform,
    uniform_times,
    uniform_trace,
)
from stmap_pipeline.signals.spectrum import dominant_rate_bpm

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


SPEEDS = st.sampled_from([0.67, 0.75, 0.9, 1.1, 1.25, 1.5])


def trace_of(times_s, *series):
    """A trace in which each block follows one series in all colors."""
    return uniform_trace(times_s, np.repeat(np.stack(series, axis=1)[:, :, None], 3, axis=2))


def played(times_s, series, speed, interval_s=None):
    """Times and green of the first block."""
    samples_s, means = play(trace_of(times_s, series), speed, interval_s)
    return samples_s, means[:, 0, 1].astype(float)


def decibels(values):
    return 20 * np.log10(np.sqrt(np.mean(np.square(values)) * 2))


@given(SPEEDS, st.floats(45, 150), st.sampled_from([16.0, 25.0, 30.0]), st.sampled_from([0.0, 0.3]))
@settings(deadline=None, max_examples=60)
def test_the_spectral_peak_moves_by_the_speed(speed, rate_bpm, rate_hz, jitter):
    times_s = frame_times(560 / rate_hz, rate_hz, jitter)
    samples_s, values = played(times_s, 100 + 0.5 * np.sin(2 * np.pi * rate_bpm / 60 * times_s), speed)
    _, uniform = resample_uniform(samples_s, values, 30.0)
    assert dominant_rate_bpm(uniform, 30.0, (25, 240)) == pytest.approx(speed * rate_bpm, abs=0.3)


@pytest.mark.parametrize("rate_hz", [16.0, 30.0])
@pytest.mark.parametrize("speed", [1.1, 1.25, 1.5])
def test_frequencies_that_the_coarser_sampling_cannot_hold_are_40_db_down(speed, rate_hz):
    times_s = np.arange(600) / rate_hz
    nyquist_hz = rate_hz / 2 / speed
    for tone_hz in np.linspace(nyquist_hz, 0.999 * rate_hz / 2, 8):
        _, values = played(times_s, np.sin(2 * np.pi * tone_hz * times_s), speed)
        assert decibels(values[20:-20]) < -40, tone_hz
    # what a pulse needs is left as it is: 215 bpm even at 16 frames/s
    _, values = played(times_s, np.sin(2 * np.pi * 0.22 * rate_hz * times_s), speed)
    assert abs(decibels(values)) < 0.1


@pytest.mark.parametrize("speed", [0.67, 0.8])
def test_slowing_puts_nothing_above_what_the_source_could_hold(speed):
    times_s = np.arange(600) / 30
    _, values = played(times_s, np.random.default_rng(0).standard_normal(600), speed)
    power = np.abs(np.fft.rfft(values * np.hanning(len(values)))) ** 2
    rates_hz = np.fft.rfftfreq(len(values), 1 / 30)
    above = power[rates_hz > speed * 15 * 1.02].mean()
    assert 10 * np.log10(above / power[rates_hz < speed * 15 * 0.6].mean()) < -40


@pytest.mark.parametrize("speed", [0.67, 1.25, 1.5])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_a_chirped_pulse_keeps_its_rate_at_each_moment(speed, jitter):
    def phase(t):
        return 2 * np.pi * (1.0 * t + 0.5 * 0.05 * t**2)  # 60 bpm, 3 bpm more each second

    times_s = frame_times(20, 30.0, jitter)
    samples_s, values = played(times_s, 120 + 0.4 * np.sin(phase(times_s)), speed)
    assert np.abs(values - 120 - 0.4 * np.sin(phase(speed * samples_s)))[15:-15].max() < 0.01 * 0.4


@given(SPEEDS, st.floats(-5, 5), st.floats(50, 200), st.floats(0, 0.4), st.integers(310, 460))
@settings(deadline=None, max_examples=40)
def test_level_and_drift_are_kept_from_the_first_to_the_last_frame(speed, slope, level, jitter, frames):
    times_s = frame_times(frames / 30, 30.0, jitter)
    line = (level + slope * times_s).astype(np.float32).astype(np.float64)
    samples_s, values = played(times_s, line, speed)
    off = np.abs(values - (level + slope * speed * samples_s))
    # a thousandth of the step from frame to frame, beyond what float32 can hold
    float32 = 3 * np.spacing(np.float32(level + 5 * 16))
    assert off.max() < 1e-3 * abs(slope) / 30 + float32


@given(SPEEDS, st.integers(2, 400), st.sampled_from([None, 1 / 25, 1 / 60]), st.floats(0, 3))
@settings(deadline=None, max_examples=60)
def test_a_played_recording_ends_with_its_last_frame(speed, frames, interval_s, start_s):
    times_s = start_s + np.arange(frames) / 30
    samples_s = played_times(times_s, speed, interval_s)
    step_s = 1 / 30 if interval_s is None else interval_s
    assert samples_s[0] * speed == pytest.approx(start_s)
    assert times_s[-1] - speed * step_s < samples_s[-1] * speed + 1e-6 <= times_s[-1] + 2e-6
    ours, means = play(trace_of(times_s, np.ones(frames)), speed, interval_s)
    assert np.array_equal(ours, samples_s)
    assert np.allclose(means, 1)


@given(SPEEDS, st.integers(0, 150), st.integers(1, 100))
@settings(deadline=None, max_examples=40)
def test_a_sample_has_the_same_value_whichever_others_are_asked_for(speed, start, samples):
    random = np.random.default_rng(0)
    series = random.standard_normal(400)
    series[200:240] = np.nan
    trace = trace_of(np.arange(400) / 30, series)
    times_s, whole = play(trace, speed)
    some_s, some = play(trace, speed, None, start, start + samples)
    assert np.array_equal(some, whole[start : start + samples], equal_nan=True)
    assert np.array_equal(some_s, times_s[start : start + samples])


def test_a_camera_without_jitter_keeps_its_samples():
    times_s = np.arange(400) / 30
    series = 100 + np.sin(2 * np.pi * 1.2 * times_s) + np.random.default_rng(0).normal(0, 0.1, 400)
    # half as fast: each second sample is one of the recording, but for noise above 0.35 of the sampling rate
    _, half = played(times_s, series, 0.5)
    assert np.abs(half[::2] - series).max() < 0.3
    assert np.corrcoef(half[::2], series)[0, 1] > 0.99


@pytest.mark.parametrize("speed", [0.67, 1.5])
def test_a_gap_stays_unknown_and_nothing_leaks_out_of_it(speed):
    times_s = np.arange(600) / 30
    broken = 100 + 0.5 * np.sin(2 * np.pi * 1.3 * times_s)
    broken[150:180] = np.nan
    samples_s, values = played(times_s, broken, speed)
    source_s = speed * samples_s
    inside = (source_s > times_s[149] + 1e-7) & (source_s < times_s[180] - 1e-7)
    assert np.array_equal(np.isnan(values), inside)
    assert inside.any()
    expected = 100 + 0.5 * np.sin(2 * np.pi * 1.3 * source_s)
    assert np.nanmax(np.abs(values - expected)) < 0.15
    far = np.abs(source_s - times_s[165]) > 0.5 + 12 * max(speed, 1) / 30
    far &= (source_s > 1) & (source_s < 19)
    assert np.abs(values - expected)[far].max() < 0.005


def test_a_short_gap_is_bridged_as_on_the_uniform_clock():
    times_s = np.arange(300) / 30
    series = times_s.copy()
    series[100:114] = np.nan
    assert np.isfinite(played(times_s, series, 0.67)[1]).all()
    series[100:116] = np.nan
    assert np.isnan(played(times_s, series, 0.67)[1]).any()


def test_each_block_has_gaps_of_its_own():
    times_s = np.arange(300) / 30
    partly = np.where((times_s > 2) & (times_s < 4), np.nan, 50.0)
    _, values = play(trace_of(times_s, np.full(300, 70.0), partly, np.full(300, np.nan)), 0.8)
    assert np.allclose(values[:, 0], 70.0)
    assert 0.15 < np.isnan(values[:, 1, 0]).mean() < 0.25
    assert np.allclose(values[:, 1][np.isfinite(values[:, 1])], 50.0)
    assert np.isnan(values[:, 2]).all()


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_filling_changes_no_known_sample_and_leaves_no_unknown_one(pattern):
    known = np.array(pattern)[:, None]
    values = np.where(known, np.arange(len(pattern))[:, None] * 2.0 + 5, np.nan)[:, :, None]
    filled = continue_into_gaps(values, known)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[known[:, 0], 0, 0], values[known[:, 0], 0, 0])


def test_fast_cameras_are_filtered_for_a_slow_uniform_clock():
    times_s = np.arange(1200) / 60
    tone = np.sin(2 * np.pi * 16 * times_s)
    assert decibels(played(times_s, tone, 0.9)[1]) > -1
    assert decibels(played(times_s, tone, 0.9, interval_s=1 / 30)[1]) < -10
    # also where the filter is longer than what a trace is continued by
    assert np.allclose(played(times_s, np.full(1200, 5.0), 3.0, interval_s=1 / 15)[1], 5.0)


def test_normalization_after_resampling_is_that_of_the_resampled_window():
    times_s = frame_times(20, 30, 0.2)
    blocks = simulated_blocks(80.0, times_s)
    samples_s, means = play(uniform_trace(blocks.times_s, blocks.means), 1.25, None, 0, 300)
    values = stmap_from_means(samples_s, means).values
    assert (values.min(axis=1) == 0).all()
    assert (values.max(axis=1) == 255).all()
    # its extremes are others than those of the window as recorded
    recorded = make_stmap(blocks, 0, 300, normalize="none", color="rgb").values.max(axis=1)
    assert np.abs(means.max(axis=0) - recorded).max() > 0.05


def test_wrong_arguments_are_named():
    trace = trace_of(np.arange(30) / 30, np.ones(30))
    for speed in (0.0, -1.0, NAN):
        for call in (lambda: play(trace, speed), lambda: played_times(trace.frame_times_s, speed)):  # noqa: B023 - called here
            with pytest.raises(ValueError, match=f"speed .*not {speed}"):
                call()
    for start, stop in ((-1, 5), (0, 21), (5, 5)):
        with pytest.raises(ValueError, match=f"{start} to {stop} .* 20 "):
            play(trace, 1.5, None, start, stop)
    with pytest.raises(ValueError, match="1 frames"):
        uniform_trace([0.0], np.ones((1, 1, 3)))


@pytest.mark.parametrize("speed", [1.25, 0.8])
def test_a_real_face_has_the_scaled_heart_rate(speed):
    (path,) = real("rouast_clip1").glob("*.mp4")
    blocks = measure(path)[0].blocks
    before = estimate_heart_rate(blocks)
    times_s, means = play(uniform_trace(blocks.times_s, blocks.means), speed, 1 / 30)
    after = estimate_heart_rate(BlockTrace(times_s, means, np.isfinite(means[:, :, 0]).astype(np.float32), blocks.grid))
    assert after == pytest.approx(speed * before, abs=2)
