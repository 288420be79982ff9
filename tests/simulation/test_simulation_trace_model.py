"""Simulated traces have a pulse of the right rate and color, hidden about as much as in real video."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.evaluation import compare_heart_rate, dominant_rate_bpm
from stmap_pipeline.simulation.courses import band, low_pass
from stmap_pipeline.simulation.pulse import simulate_pulse
from stmap_pipeline.simulation.trace_model import SCENARIOS, TracePlan, bursts, draw_person, shaped_noise, simulate
from stmap_pipeline.synth.traces import plan_recordings


def plan(scenario="v1", camera=1, mean_bpm=72.0, rate_hz=25.0, duration_s=30.0, number=1):
    return TracePlan(f"p001_{scenario}_source{camera}", "p001", number, scenario, camera, 1, 1, mean_bpm, rate_hz, duration_s)


@given(st.integers(0, 1000), st.floats(45, 130), st.booleans())
def test_the_mean_rate_is_the_one_asked_for_and_the_phase_its_integral(seed, mean_bpm, after_exercise):
    heart = simulate_pulse(np.random.default_rng(seed), mean_bpm, 30.0, after_exercise=after_exercise)
    inside = (heart.times_s >= -1e-9) & (heart.times_s < 30)
    beats = np.interp([0.0, 30.0], heart.times_s, heart.beats)
    assert heart.heart_rate_bpm[inside].mean() == pytest.approx(mean_bpm, abs=0.5)
    assert beats[1] - beats[0] == pytest.approx(heart.heart_rate_bpm[inside].mean() / 2, abs=0.05)
    assert np.all(np.diff(heart.beats) > 0)


def test_a_heart_recovers_after_exercise():
    hearts = [simulate_pulse(np.random.default_rng(seed), 100.0, 30.0, after_exercise=True) for seed in range(20)]
    fall = [np.interp(1, one.times_s, one.heart_rate_bpm) - np.interp(29, one.times_s, one.heart_rate_bpm) for one in hearts]
    assert np.mean(fall) > 3


def test_the_label_is_what_a_pulse_oximeter_shows():
    heart = simulate_pulse(np.random.default_rng(0), 71.0, 25.5, after_exercise=False)
    label = heart.oximeter_rate(25.5)
    assert label.times_s.tolist() == list(range(26))
    assert np.array_equal(label.heart_rate_bpm, np.rint(label.heart_rate_bpm))
    assert label.mean_between(0.0, 25.5) == pytest.approx(71.0, abs=1.0)
    # the mean of the four seconds that end with the sample's own
    inside = (heart.times_s >= 7 - 1e-9) & (heart.times_s < 11 - 1e-9)
    assert label.heart_rate_bpm[10] == np.rint(heart.heart_rate_bpm[inside].mean())


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_alone_the_pulse_has_the_rate_of_its_label(scenario):
    row = compare_heart_rate(simulate(plan(scenario, mean_bpm=84.0), 3, severity=0.0))
    assert abs(row.error_bpm) < 4
    assert row.snr_db > 5


def test_alone_the_pulse_is_strongest_in_green_and_weak_in_the_corners():
    means = simulate(plan(), 0, severity=0.0).blocks.means.astype(float)
    change = (means / means.mean(axis=0)).std(axis=0)
    assert np.all(change[:, 1] > change[:, 2])
    assert np.all(change[:, 2] > change[:, 0])
    assert change[[0, 4, 20, 24], 1].max() < change[[11, 13], 1].min()
    assert 0.0005 < change[:, 1].mean() < 0.02


def test_without_a_pulse_there_is_none():
    def green(pulse):
        return simulate(plan(), 0, severity=0.0, pulse=pulse).blocks.means[:, 12, 1]

    assert green(0.0).std() < 1e-4 < 0.05 < green(1.0).std()


def test_more_severity_hides_more():
    plans = [one for one in plan_recordings(12, 1, 2, 20.0) if one.scenario != "v2"]
    snr = [np.mean([compare_heart_rate(simulate(one, 1, severity)).snr_db for one in plans]) for severity in (0.2, 1.0, 3.0)]
    assert snr[0] > snr[1] + 3 > snr[2] + 6


def test_motion_is_common_to_all_blocks_and_noise_is_not():
    shaking = simulate(plan("v2"), 5, pulse=0.0).blocks.means.mean(axis=2)
    still = simulate(plan("v1"), 5, pulse=0.0).blocks.means.mean(axis=2)
    assert (shaking / shaking.mean(axis=0)).std(axis=0).mean() > 2 * (still / still.mean(axis=0)).std(axis=0).mean()
    fast = np.diff(still, n=3, axis=0)
    between = np.corrcoef(fast.T)[np.triu_indices(25, 1)]
    assert abs(np.median(between)) < 0.3


def test_a_recording_is_the_same_whatever_was_simulated_before():
    plans = plan_recordings(2, 0, 2, 20.0)
    alone = simulate(plans[3], 0)
    for one in plans[:3]:
        simulate(one, 0)
    again = simulate(plans[3], 0)
    assert np.array_equal(alone.blocks.means, again.blocks.means, equal_nan=True)
    assert not np.array_equal(alone.blocks.means, simulate(plans[3], 1).blocks.means, equal_nan=True)


def test_a_lost_face_is_lost_in_everything():
    lost = [one for seed in range(30) if not (one := simulate(plan("v2", duration_s=20.0), seed)).blocks.valid.all()]
    assert 0 < len(lost) < 20
    for one in lost:
        gone = ~one.blocks.valid
        assert np.isnan(one.blocks.means[gone]).all()
        assert not one.blocks.coverage[gone].any()
        assert np.array_equal(one.track.found, ~gone)
        assert one.attributes["frames_without_face"] == gone.sum()


def test_times_are_those_of_the_camera():
    webcam, phone = (simulate(plan(camera=camera, rate_hz=rate), 0) for camera, rate in ((1, 16.2), (2, 30.0)))
    steps_ms = 1000 * np.diff(webcam.blocks.times_s)
    np.testing.assert_allclose(steps_ms, np.rint(steps_ms), atol=1e-6)
    assert steps_ms.std() > 1
    assert webcam.attributes["rate_hz"] == pytest.approx(16.2, rel=0.02)
    np.testing.assert_allclose(np.diff(phone.blocks.times_s), 1 / 30)


def test_dark_skin_pulses_less():
    people = [draw_person(np.random.default_rng(seed)) for seed in range(200)]
    light = [one.pulse for one in people if one.color.sum() > np.median([p.color.sum() for p in people])]
    dark = [one.pulse for one in people if one.color.sum() <= np.median([p.color.sum() for p in people])]
    assert np.mean(light) > np.mean(dark)
    assert len({one.tone for one in people}) >= 4


@given(st.integers(1, 4), st.integers(40, 500), st.integers(0, 50))
def test_shaped_noise_has_unit_deviation_and_no_mean(count, samples, seed):
    values = shaped_noise(np.random.default_rng(seed), count, samples, low_pass(np.fft.rfftfreq(samples, 1 / 25), 0.3, 1.4))
    assert values.shape == (count, samples)
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(values.std(axis=1), 1)


def test_a_band_of_noise_lies_where_it_should():
    values = shaped_noise(np.random.default_rng(0), 1, 1500, band(np.fft.rfftfreq(1500, 1 / 25), 2.0, 0.05))[0]
    assert dominant_rate_bpm(values, 25.0) == pytest.approx(120, abs=8)


def test_bursts_are_on_for_the_share_asked_for():
    rates_hz = np.fft.rfftfreq(2000, 1 / 25)
    share = [bursts(np.random.default_rng(seed), 2000, rates_hz, share=0.7, length_s=2.5).mean() for seed in range(10)]
    assert np.mean(share) == pytest.approx(0.7, abs=0.07)
