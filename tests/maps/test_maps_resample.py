"""A recording played faster or slower: the heart rate moves by the factor and nothing else does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import measure
from real_data import real
from simulated_traces import frame_times, simulated_blocks

from stmap_pipeline.evaluation import estimate_heart_rate
from stmap_pipeline.evaluation.spectrum import dominant_rate_bpm
from stmap_pipeline.maps import make_stmap, resample_uniform
from stmap_pipeline.maps.extend import extend_into_gaps
from stmap_pipeline.maps.resample import (
    PADDING,
    compression,
    even_trace,
    kernel,
    last_source_time,
    resample_even,
    resample_window,
    source_times,
)
from stmap_pipeline.maps.stmap import stmap_from_means
from stmap_pipeline.records import BlockTrace, RoiGrid

SCALES = st.sampled_from([0.67, 0.75, 0.9, 1.1, 1.25, 1.5])


def trace_of(times_s, *series):
    """Block means of which each block follows one series in all colors."""
    means = np.repeat(np.stack(series, axis=1)[:, :, None], 3, axis=2).astype(np.float32)
    coverage = np.isfinite(means[:, :, 0]).astype(np.float32)
    return BlockTrace(np.asarray(times_s), means, coverage, RoiGrid(1, len(series)))


def played(times_s, series, scale, start=0, frames=300):
    window_s = times_s[start : start + frames]
    return window_s, resample_window(even_trace(trace_of(times_s, series)), window_s, scale)[:, 0, 1]


def decibels(values):
    return 20 * np.log10(np.sqrt(np.mean(np.square(values)) * 2))


@given(SCALES, st.floats(45, 150), st.sampled_from([16.0, 25.0, 30.0]), st.sampled_from([0.0, 0.3]), st.integers(0, 60))
@settings(deadline=None, max_examples=60)
def test_the_spectral_peak_moves_by_the_scale(scale, rate_bpm, rate_hz, jitter, start):
    times_s = frame_times(560 / rate_hz, rate_hz, jitter)
    window_s, values = played(times_s, 100 + 0.5 * np.sin(2 * np.pi * rate_bpm / 60 * times_s), scale, start)
    _, even = resample_uniform(window_s, values, 30.0)
    assert dominant_rate_bpm(even, 30.0, (25, 240)) == pytest.approx(scale * rate_bpm, abs=0.3)


@pytest.mark.parametrize("rate_hz", [16.0, 30.0])
@pytest.mark.parametrize("scale", [1.1, 1.25, 1.5])
def test_what_the_coarser_sampling_cannot_hold_is_40_db_down(scale, rate_hz):
    times_s = np.arange(600) / rate_hz
    nyquist_hz = rate_hz / 2 / scale
    for tone_hz in np.linspace(nyquist_hz, 0.999 * rate_hz / 2, 8):
        _, values = played(times_s, np.sin(2 * np.pi * tone_hz * times_s), scale)
        assert decibels(values) < -40, tone_hz
    # what a pulse needs is left as it is: 215 bpm even at 16 frames a second
    _, values = played(times_s, np.sin(2 * np.pi * 0.22 * rate_hz * times_s), scale)
    assert abs(decibels(values)) < 0.1


@pytest.mark.parametrize("scale", [0.67, 0.8])
def test_stretching_puts_nothing_above_what_the_source_could_hold(scale):
    times_s = np.arange(600) / 30
    random = np.random.default_rng(0).standard_normal(600)
    window_s, values = played(times_s, random, scale)
    power = np.abs(np.fft.rfft(values * np.hanning(300))) ** 2
    rates_hz = np.fft.rfftfreq(300, 1 / 30)
    above = power[rates_hz > scale * 15 * 1.02].mean()
    assert 10 * np.log10(above / power[rates_hz < scale * 15 * 0.6].mean()) < -40
    assert window_s[-1] == pytest.approx(299 / 30)


@pytest.mark.parametrize("scale", [0.67, 1.25, 1.5])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_a_chirped_pulse_keeps_its_rate_at_each_moment(scale, jitter):
    def phase(t):
        return 2 * np.pi * (1.0 * t + 0.5 * 0.05 * t**2)  # 60 bpm, 3 bpm more each second

    times_s = frame_times(20, 30.0, jitter)
    window_s, values = played(times_s, 120 + 0.4 * np.sin(phase(times_s)), scale, start=30)
    expected = 120 + 0.4 * np.sin(phase(source_times(window_s, scale)))
    assert np.abs(values - expected).max() < 0.01 * 0.4


@given(SCALES, st.floats(-5, 5), st.floats(50, 200), st.floats(0, 0.4), st.integers(310, 460))
@settings(deadline=None, max_examples=40)
def test_level_and_drift_are_kept_from_the_first_to_the_last_frame(scale, slope, level, jitter, frames):
    times_s = frame_times(frames / 30, 30.0, jitter)
    line = (level + slope * times_s).astype(np.float32).astype(np.float64)
    trace = even_trace(trace_of(times_s, line))
    wanted_s = np.linspace(times_s[0], last_source_time(times_s), 200)
    off = np.abs(resample_even(trace, wanted_s, max(1.0, scale))[:, 0, 0] - (level + slope * wanted_s))
    # a thousandth of the step from frame to frame, beyond what float32 can hold; at the ends nothing
    float32 = 2 * np.spacing(np.float32(level + 5 * 16))
    assert off.max() < 1e-3 * abs(slope) / 30 + float32
    assert max(off[0], off[-1]) < 1e-4 * abs(slope) / 30 + float32


def test_300_samples_at_one_and_a_half_need_450_frames_and_at_two_thirds_202():
    for scale, needed in ((1.5, 450), (0.67, 202)):
        times_s = np.arange(600) / 30
        window_s = times_s[:300]
        last_s = source_times(window_s, scale)[-1]
        for frames, enough in ((needed, True), (needed - 1, False)):
            values = resample_window(even_trace(trace_of(times_s[:frames], np.ones(frames))), window_s, scale)
            assert np.isfinite(values).all() == enough == (last_s <= last_source_time(times_s[:frames]))
            assert np.isfinite(values[0]).all()


def test_a_camera_without_jitter_hands_its_samples_on():
    times_s = np.arange(400) / 30
    series = 100 + np.sin(2 * np.pi * 1.2 * times_s) + np.random.default_rng(0).normal(0, 0.1, 400)
    blocks = trace_of(times_s, series)
    trace = even_trace(blocks)
    assert np.array_equal(trace.values[PADDING:-PADDING, 0], blocks.means[:, 0])
    assert trace.interval_s == pytest.approx(1 / 30)
    # half as fast: each second sample is one of the recording, but for noise above 0.35 of the sampling rate
    half = resample_window(trace, times_s[:300], 0.5)[::2, 0, 1]
    assert np.abs(half - series[:150]).max() < 0.25
    assert np.corrcoef(half, series[:150])[0, 1] > 0.99


@pytest.mark.parametrize("scale", [0.67, 1.5])
def test_nothing_is_said_of_a_gap_and_nothing_leaks_out_of_it(scale):
    times_s = np.arange(600) / 30
    series = 100 + 0.5 * np.sin(2 * np.pi * 1.3 * times_s)
    broken = series.copy()
    broken[150:180] = np.nan
    window_s, values = played(times_s, broken, scale)
    read_s = source_times(window_s, scale)
    inside = (read_s > times_s[149] + 1e-9) & (read_s < times_s[180] - 1e-9)
    assert np.array_equal(np.isnan(values), inside)
    assert inside.any()
    expected = 100 + 0.5 * np.sin(2 * np.pi * 1.3 * read_s)
    assert np.nanmax(np.abs(values - expected)) < 0.15
    far = np.abs(read_s - times_s[165]) > 0.5 + 12 * max(scale, 1) / 30
    assert np.abs(values - expected)[far].max() < 0.005


def test_a_short_gap_is_bridged_as_on_the_uniform_clock():
    times_s = np.arange(300) / 30
    series = times_s.copy()
    series[100:114] = np.nan
    _, values = played(times_s, series, 0.67)
    assert np.isfinite(values).all()
    series[100:116] = np.nan
    _, values = played(times_s, series, 0.67)
    assert np.isnan(values).any()


def test_each_block_has_gaps_of_its_own():
    times_s = np.arange(300) / 30
    partly = np.where((times_s > 2) & (times_s < 4), np.nan, 50.0)
    blocks = trace_of(times_s, np.full(300, 70.0), partly, np.full(300, np.nan))
    values = resample_window(even_trace(blocks), times_s, 0.8)
    assert np.allclose(values[:, 0], 70.0)
    assert 0.2 < np.isnan(values[:, 1, 0]).mean() < 0.35
    assert np.allclose(values[:, 1][np.isfinite(values[:, 1])], 50.0)
    assert np.isnan(values[:, 2]).all()


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_filling_changes_no_known_sample_and_leaves_no_unknown_one(pattern):
    known = np.array(pattern)[:, None]
    values = np.where(known, np.arange(len(pattern))[:, None] * 2.0 + 5, np.nan)[:, :, None]
    filled = extend_into_gaps(values, known)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[known[:, 0], 0, 0], values[known[:, 0], 0, 0])


def test_fast_cameras_are_filtered_for_a_slow_uniform_clock():
    times_s = np.arange(1200) / 60
    grid_s = np.arange(300) / 30
    trace = even_trace(trace_of(times_s, np.sin(2 * np.pi * 16 * times_s)))
    folded = resample_window(trace, grid_s, 0.9)
    held = resample_window(trace, grid_s, 0.9, interval_s=1 / 30)
    assert compression(0.9, 1 / 30, 1 / 60) == 1.8
    assert decibels(folded[:, 0, 0]) > -1
    assert decibels(held[:, 0, 0]) < -10
    # so far compressed that the padding does not suffice, the sum goes over what there is
    line = even_trace(trace_of(times_s, np.full(1200, 5.0)))
    assert np.allclose(resample_even(line, times_s[:50], 9.0), 5.0)


def test_the_kernel_is_even_and_ends_without_a_step():
    x = np.linspace(0, 13, 500)
    assert np.array_equal(kernel(x), kernel(-x))
    assert np.abs(np.diff(kernel(x)))[x[1:] > 11.9].max() < 1e-4
    assert not kernel(x[x >= 12]).any()


def test_normalization_after_resampling_is_that_of_the_resampled_window():
    times_s = frame_times(20, 30, 0.2)
    blocks = simulated_blocks(80.0, times_s)
    means = resample_window(even_trace(blocks), times_s[:300], 1.25)
    values = stmap_from_means(times_s[:300], means).values
    assert (values.min(axis=1) == 0).all()
    assert (values.max(axis=1) == 255).all()
    # its extremes are others than those of the window as recorded
    recorded = make_stmap(blocks, 0, 300, normalize="none", color="rgb").values.max(axis=1)
    assert np.abs(means.max(axis=0) - recorded).max() > 0.05


def test_wrong_arguments_are_named():
    trace = even_trace(trace_of(np.arange(30) / 30, np.ones(30)))
    with pytest.raises(ValueError, match="hr_scale must be positive"):
        resample_window(trace, [0.0, 0.1], 0.0)
    with pytest.raises(ValueError, match="compress must be 1 or more"):
        resample_even(trace, [0.0], 0.5)
    with pytest.raises(ValueError, match="1 frames have no interval"):
        even_trace(trace_of(np.zeros(1), np.ones(1)))
    assert np.isnan(resample_even(trace, [-50.0, 99.0])).all()


@pytest.mark.parametrize("scale", [1.25, 0.8])
def test_a_real_face_has_the_scaled_heart_rate(scale):
    (path,) = real("rouast_clip1").glob("*.mp4")
    blocks = measure(path)[0].blocks
    before = estimate_heart_rate(blocks)
    last_s = last_source_time(blocks.times_s)
    # the whole clip at the other speed
    times_s = blocks.times_s[0] + np.arange(int((last_s - blocks.times_s[0]) / scale * 30) + 1) / 30
    means = resample_window(even_trace(blocks), times_s, scale).astype(np.float32)
    after = estimate_heart_rate(BlockTrace(times_s, means, np.isfinite(means[:, :, 0]).astype(np.float32), blocks.grid))
    assert after == pytest.approx(scale * before, abs=2)
