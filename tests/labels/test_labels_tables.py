import math
import os
from pathlib import Path

import numpy as np
import pytest
from databases.trees import write
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.labels import tables
from stmap_pipeline.labels.label_file import LabelFileEmptyError, LabelFileError
from stmap_pipeline.labels.tables import read_table

NAN = math.nan


def column(folder: Path, text: str | bytes, wanted: str | int = 0) -> list[float]:
    return read_table(write(folder / "table.txt", text), [wanted]).values[0].tolist()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("75\n76\n", [75, 76]),
        ("75\r\n76", [75, 76]),
        ("75\r\r\n76\r\r\n", [75, 76]),  # line ends that were translated twice
        ("HR\r\n75\r\n76\r\n", [75, 76]),
        ("\ufeffHR\n75\n", [75]),
        ("\n\nHR\n\n75\n", [75]),
        ("# bpm, one a second\n75\n", [75]),
        ("Pulse Rate BPM\n75\n", [75]),
        ("75\n\n77\n\n\n", [75, NAN, 77]),  # a blank line in between keeps later rows in their place
        ("75\nnan\nNaN\nn/a\nx\ninf\n1e999\n1_0\n", [75, NAN, NAN, NAN, NAN, NAN, NAN, NAN]),
        ("n/a\n75\n", [NAN, 75]),  # no header: a dropped first row would move all later ones
        ("nan\n75\n", [NAN, 75]),
        (" 7.5e1 \n+76\n-1\n", [75, 76, -1]),
        ('"75"\n"76"\n', [75, 76]),
        ("HR,n\n75,1\n76\n,3\n", [75, 76, NAN]),
        ("HR,n\n75,1\n76\n77\n", [75, 76, 77]),
        ("75.5,1\n76\n", [75.5, 76]),
        ("75\n72,5\n", [75, 72.5]),
        ("72,5 0,1\n73,5 0,2\n", [72.5, 73.5]),
        ("HR (mean, bpm)\n75\n", [75]),
        ("HR; 2\n", [NAN]),
        ("HR 2\n75\n", [75]),
        ("75\t1\n", [75]),
        ("75;1\n72,5;2\n", [75, 72.5]),  # a decimal comma
        ("1.234,5;1\n", [1234.5]),
        ("1,234,567;1\n1 234,5;1\n1'234.5;1\n", [1234567, 1234.5, 1234.5]),  # thousands
        ("75 bpm\n76 BPM\n", [75, 76]),
        ("HR\n75 bpm\nnan\n", [75, NAN]),
        ("75   1\n76 2\n", [75, 76]),
    ],
)
def test_the_usual_shapes(tmp_path: Path, text: str, values: list[float]) -> None:
    np.testing.assert_array_equal(column(tmp_path, text), values)


@pytest.mark.parametrize("mark", [",", ";", "\t", " "])
def test_columns_by_name_and_number(tmp_path: Path, mark: str) -> None:
    text = "time_s,Heart,name\n0,71,x\n1,72,y\n".replace(",", mark)
    assert column(tmp_path, text, "Heart") == [71, 72]
    assert column(tmp_path, text, " heart ") == [71, 72]
    assert column(tmp_path, text, 1) == [71, 72]


@pytest.mark.parametrize("comments", ["# a\n", "# device 7\n# 2026-11-28\n", "#\n\n# a, b, c\n% d\n// 1.0\n"])
@pytest.mark.parametrize("header", ["time_s,hr\n", "# time_s,hr\n", "# time_s hr\n", "time_s;hr\n"])
@pytest.mark.parametrize("wanted", ["hr", 1])
def test_comment_lines_before_the_header_shift_no_row(tmp_path: Path, comments: str, header: str, wanted: str | int) -> None:
    mark = ";" if ";" in header else ","
    assert column(tmp_path, comments + header + f"0{mark}75\n1{mark}76\n", wanted) == [75, 76]


@pytest.mark.parametrize("header", ["", "t hr", "a\nb\nt hr", "a, b\nc d e f\nt hr"])
@pytest.mark.parametrize("wanted", ["hr", 1])
def test_a_header_of_numpy_shifts_no_row(tmp_path: Path, header: str, wanted: str | int) -> None:
    np.savetxt(tmp_path / "table.txt", [[0, 75], [1, 76]], header=header)
    if header or wanted == 1:
        assert read_table(tmp_path / "table.txt", [wanted]).values[0].tolist() == [75, 76]


