"""What places the blocks moves as a head does: corrections of the shape come in below the band of the pulse, and shake is taken out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from stmap_pipeline.faces.geometry import STEADY, STILL, Motion
from stmap_pipeline.faces.pose import Pose
from stmap_pipeline.faces.smoothing import Delay, Segment
from stmap_pipeline.faces.steadying import steadied
from stmap_pipeline.video import Frame
from stmap_pipeline.video.frame import Image

RATE_HZ = 30.0
LOOSE = np.setdiff1d(np.arange(68), STEADY)
MEMORY_S = np.full((68, 1), 1.0)
MEMORY_S[STEADY] = 10.0
FACE = np.random.default_rng(0).uniform(10, 110, (68, 2))
amount = st.floats(-1, 1)


def shapes_of(words, seconds, half_s=1.0):
    """(T, 68, 2) Shapes of a segment that hears words (time, shape), each frame asked for when it leaves the delay."""
    segment = Segment(words[0][1], np.zeros(68), half_s, MEMORY_S)
    waiting, shapes = list(words), []
    for index in range(int(seconds * RATE_HZ)):
        time_s = index / RATE_HZ
        while waiting and waiting[0][0] <= time_s + half_s:
            segment.add(*waiting.pop(0))
        shapes.append(segment.shapes(np.array([time_s]))[0])
    return np.array(shapes)


@pytest.fixture(scope="module")
def noisy():
    """A model that is off by half a pixel, another way each time: ten times in the first second, once a second then."""
    rng = np.random.default_rng(1)
    times_s = [*np.arange(0, 1, 0.1), *np.arange(1.0, 41.0)]
    return shapes_of([(time_s, FACE + rng.normal(0, 0.5, FACE.shape)) for time_s in times_s], 40)


def test_what_the_model_says_of_steady_points_stays_below_the_band_of_the_pulse(noisy):
    sos = butter(4, [0.7, 4.0], "bandpass", fs=RATE_HZ, output="sos")
    steady = noisy[:, STEADY].reshape(len(noisy), -1)
    assert sosfiltfilt(sos, steady - steady.mean(axis=0), axis=0).std() < 0.001
    assert np.abs(np.diff(steady, axis=0)).max() < 0.005


def test_the_shape_begins_as_the_mean_of_what_is_said_in_the_time_ahead(noisy):
    rng = np.random.default_rng(1)
    words = FACE + rng.normal(0, 0.5, (11, 68, 2))
    # of a second's memory a word is worth 1/e after a second, of ten seconds' nearly as much as a new one
    np.testing.assert_allclose(noisy[0][STEADY], words.mean(axis=0)[STEADY], atol=0.05)
    assert np.abs(noisy[-1] - FACE)[STEADY].mean() < 0.2


def test_a_template_that_slips_is_followed_in_the_time_of_the_memory_and_a_mouth_at_once():
    words = [(float(second), FACE + (2.0 if second >= 20 else 0.0)) for second in range(61)]
    moved = (shapes_of(words, 60) - FACE).mean(axis=2)
    assert np.abs(moved[: 18 * 30]).max() < 1e-9
    assert moved[22 * 30, LOOSE].min() > 1.5
    assert 0.1 < moved[22 * 30, STEADY].max() < 0.6
    assert moved[-1, STEADY].min() > 1.9


@given(
    words=st.lists(st.tuples(st.floats(0, 8), st.floats(-3, 3)), max_size=5),
    gaps=st.lists(st.floats(0.02, 0.4), min_size=2, max_size=40),
    cuts=st.sets(st.integers(1, 39)),
)
def test_shapes_pass_two_low_passes_at_any_times_and_however_many_are_asked_for_at_once(words, gaps, cuts):
    times_s, words = np.cumsum(gaps), [(0.0, 0.0), *sorted(words)]

    def said():
        segment = Segment(FACE, np.zeros(68), 1.0, MEMORY_S)
        for time_s, amount in words:
            segment.add(time_s, FACE + amount)
        return segment

    found = said().shapes(times_s)
    again = said()
    parts = [again.shapes(part) for part in np.split(times_s, sorted(cut for cut in cuts if cut < len(times_s)))]
    np.testing.assert_allclose(np.concatenate(parts), found, atol=1e-9)
    # the same, frame by frame and word by word, for a point that blocks hang on
    mean = sum_ = weight = heard_s = 0.0
    waiting, once, twice, last_s = list(words), None, None, None
    for time_s, shape in zip(times_s, found, strict=True):
        while waiting and waiting[0][0] - 1.0 <= time_s:
            word_s, amount = waiting.pop(0)
            fade = np.exp((heard_s - word_s) / 10)
            sum_, weight, heard_s = sum_ * fade + amount, weight * fade + 1, word_s
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
def test_a_course_of_third_order_is_left_as_it_is_at_any_times(seed, gaps, size, x, y):
    times_s = np.cumsum(gaps)
    course = np.random.default_rng(seed).normal(0, 1, (4, 4, 2)) @ (1, 1j)
    at = (times_s - times_s[2])[:, None] ** np.arange(4) @ course
    poses = [
        Pose(Motion(size * (3 + a), 50 * size * b), c / (3 + a), 0.1 * d / (3 + a)) for a, b, c, d in at / (4 * np.abs(at).max())
    ]
    terms = np.array([pose.terms for pose in poses])
    np.testing.assert_allclose(steadied(times_s, terms, complex(60 * x, 60 * y), 60.0), terms, atol=1e-7)


def shaken(amplitude, count=400):
    rng = np.random.default_rng(3)
    shift = rng.normal(0, amplitude, (count, 2)) @ (1, 1j)
    return [Pose(Motion(1 + 0j, complex(one))) for one in shift]


def jitter(poses):
    return float(np.abs(np.diff([pose.motion.shift for pose in poses])).std())


def steadied_all(poses):
    found = steadied(np.arange(len(poses)) / RATE_HZ, np.array([pose.terms for pose in poses]), 0j, 60.0)
    return [Pose(Motion(1 + 0j, shift)) for shift in found[:, 3].tolist()]


def test_small_shake_is_halved_and_a_jerk_is_left():
    poses = shaken(0.02)
    assert jitter(steadied_all(poses)) < 0.55 * jitter(poses)
    jerk = shaken(3.0)
    moved = [
        abs(after.motion.shift - before.motion.shift) for before, after in zip(jerk[2:-2], steadied_all(jerk)[2:-2], strict=True)
    ]
    assert np.quantile(moved, 0.9) < 0.05


def through_the_delay(poses, cut_at=None):
    """Mean shift (T,) of the landmarks in frames with these poses, of one face or of another one from a frame on."""
    delay, frames = Delay(1.0), []
    gray = np.zeros((4, 4), np.uint8)
    picture = Image(gray, (gray,), np.array([[1.0, 0.0]] * 3))
    segment = Segment(FACE, np.zeros(68), 1.0, MEMORY_S)
    segment.add(0.0, FACE)
    for index, pose in enumerate(poses):
        if index == cut_at:
            segment.closed = True
            segment = Segment(FACE, np.zeros(68), 1.0, MEMORY_S)
            segment.add(index / RATE_HZ, FACE)
        delay.followed(Frame(index, index / RATE_HZ, picture), pose, 1.0, segment, picture)
        frames += delay.ready(index / RATE_HZ)
    segment.closed = True
    frames += delay.ready()
    assert [frame.index for frame in frames] == list(range(len(poses)))
    return np.array([(frame.points_px - FACE).mean() for frame in frames])


def test_a_frame_is_placed_alike_wherever_the_groups_of_frames_end():
    poses = shaken(0.05, 90)
    whole = through_the_delay(poses)
    # the neighbors that a frame is steadied with come from the groups before and after it, too
    expected = np.array([pose.motion.shift.real + pose.motion.shift.imag for pose in steadied_all(poses)]) / 2
    np.testing.assert_allclose(whole, expected, atol=1e-9)


def test_frames_without_a_face_come_in_their_place_and_part_the_others():
    delay, frames = Delay(1.0), []
    gray = np.zeros((4, 4), np.uint8)
    picture = Image(gray, (gray,), np.array([[1.0, 0.0]] * 3))
    for index in range(120):
        frame = Frame(index, index / RATE_HZ, picture)
        if index % 40 == 0:
            segment = Segment(FACE, np.zeros(68), 1.0, MEMORY_S)
            segment.add(frame.time_s, FACE + index)
        if index % 40 < 25:
            delay.followed(frame, Pose(STILL), 1.0, segment, picture)
        else:
            segment.closed = True
            if index == 65:
                delay.revoke(60)
            delay.lost(frame)
        given = list(delay.ready(frame.time_s))
        # a face that is still followed waits for what the next second says
        assert index % 40 >= 25 or not [one for one in given if one.index // 40 == index // 40]
        frames += given
    frames += delay.ready()
    assert [frame.index for frame in frames] == list(range(120))
    found = [None if frame.points_px is None else round(float((frame.points_px - FACE).mean())) for frame in frames]
    assert found == [0] * 25 + [None] * 15 + [40] * 20 + [None] * 20 + [80] * 25 + [None] * 15
    assert all((frame.image is None) == (frame.points_px is None) == np.isnan(frame.score) for frame in frames)


def test_frames_of_two_faces_are_not_smoothed_together():
    step = [0.0] * 40 + [0.1] * 40
    poses = [Pose(Motion(1 + 0j, one * (1 + 1j))) for one in step]
    np.testing.assert_allclose(through_the_delay(poses, cut_at=40), step, atol=1e-9)
    # a step of one face is taken for shake in part
    assert 0.005 < np.abs(through_the_delay(poses) - step).max() < 0.05
