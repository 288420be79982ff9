"""Frames of simulated cameras, and their resampling, which is that of the pipeline."""

import numpy as np
import pytest

from stmap_pipeline.maps import resample_uniform
from stmap_pipeline.simulation import SHARES, SimulationConfig
from stmap_pipeline.simulation.codec import Codec, encode, to_rgb, to_ycc
from stmap_pipeline.simulation.courses import CourseGrid, low_pass, noise_courses
from stmap_pipeline.simulation.frames import Frames, draw_frames, resampling_matrix


def draw(*damages, count=40, seed=0, config=None):
    terms = {name: np.full(count, name in damages) for name in SHARES}
    random = {name: np.random.default_rng([seed, index]) for index, name in enumerate(("frames", *SHARES))}
    return draw_frames(random, terms, 299 / 30, config or SimulationConfig())


def frames_at(times_s, seen=None, rate_hz=30.0):
    count = len(times_s)
    return Frames(
        owner=np.zeros(count, dtype=np.intp),
        starts=np.array([0, count]),
        number=np.arange(count),
        taken_s=np.asarray(times_s),
        stamped_s=np.asarray(times_s),
        shown=np.arange(count),
        seen=np.ones(count, dtype=np.bool_) if seen is None else seen,
        rate_hz=np.array([rate_hz]),
    )


@pytest.mark.parametrize("rate_hz", [8.0, 15.0, 25.0, 29.97, 30.0, 60.0])
def test_samples_are_those_of_the_pipeline_within_a_hundredth(rate_hz):
    random = np.random.default_rng(3)
    times_s = np.arange(-0.7, 10.7, 1 / rate_hz)
    times_s = np.sort(times_s + random.uniform(-0.1, 0.1, len(times_s)) / rate_hz)
    values = np.sin(2 * np.pi * 1.7 * times_s) + 0.3 * random.normal(size=len(times_s))
    matrix, known = resampling_matrix(frames_at(times_s, rate_hz=rate_hz), 300, 30.0, np.zeros(1, dtype=np.bool_))
    samples = matrix @ values.astype(np.float32)
    # the pipeline's grid begins at a frame; ours at 0
    _, expected = resample_uniform(np.concatenate(([-1.0], times_s)), np.concatenate(([np.nan], values)), 30.0)
    assert known.all()
    assert np.abs(samples - expected[30:330]).max() < 0.02 * np.ptp(values)
    assert np.abs(samples - expected[30:330]).mean() < 0.003 * np.ptp(values)


def test_frames_on_the_grid_are_samples_as_they_are():
    times_s = np.arange(-10, 320) / 30
    values = np.random.default_rng(0).normal(size=len(times_s)).astype(np.float32)
    matrix, _ = resampling_matrix(frames_at(times_s), 300, 30.0, np.zeros(1, dtype=np.bool_))
    np.testing.assert_allclose(matrix @ values, values[10:310], atol=1e-5)


def test_a_short_gap_is_a_straight_line_and_a_long_one_unknown():
    times_s = np.arange(-10, 320) / 30
    seen = np.ones(len(times_s), dtype=np.bool_)
    seen[60:70] = False  # 11 steps of 1/30 s between known frames
    seen[200:230] = False
    values = np.sin(times_s * 7).astype(np.float32)
    matrix, known = resampling_matrix(frames_at(times_s, seen), 300, 30.0, np.zeros(1, dtype=np.bool_))
    assert known[0, :190].all()
    assert not known[0, 190:219].any()
    assert known[0, 220:].all()
    between = (matrix @ values)[50:60]
    np.testing.assert_allclose(between, np.linspace(values[59], values[70], 12)[1:-1], atol=1e-5)


def test_cameras_have_their_rates_jitter_and_drops():
    plain = draw()
    steps = np.diff(plain.taken_s)[np.diff(plain.owner) == 0]
    assert set(np.round(1 / plain.rate_hz, 4)) <= set(np.round(1 / np.array([30, 29.97, 25, 24, 23.976, 60, 20, 30.098]), 4))
    assert (plain.shown == np.arange(len(plain.owner))).all()
    assert plain.seen.all()
    assert steps.min() > 0
    slow = draw("low_frame_rate")
    assert slow.rate_hz.min() >= 8
    assert slow.rate_hz.max() <= 22
    jittered = draw("jitter")
    interval = np.diff(jittered.taken_s)[np.diff(jittered.owner) == 0] * np.repeat(jittered.rate_hz, np.diff(jittered.starts) - 1)
    assert 0.03 < interval.std() < 0.4
    assert interval.min() > 0
    # a clock of constant rate does not tell of dropped frames: more time passes than it says
    dropped = draw("dropped_frames")
    last = dropped.starts[1:] - 1
    lost_s = dropped.taken_s[last] - dropped.stamped_s[last]
    assert lost_s.max() > 0.1
    assert (np.abs(lost_s) < 1e-3).mean() > 0.2
    # all have the frames that the first and the last sample need
    for frames in (plain, slow, jittered, dropped):
        assert (frames.stamped_s[frames.starts[:-1] + 3] <= 0).all()
        assert (frames.stamped_s[frames.starts[1:] - 4] >= 299 / 30).all()


