"""What many tests share: short real videos of a drawn face."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.cli import four_videos
from support.videos import write_video

# a deadline is a timing test, and so is a limit for drawing examples, and machines are busy; the same examples in each run, so that a
# failure is of the change at hand
settings.register_profile("stmap", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stmap")

# to collect it for its examples would import it, and hide from all tests what it hides from others
collect_ignore = ["support/without_posix"]


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory) -> Path:
    """Two seconds of a drawn face, 60 frames of 240 x 240."""
    from stmap_pipeline.synth.scene import make_scene

    scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(240, 240))
    path = tmp_path_factory.mktemp("face") / "face.mp4"
    return write_video(path, (scene.render(index / 30, index) for index in range(60)), options={"crf": "12"})


@pytest.fixture(scope="module")
def four(tmp_path_factory, face_clip) -> tuple[Path, Path]:
    """Videos that the tests of several commands build, and settings for them."""
    return four_videos(tmp_path_factory.mktemp("four"), face_clip)


@pytest.fixture(scope="module")
def faces(four) -> Path:
    """The four videos alone."""
    return four[0]


@pytest.fixture(scope="module")
def short(four) -> Path:
    """Settings with windows that fit into them."""
    return four[1]
