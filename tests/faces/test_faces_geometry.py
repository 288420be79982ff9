"""Similarity fits: exact for what is a similarity, unmoved by points that move on their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.faces.geometry import (
    SimilarityFit,
    compose,
    detector_box,
    fit_similarity,
    fit_similarity_robust,
    inter_ocular_px,
    invert,
    motion_of,
    transform,
)

angle, zoom, shift = st.floats(-3, 3), st.floats(0.2, 5), st.floats(-500, 500)


def similarity(turn, scale, x, y):
    return np.array([[scale * np.cos(turn), -scale * np.sin(turn), x], [scale * np.sin(turn), scale * np.cos(turn), y]])


def cloud(seed=0, count=68):
    return np.random.default_rng(seed).uniform(0, 200, (count, 2))


@given(angle, zoom, shift, shift)
def test_a_similarity_is_found_exactly(turn, scale, x, y):
    matrix = similarity(turn, scale, x, y)
    np.testing.assert_allclose(fit_similarity(cloud(), transform(matrix, cloud())), matrix, atol=1e-7)
    np.testing.assert_allclose(fit_similarity_robust(cloud(), transform(matrix, cloud())), matrix, atol=1e-7)


@given(angle, zoom, shift, shift)
def test_the_inverse_brings_points_back(turn, scale, x, y):
    matrix = similarity(turn, scale, x, y)
    np.testing.assert_allclose(transform(invert(matrix), transform(matrix, cloud())), cloud(), atol=1e-7)


def test_a_talking_mouth_does_not_move_the_head():
    points = cloud()
    moved = points.copy()
    moved[48:68] += [0, 15]
    plain = fit_similarity(points, moved)
    robust = fit_similarity_robust(points, moved)
    still = np.array([[1, 0, 0], [0, 1, 0.0]])
    assert np.abs(transform(plain, points) - points).max() > 3
    np.testing.assert_allclose(robust, still, atol=0.05)


def test_weights_choose_the_points():
    points = cloud()
    target = transform(similarity(0.1, 1.1, 3, 4), points)
    target[34:] += 50
    weights = np.r_[np.ones(34), np.zeros(34)]
    np.testing.assert_allclose(fit_similarity(points, target, weights), similarity(0.1, 1.1, 3, 4), atol=1e-9)


def test_the_detector_box_moves_and_grows_with_the_face():
    points = cloud()
    box, larger = detector_box(points), detector_box(points * 2 + 10)
    assert larger.width == pytest.approx(2 * box.width)
    np.testing.assert_allclose(larger.center, 2 * np.array(box.center) + 10)


def test_the_unit_of_landmark_errors_is_the_distance_of_the_outer_eye_corners():
    points = np.zeros((68, 2))
    points[36], points[45] = [10, 20], [40, 60]
    assert inter_ocular_px(points) == 50


@given(angle, zoom, shift, shift, angle, zoom)
def test_two_complex_numbers_do_what_the_matrix_does(turn, scale, x, y, other_turn, other_scale):
    first, then = similarity(turn, scale, x, y), similarity(other_turn, other_scale, y, x)
    one, two = motion_of(first), motion_of(then)
    np.testing.assert_allclose(one.on(cloud()), transform(first, cloud()), atol=1e-9)
    np.testing.assert_allclose(one.inverse().matrix, invert(first), atol=1e-9)
    np.testing.assert_allclose(two.after(one).matrix, compose(then, first), atol=1e-8)
    assert one.scale == pytest.approx(scale)


def test_a_fit_remembers_nothing_of_the_last_target():
    fit = SimilarityFit(cloud())
    fit.to(cloud(1) * 50, rounds=2)
    np.testing.assert_array_equal(fit.to(cloud(2), rounds=1).matrix, fit_similarity_robust(cloud(), cloud(2), rounds=1))
