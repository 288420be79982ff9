"""Frames come once, in order, with their own times; every defect of a file has a reason code."""

from __future__ import annotations

import os
import wave
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import span_problem
from stmap_pipeline.records import ClockSource, Recording, VideoSource
from stmap_pipeline.video import open_stream
from stmap_pipeline.video.stream import DecodedFrame, decode_container, prefetch


def recording(path):
    return Recording("a", "folder", "a", VideoSource(path))


def images(folder):
    return Recording("a", "mmse-hr", "a", VideoSource(folder, "images"), ClockSource("constant", rate_hz=25.0))


def times_of(one):
    with open_stream(one) as stream:
        return [frame.time_s for frame in stream], stream


@pytest.fixture(scope="module")
def jittered(tmp_path_factory):
    """A video whose frames come 20 to 60 ms apart while its header has one rate."""
    times_s = np.round(np.cumsum(np.r_[0, np.random.default_rng(1).uniform(0.02, 0.06, 39)]), 4)
    path = tmp_path_factory.mktemp("video") / "jittered.mp4"
    write_video(path, [colorful(seed=index) for index in range(40)], times_s=times_s)
    return path, times_s


def test_times_are_the_presentation_times_not_the_headers_rate(jittered):
    path, times_s = jittered
    found, stream = times_of(recording(path))
    np.testing.assert_allclose(found, times_s, atol=1.1e-4)
    assert stream.clock.repaired == 0


def test_times_are_those_of_the_containers_fractions_to_the_last_digit(jittered):
    path, _ = jittered
    with av.open(str(path)) as container:
        exact = [Fraction(frame.pts) * frame.time_base for frame in container.decode(video=0)]
    assert [one.pts_s for one in decode_container(path)] == [float(one) for one in exact]


def test_a_file_of_times_replaces_the_containers(jittered, tmp_path):
    listed = tmp_path / "time.txt"
    listed.write_bytes(b"\r\n".join(b"%d" % (40 * index + index % 3) for index in range(40)) + b"\r\n")
    found, _ = times_of(Recording("a", "folder", "a", VideoSource(jittered[0]), ClockSource("times_file", listed, 0.001)))
    np.testing.assert_allclose(found, [(40 * index + index % 3) / 1000 for index in range(40)])


def test_surplus_frames_have_no_time_and_are_counted(jittered, tmp_path):
    listed = tmp_path / "time.txt"
    listed.write_text("\n".join(str(33 * index) for index in range(38)))
    one = Recording("a", "folder", "a", VideoSource(jittered[0]), ClockSource("times_file", listed, 0.001))
    found, stream = times_of(one)
    assert (len(found), stream.decoded, stream.clock.surplus) == (38, 40, 2)
    stream.clock.check("x", limit=0.06)
    with pytest.raises(RecordingError, match=r"40 frames .*38 times .*time\.txt") as caught:
        stream.clock.check("x", limit=0.05)
    assert caught.value.reason == "clock_mismatch"


def test_a_constant_clock_counts_frames(jittered):
    found, _ = times_of(Recording("a", "folder", "a", VideoSource(jittered[0]), ClockSource("constant", rate_hz=25.0)))
    np.testing.assert_allclose(found, np.arange(40) / 25)


def test_an_elementary_stream_without_times_gets_the_nominal_interval_and_is_counted(tmp_path):
    path = write_video(tmp_path / "a.h264", [colorful(seed=index) for index in range(10)], options={"bf": "0"})
    found, stream = times_of(recording(path))
    assert len(found) == 10
    assert np.all(np.diff(found) > 0)
    assert stream.clock.repaired >= 9 or np.allclose(np.diff(found), np.diff(found)[0])


def test_images_come_in_natural_order_with_a_constant_clock(tmp_path):
    for index in (10, 9, 0, 1, 2, 100):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((16, 16, 3), index, np.uint8))
    one = images(tmp_path)
    with open_stream(one) as stream:
        levels = [int(frame.image.planes[0][0, 0]) for frame in stream]
    assert levels == [0, 1, 2, 9, 10, 100]


def test_jpegs_stay_ycbcr(tmp_path):
    image = colorful()
    cv2.imwrite(str(tmp_path / "000.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    one = images(tmp_path)
    with open_stream(one) as stream:
        (frame,) = list(stream)
    assert stream.info.pixel_format.startswith("yuvj")
    assert stream.info.full_range
    samples = [float(plane.mean()) for plane in frame.image.planes]
    rgb = frame.image.to_rgb[:, :-1] @ samples + frame.image.to_rgb[:, -1]
    np.testing.assert_allclose(rgb, image.reshape(-1, 3).mean(axis=0), atol=0.3)


def test_a_damaged_image_keeps_its_place_on_the_clock(tmp_path):
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), colorful(seed=index))
    (tmp_path / "2.jpg").write_bytes(b"\xff\xd8 not a picture")
    one = images(tmp_path)
    found, stream = times_of(one)
    np.testing.assert_allclose(found, [0.0, 0.04, 0.12, 0.16])
    assert stream.decode_errors == 1


