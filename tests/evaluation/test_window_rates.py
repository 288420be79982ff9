"""Distributions of windows by the network of the package: the right rate on any length, grid and clock; a wave with its beats."""

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.evaluation.estimate import estimate_blocks
from stmap_pipeline.evaluation.pulse_wave import find_beats
from stmap_pipeline.evaluation.window_rates import PulseNetRates, rate_source
from stmap_pipeline.records import LandmarkTrack, RoiGrid
from stmap_pipeline.simulation.face import MEAN_SHAPE


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


def test_the_motion_of_the_head_is_read(network):
    """A rhythm that is the head's own is less believed where its motion is known."""
    times_s = frame_times(12.0)
    nod = 0.02 * np.sin(2 * np.pi * 1.5 * times_s)
    blocks = simulated_blocks(90.0, times_s, noise=0.02)
    points_px = np.broadcast_to(MEAN_SHAPE * 100 + (200.0, 200.0), (len(times_s), 68, 2)).astype(np.float32).copy()
    still = LandmarkTrack(times_s, points_px, np.ones(len(times_s), dtype=np.float32))
    nodding = LandmarkTrack(times_s, points_px + (100 * nod[:, None, None]).astype(np.float32), still.score)
    seen = [network.windows(blocks, track, 10.0, 2.0).probability for track in (None, still, nodding)]
    assert np.abs(seen[2] - seen[1]).max() > 0.001
    near = np.abs(network.windows(blocks, None, 10.0, 2.0).rates_bpm - 90) <= 5
    assert seen[2][:, near].sum() < seen[1][:, near].sum()


def test_the_wave_is_not_late_whatever_sample_a_window_starts_with(network):
    blocks = simulated_blocks(72.0, frame_times(20.0), noise=0.05)
    # every second of these windows would start with an odd sample
    odd, even = (network.windows(blocks, None, 10.0, step_s).pulse for step_s in (1.5, 2.0))
    beats = [find_beats(one, np.array([10.0]), np.array([72.0]), np.array([True])).times_s for one in (odd, even)]
    inside = [one[(one > 1) & (one < 19)] for one in beats]
    assert len(inside[0]) == len(inside[1])
    assert np.abs(inside[0] - inside[1]).max() < 0.012


def test_methods_have_names():
    assert [rate_source(name).name for name in ("pulse-net", "pos", "green")] == ["pulse-net", "pos", "green"]
    with pytest.raises(UnknownNameError, match="pos"):
        rate_source("ica")
