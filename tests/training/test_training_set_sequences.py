"""Windows in a row are of one recording and one speed, at consecutive starts, and end with the one asked for."""

import numpy as np
import pytest
from augmented_maps import small_maps
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline.shards import Shards  # noqa: E402
from stmap_pipeline.training.dataset import TrainingSet  # noqa: E402
from stmap_pipeline.training.sequences import WindowRows  # noqa: E402


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12), st.sampled_from([1.0, 1.5])), min_size=1, max_size=30, unique=True),
       st.integers(1, 7))  # fmt: skip
def test_a_row_is_of_one_kind_in_order_and_holds_its_window(windows, consecutive):
    recording, place, scale = (np.array(one) for one in zip(*windows, strict=True))
    start = 15 * place
    index = np.arange(len(windows))
    rows = WindowRows(recording, start, scale.astype(float)).up_to(index, consecutive)
    assert rows.shape == (len(windows), consecutive)
    for one, row in zip(index, rows, strict=True):
        assert one in row
        assert len(set(recording[row])) == len(set(scale[row])) == 1
        assert (np.diff(start[row]) >= 0).all()
        # only the end is ever repeated
        assert len(set(row)) == consecutive - (row == row[-1]).sum() + 1


def test_the_row_ends_with_its_window():
    recording, start = np.zeros(8, dtype=int), np.arange(8) * 15
    assert WindowRows(recording, start, np.ones(8)).up_to([7, 3, 1], 3).tolist() == [[5, 6, 7], [1, 2, 3], [0, 1, 2]]


def test_a_gap_begins_a_new_row_and_a_short_one_repeats_its_end():
    start = np.array([0, 14, 30, 45, 120, 135])
    rows = WindowRows(np.zeros(6, dtype=int), start, np.ones(6)).up_to(np.arange(6), 3)
    assert rows.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2, 3], [4, 5, 5], [4, 5, 5]]


def test_a_row_of_none_is_refused():
    with pytest.raises(ValueError, match="one window or more"):
        WindowRows(np.zeros(1, dtype=int), np.zeros(1, dtype=int), np.ones(1)).up_to([0], 0)


def test_rows_of_a_set_are_maps_of_one_recording(tmp_path):
    maps = Shards(small_maps(tmp_path / "maps"))
    training = TrainingSet(maps, maps.windows())
    rows = training.sequences(torch.arange(len(training)), 6)
    assert rows.shape == (len(training), 6)
    assert all(len({training.windows[one].recording_id for one in row}) == 1 for row in rows)
    assert training.sequences([4, 2], 1).tolist() == [[4], [2]]
    assert training.maps(torch.as_tensor(rows[:2])).shape == (2, 6, 3, 4, 60)
