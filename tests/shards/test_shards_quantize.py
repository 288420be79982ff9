"""Quantization: small error, exact unknowns, and a fixed point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stmap_pipeline.shards.quantize import quantize_coverage, quantize_landmarks, restore_coverage, restore_landmarks
from stmap_pipeline.shards.schema import LOST

points = arrays(np.float32, (3, 68, 2), elements=st.one_of(st.floats(-8000, 8000, width=32), st.just(float("nan"))))


@given(points_px=points, size=st.sampled_from([0.02, 0.1, 0.25, 0.5, 1.0]))
@settings(deadline=None)
def test_landmarks_move_by_half_a_step_and_lost_ones_stay_lost(points_px, size):
    points_px = points_px * np.float32(size)
    steps, scale_px = quantize_landmarks(points_px)
    back = restore_landmarks(steps, scale_px)
    assert back.dtype == np.float32
    assert np.array_equal(np.isnan(back), np.isnan(points_px))
    assert np.array_equal(steps == LOST, np.isnan(points_px))
    assert np.nanmax(np.abs(back - points_px), initial=0) <= scale_px / 2 + 1e-3 * scale_px
    again, scale_again = quantize_landmarks(back)
    assert scale_again == scale_px
    assert np.array_equal(again, steps)


@pytest.mark.parametrize(("largest", "scale_px"), [(640, 1 / 32), (1023, 1 / 32), (1920, 1 / 16), (3840, 1 / 8), (7680, 1 / 4)])
def test_the_step_follows_the_picture(largest, scale_px):
    assert quantize_landmarks(np.full((1, 68, 2), largest, np.float32))[1] == scale_px


@pytest.mark.parametrize("value", [9000.0, -9000.0, np.inf])
def test_what_cannot_be_stored_is_refused_not_wrapped(value):
    with pytest.raises(ValueError, match="at most 8192 px"):
        quantize_landmarks(np.full((1, 68, 2), value, np.float32))


def test_a_track_without_a_face_is_all_lost():
    steps, _ = quantize_landmarks(np.full((4, 68, 2), np.nan, np.float32))
    assert np.all(steps == LOST)


@given(coverage=arrays(np.float32, (5, 3), elements=st.floats(0, 1, width=32)))
@settings(deadline=None)
def test_coverage_moves_by_two_thousandths_at_most(coverage):
    steps = quantize_coverage(coverage)
    back = restore_coverage(steps)
    assert np.abs(back - coverage).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(quantize_coverage(back), steps)


def test_nothing_and_all_are_exact_and_a_rounding_above_one_is_one():
    assert restore_coverage(quantize_coverage(np.array([0, 1, 1.00001], np.float32))).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("value", [1.1, -0.1, np.nan])
def test_a_share_outside_0_to_1_is_refused(value):
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantize_coverage(np.array([value], np.float32))
