"""The pulse network in the trainer: further from the weights of the package, on simulated windows, and what it reads of a recording."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.maps import add_augmentation, simulated_result, small_maps
from support.training import result

from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import LandmarkTrack, RoiGrid
from stmap_pipeline.shards import Shards, read_table
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.training import data as training_data
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import SimulatedSource, TrainingSet, recorded_samples, uniform_samples
from stmap_pipeline.training.predict import Model
from stmap_pipeline.training.train import FoldResult, Progress, plan_training, run_training


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    root = small_maps(tmp_path_factory.mktemp("pulse") / "maps", frames=450, length="120 frames", step="3 s")
    add_augmentation(root)
    return root


@pytest.fixture
def few_windows(monkeypatch):
    monkeypatch.setattr(training_data, "SIMULATED_VALIDATION", 16)
    monkeypatch.setattr(training_data, "VALIDATION_BATCH", 8)


def train(maps, out, *, resume=False, **settings):
    return list(run_training(plan_training(maps, out, TrainConfig.from_mapping(settings), resume=resume), "cpu"))


def turning(result, x_px):
    """The same recording with a head that moves sideways and has a size."""
    points = np.random.default_rng(0).normal([300.0, 200.0], 40.0, (1, 68, 2)).repeat(len(x_px), axis=0)
    points[:, :, 0] += x_px[:, None]
    times_s = result.blocks.times_s
    return replace(result, track=LandmarkTrack(times_s, points.astype(np.float32), np.ones(len(times_s), dtype=np.float32)))


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_means_motion_and_pulse_have_one_clock_at_any_speed(speed):
    one = example_result(frames=300, heart_rate_bpm=72.0, grid=RoiGrid(2, 2))
    times_s = one.blocks.times_s
    one = turning(one, 10 * np.sin(2 * np.pi * 0.5 * times_s))
    found = uniform_samples(one, 30.0, speed)
    assert np.allclose(np.diff(found.times_s), 1 / 30)
    assert found.times_s[-1] == pytest.approx(times_s[-1] / speed, abs=0.06)
    known = np.isfinite(found.pulse)
    assert known.mean() > 0.9
    # a pulse of 72 bpm, played faster; green falls where the pulse rises, or the other way round, at the same moments
    spectrum = np.abs(np.fft.rfft(found.pulse[known] - found.pulse[known].mean(), 8192))
    assert np.fft.rfftfreq(8192, 1 / 30)[spectrum.argmax()] * 60 == pytest.approx(72 * speed, abs=1.5)
    green = found.means[:, 0, 1] - found.means[:, 0, 1].mean()
    assert abs(np.corrcoef(green[known], found.pulse[known])[0, 1]) > 0.9
    # half a turn of the head in a second as recorded
    sideways = found.motion[:, 0] - found.motion[:, 0].mean()
    expected = np.sin(2 * np.pi * 0.5 * found.times_s * speed)
    assert np.corrcoef(sideways, expected)[0, 1] > 0.99
    assert np.ptp(found.motion[:, 2]) < 1e-3


def test_the_lag_of_a_pulse_label_is_taken_out_and_one_that_is_not_in_the_traces_is_left_out(tmp_path):
    def rate_bpm(times_s):
        return 70 + 8 * np.sin(2 * np.pi * 0.07 * times_s)

    true = simulated_result(rate_bpm, 24.0, "a", pulse=True, grid=RoiGrid(2, 2))
    late = replace(true, pulse=replace(true.pulse, times_s=true.pulse.times_s + 0.3))
    alien = simulated_result(rate_bpm, 24.0, "b", pulse=True, grid=RoiGrid(2, 2))
    alien = replace(alien, pulse=replace(alien.pulse, value=np.random.default_rng(0).normal(size=len(alien.pulse.value))))
    read = recorded_samples(Shards(example_maps(tmp_path / "maps", [late, alien])), 30.0)
    found = read("a", 1.0)
    known = np.isfinite(found.pulse)
    assert known.mean() > 0.95
    expected = np.interp(found.times_s[known], true.pulse.times_s, true.pulse.value)
    # 0.3 s later it would be 0.4
    assert np.corrcoef(expected, found.pulse[known])[0, 1] > 0.95
    assert np.isnan(read("b", 1.0).pulse).all()


def test_a_window_of_its_own_length_is_cut_around_the_middle(maps):
    shards = Shards(maps)
    windows = shards.windows(recording_id="p001_v1")
    data = TrainingSet(recorded_samples(shards, 30.0), windows, rate_hz=30.0, samples=200)
    batch = data.batch(np.arange(len(windows)))
    whole = recorded_samples(shards, 30.0)("p001_v1", 1.0)
    for number, one in enumerate(windows):
        middle = round((one.start_s + one.stop_s) / 2 * 30)
        start = min(max(middle - 100, 0), len(whole.means) - 200)
        np.testing.assert_array_equal(batch.means[number].numpy(), whole.means[start : start + 200])
    assert batch.motion.shape == (len(windows), 200, 4)
    # longer than the recording: nothing is known beyond its end
    batch = TrainingSet(recorded_samples(shards, 30.0), windows[:1], rate_hz=30.0, samples=600).batch(np.array([0]))
    assert batch.means[0, len(whole.means) :].isnan().all()
    assert batch.means[0, : len(whole.means)].isfinite().all()


def test_further_from_the_weights_of_the_package_it_estimates_with_a_confidence(maps, tmp_path):
    out = tmp_path / "run"
    events = train(maps, out, epochs=1, batch=8, validation_share=0, augment="plan")
    config = TrainConfig.from_toml(out / "run.toml")
    assert (config.network, config.init, config.learning_rate) == ("pulse-net", "simulated", 3e-4)
    results = [one for one in events if isinstance(one, FoldResult)]
    assert [one.fold for one in results] == [1, 2]
    # clean pulses of people that it never saw
    assert all(one.mae_bpm < 3 < one.constant_mae_bpm for one in results)
    rows = read_table(out / "predictions.csv")
    assert all(0.5 < one["confidence"] <= 1 for one in rows)
    shards = Shards(maps)
    windows = shards.windows(fold=1)
    rates = Model.load(out, 1).predict(shards, windows)
    mine = [one for one in rows if one["fold"] == 1]
    np.testing.assert_allclose(rates.heart_rate_bpm, [one["predicted_bpm"] for one in mine], atol=1e-3)
    np.testing.assert_allclose(rates.confidence, [one["confidence"] for one in mine], atol=1e-4)


def test_a_network_of_traces_reads_maps_of_any_clock_length_and_grid(maps, tmp_path):
    train(maps, tmp_path / "run", epochs=1, batch=8, validation_share=0, protocol="cross", windows_per_epoch=8)
    other = Shards(small_maps(tmp_path / "other", frames=450, clock="uniform", rate_hz=25.0, length="5 s", step="3 s"))
    windows = other.windows()
    rates = Model.load(tmp_path / "run").predict(other, windows)
    assert np.abs(rates.heart_rate_bpm - [one.heart_rate_bpm for one in windows]).mean() < 3


@pytest.mark.usefixtures("few_windows")
def test_simulated_windows_are_new_in_each_step_and_the_same_in_each_run():
    source = SimulatedSource(TrainConfig(recipe="simulated", batch=4, windows_per_epoch=12), torch.device("cpu"))
    first, again, second = (list(source.epoch(number, 0, 1)) for number in (0, 0, 1))
    assert [len(one) for one, _ in first] == [4, 4, 4]
    assert all(
        torch.equal(one.means.nan_to_num(), other.means.nan_to_num()) for (one, _), (other, _) in zip(first, again, strict=True)
    )
    means = torch.cat(
        [one.means.nan_to_num() for one, _ in [*first, *second]] + [one.means.nan_to_num() for one in source.validation()]
    )
    assert len(means.flatten(1).unique(dim=0)) == 12 + 12 + 16
    # two processes share a batch
    shares = [next(iter(source.epoch(0, rank, 2))) for rank in (0, 1)]
    assert [(len(one), whole) for one, whole in shares] == [(2, 4), (2, 4)]
    assert not torch.equal(shares[0][0].means.nan_to_num(), shares[1][0].means.nan_to_num())


@pytest.mark.usefixtures("few_windows")
def test_a_training_on_simulated_windows_resumes_with_the_same_weights(tmp_path):
    settings = {"recipe": "simulated", "batch": 4, "windows_per_epoch": 8, "epochs": 3, "seed": 1}
    events = train(None, tmp_path / "whole", **settings)
    assert [one.step for one in events if isinstance(one, Progress) and one.epoch_done] == [2, 4, 6]
    assert np.isfinite([one.validation_mae_bpm for one in events if isinstance(one, Progress) and one.epoch_done]).all()
    plan = plan_training(None, tmp_path / "run", TrainConfig.from_mapping(settings))
    with closing(run_training(plan, "cpu")) as running:
        next(one for one in running if isinstance(one, Progress) and one.epoch_done)
    train(None, tmp_path / "run", resume=True, **settings)
    assert result(tmp_path / "run") == result(tmp_path / "whole")
    # a start for another training, on recordings
    metadata = Model.load(tmp_path / "run").metadata
    assert (metadata.rate_hz, metadata.samples, metadata.maps.simulated) == (30.0, 300, True)
    config = TrainConfig(init=str(tmp_path / "run/fold0/weights.safetensors"), protocol="cross")
    assert plan_training(small_maps(tmp_path / "maps"), tmp_path / "further", config).to_do
