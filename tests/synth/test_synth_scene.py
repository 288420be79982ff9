"""Pixels of a scene show the pulse, motion, light and noise that its numbers say."""

from __future__ import annotations

from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.simulation.face import SKIN_TONES
from stmap_pipeline.simulation.pulse import PULSE_RGB, Pulse, Sines
from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.face import Rotation
from stmap_pipeline.synth.scene import (
    Acting,
    HeadMotion,
    Illumination,
    Scene,
    SensorNoise,
    make_scene,
    random_acting,
    random_motion,
)

SIZE = (240, 240)


@pytest.fixture(scope="module")
def still():
    """A person who neither moves nor blinks, at 60 bpm."""
    return Scene(5, "medium", Pulse(60.0, strength=0.01), acting=Acting(blink_every_s=0), size_px=SIZE)


@pytest.fixture(scope="module")
def hard():
    return make_scene(2, "hard", heart_rate_bpm=75.0, skin_tone="light", size_px=SIZE)


def test_frames_come_in_any_order_and_are_the_same(hard):
    forward = [hard.render(index / 30, index) for index in range(4)]
    backward = [hard.render(index / 30, index) for index in reversed(range(4))]
    np.testing.assert_array_equal(forward, backward[::-1])
    np.testing.assert_array_equal(forward, [make_scene_again(hard).render(index / 30, index) for index in range(4)])


def make_scene_again(scene):
    return make_scene(2, "hard", heart_rate_bpm=scene.pulse.mean_bpm, skin_tone=scene.skin_tone, size_px=scene.size_px)


def test_another_seed_is_another_person(hard):
    other = make_scene(3, "hard", skin_tone="light", size_px=SIZE)
    assert np.abs(hard.render(0, 0).astype(int) - other.render(0, 0)).mean() > 5


def test_skin_changes_by_the_pulse_and_nothing_else_changes(still):
    full, none = still.skin(0.0) > 0.999, still.skin(0.0) == 0
    assert full.mean() > 0.1
    assert none.mean() > 0.3
    rest = replace(still, pulse=Pulse(60.0, strength=0.0)).render_exact(0.0)
    for time_s in (0.05, 0.3, 0.8):
        change = still.render_exact(time_s) / rest - 1
        expected = still.pulse.green_change(time_s) * PULSE_RGB
        np.testing.assert_allclose(change[:, full].mean(axis=1), expected, rtol=1e-3)
        assert np.abs(change[:, none]).max() < 1e-6


def test_eyes_and_hair_do_not_pulse(still):
    skin, points = still.skin(0.0), still.landmarks(0.0)
    for part in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(points[part].mean(axis=0)).astype(int)
        assert skin[y, x] < 0.05
    forehead = np.rint((points[21] + points[22]) / 2 - (0, 0.15 * still.px_per_unit)).astype(int)
    assert skin[forehead[1], forehead[0]] > 0.95
    hair = np.rint(points[27] - (0, 1.5 * still.px_per_unit)).astype(int)
    assert skin[hair[1], hair[0]] == 0


def test_the_mean_of_skin_keeps_a_pulse_far_below_one_gray_level(still):
    scene = replace(still, pulse=Pulse(60.0, strength=0.004), noise=SensorNoise(1.5, 1))
    skin = scene.skin(0.0) > 0.999
    green = np.array([scene.render(index / 16, index)[skin, 1].mean() for index in range(64)])
    spectrum = 2 * np.abs(np.fft.rfft(green / green.mean() - 1)) / green.size
    assert np.argmax(spectrum[1:]) + 1 == 4  # 4 s at 60 bpm
    assert spectrum[4] == pytest.approx(0.004, rel=0.1)
    assert spectrum[8] == pytest.approx(0.35 * 0.004, rel=0.25)
    assert np.median(spectrum[10:]) < 0.0002


def test_the_amplitude_of_every_setting_and_tone_is_that_of_real_skin():
    for setting in ("easy", "hard"):
        for tone in ("very_light", "medium", "very_dark"):
            strengths = [make_scene(seed, setting, skin_tone=tone).pulse.strength for seed in range(20)]
            assert 0.0025 <= min(strengths) <= max(strengths) <= 0.01


