"""The color of a rhythm: of blood, and of lamps."""

from __future__ import annotations

import numpy as np
import pytest

from stmap_pipeline.evaluation.pulse_color import color_ratio, has_pulse_color
from stmap_pipeline.records import BlockTrace, RoiGrid
from stmap_pipeline.simulation.pulse import PULSE_RGB

RATE_HZ, RHYTHM_BPM = 30.0, 84.0
SKIN = np.array([190.0, 140.0, 115.0])
SPANS_S = np.array([[0.0, 10.0], [2.0, 12.0]])


def ratio(change, level=SKIN):
    """Ratio of a rhythm that changes the channels by these shares."""
    times_s = np.arange(int(12 * RATE_HZ)) / RATE_HZ
    wave = np.sin(2 * np.pi * RHYTHM_BPM / 60 * times_s)[:, None, None]
    means = np.broadcast_to(level * (1 + wave * np.asarray(change)), (len(times_s), 25, 3)).astype(np.float32)
    blocks = BlockTrace(times_s, means, np.ones((len(times_s), 25), dtype=np.float32), RoiGrid())
    return color_ratio(blocks, None, SPANS_S, np.full(2, RHYTHM_BPM))


@pytest.mark.parametrize("skin", [(220, 170, 150), (190, 140, 115), (90, 55, 40)])
def test_blood_has_the_color_of_a_pulse_in_any_skin(skin):
    found = ratio(-0.005 * PULSE_RGB, np.array(skin, dtype=np.float64))
    assert found == pytest.approx(1.0, abs=0.02)
    assert has_pulse_color(found).all()


@pytest.mark.parametrize("warmer", [-0.1, 0.0, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("depth", [0.003, 0.03])
def test_a_lamp_that_flickers_has_not_unless_it_is_much_colder_than_other_light(warmer, depth):
    assert not has_pulse_color(ratio(depth * np.array([1 + warmer, 1.0, 1 - warmer]))).any()
    assert has_pulse_color(ratio(depth * np.array([0.6, 1.0, 1.4]))).all()


def test_a_channel_may_be_a_quarter_off():
    for channel in range(3):
        for factor in (0.75, 1.25):
            change = PULSE_RGB.copy()
            change[channel] *= factor
            assert has_pulse_color(ratio(0.005 * change)).all(), (channel, factor)
