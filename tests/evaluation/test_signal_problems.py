"""What hides a pulse, as far as it can be measured: each damage is named, and a good video has none."""

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks

from stmap_pipeline.evaluation.signal_problems import face_motion, missing_spans_s, signal_problems
from stmap_pipeline.records import BlockTrace, LandmarkTrack
from stmap_pipeline.simulation.face import MEAN_SHAPE


def blocks(duration_s=12.0, rate_hz=30.0, **options):
    return simulated_blocks(72.0, frame_times(duration_s, rate_hz), **options)


def track(times_s, sway_px=0.0):
    """A face of 120 pixels that sways twice in three seconds."""
    sway = sway_px * np.sin(2 * np.pi * times_s / 1.5)[:, None] * [1.0, 0.0]
    points = 100 + 52 * MEAN_SHAPE + sway[:, None]
    return LandmarkTrack(times_s, points.astype(np.float32), np.ones(len(times_s), np.float32))


def changed(found, means):
    return BlockTrace(found.times_s, means.astype(np.float32), found.coverage, found.grid)


def kinds(*arguments):
    return [one.kind for one in signal_problems(*arguments)]


def test_a_good_video_has_none():
    found = blocks()
    assert kinds(found, track(found.times_s), {"most_faces": 1, "bits_per_pixel": 0.1, "color_matrix": "bt601"}) == []


def test_each_damage_is_named():
    found = blocks()
    times_s, still = found.times_s, track(found.times_s)
    held = found.means[np.arange(len(times_s)) // 2 * 2]
    gap = (times_s < 4) | (times_s >= 7)
    assert kinds(changed(found, 0.2 * found.means)) == ["dark"]
    assert kinds(changed(found, np.minimum(2.5 * found.means, 255))) == ["overexposed"]
    assert kinds(changed(found, held)) == ["repeated_frames"]
    assert kinds(blocks(rate_hz=10.0)) == ["low_frame_rate"]
    assert kinds(blocks(7.0)) == ["short"]
    assert kinds(blocks(lost_s=[(3.0, 6.0)])) == ["face_lost"]
    assert kinds(BlockTrace(times_s[gap], found.means[gap], found.coverage[gap], found.grid)) == ["missing_frames"]
    assert kinds(found, track(times_s, 10.0)) == ["motion"]
    assert kinds(found, LandmarkTrack(times_s, 0.3 * still.points_px, still.score)) == ["small_face"]
    assert kinds(found, still, {"most_faces": 2, "face_changes": 1}) == ["several_faces", "another_face"]
    assert kinds(found, still, {"bits_per_pixel": 0.005, "color_matrix": "gray"}) == ["compression", "no_color"]
    faceless = blocks(7.0, lost_s=[(0.0, 99.0)])
    assert kinds(faceless, None, {"bits_per_pixel": 0.005}) == ["compression", "short"]
    assert kinds(faceless, None, {"bits_per_pixel": 0.005, "image_level": 8.0}) == ["dark", "short"]


def test_the_speed_of_a_head_is_that_in_widths_of_its_face():
    times_s = frame_times(12.0)
    width_px, speed = face_motion(track(times_s, 10.0))
    assert width_px == pytest.approx(52 * 2.32, rel=0.02)
    # a sine of 10 px and 1.5 s has a root mean square speed of 29.6 px/s
    assert speed == pytest.approx(29.6 / width_px, rel=0.1)
    assert face_motion(track(times_s))[1] < 1e-3


def test_jitter_of_a_camera_is_no_gap():
    assert missing_spans_s(frame_times(10.0, jitter=0.4)) == []
    assert missing_spans_s(np.empty(0)) == []
