"""Rows of the tables of a build."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.maps import cut_windows
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import HeartRateTrace, Outcome, Window
from stmap_pipeline.shards import columns
from stmap_pipeline.shards.tables import Column, read_table, write_table


def test_a_recording_row_describes_the_video_and_its_label():
    one = example_result(frames=300, lost=slice(0, 30))
    rates = HeartRateTrace(np.arange(-2.0, 14.0), np.r_[200.0, 200.0, 60.0 + np.arange(10.0), np.nan, 200.0, 200.0, 200.0])
    row = columns.recording_row(dataclasses.replace(one, heart_rate=rates, notes=("a", "b")))
    assert (row["heart_rate_min_bpm"], row["heart_rate_max_bpm"], row["heart_rate_mean_bpm"]) == (60.0, 69.0, 64.5)
    assert row["duration_s"] == pytest.approx(10.0)
    assert (row["frames"], row["valid_fraction"], row["fold"]) == (300, 0.9, 1)
    assert row["coverage"] == pytest.approx(0.9)
    assert row["notes"] == "a | b"
    assert row["clock"] == "constant"


@pytest.mark.parametrize("rate", [None, HeartRateTrace([], []), HeartRateTrace([0.0], [np.nan])])
def test_a_recording_without_label_has_unknown_heart_rates(rate):
    row = columns.recording_row(dataclasses.replace(example_result(frames=30), heart_rate=rate))
    assert np.isnan([row["heart_rate_min_bpm"], row["heart_rate_mean_bpm"], row["heart_rate_max_bpm"]]).all()


def test_an_attribute_may_not_replace_a_column():
    with pytest.raises(ValueError, match=r"frames .*recordings\.csv"):
        columns.recording_row(dataclasses.replace(example_result(), attributes={"frames": 3}))


def test_facts_become_columns_with_unit_and_kind():
    rows = [
        {"recording_id": "a", "pixel_format": "nv12", "detections": 3, "gap_max_s": 1, "snr_db": 2.5},
        {"recording_id": "b", "gap_max_s": 0.5, "lost_fraction": float("nan")},
    ]
    told = Column("snr_db", "dB", "signal to noise of POS", "float")
    found = {one.name: one for one in columns.with_extra_columns(columns.RECORDINGS, rows, {"snr_db": told})}
    assert list(found)[len(columns.RECORDINGS) :] == ["pixel_format", "detections", "gap_max_s", "snr_db", "lost_fraction"]
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
    row = columns.window_row(one, "p001", columns.RESAMPLED_WINDOWS)
    assert repr(columns.windows_from_columns({name: [cell] for name, cell in row.items()})) == repr([one])


def test_windows_survive_the_table(tmp_path):
    result = example_result(frames=400, lost=slice(3, 10))
    windows = [
        *cut_windows(result, WindowsConfig()),
        *cut_windows(dataclasses.replace(result, heart_rate=None), WindowsConfig(step="7 frames")),
    ]
    write_table(tmp_path / "windows.csv", columns.WINDOWS, [columns.window_row(one, "p001") for one in windows])
    rows = read_table(tmp_path / "windows.csv")
    cells = {name: [row[name] for row in rows] for name in rows[0]}
    assert repr(columns.windows_from_columns(cells)) == repr(windows)
    assert set(cells["subject"]) == {"p001"}


def test_outcomes_keep_what_is_equal_from_run_to_run_and_timings_the_rest(tmp_path):
    one = Outcome(
        "a", "p001", "failed", "faces", "no_face", 'no "face"\nat all', frames=3, timings={"faces_s": 2.5, "decode_s": 1.0}
    )
    row = columns.outcome_row(one)
    assert set(row) == {column.name for column in columns.OUTCOMES}
    write_table(tmp_path / "outcomes.csv", columns.OUTCOMES, [row])
    again = columns.outcome_from_row(read_table(tmp_path / "outcomes.csv")[0])
    assert again == dataclasses.replace(one, frames=0, timings={})
    timing = columns.timing_row(one)
    assert list(timing) == ["recording_id", "status", "frames", "video_stamp", "attempt", "decode_s", "faces_s"]
    assert [column.unit for column in columns.with_extra_columns(columns.TIMINGS, [timing])][-2:] == ["s", "s"]


def test_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="'done'"):
        columns.outcome_from_row(columns.outcome_row(Outcome("a", "p", "ok")) | {"status": "done"})
