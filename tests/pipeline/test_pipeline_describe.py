"""A proposed database.toml: subjects, label files and frame times as they are found, and nothing that cannot be read."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.databases.folder import list_recordings
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.pipeline.check import check_recording, plan_check
from stmap_pipeline.pipeline.describe import propose_description

SECONDS = 12
CLIP: list[bytes] = []


def video(path: Path) -> Path:
    if not CLIP:
        made = path.parent / "made.avi"
        made.parent.mkdir(parents=True, exist_ok=True)
        write_video(made, [colorful(32, 48)] * (10 * SECONDS), codec="mjpeg", pixel_format="yuvj420p", rate_hz=10)
        CLIP.append(made.read_bytes())
        made.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    # a chunk that readers leave out makes each file a video of its own
    path.write_bytes(CLIP[0] + b"JUNK" + len(path.as_posix()).to_bytes(4, "little") + path.as_posix().encode())
    return path


def proposed(root: Path, subject: str = "") -> list[dict]:
    """Entries that were proposed; they are listed and checked as they stand."""
    text = propose_description(root, subject).text
    entries = tomllib.loads(text)["recording"]
    (root / "database.toml").write_text(text, encoding="utf-8")
    assert list(list_recordings(root))
    plan = plan_check("folder", root)
    found = [*plan.findings, *(one for recording in plan.todo for one in check_recording(recording, plan))]
    assert [one for one in found if one.severity == "problem"] == []
    return entries


def labels(entry: dict) -> dict:
    (label,) = entry["label"]
    return {key: value for key, value in label.items() if key != "file"}


def test_where_some_people_have_folders_of_visits_the_upper_folders_are_the_people(tmp_path):
    for name in ("anna/visit_1/rest", "anna/visit_2/rest", "bea/rest", "cleo/visit_1/rest"):
        video(tmp_path / f"{name}.avi")
    assert [one["subject"] for one in proposed(tmp_path)] == ["anna", "anna", "bea", "cleo"]


def test_folders_are_people_and_one_entry_describes_all(tmp_path):
    for name in ("anna/rest", "anna/walk", "\u674e/rest"):
        video(tmp_path / f"{name}.avi")
        (tmp_path / f"{name}_hr.csv").write_text("Time (s);Heart Rate\n" + "".join(f"{second};71,5\n" for second in range(SECONDS)))
    assert proposed(tmp_path) == [
        {
            "video": "*/*.avi",
            "subject": "{parent}",
            "label": [
                {"kind": "heart_rate", "file": "{dir}/{stem}_hr.csv", "column": "Heart Rate", "time_column": "Time (s)"},
            ],
        }
    ]
    assert [one.subject for one in list_recordings(tmp_path)] == ["anna", "anna", "\u674e"]


@pytest.mark.parametrize(
    ("names", "subjects"),
    [
        (("p1/rest/v", "p1/walk/v", "p2/rest/v"), ["p1", "p1", "p2"]),
        (("s01_rest", "s01_walk", "s02_rest"), ["s01", "s01", "s02"]),
        (("rest", "walk"), ["rest.avi", "walk.avi"]),
        (("all/rest", "all/walk"), ["all__rest.avi", "all__walk.avi"]),
    ],
)
def test_people_are_found_in_the_names(tmp_path, names, subjects):
    for name in names:
        video(tmp_path / f"{name}.avi")
    proposed(tmp_path)
    assert [one.subject for one in list_recordings(tmp_path)] == subjects


def test_the_user_may_name_the_people(tmp_path):
    for name in ("one/anna", "two/bea"):
        video(tmp_path / f"{name}.avi")
    proposed(tmp_path, "{stem}")
    assert [one.subject for one in list_recordings(tmp_path)] == ["anna", "bea"]
    with pytest.raises(DatabaseError, match=r"database\.toml: is there already and is not overwritten"):
        propose_description(tmp_path)


def pulse(rate_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * 1.2 * np.arange(round(SECONDS * rate_hz)) / rate_hz)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("".join("72\n" for _ in range(SECONDS)), {"kind": "heart_rate", "column": 0, "rate_hz": 1.0}),
        ("HR\n" + "1.2\n" * SECONDS, {"kind": "heart_rate", "column": "HR", "unit": "hz", "rate_hz": 1.0}),
        (
            "t,bpm\n" + "".join(f"{1000 * second},72\n" for second in range(SECONDS)),
            {"kind": "heart_rate", "column": "bpm", "time_column": "t", "time_unit_s": 0.001},
        ),
        (
            "Name,Start time,Average heart rate (bpm)\nAnna,10:00:00,72\nTime,HR (bpm)\n"
            + "".join(f"00:00:{second:02d},72\n" for second in range(SECONDS)),
            {"kind": "heart_rate", "column": "HR (bpm)", "time_column": "Time"},
        ),
        (
            "time,hr\n" + "".join(f"2026-05-03T10:00:{second:02d}Z,72\n" for second in range(SECONDS)),
            {"kind": "heart_rate", "column": "hr", "time_column": "time", "starts_with_video": True},
        ),
        (
            "Zeit;Puls (1/min);Resp (1/min);SpO2\n" + "".join(f"{second},0;71,5;15;98\n" for second in range(SECONDS)),
            {"kind": "heart_rate", "column": "Puls (1/min)", "time_column": "Zeit"},
        ),
        (
            "\u65f6\u95f4,\u8109\u7387\n" + "".join(f"{second},72\n" for second in range(SECONDS)),
            {"kind": "heart_rate", "column": "\u8109\u7387", "time_column": "\u65f6\u95f4"},
        ),
        (
            "SpO2,Pulse,Pleth\n" + "".join(f"98,72,{value:.4f}\n" for value in pulse(60)),
            {"kind": "pulse", "column": "Pleth", "rate_hz": 60.0},
        ),
        ("rr_ms\n" + "833\n" * 14, {"kind": "rr", "column": "rr_ms"}),
        ("BVP\n" + "".join(f"{value:.4f}\n" for value in pulse(64)), {"kind": "pulse", "column": "BVP", "rate_hz": 64.0}),
        ("".join(f"{value:.4f}\n" for value in pulse(10)), {"kind": "pulse", "column": 0, "per_frame": True}),
    ],
)
def test_columns_of_a_label_are_recognized_and_read(tmp_path, text, label):
    video(tmp_path / "rest.avi")
    (tmp_path / "rest.csv").write_text(text)
    (entry,) = proposed(tmp_path)
    assert labels(entry) == label


def test_frame_times_are_no_label(tmp_path):
    video(tmp_path / "anna" / "video.avi")
    (tmp_path / "anna" / "time.txt").write_text("".join(f"{100 * index + index % 7}\n" for index in range(10 * SECONDS)))
    (tmp_path / "anna" / "gt_HR.csv").write_text("HR\n" + "72\n" * SECONDS)
    (tmp_path / "anna" / "notes.txt").write_text("a quiet day\n")
    (entry,) = proposed(tmp_path)
    assert (entry["times"], entry["times_unit_s"]) == ("{dir}/time.txt", 0.001)
    assert entry["label"][0]["file"] == "{dir}/gt_HR.csv"
    (tmp_path / "database.toml").unlink()
    assert "notes.txt" in propose_description(tmp_path).notes[0]


def test_what_cannot_be_read_is_a_comment_with_the_reason(tmp_path):
    video(tmp_path / "rest.avi")
    (tmp_path / "rest.csv").write_text("time_s,hr\n" + "".join(f"{second + 500},72\n" for second in range(SECONDS)))
    (entry,) = proposed(tmp_path)
    assert "label" not in entry
    text = (tmp_path / "database.toml").read_text()
    assert "# to be filled in: rest.csv: covers 500 s" in text
    assert '# column = "hr"' in text


def test_a_table_with_a_row_for_each_frame_gives_their_times_and_the_labels(tmp_path):
    video(tmp_path / "anna/rest.avi")
    rows = (f"{k / 10:.1f},{np.sin(k / 1.3):.3f},72\n" for k in range(10 * SECONDS))
    (tmp_path / "anna/rest.csv").write_text("time_s,ppg,heart_rate\n" + "".join(rows))
    (entry,) = proposed(tmp_path)
    assert entry["times"] == "{dir}/{stem}.csv"
    assert entry["times_column"] == "time_s"
    assert {one["kind"]: one["column"] for one in entry["label"]} == {"heart_rate": "heart_rate", "pulse": "ppg"}


def test_milliseconds_since_1970_are_times_of_frames(tmp_path):
    video(tmp_path / "anna/rest.avi")
    rows = (f"{1_600_000_000_000 + 100 * k},{np.sin(k / 1.3):.3f}\n" for k in range(10 * SECONDS))
    (tmp_path / "anna/rest.csv").write_text("timestamp,bvp\n" + "".join(rows))
    (entry,) = proposed(tmp_path)
    assert (entry["times_column"], entry["times_unit_s"]) == ("timestamp", 0.001)
    assert labels(entry) == {"kind": "pulse", "column": "bvp", "time_column": "timestamp", "time_unit_s": 0.001}


def test_the_times_of_a_pulse_are_no_pulse(tmp_path):
    video(tmp_path / "anna/rest.avi")
    rows = (f"{k / 10:.1f},{k / 10 + 0.03:.2f},{np.sin(k / 1.3):.3f}\n" for k in range(10 * SECONDS))
    (tmp_path / "anna/rest.csv").write_text("time_s,ppg_timestamp,ppg\n" + "".join(rows))
    (entry,) = proposed(tmp_path)
    assert labels(entry)["column"] == "ppg"


@pytest.mark.parametrize("header", ["ms;Pulse\n", ""])
def test_a_pulse_of_a_row_for_each_frame_that_is_beats_per_minute_is_a_heart_rate(header, tmp_path):
    video(tmp_path / "anna/rest.avi")
    rows = (f"{100 * k};{72 + k // 25}\n" for k in range(10 * SECONDS))
    (tmp_path / "anna/rest.csv").write_text(header + "".join(rows))
    (entry,) = proposed(tmp_path)
    assert labels(entry)["kind"] == "heart_rate"


@pytest.mark.parametrize(("rows", "is_clock"), [(10 * SECONDS + 2, True), (10 * SECONDS + 5, False)])
def test_a_file_of_more_times_than_a_check_allows_is_not_proposed_as_frame_times(rows, is_clock, tmp_path):
    video(tmp_path / "anna/rest.avi")
    (tmp_path / "anna/rest_times.csv").write_text("time_s\n" + "".join(f"{k / 10:.1f}\n" for k in range(rows)))
    (entry,) = proposed(tmp_path)
    assert ("times" in entry) == is_clock


def test_the_command_in_the_text_is_one_that_can_be_typed(tmp_path):
    root = tmp_path / "Studie Z\u00fcrich 2026"
    video(root / "anna" / "rest.avi")
    (line,) = [one for one in propose_description(root).text.splitlines() if "stmap check" in one]
    assert shlex.split(line.removeprefix("#"))[-1] == str(root)
