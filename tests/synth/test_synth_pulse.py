"""Heart rate, beats and wave belong together, and a label device reports them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.synth.labels import heart_rate_rows, lines, oxygen_rows, pressure_lines, pulse_rate_lines, wave_rows
from stmap_pipeline.synth.pulse import Pulse, random_pulse

pulses = st.builds(
    lambda seed, bpm: random_pulse(np.random.default_rng(seed), bpm, 0.006), st.integers(0, 10**6), st.floats(48, 130)
)


@given(pulses, st.floats(0, 60), st.floats(0.5, 30))
def test_the_mean_is_that_of_the_rate(pulse, start_s, length_s):
    times = start_s + (np.arange(2000) + 0.5) / 2000 * length_s
    rates = [pulse.heart_rate_bpm(time_s) for time_s in times]
    assert pulse.mean_over(start_s, start_s + length_s) == pytest.approx(np.mean(rates), abs=1e-3)


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


def test_rates_cover_the_video_second_by_second():
    pulse = random_pulse(np.random.default_rng(1), 90.0, 0.006)
    rows = heart_rate_rows(pulse, 10.2)
    assert len(rows) == 11
    assert rows[4] == round(pulse.mean_over(4, 5))


def test_the_wave_of_the_sensor_has_the_rate_of_the_heart():
    rows = np.array(wave_rows(Pulse(90.0), 20.0))
    assert rows.size == 1201
    spectrum = np.abs(np.fft.rfft(rows[:1200] - rows[:1200].mean()))
    assert np.argmax(spectrum) / 20 * 60 == 90
    assert rows.min() > 0


def test_lines_at_a_thousand_hertz():
    pulse = Pulse(72.0)
    rates, pressure = pulse_rate_lines(pulse, 1.5), pressure_lines(pulse, 1.5)
    assert len(rates) == len(pressure) == 1500
    assert set(rates) == {"72.000"}
    assert 60 < min(map(float, pressure)) < 90 < max(map(float, pressure)) < 140


def test_oxygen_is_that_of_a_healthy_person():
    assert set(oxygen_rows(1, 300)) == {97, 98, 99}


def test_lines_end_as_asked():
    assert lines([1, 2], "Wave", "\r\n") == b"Wave\r\n1\r\n2\r\n"
    assert lines([0, 32]) == b"0\n32\n"
