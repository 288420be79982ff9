"""Bins, targets, and how many windows a target asks for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.balance import Bins, Target, normalized_entropy, read_target, wanted_counts
from stmap_pipeline.errors import ConfigError

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=30)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50))
def test_each_heart_rate_is_in_the_bin_whose_edges_enclose_it(rates):
    bins = Bins(40, 160, 5)
    for rate, place in zip(rates, bins.index(rates), strict=True):
        if place >= 0:
            assert bins.edges_bpm[place] <= rate < bins.edges_bpm[place + 1]
        else:
            assert not 40 <= rate < 160
    assert bins.count(rates).sum() == sum(40 <= one < 160 for one in rates)


def test_bins_of_a_broken_width_keep_their_edges():
    bins = Bins(40, 41, 0.1)
    assert len(bins) == 10
    assert bins.edges_bpm[-1] == pytest.approx(41)
    assert bins.count(40 + np.arange(10) / 10 + 0.05).tolist() == [1] * 10


@pytest.mark.parametrize(
    ("bins", "text"),
    [
        ((160, 40, 5), "range .* 40,160 .*, not 160,40"),
        ((-5, 40, 5), "not -5,40"),
        ((40, float("inf"), 5), "not 40,inf"),
        ((40, 160, 0), "wider than 0 bpm"),
        ((40, 160, 7), "bins of 7 bpm"),
        ((40, 160, 0.01), r"\(1 to 1000\) of bins of 0\.01 bpm"),
    ],
)
def test_bins_that_make_no_sense_are_refused(bins, text):
    with pytest.raises(ConfigError, match=text):
        Bins(*bins)


def test_a_target_is_spread_over_the_bins_that_it_overlaps():
    bins = Bins(40, 60, 5)
    assert Target().shares(bins).tolist() == [0.25] * 4
    assert Target(((0.0, 42.5, 17.0), (50.0, 200.0, 15.0))).shares(bins) == pytest.approx([0.5, 0, 0.25, 0.25])
    with pytest.raises(ConfigError, match="40 and 60 bpm"):
        Target(((100.0, 120.0, 1.0),)).shares(bins)


def write(tmp_path, text):
    path = tmp_path / "target.csv"
    path.write_text(text)
    return path


def test_a_target_file_may_have_more_columns_in_any_order(tmp_path):
    path = write(tmp_path, "\ufeffnote,weight,high_bpm,low_bpm\nrest,2,90,40\neffort,0.5,160,100\n")
    assert read_target(path) == Target(((40.0, 90.0, 2.0), (100.0, 160.0, 0.5)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "low_bpm,high_bpm,weight, not an empty line"),
        ("low,high,weight\n40,60,1\n", r"low_bpm,high_bpm,weight, not low,high,weight"),
        ("low_bpm,high_bpm,weight\n40,60,1\n60,50,1\n", "line 3: needs 0 <= low_bpm < high_bpm"),
        ("low_bpm,high_bpm,weight\n40,60,-1\n", "line 2: needs"),
        ("low_bpm,high_bpm,weight\n40,60,nan\n", "line 2: needs"),
        ("low_bpm,high_bpm,weight\n40,60,1\n50,70,1\n", "line 3: starts at 50, "),
        ("low_bpm,high_bpm,weight\n40,60,much\n", "line 2: three numbers"),
        ("low_bpm,high_bpm,weight\n40,60\n", "line 2: three numbers"),
        ("low_bpm,high_bpm,weight\n40,60,0\n", "no line .* above 0"),
        ("low_bpm,high_bpm,weight\n", "no line .* above 0"),
    ],
)
def test_a_wrong_target_file_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read_target(write(tmp_path, text))


def test_a_missing_or_unreadable_target_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"uniforn: .*'uniform' or a CSV file"):
        read_target(tmp_path / "uniforn")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"a\.csv: cannot be read"):
        read_target(tmp_path / "a.csv")


@given(COUNTS, st.data())
def test_a_target_asks_for_its_own_shape_and_little_stands_above_it(counts, data):
    weights = data.draw(st.lists(st.integers(0, 9), min_size=len(counts), max_size=len(counts)))
    shares = np.array(weights) / max(sum(weights), 1)
    wanted = wanted_counts(counts, shares)
    inside = shares > 0
    total = np.array(counts)[inside].sum()
    assert not wanted[~inside].any()
    if not total:
        assert not wanted.any()
        return
    assert np.abs(wanted - wanted.sum() * shares).max() <= len(counts)
    above = np.clip(np.array(counts) - wanted, 0, None)[inside].sum()
    assert above <= 0.01 * total + 0.5 * len(counts)


def test_one_odd_bin_does_not_multiply_the_whole():
    # three windows where the target wants nearly none
    counts, shares = np.array([0, 1000, 1000, 3]), np.array([0.1, 0.4495, 0.4495, 0.001])
    assert wanted_counts(counts, shares).sum() < 2300


@given(COUNTS)
def test_entropy_is_one_where_flat_and_falls_with_all_else(counts):
    value = normalized_entropy(counts)
    if sum(counts) == 0:
        assert np.isnan(value)
    else:
        assert -1e-12 <= value <= 1 + 1e-12
        assert normalized_entropy(np.array(counts) * 7) == pytest.approx(value, abs=1e-9)
        if len(set(counts)) == 1:
            assert value == pytest.approx(1)
        elif sum(map(bool, counts)) == 1:
            assert value == 0


@given(COUNTS, st.integers(1, 2000), st.data())
def test_a_limit_is_kept_and_used(counts, most, data):
    supply = data.draw(st.lists(st.integers(0, 500), min_size=len(counts), max_size=len(counts)))
    shares = np.full(len(counts), 1 / len(counts))
    free, limited = wanted_counts(counts, shares, supply), wanted_counts(counts, shares, supply, most)
    assert (limited <= free + 1).all()
    added = np.clip(limited - counts, 0, supply).sum()
    assert added <= most + len(counts) * (limited == free).all()
    if not np.array_equal(limited, free):
        # one more in each bin would be too many
        assert np.clip(limited + 1 - counts, 0, supply).sum() >= most - 1


def test_weights_near_the_largest_float_count_like_others():
    pieces = ((40.0, 50.0, 1e308), (50.0, 60.0, 1e308), (60.0, 80.0, 1e308))
    assert Target(pieces).shares(Bins(40, 80, 10)) == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 6])
