"""The pulse network in the trainer: further from the weights of the package, on simulated windows, and what it reads of a recording."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from support.maps import add_augmentation, small_maps
from support.training import result

from stmap_pipeline.errors import ConfigError, ModelError, OtherSettingsError
from stmap_pipeline.shards import Shards, read_table
from stmap_pipeline.training import data as training_data
from stmap_pipeline.training import run_folder
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.data import SimulatedSource
from stmap_pipeline.training.plan import initial_network, plan_training
from stmap_pipeline.training.predict import Model
from stmap_pipeline.training.run_folder import simulated_maps
from stmap_pipeline.training.tensor_file import read_tensors, write_tensors
from stmap_pipeline.training.train import FoldResult, Progress, run_training


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
    # a sine without noise is no usual pulse, so the network is not sure
    assert all(0.05 < one["confidence"] <= 1 for one in rows)
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
    # some have more blocks
    made = [one.means[:, :, :25].nan_to_num() for one in [*(batch for batch, _ in [*first, *second]), *source.validation()]]
    means = torch.cat(made)
    assert len(means.flatten(1).unique(dim=0)) == 12 + 12 + 16
    # two processes share a batch
    shares = [next(iter(source.epoch(0, rank, 2))) for rank in (0, 1)]
    assert [(len(one), whole) for one, whole in shares] == [(2, 4), (2, 4)]
    assert not torch.equal(shares[0][0].means.nan_to_num(), shares[1][0].means.nan_to_num())


@pytest.mark.usefixtures("few_windows")
@pytest.mark.parametrize(("network", "blocks"), [("pulse-net", [100, 100, 25, 100]), ("attention-resnet18", [25, 25, 25, 25])])
def test_a_network_that_reads_any_grid_learns_from_the_blocks_of_an_estimate_and_of_a_map(network, blocks):
    source = SimulatedSource(TrainConfig(recipe="simulated", network=network, batch=2, windows_per_epoch=8), torch.device("cpu"))
    assert [one.means.shape[2] for one, _ in source.epoch(0, 0, 1)] == blocks
    assert {one.means.shape[2] for one in source.validation()} == {25}


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
    tensors, text = read_tensors(Path(config.init))
    write_tensors(Path(config.init), tensors, json.dumps(json.loads(text) | {"schema_version": 2}))
    with pytest.raises(ModelError, match="schema_version"):
        initial_network(config)


def test_an_epoch_that_holds_no_batch_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="20 windows"):
        plan_training(None, tmp_path / "run", TrainConfig(recipe="simulated", windows_per_epoch=20))
    assert not (tmp_path / "run").exists()


def test_other_code_is_another_simulation(tmp_path, monkeypatch):
    before = simulated_maps().fingerprint
    for file in run_folder._SIMULATOR.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text("utf-8").replace("0.75", "0.76"), "utf-8")
    simulated_maps.cache_clear()
    monkeypatch.setattr(run_folder, "_SIMULATOR", tmp_path)
    try:
        assert simulated_maps().fingerprint != before
    finally:
        simulated_maps.cache_clear()


@pytest.mark.usefixtures("few_windows")
def test_a_run_on_windows_of_another_simulation_is_not_continued(tmp_path, monkeypatch):
    settings = {"recipe": "simulated", "batch": 4, "windows_per_epoch": 4, "epochs": 2}
    plan = plan_training(None, tmp_path / "run", TrainConfig.from_mapping(settings))
    with closing(run_training(plan, "cpu")) as running:
        next(one for one in running if isinstance(one, Progress) and one.epoch_done)
    changed = plan.maps.model_copy(update={"fingerprint": "other"})
    monkeypatch.setattr("stmap_pipeline.training.plan.simulated_maps", lambda: changed)
    with pytest.raises(OtherSettingsError, match="another way"):
        plan_training(None, tmp_path / "run", TrainConfig.from_mapping(settings), resume=True)


def test_a_simulated_run_without_an_optimizer_was_one_of_adamw(tmp_path):
    settings = {"recipe": "simulated", "batch": 4, "windows_per_epoch": 4, "epochs": 1, "optimizer": "adamw"}
    train(None, tmp_path / "run", **settings)
    file = tmp_path / "run" / "run.toml"
    file.write_text("".join(one for one in file.read_text().splitlines(keepends=True) if not one.startswith("optimizer")))
    assert plan_training(None, tmp_path / "run", TrainConfig.from_mapping(settings)).to_do == []
    with pytest.raises(OtherSettingsError, match="optimizer"):
        plan_training(None, tmp_path / "run", TrainConfig.from_mapping(settings | {"optimizer": "muon"}))
