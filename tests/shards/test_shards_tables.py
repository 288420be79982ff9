"""Tables: what is written comes back, each column has a unit and a meaning, and the rows of a build are what they say."""

import csv
import dataclasses
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.maps import cut_windows
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import HeartRateTrace, Outcome, Window
from stmap_pipeline.shards import tables
from stmap_pipeline.shards.tables import Column, read_columns, read_table, write_table

COLUMNS = [
    Column("recording_id", "", "recording"),
    Column("message", "", "one line"),
    Column("frames", "", "frames decoded", "int"),
    Column("start_s", "s", "start", "float"),
]
ROW = {"recording_id": "p001", "message": "fine", "frames": 300, "start_s": 0.1}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "recording_id": texts,
                "message": texts,
                "frames": st.one_of(st.none(), st.integers(-(10**15), 10**15)),
                "start_s": st.floats(allow_nan=False),
            }
        ),
        max_size=6,
    )
)
@settings(deadline=None, max_examples=60)
def test_write_then_read_is_the_identity_and_a_row_is_a_line(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    write_table(path, COLUMNS, rows)
    assert read_table(path) == rows
    assert path.read_bytes().count(b"\n") == len(rows) + 1
    assert b"\r" not in path.read_bytes()


def test_the_awkward_message(tmp_path):
    message = 'C:\\new\\"video", part 1;\r\nsecond line \\n not a break\n'
    write_table(tmp_path / "a.csv", COLUMNS, [ROW | {"message": message}])
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2
    assert read_table(tmp_path / "a.csv")[0]["message"] == message


@pytest.mark.parametrize("text", ["=cmd|'/C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\\=1", "a=b"])
def test_no_text_is_a_formula_to_a_spreadsheet(tmp_path, text):
    write_table(tmp_path / "a.csv", COLUMNS, [ROW | {"message": text}])
    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert not row["message"].startswith(("=", "+", "-", "@", "\t"))
    assert read_table(tmp_path / "a.csv")[0]["message"] == text


def test_unknown_is_an_empty_cell(tmp_path):
    write_table(tmp_path / "a.csv", COLUMNS, [{"recording_id": "p001", "start_s": float("nan")}])
    assert (tmp_path / "a.csv").read_text() == "recording_id,message,frames,start_s\np001,,,\n"
    row = read_table(tmp_path / "a.csv")[0]
    assert (row["message"], row["frames"]) == ("", None)
    assert row["start_s"] != row["start_s"]


def test_the_dictionary_says_what_each_column_means(tmp_path):
    write_table(tmp_path / "a.csv", COLUMNS, [])
    assert json.loads((tmp_path / "a.json").read_text())["start_s"] == {"Description": "start", "Units": "s", "Kind": "float"}
    assert read_columns(tmp_path / "a.csv") == COLUMNS
    assert read_table(tmp_path / "a.csv") == []


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"colour": 1}, "row 1 .*colour"),
        ({"frames": 1.5}, r"frames .*int.*1\.5"),
        ({"frames": "many"}, "frames .*'many'"),
        ({"frames": float("nan")}, "frames .*nan"),
        ({"start_s": "late"}, "start_s .*float.*'late'"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_nothing_written(tmp_path, row, text):
    with pytest.raises(ValueError, match=text):
        write_table(tmp_path / "a.csv", COLUMNS, [row])
    assert list(tmp_path.iterdir()) == []


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'recording_id', 'message', 'frames', 'start_s', 'recording_id'"):
        write_table(tmp_path / "a.csv", [*COLUMNS, COLUMNS[0]], [])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"recording_id,message,frames\n", r"first line .*a\.json"),
        (b"", r"first line .*a\.json"),
        (b"recording_id,message,frames,start_s\np001,fine,300\n", "line 2: has 3 cells, not 4"),
        (b"recording_id,message,frames,start_s\np001,fine,300,0.1\np002,fine,many,0.1\n", "line 3: frames .*'many'"),
        (b"recording_id,message,frames,start_s\np001,fine,300,soon\n", "line 2: start_s .*'soon'.*float"),
        (b'recording_id,message,frames,start_s\np001,"fine,300,0.1\n', "is no table"),
        (b"recording_id,message,frames,start_s\n\xff,,,\n", "is no table"),
    ],
)
def test_a_damaged_table_is_named_with_line_and_column(tmp_path, content, text):
    write_table(tmp_path / "a.csv", COLUMNS, [ROW])
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ShardError, match=text) as caught:
        read_table(tmp_path / "a.csv")
    assert str(tmp_path / "a.csv") in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"a": 1}', b'{"a": {"Units": "", "Description": "", "Kind": "complex"}}', b"\xff"]
)
def test_a_damaged_dictionary_is_named(tmp_path, content):
    write_table(tmp_path / "a.csv", COLUMNS, [ROW])
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ShardError, match=r"a\.json"):
        read_table(tmp_path / "a.csv")


def test_a_missing_table_or_dictionary_is_named(tmp_path):
    with pytest.raises(ShardError, match=r"a\.json"):
        read_table(tmp_path / "a.csv")
    write_table(tmp_path / "a.csv", COLUMNS, [ROW])
    (tmp_path / "a.csv").unlink()
    with pytest.raises(ShardError, match=r"a\.csv: is not there"):
        read_table(tmp_path / "a.csv")


