"""What a scene shows is what it says: pulse, motion, light and noise, in pixels."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stmap_pipeline.synth.camera import Illumination, SensorNoise
from stmap_pipeline.synth.layers import PULSE_RGB
from stmap_pipeline.synth.motion import Acting
from stmap_pipeline.synth.pulse import Pulse
from stmap_pipeline.synth.scene import Scene, make_scene
from stmap_pipeline.synth.sines import Sines

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
    rest = replace(still, pulse=Pulse(60.0, strength=0.0)).exact(0.0)
    for time_s in (0.05, 0.3, 0.8):
        change = still.exact(time_s) / rest - 1
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
    noise = frames - scene.exact(0.0).transpose(1, 2, 0)
    assert noise.std() == pytest.approx(np.sqrt(2.0**2 + 1 / 12), rel=0.02)
    assert np.abs(noise.mean(axis=(1, 2))).max() < 0.05
    flat = noise.reshape(8, -1, 3).transpose(0, 2, 1).reshape(24, -1)
    across = np.corrcoef(flat) - np.eye(24)
    assert np.abs(across).max() < 0.03


def test_noise_for_a_giant_frame_is_refused():
    with pytest.raises(ValueError, match="larger than"):
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
    before, after = moved.exact(0.0)[1], moved.exact(0.25)[1]
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
    np.testing.assert_allclose(dim.exact(1.0), still.exact(1.0) / 2, rtol=1e-5)


def test_light_may_come_from_one_side(still):
    lit = replace(still, light=Illumination(1.0, slope=Sines((0.2,), (0.25,), (0.0,))))
    ratio = lit.exact(1.0)[1] / still.exact(1.0)[1]
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
