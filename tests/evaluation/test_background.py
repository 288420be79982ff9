"""Light that flickers is in the background, too, and is no pulse, whatever its color."""

from __future__ import annotations

import numpy as np
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.evaluation.background import Background, background_share, is_light
from stmap_pipeline.evaluation.decision import COLORLESS
from stmap_pipeline.evaluation.estimate import estimate_video
from stmap_pipeline.records import BlockTrace, RoiGrid
from stmap_pipeline.simulation.pulse import PULSE_RGB
from stmap_pipeline.synth.scene import make_scene

RATE_HZ, PULSE_BPM, RHYTHM_BPM, SIDE_PX = 15.0, 78.0, 84.0, 240
SPANS_S = np.array([[0.0, 10.0], [2.0, 12.0]])


def clip(path, lamp):
    """A drawn face beside a wall for twelve seconds: alive, or a photograph under a lamp that flickers in the color of blood."""
    scene, wall = make_scene(1, "easy", heart_rate_bpm=PULSE_BPM, size_px=(SIDE_PX, SIDE_PX)), colorful(SIDE_PX, SIDE_PX)
    random = np.random.default_rng(0)
    frames = []
    for index in range(int(12 * RATE_HZ)):
        face = scene.render(2.0 if lamp else index / RATE_HZ, index)
        seen = np.concatenate([face, wall], axis=1).astype(np.float64)
        if lamp:
            seen *= 1 + 0.02 * np.sin(2 * np.pi * RHYTHM_BPM / 60 * index / RATE_HZ) * PULSE_RGB
        frames.append(np.rint(seen + random.normal(0, 1, seen.shape)).clip(0, 255).astype(np.uint8))
    # without loss, so that all machines make the same pictures of it
    return write_video(path, frames, rate_hz=RATE_HZ, options={"crf": "0", "preset": "ultrafast"})


def test_a_pulse_of_the_face_is_given_and_a_rhythm_of_the_whole_picture_is_light(tmp_path):
    face = estimate_video(clip(tmp_path / "face.mp4", lamp=False))
    assert face.heart_rate_bpm == pytest.approx(PULSE_BPM, abs=2)
    everything = estimate_video(clip(tmp_path / "everything.mp4", lamp=True))
    assert everything.reason == "no_pulse"
    assert everything.guess_bpm == pytest.approx(RHYTHM_BPM, abs=1)
    assert everything.probability <= COLORLESS
    assert "is in the background, too" in everything.message


def share(of_background, noise=0.0, parts=20, besides=0.0):
    """Share of a rhythm of 0.5 % of the face in a background whose parts change by other shares, with noise and other changes."""
    times_s = np.arange(360) / 30
    wave = np.sin(2 * np.pi * RHYTHM_BPM / 60 * times_s)[:, None]
    means = np.broadcast_to(120 * (1 + 0.005 * wave)[:, :, None], (360, 25, 3)).astype(np.float32)
    blocks = BlockTrace(times_s, means, np.ones((360, 25), dtype=np.float32), RoiGrid())
    luma = 90 * (1 + wave * np.broadcast_to(of_background, parts) + besides) + np.random.default_rng(1).normal(
        0, noise, (360, parts)
    )
    return background_share(Background(times_s, luma.astype(np.float32)), blocks, SPANS_S, np.full(2, RHYTHM_BPM))


@pytest.mark.parametrize(("of_background", "expected"), [(0.005, 1.0), (0.0025, 0.5), (0.0, 0.0), (-0.005, -1.0)])
def test_the_share_is_that_of_the_background_in_phase_with_the_face(of_background, expected):
    assert share(of_background) == pytest.approx(expected, abs=0.02)


def test_noise_of_the_background_is_no_light():
    assert np.abs(share(0.0, noise=0.5)).max() < 0.2
    assert not is_light(share(0.0, noise=0.5)).any()


def moving(seed, sway=0.0, glow=0.0):
    """(360, 24) relative changes up to 2 Hz that each part of a background has on its own, and that all have."""
    random = np.random.default_rng(seed)
    slow = np.hanning(9)[1:-1] / np.hanning(9)[1:-1].sum()
    own, common = random.normal(0, 1, (366, 24)), random.normal(0, 1, 366)
    found = [np.convolve(one, slow, "valid") for one in (*own.T, common)]
    *parts, alike = (one / one.std() for one in found)
    return sway * np.stack(parts, axis=1) + glow * alike[:, None]


@pytest.mark.parametrize(("sway", "glow"), [(0.03, 0.0), (0.1, 0.0), (0.0, 0.03), (0.0, 0.1)])
def test_what_moves_behind_a_face_is_seldom_taken_for_light(sway, glow):
    taken = [is_light(share(0.0, parts=24, besides=moving(seed, sway, glow))).any() for seed in range(40)]
    assert np.mean(taken) <= 0.1


def test_a_lamp_is_found_where_something_moves_a_little():
    taken = [is_light(share(0.005, parts=24, besides=moving(seed, sway=0.01))).all() for seed in range(40)]
    assert np.mean(taken) >= 0.9


def test_a_hand_in_the_background_has_a_pulse_and_is_outvoted():
    assert not is_light(share(np.repeat([0.005, 0.0], (5, 9)), parts=14)).any()


def test_too_little_background_says_nothing():
    assert np.isnan(share(0.005, parts=5)).all()


def test_a_face_that_does_not_change_has_no_rhythm_to_look_for():
    times_s = np.arange(360) / 30
    still = BlockTrace(times_s, np.full((360, 25, 3), 111.3, np.float32), np.ones((360, 25), np.float32), RoiGrid())
    found = background_share(Background(times_s, np.full((360, 20), 90.7, np.float32)), still, SPANS_S, np.full(2, RHYTHM_BPM))
    assert np.isnan(found).all()
