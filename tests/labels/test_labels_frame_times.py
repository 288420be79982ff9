from pathlib import Path

import numpy as np
import pytest
from databases.trees import write
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import read_frame_times


def times(folder: Path, text: str | bytes, unit_s: float = 1.0) -> np.ndarray:
    return read_frame_times(write(folder / "time.txt", text), unit_s)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50, unique=True).map(sorted), st.sampled_from([1.0, 0.001, 1e-6]))
def test_what_was_written_is_read_in_seconds(tmp_path_factory: pytest.TempPathFactory, numbers: list[int], unit_s: float) -> None:
    text = "".join(f"{number}\r\n" for number in numbers)
    np.testing.assert_array_equal(times(tmp_path_factory.getbasetemp(), text, unit_s), np.array(numbers) * unit_s)


def test_the_first_time_is_kept(tmp_path: Path) -> None:
    np.testing.assert_allclose(times(tmp_path, "5000\n5033\n", 0.001), [5.0, 5.033])


def test_a_header_is_no_time(tmp_path: Path) -> None:
    assert times(tmp_path, "time_ms\n0\n40\n", 0.001).tolist() == [0.0, 0.04]


@pytest.mark.parametrize("column", ["ms", 1])
def test_the_column_may_be_named(tmp_path: Path, column: str | int) -> None:
    path = write(tmp_path / "time.csv", "frame,ms\n0,0\n1,40\n")
    assert read_frame_times(path, 0.001, column).tolist() == [0.0, 0.04]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"time\.txt: is empty"),
        ("0\n33\nabc\n99\n", "line 3: "),
        ("0\n40\n1e308\n", "line 3: holds no number that is a time"),
        ("0\nnan\n", "line 2: "),
        ("0\n\n66\n", "line 2: "),
        ("0\n33\n33\n", "line 3: 33 .* 33 "),
        ("time\n0\n66\n33\n", "line 4: 33 .* 66 "),
        ("0 33 66\n", "line 1: .*3 columns; .*times_column"),
        (b"\x00\x00RIFF", "line 1 .*binary"),
    ],
)
def test_nothing_is_repaired(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(RecordingError, match=message) as caught:
        times(tmp_path, text)
    assert (caught.value.stage, caught.value.reason) == ("decode", "clock_unreadable")


def test_a_missing_clock_is_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"time\.txt") as caught:
        read_frame_times(tmp_path / "time.txt", 0.001)
    assert caught.value.reason == "source_missing"
