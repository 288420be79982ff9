"""Many signals at once give what each gives alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.evaluation.spectrum import dominant_rate_bpm
from stmap_pipeline.evaluation.spectrum_batch import dominant_rates_bpm

RATE_HZ = 30.0


def signal(length, bpm, seed, gap=0, noise=0.5):
    random = np.random.default_rng(seed)
    values = np.sin(2 * np.pi * bpm / 60 * np.arange(length) / RATE_HZ) + noise * random.standard_normal(length)
    start = int(random.integers(0, length))
    values[start : start + gap] = np.nan
    return values


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(60, 700), st.floats(30, 200), st.integers(0, 10**6), st.integers(0, 80)), min_size=1, max_size=6)
)
def test_a_batch_says_what_each_says_alone(wanted):
    signals = [signal(length, bpm, seed, gap) for length, bpm, seed, gap in wanted]
    alone = [dominant_rate_bpm(one, RATE_HZ) for one in signals]
    assert dominant_rates_bpm(signals, RATE_HZ) == pytest.approx(alone, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("rate_hz", [8.0, 25.0, 29.97, 30.0, 60.0])
@pytest.mark.parametrize("band_bpm", [(40.0, 180.0), (45.05, 239.9)])
def test_other_rates_and_bands_agree_too(rate_hz, band_bpm):
    signals = [signal(round(12 * rate_hz), bpm, seed) for seed, bpm in enumerate((50.0, 90.0, 130.0))]
    alone = [dominant_rate_bpm(one, rate_hz, band_bpm) for one in signals]
    assert dominant_rates_bpm(signals, rate_hz, band_bpm) == pytest.approx(alone, abs=1e-6, nan_ok=True)


def test_what_has_no_rate_is_unknown_beside_what_has_one():
    time_s = np.arange(300) / RATE_HZ
    signals = [np.full(300, np.nan), np.zeros(300), np.linspace(0, 5, 300), np.sin(7.5 * time_s), np.sin(7.5 * time_s)[:80]]
    found = dominant_rates_bpm(signals, RATE_HZ)
    assert np.isnan(found[[0, 1, 2, 4]]).all()
    assert found[3] == pytest.approx(7.5 / (2 * np.pi) * 60, abs=0.2)
    assert dominant_rates_bpm([], RATE_HZ).size == 0
    assert np.isnan(dominant_rates_bpm([np.empty(0)], RATE_HZ)).all()


def test_a_signal_of_more_than_ten_minutes_has_its_own_grid():
    long = signal(19_000, 71.3, 3)
    assert dominant_rates_bpm([long, long[:300]], RATE_HZ) == pytest.approx(
        [dominant_rate_bpm(long, RATE_HZ), dominant_rate_bpm(long[:300], RATE_HZ)]
    )


def test_an_impossible_band_is_refused():
    with pytest.raises(ValueError, match="can be seen at 1"):
        dominant_rates_bpm([np.zeros(100)], 1.0)
