"""Columns that differ are found, each once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stmap_pipeline.maps.distinct import distinct_columns


@given(arrays(np.bool_, st.tuples(st.integers(0, 20), st.integers(0, 9))))
def test_each_column_is_found_again_and_none_is_there_twice(mask):
    patterns, owner = distinct_columns(mask)
    assert owner.shape == (mask.shape[1],)
    assert np.array_equal(patterns[:, owner], mask)
    assert len({one.tobytes() for one in patterns.T}) == patterns.shape[1] <= max(1, mask.shape[1])
