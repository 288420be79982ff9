import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.maps import frame_times, simulated_blocks, simulated_result

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ShardError, UnknownNameError
from stmap_pipeline.evaluation import (
    METHODS,
    compare_heart_rate,
    estimate_heart_rate,
    heart_rate_metrics,
    heart_rate_over_time,
    uniform_pulse,
)
from stmap_pipeline.evaluation.heart_rate import classical_rates, window_rates_bpm
from stmap_pipeline.evaluation.result import Predictions
from stmap_pipeline.records import BlockTrace, HeartRateTrace, PulseTrace, RecordingResult, VideoSource
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps

ROOT = Path(__file__).parents[2]
FINGERS = Path(os.environ.get("STMAP_REAL_DATA", ROOT.parent / "shared/data")) / "welltory_ppg/data"


@settings(max_examples=15, deadline=None)
@given(
    rate_bpm=st.floats(48, 160),
    rate_hz=st.sampled_from([16.2, 25.0, 30.0]),
    jitter=st.floats(0, 0.5),
    gap_s=st.floats(0, 4),
    seed=st.integers(0, 99),
)
def test_a_known_pulse_is_found_in_spite_of_jitter_and_gaps(rate_bpm, rate_hz, jitter, gap_s, seed):
    times_s = frame_times(20, rate_hz, jitter, seed)
    blocks = simulated_blocks(rate_bpm, times_s, lost_s=[(7, 7 + gap_s)], seed=seed)
    assert estimate_heart_rate(blocks, "pos") == pytest.approx(rate_bpm, abs=1.5)


def test_the_nominal_rate_in_place_of_the_times_would_be_wrong():
    # 16 Hz frames read as 25 Hz: the error that real times avoid
    times_s = frame_times(20, 16.2, 0.3)
    blocks = simulated_blocks(66, times_s)
    assert estimate_heart_rate(blocks) == pytest.approx(66, abs=1)
    wrong = simulated_blocks(66, times_s)
    object.__setattr__(wrong, "times_s", np.arange(len(times_s)) / 25)
    assert estimate_heart_rate(wrong) == pytest.approx(66 * 25 / 16.2, abs=3)


@pytest.mark.parametrize("method", ["green", "chrom", "pos"])
def test_a_faceless_recording_has_no_heart_rate(method):
    blocks = simulated_blocks(72, frame_times(12), lost_s=[(0, 99)])
    assert np.isnan(estimate_heart_rate(blocks, method))
    series = heart_rate_over_time(blocks, method)
    assert series.times_s.size == 7
    assert np.isnan(series.heart_rate_bpm).all()


def test_a_face_that_leaves_has_a_rate_while_it_was_there():
    blocks = simulated_blocks(72, frame_times(30), lost_s=[(15, 99)])
    series = heart_rate_over_time(blocks)
    known = np.isfinite(series.heart_rate_bpm)
    # a window counts while at least half of it is known
    assert np.array_equal(known, series.times_s <= 15)
    assert np.abs(series.heart_rate_bpm[known] - 72).max() < 3


def test_the_series_follows_a_rising_rate():
    blocks = simulated_blocks(lambda t: 60 + t, frame_times(40, jitter=0.2))
    series = heart_rate_over_time(blocks, window_s=6, step_s=1)
    assert series.times_s.tolist() == [start + 3.0 for start in range(35)]
    assert np.abs(series.heart_rate_bpm - (60 + series.times_s)).max() < 3


def test_label_and_estimate_share_their_window_times():
    blocks = simulated_blocks(72, frame_times(20) + 0.4)
    fine_s = np.arange(-1.3, 25, 1 / 60)
    label = PulseTrace(fine_s, np.sin(2 * np.pi * 1.2 * fine_s))
    one, two = heart_rate_over_time(blocks), heart_rate_over_time(label)
    both = np.intersect1d(one.times_s, two.times_s)
    assert both.tolist() == one.times_s.tolist()
    assert np.abs(two.heart_rate_bpm - 72).max() < 0.5


