"""Tables: what is written comes back, and each column has a unit and a meaning."""

import csv
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.errors import OutputError, ShardError
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
    assert write_table(path, COLUMNS, rows) == len(rows)
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