def test_the_header_is_the_line_with_the_names_that_are_asked_for(tmp_path: Path) -> None:
    text = "Name,Sport\nAnna,OTHER\nSample rate,Time,HR (bpm)\n1,0,75\n,1,76\n"
    assert column(tmp_path, text, "HR (bpm)") == [75, 76]


@pytest.mark.parametrize("mark", [";", ",", "\t"])
def test_the_separator_may_be_named_as_excel_does(tmp_path: Path, mark: str) -> None:
    assert column(tmp_path, f"sep={mark}\ntime_s{mark}hr\n0{mark}75\n1{mark}76\n", "hr") == [75, 76]


def test_quoted_decimal_commas(tmp_path: Path) -> None:
    text = '"time_s","hr"\n"0,0","75,5"\n"1,0","76"\n'
    assert [values.tolist() for values in read_table(write(tmp_path / "t", text), ["time_s", "hr"]).values] == [[0, 1], [75.5, 76]]


def test_a_line_of_units_is_no_row(tmp_path: Path) -> None:
    assert column(tmp_path, "t,hr\ns,bpm\n0,75\n1,76\n", 1) == [75, 76]


_NO_HEADERS = [
    "1e400",
    "0x50",
    "7_5",
    "1.#QNAN",
    "-1.#IND",
    "+inf",
    "#N/A",
    "#DIV/0!",
    "12:00",
    ".5.",
    "--",
    "",
    "infinity",
    "-inf",
    "n.a.",
    "missing",
    "?",
    "(70)",
    "<70",
    "~70",
    "$70",
    "'70",
    "\N{EN DASH}",
    "...",
    "_7",
    "\N{ARABIC-INDIC DIGIT SEVEN}x",
]


@pytest.mark.parametrize("first", _NO_HEADERS)
@pytest.mark.parametrize("mark", ["", ",", ";", " "])
def test_a_first_row_that_begins_like_a_number_is_no_header(tmp_path: Path, first: str, mark: str) -> None:
    if not first and mark in ("", " "):
        return
    rest = f"{mark}1" if mark else ""
    np.testing.assert_array_equal(column(tmp_path, f"{first}{rest}\n70{rest}\n71{rest}\n", 0), [NAN, 70, 71])


