"""A head that turns is followed: exactly where it is rigid and far, and on drawn heads to a small part of a degree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.faces.geometry import Motion, fit_similarity, transform
from stmap_pipeline.faces.pose import PoseFit
from stmap_pipeline.faces.relief import Relief
from stmap_pipeline.faces.template import FaceTemplate
from stmap_pipeline.synth.pulse import Sines
from stmap_pipeline.synth.scene import Acting, HeadMotion, SensorNoise, make_scene

small = st.floats(-0.3, 0.3)
HEAD = np.random.default_rng(2).normal(0, 40, (68, 3))


def seen(points, yaw, pitch, roll):
    """Where a camera far away sees points (K, 3) of a turned head."""
    (a, b, c), (d, e, f) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    turned = points @ np.array([[a, 0, d], [0, 1, 0], [-d, 0, a]]).T
    turned = turned @ np.array([[1, 0, 0], [0, b, e], [0, -e, b]]).T
    return (turned @ np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]]).T)[:, :2]


@given(yaw=small, pitch=small, roll=small, scale=st.floats(0.2, 5), x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
def test_any_view_of_a_rigid_head_is_a_pose(yaw, pitch, roll, scale, x, y):
    before, depth = HEAD[:, :2], HEAD[:, 2]
    after = scale * seen(HEAD, yaw, pitch, roll) + (x, y)
    pose = PoseFit(before, depth, np.ones(68)).to(after, rounds=0)
    np.testing.assert_allclose(pose.on(before, depth), after, atol=1e-7)
    np.testing.assert_allclose(pose.back(after, depth), before, atol=1e-6)


@given(yaw=small, pitch=small)
def test_points_of_an_unknown_depth_are_placed_with_the_rest(yaw, pitch):
    # the first ten are landmarks, the others nodes of a grid on the same head
    fit = PoseFit(HEAD[:10, :2], HEAD[:10, 2], np.ones(10))
    after = seen(HEAD, yaw, pitch, 0.1)
    np.testing.assert_allclose(fit.to(after[:10], rounds=0).on(HEAD[:, :2], HEAD[:, 2]), after, atol=1e-6)


def test_points_that_move_on_their_own_have_little_say():
    before, depth = HEAD[:, :2], HEAD[:, 2]
    after = seen(HEAD, 0.2, -0.1, 0.0)
    torn = after.copy()
    torn[40:52] += (25.0, -10.0)
    fit = PoseFit(before, depth, np.ones(68))
    errors = [np.abs(fit.to(torn, rounds).on(before, depth) - after)[:40].max() for rounds in (0, 1, 4)]
    assert errors[0] > 3 > errors[1] > errors[2]
    assert errors[2] < 0.05


def test_poses_that_are_fitted_together_are_those_fitted_alone():
    fit = PoseFit(HEAD[:, :2], HEAD[:, 2], np.ones(68))
    rng = np.random.default_rng(4)
    frames = np.stack([seen(HEAD, *turn) + rng.normal(0, 1, (68, 2)) for turn in rng.normal(0, 0.2, (5, 3))])
    for together, frame in zip(fit.to_all(frames, rounds=2), frames, strict=True):
        alone = fit.to(frame, rounds=2)
        np.testing.assert_allclose([*together.motion, together.lean, together.squeeze], [*alone.motion, alone.lean, alone.squeeze])


@settings(max_examples=20)
@given(turn=st.floats(-3, 3), scale=st.floats(0.5, 50), x=st.floats(-500, 500))
def test_depth_goes_with_the_face_and_not_with_the_picture(turn, scale, x):
    scene = make_scene(1, "easy", size_px=(320, 240))
    points = scene.landmarks(0.0)
    motion = Motion(complex(scale * np.cos(turn), scale * np.sin(turn)), complex(x, 7))
    there = Relief(motion.on(points)).depth(motion.on(points))
    np.testing.assert_allclose(there, Relief(points).depth(points), atol=1e-9)


def test_the_nose_is_foremost_and_the_jaw_hindmost():
    points = make_scene(1, "easy", size_px=(320, 240)).landmarks(0.0)
    depth = Relief(points).depth(points)
    assert set(np.argsort(depth)[-3:]) <= set(range(27, 36))
    assert set(np.argsort(depth)[:4]) <= {*range(17)}


@pytest.mark.parametrize("axis", ["yaw", "pitch"])
def test_a_nod_of_a_third_of_a_degree_is_seen(axis):
    motion = HeadMotion(**{f"{axis}_deg": Sines((0.33,), (1.0,), (0.0,))})
    scene = replace(make_scene(5, "easy", size_px=(640, 480)), motion=motion, acting=Acting(5, 0.0), noise=SensorNoise(1.0, 5))
    first = scene.render(0.0, 0)[..., 1]
    template = FaceTemplate(first, scene.landmarks(0.0), 0.0)
    unit = Relief(template.shape).unit
    pose, leans, true = template.pose, [], []
    for index in range(1, 31):
        aligned = template.align(scene.render(index / 30, index)[..., 1], pose)
        assert aligned.converged
        pose = aligned.pose
        leans.append(np.degrees((pose.lean.real if axis == "yaw" else pose.lean.imag) / unit))
        true.append(0.33 * np.sin(2 * np.pi * index / 30))
    slope, level = np.polyfit(true, leans, 1)
    assert 0.7 < slope < 1.3
    assert np.std(np.array(leans) - slope * np.array(true) - level) < 0.08


def test_a_head_that_keeps_looking_ahead_is_not_said_to_turn():
    scene = replace(make_scene(5, "easy", size_px=(640, 480)), motion=HeadMotion(), acting=Acting(5, 0.0))
    template = FaceTemplate(scene.render(0.0, 0)[..., 1], scene.landmarks(0.0), 0.0)
    unit = Relief(template.shape).unit
    for index in (1, 2, 3):
        pose = template.align(scene.render(index / 30, index)[..., 1], template.pose).pose
        assert abs(pose.lean) / unit < np.radians(0.3)
        assert abs(pose.squeeze) < 0.003


def test_landmarks_of_a_turned_head_are_met_four_times_better_than_by_a_motion_in_the_plane():
    motion = HeadMotion(yaw_deg=Sines((8.0,), (0.5,), (0.0,)), pitch_deg=Sines((5.0,), (0.3,), (1.0,)))
    scene = replace(make_scene(3, "easy", size_px=(640, 480)), motion=motion, acting=Acting(3, 0.0))
    first, *others = (scene.landmarks(time_s) for time_s in np.arange(0, 2, 0.1))
    depth = Relief(first).depth(first)
    fit = PoseFit(first, depth, np.ones(68))
    posed = [np.hypot(*(fit.to(one, 0).on(first, depth) - one).T).mean() for one in others]
    plane = [np.hypot(*(transform(fit_similarity(first, one), first) - one).T).mean() for one in others]
    assert max(plane) > 2.0
    assert max(posed) < max(plane) / 4