def test_a_folder_in_the_way_is_an_output_error(tmp_path):
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "a.csv" / "x").write_text("x")
    with pytest.raises(OutputError, match=r"a\.csv"):
        write_table(tmp_path / "a.csv", COLUMNS, [ROW])


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_table_that_is_a_pipe_or_a_device_is_refused_at_once(tmp_path, suffix):
    write_table(tmp_path / "a.csv", COLUMNS, [ROW])
    path = (tmp_path / "a.csv").with_suffix(suffix)
    for make in (os.mkfifo, lambda one: one.symlink_to("/dev/zero")):
        path.unlink()
        make(path)
        with pytest.raises(ShardError, match="not a regular file"):
            read_table(tmp_path / "a.csv")


def test_a_recording_row_describes_the_video_and_its_label():
    one = example_result(frames=300, lost=slice(0, 30))
    rates = HeartRateTrace(np.arange(-2.0, 14.0), np.r_[200.0, 200.0, 60.0 + np.arange(10.0), np.nan, 200.0, 200.0, 200.0])
    row = tables.recording_row(dataclasses.replace(one, heart_rate=rates, notes=("a", "b")))
    assert (row["heart_rate_min_bpm"], row["heart_rate_max_bpm"], row["heart_rate_mean_bpm"]) == (60.0, 69.0, 64.5)
    assert row["duration_s"] == pytest.approx(10.0)
    assert (row["frames"], row["valid_fraction"], row["fold"]) == (300, 0.9, 1)
    assert row["coverage"] == pytest.approx(0.9)
    assert row["notes"] == "a | b"
    assert row["clock"] == "constant"


@pytest.mark.parametrize("rate", [None, HeartRateTrace([], []), HeartRateTrace([0.0], [np.nan])])
def test_a_recording_without_label_has_unknown_heart_rates(rate):
    row = tables.recording_row(dataclasses.replace(example_result(frames=30), heart_rate=rate))
    assert np.isnan([row["heart_rate_min_bpm"], row["heart_rate_mean_bpm"], row["heart_rate_max_bpm"]]).all()


def test_an_attribute_may_not_replace_a_column():
    with pytest.raises(ValueError, match=r"frames .*recordings\.csv"):
        tables.recording_row(dataclasses.replace(example_result(), attributes={"frames": 3}))


def test_facts_become_columns_with_unit_and_kind():
    rows = [
        {"recording_id": "a", "pixel_format": "nv12", "detections": 3, "gap_max_s": 1, "snr_db": 2.5},
        {"recording_id": "b", "gap_max_s": 0.5, "lost_fraction": float("nan")},
    ]
    told = Column("snr_db", "dB", "signal to noise of POS", "float")
    found = {one.name: one for one in tables.with_extra_columns(tables.RECORDINGS, rows, {"snr_db": told})}
    assert list(found)[len(tables.RECORDINGS) :] == ["pixel_format", "detections", "gap_max_s", "snr_db", "lost_fraction"]
    assert [(found[name].kind, found[name].unit) for name in ("pixel_format", "detections", "gap_max_s", "lost_fraction")] == [
        ("str", ""),
        ("int", ""),
        ("float", "s"),
        ("float", "1"),
    ]
    assert found["snr_db"] is told


@given(
    numbers=st.lists(st.floats(-1e6, 1e6), min_size=7, max_size=7),
    bpm=st.one_of(st.just(float("nan")), st.floats(30, 250)),
    start=st.integers(0, 10**6),
)
@settings(deadline=None)
def test_a_window_survives_its_row(numbers, bpm, start):
    one = Window("p001_v1", start, start + 300, numbers[0], numbers[1], bpm, numbers[2], numbers[3], numbers[4], 3, numbers[5])
    row = tables.window_row(one, "p001", tables.RESAMPLED_WINDOWS)
    assert repr(tables.windows_from_columns({name: [cell] for name, cell in row.items()})) == repr([one])


def test_windows_survive_the_table(tmp_path):
    result = example_result(frames=400, lost=slice(3, 10))
    windows = [
        *cut_windows(result, WindowsConfig()),
        *cut_windows(dataclasses.replace(result, heart_rate=None), WindowsConfig(step="7 frames")),
    ]
    write_table(tmp_path / "windows.csv", tables.WINDOWS, [tables.window_row(one, "p001") for one in windows])
    rows = read_table(tmp_path / "windows.csv")
    cells = {name: [row[name] for row in rows] for name in rows[0]}
    assert repr(tables.windows_from_columns(cells)) == repr(windows)
    assert set(cells["subject"]) == {"p001"}


def test_outcomes_keep_what_is_equal_from_run_to_run_and_timings_the_rest(tmp_path):
    one = Outcome(
        "a", "p001", "failed", "faces", "no_face", 'no "face"\nat all', frames=3, timings={"faces_s": 2.5, "decode_s": 1.0}
    )
    row = tables.outcome_row(one)
    assert set(row) == {column.name for column in tables.OUTCOMES}
    write_table(tmp_path / "outcomes.csv", tables.OUTCOMES, [row])
    again = tables.outcome_from_row(read_table(tmp_path / "outcomes.csv")[0])
    assert again == dataclasses.replace(one, frames=0, timings={})
    timing = tables.timing_row(one)
    assert list(timing) == ["recording_id", "status", "frames", "video_stamp", "attempt", "decode_s", "faces_s"]
    assert [column.unit for column in tables.with_extra_columns(tables.TIMINGS, [timing])][-2:] == ["s", "s"]


def test_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="'done'"):
        tables.outcome_from_row(tables.outcome_row(Outcome("a", "p", "ok")) | {"status": "done"})
