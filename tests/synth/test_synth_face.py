"""Geometry of a drawn face: landmarks, expressions, rotation out of the plane."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.simulation.face import MEAN_SHAPE, MIRROR, SKIN_TONES
from stmap_pipeline.synth.face import LEFT_EYE, RIGHT_EYE, make_identity

people = st.builds(make_identity, st.integers(0, 10**6), st.sampled_from(list(SKIN_TONES)))


def opening(points, eye):
    return points[[eye[5], eye[4]], 1] - points[[eye[1], eye[2]], 1]


def test_the_mean_face_is_its_own_mirror_image():
    mirrored = MEAN_SHAPE.copy()
    for one, other in MIRROR:
        mirrored[[one, other]] = MEAN_SHAPE[[other, one]]
    np.testing.assert_allclose(mirrored * (-1, 1), MEAN_SHAPE, atol=1e-12)


def test_each_point_is_on_the_midline_or_has_a_mirror_image():
    paired = {index for pair in MIRROR for index in pair}
    on_midline = set(np.flatnonzero(MEAN_SHAPE[:, 0] == 0).tolist())
    assert paired | on_midline == set(range(68))
    assert not paired & on_midline


@settings(max_examples=40, deadline=None)
@given(people)
def test_the_unit_is_the_distance_of_the_eyes(who):
    left, right = who.points[list(LEFT_EYE)].mean(axis=0), who.points[list(RIGHT_EYE)].mean(axis=0)
    assert right[0] - left[0] == pytest.approx(1.0)
    np.testing.assert_allclose((left + right) / 2, 0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(people)
def test_a_face_is_in_order_from_brow_to_chin(who):
    heights = [who.points[index, 1].mean() for index in (slice(17, 27), slice(36, 48), 30, 33, 51, 57, 8)]
    assert heights == sorted(heights)


@settings(max_examples=40, deadline=None)
@given(people, st.floats(0, 1))
def test_a_blink_closes_the_eyes_and_moves_nothing_else(who, blink):
    points = who.expression(blink=blink)
    for eye in (LEFT_EYE, RIGHT_EYE):
        open_by, now = opening(who.points, eye), opening(points, eye)
        assert np.all(now <= open_by + 1e-9)
        assert np.all(now > 0)
        assert blink < 1 or np.all(now < 0.03)
    np.testing.assert_array_equal(np.delete(points, range(36, 48), axis=0), np.delete(who.points, range(36, 48), axis=0))


def test_an_open_mouth_parts_the_inner_lips():
    who = make_identity(1)
    gap = who.expression(mouth=1.0)[66, 1] - who.expression(mouth=1.0)[62, 1]
    assert gap > 0.18 > who.points[66, 1] - who.points[62, 1]
    np.testing.assert_array_equal(who.expression(mouth=1.0)[:48], who.points[:48])


def test_seeds_give_different_people_and_the_same_seed_the_same():
    assert np.abs(make_identity(1).points - make_identity(2).points).max() > 0.01
    make_identity.cache_clear()
    first = make_identity(3, "dark")
    make_identity.cache_clear()
    np.testing.assert_array_equal(first.points, make_identity(3, "dark").points)


def test_skin_goes_from_light_to_dark():
    greens = [make_identity(0, tone).skin[1] for tone in SKIN_TONES]
    assert len(greens) == 5
    assert greens == sorted(greens, reverse=True)
    assert greens[0] > 2.5 * greens[-1]


def test_a_person_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        make_identity(1).points[0] = 0


def test_an_unknown_skin_tone_is_named():
    with pytest.raises(ValueError, match=r"'blue' \(known: very_light, light"):
        make_identity(1, "blue")
