"""The main job on real recordings: a face with its PPG, and rooms in which nobody is."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from support.cli import stmap
from support.videos import real

from stmap_pipeline.evaluation import estimate_heart_rate, heart_rate_over_time
from stmap_pipeline.shards import Shards

DESCRIPTION = """\
name = "one clip"
[[recording]]
video = "sample_video_1.mp4"
subject = "s1"
[[recording.label]]
kind = "pulse"
file = "sample_vitals_1.csv"
column = "ppg"
per_frame = true
[[recording.label]]
kind = "heart_rate"
file = "sample_vitals_1.csv"
column = "hr_ppg"
per_frame = true
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The stored recording of a real face, built by the command line, and the folder it stands in."""
    folder = real("rouast_clip1")
    source, out = tmp_path_factory.mktemp("clip"), tmp_path_factory.mktemp("clip-maps") / "maps"
    for name in ("sample_video_1.mp4", "sample_vitals_1.csv"):
        (source / name).symlink_to(folder / name)
    (source / "database.toml").write_text(DESCRIPTION)
    run = stmap("build-maps", "--db", "folder", source, out, "--jobs", "1")
    assert run.code == 0, run.err
    with Shards(out) as shards:
        return shards.recording("sample_video_1"), out


def test_the_stored_times_are_those_of_the_frames_and_not_of_the_header(clip):
    recording, out = clip
    times_s = recording.blocks.times_s
    assert len(times_s) == 354
    steps_ms = 1000 * np.diff(times_s)
    np.testing.assert_allclose(steps_ms, 33.3, atol=0.1)
    (row,) = csv.DictReader((out / "recordings.csv").read_text("utf-8").splitlines())
    assert float(row["container_rate_hz"]) == pytest.approx(30.098, abs=1e-3)
    assert float(row["rate_hz"]) == pytest.approx(30.0, abs=0.02)
    assert row["clock"] == "pts"


def test_the_whole_clip_has_the_heart_rate_of_the_contact_sensor(clip):
    recording, _ = clip
    ppg_bpm = estimate_heart_rate(recording.pulse)
    assert ppg_bpm == pytest.approx(75.5, abs=1.0)
    assert estimate_heart_rate(recording.blocks, "pos") == pytest.approx(ppg_bpm, abs=3.0)


def test_windows_of_six_seconds_follow_the_contact_sensor(clip):
    recording, _ = clip
    found, label = heart_rate_over_time(recording.blocks, "pos"), heart_rate_over_time(recording.pulse)
    assert found.times_s.tolist() == label.times_s.tolist()
    assert len(found.times_s) >= 5
    assert np.isfinite(found.heart_rate_bpm).all()
    assert np.median(np.abs(found.heart_rate_bpm - label.heart_rate_bpm)) <= 3.0


def test_windows_have_the_labels_of_their_frames(clip):
    _, out = clip
    rows = list(csv.DictReader((out / "windows.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 4
    with (real("rouast_clip1") / "sample_vitals_1.csv").open() as file:
        rates = [float(row["hr_ppg"]) for row in csv.DictReader(file)]
    for row in rows:
        start, stop = int(row["start"]), int(row["stop"])
        assert stop - start == 300
        assert float(row["heart_rate_bpm"]) == pytest.approx(np.mean(rates[start:stop]), abs=0.2)
        assert float(row["valid_fraction"]) == 1.0


def test_a_black_and_an_empty_room_fail_for_want_of_a_face(tmp_path):
    source = tmp_path / "rooms"
    source.mkdir()
    (source / "black.mp4").symlink_to(real("lowlight/10_7_0_light.mp4"))
    (source / "empty.mp4").symlink_to(real("lowlight/noface_room_60fps_overlay.mp4"))
    run = stmap("build-maps", "--db", "folder", source, tmp_path / "maps", "--jobs", "2")
    assert run.code == 3
    rows = {row["recording_id"]: row for row in csv.DictReader((tmp_path / "maps/outcomes.csv").read_text("utf-8").splitlines())}
    for row in rows.values():
        assert (row["status"], row["stage"], row["reason"]) == ("failed", "faces", "no_face")
    # the header says 592
    assert "100% of 542 frames" in rows["black"]["message"]
    assert re.search(r"^  x black +faces +.* 542 frames", run.err, re.MULTILINE)
    assert f"{tmp_path}/maps/outcomes.csv (2 no_face)" in run.err