def test_noise_has_its_sigma_and_is_new_in_each_frame(still):
    scene = replace(still, noise=SensorNoise(2.0, 9), pulse=Pulse(60.0, strength=0.0))
    frames = np.array([scene.render(0.0, index) for index in range(8)], dtype=float)
    noise = frames - scene.render_exact(0.0).transpose(1, 2, 0)
    assert noise.std() == pytest.approx(np.sqrt(2.0**2 + 1 / 12), rel=0.02)
    assert np.abs(noise.mean(axis=(1, 2))).max() < 0.05
    flat = noise.reshape(8, -1, 3).transpose(0, 2, 1).reshape(24, -1)
    across = np.corrcoef(flat) - np.eye(24)
    assert np.abs(across).max() < 0.03


def test_noise_for_a_giant_frame_is_refused():
    with pytest.raises(ValueError, match="4000x4000"):
        SensorNoise().planes(0, 4000, 4000)


def test_landmarks_follow_the_pose(hard):
    for time_s in (0.0, 3.3, 9.1):
        matrix = hard.similarity(time_s)
        shape = hard.identity.expression(hard.acting.blink(time_s), hard.acting.mouth(time_s))
        np.testing.assert_allclose(hard.landmarks(time_s), shape @ matrix[:, :2].T + matrix[:, 2])


def test_pixels_follow_the_pose(still):
    """A head that moved shows the same pixels at the moved places."""
    motion = replace(
        still.motion,
        x=Sines((0.15,), (1.0,), (0.0,)),
        roll_deg=Sines((8.0,), (1.0,), (0.0,)),
        log_scale=Sines((0.05,), (1.0,), (0.0,)),
    )
    moved = replace(still, motion=motion, pulse=Pulse(60.0, strength=0.0))
    before, after = moved.render_exact(0.0)[1], moved.render_exact(0.25)[1]
    back = np.vstack([moved.similarity(0.25), (0, 0, 1)]) @ np.linalg.inv(np.vstack([moved.similarity(0.0), (0, 0, 1)]))
    aligned = cv2.warpAffine(after, back[:2], SIZE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    x0, y0, x1, y1 = (*moved.landmarks(0.0).min(axis=0).astype(int), *moved.landmarks(0.0).max(axis=0).astype(int))
    face = slice(y0 + 10, y1 - 20), slice(x0 + 15, x1 - 15)
    assert np.abs(aligned[face] - before[face]).mean() < 1.5
    assert np.abs(after[face] - before[face]).mean() > 5


def test_eyes_close_in_the_pixels(still):
    blinking = replace(still, acting=Acting(3, blink_every_s=2.0))
    shut = max(np.arange(0, 2, 0.01), key=blinking.acting.blink)
    eye = np.rint(still.landmarks(0.0)[36:42].mean(axis=0)).astype(int)
    around = slice(eye[1] - 3, eye[1] + 3), slice(eye[0] - 3, eye[0] + 3)
    skin = blinking.skin(shut)[around].mean() - still.skin(0.0)[around].mean()
    assert skin > 0.3


def test_light_scales_every_pixel(still):
    dim = replace(still, light=Illumination(0.5))
    np.testing.assert_allclose(dim.render_exact(1.0), still.render_exact(1.0) / 2, rtol=1e-5)


def test_light_may_come_from_one_side(still):
    lit = replace(still, light=Illumination(1.0, slope=Sines((0.2,), (0.25,), (0.0,))))
    ratio = lit.render_exact(1.0)[1] / still.render_exact(1.0)[1]
    np.testing.assert_allclose(ratio[:, [0, -1]], [[0.8, 1.2]] * SIZE[1], rtol=1e-4)


def test_settings_differ_as_they_say():
    easy, hard = (make_scene(7, setting) for setting in ("easy", "hard"))
    walk = [np.ptp([scene.landmarks(t)[30] for t in np.arange(0, 30, 0.5)], axis=0).max() for scene in (easy, hard)]
    assert walk[0] < 15 < walk[1]
    assert easy.light.level > 0.9 > 0.75 > hard.light.level
    assert max(hard.acting.mouth(t) for t in np.arange(0, 30, 0.1)) > 0.2


@pytest.mark.parametrize("size", [(352, 356), (480, 360), (360, 480)])
def test_the_face_is_large_and_stays_in_the_picture(size):
    for seed in range(10):
        scene = make_scene(seed, "hard", size_px=size)
        for time_s in range(0, 60, 3):
            points = scene.landmarks(time_s)
            assert np.ptp(points[:17, 0]) > 120
            assert np.all(points >= 0)
            assert np.all(points < size)


times = st.floats(0, 600)


@given(st.integers(0, 10**6), times)
def test_a_pose_is_a_similarity_within_its_bounds(seed, time_s):
    motion = random_motion(np.random.default_rng(seed), shift=0.2, roll_deg=6.0, scale=0.05, tremor=0.01)
    matrix = motion.matrix(time_s, 80.0, (200.0, 190.0))
    turn, move = matrix[:, :2], matrix[:, 2]
    size = np.sqrt(np.linalg.det(turn))
    np.testing.assert_allclose(turn @ turn.T, size**2 * np.eye(2), atol=1e-9)
    assert 80 / 1.0501 <= size <= 80 * 1.0501
    assert abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))) <= 6.0001
    assert np.all(np.abs(move - (200, 190)) <= 80 * 0.2101)


