"""Networks read back from a run: what is refused, and what cannot be smuggled in."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from support.maps import small_maps
from support.training import train

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ModelError, ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.training.predict import Model
from stmap_pipeline.training.tensor_file import read_tensors, write_tensors


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
    assert (model.metadata.fold, model.config.network) == (2, "tiny")
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
    assert Model.load(run / "fold2" / "weights.safetensors").metadata == model.metadata


def test_which_fold_is_meant_must_be_clear(run, tmp_path):
    with pytest.raises(ModelError, match=r"give one of the folds that are finished \(1, 2\)"):
        Model.load(run)
    with pytest.raises(ModelError, match=r"finished \(1, 2\)"):
        Model.load(run, 3)
    with pytest.raises(ModelError, match=f"{tmp_path}/nowhere: "):
        Model.folds(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=f"{tmp_path}: is no output of stmap train; give the folder of a run"):
        Model.load(tmp_path)
    for one in run.glob("fold*/predictions.csv"):
        one.unlink()
    with pytest.raises(ModelError, match=f"{run}: .*--resume"):
        Model.load(run, 1)


def test_maps_of_another_kind_are_refused_with_what_differs(run, tmp_path):
    model = Model.load(run, 1)
    for name, settings, text in (
        (
            "blocks",
            {"blocks": {"rows": 3, "cols": 2}},
            "native clock, 6 blocks.* native clock, 4 blocks, and windows of 60 samples",
        ),
        (
            "clock",
            {"windows": {"clock": "uniform", "length": "60 frames"}},
            "uniform clock at 30 Hz, 4 blocks.* native clock, 4 blocks",
        ),
        ("length", {"windows": {"length": "90 frames"}}, "windows of 90 samples.* windows of 60 samples"),
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


def damage_header(change):
    def harm(path):
        weights, text = read_tensors(path)
        content = json.loads(text)
        change(content)
        write_tensors(path, weights, json.dumps(content))

    return harm


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of a file of weights was run",))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "holds no weights"),
        (lambda path: path.write_bytes(pickle.dumps(Bomb())), "holds no weights"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "holds no weights"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not a regular file"),
        (lambda path: save_file(load_file(path), path), "content: "),
        (lambda path: write_tensors(path, {}, "[" * 100_000), "content: "),
        (damage_header(lambda one: one.update(format="stmap-maps")), "format: .*'stmap-model'"),
        (damage_header(lambda one: one.update(schema_version=2)), "schema_version"),
        (damage_header(lambda one: one.update(blocks=10**12)), "blocks: "),
        (damage_header(lambda one: one.pop("samples")), "samples: "),
        (damage_header(lambda one: one.update(more=1)), "more: "),
        (damage_header(lambda one: one["config"].update(network="os:system")), "'os:system'"),
        (damage_header(lambda one: one["config"].update(network="tiny-plain")), "'tiny-plain'"),
        (damage_header(lambda one: one["config"].update(color="rgb+yuv")), "'tiny'"),
    ],
)
def test_damaged_or_foreign_weights_are_refused(run, harm, text):
    harm(run / "fold1" / "weights.safetensors")
    with pytest.raises(ModelError, match=rf"fold1/weights\.safetensors: .*{text}"):
        Model.load(run, 1)


def test_metadata_of_weights(run, maps):
    model = Model.load(run, 1)
    metadata = model.metadata
    assert (metadata.blocks, metadata.samples, metadata.clock, metadata.rate_hz) == (4, 60, "native", None)
    assert metadata.maps.fingerprint == Shards(maps).manifest.fingerprint
    # the standard units come from the training windows, which fold 1 has no part in
    windows = [one for one in Shards(maps).windows(labeled=True) if one.fold == 2]
    assert min(one.beats for one in windows) <= model.network.beats_mean <= max(one.beats for one in windows)
