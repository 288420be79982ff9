"""Position, size and roll of the head: a known movement of the landmarks in, that movement out."""

import numpy as np
import pytest

from stmap_pipeline.faces.motion import head_motion


def face():
    return np.random.default_rng(3).normal([320.0, 240.0], 50.0, (68, 2))


def test_a_shift_a_size_and_a_turn_are_found_in_face_widths_and_radians():
    still = face()
    center, width_px = still.mean(axis=0), np.linalg.norm(still[16] - still[0])
    turn = np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    frames = np.array(
        [still, still, still, still + np.array([12.0, -6.0]), center + 1.2 * (still - center), center + (still - center) @ turn]
    )
    change = head_motion(frames) - head_motion(frames)[0]
    assert change[3] == pytest.approx([12 / width_px, -6 / width_px, 0, 0])
    assert change[4] == pytest.approx([0, 0, np.log(1.2), 0])
    assert change[5] == pytest.approx([0, 0, 0, 0.1])


def test_a_lost_face_is_unknown_and_the_unit_does_not_depend_on_the_distance():
    near, far = np.array([face()] * 3), np.array([face()] * 3) / 3
    near[1], far[1] = np.nan, np.nan
    assert np.isnan(head_motion(near)[1]).all()
    np.testing.assert_allclose(head_motion(near)[[0, 2]], head_motion(far)[[0, 2]])
    assert np.isnan(head_motion(np.full((2, 68, 2), np.nan))).all()


def test_landmarks_that_never_move_are_no_knowledge_of_motion():
    points = np.broadcast_to(np.random.default_rng(0).normal(300, 50, (1, 68, 2)), (20, 68, 2)).copy()
    assert np.isnan(head_motion(points)).all()
    points[7] += 0.01
    assert np.isfinite(head_motion(points)).all()
    assert np.isnan(head_motion(np.full((20, 68, 2), np.nan))).all()
