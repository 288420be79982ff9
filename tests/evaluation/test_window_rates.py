"""Distributions of windows by the network of the package: the right rate on any length, grid and clock; a wave with its beats."""

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.evaluation.estimate import estimate_blocks
from stmap_pipeline.evaluation.window_rates import PulseNetRates, rate_source
from stmap_pipeline.records import RoiGrid


@pytest.fixture(scope="module")
def network():
    return PulseNetRates()


@pytest.mark.parametrize(
    ("rate_bpm", "duration_s", "options"),
    [
        (48.0, 12.0, {}),
        (72.0, 6.0, {}),
        (72.0, 12.0, {"grid": RoiGrid(1, 1)}),
        (118.0, 12.0, {"grid": RoiGrid(3, 7)}),
        (165.0, 11.0, {}),
    ],
)
def test_the_right_rate_is_found(network, rate_bpm, duration_s, options):
    blocks = simulated_blocks(rate_bpm, frame_times(duration_s, jitter=0.2), noise=0.03, light=0.02, **options)
    found = network.windows(blocks, None, 10.0, 2.0)
    assert found.rates_bpm[found.probability.sum(axis=0).argmax()] == pytest.approx(rate_bpm, abs=2.5)
    np.testing.assert_allclose(found.probability.sum(axis=1) + found.no_pulse, 1, atol=1e-6)
    assert found.block_weights.shape == (blocks.grid.count,)
    assert found.pulse.times_s[-1] == pytest.approx(blocks.times_s[-1], abs=0.6)


def test_beats_are_those_of_the_heart(network):
    found = estimate_blocks(simulated_blocks(72.0, frame_times(30.0), noise=0.02, light=0.02), network)
    assert found.heart_rate_bpm == pytest.approx(72, abs=1)
    assert len(found.beats.times_s) == pytest.approx(36, abs=2)
    assert np.nanmedian(found.beats.interval_s) == pytest.approx(60 / 72, abs=0.02)
    assert np.isfinite(found.beats.interval_s).sum() >= 30


def test_what_is_too_short_has_no_windows(network):
    assert network.windows(simulated_blocks(72.0, frame_times(4.0)), None, 10.0, 2.0).spans_s.shape == (0, 2)


def test_methods_have_names():
    assert [rate_source(name).name for name in ("pulse-net", "pos", "green")] == ["pulse-net", "pos", "green"]
    with pytest.raises(UnknownNameError, match="pos"):
        rate_source("ica")
