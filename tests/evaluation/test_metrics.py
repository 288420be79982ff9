import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.evaluation import heart_rate_metrics

RATES = st.floats(40, 180)
PAIRS = st.lists(st.tuples(RATES, RATES), min_size=1, max_size=50)


@given(PAIRS)
def test_rmse_is_made_of_bias_and_spread(pairs):
    estimated, true = np.array(pairs).T
    result = heart_rate_metrics(estimated, true)
    assert result.rmse_bpm**2 == pytest.approx(result.me_bpm**2 + result.sd_bpm**2, abs=1e-9)
    assert abs(result.me_bpm) <= result.mae_bpm + 1e-9
    assert result.mae_bpm <= result.rmse_bpm + 1e-9
    assert np.isnan(result.r) or -1 <= result.r <= 1


@given(PAIRS, st.integers(1, 10))
def test_unknown_pairs_change_the_count_alone(pairs, extra):
    estimated, true = np.array(pairs).T
    with_gaps = heart_rate_metrics(np.r_[estimated, np.full(extra, np.nan)], np.r_[true, np.full(extra, 80.0)])
    plain = heart_rate_metrics(estimated, true)
    assert (with_gaps.n, with_gaps.n_missing) == (len(pairs), extra)
    assert with_gaps.mae_bpm == plain.mae_bpm
    assert with_gaps.r == plain.r or np.isnan(plain.r)


def test_hand_made_numbers():
    result = heart_rate_metrics([70, 85, 60], [72, 80, 60])
    assert result.me_bpm == pytest.approx(1.0)
    assert result.mae_bpm == pytest.approx(7 / 3)
    assert result.rmse_bpm == pytest.approx(np.sqrt(29 / 3))
    assert result.mer_percent == pytest.approx(100 * (2 / 72 + 5 / 80) / 3)
    assert result.r == pytest.approx(np.corrcoef([70, 85, 60], [72, 80, 60])[0, 1])
    assert heart_rate_metrics([70, 85, 60], [72, 80, 60], ddof=1).sd_bpm == pytest.approx(np.std([-2, 5, 0], ddof=1))


def test_too_little_to_say():
    nothing = heart_rate_metrics([np.nan], [70.0])
    assert (nothing.n, nothing.n_missing) == (0, 1)
    assert np.isnan([nothing.mae_bpm, nothing.rmse_bpm, nothing.r, nothing.sd_bpm]).all()
    assert heart_rate_metrics([], []).n == 0
    one = heart_rate_metrics([70.0], [72.0], ddof=1)
    assert one.mae_bpm == 2
    assert np.isnan(one.sd_bpm)


def test_a_constant_predictor_has_no_correlation():
    result = heart_rate_metrics(np.full(20, 79.3), np.linspace(60, 100, 20))
    assert np.isnan(result.r)
    assert np.isfinite(result.mae_bpm)


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        heart_rate_metrics([70.0, 71.0], [70.0])
