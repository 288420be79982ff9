"""Template alignment: a quarter of the pixels places a face nearly as well as all, light is no motion, and only skin has weight."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.faces.backend import LEFT_EYE, MOUTH, RIGHT_EYE
from stmap_pipeline.faces.template import (
    SELECTED_PIXELS,
    FaceTemplate,
    InverseCompositionalSolver,
    central_differences,
    fill_hull,
    skin_weights,
)
from stmap_pipeline.synth.scene import Acting, HeadMotion, SensorNoise, make_scene

SIDE = 128
U, V = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
DEPTH = np.exp(-((U - 60) ** 2 + (V - 70) ** 2) / 800)
GRID = np.stack([U.ravel(), V.ravel(), np.ones(SIDE * SIDE), DEPTH.ravel()]).astype(np.float32)
WAVES = np.random.default_rng(1).uniform((-0.3, -0.3, 0), (0.3, 0.3, 2 * np.pi), (40, 3))


def texture(u, v):
    """An image (S, S) that is known between its pixels, too: forty waves of 15 pixels and more."""
    return sum(9 * np.sin(across * u + down * v + phase) for across, down, phase in WAVES).astype(np.float32) + 120


TEMPLATE = texture(U, V)
EVEN = np.ones_like(TEMPLATE)


def solver(count=SELECTED_PIXELS, weights=EVEN):
    return InverseCompositionalSolver(TEMPLATE, central_differences(TEMPLATE), weights, GRID, count)


def solve(found, image):
    gain, offset, *change, right, down = found.matrix @ image[found.grid[1].astype(int), found.grid[0].astype(int)]
    return gain, offset, np.array(change) / gain, (right, down)


@given(gain=st.floats(0.5, 2), offset=st.floats(-40, 40), right=st.floats(-0.2, 0.2), down=st.floats(-0.2, 0.2))
def test_light_is_distinguished_from_motion(gain, offset, right, down):
    across, along = (2 * U + 1) / SIDE - 1, (2 * V + 1) / SIDE - 1
    lit = TEMPLATE * (gain + right * across + down * along) + offset
    found = solve(solver(), lit.astype(np.float32))
    assert found[0] == pytest.approx(gain, abs=0.01)
    assert found[1] == pytest.approx(offset, abs=1.0)
    np.testing.assert_allclose(found[3], (right, down), atol=0.01)
    assert np.abs(found[2]).max() * SIDE / 2 < 0.02


@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3), yaw=st.floats(-0.3, 0.3))
def test_a_shift_and_a_rotation_are_measured_to_a_hundredth_of_a_pixel(x, y, yaw):
    change = solve(solver(), texture(U + x + yaw * DEPTH, V + y))[2]
    np.testing.assert_allclose(change[:2], (x, y), atol=0.01)
    np.testing.assert_allclose(change[6], yaw, atol=0.01)


def test_the_selected_pixels_have_little_more_noise_than_all():
    few, whole = solver(), solver(SIDE * SIDE)
    assert 0.9 * SELECTED_PIXELS < few.grid.shape[1] < 1.1 * SELECTED_PIXELS
    np.testing.assert_array_equal(whole.grid, GRID)
    # the variance of what is solved for is the sum of the squares of its line
    noise = [np.square(one.matrix[2:10]).sum(axis=1) for one in (few, whole)]
    # this texture is as steep everywhere; a face has its edges
    assert (noise[0] < 3 * noise[1]).all()
    assert (noise[0] > noise[1]).all()


def test_edges_of_a_face_contribute_more_than_its_cheeks():
    scene = replace(
        make_scene(3, "easy", size_px=(640, 480)), motion=HeadMotion(), acting=Acting(3, 0.0), noise=SensorNoise(1.5, 3)
    )
    first, second = (scene.render(0.0, index)[..., 1] for index in (0, 1))
    template = FaceTemplate(first, scene.landmarks(0.0), 0.0)
    poses = [template.align(second, template.pose, all_pixels=all_pixels).pose for all_pixels in (False, True)]
    way = [
        abs(pose.similarity.apply_to_point(template.center) - template.pose.similarity.apply_to_point(template.center))
        for pose in poses
    ]
    assert max(way) < 0.05
    patch = template.warp(template.align(first, template.pose))
    across, down = central_differences(patch)
    steepness = across**2 + down**2
    assert np.sort(steepness.ravel())[-SELECTED_PIXELS:].sum() > 0.85 * steepness.sum()


def test_pixels_without_weight_are_not_selected():
    weights = EVEN.copy()
    weights[:, 64:] = 0
    assert solver(weights=weights).grid[0].max() < 64
    assert solver(count=20_000).grid.shape[1] == SIDE * SIDE


def landmarks_of(number):
    """Landmarks of a drawn person that fill the image."""
    points = make_scene(number, "easy", heart_rate_bpm=72.0, size_px=(640, 480)).landmarks(0.0)
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - low) * ((SIDE - 1) / (high - low).max())


def at(weights, point):
    return weights[round(point[1]), round(point[0])]


@pytest.mark.parametrize("number", range(5))
def test_cheeks_and_nose_count_in_full_and_eyes_and_mouth_nothing(number):
    points = landmarks_of(number)
    weights = skin_weights(points, SIDE)
    assert weights.shape == (SIDE, SIDE)
    assert weights.min() >= 0
    assert weights.max() <= 1
    for cheek in ((points[2] + points[31]) / 2, (points[14] + points[35]) / 2, points[29]):
        assert at(weights, cheek) == pytest.approx(1, abs=1e-6)
    for eye in (points[LEFT_EYE], points[RIGHT_EYE]):
        assert max(at(weights, one) for one in [*eye, eye.mean(axis=0)]) < 0.05
    assert max(at(weights, one) for one in [*points[MOUTH], points[MOUTH].mean(axis=0)]) < 0.05


@pytest.mark.parametrize("number", range(5))
def test_nothing_outside_of_the_landmarks_counts_and_their_border_little(number):
    points = landmarks_of(number)
    weights = skin_weights(points, SIDE)
    outside = np.ones((SIDE, SIDE), np.float32)
    fill_hull(outside, points, 0.0)
    assert weights[outside > 0].max() < 0.1
    assert max(at(weights, one) for one in points[:17]) < 0.15
    # and the most of the face does count
    assert weights.sum() > 0.45 * (1 - outside).sum()


def test_weights_are_those_of_a_face_of_any_size():
    points = landmarks_of(1)
    small, large = skin_weights(points, SIDE), skin_weights((points + 0.5) * 2 - 0.5, 2 * SIDE)
    shrunk = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # they differ along edges, by a pixel
    assert np.abs(shrunk - small).mean() < 0.04


def test_a_hull_is_filled_whatever_the_order_of_its_points():
    corners = np.array([[10.0, 10.0], [20.0, 20.0], [20.0, 10.0], [10.0, 20.0], [15.0, 15.0]])
    weights = np.zeros((30, 30), np.float32)
    fill_hull(weights, corners, 0.5)
    expected = np.zeros_like(weights)
    expected[10:21, 10:21] = 0.5
    np.testing.assert_array_equal(weights, expected)
