"""Large faces are searched for first, one that is known to be small keeps its place, and cuts are counted."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.measured import backend
from support.videos import exact_frame

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces import TrackingStats, track
from stmap_pipeline.faces.backend import detector_box, inter_ocular_px
from stmap_pipeline.faces.search import CutDetector, search
from stmap_pipeline.synth.scene import Acting, HeadMotion, make_scene
from stmap_pipeline.video import Frame
from stmap_pipeline.video.frame import make_reader


def still(seed, size_px):
    return replace(make_scene(seed, "easy", size_px=size_px), motion=HeadMotion(), acting=Acting(seed, 0.0))


@pytest.fixture(scope="module")
def two_people():
    """A large face on the left, a small one on the right; the image and the landmarks of each."""
    large, small = still(3, (480, 480)), still(5, (160, 160))
    gray = np.full((480, 800), 128, np.uint8)
    gray[:, :480] = cv2.cvtColor(large.render(0.0, 0), cv2.COLOR_RGB2GRAY)
    gray[160:320, 600:760] = cv2.cvtColor(small.render(0.0, 0), cv2.COLOR_RGB2GRAY)
    return gray, large.landmarks(0.0), small.landmarks(0.0) + np.array([600, 160])


def searched(gray, lost=None):
    stats = TrackingStats()
    return search(gray, backend(), stats, None if lost is None else detector_box(lost)), stats


def test_the_largest_face_is_found_in_a_small_image(two_people):
    gray, large, _ = two_people
    found, stats = searched(gray)
    box = detector_box(large)
    assert np.hypot(found.center[0] - box.center[0], found.center[1] - box.center[1]) < 0.15 * box.width
    assert 0.8 < found.width / box.width < 1.25
    assert (stats.detector_runs, stats.detector_hits) == (1, 1)


def test_a_small_face_that_was_followed_is_not_given_up_for_a_large_one(two_people):
    gray, _, small = two_people
    found, stats = searched(gray, lost=small)
    box = detector_box(small)
    assert box.width < 160
    assert np.hypot(found.center[0] - box.center[0], found.center[1] - box.center[1]) < 0.2 * box.width
    assert stats.most_faces == 2


def test_a_small_face_alone_is_found_in_the_whole_image(two_people):
    gray, _, small = two_people
    alone = gray.copy()
    alone[:, :480] = 128
    found, stats = searched(alone)
    assert abs(found.center[0] - detector_box(small).center[0]) < 20
    assert stats.detector_runs == 2


def test_an_empty_image_is_searched_at_each_size_and_holds_no_face():
    found, stats = searched(np.full((1080, 1920), 90, np.uint8))
    assert found is None
    assert (stats.detector_runs, stats.detector_hits) == (3, 0)


def test_the_detector_box_moves_and_grows_with_the_face():
    points = np.random.default_rng(0).uniform(0, 200, (68, 2))
    box, larger = detector_box(points), detector_box(points * 2 + 10)
    assert larger.width == pytest.approx(2 * box.width)
    np.testing.assert_allclose(larger.center, 2 * np.array(box.center) + 10)


def test_the_unit_of_landmark_errors_is_the_distance_of_the_outer_eye_corners():
    points = np.zeros((68, 2))
    points[36], points[45] = [10, 20], [40, 60]
    assert inter_ocular_px(points) == 50


def cuts_in(images):
    detector = CutDetector()
    return [index for index, gray in enumerate(images) if detector.is_cut(gray)]


def drawn(seed, count, setting="hard", start=0):
    scene = make_scene(seed, setting, size_px=(360, 300))
    return [scene.render(index / 30, index)[..., 1] for index in range(start, start + count)]


def test_talk_motion_and_noise_are_no_cuts():
    assert cuts_in(drawn(3, 60)) == []


@pytest.mark.parametrize(("one", "other"), [(3, 4), (5, 6), (7, 8)])
def test_another_person_in_the_same_place_is_a_cut(one, other):
    assert cuts_in(drawn(one, 10, "easy") + drawn(other, 10, "easy")) == [10]


def test_light_that_is_switched_is_no_cut():
    frames = drawn(3, 20, "easy")
    assert cuts_in([frame // 2 + 100 if index >= 10 else frame // 2 for index, frame in enumerate(frames)]) == []


def test_an_image_that_changes_in_each_frame_is_no_row_of_cuts():
    rng = np.random.default_rng(2)
    found = cuts_in(rng.integers(0, 255, (20, 120, 160), dtype=np.uint8))
    assert len(found) <= 1


def test_a_change_of_size_is_left_to_others():
    assert cuts_in([np.zeros((100, 100), np.uint8), np.full((50, 60), 255, np.uint8)]) == []


def test_a_cut_to_another_person_is_counted():
    stats = TrackingStats()

    def frames():
        for index in range(60):
            scene = make_scene(3 if index < 30 else 4, "easy", size_px=(360, 300))
            decoded = exact_frame(scene.render(index / 30, index), "yuv420p")
            yield Frame(index, index / 30, make_reader(decoded, "drawn").read(decoded))

    found = [frame.points_px is not None for frame in track(frames(), FacesConfig(), backend(), stats)]
    assert sum(found) > 55
    assert stats.cuts == 1
    assert stats.restarts == 1