def test_rotation_in_the_metadata_turns_the_image(tmp_path):
    image = np.zeros((32, 64, 3), np.uint8)
    image[:16, :32] = 255
    path = write_video(tmp_path / "a.mp4", [image] * 3)
    data = bytearray(path.read_bytes())
    # the display matrix in the track header, 16.16 fixed point: a quarter turn clockwise, as a phone held upright writes it
    start = data.index(b"tkhd") + 4 + 40
    for index, value in enumerate([0, 0x10000, 0, -0x10000 & 0xFFFFFFFF, 0, 0, 0, 0, 0x40000000]):
        data[start + 4 * index : start + 4 * index + 4] = value.to_bytes(4, "big")
    path.write_bytes(data)
    with open_stream(recording(path)) as stream:
        frame = next(iter(stream))
        gray = frame.image.gray.copy()
        assert (stream.info.width_px, stream.info.height_px, stream.info.rotation_deg) == (32, 64, 270)
    assert gray.shape == (64, 32)
    # the bright corner was at the top left; a clockwise quarter turn brings it to the top right
    assert gray[8, 24] > 200 > 50 > gray[8, 8]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "source_unreadable"),
        (b"this is no video at all" * 100, "source_unreadable"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "source_unreadable"),
    ],
)
def test_what_is_no_video_is_named_as_such(tmp_path, content, reason):
    path = tmp_path / "broken.avi"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"broken\.avi") as caught:
        times_of(recording(path))
    assert caught.value.reason == reason


def test_a_missing_file_and_an_empty_folder_are_missing_sources(tmp_path):
    with pytest.raises(RecordingError) as caught:
        open_stream(recording(tmp_path / "nowhere.mp4"))
    assert caught.value.reason == "source_missing"
    with pytest.raises(RecordingError) as caught:
        times_of(images(tmp_path))
    assert caught.value.reason == "source_missing"


def make_pipe(path):
    os.mkfifo(path)


def make_link_to_a_device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("make", [make_pipe, make_link_to_a_device, Path.mkdir])
def test_only_regular_files_are_opened_in_a_folder_of_images(tmp_path, make):
    for index in (0, 2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), colorful())
    make(tmp_path / "1.png")
    with pytest.raises(RecordingError, match=r"1\.png") as caught:
        times_of(images(tmp_path))
    assert caught.value.reason == "source_unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_video_that_is_no_regular_file_is_not_opened(tmp_path):
    make_pipe(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", tmp_path, Path("/dev/zero")):
        with pytest.raises(RecordingError) as caught:
            open_stream(recording(path))
        assert caught.value.reason == "source_unreadable"


def test_a_link_to_an_image_that_is_gone_is_a_damaged_frame(tmp_path):
    for index in (0, 2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), colorful())
    (tmp_path / "1.png").symlink_to("nowhere.png")
    found, stream = times_of(images(tmp_path))
    np.testing.assert_allclose(found, [0.0, 0.08])
    assert stream.decode_errors == 1


def test_an_audio_file_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(b"\0\0" * 8000)
    with pytest.raises(RecordingError, match=r"sound\.wav") as caught:
        times_of(recording(tmp_path / "sound.wav"))
    assert caught.value.reason == "no_video_stream"


def test_a_truncated_file_gives_the_frames_that_are_there(tmp_path):
    path = write_video(tmp_path / "a.avi", [colorful(seed=index) for index in range(30)], codec="mjpeg", pixel_format="yuvj420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, _ = times_of(recording(path))
    assert 8 <= len(found) <= 20


def test_a_stream_without_frames_is_no_recording(tmp_path):
    path = write_video(tmp_path / "a.mkv", [colorful()] * 2, codec="ffv1")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])
    with pytest.raises(RecordingError) as caught:
        times_of(recording(path))
    assert caught.value.reason in ("no_frames", "source_unreadable")


def test_an_image_of_another_size_is_refused_with_the_frame(tmp_path):
    for index, size in enumerate([32, 32, 48]):
        cv2.imwrite(str(tmp_path / f"{index}.png"), colorful(size, size))
    with pytest.raises(RecordingError, match=r"32x32 .* 48x48 .* at frame 3") as caught:
        times_of(images(tmp_path))
    assert caught.value.reason == "unsupported_format"


