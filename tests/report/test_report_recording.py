"""The section of a recording: the contact pulse over the estimate, where the blocks lie, and a frame with a face only where asked for."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.maps import simulated_result
from support.videos import write_video

from stmap_pipeline.blocks.grid import grid_corners_px
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.evaluation import uniform_pulse
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import LandmarkTrack, RoiGrid, VideoSource
from stmap_pipeline.report.charts import Image
from stmap_pipeline.report.face_outline import face_crop, face_sketch
from stmap_pipeline.report.recording_page import NO_VIDEO, examine_recording, pulse_panel
from stmap_pipeline.simulation.face import MEAN_SHAPE

WINDOW = (0.0, 10.0)


@pytest.mark.parametrize("method", ["pos", "chrom", "green"])
def test_beats_of_estimate_and_contact_pulse_rise_together_at_one_height(method):
    one = simulated_result(72.0, pulse=True, light=0.0)
    drawn, contact = pulse_panel(one, uniform_pulse(one.blocks, method), WINDOW, method).series
    assert np.allclose(drawn.x, contact.x)
    inner = slice(30, 270)
    assert np.corrcoef(drawn.y[inner], contact.y[inner])[0, 1] > 0.8
    assert np.nanstd(contact.y) == pytest.approx(np.nanstd(drawn.y))


def test_the_contact_pulse_keeps_its_times():
    one = simulated_result(60.0, pulse=True)
    late = replace(one, pulse=replace(one.pulse, times_s=one.pulse.times_s + 0.25))
    [_, at], [_, moved] = (pulse_panel(each, uniform_pulse(each.blocks), WINDOW).series for each in (one, late))
    first, second = (np.interp(np.arange(2, 8, 0.01), each.x, each.y) for each in (at, moved))
    shifts = [np.corrcoef(first[50 - n : 500 - n], second[50:500])[0, 1] for n in range(50)]
    assert int(np.argmax(shifts)) == pytest.approx(25, abs=2)


def test_without_a_contact_pulse_or_with_one_that_is_unknown_the_estimate_stands_alone():
    one = simulated_result(72.0, pulse=True)
    unknown = replace(one, pulse=replace(one.pulse, value=np.full_like(one.pulse.value, np.nan)))
    elsewhere = replace(one, pulse=replace(one.pulse, times_s=one.pulse.times_s + 100))
    for each in (replace(one, pulse=None), unknown, elsewhere):
        assert [line.key for line in pulse_panel(each, uniform_pulse(each.blocks), WINDOW).series] == ["POS"]


def test_the_sketch_numbers_blocks_where_they_lie():
    drawing = ET.fromstring(face_sketch(RoiGrid(5, 5), 1.2))  # noqa: S314 - our own
    places = {one.text: (float(one.get("x")), float(one.get("y"))) for one in drawing.iter("text")}
    assert list(places) == [str(one) for one in range(25)]
    assert places["0"][0] < places["4"][0]
    assert places["0"][1] == places["4"][1] < places["20"][1]
    # block 12 is on the nose, in the middle of the drawing
    width = float(drawing.get("viewBox").split()[2]) - 4
    assert places["12"][0] == pytest.approx(width / 2, rel=0.05)
    assert face_sketch(RoiGrid(16, 12), 1.2).count("<text") == 4


COLOR = np.array([40, 120, 200], dtype=np.uint8)


def with_video(folder: Path, frames: int = 6, first: int = 3):
    """A recording whose face appears in frame ``first``, which alone is of one color, and its video."""
    images = [np.full((240, 320, 3), COLOR if number == first else 90, np.uint8) for number in range(frames)]
    path = write_video(folder / "video.mkv", images, codec="ffv1", pixel_format="bgr0")
    one = example_result(frames=frames)
    points = np.full((frames, 68, 2), np.nan, np.float32)
    points[first:] = (MEAN_SHAPE * 40 + (160, 90)).astype(np.float32)
    track = LandmarkTrack(one.track.times_s, points, np.where(np.arange(frames) < first, np.nan, 1.0).astype(np.float32))
    return replace(one, track=track), replace(one.recording, video=VideoSource(path))


def pixels(image: Image) -> np.ndarray:
    kind, _, data = image.source.partition(",")
    assert kind == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


@pytest.mark.parametrize("align", ["pose", "eyes"])
def test_the_crop_is_the_first_frame_with_a_face_and_has_the_grid_on_it(tmp_path, align):
    result, listed = with_video(tmp_path)
    image = face_crop(result, listed, BlocksConfig(align=align))
    assert isinstance(image, Image), image
    assert "frame 3" in image.alt
    crop = pixels(image).astype(int)
    assert np.abs(crop[2, 2] - COLOR).max() < 8
    bright = (crop.min(axis=2) > 180).sum(axis=0)
    # three lines down for two columns of blocks, which are as high as the face box
    assert (bright > 0.4 * len(crop)).sum() == pytest.approx(3, abs=3)
    # the face alone, not the room
    assert crop.shape[0] * crop.shape[1] < 0.75 * 240 * 320


@pytest.mark.parametrize("align", ["pose", "eyes"])
def test_corners_of_blocks_follow_the_face_and_enclose_it(align):
    way = np.linspace(0, 30, 90)
    points = MEAN_SHAPE * 40 + np.stack([150 + way, 120 + 0 * way], axis=1)[:, None]
    track = LandmarkTrack(np.arange(90) / 30, points.astype(np.float32), np.ones(90, np.float32))
    first, last = (grid_corners_px(track, frame, RoiGrid(5, 5), BlocksConfig(align=align)) for frame in (0, 89))
    assert np.allclose(last - first, np.array([30, 0])[:, None, None], atol=0.3)
    # from cheek to cheek, and down to the chin
    assert first[0].min() == pytest.approx(points[0, :, 0].min(), abs=2)
    assert first[1].max() == pytest.approx(points[0, 8, 1], abs=2)


def test_why_there_is_no_frame_is_said_in_a_sentence(tmp_path):
    result, listed = with_video(tmp_path)
    gone = replace(listed, video=VideoSource(tmp_path / "gone.mkv"))
    assert face_crop(result, gone, BlocksConfig()) == "The frame cannot be shown: gone.mkv: no such file"
    short = replace(result, track=replace(result.track, points_px=np.roll(result.track.points_px, 2, axis=0)))
    short.track.points_px[:5] = np.nan
    result_short, listed_short = with_video(tmp_path, frames=4)
    assert "ends before frame 5" in face_crop(short, listed_short, BlocksConfig())
    unseen = replace(result, track=replace(result.track, points_px=np.full_like(result.track.points_px, np.nan)))
    assert face_crop(unseen, listed, BlocksConfig()) == "No face was known in any frame."
    assert isinstance(face_crop(result_short, listed_short, BlocksConfig()), Image)


def test_a_frame_is_read_only_where_faces_may_be_shown(tmp_path):
    result, listed = with_video(tmp_path, frames=60)
    [hidden, open_, lost] = [
        examine_recording(result, "r", BlocksConfig(), **options)[2]
        for options in ({"listed": listed}, {"listed": listed, "show_faces": True}, {"show_faces": True})
    ]
    assert (hidden.face, hidden.charts["shape"]) == ("", None)
    assert isinstance(open_.face, Image)
    assert lost.face == NO_VIDEO
