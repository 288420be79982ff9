"""What tracking hands on follows from the stored landmarks: rounding them again, or reading them back, changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measured import backend
from video_files import exact_frame

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces import track
from stmap_pipeline.faces.kept import StaleTrackError, replay
from stmap_pipeline.records import LandmarkTrack
from stmap_pipeline.shards.recording_file import quantize_landmarks, restore_landmarks
from stmap_pipeline.synth.scene import make_scene
from stmap_pipeline.video import Frame
from stmap_pipeline.video.frame import make_reader

# 4:2:0 in a picture whose sides are no multiples of four
SIZE_PX = (278, 250)


@pytest.fixture(scope="module")
def frames():
    """A face for 30 frames, a wall for 15, the face again: with its edge near the picture's."""
    scene, wall = make_scene(3, "easy", heart_rate_bpm=72.0, size_px=SIZE_PX), np.full((*SIZE_PX[::-1], 3), 120, np.uint8)
    made = []
    for index in range(60):
        decoded = exact_frame(wall if 30 <= index < 45 else scene.render(index / 30, index), "yuv420p")
        made.append(Frame(index, index / 30, make_reader(decoded, "drawn").read(decoded)))
    return made


def stored(tracked) -> LandmarkTrack:
    """Give the landmarks as a shard gives them back."""
    lost = np.full((68, 2), np.nan)
    points = np.array([lost if one.points_px is None else one.points_px for one in tracked], np.float32)
    return LandmarkTrack(
        np.array([one.time_s for one in tracked]),
        restore_landmarks(*quantize_landmarks(points)),
        np.array([one.score for one in tracked], np.float32),
    )


@pytest.mark.parametrize("mode", ["tracked", "per-frame"])
def test_stored_landmarks_give_the_frames_that_tracking_gave(frames, mode):
    tracked = list(track(frames, FacesConfig(mode=mode), backend()))
    again = list(replay(frames, stored(tracked)))
    assert 20 < sum(one.points_px is not None for one in tracked) < 60
    assert len(again) == len(tracked)
    for one, other in zip(tracked, again, strict=True):
        assert (one.index, one.time_s, one.image_size_px) == (other.index, other.time_s, other.image_size_px)
        assert (one.points_px is None) == (other.points_px is None)
        if one.points_px is not None:
            np.testing.assert_array_equal(one.points_px, other.points_px)
            assert one.score == pytest.approx(other.score, rel=1e-6)
            assert one.image.origin_px == other.image.origin_px
            for plane, its in zip((one.image.gray, *one.image.planes), (other.image.gray, *other.image.planes), strict=True):
                np.testing.assert_array_equal(plane, its)


def test_a_track_of_another_video_is_refused(frames):
    track = LandmarkTrack(np.arange(60) / 30, np.full((60, 68, 2), np.nan, np.float32), np.full(60, np.nan, np.float32))
    assert len(list(replay(frames, track))) == 60
    with pytest.raises(StaleTrackError, match="60 frames, and 59 were decoded"):
        list(replay(frames[:-1], track))
    shorter = LandmarkTrack(track.times_s[:-1], track.points_px[:-1], track.score[:-1])
    with pytest.raises(StaleTrackError, match=r"frame 59 at 1\.9667 s has no stored landmarks"):
        list(replay(frames, shorter))
    later = [replace(frame, time_s=frame.time_s + 1e-9) for frame in frames]
    with pytest.raises(StaleTrackError, match="frame 0 at"):
        list(replay(later, track))
