"""Keys of what a recording is derived from: images in archives, and labels in the file of the video."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import scipy.io

from stmap_pipeline.pipeline.sources import labels_key, video_bytes, video_key, video_stamp
from stmap_pipeline.records import LabelSource, Recording, VideoSource


def archive(path: Path, pixels: bytes, others: bytes = b"other") -> Recording:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("F001/T1/0.jpg", pixels)
        file.writestr("F001/T2/0.jpg", others)
    return Recording("F001_T01", "bp4d-plus", "F001", VideoSource(path, "images", "F001/T1"))


def test_images_of_an_archive_have_the_key_of_their_own_contents(tmp_path: Path) -> None:
    first, moved = archive(tmp_path / "F001.zip", b"one"), archive(tmp_path / "copy.zip", b"one", b"another task")
    assert video_key(first) == video_key(moved)
    assert video_key(first) != video_key(archive(tmp_path / "new.zip", b"two"))
    assert video_bytes(first) == 3
    assert video_stamp(first)


def test_a_label_in_the_file_of_the_video_is_in_the_key_of_the_video(tmp_path: Path) -> None:
    path = tmp_path / "p1_0.mat"
    scipy.io.savemat(path, {"video": np.zeros((2, 4, 4, 3), np.uint8), "GT_ppg": np.zeros((1, 2))})
    one = Recording(
        "p01_00", "mmpd", "p01", VideoSource(path, "array", "video"), labels=(LabelSource("pulse", path, "GT_ppg", per_frame=True),)
    )
    before = labels_key(one), video_key(one)
    scipy.io.savemat(path, {"video": np.zeros((2, 4, 4, 3), np.uint8), "GT_ppg": np.ones((1, 2))})
    assert labels_key(one) == before[0]  # a file of half a gigabyte is not read for it in each run
    assert video_key(one) != before[1]
