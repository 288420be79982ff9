"""The lag between two pulses: a known shift in, that shift out, or no answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.waves import simulated_wave

from stmap_pipeline.labels import Labels, without_lag
from stmap_pipeline.records import HeartRateTrace, PulseTrace
from stmap_pipeline.signals import pulse_lag


@given(seed=st.integers(0, 2**32 - 1), mean_bpm=st.floats(50, 150), lag_s=st.floats(-1.5, 1.5))
@settings(max_examples=20, deadline=None)
def test_a_shift_is_found_or_left_open(seed: int, mean_bpm: float, lag_s: float) -> None:
    wave = simulated_wave(seed, mean_bpm, 60.0, 64.0, noise=0.3)
    found = pulse_lag(wave.times_s, wave.values, wave.times_s + lag_s, wave.values)
    if found.clear:
        assert found.lag_s == pytest.approx(lag_s, abs=0.02)
    assert found.correlation > 0.7


def test_a_varying_pulse_gives_a_clear_lag() -> None:
    times_s = np.arange(0, 60, 1 / 30)
    wave = np.sin(2 * np.pi * (1.1 * times_s + 1.5 * np.sin(0.2 * times_s)))
    found = pulse_lag(times_s, wave, times_s[::2] + 0.4, wave[::2])
    assert found.clear
    assert found.lag_s == pytest.approx(0.4, abs=0.01)


def test_a_metronome_and_noise_are_not_clear() -> None:
    times_s = np.arange(0, 60, 1 / 30)
    steady = np.sin(2 * np.pi * 1.2 * times_s)
    assert not pulse_lag(times_s, steady, times_s + 0.1, steady).clear
    random = np.random.default_rng(1)
    assert not pulse_lag(times_s, steady, times_s, random.normal(size=times_s.size)).clear


@pytest.mark.parametrize("duration_s", [0.0, 5.0])
def test_what_overlaps_too_little_has_no_lag(duration_s: float) -> None:
    times_s = np.arange(0, duration_s, 1 / 30)
    found = pulse_lag(times_s, np.sin(8 * times_s), times_s, np.sin(8 * times_s))
    assert np.isnan(found.lag_s)
    assert not found.clear


def test_labels_move_by_a_known_lag_alone() -> None:
    labels = Labels(HeartRateTrace([0.0, 1.0], [70.0, 71.0]), PulseTrace([0.0, 0.5], [1.0, 2.0]), lag_auto=True)
    moved = without_lag(labels, 0.2)
    assert moved.heart_rate is not None
    assert moved.pulse is not None
    assert (moved.heart_rate.times_s.tolist(), moved.pulse.times_s.tolist()) == ([-0.2, 0.8], [-0.2, 0.3])
    assert moved.notes == ("times of the labels moved by -0.20 s, by the lag of the label's pulse",)
    kept = without_lag(labels, float("nan"))
    assert kept.heart_rate is labels.heart_rate
    assert "not clear" in kept.notes[0]
