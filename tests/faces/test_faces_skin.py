"""What a template trusts is skin: neither background nor what lids and lips move over."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stmap_pipeline.faces.geometry import LEFT_EYE, MOUTH, RIGHT_EYE
from stmap_pipeline.faces.skin import fill_hull, skin_weights
from stmap_pipeline.synth.scene import make_scene

SIDE = 128


def face(number):
    """Landmarks of a drawn person that fill the picture."""
    points = make_scene(number, "easy", heart_rate_bpm=72.0, size_px=(640, 480)).landmarks(0.0)
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - low) * ((SIDE - 1) / (high - low).max())


def at(weights, point):
    return weights[round(point[1]), round(point[0])]


@pytest.mark.parametrize("number", range(5))
def test_cheeks_and_nose_count_in_full_and_eyes_and_mouth_nothing(number):
    points = face(number)
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
    points = face(number)
    weights = skin_weights(points, SIDE)
    outside = np.ones((SIDE, SIDE), np.float32)
    fill_hull(outside, points, 0.0)
    assert weights[outside > 0].max() < 0.1
    assert max(at(weights, one) for one in points[:17]) < 0.15
    # and the most of the face does count
    assert weights.sum() > 0.45 * (1 - outside).sum()


def test_weights_are_those_of_a_face_of_any_size():
    points = face(1)
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
