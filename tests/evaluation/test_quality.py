"""What speaks for a heart rate: large for a pulse, small for noise, and the same whatever the scale."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.maps import frame_times, simulated_blocks

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.evaluation.quality import CALIBRATION, Evidence, find_evidence, pulse_signals, quality
from stmap_pipeline.records import BlockTrace, RoiGrid


def blocks(**options):
    return simulated_blocks(options.pop("rate_bpm", 72.0), frame_times(12.0), **options)


@pytest.mark.parametrize("method", sorted(CALIBRATION))
def test_the_right_rate_has_evidence_and_another_has_none(method):
    signals = pulse_signals(blocks(light=0.0), method)
    right, wrong = (find_evidence(signals, 0, 360, rate) for rate in (72.0, 101.0))
    assert right.snr_db > 3 > -3 > wrong.snr_db
    assert right.agreement > 0.9 > 0.6 > wrong.agreement
    assert quality(right, method, 12.0) > 0.8 > 0.2 > quality(wrong, method, 12.0)


def test_noise_of_each_block_agrees_on_nothing():
    found = [
        find_evidence(pulse_signals(blocks(amplitude=0.0, noise=0.3, seed=seed)), 0, 360, 72.0).agreement for seed in range(20)
    ]
    # the mean of 25 unit phasors of random direction: 0.18
    assert np.mean(found) == pytest.approx(0.18, abs=0.06)


def test_blocks_that_beat_against_each_other_do_not_agree():
    found = blocks(noise=0.0, light=0.0, grid=RoiGrid(2, 4))
    means = found.means.astype(float)
    means[:, 1::2] = 2 * means[:, 1::2].mean(axis=0) - means[:, 1::2]
    against = BlockTrace(found.times_s, means.astype(np.float32), found.coverage, found.grid)
    assert find_evidence(pulse_signals(found), 0, 360, 72.0).agreement > 0.99
    assert find_evidence(pulse_signals(against, "green"), 0, 360, 72.0).agreement < 0.3


def test_the_scale_of_the_light_does_not_matter():
    found = blocks()
    dim = BlockTrace(found.times_s, found.means * np.float32(0.25), found.coverage, found.grid)
    one, other = (find_evidence(pulse_signals(each), 0, 360, 72.0) for each in (found, dim))
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_a_block_that_is_out_of_sight_does_not_take_the_others_along():
    found = blocks()
    means = found.means.copy()
    means[:, 3], means[100:, 7] = np.nan, np.nan
    partly = BlockTrace(found.times_s, means, np.isfinite(means[:, :, 0]).astype(np.float32), found.grid)
    signals = pulse_signals(partly)
    assert np.isnan(signals.blocks[:, 3]).all()
    assert find_evidence(signals, 0, 360, 72.0).agreement > 0.8


def test_what_cannot_be_measured_is_not_a_number():
    signals = pulse_signals(blocks())
    assert np.isnan(find_evidence(signals, 0, 360, float("nan"))).all()
    assert np.isnan(find_evidence(signals, 0, 360, 300.0).snr_db)
    assert np.isnan(find_evidence(signals, 0, 30, 72.0).snr_db)
    few = pulse_signals(blocks(grid=RoiGrid(1, 3)))
    assert np.isnan(find_evidence(few, 0, 360, 72.0).agreement)
    still = pulse_signals(blocks(amplitude=0.0, noise=0.0, light=0.0))
    assert np.isnan(find_evidence(still, 0, 360, 72.0)).all()
    assert np.isnan(quality(Evidence(np.nan, 0.5), "pos", 10.0))


def test_a_trace_whose_times_leap_has_no_signals():
    found = blocks()
    leaping = BlockTrace(np.r_[found.times_s[:-1], 1e15], found.means, found.coverage, found.grid)
    signals = pulse_signals(leaping)
    assert (signals.times_s.size, signals.face.size, signals.blocks.shape) == (0, 0, (0, 25))


def test_an_unknown_method_is_refused():
    with pytest.raises(UnknownNameError, match="green"):
        pulse_signals(blocks(), "ica")


@given(st.sampled_from(sorted(CALIBRATION)), st.floats(-40, 40), st.floats(0, 1), st.floats(5, 60), st.floats(0.01, 5))
def test_more_evidence_is_never_less_quality(method, snr_db, agreement, window_s, more):
    here = quality(Evidence(snr_db, agreement), method, window_s)
    assert 0 <= here <= 1
    assert quality(Evidence(snr_db + more, agreement), method, window_s) >= here
    assert quality(Evidence(snr_db, min(1.0, agreement + more)), method, window_s) >= here


def test_the_weights_are_those_that_the_measured_numbers_of_the_page_were_made_with():
    measured = json.loads((Path(__file__).parents[2] / "docs" / "measured" / "estimate.json").read_text("utf-8"))
    assert {name: list(weights) for name, weights in CALIBRATION.items()} == measured["weights"]
    for right in measured["right_percent"].values():
        assert right == sorted(right)
        assert right[0] < 25 < 90 < right[4]
