"""Networks read back from a run: what is refused, and what cannot be smuggled in."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from support.maps import small_maps
from support.training import train

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ModelError, ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.training.predict import Model, read_checkpoint
from stmap_pipeline.training.run_folder import read_metadata


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("predict") / "maps")


@pytest.fixture(scope="module")
def trained(maps, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    train(maps, out, epochs=1)
    return out


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def other_maps(root, **settings):
    results = [example_result("a", frames=240), example_result("b", subject="p002", fold=2, frames=240)]
    base = {"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "1 s"}}
    return Shards(example_maps(root, results, Config.from_mapping(base | settings)))


def test_a_model_predicts_windows_in_any_order_and_the_trace_of_a_video(maps, run):
    model, shards = Model.load(run, 2), Shards(maps)
    assert Model.folds(run) == [1, 2]
    assert (model.metadata.fold, model.name, model.config.network) == (2, "best", "tiny")
    windows = shards.windows(fold=2)
    found = model.predict(shards, windows).heart_rate_bpm
    np.testing.assert_allclose(model.predict(shards, windows[::-1]).heart_rate_bpm[::-1], found, atol=1e-4)
    name = windows[0].recording_id
    ours = [one for one in windows if one.recording_id == name]
    blocks = shards.recording(name).blocks
    alone = model.predict_trace(blocks, [one.start for one in ours], [one.duration_s for one in ours])
    assert np.isnan(alone.confidence).all()
    np.testing.assert_allclose(alone.heart_rate_bpm, found[: len(ours)], atol=1e-4)
    assert model.predict(shards, []).heart_rate_bpm.shape == (0,)
    by_file = Model.load(run / "fold2" / "last.safetensors")
    assert (by_file.name, by_file.metadata.epoch) == ("last", 1)


def test_which_fold_is_meant_must_be_clear(run, tmp_path):
    with pytest.raises(ModelError, match=r"which fold is meant \(finished: 1, 2\)"):
        Model.load(run)
    with pytest.raises(ModelError, match=r"fold 3 .*\(finished: 1, 2\)"):
        Model.load(run, 3)
    with pytest.raises(ModelError, match=f"{tmp_path}/nowhere: "):
        Model.folds(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=f"{tmp_path}: is no output of stmap train; give the folder of a run"):
        Model.load(tmp_path)
    for one in run.glob("fold*/last.json"):
        one.unlink()
    with pytest.raises(ModelError, match=f"{run}: .*--resume"):
        Model.load(run, 1)


def test_maps_of_another_kind_are_refused_with_what_differs(run, tmp_path):
    model = Model.load(run, 1)
    for name, settings, text in (
        ("blocks", {"blocks": {"rows": 3, "cols": 2}}, "3 x 2 blocks, the network was trained on 4; build maps alike"),
        ("clock", {"windows": {"clock": "uniform", "length": "60 frames"}}, "uniform clock at 30 Hz, .* native clock"),
        ("length", {"windows": {"length": "90 frames"}}, " 90 samples, .* 60"),
    ):
        if name == "blocks":
            # the shards of the example have 2 x 2 blocks; the settings are compared first
            shards = other_maps(tmp_path / name)
            shards.config = Config.from_mapping(settings)
        else:
            shards = other_maps(tmp_path / name, **settings)
        with pytest.raises(ModelError, match=text):
            model.predict(shards, shards.windows())
    blocks = example_result("a", frames=90, grid=RoiGrid(3, 2)).blocks
    with pytest.raises(ModelError, match=r"6 blocks, .* 4"):
        model.predict_trace(blocks, [0], [2.0])
    blocks = example_result("a", frames=90, grid=RoiGrid(2, 2)).blocks
    with pytest.raises(ShardError, match=r"31 to 91 .* 90 samples"):
        model.predict_trace(blocks, [0, 31], [2.0, 2.0])


def damage_json(change):
    def harm(folder):
        path = folder / "best.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return harm


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of a checkpoint was run",))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lambda folder: (folder / "best.safetensors").unlink(), r"best\.safetensors"),
        (
            lambda folder: (folder / "best.safetensors").write_bytes(b""),
            r"best\.safetensors: is not the file that best\.json was written for",
        ),
        (lambda folder: (folder / "best.safetensors").write_bytes(pickle.dumps(Bomb())), r"best\.safetensors.*best\.json"),
        (lambda folder: shutil.copy(folder / "last.safetensors", folder / "best.safetensors"), None),
        (lambda folder: (folder / "best.json").write_text("{"), r"best\.json: "),
        (lambda folder: (folder / "best.json").write_text("[" * 100_000), r"best\.json: "),
        (damage_json(lambda one: one.update(format="stmap-maps")), "format: .*'stmap-model'"),
        (damage_json(lambda one: one.update(schema_version=1)), "schema_version"),
        (damage_json(lambda one: one.update(blocks=10**12)), "blocks: "),
        (damage_json(lambda one: one.pop("samples")), "samples: "),
        (damage_json(lambda one: one.update(more=1)), "more: "),
        (damage_json(lambda one: one["config"].update(network="os:system")), "'os:system'"),
        (damage_json(lambda one: one["config"].update(network="tiny-plain")), r"best\.safetensors: .*'tiny-plain'"),
        (damage_json(lambda one: one["config"].update(color="rgb+yuv")), r"best\.safetensors: .*'tiny'"),
    ],
)
def test_a_damaged_or_foreign_checkpoint_is_refused(run, harm, text):
    harm(run / "fold1")
    if text is None:
        # nothing that a reader could tell: the same weights, or another setting that has the same shape
        Model.load(run, 1)
    else:
        with pytest.raises(ModelError, match=text):
            Model.load(run, 1)


def test_metadata_of_a_checkpoint(run, maps):
    weights, metadata = read_checkpoint(run / "fold1", "last")
    assert metadata == read_metadata(run / "fold1", "last")
    assert (metadata.blocks, metadata.samples, metadata.clock, metadata.rate_hz) == (4, 60, "native", None)
    assert metadata.maps.fingerprint == Shards(maps).manifest.fingerprint
    assert weights["conv1.weight"].shape == (8, 3, 4, 9)
    # the standard units come from the training windows, which fold 1 has no part in
    windows = [one for one in Shards(maps).windows(labeled=True) if one.fold == 2]
    assert min(one.beats for one in windows) <= weights["target_mean"] <= max(one.beats for one in windows)
