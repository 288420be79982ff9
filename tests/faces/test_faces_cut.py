"""A cut is noticed and told; motion, noise, light and talk are no cuts."""

from __future__ import annotations

import numpy as np
import pytest
from measured import backend
from video_files import exact_frame

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces import TrackingStats, track
from stmap_pipeline.faces.cut import CutDetector
from stmap_pipeline.synth.scene import make_scene
from stmap_pipeline.video import Frame
from stmap_pipeline.video.frame import make_reader


def cuts_in(pictures):
    detector = CutDetector()
    return [index for index, gray in enumerate(pictures) if detector.is_cut(gray)]


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


def test_a_picture_that_changes_in_each_frame_is_no_row_of_cuts():
    rng = np.random.default_rng(2)
    found = cuts_in(rng.integers(0, 255, (20, 120, 160), dtype=np.uint8))
    assert len(found) <= 1


def test_a_change_of_size_is_left_to_others():
    assert cuts_in([np.zeros((100, 100), np.uint8), np.full((50, 60), 255, np.uint8)]) == []


def test_the_subject_is_not_swapped_in_silence():
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
