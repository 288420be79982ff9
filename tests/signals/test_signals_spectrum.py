import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.evaluation import detrend, dominant_rate_bpm, power_spectrum, snr_db
from stmap_pipeline.signals.spectrum import dominant_rates_bpm


def sine(rate_bpm, duration_s, rate_hz=30.0, phase=0.0):
    return np.sin(2 * np.pi * rate_bpm / 60 * np.arange(round(duration_s * rate_hz)) / rate_hz + phase)


@settings(max_examples=60, deadline=None)
@given(st.floats(45, 175), st.floats(10, 60), st.sampled_from([16.0, 25.0, 30.0, 60.0]), st.floats(0, 6.28), st.floats(1e-6, 1e6))
def test_a_clean_sine_gives_its_own_rate(rate_bpm, duration_s, rate_hz, phase, scale):
    found = dominant_rate_bpm(scale * (5 + sine(rate_bpm, duration_s, rate_hz, phase)), rate_hz)
    # an offset of many amplitudes and a length of broken cycles leave far less than one bpm
    assert abs(found - rate_bpm) < 0.3


def test_the_rate_is_not_bound_to_a_coarse_grid():
    # a spectrum of 5 s without padding knows 60, 72, 84 bpm ... only
    rates = np.arange(66, 90, 0.5)
    found = np.array([dominant_rate_bpm(sine(rate, 5), 30) for rate in rates])
    assert np.abs(found - rates).max() < 2
    assert np.median(np.abs(found - rates)) < 0.5
    assert len(np.unique(found.round(1))) > 40


def test_the_grid_is_fine_and_the_band_is_kept():
    spectrum = power_spectrum(sine(72, 6), 30, band_bpm=(45, 150))
    assert np.diff(spectrum.rates_bpm).max() < 0.1001
    assert spectrum.rates_bpm[0] >= 45
    assert spectrum.rates_bpm[-1] <= 150


def test_a_stronger_rhythm_outside_the_band_is_not_taken():
    breathing, beat = 20 * sine(14, 30), sine(72, 30)
    assert dominant_rate_bpm(breathing + beat, 30) == pytest.approx(72, abs=0.5)
    assert dominant_rate_bpm(beat + 20 * sine(300, 30), 30) == pytest.approx(72, abs=0.5)


def test_a_slope_and_a_curve_are_no_pulse():
    time_s = np.arange(300) / 30
    drift = 40 * time_s - 3 * time_s**2
    assert dominant_rate_bpm(drift + sine(50, 10), 30) == pytest.approx(50, abs=2)


@pytest.mark.parametrize(
    "signal",
    [
        np.full(300, np.nan),
        np.zeros(300),
        np.full(300, 117.25),
        np.linspace(0, 1, 300),
        sine(72, 2.9),
        np.empty(0),
        np.where(np.arange(300) < 89, sine(72, 10), np.nan),
    ],
    ids=["faceless", "black", "constant", "ramp", "too short", "empty", "mostly unknown"],
)
def test_where_no_pulse_can_be_seen_there_is_no_number(signal):
    assert np.isnan(dominant_rate_bpm(signal, 30))
    assert np.isnan(snr_db(signal, 30, 72))
    assert not power_spectrum(signal, 30).known


@settings(max_examples=40, deadline=None)
@given(st.floats(50, 150), st.floats(2, 9), st.floats(0.5, 4))
def test_a_gap_does_not_move_the_rate(rate_bpm, gap_start_s, gap_s):
    signal = sine(rate_bpm, 20)
    time_s = np.arange(len(signal)) / 30
    signal[(time_s >= gap_start_s) & (time_s < gap_start_s + gap_s)] = np.nan
    assert abs(dominant_rate_bpm(signal, 30) - rate_bpm) < 1


@given(st.floats(-1e4, 1e4), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_detrending_removes_lines_and_keeps_gaps(offset, slope):
    time_s = np.arange(240) / 30
    line = offset + slope * time_s
    line[50:90] = np.nan
    rest = detrend(line, 30)
    assert np.array_equal(np.isnan(rest), np.isnan(line))
    assert np.nanmax(np.abs(rest)) <= 1e-7 * (1 + abs(offset) + abs(slope))


def test_detrending_keeps_the_pulse():
    beat = sine(40, 30)
    middle = slice(90, -90)
    assert np.std(detrend(beat, 30)[middle]) / np.std(beat[middle]) == pytest.approx(1, abs=0.03)
    slow = sine(3, 60)
    assert np.std(detrend(slow, 30)[300:-300]) < 0.01


def test_snr_counts_fundamental_and_first_harmonic():
    noise = np.random.default_rng(3).standard_normal(1800)
    beat = sine(70, 60)
    plain = snr_db(beat + noise, 30, 70)
    assert snr_db(beat + 0.5 * noise, 30, 70) - plain == pytest.approx(6, abs=1)
    assert snr_db(beat + 0.6 * sine(140, 60) + noise, 30, 70) > plain
    assert snr_db(beat + 0.6 * sine(110, 60) + noise, 30, 70) < plain
    assert snr_db(beat + noise, 30, 100) < -10


def test_white_noise_has_the_snr_of_its_share_of_the_band():
    values = [snr_db(np.random.default_rng(seed).standard_normal(1800), 30, 80) for seed in range(30)]
    # 24 of 200 bpm are inside
    assert np.mean(values) == pytest.approx(10 * np.log10(24 / 176), abs=1)


@pytest.mark.parametrize("rate_bpm", [np.nan, 20.0, 400.0])
def test_snr_of_an_unknown_rate_is_unknown(rate_bpm):
    assert np.isnan(snr_db(sine(72, 10), 30, rate_bpm))


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match=r"90 and 180 bpm .*2\.0 Hz"):
        dominant_rate_bpm(sine(72, 10), 2.0, band_bpm=(90, 180))


