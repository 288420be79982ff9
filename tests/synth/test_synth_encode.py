"""Frames become files that hold the right colors, times and rates, the same bytes each time."""

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stmap_pipeline.errors import OutputError
from stmap_pipeline.synth.encode import CODECS, encode_jpeg, write_video, yuv_planes

SIZE = (96, 64)


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(1)
    ramp = np.linspace(40, 200, SIZE[0])[None, :, None] * [0.9, 0.7, 0.6]
    return [(i / 30, np.rint(ramp + i + rng.normal(0, 1.5, (SIZE[1], SIZE[0], 3))).astype(np.uint8)) for i in range(12)]


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        return rate, [(frame.time, frame) for frame in container.decode(stream)]


@given(arrays(np.uint8, (4, 6, 3)), st.booleans())
def test_the_conversion_is_that_of_the_standard(image, full_range):
    luma, blue, red = yuv_planes(image, full_range)
    rgb = image / 255
    y = rgb @ [0.299, 0.587, 0.114]
    scale, black, chroma = (255, 0, 255) if full_range else (219, 16, 224)
    np.testing.assert_allclose(luma, y * scale + black, atol=0.51)

    def small(plane):
        return plane.reshape(2, 2, 3, 2).mean(axis=(1, 3))

    # full-range chroma of pure blue or red is 255.5: it is clipped
    np.testing.assert_allclose(blue, np.minimum(small((rgb[..., 2] - y) / 1.772) * chroma + 128, 255), atol=0.51)
    np.testing.assert_allclose(red, np.minimum(small((rgb[..., 0] - y) / 1.402) * chroma + 128, 255), atol=0.51)


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_frames_give_the_same_bytes(tmp_path, frames, codec):
    for name in ("a", "b"):
        assert write_video(tmp_path / name, frames, CODECS[codec], SIZE, 25.0) == len(frames)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


ENCODED_ANEW = """
import sys
import numpy as np
from stmap_pipeline.synth.encode import CODECS, write_video

wave = np.sin(np.arange(96 * 64 * 3).reshape(64, 96, 3) / 7) * 60
frames = ((i / 30, np.rint(120 + wave * np.cos(i / 5) + i).astype(np.uint8)) for i in range(40))
write_video(sys.argv[1], frames, CODECS[sys.argv[2]], (96, 64))
"""


def test_no_byte_comes_from_memory_that_nobody_wrote(tmp_path):
    for fill in ("85", "170"):
        # glibc fills each new piece of memory with this byte; elsewhere it is a plain second run
        environment = {**os.environ, "MALLOC_PERTURB_": fill}
        subprocess.run([sys.executable, "-c", ENCODED_ANEW, str(tmp_path / fill), "h264-mp4"], env=environment, check=True)
    assert (tmp_path / "85").read_bytes() == (tmp_path / "170").read_bytes()


@pytest.mark.parametrize("codec", CODECS)
def test_the_container_may_claim_another_rate(tmp_path, frames, codec):
    write_video(tmp_path / "video", frames, CODECS[codec], SIZE, 25.0)
    rate, got = decoded(tmp_path / "video")
    assert rate == Fraction(25)
    np.testing.assert_allclose([time_s for time_s, _ in got], np.arange(12) / 25, atol=1e-9)


def test_times_are_kept_in_an_mp4(tmp_path, frames):
    times = np.cumsum(np.random.default_rng(3).uniform(0.02, 0.06, 12)) - 0.02
    times -= times[0]
    write_video(tmp_path / "video", zip(times, [image for _, image in frames], strict=True), CODECS["h264-mp4"], SIZE)
    np.testing.assert_allclose([time_s for time_s, _ in decoded(tmp_path / "video")[1]], times, atol=1e-5)


@pytest.mark.parametrize("codec", CODECS)
def test_colors_survive(tmp_path, frames, codec):
    write_video(tmp_path / "video", frames, CODECS[codec], SIZE, 25.0)
    full = CODECS[codec].full_range
    for (_, frame), (_, image) in zip(decoded(tmp_path / "video")[1], frames, strict=True):
        assert (frame.width, frame.height) == SIZE
        planes = np.split(frame.to_ndarray().ravel(), np.cumsum([96 * 64, 48 * 32]))
        for got, sent in zip(planes, yuv_planes(image, full), strict=True):
            # what quantization shifts, not what a wrong matrix or range would
            assert got.mean() == pytest.approx(sent.mean(), abs=0.8)


def test_the_range_is_told(tmp_path, frames):
    write_video(tmp_path / "a", frames, CODECS["mjpeg-avi"], SIZE, 25.0)
    assert decoded(tmp_path / "a")[1][0][1].color_range == 2
    write_video(tmp_path / "b", frames, CODECS["h264-mp4"], SIZE, 25.0)
    assert decoded(tmp_path / "b")[1][0][1].color_range == 1


def test_an_odd_size_is_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="95x64"):
        write_video(tmp_path / "video", frames, CODECS["mjpeg-avi"], (95, 64), 25.0)


def test_a_folder_that_is_not_there_is_named(tmp_path, frames):
    with pytest.raises(OutputError, match="none"):
        write_video(tmp_path / "none" / "video", frames, CODECS["mjpeg-avi"], SIZE, 25.0)


def test_a_jpeg_shows_the_picture():
    image = np.full((32, 32, 3), (200, 120, 40), np.uint8)
    import cv2

    back = cv2.imdecode(np.frombuffer(encode_jpeg(image), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_allclose(back, image, atol=3)
