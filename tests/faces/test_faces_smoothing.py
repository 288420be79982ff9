"""Landmarks move as a head does: updates of the shape come in below the band of the pulse, spikes are removed, and what is stored is used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from stmap_pipeline.faces.backend import STEADY
from stmap_pipeline.faces.pose import IDENTITY, Pose, Similarity
from stmap_pipeline.faces.smoothing import LandmarkSmoother, LookaheadBuffer, crop_to_landmarks, despike, round_landmarks
from stmap_pipeline.shards.recording_file import quantize_landmarks, restore_landmarks
from stmap_pipeline.video import Frame, Image

RATE_HZ = 30.0
LOOSE = np.setdiff1d(np.arange(68), STEADY)
MEMORY_S = np.full((68, 1), 1.0)
MEMORY_S[STEADY] = 10.0
FACE = np.random.default_rng(0).uniform(10, 110, (68, 2))
amount = st.floats(-1, 1)


def shapes_of(updates, seconds, lookahead_s=1.0):
    """(T, 68, 2) Shapes of a smoother that gets updates (time, shape), each frame requested when it leaves the buffer."""
    smoother = LandmarkSmoother(updates[0][1], np.zeros(68), lookahead_s, MEMORY_S)
    waiting, shapes = list(updates), []
    for index in range(int(seconds * RATE_HZ)):
        time_s = index / RATE_HZ
        while waiting and waiting[0][0] <= time_s + lookahead_s:
            smoother.update(*waiting.pop(0))
        shapes.append(smoother.shapes(np.array([time_s]))[0])
    return np.array(shapes)


@pytest.fixture(scope="module")
def noisy():
    """A model that is off by half a pixel, another way each time: ten times in the first second, once a second then."""
    rng = np.random.default_rng(1)
    times_s = [*np.arange(0, 1, 0.1), *np.arange(1.0, 41.0)]
    return shapes_of([(time_s, FACE + rng.normal(0, 0.5, FACE.shape)) for time_s in times_s], 40)


def test_updates_of_steady_points_stay_below_the_band_of_the_pulse(noisy):
    sos = butter(4, [0.7, 4.0], "bandpass", fs=RATE_HZ, output="sos")
    steady = noisy[:, STEADY].reshape(len(noisy), -1)
    assert sosfiltfilt(sos, steady - steady.mean(axis=0), axis=0).std() < 0.001
    assert np.abs(np.diff(steady, axis=0)).max() < 0.005


def test_the_shape_begins_as_the_mean_of_the_updates_in_the_lookahead(noisy):
    rng = np.random.default_rng(1)
    updates = FACE + rng.normal(0, 0.5, (11, 68, 2))
    # of a second's memory an update weighs 1/e after a second, of ten seconds' nearly as much as a new one
    np.testing.assert_allclose(noisy[0][STEADY], updates.mean(axis=0)[STEADY], atol=0.05)
    assert np.abs(noisy[-1] - FACE)[STEADY].mean() < 0.2


def test_a_template_that_drifts_is_corrected_in_the_time_of_the_memory_and_a_mouth_at_once():
    updates = [(float(second), FACE + (2.0 if second >= 20 else 0.0)) for second in range(61)]
    moved = (shapes_of(updates, 60) - FACE).mean(axis=2)
    assert np.abs(moved[: 18 * 30]).max() < 1e-9
    assert moved[22 * 30, LOOSE].min() > 1.5
    assert 0.1 < moved[22 * 30, STEADY].max() < 0.6
    assert moved[-1, STEADY].min() > 1.9


@given(
    updates=st.lists(st.tuples(st.floats(0, 8), st.floats(-3, 3)), max_size=5),
    gaps=st.lists(st.floats(0.02, 0.4), min_size=2, max_size=40),
    cuts=st.sets(st.integers(1, 39)),
)
def test_shapes_pass_two_low_passes_at_any_times_and_in_batches_of_any_size(updates, gaps, cuts):
    times_s, updates = np.cumsum(gaps), [(0.0, 0.0), *sorted(updates)]

    def smoother_with_updates():
        smoother = LandmarkSmoother(FACE, np.zeros(68), 1.0, MEMORY_S)
        for time_s, amount in updates:
            smoother.update(time_s, FACE + amount)
        return smoother

    found = smoother_with_updates().shapes(times_s)
    again = smoother_with_updates()
    parts = [again.shapes(part) for part in np.split(times_s, sorted(cut for cut in cuts if cut < len(times_s)))]
    np.testing.assert_allclose(np.concatenate(parts), found, atol=1e-9)
    # the same, frame by frame and update by update, for a point that places the blocks
    mean = sum_ = weight = heard_s = 0.0
    waiting, once, twice, last_s = list(updates), None, None, None
    for time_s, shape in zip(times_s, found, strict=True):
        while waiting and waiting[0][0] - 1.0 <= time_s:
            update_s, amount = waiting.pop(0)
            fade = np.exp((heard_s - update_s) / 10)
            sum_, weight, heard_s = sum_ * fade + amount, weight * fade + 1, update_s
            mean = sum_ / weight
        once, twice, last_s = (mean, mean, time_s) if once is None else (once, twice, last_s)
        share = 1 - np.exp(last_s - time_s)
        once += share * (mean - once)
        twice += share * (once - twice)
        last_s = time_s
        np.testing.assert_allclose((shape - FACE)[STEADY], twice, atol=1e-9)


@given(
    seed=st.integers(0, 1000),
    gaps=st.lists(st.floats(0.02, 0.3), min_size=5, max_size=5),
    size=st.floats(0.2, 30),
    x=amount,
    y=amount,
)
def test_a_cubic_motion_is_left_as_it_is_at_any_times(seed, gaps, size, x, y):
    times_s = np.cumsum(gaps)
    course = np.random.default_rng(seed).normal(0, 1, (4, 4, 2)) @ (1, 1j)
    at = (times_s - times_s[2])[:, None] ** np.arange(4) @ course
    poses = [
        Pose(Similarity(size * (3 + a), 50 * size * b), c / (3 + a), 0.1 * d / (3 + a))
        for a, b, c, d in at / (4 * np.abs(at).max())
    ]
    terms = np.array([pose.coefficients for pose in poses])
    np.testing.assert_allclose(despike(times_s, terms, complex(60 * x, 60 * y), 60.0), terms, atol=1e-7)


def noisy_poses(amplitude, count=400):
    rng = np.random.default_rng(3)
    shift = rng.normal(0, amplitude, (count, 2)) @ (1, 1j)
    return [Pose(Similarity(1 + 0j, complex(one))) for one in shift]


def jitter(poses):
    return float(np.abs(np.diff([pose.similarity.shift for pose in poses])).std())


def despiked(poses):
    found = despike(np.arange(len(poses)) / RATE_HZ, np.array([pose.coefficients for pose in poses]), 0j, 60.0)
    return [Pose(Similarity(1 + 0j, shift)) for shift in found[:, 3].tolist()]


def test_small_noise_is_halved_and_a_jerk_is_left():
    poses = noisy_poses(0.02)
    assert jitter(despiked(poses)) < 0.55 * jitter(poses)
    jerk = noisy_poses(3.0)
    moved = [
        abs(after.similarity.shift - before.similarity.shift)
        for before, after in zip(jerk[2:-2], despiked(jerk)[2:-2], strict=True)
    ]
    assert np.quantile(moved, 0.9) < 0.05


def through_the_buffer(poses, cut_at=None):
    """Mean shift (T,) of the landmarks in frames with these poses, of one face or of another one from a frame on."""
    buffer, frames = LookaheadBuffer(1.0), []
    gray = np.zeros((4, 4), np.uint8)
    image = Image(gray, (gray,), np.array([[1.0, 0.0]] * 3))
    smoother = LandmarkSmoother(FACE, np.zeros(68), 1.0, MEMORY_S)
    smoother.update(0.0, FACE)
    for index, pose in enumerate(poses):
        if index == cut_at:
            smoother.closed = True
            smoother = LandmarkSmoother(FACE, np.zeros(68), 1.0, MEMORY_S)
            smoother.update(index / RATE_HZ, FACE)
        buffer.add(Frame(index, index / RATE_HZ, image), pose, 1.0, smoother, image)
        frames += buffer.pop_ready(index / RATE_HZ)
    smoother.closed = True
    frames += buffer.pop_ready()
    assert [frame.index for frame in frames] == list(range(len(poses)))
    return np.array([(frame.points_px - FACE).mean() for frame in frames])


def mean_shifts(poses):
    """Mean shift (T,) of the rounded landmarks of a face that is only shifted."""
    shifts = [(pose.similarity.shift.real, pose.similarity.shift.imag) for pose in poses]
    return np.array([(round_landmarks(FACE + shift, 4) - FACE).mean() for shift in shifts])


def test_a_frame_is_placed_alike_wherever_the_groups_of_frames_end():
    poses = noisy_poses(0.05, 90)
    whole = through_the_buffer(poses)
    # the neighbors that a frame is compared with come from the groups before and after it, too
    np.testing.assert_allclose(whole, mean_shifts(despiked(poses)), atol=1e-9)


def test_frames_without_a_face_come_in_their_place_and_separate_the_others():
    buffer, frames = LookaheadBuffer(1.0), []
    gray = np.zeros((4, 4), np.uint8)
    image = Image(gray, (gray,), np.array([[1.0, 0.0]] * 3))
    for index in range(120):
        frame = Frame(index, index / RATE_HZ, image)
        if index % 40 == 0:
            smoother = LandmarkSmoother(FACE, np.zeros(68), 1.0, MEMORY_S)
            smoother.update(frame.time_s, FACE + index)
        if index % 40 < 25:
            buffer.add(frame, Pose(IDENTITY), 1.0, smoother, image)
        else:
            smoother.closed = True
            if index == 65:
                buffer.invalidate(60)
            buffer.add_lost(frame)
        given = list(buffer.pop_ready(frame.time_s))
        # a face that is still followed waits for the updates of the next second
        assert index % 40 >= 25 or not [one for one in given if one.index // 40 == index // 40]
        frames += given
    frames += buffer.pop_ready()
    assert [frame.index for frame in frames] == list(range(120))
    found = [None if frame.points_px is None else round(float((frame.points_px - FACE).mean())) for frame in frames]
    assert found == [0] * 25 + [None] * 15 + [40] * 20 + [None] * 20 + [80] * 25 + [None] * 15
    assert all((frame.image is None) == (frame.points_px is None) == np.isnan(frame.score) for frame in frames)


def test_frames_of_two_faces_are_not_smoothed_together():
    step = [0.0] * 40 + [0.1] * 40
    poses = [Pose(Similarity(1 + 0j, one * (1 + 1j))) for one in step]
    np.testing.assert_allclose(through_the_buffer(poses, cut_at=40), mean_shifts(poses), atol=1e-9)
    # a step of one face is taken for a spike in part
    assert 0.005 < np.abs(through_the_buffer(poses) - step).max() < 0.05


@given(
    st.sampled_from([320, 640, 1000, 1001, 1920, 3840, 7680]),
    st.lists(st.floats(-1.0, 2.0), min_size=136, max_size=136),
)
def test_what_is_rounded_once_is_stored_without_rounding(side_px, shares):
    points = round_landmarks(np.reshape(shares, (68, 2)) * side_px, side_px)
    np.testing.assert_array_equal(round_landmarks(points, side_px), points)
    steps, scale_px = quantize_landmarks(points[None].astype(np.float32))
    np.testing.assert_array_equal(restore_landmarks(steps, scale_px)[0], points)


@given(st.floats(0, 1920), st.floats(0, 1080))
def test_rounding_moves_a_point_of_an_image_by_no_more_than_half_a_step(x, y):
    moved = round_landmarks(np.array([[x, y]]), 1920) - [[x, y]]
    assert np.abs(moved).max() <= 1 / 32


def test_the_part_that_is_measured_depends_on_the_landmarks_alone():
    luma = np.arange(200 * 300, dtype=np.uint32).astype(np.uint8).reshape(200, 300)
    whole = Image(luma, (luma,), np.eye(3, 2))
    points = np.random.default_rng(0).uniform([120, 80], [180, 130], (68, 2))
    one, other = (crop_to_landmarks(part, points) for part in (whole, whole.crop(60, 30, 240, 190)))
    assert one.size_px < whole.size_px
    assert one.origin_px == other.origin_px
    np.testing.assert_array_equal(one.gray, other.gray)
    # a part that lacks some of it is clipped
    assert crop_to_landmarks(whole.crop(132, 92, 168, 116), points).size_px == (36, 24)
