"""Date and time of a video by its container."""

from pathlib import Path

import av
import numpy as np
import pytest

from stmap_pipeline.records import VideoSource
from stmap_pipeline.video import video_start


def clip(path: Path, **metadata: str) -> VideoSource:
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata)
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return VideoSource(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_time_that_a_camera_writes_is_read(tmp_path: Path, suffix: str) -> None:
    assert video_start(clip(tmp_path / f"a{suffix}", creation_time="2024-05-03T10:00:00Z")).startswith("2024-05-03T10:00:00")


def test_what_has_no_time_has_none(tmp_path: Path) -> None:
    assert video_start(clip(tmp_path / "a.mp4")) == ""
    assert video_start(VideoSource(tmp_path / "gone.mp4")) == ""
    assert video_start(VideoSource(tmp_path, "images")) == ""
    (tmp_path / "b.mp4").write_bytes(b"no video")
    assert video_start(VideoSource(tmp_path / "b.mp4")) == ""
