"""Probability of each rate by a classical method: high for a pulse, spread out for noise, and the same whatever the scale."""

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.evaluation.window_probability import RATES_BPM, WEIGHTS, pulse_signals, window_measures, window_probability
from stmap_pipeline.records import BlockTrace, RoiGrid
from stmap_pipeline.signals.rate_grid import best_rates

SPAN = np.array([[0.0, 10.0]])


def blocks(**options):
    return simulated_blocks(options.pop("rate_bpm", 72.0), frame_times(12.0), **options)


def best(found, method="pos"):
    return [float(one) for one in best_rates(RATES_BPM, window_probability(pulse_signals(found, method), SPAN)[0][0])]


@pytest.mark.parametrize("method", sorted(WEIGHTS))
@pytest.mark.parametrize("rate_bpm", [48.0, 72.0, 130.0])
def test_the_right_rate_is_probable_and_probabilities_add_up(method, rate_bpm):
    probability, no_pulse = window_probability(pulse_signals(blocks(rate_bpm=rate_bpm, light=0.0), method), SPAN)
    assert probability.sum() + no_pulse.sum() == pytest.approx(1)
    best_bpm, chance = best_rates(RATES_BPM, probability[0])
    assert best_bpm == pytest.approx(rate_bpm, abs=2)
    assert chance > 0.6


def test_noise_of_each_block_is_no_pulse():
    chances = [best(blocks(amplitude=0.0, noise=0.3, seed=seed))[1] for seed in range(20)]
    assert np.mean(chances) < 0.4


def test_blocks_that_beat_against_each_other_do_not_agree():
    found = blocks(noise=0.0, light=0.0, grid=RoiGrid(2, 4))
    means = found.means.astype(float)
    means[:, 1::2] = 2 * means[:, 1::2].mean(axis=0) - means[:, 1::2]
    against = BlockTrace(found.times_s, means.astype(np.float32), found.coverage, found.grid)
    at = int(np.flatnonzero(RATES_BPM == 72)[0])
    assert window_measures(pulse_signals(found), 0, 300)[at, 2] > 0.99
    assert window_measures(pulse_signals(against, "green"), 0, 300)[at, 2] < 0.3


def test_the_scale_of_the_light_does_not_matter():
    found = blocks()
    dim = BlockTrace(found.times_s, found.means * np.float32(0.25), found.coverage, found.grid)
    np.testing.assert_allclose(best(found), best(dim), rtol=1e-2)


def test_a_block_that_is_out_of_sight_does_not_take_the_others_along():
    found = blocks()
    means = found.means.copy()
    means[:, 3], means[100:, 7] = np.nan, np.nan
    partly = BlockTrace(found.times_s, means, np.isfinite(means[:, :, 0]).astype(np.float32), found.grid)
    signals = pulse_signals(partly)
    assert np.isnan(signals.blocks[:, 3]).all()
    assert best(partly)[0] == pytest.approx(72, abs=2)


def test_what_cannot_be_measured_is_not_a_number():
    signals = pulse_signals(blocks())
    assert window_measures(signals, 0, 30) is None
    assert window_measures(signals, 0, 0) is None
    still = pulse_signals(blocks(amplitude=0.0, noise=0.0, light=0.0))
    assert np.isnan(window_probability(still, SPAN)[0]).all()
    assert np.isnan(window_probability(still, SPAN)[1]).all()
    few = window_measures(pulse_signals(blocks(grid=RoiGrid(1, 3))), 0, 300)
    assert (few[:, 2] == 0).all()


def test_a_trace_whose_times_leap_has_no_signals():
    found = blocks()
    leaping = BlockTrace(np.r_[found.times_s[:-1], 1e15], found.means, found.coverage, found.grid)
    signals = pulse_signals(leaping)
    assert (signals.times_s.size, signals.face.size, signals.blocks.shape) == (0, 0, (0, 25))


def test_an_unknown_method_is_refused():
    with pytest.raises(UnknownNameError, match="green"):
        pulse_signals(blocks(), "ica")
