"""Data frames and datasets hold what the tables and files hold, with units and names."""

import math

import numpy as np
import pytest
from support.maps import add_augmentation, small_maps

from stmap_pipeline.errors import ExtraMissingError
from stmap_pipeline.shards import Shards, read_table

pandas = pytest.importorskip("pandas", reason="needs the extra 'frames'")
pytest.importorskip("xarray", reason="needs the extra 'frames'")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return Shards(add_augmentation(small_maps(tmp_path_factory.mktemp("maps") / "maps")))


def same(one, other):
    return one == other or (isinstance(other, float) and math.isnan(other) and math.isnan(one))


@pytest.mark.parametrize("table", ["windows", "recordings"])
def test_a_frame_has_the_cells_of_its_table(shards, table):
    frame = getattr(shards, f"{table}_frame")()
    rows = read_table(shards.root / f"{table}.csv")
    assert len(frame) == len(rows)
    for column in rows[0]:
        assert all(same(one, row[column]) for one, row in zip(frame[column].tolist(), rows, strict=True)), column
    assert frame.attrs["units"]["coverage"] == "1"
    assert frame["subject"].dtype == "string"


def test_windows_are_chosen_as_everywhere(shards):
    frame = shards.windows_frame(augmented=True, subject="p002", heart_rate_bpm=(60, 90))
    windows = shards.windows(augmented=True, subject="p002", heart_rate_bpm=(60, 90))
    assert frame["speed"].tolist() == [one.speed for one in windows]
    assert {True, False} == {one.augmented for one in windows}
    assert frame["heart_rate_bpm"].between(60, 90, inclusive="left").all()
    assert shards.windows_frame(subject="nobody").empty


def test_a_recording_is_a_dataset_with_named_axes_and_units(shards):
    result, data = shards.recording("p003_v2"), shards.to_xarray("p003_v2")
    np.testing.assert_array_equal(data.means.transpose("color", "time", "block"), result.blocks.means.transpose(2, 0, 1))
    np.testing.assert_array_equal(data.time, result.blocks.times_s)
    np.testing.assert_array_equal(data.heart_rate_bpm, result.heart_rate.heart_rate_bpm)
    assert data.heart_rate_bpm.sel(heart_rate_time=2.0, method="nearest").item() == pytest.approx(79.0)
    # block 2 of 2 x 2 is the left one of the second row
    assert (data.row[2].item(), data.column[2].item()) == (1, 0)
    assert (data.time.attrs["units"], data.means.attrs["units"], data.landmarks_px.attrs["units"]) == ("s", "gray level", "px")
    assert (data.attrs["subject"], data.attrs["fold"]) == ("p003", 2)
    assert data.means.sel(color="G", time=slice(1.0, 2.0)).sizes == {"time": 31, "block": 4}


def test_without_the_libraries_the_error_names_the_extra(shards, monkeypatch):
    for name, read in (("pandas", shards.windows_frame), ("xarray", lambda: shards.to_xarray("p003_v2"))):
        monkeypatch.setitem(__import__("sys").modules, name, None)
        with pytest.raises(ExtraMissingError, match=rf"{name}.*stmap\[frames\]"):
            read()
