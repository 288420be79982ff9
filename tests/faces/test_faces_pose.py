"""Similarity and weak-perspective fits: exact for rigid motion, unmoved by points that move on their own; turns of drawn heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.faces.pose import IDENTITY, FaceDepth, PoseFit, Similarity, fit_similarity, transform
from stmap_pipeline.faces.template import FaceTemplate
from stmap_pipeline.simulation.pulse import Sines
from stmap_pipeline.synth.scene import Acting, HeadMotion, SensorNoise, make_scene

angle, zoom, shift = st.floats(-3, 3), st.floats(0.2, 5), st.floats(-500, 500)


def similarity(turn, scale, x, y):
    return np.array([[scale * np.cos(turn), -scale * np.sin(turn), x], [scale * np.sin(turn), scale * np.cos(turn), y]])


def cloud(seed=0, count=68):
    return np.random.default_rng(seed).uniform(0, 200, (count, 2))


@given(angle, zoom, shift, shift)
def test_a_similarity_is_found_exactly(turn, scale, x, y):
    matrix = similarity(turn, scale, x, y)
    for rounds in (0, 3):
        found = fit_similarity(cloud(), transform(matrix, cloud()), robust_rounds=rounds)
        np.testing.assert_allclose(found.matrix, matrix, atol=1e-7)


def test_a_talking_mouth_does_not_move_the_head():
    points = cloud()
    moved = points.copy()
    moved[48:68] += [0, 15]
    plain, robust = (fit_similarity(points, moved, robust_rounds=rounds) for rounds in (0, 3))
    assert np.abs(plain.apply(points) - points).max() > 3
    np.testing.assert_allclose(robust.matrix, IDENTITY.matrix, atol=0.05)


def test_weights_choose_the_points():
    points = cloud()
    target = transform(similarity(0.1, 1.1, 3, 4), points)
    target[34:] += 50
    weights = np.r_[np.ones(34), np.zeros(34)]
    np.testing.assert_allclose(fit_similarity(points, target, weights).matrix, similarity(0.1, 1.1, 3, 4), atol=1e-9)


@given(angle, zoom, shift, shift, angle, zoom)
def test_complex_similarities_equal_their_matrices(turn, scale, x, y, other_turn, other_scale):
    one, two = (
        Similarity(complex(a[0, 0], a[1, 0]), complex(a[0, 2], a[1, 2]))
        for a in (similarity(turn, scale, x, y), similarity(other_turn, other_scale, y, x))
    )
    np.testing.assert_allclose(one.apply(cloud()), transform(one.matrix, cloud()), atol=1e-9)
    np.testing.assert_allclose(one.inverse().apply(one.apply(cloud())), cloud(), atol=1e-7)
    np.testing.assert_allclose(two.after(one).apply(cloud()), two.apply(one.apply(cloud())), atol=1e-8)
    assert one.scale == pytest.approx(scale)


small = st.floats(-0.3, 0.3)
HEAD = np.random.default_rng(2).normal(0, 40, (68, 3))


def seen(points, yaw, pitch, roll):
    """Where a camera far away sees points (K, 3) of a turned head."""
    (a, b, c), (d, e, f) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    turned = points @ np.array([[a, 0, d], [0, 1, 0], [-d, 0, a]]).T
    turned = turned @ np.array([[1, 0, 0], [0, b, e], [0, -e, b]]).T
    return (turned @ np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]]).T)[:, :2]


@given(yaw=small, pitch=small, roll=small, scale=st.floats(0.2, 5), x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
def test_any_view_of_a_rigid_head_is_a_weak_perspective_pose(yaw, pitch, roll, scale, x, y):
    before, depth = HEAD[:, :2], HEAD[:, 2]
    after = scale * seen(HEAD, yaw, pitch, roll) + (x, y)
    (pose,) = PoseFit(before, depth, np.ones(68)).fit(after[None], robust_rounds=0)
    np.testing.assert_allclose(pose.project(before, depth), after, atol=1e-7)
    np.testing.assert_allclose(pose.unproject(after, depth), before, atol=1e-6)


@given(yaw=small, pitch=small)
def test_points_of_an_unknown_depth_are_placed_with_the_rest(yaw, pitch):
    # the first ten are landmarks, the others nodes of a grid on the same head
    fit = PoseFit(HEAD[:10, :2], HEAD[:10, 2], np.ones(10))
    after = seen(HEAD, yaw, pitch, 0.1)
    (pose,) = fit.fit(after[None, :10], robust_rounds=0)
    np.testing.assert_allclose(pose.project(HEAD[:, :2], HEAD[:, 2]), after, atol=1e-6)


def test_points_that_move_on_their_own_weigh_little():
    before, depth = HEAD[:, :2], HEAD[:, 2]
    after = seen(HEAD, 0.2, -0.1, 0.0)
    torn = after.copy()
    torn[40:52] += (25.0, -10.0)
    fit = PoseFit(before, depth, np.ones(68))
    errors = [np.abs(fit.fit(torn[None], rounds)[0].project(before, depth) - after)[:40].max() for rounds in (0, 1, 4)]
    assert errors[0] > 3 > errors[1] > errors[2]
    assert errors[2] < 0.05


def test_poses_that_are_fitted_together_are_those_fitted_alone():
    fit = PoseFit(HEAD[:, :2], HEAD[:, 2], np.ones(68))
    rng = np.random.default_rng(4)
    frames = np.stack([seen(HEAD, *turn) + rng.normal(0, 1, (68, 2)) for turn in rng.normal(0, 0.2, (5, 3))])
    for together, frame in zip(fit.fit(frames, robust_rounds=2), frames, strict=True):
        (alone,) = fit.fit(frame[None], robust_rounds=2)
        np.testing.assert_allclose(together.coefficients, alone.coefficients)


@settings(max_examples=20)
@given(turn=st.floats(-3, 3), scale=st.floats(0.5, 50), x=st.floats(-500, 500))
def test_depth_moves_with_the_face(turn, scale, x):
    scene = make_scene(1, "easy", size_px=(320, 240))
    points = scene.landmarks(0.0)
    motion = Similarity(complex(scale * np.cos(turn), scale * np.sin(turn)), complex(x, 7))
    there = FaceDepth(motion.apply(points)).at(motion.apply(points))
    np.testing.assert_allclose(there, FaceDepth(points).at(points), atol=1e-9)


def test_the_nose_is_nearest_and_the_jaw_farthest():
    points = make_scene(1, "easy", size_px=(320, 240)).landmarks(0.0)
    depth = FaceDepth(points).at(points)
    assert set(np.argsort(depth)[-3:]) <= set(range(27, 36))
    assert set(np.argsort(depth)[:4]) <= {*range(17)}


@pytest.mark.parametrize("axis", ["yaw", "pitch"])
def test_a_nod_of_a_third_of_a_degree_is_measured(axis):
    motion = HeadMotion(**{f"{axis}_deg": Sines((0.33,), (1.0,), (0.0,))})
    scene = replace(make_scene(5, "easy", size_px=(640, 480)), motion=motion, acting=Acting(5, 0.0), noise=SensorNoise(1.0, 5))
    first = scene.render(0.0, 0)[..., 1]
    template = FaceTemplate(first, scene.landmarks(0.0), 0.0)
    unit = FaceDepth(template.shape).eye_distance
    pose, angles, true = template.pose, [], []
    for index in range(1, 31):
        aligned = template.align(scene.render(index / 30, index)[..., 1], pose)
        assert aligned.converged
        pose = aligned.pose
        angles.append(np.degrees((pose.rotation.real if axis == "yaw" else pose.rotation.imag) / unit))
        true.append(0.33 * np.sin(2 * np.pi * index / 30))
    slope, level = np.polyfit(true, angles, 1)
    assert 0.7 < slope < 1.3
    assert np.std(np.array(angles) - slope * np.array(true) - level) < 0.08


def test_a_head_that_does_not_turn_has_no_rotation():
    scene = replace(make_scene(5, "easy", size_px=(640, 480)), motion=HeadMotion(), acting=Acting(5, 0.0))
    template = FaceTemplate(scene.render(0.0, 0)[..., 1], scene.landmarks(0.0), 0.0)
    unit = FaceDepth(template.shape).eye_distance
    for index in (1, 2, 3):
        pose = template.align(scene.render(index / 30, index)[..., 1], template.pose).pose
        assert abs(pose.rotation) / unit < np.radians(0.3)
        assert abs(pose.anisotropy) < 0.003


def test_landmarks_of_a_turned_head_are_met_four_times_better_than_by_a_motion_in_the_plane():
    motion = HeadMotion(yaw_deg=Sines((8.0,), (0.5,), (0.0,)), pitch_deg=Sines((5.0,), (0.3,), (1.0,)))
    scene = replace(make_scene(3, "easy", size_px=(640, 480)), motion=motion, acting=Acting(3, 0.0))
    first, *others = (scene.landmarks(time_s) for time_s in np.arange(0, 2, 0.1))
    depth = FaceDepth(first).at(first)
    fit = PoseFit(first, depth, np.ones(68))
    posed = [np.hypot(*(fit.fit(one[None], 0)[0].project(first, depth) - one).T).mean() for one in others]
    plane = [np.hypot(*(fit_similarity(first, one).apply(first) - one).T).mean() for one in others]
    assert max(plane) > 2.0
    assert max(posed) < max(plane) / 4