def test_a_title_in_another_encoding_is_no_reason_to_refuse_a_video(tmp_path):
    path = tmp_path / "titled.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "caf_"
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(colorful(96, 96), "rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"caf_", b"caf\xe9"))
    with open_stream(Recording("a", "folder", "a", VideoSource(path))) as frames:
        assert len(list(frames)) == 1


def test_a_few_frames_are_decoded_ahead_and_no_more():
    taken = []

    def source():
        for index in range(100):
            taken.append(index)
            yield DecodedFrame(None, None, float("nan"), "none", index)

    passed = [(one.errors, len(taken)) for one in prefetch(source())]
    assert [index for index, _ in passed] == list(range(100))
    assert max(count - index for index, count in passed) <= 16


def test_times_that_leap_are_told_from_times_with_holes():
    regular_s = np.arange(900) / 30
    bursts_s = np.cumsum(np.tile([0.001, 0.065], 3000))
    for fine_s in ([], [5.0], regular_s, bursts_s, np.r_[regular_s, regular_s + 90], np.arange(50) * 2.0, np.arange(3600) * 1.0):
        assert span_problem(fine_s) == ""
    for leap_s in (1e3, 2e4, 3e8, 1e300):
        assert "frame time must be wrong" in span_problem(np.r_[regular_s, leap_s])
        assert span_problem(np.r_[-leap_s, regular_s])
        # many leaps are no slow camera
        assert span_problem(np.arange(60) * leap_s)


# images in an archive


def archive(tmp_path, folder="F001/T1"):
    path = tmp_path / "F001.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(12):  # 10.jpg comes after 9.jpg
            data = cv2.imencode(".png", np.full((16, 16, 3), 10 * number, np.uint8))[1].tobytes()
            file.writestr(f"{folder}/{number}.png", data)
            file.writestr(f"{folder}0/{number}.png", data)
        file.writestr(f"{folder}/notes.txt", "no image")
    return path


@pytest.mark.parametrize("folder", ["F001/T1", "2D+3D/F001/T1"])
def test_images_of_an_archive_come_in_natural_order(tmp_path, folder):
    video = VideoSource(archive(tmp_path, folder), "images", "F001/T1")
    with open_stream(Recording("a", "bp4d-plus", "a", video, ClockSource("constant", rate_hz=25.0))) as stream:
        assert [int(frame.image.gray[0, 0]) for frame in stream] == [10 * number for number in range(12)]


def test_damaged_images_of_an_archive_are_counted_and_a_damaged_archive_is_refused(tmp_path):
    path = archive(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"F001/T1/3.png") + 60] ^= 0xFF  # the checksum differs now
    path.write_bytes(data)
    one = Recording("a", "b", "a", VideoSource(path, "images", "F001/T1"), ClockSource("constant", rate_hz=25.0))
    times_s, stream = times_of(one)
    assert (len(times_s), stream.decode_errors) == (11, 1)
    assert times_s[3] == pytest.approx(4 / 25)
    path.write_bytes(data[:100])
    for broken, reason in (
        (one, "source_unreadable"),
        (replace(one, video=replace(one.video, path=tmp_path)), "source_unreadable"),
    ):
        with pytest.raises(RecordingError) as caught:
            times_of(broken)
        assert caught.value.reason == reason


def two_streams(path, first, second, frames=10):
    """A file with two video streams of one frame rate, each with one picture."""
    with av.open(str(path), "w") as container:
        streams = []
        for image in (first, second):
            stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
            stream.height, stream.width = image.shape[:2]
            stream.pix_fmt = "yuv420p"
            streams.append(stream)
        for _ in range(frames):
            for stream, image in zip(streams, (first, second), strict=True):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_streams_the_one_in_color_is_read(order, tmp_path):
    gray = np.repeat(colorful(48, 64)[:, :, :1], 3, axis=2)
    images = [gray, colorful(96, 128)]
    path = two_streams(tmp_path / "two.mkv", *(images[index] for index in order))
    with open_stream(recording(path)) as stream:
        shapes = {frame.image.gray.shape for frame in stream}
        assert shapes == {(96, 128)}
        assert (stream.info.stream, stream.info.streams) == (order.index(1), 2)


def test_of_two_gray_streams_the_first_is_read(tmp_path):
    gray = np.repeat(colorful(48, 64)[:, :, :1], 3, axis=2)
    path = two_streams(tmp_path / "two.mkv", gray, np.repeat(np.repeat(gray, 2, axis=0), 2, axis=1))
    with open_stream(recording(path)) as stream:
        assert next(iter(stream)).image.gray.shape == (48, 64)
        assert (stream.info.stream, stream.info.streams) == (0, 2)


def test_an_image_is_turned_counterclockwise(tmp_path):
    path = write_video(tmp_path / "one.mp4", [colorful(48, 64)] * 3, options={"crf": "1"})
    with open_stream(recording(path)) as stream, open_stream(recording(path), 1) as turned:
        upright, sideways = (next(iter(one)).image.gray.copy() for one in (stream, turned))
        np.testing.assert_array_equal(sideways, np.rot90(upright))
        assert (turned.info.rotation_deg, turned.info.width_px, turned.info.height_px) == (90, 48, 64)
