"""Turns out of the picture plane: pixels and landmarks go the same way, and a head that never turns is drawn as before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.synth.motion import Acting, HeadMotion
from stmap_pipeline.synth.pulse import Pulse
from stmap_pipeline.synth.scene import Scene
from stmap_pipeline.synth.sines import Sines
from stmap_pipeline.synth.turn import Turn, depth

SIZE = (240, 240)
# a quarter of a turn of the sine: the largest angle at time 0
_NOW = (np.pi / 2,)


def scene(**motion):
    return Scene(5, "medium", Pulse(60.0, strength=0.0), HeadMotion(**motion), acting=Acting(blink_every_s=0), size_px=SIZE)


def yaw(degrees):
    return Sines((degrees,), (0.25,), _NOW)


angles, places = st.floats(-0.35, 0.35), st.floats(-1.3, 1.9)


@given(angles, angles, places, places)
def test_what_is_seen_at_a_place_is_the_point_that_went_there(yaw_rad, pitch_rad, x, y):
    turn = Turn(yaw_rad, pitch_rad)
    point = np.array([x]), np.array([y])
    back = turn.backward(*turn.forward(*point, depth(*point)))
    np.testing.assert_allclose(np.ravel(back), [x, y], atol=2e-3)


def test_a_head_that_does_not_turn_is_drawn_to_the_same_bytes():
    still = scene()
    assert still.motion.turn(0.0) is None
    turned = scene(yaw_deg=Sines((0.0,), (1.0,), (0.0,)))
    # a turn by nothing goes through the other path and may differ by rounding alone
    assert np.abs(turned.exact(0.0) - still.exact(0.0)).max() < 0.01
    np.testing.assert_allclose(turned.landmarks(0.0), still.landmarks(0.0))


def test_yaw_takes_the_nose_further_than_the_cheeks():
    shift = scene(yaw_deg=yaw(10.0)).landmarks(0.0) - scene().landmarks(0.0)
    nose, cheeks = shift[30], shift[[2, 14]]
    assert nose[0] > 0
    assert cheeks[:, 0].mean() < nose[0] - 1
    np.testing.assert_allclose(shift[:, 1], 0, atol=1e-9)


def test_pitch_takes_the_nose_down():
    shift = scene(pitch_deg=yaw(10.0)).landmarks(0.0) - scene().landmarks(0.0)
    assert shift[30, 1] > 1
    np.testing.assert_allclose(shift[:, 0], 0, atol=1e-9)


@pytest.mark.parametrize("motion", [{"yaw_deg": yaw(12.0)}, {"pitch_deg": yaw(-8.0)}])
def test_landmarks_show_the_same_pixels_before_and_after(motion):
    before, after = scene(), scene(**motion)
    one, two = before.exact(0.0)[1], after.exact(0.0)[1]
    # nostrils, eye corners and mouth corners are dark dots that can be found again
    for index in (36, 39, 42, 45, 48, 54):
        (x, y), (u, v) = np.rint(before.landmarks(0.0)[index]).astype(int), after.landmarks(0.0)[index]
        patch = one[y - 4 : y + 5, x - 4 : x + 5]
        costs = {
            (i, j): np.abs(two[j - 4 : j + 5, i - 4 : i + 5] - patch).mean()
            for i in range(int(u) - 6, int(u) + 8)
            for j in range(int(v) - 6, int(v) + 8)
        }
        found = np.array(min(costs, key=costs.__getitem__))
        assert np.abs(found - (u, v) - ((x, y) - before.landmarks(0.0)[index])).max() <= 1.5


def test_a_head_may_be_laid_over_another_scene():
    one, other = scene(), replace(scene(), identity_seed=9)
    planes = one.exact(0.0)
    before = planes.copy()
    other.lay_over(planes, 0.0)
    changed = np.abs(planes - before).max(axis=0) > 1
    # a head, not the picture
    assert 0.1 < changed.mean() < 0.8
    assert not changed[:, :10].any()