def test_roll_is_clockwise_in_the_picture():
    matrix = HeadMotion(roll_deg=Sines((10.0,), (1.0,), (np.pi / 2,))).matrix(0.0, 1.0, (0.0, 0.0))
    right = matrix[:, :2] @ (1, 0)
    assert right[1] == pytest.approx(np.sin(np.radians(10)))


def test_tremor_has_the_rate_of_a_pulse():
    motion = random_motion(np.random.default_rng(2), shift=0.2, roll_deg=1.0, scale=0.01, tremor=0.01)
    fast = [rate for rate in motion.x.rates_hz if rate > 0.5]
    assert fast
    assert all(1.0 <= rate <= 1.5 for rate in fast)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_eyes_blink_once_in_each_stretch(seed):
    eyes = Acting(seed, blink_every_s=4.0)
    closed = np.array([eyes.blink(frame / 60) for frame in range(60 * 40)])
    starts = np.count_nonzero((closed[1:] > 0.5) & (closed[:-1] <= 0.5))
    assert starts == 10
    assert closed.max() > 0.95
    assert np.mean(closed > 0) < 0.1


def test_no_blinks_where_none_are_asked_for():
    assert Acting(blink_every_s=0).blink(1.0) == 0


@given(st.integers(0, 1000), times)
def test_a_mouth_is_never_wider_than_open(seed, time_s):
    assert 0 <= random_acting(np.random.default_rng(seed), talking=True).mouth(time_s) <= 1
    assert random_acting(np.random.default_rng(seed), talking=False).mouth(time_s) == 0


def test_talk_opens_and_closes_the_mouth():
    talk = random_acting(np.random.default_rng(4), talking=True)
    mouth = np.array([talk.mouth(frame / 30) for frame in range(600)])
    assert mouth.max() > 0.4
    assert np.count_nonzero((mouth[1:] > 0.2) & (mouth[:-1] <= 0.2)) > 5


# a quarter of a turn of the sine: the largest angle at time 0
_NOW = (np.pi / 2,)


def scene(**motion):
    return Scene(5, "medium", Pulse(60.0, strength=0.0), HeadMotion(**motion), acting=Acting(blink_every_s=0), size_px=SIZE)


def yaw(degrees):
    return Sines((degrees,), (0.25,), _NOW)


angles, places = st.floats(-0.35, 0.35), st.floats(-1.3, 1.9)


@given(angles, angles, places, places)
def test_what_is_seen_at_a_place_is_the_point_that_went_there(yaw_rad, pitch_rad, x, y):
    rotation = Rotation(yaw_rad, pitch_rad)
    back = rotation.unproject(*rotation.project(np.array([x]), np.array([y])))
    np.testing.assert_allclose(np.ravel(back), [x, y], atol=2e-3)


