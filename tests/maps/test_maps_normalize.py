"""Per-row normalization and filling."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stmap_pipeline.maps.normalize import FLAT_GRAY_LEVELS, fill_rows, normalize_rows

NAN = float("nan")
maps = arrays(np.float64, (3, 7, 2), elements=st.one_of(st.floats(0, 255, width=32), st.just(NAN)))


@given(values=maps)
@settings(deadline=None)
def test_minmax_spans_0_to_255_and_keeps_order_and_nan(values):
    out = normalize_rows(values, "minmax")
    assert np.array_equal(np.isnan(out), np.isnan(values))
    for block in range(3):
        for channel in range(2):
            row, new = values[block, :, channel], out[block, :, channel]
            row, new = row[np.isfinite(row)], new[np.isfinite(new)]
            if row.size == 0:
                continue
            if np.ptp(row) > FLAT_GRAY_LEVELS:
                assert (new.min(), new.max()) == (0.0, 255.0)
                assert np.all(np.diff(new[np.argsort(row, kind="stable")]) >= 0)
            else:
                assert np.all(new == 0)


@given(values=arrays(np.float64, (1, 12, 1), elements=st.floats(0, 255)), gain=st.floats(0.5, 4), shift=st.floats(-50, 50))
@settings(deadline=None)
def test_light_and_exposure_cancel(values, gain, shift):
    assume(np.ptp(values) > 0.01)
    for method in ("minmax", "zscore"):
        assert np.allclose(normalize_rows(values, method), normalize_rows(values * gain + shift, method), atol=1e-6)


@given(values=maps)
@settings(deadline=None)
def test_zscore_has_mean_0_and_deviation_1(values):
    out = normalize_rows(values, "zscore")
    known = np.isfinite(values)
    for block, channel in np.argwhere(known.any(axis=1)):
        row, new = values[block, known[block, :, channel], channel], out[block, known[block, :, channel], channel]
        assert abs(new.mean()) < 1e-6
        assert new.std() == pytest.approx(1.0 if np.ptp(row) > FLAT_GRAY_LEVELS else 0.0, abs=1e-6)


def test_a_row_of_rounding_noise_is_flat_and_not_stretched():
    row = np.full((1, 50, 1), 200.0) + np.random.default_rng(0).choice([0.0, 1.5e-5], (1, 50, 1))
    assert np.all(normalize_rows(row, "minmax") == 0)
    assert np.all(normalize_rows(row, "zscore") == 0)


def test_a_row_never_seen_stays_nan_without_a_warning():
    assert np.isnan(normalize_rows(np.full((2, 5, 3), NAN))).all()
    assert normalize_rows(np.zeros((2, 0, 3))).shape == (2, 0, 3)


@pytest.mark.parametrize("method", ["none", "minmax", "zscore"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (2, 1, 0)])
def test_the_input_is_left_alone_whatever_its_memory_layout(method, axes):
    memory = np.random.default_rng(0).uniform(0, 255, (4, 4, 4))
    before = memory.copy()
    out = normalize_rows(memory.transpose(axes), method)
    fill_rows(memory.transpose(axes), np.arange(4.0))
    assert np.array_equal(memory, before)
    assert np.array_equal(out, normalize_rows(before.transpose(axes).copy(), method))


def test_none_is_a_copy():
    values = np.array([[[1.0], [NAN]]])
    out = normalize_rows(values, "none")
    assert np.array_equal(out, values, equal_nan=True)
    assert out is not values


@given(values=maps)
@settings(deadline=None)
def test_filling_changes_no_known_value_and_stays_between_neighbors(values):
    times = np.cumsum([0.02, 0.05, 0.03, 0.5, 0.02, 0.04, 0.03])
    out = fill_rows(values, times, "interpolate")
    known = np.isfinite(values)
    assert np.array_equal(out[known], values[known])
    for block, channel in np.ndindex(3, 2):
        row = values[block, :, channel]
        if np.isfinite(row).any():
            assert out[block, :, channel].min() >= np.nanmin(row)
            assert out[block, :, channel].max() <= np.nanmax(row)
        else:
            assert np.isnan(out[block, :, channel]).all()
    # so stretching and filling may change places
    assert np.allclose(
        normalize_rows(fill_rows(values, times), "minmax"), fill_rows(normalize_rows(values, "minmax"), times), equal_nan=True
    )


def test_filling_nothing_is_a_copy_that_keeps_nan():
    values = np.array([[[1.0], [NAN], [3.0]]])
    assert np.array_equal(fill_rows(values, [0.0, 1.0, 2.0], "nan"), values, equal_nan=True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: normalize_rows(np.zeros((2, 3)), "minmax"), r"\(2, 3\)"),
        (lambda: normalize_rows(np.zeros((2, 3, 1)), "max"), "minmax, zscore"),
        (lambda: fill_rows(np.zeros((2, 3, 1)), [0.0, 1.0]), r"\(2, 3, 1\) and \(2,\)"),
        (lambda: fill_rows(np.zeros((2, 2, 1)), [0.0, 1.0], "zero"), "nan, interpolate"),
    ],
)
def test_wrong_choices_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