def test_a_pulse_label_with_a_pause_stays_unknown_there():
    fine_s = np.arange(0, 20, 1 / 60)
    label = PulseTrace(fine_s, np.where((fine_s > 5) & (fine_s < 9), np.nan, np.sin(2 * np.pi * 1.5 * fine_s)))
    pulse = uniform_pulse(label)
    assert np.isnan(pulse.value[(pulse.times_s > 5.1) & (pulse.times_s < 8.9)]).all()
    assert estimate_heart_rate(label) == pytest.approx(90, abs=0.5)
    assert np.isnan(estimate_heart_rate(label, start_s=5.1, stop_s=8.9))


def test_short_and_wrong_requests():
    blocks = simulated_blocks(72, frame_times(4))
    assert heart_rate_over_time(blocks, window_s=6).times_s.size == 0
    assert heart_rate_over_time(blocks, window_s=4).times_s.tolist() == [2.0]
    with pytest.raises(UnknownNameError, match="'best'"):
        estimate_heart_rate(blocks, "best")
    with pytest.raises(ValueError, match="step_s"):
        heart_rate_over_time(blocks, step_s=0)


def test_the_comparison_names_its_truth():
    by_rate = compare_heart_rate(simulated_result(75, label=True, pulse=True))
    assert (by_rate.truth, by_rate.true_bpm) == ("heart_rate", 75.0)
    assert abs(by_rate.error_bpm) < 1
    assert by_rate.snr_db > 0
    by_pulse = compare_heart_rate(simulated_result(75, label=False, pulse=True))
    assert by_pulse.truth == "pulse"
    assert by_pulse.true_bpm == pytest.approx(75, abs=0.5)
    unknown = compare_heart_rate(simulated_result(75, label=False))
    assert unknown.truth == ""
    assert np.isnan(unknown.true_bpm)
    assert np.isnan(unknown.error_bpm)
    assert unknown.estimated_bpm == pytest.approx(75, abs=1)


def test_a_label_shorter_than_the_video_is_compared_where_it_is():
    whole = simulated_result(lambda t: np.where(t < 12, 60.0, 120.0), duration_s=30)
    short = HeartRateTrace(whole.heart_rate.times_s[:12], whole.heart_rate.heart_rate_bpm[:12])
    row = compare_heart_rate(RecordingResult(whole.recording, whole.blocks, whole.track, short))
    assert (row.true_bpm, row.start_s, row.stop_s) == (60.0, 0.0, 12.0)
    assert row.estimated_bpm == pytest.approx(60, abs=1.5)


def test_a_label_of_unknown_values_falls_back_to_the_pulse():
    result = simulated_result(75, pulse=True)
    nothing = HeartRateTrace(result.heart_rate.times_s, np.full(len(result.heart_rate.times_s), np.nan))
    row = compare_heart_rate(RecordingResult(result.recording, result.blocks, result.track, nothing, result.pulse))
    assert row.truth == "pulse"


@pytest.fixture(scope="module")
def finger_records():
    if not FINGERS.is_dir():
        pytest.skip(f"no real finger recordings at {FINGERS}; set STMAP_REAL_DATA to their folder")
    records = []
    for folder in sorted(FINGERS.iterdir()):
        table = np.genfromtxt(folder / "PPG.csv", delimiter=",", names=True)
        intervals_ms = np.array((folder / "RR.txt").read_text().split(), dtype=float)
        records.append((PulseTrace(table["time"] / 1000, table["R"]), float(np.mean(60000 / intervals_ms))))
    return records


def test_real_finger_pulses_agree_with_the_chest_strap(finger_records):
    true_bpm = [true for _, true in finger_records]
    whole = heart_rate_metrics([estimate_heart_rate(label) for label, _ in finger_records], true_bpm)
    # the rate wanders by 5 bpm (SD) within a record: the highest peak of 68 to 112 s is its usual rate, not its mean
    assert whole.n == 21
    assert whole.mae_bpm == pytest.approx(2.4, abs=0.05)
    assert whole.r > 0.9
    series = [heart_rate_over_time(label, window_s=10).heart_rate_bpm for label, _ in finger_records]
    windows = heart_rate_metrics([float(np.nanmean(rates)) for rates in series], true_bpm)
    assert windows.mae_bpm == pytest.approx(1.6, abs=0.05)


def test_numbers_of_a_pulse_that_was_extracted_before_are_those_of_the_recording():
    result = simulated_result(75, label=True)
    pulse = uniform_pulse(result.blocks)
    assert uniform_pulse(pulse) is pulse
    assert estimate_heart_rate(pulse) == estimate_heart_rate(result.blocks)
    assert compare_heart_rate(result, pulse=pulse) == compare_heart_rate(result)
    one, two = heart_rate_over_time(pulse), heart_rate_over_time(result.blocks)
    assert np.array_equal(one.heart_rate_bpm, two.heart_rate_bpm, equal_nan=True)


