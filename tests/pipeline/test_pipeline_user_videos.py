"""What is decided and said about a folder of user videos before anything is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.labels import read_labels
from stmap_pipeline.pipeline import BuildPlan, check_recording, plan_build, plan_check, run_build
from stmap_pipeline.pipeline.describe import propose_description


def video(path: Path, rate_hz: float, duration_s: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = colorful(48, 64, seed=round(rate_hz))
    return write_video(path, [image] * round(rate_hz * duration_s), rate_hz=rate_hz)


def notes(plan: BuildPlan) -> list[str]:
    return [one.code for one in plan.findings]


@pytest.mark.parametrize(
    ("rates_hz", "clock", "length"),
    [
        ((29, 30), "native", "300 frames"),
        ((15, 30), "uniform", "10 s"),
        ((30, 120), "uniform", "10 s"),
        ((15,), "native", "10 s"),
        ((120,), "native", "10 s"),
    ],
)
def test_windows_last_equally_long_where_frame_rates_differ(tmp_path, rates_hz, clock, length):
    for rate_hz in rates_hz:
        video(tmp_path / "videos" / f"{rate_hz}.mp4", rate_hz)
    plan = plan_build("folder", tmp_path / "videos", tmp_path / "maps")
    assert (plan.config.windows.clock, plan.config.windows.length) == (clock, length)
    assert ("windows_in_seconds" in notes(plan)) == (length == "10 s")
    # also where only some are built
    part = plan_build("folder", tmp_path / "videos", tmp_path / "maps", limit=1)
    assert part.config == plan.config


def test_windows_that_the_user_chose_stay(tmp_path):
    for rate_hz in (15, 30):
        video(tmp_path / "videos" / f"{rate_hz}.mp4", rate_hz)
    config = Config.from_mapping({"windows": {"length": "300 frames"}})
    plan = plan_build("folder", tmp_path / "videos", tmp_path / "maps", config)
    assert plan.config == config
    step = plan_build("folder", tmp_path / "videos", tmp_path / "maps", Config.from_mapping({"windows": {"step": "2 s"}}))
    assert (step.config.windows.length, step.config.windows.step) == ("10 s", "2 s")


def test_a_length_in_seconds_has_one_number_of_samples_in_all_videos(tmp_path):
    for rate_hz in (15, 30):
        video(tmp_path / "videos" / f"{rate_hz}.mp4", rate_hz)
    config = Config.from_mapping({"windows": {"length": "6 s"}})
    plan = plan_build("folder", tmp_path / "videos", tmp_path / "maps", config)
    assert (plan.config.windows.clock, plan.config.windows.length) == ("uniform", "6 s")
    assert "windows_in_seconds" in notes(plan)
    native = Config.from_mapping({"windows": {"length": "6 s", "clock": "native"}})
    assert plan_build("folder", tmp_path / "videos", tmp_path / "maps", native).config == native


def test_rates_are_those_of_the_clock_and_not_of_the_container(tmp_path):
    source = tmp_path / "videos"
    for name in ("a", "b"):
        video(source / f"{name}.mp4", 30 if name == "a" else 25)
    (source / "b.txt").write_text("".join(f"{index / 60}\n" for index in range(60)))
    (source / "database.toml").write_text(
        '[[recording]]\nvideo = "a.mp4"\nrate_hz = 15\n[[recording]]\nvideo = "b.mp4"\ntimes = "b.txt"\n'
    )
    (note,) = (one for one in plan_build("folder", source, tmp_path / "maps").findings if one.code == "windows_in_seconds")
    assert "15 to 60 frames/s" in note.message


def test_subjects_and_label_files_are_told_before_the_build(tmp_path):
    source = tmp_path / "videos"
    for number, name in enumerate(("anna/rest.mp4", "anna/walk.mp4", "bea/rest.mp4")):
        video(source / name, 28 + number)
    (source / "anna" / "rest_hr.csv").write_text("time_s,hr\n0,70\n1,71\n")
    plan = plan_build("folder", source, tmp_path / "maps")
    assert notes(plan) == ["own_subject", "label_beside"]
    assert "2 subjects: anna (2), bea (1)" in plan.findings[0].message
    assert "rest_hr.csv" in plan.findings[1].message
    named = plan_build("folder", source, tmp_path / "maps", subject="{parent}")
    assert notes(named) == ["label_beside"]
    assert [one.subject for one in named.listed] == ["anna", "anna", "bea"]
    with pytest.raises(DatabaseError, match="mmse-hr names its subjects itself"):
        plan_build("mmse-hr", source, tmp_path / "maps", subject="{parent}")


def test_a_file_of_frame_times_is_no_label_that_was_forgotten(tmp_path):
    video(tmp_path / "anna.mp4", 30)
    (tmp_path / "anna.txt").write_text("".join(f"{k / 30:.4f}\n" for k in range(30)))
    (tmp_path / "database.toml").write_text('[[recording]]\nvideo = "anna.mp4"\ntimes = "anna.txt"\n')
    assert "label_beside" not in notes(plan_build("folder", tmp_path, tmp_path / "maps"))
    (tmp_path / "anna_hr.csv").write_text("time_s,hr\n0,70\n1,71\n")
    assert "label_beside" in notes(plan_build("folder", tmp_path, tmp_path / "maps"))


def test_copies_are_told_where_nobody_named_the_subjects(tmp_path):
    first = video(tmp_path / "videos" / "anna.mp4", 30)
    (tmp_path / "videos" / "bea.mp4").write_bytes(first.read_bytes())
    plan = plan_build("folder", tmp_path / "videos", tmp_path / "maps")
    assert [one.recording_id for one in plan.findings if one.code == "same_content"] == ["bea"]
    assert len(plan.todo) == 2


LABELED = '[[recording]]\nvideo = "clip.mkv"\n[[recording.label]]\nfile = "hr.csv"\ncolumn = "hr"\ntime_column = "time"\n'


@pytest.mark.parametrize(
    ("label_s", "code", "factor"), [(24, "video_speed", "2 times as long"), (6, "label_duration", "1/2 as long")]
)
def test_a_label_that_lasts_a_multiple_of_its_video_tells_of_a_wrong_frame_rate(tmp_path, label_s, code, factor):
    write_video(tmp_path / "clip.mkv", [colorful(32, 32, one) for one in range(120)], rate_hz=10.0, options={"preset": "ultrafast"})
    (tmp_path / "hr.csv").write_text("time,hr\n" + "".join(f"{one},{70 + one % 5}\n" for one in range(label_s)))
    (tmp_path / "database.toml").write_text(LABELED)
    plan = plan_check("folder", tmp_path)
    [found] = [one for one in check_recording(plan.todo[0], plan) if one.code in ("video_speed", "label_duration")]
    assert (found.code, factor in found.message, "rate_hz" in found.message) == (code, True, True)
    labels = read_labels(plan.todo[0], np.arange(120) / 10)
    assert any(factor in one for one in labels.notes)
    (tmp_path / "hr.csv").write_text("time,hr\n" + "".join(f"{one},{70 + one % 5}\n" for one in range(12)))
    assert not any("as long" in one for one in read_labels(plan.todo[0], np.arange(120) / 10).notes)


@pytest.mark.parametrize("rate_hz", [1000.0, 900.0])
def test_a_frame_rate_of_no_camera_is_named_by_check_and_build(tmp_path, rate_hz):
    write_video(tmp_path / "clip.mkv", [colorful(32, 32, one) for one in range(60)], times_s=np.arange(60) / rate_hz)
    plan = plan_check("folder", tmp_path)
    codes = {one.code: one.message for one in check_recording(plan.todo[0], plan)}
    assert "faster than those of any camera" in codes["frame_rate"]
    [built] = run_build(plan_build("folder", tmp_path, tmp_path.parent / f"{tmp_path.name}_maps"), 0)
    assert built.reason == "clock_unreadable"
    assert "faster than those of any camera" in built.message


def test_a_stream_without_times_of_its_frames_is_named(tmp_path):
    write_video(tmp_path / "clip.h264", [colorful(32, 32, one) for one in range(60)])
    plan = plan_check("folder", tmp_path)
    assert "no_frame_times" in {one.code for one in check_recording(plan.todo[0], plan)}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("time,hr\n", "source_missing"),
        ("time,hr\n" + "".join(f"{one if one < 6 else one + 1e9},{70 + one % 5}\n" for one in range(12)), "label_unknown"),
        ("time,hr\n" + "".join(f"{one},{70 + one % 5}\n" for one in range(12) if not 3 < one < 8), "label_unknown"),
    ],
)
def test_a_label_of_no_rows_or_with_a_gap_is_named(tmp_path, text, code):
    write_video(tmp_path / "clip.mkv", [colorful(32, 32, one) for one in range(120)], rate_hz=10.0, options={"preset": "ultrafast"})
    (tmp_path / "hr.csv").write_text(text)
    (tmp_path / "database.toml").write_text(LABELED)
    plan = plan_check("folder", tmp_path)
    found = {one.code: one.message for one in check_recording(plan.todo[0], plan)}
    assert code in found
    assert ("is empty; copy it again" in found[code]) == (code == "source_missing")


def test_a_pulse_of_a_sample_a_second_is_a_heart_rate(tmp_path):
    write_video(tmp_path / "clip.mkv", [colorful(32, 32, one) for one in range(120)], rate_hz=10.0, options={"preset": "ultrafast"})
    (tmp_path / "clip.csv").write_text(
        "Zeit;Puls\n" + "".join(f"03.05.2026 10:00:{one:02d};{73 + one % 5},0\n" for one in range(12))
    )
    (tmp_path / "database.toml").write_text(propose_description(tmp_path).text)
    plan = plan_check("folder", tmp_path)
    labels = read_labels(plan.todo[0], np.arange(120) / 10)
    assert labels.heart_rate_from == "heart_rate"
    assert labels.heart_rate is not None
    assert labels.heart_rate.mean_between(0.0, 10.0) == pytest.approx(75.0)
    text = (tmp_path / "database.toml").read_text().replace('kind = "heart_rate"', 'kind = "pulse"')
    (tmp_path / "database.toml").write_text(text)
    plan = plan_check("folder", tmp_path)
    assert "label_unreadable" in {one.code for one in check_recording(plan.todo[0], plan)}


@pytest.mark.parametrize("unit_s", [1.0, 1e-6])
def test_a_label_is_not_compared_with_frame_times_in_a_wrong_unit(tmp_path, unit_s):
    write_video(tmp_path / "clip.mkv", [colorful(32, 32, one) for one in range(120)], rate_hz=10.0, options={"preset": "ultrafast"})
    (tmp_path / "times.csv").write_text("frame,timestamp_ms\n" + "".join(f"{one},{100 * one + one % 3}\n" for one in range(120)))
    (tmp_path / "hr.csv").write_text("time_s,hr\n" + "".join(f"{one},{70 + one % 5}\n" for one in range(12)))
    (tmp_path / "database.toml").write_text(
        f'[[recording]]\nvideo = "clip.mkv"\ntimes = "times.csv"\ntimes_column = "timestamp_ms"\ntimes_unit_s = {unit_s}\n'
        '[[recording.label]]\nkind = "heart_rate"\nfile = "hr.csv"\ncolumn = "hr"\ntime_column = "time_s"\n'
    )
    plan = plan_check("folder", tmp_path)
    assert [one.code for one in check_recording(plan.todo[0], plan)] == ["frame_rate"]
    (built,) = run_build(plan_build("folder", tmp_path, tmp_path / "maps"), 0)
    assert built.reason == "clock_unreadable"
    assert "times.csv" in built.message
    assert "hr.csv" not in built.message


def test_a_label_that_cannot_be_read_is_named_beside_a_wrong_clock(tmp_path):
    write_video(tmp_path / "clip.mkv", [colorful(32, 32, one) for one in range(120)], rate_hz=10.0, options={"preset": "ultrafast"})
    (tmp_path / "times.csv").write_text("".join(f"{100 * one}\n" for one in range(120)))
    (tmp_path / "hr.csv").write_text("time_s,hr\n" + "".join(f"{one},1.2\n" for one in range(12)))
    (tmp_path / "database.toml").write_text(
        '[[recording]]\nvideo = "clip.mkv"\ntimes = "times.csv"\n'
        '[[recording.label]]\nkind = "heart_rate"\nfile = "hr.csv"\ncolumn = "hr"\ntime_column = "time_s"\n'
    )
    plan = plan_check("folder", tmp_path)
    found = {one.code: one.message for one in check_recording(plan.todo[0], plan)}
    assert set(found) == {"frame_rate", "label_unreadable"}
    assert "look like hertz" in found["label_unreadable"]