def test_a_head_that_does_not_turn_is_drawn_to_the_same_bytes():
    still = scene()
    assert still.motion.rotation(0.0) is None
    turned = scene(yaw_deg=Sines((0.0,), (1.0,), (0.0,)))
    # a turn by nothing goes through the other path and may differ by rounding alone
    assert np.abs(turned.render_exact(0.0) - still.render_exact(0.0)).max() < 0.01
    np.testing.assert_allclose(turned.landmarks(0.0), still.landmarks(0.0))


def test_yaw_takes_the_nose_further_than_the_cheeks():
    shift = scene(yaw_deg=yaw(10.0)).landmarks(0.0) - scene().landmarks(0.0)
    nose, cheeks = shift[30], shift[[2, 14]]
    assert nose[0] > 0
    assert cheeks[:, 0].mean() < nose[0] - 1
    np.testing.assert_allclose(shift[:, 1], 0, atol=1e-9)


def test_pitch_takes_the_nose_down():
    shift = scene(pitch_deg=yaw(10.0)).landmarks(0.0) - scene().landmarks(0.0)
    assert shift[30, 1] > 1
    np.testing.assert_allclose(shift[:, 0], 0, atol=1e-9)


@pytest.mark.parametrize("motion", [{"yaw_deg": yaw(12.0)}, {"pitch_deg": yaw(-8.0)}])
def test_landmarks_show_the_same_pixels_before_and_after(motion):
    before, after = scene(), scene(**motion)
    one, two = before.render_exact(0.0)[1], after.render_exact(0.0)[1]
    # nostrils, eye corners and mouth corners are dark dots that can be found again
    for index in (36, 39, 42, 45, 48, 54):
        (x, y), (u, v) = np.rint(before.landmarks(0.0)[index]).astype(int), after.landmarks(0.0)[index]
        patch = one[y - 4 : y + 5, x - 4 : x + 5]
        costs = {
            (i, j): np.abs(two[j - 4 : j + 5, i - 4 : i + 5] - patch).mean()
            for i in range(int(u) - 6, int(u) + 8)
            for j in range(int(v) - 6, int(v) + 8)
        }
        found = np.array(min(costs, key=costs.__getitem__))
        assert np.abs(found - (u, v) - ((x, y) - before.landmarks(0.0)[index])).max() <= 1.5


def test_a_head_may_be_laid_over_another_scene():
    one, other = scene(), replace(scene(), identity_seed=9)
    planes = one.render_exact(0.0)
    before = planes.copy()
    other.composite(planes, 0.0)
    changed = np.abs(planes - before).max(axis=0) > 1
    # a head, not the picture
    assert 0.1 < changed.mean() < 0.8
    assert not changed[:, :10].any()


# moments seconds apart, because neighboring frames are nearly the same
TIMES_S = np.arange(12) * 1.37


@pytest.fixture(scope="module")
def face_models():
    dlib = pytest.importorskip("dlib")
    from stmap_pipeline.faces.dlib68 import find_weights

    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(find_weights()))


def decoded_luma(path, scene, codec):
    write_video(path, ((t, scene.render(t, i)) for i, t in enumerate(TIMES_S)), CODECS[codec], scene.size_px, 25.0)
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height, : frame.width].copy() for frame in container.decode(video=0)]


@pytest.mark.parametrize("setting", ["easy", "hard"])
@pytest.mark.parametrize("tone", SKIN_TONES)
def test_every_face_is_found_and_its_landmarks_are_near(tmp_path, face_models, tone, setting):
    seed = 40 + list(SKIN_TONES).index(tone)
    scene = make_scene(seed, setting, skin_tone=tone, size_px=(320, 324))
    detector, predictor = face_models
    frames = decoded_luma(tmp_path / "video", scene, "mjpeg-avi" if setting == "easy" else "mpeg4-avi")
    errors = []
    for time_s, gray in zip(TIMES_S, frames, strict=True):
        boxes = detector(gray, 0)
        assert len(boxes) == 1, f"{len(boxes)} faces at {time_s} s"
        shape, truth = predictor(gray, boxes[0]), scene.landmarks(time_s)
        points = np.array([(shape.part(k).x, shape.part(k).y) for k in range(68)])
        errors.append(np.hypot(*(points - truth).T).mean() / np.hypot(*(truth[45] - truth[36])))
    # share of the distance between the outer eye corners
    assert np.mean(errors) < 0.05
    assert np.max(errors) < 0.12
