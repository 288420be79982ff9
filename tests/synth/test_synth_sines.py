"""A sum of sines has the value and the integral that it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.synth.sines import Sines, random_sines

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.floats(0, 100), st.floats(0.01, 5))
def test_the_integral_grows_by_the_value(seed, time_s, amplitude):
    sines = random_sines(np.random.default_rng(seed), amplitude, 0.05, 2.0)
    step = 1e-4
    slope = (sines.integral(time_s + step) - sines.integral(time_s - step)) / (2 * step)
    assert slope == pytest.approx(sines.at(time_s), abs=1e-4 * amplitude + 1e-7)


@given(seeds, st.floats(0, 1000))
def test_the_amplitude_is_a_bound(seed, time_s):
    assert abs(random_sines(np.random.default_rng(seed), 3.0, 0.1, 1.0).at(time_s)) <= 3.0


@given(seeds, st.integers(1, 6))
def test_the_rates_are_spread_over_the_band(seed, count):
    rates = random_sines(np.random.default_rng(seed), 1.0, 0.1, 10.0, count).rates_hz
    assert rates[0] >= 0.1
    assert rates[-1] <= 10.0
    assert list(rates) == sorted(rates)


def test_nothing_is_zero():
    assert Sines().at(3.0) == 0
    assert Sines().integral(3.0) == 0


def test_parts_of_unequal_number_are_refused():
    with pytest.raises(ValueError, match="one amplitude, one rate and one phase"):
        Sines((1.0,), (1.0, 2.0), (0.0,))


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="positive"):
        Sines((1.0,), (0.0,), (0.0,))
