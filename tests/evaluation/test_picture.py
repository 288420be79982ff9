"""Frames that repeat the one before are found in real streams, and left out of an estimate."""

from __future__ import annotations

import numpy as np
import pytest
from support.videos import write_video

from stmap_pipeline.evaluation.estimate import estimate_video, known_share
from stmap_pipeline.evaluation.picture import PictureMeter
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import LandmarkTrack, Recording, VideoSource
from stmap_pipeline.synth.scene import make_scene
from stmap_pipeline.video import open_stream

RATE_HZ, COUNT = 15.0, 60
FROZEN = [*range(10, 20), *range(31, 36)]


def film(noise, shown=None, speed=1):
    """Frames of a picture with noise that moves by some pixels a frame; each shows another time where ``shown`` says so."""
    random = np.random.default_rng(3)
    picture = random.integers(40, 200, (12, 16, 3)).repeat(10, axis=0).repeat(10, axis=1)
    moved = (np.roll(picture, speed * index, axis=1) for index in range(COUNT))
    frames = [(one + random.normal(0, noise, one.shape)).clip(0, 255).astype(np.uint8) for one in moved]
    return [frames[index] for index in (range(COUNT) if shown is None else shown)]


def measured(path, lost=()):
    """A video that was looked at, and landmarks of a face in its middle."""
    meter, times_s = PictureMeter(), []
    with open_stream(Recording("clip", "folder", "clip", VideoSource(path))) as stream:
        for frame in stream:
            meter.add(frame)
            times_s.append(frame.time_s)
    points = np.random.default_rng(0).uniform((50, 30), (110, 90), (68, 2)).astype(np.float32)[None].repeat(len(times_s), axis=0)
    points[list(lost)] = np.nan
    return meter, LandmarkTrack(np.array(times_s), points, np.ones(len(times_s), np.float32))


def repeated(path, lost=()):
    """Numbers of the frames of a video that repeat one."""
    meter, track = measured(path, lost)
    return np.flatnonzero(meter.repeated(track)).tolist()


@pytest.mark.parametrize(
    "codec",
    [
        {"codec": "libx264", "options": {"crf": "16"}},
        {"codec": "libx264", "options": {"crf": "26", "preset": "veryfast"}},
        {"codec": "mjpeg", "pixel_format": "yuvj420p"},
        {"codec": "libvpx-vp9", "options": {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "8"}},
    ],
)
def test_frozen_frames_are_found_and_no_others(codec, tmp_path):
    shown = [9 if 10 <= one < 20 else 30 if 31 <= one < 36 else one for one in range(COUNT)]
    path = tmp_path / ("clip.webm" if "vpx" in codec["codec"] else "clip.mkv")
    found = repeated(write_video(path, film(4.0, shown), rate_hz=RATE_HZ, **codec))
    # an encoder may go on to refine a picture that stands still
    assert set(found) <= set(FROZEN)
    assert len(found) >= 0.7 * len(FROZEN)


def test_each_frame_twice_is_half_of_the_frames(tmp_path):
    twice = film(4.0, [one // 2 for one in range(COUNT)])
    path = write_video(tmp_path / "clip.mkv", twice, rate_hz=30.0, options={"crf": "0"})
    assert repeated(path) == list(range(1, COUNT, 2))


def test_a_quiet_film_repeats_nothing(tmp_path):
    assert repeated(write_video(tmp_path / "clip.mkv", film(0.5, speed=0), rate_hz=RATE_HZ, options={"crf": "0"})) == []


def test_a_picture_that_is_no_film_repeats_nothing(tmp_path):
    assert repeated(write_video(tmp_path / "clip.mkv", film(0.0, speed=0), rate_hz=RATE_HZ)) == []


def test_frames_without_a_face_are_not_looked_at(tmp_path):
    shown = [9 if 10 <= one < 20 else 30 if 31 <= one < 36 else one for one in range(COUNT)]
    path = write_video(tmp_path / "clip.mkv", film(4.0, shown), rate_hz=RATE_HZ, options={"crf": "0"})
    assert repeated(path, lost=range(10, 15)) == [*range(15, 20), *range(31, 36)]


@pytest.mark.parametrize(("codec", "pixel_format"), [("libx264", "yuv420p"), ("mjpeg", "yuvj420p")])
def test_what_is_black_or_white_is_no_background(codec, pixel_format, tmp_path):
    picture = np.full((120, 320, 3), 120, np.uint8)
    picture[:, 200:240], picture[:, 240:] = 0, 255
    meter, track = measured(
        write_video(tmp_path / "clip.mkv", [picture] * 10, rate_hz=RATE_HZ, codec=codec, pixel_format=pixel_format)
    )
    # the face and what is below it touch four of eight columns, one is black and two are white
    assert meter.background(track).luma.shape == (10, 6)


def test_a_photograph_is_told_by_frames_that_repeat(tmp_path):
    picture = make_scene(1, "easy", size_px=(160, 160)).render(2.0, 0)
    found = estimate_video(write_video(tmp_path / "clip.mkv", [picture] * 100, rate_hz=RATE_HZ, codec="ffv1"))
    assert found.reason == "no_pulse"
    assert "of the frames repeat the one before" in found.message
    assert "background" not in found.message


def test_what_is_left_of_a_video_that_freezes_is_told_as_such(tmp_path):
    scene = make_scene(1, "easy", size_px=(160, 160))
    frames = (scene.render(shown / RATE_HZ, shown) for shown in (min(one, 60) for one in range(180)))
    found = estimate_video(write_video(tmp_path / "clip.mp4", frames, rate_hz=RATE_HZ, options={"crf": "14"}))
    assert found.reason == "too_short"
    assert "the video lasts 12.0 s (7.9 s repeat a frame), and what is left is less than one window" in found.message


def test_a_face_that_freezes_has_the_rate_of_the_rest(tmp_path):
    scene = make_scene(1, "easy", heart_rate_bpm=78.0, size_px=(240, 240))
    # three of each ten frames are frozen
    frames = (scene.render(shown / RATE_HZ, shown) for shown in (one - max(0, one % 10 - 6) for one in range(180)))
    found = estimate_video(write_video(tmp_path / "clip.mp4", frames, rate_hz=RATE_HZ, options={"crf": "14"}))
    assert found.heart_rate_bpm == pytest.approx(78.0, abs=2)
    assert [one.text for one in found.problems if one.kind == "repeated_frames"] == ["30% of the frames repeat the one before"]


def test_gaps_over_which_traces_are_interpolated_count_as_known_where_frames_repeat():
    blocks = example_result(frames=300).blocks
    # one new frame in twelve, 0.4 s apart, beside a second of usual ones
    kept = blocks.at((np.arange(300) % 12 == 0) | (np.arange(300) < 30))
    spans_s = np.array([[0.0, 10.0]])
    assert known_share(kept, spans_s)[0] < 0.6
    assert known_share(kept, spans_s, 0.5)[0] == pytest.approx(1.0, abs=0.05)
    assert known_share(kept, spans_s, 0.3)[0] < 0.6
