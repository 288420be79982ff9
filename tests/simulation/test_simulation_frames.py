"""Frames of simulated cameras, and their resampling, which is that of the pipeline."""

import numpy as np
import pytest

from stmap_pipeline.maps import resample_uniform
from stmap_pipeline.simulation import SHARES, SimulationConfig, camera, simulate_windows
from stmap_pipeline.simulation.codec import Codec, encode, to_rgb, to_ycc
from stmap_pipeline.simulation.courses import CourseGrid, low_pass, noise_courses
from stmap_pipeline.simulation.frames import Frames, draw_frames, resampling_matrix
from stmap_pipeline.simulation.people import People


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


def encode_windows(ycc, grid=(1, 1), **changes):
    """Pass Y, Cb and Cr (F, S, 3, N) of S windows through codecs; a setting is that of all windows or has one value for each."""
    ycc = np.asarray(ycc, dtype=np.float32).copy()
    settings = {"key_interval": 30, "key_phase": 0, "step": 1.0, "chroma_step": 1.0, "units": 1.0, "b_frames": 1}
    settings |= {"alike": 0.0, "step_spread": 0.0} | changes
    kinds = {"key_interval": np.intp, "key_phase": np.intp, "b_frames": np.intp}
    windows = ycc.shape[1]
    codec = Codec(**{name: np.full(windows, value, dtype=kinds.get(name, np.float32)) for name, value in settings.items()})
    encode(np.random.default_rng(0), ycc, np.full(windows, len(ycc)), codec, grid)
    return ycc


def encode_blocks(values, grid=(1, 1), **changes):
    """Pass the luma (F, N) of the blocks of one window with constant chroma through a codec."""
    ycc = np.zeros((len(values), 1, 3, values.shape[1]))
    ycc[:, 0, 0] = values
    return encode_windows(ycc, grid, **changes)[:, 0, 0]


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


def test_four_blocks_in_one_unit_are_coded_together():
    # twelve blocks of 4 x 4 pixels: three transform blocks of 8 x 8
    rng = np.random.default_rng(4)
    light = 100 + np.cumsum(rng.normal(0, 0.02, 900))[:, None] + rng.uniform(0, 2, 12)

    def changes(grid, units):
        coded = np.diff(encode_blocks(light, grid, units=units, step=2.0, key_interval=10_000), axis=0).reshape(-1, 2, 6)
        return coded[:, :, 0], coded[:, :, 1], coded[:, :, 2]

    first, neighbor, next_unit = changes((2, 6), 0.25)
    assert (first != 0).any()
    np.testing.assert_allclose(first, neighbor, atol=1e-4)
    assert np.corrcoef(first.ravel(), next_unit.ravel())[0, 1] < 0.5
    # blocks of whole units, and rows or columns that are odd in number, are coded each for itself
    for grid, units in (((2, 6), 1.0), ((1, 12), 0.25), ((12, 1), 0.25)):
        first, neighbor, _ = changes(grid, units)
        assert np.corrcoef(first.ravel(), neighbor.ravel())[0, 1] < 0.5
    # a large change is coded in full, within the unit as well
    steps = light + np.where(np.arange(900) < 400, 0, 40)[:, None] * np.arange(12)
    assert np.abs(encode_blocks(steps, (2, 6), units=0.25)[400:420] - steps[400:420]).max() < 1


def test_four_blocks_that_share_a_unit_are_skipped_by_one_number():
    walk = 60 + np.cumsum(np.random.default_rng(3).normal(0, 0.4, 899))
    # mean and differences of the four change by the same number: skipped apart, they would move the other blocks; beside a window of small units
    light = np.full((900, 2, 3, 4), 100.0)
    light[1:, :, 0, 0] += walk[:, None]
    coded = encode_windows(light, (2, 2), units=[4.0, 0.25], step=2.0, key_interval=10_000)[1:, 1, 0]
    assert 10 < (np.diff(coded[:, 0]) != 0).sum() < 600
    np.testing.assert_array_equal(coded[:, 1:], 100)
    # units of luma that are smaller than a block are skipped together where those of chroma are shared
    light[1:, :, 0] = 100 + walk[:, None, None]
    coded = encode_windows(light, (2, 2), units=[4.0, 2.0], step=2.0, key_interval=10_000)[1:, :, 0]
    assert np.ptp(coded[:, 0], axis=1).max() > 0.1
    assert np.ptp(coded[:, 1], axis=1).max() == 0


