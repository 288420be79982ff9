"""Frames from arrays in MATLAB and HDF5 files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.records import ClockSource, Recording, VideoSource
from stmap_pipeline.video import arrays, open_stream
from stmap_pipeline.video.arrays import read_array_frames
from stmap_pipeline.video.probe import probe_video

PIXELS = np.random.default_rng(3).integers(0, 256, (7, 12, 10, 3), dtype=np.uint8)


def matlab5(path: Path, values: np.ndarray, **more: object) -> Path:
    scipy.io.savemat(path, {"video": values, "GT_ppg": np.zeros((1, 7)), **more}, do_compression=True)
    return path


def matlab7(path: Path, values: np.ndarray, chunks: tuple[int, ...] | bool | None = None) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("video", data=values, chunks=chunks, compression="gzip" if chunks else None)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


WRITERS = {"5": matlab5, "7.3": matlab7}


@pytest.mark.parametrize("reversed_axes", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("version", WRITERS)
def test_each_number_and_order_of_axes_gives_the_same_frames(tmp_path, monkeypatch, version, kind, reversed_axes):
    monkeypatch.setattr(arrays, "_BLOCK_BYTES", 3 * PIXELS[0].nbytes * np.dtype(kind).itemsize)  # seven frames in three blocks
    values = {"uint8": PIXELS, "uint16": PIXELS.astype(np.uint16) * 257}.get(kind, PIXELS / np.dtype(kind).type(255))
    values = values.astype(kind)
    path = WRITERS[version](tmp_path / "p1_0.mat", values.transpose(3, 2, 1, 0) if reversed_axes else values)
    frames = list(read_array_frames(path, "video"))
    assert {frame.dtype.name for frame in frames} == {"uint8" if kind == "uint8" else "uint16"}
    scale = 1 if kind == "uint8" else 257
    np.testing.assert_array_equal(np.stack(frames), PIXELS.astype(np.uint16) * scale)


def test_a_stream_of_an_array_has_planes_times_and_exact_colors(tmp_path):
    path = matlab7(tmp_path / "P000001.mat", (PIXELS / 255.0), chunks=(2, 12, 10, 3))
    recording = Recording("a", "b", "a", VideoSource(path, "array", "video"), ClockSource("constant", rate_hz=30.0))
    with open_stream(recording) as stream:
        for frame, expected in zip(stream, PIXELS, strict=True):
            planes = np.stack([plane.reshape(-1) for plane in frame.image.planes]).astype(float)
            matrix = frame.image.to_rgb
            rgb = matrix[:, :3] @ planes + matrix[:, 3:]
            np.testing.assert_allclose(rgb.T.reshape(expected.shape), expected, atol=0.002)
            assert np.abs(frame.image.gray - expected @ [0.299, 0.587, 0.114]).max() < 1.5  # 16 bits are cut to 8
        assert (stream.info.codec, stream.info.width_px, stream.info.height_px) == ("array", 10, 12)
        assert frame.time_s == pytest.approx(6 / 30)


@pytest.mark.parametrize("version", WRITERS)
@pytest.mark.parametrize(
    ("values", "reason", "what"),
    [
        (np.zeros((4, 5, 6), np.uint8), "unsupported_format", "4 x 5 x 6"),
        (np.zeros((4, 5, 6, 4), np.uint8), "unsupported_format", "4 x 5 x 6 x 4"),
        (np.full((4, 5, 6, 3), 200.0), "unsupported_format", "from 0 to 200"),
        (np.full((4, 5, 6, 3), np.nan), "unsupported_format", "nan"),
        (np.zeros((4, 5, 6, 3), np.int32), "unsupported_format", "int32"),
    ],
)
def test_what_is_no_frames_is_refused(tmp_path, version, values, reason, what):
    path = WRITERS[version](tmp_path / "a.mat", values)
    with pytest.raises(RecordingError, match=rf"a\.mat: .*{what}") as caught:
        list(read_array_frames(path, "video"))
    assert caught.value.reason == reason


@pytest.mark.parametrize("version", WRITERS)
def test_a_missing_array_is_named_with_what_is_there(tmp_path, version):
    path = WRITERS[version](tmp_path / "a.mat", PIXELS)
    with pytest.raises(RecordingError, match=r"a\.mat: holds no array 'Xsub', but .*video") as caught:
        list(read_array_frames(path, "Xsub"))
    assert caught.value.reason == "no_video_stream"


@pytest.mark.parametrize("version", WRITERS)
def test_a_check_reads_the_header_alone(tmp_path, version, monkeypatch):
    path = WRITERS[version](tmp_path / "a.mat", PIXELS / 255.0)
    monkeypatch.setattr(arrays, "_whole_numbers", None)  # reading frames would fail now
    facts = probe_video(Recording("a", "b", "a", VideoSource(path, "array", "video"), ClockSource("constant", rate_hz=30.0)))
    assert (facts.frames, facts.width_px, facts.height_px, facts.pixel_format) == (7, 10, 12, "rgb48")


@pytest.mark.parametrize("version", WRITERS)
@pytest.mark.parametrize("kept", [0, 10, 130, 1000])
def test_a_truncated_file_is_refused_by_name(tmp_path, version, kept):
    path = WRITERS[version](tmp_path / "a.mat", PIXELS)
    os.truncate(path, kept)
    with pytest.raises(RecordingError, match=r"^a\.mat: ") as caught:
        list(read_array_frames(path, "video"))
    assert caught.value.reason == "source_unreadable"


def test_damaged_bytes_never_crash(tmp_path):
    path = matlab5(tmp_path / "a.mat", PIXELS)
    data = path.read_bytes()
    random = np.random.default_rng(1)
    for _ in range(100):
        damaged = bytearray(data)
        for position in random.integers(100, len(data), 3):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(RecordingError):
            list(read_array_frames(path, "video"))


def test_an_old_array_that_must_be_loaded_as_a_whole_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", PIXELS.nbytes - 1)
    with pytest.raises(RecordingError, match="uint8 7 x 12 x 10 x 3"):
        list(read_array_frames(matlab5(tmp_path / "a.mat", PIXELS), "video"))
    assert len(list(read_array_frames(matlab7(tmp_path / "b.mat", PIXELS), "video"))) == 7  # read in blocks


def test_chunks_without_bound_and_links_to_other_files_are_refused(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("video", (1000, 1000, 1000, 3), "f4", chunks=(100, 1000, 1000, 3))
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "video")
    with pytest.raises(RecordingError, match="256 MB"):
        list(read_array_frames(path, "video"))
    with pytest.raises(RecordingError, match="no array 'elsewhere'"):
        list(read_array_frames(path, "elsewhere"))
