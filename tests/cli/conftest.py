"""One folder of short videos for all tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from video_files import colorful, write_video

SHORT = '[windows]\nlength = "30 frames"\n'


@pytest.fixture(scope="session")
def faces(tmp_path_factory, face_clip) -> Path:
    """Two videos with a face, one of a wall and one that is no video; and the settings for windows that fit into them."""
    folder = tmp_path_factory.mktemp("cli")
    source = folder / "my videos"
    source.mkdir()
    for name in ("anna", "bert"):
        (source / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    write_video(source / "wall.mp4", [colorful(120, 160)] * 45)
    (source / "zero.avi").write_bytes(b"")
    (folder / "short.toml").write_text(SHORT)
    return source


@pytest.fixture(scope="session")
def short(faces) -> Path:
    """Settings with windows of 30 frames."""
    return faces.parent / "short.toml"