def test_the_first_cell_that_is_text_is_kept_for_the_message(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t", "time,hr\n2024-05-03T10:00:00Z,75\n2024-05-03T10:00:01Z,nan\n"), ["time", "hr"])
    assert table.no_number == ("2024-05-03T10:00:00Z", "")


def test_quotes_hide_the_separator(tmp_path: Path) -> None:
    assert column(tmp_path, '"time, s","HR, bpm"\n0,71\n', "HR, bpm") == [71]


def test_equal_names_but_for_case_are_told_apart(tmp_path: Path) -> None:
    assert column(tmp_path, "HR,hr\n1,2\n", "hr") == [2]
    with pytest.raises(LabelFileError, match="2 columns 'Hr'"):
        column(tmp_path, "HR,hr\n1,2\n", "Hr")


def test_rows_tell_their_line(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t", "\na,b\n\n1,2\n"), ["b"])
    assert (table.names, table.width, table.first_line) == (("a", "b"), 2, 4)


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        ("a,b\n1,2\n", "c", "'c'; its columns are a, b"),
        ("a,b\n1,2\n", 2, r"column 2 \(from 0\); it has 2: a, b"),
        ("1,2\n", "a", r"'a'; .*number from 0 \(2 there\)"),
        ("HR\n72,5\n", 0, "line 2 holds 2 cells, .* header names 1; .*quotes"),
        ("HR\nlost\n75\n", 0, "line 2: 'lost' "),
        ("71,5\n72,5\n", 0, "line 1: '71,5' has decimal commas or several columns"),
        ("1,234\n1,235\n", 0, "line 1: '1,234' .*commas"),
        ("71,5,\n72,5,\n", 0, "line 1: '71,5,' .*commas"),
        ("7,15e1\n7,25e1\n", 0, "line 1: '7,15e1' .*commas"),
        ("1,071.5\n1,072.5\n", 0, r"line 1: '1,071\.5' .*commas"),
        ("0,71,5\n1,72,5\n", 1, "line 1: '0,71,5' .*commas"),
        ("exp 1\nt hr\n0 71.5\n", 1, "line 1: 'exp 1' is no row of numbers"),
        ("exp 1\n0 71.5\n", 1, "line 1: 'exp 1' .*row"),
        ("day 1,x\n2024-01-01,y\nt,hr\n0,71\n", 1, "line 3: 't hr' .*row"),
        ("71,5,98,2\n72,5,98,1\n", 0, "line 1: '71,5,98,2' .*commas"),
        ("t,HR\n0,70\n2,72,5,6\n", "HR", "line 3 .* 4 cells, .* 2; .*quotes"),
        ("0;70\n2;72;5\n", 1, "line 2 .* 3 cells, .* first row .* 2$"),
        ("75\r76\r77", 0, "line 1 .*carriage returns"),
        (b"\x00\x01", 0, "line 1 .*binary"),
        ("1," * 1001, 0, r"line 1 .* 1,002 cells \(limit 1,000\)"),
        ("1," * 10**6, 0, "line 1 .* 65,536 characters"),
    ],
)
def test_what_is_no_such_table_is_told(tmp_path: Path, text: str | bytes, wanted: str | int, message: str) -> None:
    with pytest.raises(LabelFileError, match=message) as caught:
        column(tmp_path, text, wanted)
    assert str(tmp_path / "table.txt") in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\r\n \n", "\ufeff", "HR\n", "HR\r\n\r\n"])
def test_no_row_is_an_error_of_its_own(tmp_path: Path, text: str) -> None:
    with pytest.raises(LabelFileEmptyError):
        column(tmp_path, text)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.touch()
    os.truncate(path, 100 * 2**20)  # sparse: takes no room
    with pytest.raises(LabelFileError, match=r"100 MB; .* 64 MB"):
        read_table(path, [0])


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 100)
    assert len(column(tmp_path, "1\n" * 100)) == 100
    for text in ("1\n" * 101, "1\n" + "\n" * 200 + "1\n"):
        with pytest.raises(LabelFileError, match="100 rows"):
            column(tmp_path, text)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LabelFileError, match="is not a regular file"):
        read_table(tmp_path / "pipe", [0])


def test_a_missing_file_and_a_bad_name_differ(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "gone", [0])
    with pytest.raises(LabelFileError, match="xxx"):
        read_table(tmp_path / ("x" * 300), [0])
    with pytest.raises(LabelFileError, match=str(tmp_path)):
        read_table(tmp_path, [0])


NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30)


@given(NUMBERS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from([",", ";", "\t", " "]))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, numbers, end, header, mark) -> None:
    lines = [f"{index}{mark}{value!r}" for index, value in enumerate(numbers)]
    text = end.join([*([f"row{mark}value"] if header else []), *lines])
    assert column(tmp_path_factory.getbasetemp(), text, 1) == numbers


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    try:
        values = column(tmp_path_factory.getbasetemp(), data)
    except LabelFileError:
        return
    assert len(values) <= data.count(b"\n") + 1


@pytest.mark.parametrize(("first", "second"), [(",", ";"), (",", "\t"), (";", ","), ("\t", ";")])
def test_rows_with_another_separator_are_refused(tmp_path, first, second):
    rows = "".join(f"{i}{(first, second)[i % 2]}{70 + i}\n" for i in range(8))
    path = write(tmp_path / "table.csv", f"time_s{first}bpm\n{rows}")
    with pytest.raises(LabelFileError, match="line 3 separates its cells by"):
        read_table(path, ["bpm"], "time_s")


def test_a_decimal_comma_in_a_row_that_ends_early_separates_nothing(tmp_path):
    path = write(tmp_path / "table.csv", "time_s;bpm\n0,5;70\n1,5\n2,5;72\n")
    assert read_table(path, ["bpm"], "time_s").values[0] == pytest.approx([70, NAN, 72], nan_ok=True)