def test_repeated_frames_show_an_earlier_one():
    frames = draw("repeated_frames")
    held = frames.shown < np.arange(len(frames.shown))
    assert 0.1 < held.mean() < 0.7
    assert (frames.owner[frames.shown] == frames.owner).all()
    frozen = draw("freeze")
    assert 0.01 < (frozen.shown < np.arange(len(frozen.shown))).mean() < 0.4


def encode_blocks(values, **changes):
    """Pass the luma (F, N) of the blocks of one window with constant chroma through a codec."""
    ycc = np.zeros((len(values), 1, 3, values.shape[1]), dtype=np.float32)
    ycc[:, 0, 0] = values
    settings = {"key_interval": 30, "key_phase": 0, "step": 1.0, "chroma_step": 1.0, "units": 1.0, "b_frames": 1}
    settings |= {"alike": 0.0, "step_spread": 0.0} | changes
    kinds = {"key_interval": np.intp, "key_phase": np.intp, "b_frames": np.intp}
    codec = Codec(**{name: np.array([value], dtype=kinds.get(name, np.float32)) for name, value in settings.items()})
    encode(np.random.default_rng(0), ycc, np.array([len(values)]), codec)
    return ycc[:, 0, 0]


def encode_one(values, **changes):
    return encode_blocks(values[:, None], **changes)[:, 0]


def test_a_block_is_copied_while_it_differs_little_and_renewed_in_key_frames():
    still = encode_one(np.full(300, 100.0))
    changed = np.flatnonzero(np.diff(still) != 0) + 1
    # the error of a key frame may be corrected soon after it, and then nothing is left to code
    assert np.mean(changed % 30 < 12) > 0.9
    assert 0 in changed % 30
    # what is much farther off than the dead zone is coded at once
    steps = np.where(np.arange(300) < 45, 100.0, 120.0)
    assert np.abs(encode_one(steps)[46:60] - 120).max() < 1e-3
    # a fine quantizer keeps a small wave, a coarse one loses part of it between key frames
    wave = 100 + 0.3 * np.sin(2 * np.pi * 1.3 * np.arange(600) / 30)
    kept = {
        step: np.corrcoef(encode_one(wave, step=step, chroma_step=step, key_interval=250, units=4.0), wave)[0, 1]
        for step in (0.05, 3.0)
    }
    assert kept[0.05] > 0.99
    assert kept[3.0] < 0.6


def test_blocks_that_are_alike_are_coded_with_the_same_error():
    rng = np.random.default_rng(2)
    light = 100 + np.cumsum(rng.normal(0, 0.02, 600))[:, None] + np.zeros(12)

    def correlation(alike):
        error = encode_blocks(light, alike=alike, units=2.0, key_interval=50) - light
        between = np.corrcoef(error.T)
        return between[~np.eye(12, dtype=bool)].mean()

    assert correlation(0.0) < 0.5
    assert correlation(1.0) > 0.95


def test_rate_control_changes_how_much_is_coded_from_frame_to_frame():
    rng = np.random.default_rng(3)
    light = 100 + rng.normal(0, 0.5, (600, 40))

    def spread(step_spread):
        coded = (np.diff(encode_blocks(light, step_spread=step_spread, key_interval=10_000), axis=0) != 0).mean(axis=1)
        return coded.std() / coded.mean()

    assert spread(0.5) > 1.5 * spread(0.0)


def test_the_error_of_key_frames_shrinks_with_the_units_of_a_block():
    spread = {units: np.std(encode_one(np.full(3000, 100.0), units=units, key_interval=10)) for units in (1.0, 64.0)}
    assert 4 < spread[1.0] / spread[64.0] < 16


def test_colors_survive_the_way_to_luma_and_chroma():
    rgb = np.random.default_rng(0).uniform(0, 255, (5, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(to_rgb(to_ycc(rgb)), rgb, atol=1e-3)


def test_processes_have_their_spectrum_and_are_read_at_any_time():
    times_s = np.sort(np.random.default_rng(0).uniform(0, 12, 500))
    grid = CourseGrid.over(times_s, np.zeros(500, dtype=np.intp), 1)
    at = np.arange(grid.samples) / 30 + times_s.min() - 1 / 30
    wave = np.sin(2 * np.pi * 2 * at).astype(np.float32)[None, None]
    np.testing.assert_allclose(grid.read(wave)[:, 0], np.sin(2 * np.pi * 2 * times_s), atol=0.03)
    courses = noise_courses(np.random.default_rng(1), low_pass(grid.rates_hz, np.array([0.5]), np.array([2.0])), 400, grid.samples)
    assert abs(courses.std() - 1) < 0.05
    power = (np.abs(np.fft.rfft(courses[0], axis=1)) ** 2).mean(axis=0)
    slow, fast = power[grid.rates_hz.searchsorted(1.0)], power[grid.rates_hz.searchsorted(4.0)]
    assert 0.5 < slow / fast * (1 + 4) ** 2 / (1 + 64) ** 2 < 2
