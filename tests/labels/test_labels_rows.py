"""Series in lines, with and without names, and comma-separated numbers that could be decimal commas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stmap_pipeline import registry
from stmap_pipeline.labels import read_frame_times
from stmap_pipeline.labels.label_file import Columns, LabelFileError, LabelFormat, format_of, read_columns


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.txt"
    path.write_text(text)
    return path


def test_a_series_is_found_by_its_line_or_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "F001_T1.mkv, HR, 70, 71.5, nan\nF001_T1.mkv, RR, 15, 15, 16\n")
    for column in (0, "F001_T1.mkv HR"):
        np.testing.assert_array_equal(read_columns(path, [column], format_name="rows").values[0], [70, 71.5, np.nan])
    with pytest.raises(LabelFileError, match=r"a\.txt: has no column 'F002_T1.mkv HR'; it holds F001_T1.mkv HR, F001_T1.mkv RR"):
        read_columns(path, ["F002_T1.mkv HR"], format_name="rows")
    with pytest.raises(LabelFileError, match=r"it holds lines 0 to 0"):
        read_columns(written(tmp_path, "1 2 3\n"), [1], format_name="rows")


def test_series_of_different_lengths_do_not_belong_together(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="2 and 3 values"):
        read_columns(written(tmp_path, "1 2 3\n0 1\n"), [0], 1, format_name="rows")


def test_a_word_among_the_numbers_of_a_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match=r"line 1: .*'x'"):
        read_columns(written(tmp_path, "1 2 x 4\n"), [0], format_name="rows")


def test_whole_numbers_between_commas_are_columns_where_the_format_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "11,68,99,20\n28,68,99,22\n")
    assert format_of(path).name == "text"
    with pytest.raises(LabelFileError, match="decimal commas or several columns"):
        read_columns(path, [1], 0)
    found = read_columns(path, [1, 3], 0, format_name="csv")
    assert [one.tolist() for one in found.values] == [[68, 68], [20, 22]]
    assert found.times is not None
    assert found.times.values.tolist() == [11, 28]


@pytest.mark.parametrize("separator", ["  ", "\t", " "])
@pytest.mark.parametrize("between", [" ", "T"])
def test_a_date_and_the_time_behind_it_are_one_cell(tmp_path: Path, separator: str, between: str) -> None:
    rows = [f"{index}{separator}2024-03-05{between}10:00:0{index}.500" for index in range(5)]
    np.testing.assert_allclose(read_frame_times(written(tmp_path, "\n".join(rows)), column=1), range(5))


def test_a_format_that_is_registered_again_replaces_the_one_before(tmp_path: Path) -> None:
    path = written(tmp_path, "LAB 3\n")
    first, second = (
        LabelFormat("lab", title, lambda _, head: head.startswith(b"LAB"), lambda *_: Columns(()), lambda _: ())
        for title in ("first", "second")
    )
    try:
        for one in (first, second):
            registry.register("label_formats", "lab", one)
            assert format_of(path) is one
    finally:
        registry.unregister("label_formats", "lab")
    assert format_of(path).name == "text"


def test_what_is_read_twice_cannot_be_changed_by_the_first_reader(tmp_path: Path) -> None:
    path = written(tmp_path, "1 2 3\n")
    (values,) = read_columns(path, [0], format_name="rows").values
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 7
    path.write_text("4 5 6\n")
    np.testing.assert_array_equal(read_columns(path, [0], format_name="rows").values[0], [4, 5, 6])
