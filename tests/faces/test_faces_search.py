"""Large faces are sought first, in a small picture; one that is known to be small keeps its place."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from measured import backend

from stmap_pipeline.faces import TrackingStats
from stmap_pipeline.faces.geometry import detector_box
from stmap_pipeline.faces.search import search
from stmap_pipeline.synth.scene import Acting, HeadMotion, make_scene


def still(seed, size_px):
    return replace(make_scene(seed, "easy", size_px=size_px), motion=HeadMotion(), acting=Acting(seed, 0.0))


@pytest.fixture(scope="module")
def two_people():
    """A large face on the left, a small one on the right; the picture and the landmarks of each."""
    large, small = still(3, (480, 480)), still(5, (160, 160))
    gray = np.full((480, 800), 128, np.uint8)
    gray[:, :480] = cv2.cvtColor(large.render(0.0, 0), cv2.COLOR_RGB2GRAY)
    gray[160:320, 600:760] = cv2.cvtColor(small.render(0.0, 0), cv2.COLOR_RGB2GRAY)
    return gray, large.landmarks(0.0), small.landmarks(0.0) + np.array([600, 160])


def looked_for(gray, near=None):
    stats = TrackingStats()
    return search(gray, backend(), stats, near), stats


def test_the_largest_face_is_found_in_a_small_picture(two_people):
    gray, large, _ = two_people
    found, stats = looked_for(gray)
    box = detector_box(large)
    assert np.hypot(found.center[0] - box.center[0], found.center[1] - box.center[1]) < 0.15 * box.width
    assert 0.8 < found.width / box.width < 1.25
    assert (stats.detector_runs, stats.detector_hits) == (1, 1)


def test_a_small_face_that_was_followed_is_not_given_up_for_a_large_one(two_people):
    gray, _, small = two_people
    found, stats = looked_for(gray, near=small)
    box = detector_box(small)
    assert box.width < 160
    assert np.hypot(found.center[0] - box.center[0], found.center[1] - box.center[1]) < 0.2 * box.width
    assert stats.most_faces == 2


def test_a_small_face_alone_is_found_in_the_whole_picture(two_people):
    gray, _, small = two_people
    alone = gray.copy()
    alone[:, :480] = 128
    found, stats = looked_for(alone)
    assert abs(found.center[0] - detector_box(small).center[0]) < 20
    assert stats.detector_runs == 2


def test_an_empty_picture_is_searched_at_each_size_and_holds_no_face():
    found, stats = looked_for(np.full((1080, 1920), 90, np.uint8))
    assert found is None
    assert (stats.detector_runs, stats.detector_hits) == (3, 0)
