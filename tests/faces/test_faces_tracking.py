"""Tracking a drawn face whose place is known in every frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.measured import backend, measure
from support.videos import exact_frame, write_video

from stmap_pipeline.config import Config, FacesConfig
from stmap_pipeline.faces import TrackingStats, track
from stmap_pipeline.faces.backend import STEADY
from stmap_pipeline.faces.pose import transform
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.simulation.pulse import Sines
from stmap_pipeline.synth.scene import Acting, HeadMotion, SensorNoise, make_scene
from stmap_pipeline.video import Frame
from stmap_pipeline.video.frame import make_reader

RATE_HZ = 30.0


def decoded(image):
    frame = exact_frame(image, "yuv420p")
    return make_reader(frame, "drawn").read(frame)


def tracked(images, mode="tracked"):
    return tracked_decoded(map(decoded, images), mode)


def tracked_decoded(images, mode="tracked"):
    stats = TrackingStats()
    frames = (Frame(index, index / RATE_HZ, image) for index, image in enumerate(images))
    return list(track(frames, FacesConfig(mode=mode), backend(), stats)), stats


def moving(seed, acting=None, fast=1.0):
    """A head that moves at 1 Hz, near the pulse, where errors do the most harm."""
    scene = make_scene(seed, "easy", heart_rate_bpm=72.0, size_px=(400, 400))
    motion = HeadMotion(
        Sines((0.05 * fast,), (1.0,), (0.0,)),
        Sines((0.04 * fast,), (0.9,), (1.0,)),
        Sines((2.0,), (0.5,), (0.0,)),
        Sines((0.02,), (0.3,), (0.5,)),
    )
    return replace(scene, motion=motion, acting=acting or Acting(seed, 0.0))


def errors_in_eye_distances(scene, frames):
    """(T, 68, 2) Landmark errors in the face's own frame, each point's constant offset removed."""
    errors = []
    for frame in frames:
        back = cv2.invertAffineTransform(scene.similarity(frame.time_s))
        errors.append(transform(back, frame.points_px) - transform(back, scene.landmarks(frame.time_s)))
    return np.array(errors) - np.mean(errors, axis=0)


@pytest.fixture(scope="module")
def nodding():
    scene = moving(2)
    frames, stats = tracked(scene.render(index / RATE_HZ, index) for index in range(150))
    return scene, frames, stats


def test_each_frame_comes_out_once_in_order_and_with_its_part_of_the_image(nodding):
    _, frames, stats = nodding
    assert [frame.index for frame in frames] == list(range(150))
    assert all(frame.points_px is not None and frame.image is not None for frame in frames)
    assert (stats.times_found, stats.times_lost, stats.restarts) == (1, 0, 0)
    # the detector and the model run seldom
    assert stats.detector_runs < 8
    assert stats.landmark_runs < 25


def test_landmarks_follow_the_truth_without_jitter(nodding):
    scene, frames, _ = nodding
    errors = errors_in_eye_distances(scene, frames)
    # outer eye corners are about 1.5 eye distances apart
    apart = np.hypot(*(scene.identity.points[45] - scene.identity.points[36]))
    assert np.linalg.norm(errors, axis=2).mean() < 0.006 * apart
    jitter_px = np.sqrt((np.diff(errors, axis=0) ** 2).sum(axis=2).mean()) * scene.px_per_unit
    assert jitter_px < 0.1


def test_the_per_frame_mode_jitters_as_the_model_does(nodding):
    scene, _, _ = nodding
    frames, stats = tracked((scene.render(index / RATE_HZ, index) for index in range(40)), mode="per-frame")
    assert stats.landmark_runs == 40
    errors = errors_in_eye_distances(scene, frames)
    jitter_px = np.sqrt((np.diff(errors, axis=0) ** 2).sum(axis=2).mean()) * scene.px_per_unit
    assert jitter_px > 0.15


def test_talk_and_blinks_do_not_move_the_head():
    acting = replace(make_scene(5, "hard", talking=True).acting, blink_every_s=1.5)
    scene = moving(5, acting)
    frames, _ = tracked(scene.render(index / RATE_HZ, index) for index in range(150))
    steady = errors_in_eye_distances(scene, frames)[:, STEADY]
    shake = (steady - steady.mean(axis=0)).mean(axis=1) * scene.px_per_unit
    # the place settles slowly as the model runs again; what must not be is a step with a word or a blink
    assert np.abs(np.diff(shake, axis=0)).max() < 0.1


def test_edges_that_a_codec_moves_keep_their_weight(tmp_path):
    scene = replace(moving(2), noise=SensorNoise(1.5, 2))
    images = (scene.render(index / RATE_HZ, index) for index in range(120))
    path = write_video(tmp_path / "moving.avi", images, codec="mpeg4", options={"qmin": "3", "qmax": "3"})
    measured, _ = measure(path)
    times_s = np.arange(120) / RATE_HZ
    back = [cv2.invertAffineTransform(scene.similarity(time_s)) for time_s in times_s]
    errors = np.array(
        [
            transform(one, points.astype(float)) - transform(one, scene.landmarks(time_s))
            for one, points, time_s in zip(back, measured.track.points_px, times_s, strict=True)
        ]
    )
    steady = (errors - errors.mean(axis=0))[30:, STEADY] * scene.px_per_unit
    # with little trust in the sharpest pixels it is 0.10
    assert np.sqrt((steady**2).sum(axis=2).mean()) < 0.08


def test_a_fast_head_is_not_lost():
    scene = moving(3, fast=4.0)
    frames, stats = tracked(scene.render(index / RATE_HZ, index) for index in range(90))
    assert all(frame.points_px is not None for frame in frames)
    assert stats.times_lost == 0
    errors = errors_in_eye_distances(scene, frames)
    assert np.linalg.norm(errors, axis=2).max() < 0.1


def test_a_face_that_goes_and_comes_back_is_lost_and_found_in_time():
    scene = moving(4)
    wall = np.full((400, 400, 3), 120, np.uint8)
    images = [wall if 60 <= index < 100 else scene.render(index / RATE_HZ, index) for index in range(170)]
    frames, stats = tracked(images)
    found = np.array([frame.points_px is not None for frame in frames])
    # not one frame of the wall, and at most 0.3 s of the face before it
    assert not found[60:100].any()
    assert found[: 60 - 9].all()
    # back within a second
    assert found[130:].all()
    assert stats.times_lost == 1


def test_a_blurred_moment_does_not_invent_a_face():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (240, 240, 3), dtype=np.uint8) for _ in range(20)]
    frames, stats = tracked(images)
    assert not any(frame.points_px is not None for frame in frames)
    assert stats.times_found == 0


def still(seed, side):
    """An image of a drawn person who does not move, and the landmarks in it."""
    scene = make_scene(seed, "easy", heart_rate_bpm=72.0, size_px=(side, side))
    scene = replace(scene, motion=HeadMotion(), acting=Acting(seed, 0.0))
    return scene.render(0.0, 0), scene.landmarks(0.0)


@pytest.fixture(scope="module")
def two_persons():
    """A subject on the left and a smaller face on the right, more than one face width away: a frame with both, or with one of them."""
    (subject, points), (other, _) = still(4, 360), still(7, 240)

    def draw(has_subject=True, has_other=True):
        image = np.full((360, 720, 3), 120, np.uint8)
        if has_subject:
            image[:, :360] = subject
        if has_other:
            image[120:, 440:680] = other
        return image

    return draw, points


def test_another_face_is_not_taken_for_the_one_that_was_lost(two_persons):
    draw, points = two_persons
    both, other = map(decoded, (draw(), draw(has_subject=False)))
    frames, stats = tracked_decoded([both] * 45 + [other] * 75 + [both] * 60)
    found = np.array([frame.points_px is not None for frame in frames])
    assert found[:36].all()
    assert not found[45:120].any()
    assert found[150:].all()
    away = [np.abs(frame.points_px - points).mean() for frame in frames if frame.points_px is not None]
    assert max(away) < 5
    assert stats.times_lost == 1
    # counted from the first search that found no other face than this one
    assert 60 <= stats.other_face_frames <= 75
    assert stats.face_changes == 0


def test_another_face_that_stays_alone_is_tracked_after_some_seconds_and_counted(two_persons):
    draw, points = two_persons
    both, other = map(decoded, (draw(), draw(has_subject=False)))
    frames, stats = tracked_decoded([both] * 45 + [other] * 215)
    found = np.array([frame.points_px is not None for frame in frames])
    # five seconds in which the subject does not come back
    assert not found[45 : 45 + 149].any()
    assert found[45 + 170 :].all()
    assert np.abs(frames[-1].points_px - points)[:, 0].mean() > 300
    assert stats.face_changes == 1
    assert stats.other_face_frames >= 140


def test_a_face_of_another_size_in_the_same_place_is_another_face():
    large, _ = still(4, 400)
    small, _ = still(4, 200)
    other = np.full_like(large, 120)
    other[100:300, 100:300] = small
    large, other, wall = map(decoded, (large, other, np.full_like(large, 120)))
    frames, stats = tracked_decoded([large] * 40 + [wall] * 30 + [other] * 60 + [wall] * 5 + [large] * 45)
    found = np.array([frame.points_px is not None for frame in frames])
    assert not found[40:135].any()
    assert found[150:].all()
    assert stats.face_changes == 0
    assert stats.other_face_frames > 30


def test_a_face_that_comes_back_beside_its_place_is_the_same(two_persons):
    draw, _ = two_persons
    subject = draw(has_other=False)
    beside, wall = decoded(np.roll(subject, 60, axis=1)), decoded(draw(has_subject=False, has_other=False))
    frames, stats = tracked_decoded([decoded(subject)] * 40 + [wall] * 30 + [beside] * 30)
    assert frames[-1].points_px is not None
    assert (stats.times_found, stats.face_changes, stats.other_face_frames) == (2, 0, 0)


def test_a_face_in_the_first_place_is_tracked_at_once_where_tracking_was_taken_along(two_persons):
    draw, points = two_persons
    subject = draw(has_other=False)
    wall, *places = map(decoded, (draw(has_subject=False, has_other=False), *(np.roll(subject, 100 * x, axis=1) for x in range(3))))
    images = [one for place in (*places, places[0]) for one in [place] * 20 + [wall] * 10]
    frames, stats = tracked_decoded(images)
    assert np.abs(frames[105].points_px - points).mean() < 5
    assert (stats.times_found, stats.face_changes) == (4, 1)


def test_the_per_frame_mode_counts_changes_to_another_face(two_persons):
    draw, _ = two_persons
    _, stats = tracked([draw()] * 3 + [draw(has_subject=False)] * 3, mode="per-frame")
    assert stats.face_changes == 1


def test_a_change_to_another_face_is_noted_in_the_recording(two_persons, tmp_path):
    draw, _ = two_persons
    images = [draw(), draw(has_subject=False)]
    frames = (images[index >= 8] for index in range(40))
    path = write_video(tmp_path / "two.avi", frames, codec="mpeg4", options={"qmin": "2", "qmax": "2"}, rate_hz=5.0)
    config = Config.from_mapping({"limits": {"max_lost_fraction": 0.8}})
    built = build_recording(Recording("two", "folder", "two", VideoSource(path)), config)
    assert built.attributes["face_changes"] == 1
    # with a search in every third frame the first one after 5 s comes after 5.4 s
    assert built.attributes["other_face_frames"] == np.isnan(built.blocks.means[:, 0, 0]).sum() == 27
    assert sum("another face" in note for note in built.notes) == 2