def result(name, subject, bpm, **more):
    one = simulated_result(bpm, 14.0, name, **more)
    return dataclasses.replace(
        one, recording=dataclasses.replace(one.recording, subject=subject, video=VideoSource(Path("v.avi")), fold=1)
    )


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    results = [
        result("p001_v1", "p001", 66.0),
        result("p001_v2", "p001", 91.0, lost_s=[(5.0, 7.0)]),
        result("p002_v1", "p002", 58.0, noise=0.8),
    ]
    root = example_maps(
        tmp_path_factory.mktemp("base") / "maps", results, Config.from_mapping({"windows": {"length": "240 frames"}})
    )
    with Shards(root) as shards:
        yield shards


def predictions_of(maps):
    windows = maps.windows()
    return Predictions.of(windows, np.zeros(len(windows)))


def rates_by_recording(maps, windows, jobs=1):
    found = {}
    for rows, rates_bpm in classical_rates(maps, windows, jobs=jobs):
        (name,) = set(windows.recording_id[rows])
        found[name] = rows, rates_bpm
    return found


def test_each_window_has_the_estimate_that_it_has_alone(maps):
    windows = predictions_of(maps)
    found = rates_by_recording(maps, windows)
    assert sorted(np.concatenate([rows for rows, _ in found.values()])) == list(range(len(windows)))
    for name, (rows, rates_bpm) in found.items():
        blocks = maps.recording(name).blocks
        for row in (rows[0], rows[-1]):
            rates = rates_bpm[rows.tolist().index(row)]
            alone = [
                estimate_heart_rate(blocks, method, start_s=windows.start_s[row], stop_s=windows.stop_s[row]) for method in METHODS
            ]
            assert rates == pytest.approx(alone, abs=1e-6, nan_ok=True)
    assert found["p001_v1"][1] == pytest.approx(66.0, abs=1.0)


def test_two_processes_give_the_numbers_of_one(maps):
    windows = predictions_of(maps)
    one, two = (rates_by_recording(maps, windows, jobs) for jobs in (1, 2))
    assert one.keys() == two.keys()
    for name in one:
        assert np.array_equal(one[name][1], two[name][1], equal_nan=True)


def test_what_shows_no_pulse_is_unknown():
    blocks = simulated_result(70.0, 12.0, amplitude=0.0, noise=0.0, light=0.0).blocks
    assert np.isnan(window_rates_bpm(blocks, [0.0], [10.0])).all()
    lost = simulated_result(70.0, 12.0, lost_s=[(0.0, 9.0)]).blocks
    assert np.isnan(window_rates_bpm(lost, [0.0, 30.0], [10.0, 40.0])).all()


def test_windows_of_another_database_and_damaged_shards_are_told(maps, tmp_path):
    window = dataclasses.replace(maps.windows()[0], recording_id="p009_v1")
    with pytest.raises(UnknownNameError, match="p009_v1"):
        list(classical_rates(maps, Predictions.of([window], [0.0])))
    root = example_maps(tmp_path / "maps")
    shard = root / "shards" / "p001_v1.h5"
    shard.write_bytes(shard.read_bytes()[:-100])
    with Shards(root) as shards, pytest.raises(ShardError, match=r"p001_v1\.h5"):
        list(classical_rates(shards, predictions_of(shards)))


def test_a_trace_whose_times_leap_has_no_rate_and_takes_little_memory():
    blocks = simulated_blocks(72, frame_times(12))
    leaping = BlockTrace(np.r_[blocks.times_s[:-1], 1e15], blocks.means, blocks.coverage, blocks.grid)
    assert uniform_pulse(leaping).times_s.size == 0
    assert np.isnan(estimate_heart_rate(leaping))
    assert heart_rate_over_time(leaping).times_s.size == 0
    assert np.isnan(window_rates_bpm(leaping, [0.0], [10.0])).all()
    result = simulated_result(72)
    row = compare_heart_rate(dataclasses.replace(result, blocks=leaping))
    assert np.isnan([row.estimated_bpm, row.snr_db]).all()
