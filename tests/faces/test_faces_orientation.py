"""A face that stands sideways or upside down is found, by an estimate and by a build; a wall is not turned."""

import numpy as np
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.faces import find_turn
from stmap_pipeline.pipeline.worker import build_recording, load_backend
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.synth.scene import make_scene


@pytest.fixture(scope="module")
def pictures():
    scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(240, 240))
    return [scene.render(index / 15, index) for index in range(31)]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_turn_that_shows_a_face_is_found(pictures, turns):
    gray = [np.ascontiguousarray(np.rot90(one[:, :, 1], -turns)) for one in pictures[::15]]
    assert find_turn(gray, load_backend("dlib68")) == turns


def test_a_wall_has_no_turn():
    assert find_turn([colorful(240, 240)[:, :, 1]] * 3, load_backend("dlib68")) is None
    assert find_turn([], load_backend("dlib68")) is None


def test_a_video_that_stands_sideways_is_built_turned_and_noted(pictures, tmp_path):
    sideways = [np.ascontiguousarray(np.rot90(one, -1)) for one in pictures]
    path = write_video(tmp_path / "sideways.mp4", sideways, rate_hz=15, options={"crf": "12"})
    one = Recording("a", "folder", "a", VideoSource(path))
    found = build_recording(one, Config())
    assert found.track.found.mean() > 0.9
    assert (found.attributes["turned_deg"], found.attributes["rotation_deg"]) == (90, 90)
    assert any("turned by 90" in note for note in found.notes)
    config = Config.from_mapping({"faces": {"rotate": "90"}})
    np.testing.assert_array_equal(build_recording(one, config).blocks.means, found.blocks.means)
    upright = Config.from_mapping({"faces": {"rotate": "0"}, "limits": {"max_lost_fraction": 1.0}})
    assert not build_recording(one, upright).track.found.any()
