"""The classical methods on the windows of a run: what they say one by one, whatever the number of processes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from simulated_traces import simulated_result

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ShardError, UnknownNameError
from stmap_pipeline.evaluation import METHODS, estimate_heart_rate
from stmap_pipeline.evaluation.baselines import classical_rates, read_baselines, window_rates_bpm, write_baselines
from stmap_pipeline.evaluation.predictions import Predictions
from stmap_pipeline.records import VideoSource
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps


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


def test_each_window_has_the_estimate_that_it_has_alone(maps):
    windows = predictions_of(maps)
    found = {one.recording_id: one for one in classical_rates(maps, windows)}
    assert sorted(np.concatenate([one.rows for one in found.values()])) == list(range(len(windows)))
    for name, one in found.items():
        assert (windows.recording_id[one.rows] == name).all()
        blocks = maps.recording(name).blocks
        for row in (one.rows[0], one.rows[-1]):
            rates = one.rates_bpm[one.rows.tolist().index(row)]
            alone = [
                estimate_heart_rate(blocks, method, start_s=windows.start_s[row], stop_s=windows.stop_s[row]) for method in METHODS
            ]
            assert rates == pytest.approx(alone, abs=1e-6, nan_ok=True)
    assert found["p001_v1"].rates_bpm == pytest.approx(66.0, abs=1.0)


def test_two_processes_give_the_numbers_of_one(maps):
    windows = predictions_of(maps)
    one, two = ({each.recording_id: each for each in classical_rates(maps, windows, jobs=jobs)} for jobs in (1, 2))
    assert one.keys() == two.keys()
    for name in one:
        assert np.array_equal(one[name].rates_bpm, two[name].rates_bpm, equal_nan=True)


def test_what_shows_no_pulse_is_unknown():
    blocks = simulated_result(70.0, 12.0, amplitude=0.0, noise=0.0, light=0.0).blocks
    assert np.isnan(window_rates_bpm(blocks, [0.0], [10.0])).all()
    lost = simulated_result(70.0, 12.0, lost_s=[(0.0, 9.0)]).blocks
    assert np.isnan(window_rates_bpm(lost, [0.0, 30.0], [10.0, 40.0])).all()


def test_an_earlier_table_serves_where_it_has_all_windows(maps, tmp_path):
    windows = predictions_of(maps)
    rates = np.arange(3.0 * len(windows)).reshape(-1, 3)
    rates[1, 2] = np.nan
    path = tmp_path / "baselines.csv"
    assert read_baselines(path, windows) is None
    write_baselines(path, windows, rates)
    assert np.array_equal(read_baselines(path, windows), rates, equal_nan=True)
    part = Predictions.of(maps.windows()[3:5], [0.0, 0.0])
    assert np.array_equal(read_baselines(path, part), rates[3:5], equal_nan=True)
    other = Predictions.of([dataclasses.replace(maps.windows()[0], start=1)], [0.0])
    assert read_baselines(path, other) is None
    path.write_text("nonsense")
    assert read_baselines(path, windows) is None


def test_windows_of_another_database_and_damaged_shards_are_told(maps, tmp_path):
    window = dataclasses.replace(maps.windows()[0], recording_id="p009_v1")
    with pytest.raises(UnknownNameError, match="p009_v1"):
        list(classical_rates(maps, Predictions.of([window], [0.0])))
    root = example_maps(tmp_path / "maps")
    shard = next((root / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-100])
    with Shards(root) as shards, pytest.raises(ShardError, match=r"p001\.h5"):
        list(classical_rates(shards, predictions_of(shards)))
