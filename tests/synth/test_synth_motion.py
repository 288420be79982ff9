"""Heads move and people blink and talk within the bounds of their setting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.synth.motion import Acting, HeadMotion, random_acting, random_motion
from stmap_pipeline.synth.sines import Sines

times = st.floats(0, 600)


@given(st.integers(0, 10**6), times)
def test_a_pose_is_a_similarity_within_its_bounds(seed, time_s):
    motion = random_motion(np.random.default_rng(seed), shift=0.2, roll_deg=6.0, scale=0.05, tremor=0.01)
    matrix = motion.matrix(time_s, 80.0, (200.0, 190.0))
    turn, move = matrix[:, :2], matrix[:, 2]
    size = np.sqrt(np.linalg.det(turn))
    np.testing.assert_allclose(turn @ turn.T, size**2 * np.eye(2), atol=1e-9)
    assert 80 / 1.0501 <= size <= 80 * 1.0501
    assert abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))) <= 6.0001
    assert np.all(np.abs(move - (200, 190)) <= 80 * 0.2101)


def test_roll_is_clockwise_in_the_picture():
    matrix = HeadMotion(roll_deg=Sines((10.0,), (1.0,), (np.pi / 2,))).matrix(0.0, 1.0, (0.0, 0.0))
    right = matrix[:, :2] @ (1, 0)
    assert right[1] == pytest.approx(np.sin(np.radians(10)))


def test_tremor_has_the_rate_of_a_pulse():
    motion = random_motion(np.random.default_rng(2), shift=0.2, roll_deg=1.0, scale=0.01, tremor=0.01)
    fast = [rate for rate in motion.x.rates_hz if rate > 0.5]
    assert fast
    assert all(1.0 <= rate <= 1.5 for rate in fast)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_eyes_blink_once_in_each_stretch(seed):
    eyes = Acting(seed, blink_every_s=4.0)
    closed = np.array([eyes.blink(frame / 60) for frame in range(60 * 40)])
    starts = np.count_nonzero((closed[1:] > 0.5) & (closed[:-1] <= 0.5))
    assert starts == 10
    assert closed.max() > 0.95
    assert np.mean(closed > 0) < 0.1


def test_no_blinks_where_none_are_asked_for():
    assert Acting(blink_every_s=0).blink(1.0) == 0


@given(st.integers(0, 1000), times)
def test_a_mouth_is_never_wider_than_open(seed, time_s):
    assert 0 <= random_acting(np.random.default_rng(seed), talking=True).mouth(time_s) <= 1
    assert random_acting(np.random.default_rng(seed), talking=False).mouth(time_s) == 0


def test_talk_opens_and_closes_the_mouth():
    talk = random_acting(np.random.default_rng(4), talking=True)
    mouth = np.array([talk.mouth(frame / 30) for frame in range(600)])
    assert mouth.max() > 0.4
    assert np.count_nonzero((mouth[1:] > 0.2) & (mouth[:-1] <= 0.2)) > 5