def test_a_key_frame_codes_the_mean_of_a_shared_unit_anew_and_its_differences_as_any_frame():
    still = 100 + np.array([0.0, 3.0, 5.0, 9.0]) + np.zeros((300, 1))
    coded = encode_blocks(still, (2, 2), units=0.25, key_interval=10)
    assert coded.mean(axis=1).std() > 0.05
    np.testing.assert_allclose(coded - coded.mean(axis=1, keepdims=True), still - still.mean(axis=1, keepdims=True), atol=1e-4)
    # a small change of the differences is not seen in a key frame, and a large one at once
    left = np.array([1, -1, 1, -1])
    for size, seen in ((0.05, 0.0), (40.0, 1.0)):
        moved = encode_blocks(still + np.where(np.arange(300) < 150, 0, size)[:, None] * left, (2, 2), units=0.25, key_interval=150)
        assert (moved[150] - moved[149]) @ left / 4 == pytest.approx(seen * size, abs=1e-3)


def test_a_window_of_large_units_beside_one_of_small_ones():
    light = np.full((300, 2, 3, 4), 100.0)
    coded = encode_windows(light, (2, 2), units=[4.0, 0.25], key_interval=10)[:, :, 0]
    apart = np.ptp(coded, axis=2).max(axis=0)
    assert apart[0] > 0.1
    assert apart[1] < 1e-4


def test_chroma_has_a_quarter_of_the_units_of_luma():
    light = np.full((300, 1, 3, 4), 100.0)
    # two units of luma in a block, and half a unit of chroma, which four blocks share
    coded = encode_windows(light, (2, 2), units=2.0, key_interval=10)[:, 0]
    apart = np.ptp(coded, axis=2).max(axis=0)
    assert apart[0] > 0.1
    assert apart[1:].max() < 1e-4
    # the error of a key frame falls with the root of the units that a mean is over: of four blocks, 4 x 1/4, 4 x 3/4
    spread = [
        np.mean([encode_blocks(light[:, 0, 0], (2, 2), units=units, key_interval=1, step=step).std() for step in (1, 2, 4)])
        for units in (0.25, 0.75)
    ]
    assert spread[0] / spread[1] == pytest.approx(3**0.5, rel=0.2)


@pytest.mark.parametrize(("settings", "sides_px"), [("training", (32, 16, 8)), ("unseen", (16, 8, 4))])
def test_units_have_the_sides_of_their_settings(monkeypatch, settings, sides_px):
    given = []
    monkeypatch.setattr(camera, "encode", lambda *all_of_it: given.append(all_of_it[3:]))
    monkeypatch.setattr(People, "pixels", property(lambda people: np.full(len(people.width_px), 1024.0)))
    shares = dict.fromkeys(SHARES, 0.0) | {"codec": 1.0}
    simulate_windows(64, 1, SimulationConfig(rows=4, cols=6, damaged_share=1.0, shares=shares, settings=settings))
    codec, grid = given[0]
    assert grid == (4, 6)
    assert np.unique(codec.units).tolist() == [1024 / side**2 for side in sides_px]


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
    # nothing above a third of the rate of the grid, and what is left has all of the variance
    assert power[grid.rates_hz > 10.1].max() < 1e-9 * fast
    flat = noise_courses(np.random.default_rng(2), np.ones_like(grid.rates_hz), 400, grid.samples)
    assert flat.std() == pytest.approx(1, abs=0.02)
