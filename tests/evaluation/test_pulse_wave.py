"""One wave from many windows, and its beats at the times at which the heart beat."""

import numpy as np
import pytest

from stmap_pipeline.errors import OutputError
from stmap_pipeline.evaluation.pulse_wave import Beats, find_beats, stitch, write_pulse
from stmap_pipeline.records import PulseTrace

RATE_HZ = 15.0


def beating(intervals_s, duration_s):
    """A pulse with a fast rise and a slow fall at each beat."""
    beats_s = np.cumsum(intervals_s)
    times_s = np.arange(0, duration_s, 1 / RATE_HZ)
    phase = 2 * np.pi * np.interp(times_s, np.r_[0.0, beats_s], np.arange(len(beats_s) + 1))
    return times_s, np.cos(phase) + 0.3 * np.cos(2 * phase - 0.5), beats_s


def test_windows_of_either_sign_become_one_wave_with_its_steep_side_up():
    times_s, wave, _ = beating(np.full(60, 0.8), 40.0)
    starts = np.arange(0, len(times_s) - 150, 30)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], len(starts))
    whole = stitch(
        np.stack([sign * 7 * wave[at : at + 150] for at, sign in zip(starts, signs, strict=True)]), times_s[starts], RATE_HZ
    )
    np.testing.assert_allclose(whole.times_s, times_s[: len(whole.times_s)], atol=1e-9)
    assert abs(np.corrcoef(whole.value, wave[: len(whole.value)])[0, 1]) > 0.99
    assert (np.diff(whole.value) ** 3).sum() > 0


def test_a_window_that_knows_nothing_leaves_a_gap_and_nothing_else():
    times_s, wave, _ = beating(np.full(60, 0.8), 40.0)
    starts = np.array([0, 200, 400])
    waves = np.stack([wave[at : at + 150] for at in starts])
    waves[1] = np.nan
    whole = stitch(waves, times_s[starts], RATE_HZ)
    assert np.isfinite(whole.value[:150]).all()
    assert np.isnan(whole.value[150:400]).all()
    assert np.isfinite(whole.value[400:]).all()
    assert stitch(np.empty((0, 150)), np.empty(0), RATE_HZ).times_s.size == 0


def test_beats_are_where_the_heart_beat_and_intervals_vary_with_it():
    intervals_s = 0.8 + 0.08 * np.sin(np.arange(40) / 3)
    times_s, wave, beats_s = beating(intervals_s, 30.0)
    centers_s = np.arange(5.0, 26.0, 2.0)
    found = find_beats(PulseTrace(times_s, wave), centers_s, np.full(len(centers_s), 75.0), np.ones(len(centers_s), np.bool_))
    inside = beats_s[(beats_s > 1) & (beats_s < 29)]
    late_s = np.array([found.times_s[np.abs(found.times_s - one).argmin()] - one for one in inside])
    assert np.std(late_s) < 0.02
    known = np.isfinite(found.interval_s)
    assert known.sum() >= len(inside) - 1
    truth_s = np.interp(found.times_s[known], beats_s, intervals_s)
    assert np.abs(found.interval_s[known] - truth_s).mean() < 0.02


def test_there_are_no_beats_where_the_rate_is_not_given():
    times_s, wave, _ = beating(np.full(60, 0.8), 40.0)
    centers_s = np.arange(5.0, 36.0, 2.0)
    given = centers_s < 20
    found = find_beats(PulseTrace(times_s, wave), centers_s, np.full(len(centers_s), 75.0), given)
    assert 10 < found.times_s.max() < 21
    assert find_beats(PulseTrace(times_s, wave), centers_s, np.full(len(centers_s), 75.0), ~(centers_s > 0)).times_s.size == 0


def test_a_missed_beat_has_no_interval():
    times_s, wave, _ = beating(np.r_[np.full(10, 0.8), 1.9, np.full(10, 0.8)], 17.0)
    found = find_beats(PulseTrace(times_s, wave), np.array([8.0]), np.array([75.0]), np.array([True]))
    assert np.nanmax(found.interval_s) < 1.3


def test_a_table_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_pulse(PulseTrace([0.0], [1.0]), Beats(np.empty(0), np.empty(0)), tmp_path / "file" / "pulse.csv")


@pytest.mark.parametrize(("first_bpm", "last_bpm"), [(55.0, 120.0), (60.0, 130.0), (130.0, 60.0)])
def test_no_beat_is_missed_where_the_rate_changes_a_lot(first_bpm, last_bpm):
    times_s = np.arange(0, 180, 1 / RATE_HZ)
    rate_bpm = np.interp(times_s, [0.0, 100.0, 140.0], [first_bpm, first_bpm, last_bpm])
    beats = np.concatenate([[0.0], np.cumsum(rate_bpm[1:] / 60 / RATE_HZ)])
    wave = np.cos(2 * np.pi * beats) + 0.3 * np.cos(4 * np.pi * beats - 0.5)
    centers_s = np.arange(5.0, 176.0, 2.0)
    found = find_beats(
        PulseTrace(times_s, wave), centers_s, np.interp(centers_s, times_s, rate_bpm), np.ones(len(centers_s), np.bool_)
    )
    for start_s, stop_s in ((2.0, 60.0), (100.0, 140.0), (145.0, 178.0)):
        there = (found.times_s >= start_s) & (found.times_s < stop_s)
        assert there.sum() == pytest.approx(np.diff(np.interp([start_s, stop_s], times_s, beats))[0], abs=1.5)
        assert np.isfinite(found.interval_s[there]).mean() > 0.95
