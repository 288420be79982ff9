"""Heart rate, beats and wave are consistent, in the formula of drawn videos and in the sampled pulse of simulated traces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.simulation.pulse import Pulse, Sines, random_pulse, random_sines

pulses = st.builds(
    lambda seed, bpm: random_pulse(np.random.default_rng(seed), bpm, 0.006), st.integers(0, 10**6), st.floats(48, 130)
)


@given(pulses, st.floats(0, 60), st.floats(0.5, 30))
def test_the_mean_is_that_of_the_rate(pulse, start_s, length_s):
    times = start_s + (np.arange(2000) + 0.5) / 2000 * length_s
    rates = [pulse.heart_rate_bpm(time_s) for time_s in times]
    assert pulse.mean_between(start_s, start_s + length_s) == pytest.approx(np.mean(rates), abs=1e-3)


@given(pulses)
def test_a_pulse_varies_and_stays_near_its_mean(pulse):
    rates = np.array([pulse.heart_rate_bpm(second / 4) for second in range(240)])
    assert 1.0 < np.ptp(rates) < 9.1
    assert np.all(np.abs(rates - pulse.mean_bpm) <= 4.5)


def test_the_wave_repeats_with_each_beat_and_has_two_harmonics():
    beats = 8
    wave = np.array([Pulse(60.0).wave(sample / 64) for sample in range(64 * beats)])
    spectrum = 2 * np.abs(np.fft.rfft(wave)) / wave.size
    assert spectrum[beats] == pytest.approx(1.0)
    assert spectrum[2 * beats] == pytest.approx(0.35)
    assert np.delete(spectrum, [beats, 2 * beats]).max() < 1e-9


def test_more_blood_is_less_light():
    pulse = Pulse(60.0, strength=0.01)
    changes = [(pulse.wave(time_s), pulse.green_change(time_s)) for time_s in np.linspace(0, 1, 17)]
    assert all(green == pytest.approx(-0.01 * wave) for wave, green in changes)


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
    with pytest.raises(ValueError, match="one amplitude, one rate"):
        Sines((1.0,), (1.0, 2.0), (0.0,))


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"0\.0"):
        Sines((1.0,), (0.0,), (0.0,))
