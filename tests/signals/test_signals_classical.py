import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.maps import PULSE_COLOR, SKIN_COLOR, frame_times, simulated_blocks

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.evaluation import METHODS, dominant_rate_bpm, face_mean, snr_db
from stmap_pipeline.records import BlockTrace, RoiGrid
from stmap_pipeline.signals.classical import known_runs, method_named

RATE_HZ = 30.0


def face_color(rate_bpm=72.0, duration_s=20.0, amplitude=0.01, light=0.0, noise=0.0):
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    beat = np.sin(2 * np.pi * rate_bpm / 60 * time_s)[:, None]
    shade = 1 + light * np.sin(2 * np.pi * 1.7 * time_s)[:, None]
    color = SKIN_COLOR * shade * (1 + amplitude * beat * PULSE_COLOR)
    return color + noise * np.random.default_rng(0).standard_normal(color.shape)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("rate_bpm", [48.0, 72.0, 110.0, 150.0])
def test_the_pulse_that_goes_in_comes_out(method, rate_bpm):
    pulse = method(face_color(rate_bpm, noise=0.2), RATE_HZ)
    assert pulse.shape == (600,)
    assert np.isfinite(pulse).all()
    assert dominant_rate_bpm(pulse, RATE_HZ) == pytest.approx(rate_bpm, abs=1)


def test_flickering_light_deceives_green_and_not_pos_and_chrom():
    color = face_color(72, light=0.1, noise=0.1)
    found = {name: dominant_rate_bpm(method(color, RATE_HZ), RATE_HZ) for name, method in METHODS.items()}
    assert found["green"] == pytest.approx(102, abs=1)
    assert found["pos"] == pytest.approx(72, abs=1)
    assert found["chrom"] == pytest.approx(72, abs=1)


def test_pos_follows_the_published_algorithm():
    # algorithm 1 of the paper, written out window by window; ours averages where it sums
    color = face_color(80, 6, noise=0.3)
    size = 48
    total, count = np.zeros(len(color)), np.zeros(len(color))
    for start in range(len(color) - size + 1):
        normed = color[start : start + size].T / color[start : start + size].mean(axis=0)[:, None]
        plane = np.array([[0, 1, -1], [-2, 1, 1]]) @ normed
        beat = plane[0] + plane[0].std() / plane[1].std() * plane[1]
        total[start : start + size] += beat - beat.mean()
        count[start : start + size] += 1
    np.testing.assert_allclose(METHODS["pos"](color, RATE_HZ), total / count, atol=1e-12)


@pytest.mark.parametrize("name", ["pos", "chrom"])
@given(gain=st.floats(0.1, 10), gap=st.integers(60, 500), length=st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_brightness_does_not_matter_and_gaps_separate(name, gain, gap, length):
    method, color = METHODS[name], face_color(noise=0.2)
    np.testing.assert_allclose(method(gain * color, RATE_HZ), method(color, RATE_HZ), atol=1e-9)

    color[gap : gap + length] = np.nan
    pulse = method(color, RATE_HZ)
    assert np.isnan(pulse[gap : gap + length]).all()
    # each side is what it would be alone: nothing reached across
    np.testing.assert_array_equal(pulse[:gap], method(color[:gap], RATE_HZ))
    np.testing.assert_array_equal(pulse[gap + length :], method(color[gap + length :], RATE_HZ))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_one_channel_unknown_is_a_gap_and_no_light_is_no_pulse(method):
    color = face_color()
    color[100, 2] = np.nan
    assert np.isnan(method(color, RATE_HZ)[100])
    assert np.isnan(dominant_rate_bpm(method(np.zeros((600, 3)), RATE_HZ), RATE_HZ))
    assert np.isnan(dominant_rate_bpm(method(np.full((600, 3), np.nan), RATE_HZ), RATE_HZ))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_the_rounding_of_a_constant_face_is_no_pulse(method):
    assert np.isnan(dominant_rate_bpm(method(np.tile([150.1, 110.7, 90.3], (600, 1)), RATE_HZ), RATE_HZ))


@pytest.mark.parametrize("name", ["pos", "chrom"])
def test_a_run_shorter_than_the_window_says_nothing(name):
    assert np.isnan(METHODS[name](face_color(duration_s=1.5), RATE_HZ)).all()
    assert np.isfinite(METHODS[name](face_color(duration_s=1.6), RATE_HZ)).all()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_wrong_input_is_refused(method):
    with pytest.raises(ValueError, match=r"\(T, 3\)"):
        method(np.zeros((5, 2)), RATE_HZ)
    with pytest.raises(ValueError, match="3 Hz"):
        method(np.zeros((5, 3)), 2.0)
    assert method(np.empty((0, 3)), RATE_HZ).shape == (0,)


def test_an_unknown_method_is_named_with_its_alternatives():
    with pytest.raises(UnknownNameError, match=r"'ica'.*chrom, green, pos"):
        method_named("ica")


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_all_that_is_known(flags):
    known = np.array(flags, dtype=bool)
    runs = known_runs(known)
    rebuilt = np.zeros(len(known), dtype=bool)
    for run in runs:
        assert run.start < run.stop
        rebuilt[run] = True
    assert np.array_equal(rebuilt, known)
    assert all(first.stop < second.start for first, second in itertools.pairwise(runs))


def test_the_face_mean_is_the_weighted_mean_of_the_blocks():
    random = np.random.default_rng(5)
    means = random.uniform(50, 200, (40, 6, 3)).astype(np.float32)
    weight = random.uniform(0.3, 1, 6)
    blocks = BlockTrace(np.arange(40) / 30, means, np.tile(weight, (40, 1)).astype(np.float32), RoiGrid(2, 3))
    expected = np.einsum("tnc,n->tc", means.astype(float), weight) / weight.sum()
    np.testing.assert_allclose(face_mean(blocks), expected, rtol=1e-6)


def test_a_block_that_comes_and_goes_makes_no_step():
    times_s = frame_times(20)
    blocks = simulated_blocks(72, times_s, light=0, amplitude=0.004)
    hidden = blocks.coverage.copy()
    # the outer column is turned away at 1.6 Hz, well inside the band of the pulse
    away = np.sin(2 * np.pi * 1.6 * times_s) > 0
    hidden[np.ix_(away, range(4, 25, 5))] = 0
    partly = np.where(hidden[:, :, None] > 0, blocks.means, np.nan).astype(np.float32)
    color = face_mean(BlockTrace(times_s, partly, hidden, blocks.grid))
    whole = face_mean(blocks)
    assert np.abs(color - whole).max() < 0.5
    assert dominant_rate_bpm(color[:, 1], RATE_HZ) == pytest.approx(72, abs=1)
    assert snr_db(color[:, 1], RATE_HZ, 72) > snr_db(whole[:, 1], RATE_HZ, 72) - 3


def test_frames_without_a_face_stay_unknown():
    blocks = simulated_blocks(72, frame_times(10), lost_s=[(2, 4)])
    color = face_mean(blocks)
    assert np.array_equal(np.isfinite(color).all(axis=1), blocks.valid)
    faceless = simulated_blocks(72, frame_times(10), lost_s=[(0, 99)])
    assert np.isnan(face_mean(faceless)).all()
    assert face_mean(faceless).shape == (300, 3)