def signal(length, bpm, seed, gap=0, noise=0.5):
    random = np.random.default_rng(seed)
    values = np.sin(2 * np.pi * bpm / 60 * np.arange(length) / 30.0) + noise * random.standard_normal(length)
    start = int(random.integers(0, length))
    values[start : start + gap] = np.nan
    return values


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(60, 700), st.floats(30, 200), st.integers(0, 10**6), st.integers(0, 80)), min_size=1, max_size=6)
)
def test_a_batch_has_the_rates_that_each_signal_has_alone(wanted):
    signals = [signal(length, bpm, seed, gap) for length, bpm, seed, gap in wanted]
    alone = [dominant_rate_bpm(one, 30.0) for one in signals]
    assert dominant_rates_bpm(signals, 30.0) == pytest.approx(alone, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("rate_hz", [8.0, 25.0, 29.97, 30.0, 60.0])
@pytest.mark.parametrize("band_bpm", [(40.0, 180.0), (45.05, 239.9)])
def test_other_rates_and_bands_agree_too(rate_hz, band_bpm):
    signals = [signal(round(12 * rate_hz), bpm, seed) for seed, bpm in enumerate((50.0, 90.0, 130.0))]
    alone = [dominant_rate_bpm(one, rate_hz, band_bpm) for one in signals]
    assert dominant_rates_bpm(signals, rate_hz, band_bpm) == pytest.approx(alone, abs=1e-6, nan_ok=True)


def test_what_has_no_rate_is_unknown_beside_what_has_one():
    time_s = np.arange(300) / 30.0
    signals = [np.full(300, np.nan), np.zeros(300), np.linspace(0, 5, 300), np.sin(7.5 * time_s), np.sin(7.5 * time_s)[:80]]
    found = dominant_rates_bpm(signals, 30.0)
    assert np.isnan(found[[0, 1, 2, 4]]).all()
    assert found[3] == pytest.approx(7.5 / (2 * np.pi) * 60, abs=0.2)
    assert dominant_rates_bpm([], 30.0).size == 0
    assert np.isnan(dominant_rates_bpm([np.empty(0)], 30.0)).all()


def test_a_signal_of_more_than_ten_minutes_has_its_own_grid():
    long = signal(19_000, 71.3, 3)
    assert dominant_rates_bpm([long, long[:300]], 30.0) == pytest.approx(
        [dominant_rate_bpm(long, 30.0), dominant_rate_bpm(long[:300], 30.0)]
    )


def test_an_impossible_band_is_refused():
    with pytest.raises(ValueError, match=r"1\.0 Hz"):
        dominant_rates_bpm([np.zeros(100)], 1.0)


def test_spectra_of_many_signals_are_those_of_each():
    signals = np.stack([signal(300, bpm, seed, gap=20 * seed) for seed, bpm in enumerate((50.0, 90.0, 130.0))]).reshape(1, 3, 300)
    signals[0, 2, :290] = np.nan
    found = power_spectrum(signals, 30.0, (40, 240))
    assert found.power.shape == (1, 3, len(found.rates_bpm))
    assert found.known.tolist() == [[True, True, False]]
    for index in range(3):
        alone = power_spectrum(signals[0, index], 30.0, (40, 240))
        np.testing.assert_allclose(found.power[0, index], alone.power, rtol=1e-9)
        assert found.peak_bpm()[0, index] == pytest.approx(float(alone.peak_bpm()), nan_ok=True)
        assert found.snr_db([[50.0, 90.0, 130.0]])[0, index] == pytest.approx(
            snr_db(signals[0, index], 30.0, [50.0, 90.0, 130.0][index]), nan_ok=True
        )
    np.testing.assert_allclose(detrend(signals, 30.0)[0, 1], detrend(signals[0, 1], 30.0))


def test_the_spectrum_is_that_of_a_zero_padded_fourier_transform():
    values = signal(300, 77.0, 5)
    tapered = detrend(values, 30.0) * np.hanning(302)[1:-1]
    power = np.abs(np.fft.rfft(tapered, 18_000)) ** 2
    found = power_spectrum(values, 30.0)
    np.testing.assert_allclose(found.power, power[400:1801], rtol=1e-6, atol=1e-9 * power.max())
    np.testing.assert_allclose(found.rates_bpm, np.arange(400, 1801) * 0.1)
