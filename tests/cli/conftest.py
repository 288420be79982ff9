"""Videos that the tests of several commands build."""

from __future__ import annotations

import pytest
from cli_runs import four_videos


@pytest.fixture(scope="module")
def four(tmp_path_factory, face_clip):
    return four_videos(tmp_path_factory.mktemp("four"), face_clip)


@pytest.fixture(scope="module")
def faces(four):
    return four[0]


@pytest.fixture(scope="module")
def short(four):
    return four[1]
