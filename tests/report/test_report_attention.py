"""Where a network looks: real weights on real windows of the subjects it held out, or a sentence that says why there are none."""

from __future__ import annotations

import base64
import re
import struct

import cv2
import numpy as np
import pytest
import torch
from support.maps import folded_maps, small_maps
from support.pages import Page
from support.runs import evaluated
from support.training import train

from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.evaluation.result import read_predictions
from stmap_pipeline.report import write_runs_report
from stmap_pipeline.report.attention import show_attention
from stmap_pipeline.report.runs import load_run, within_cases
from stmap_pipeline.shards import Shards
from stmap_pipeline.training import Model
from stmap_pipeline.training.config import TrainConfig

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("attention") / "maps")


@pytest.fixture(scope="module", params=["attention-resnet18", "pulse-net"])
def run(request, maps, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    train(maps, out, folds=(2,), network=request.param, epochs=1, batch=32, validation_share=0)
    return evaluated(out, maps)


@pytest.fixture(scope="module")
def shown(run, maps):
    return show_attention(within_cases([load_run(run)]), [maps])


def test_dark_blocks_of_the_face_are_those_of_much_weight(shown):
    (image,) = shown.figures[-1].images
    data = np.frombuffer(base64.b64decode(image.source.partition(",")[2]), dtype=np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(float)
    weights = np.array([[row[f"c{one}"] for one in range(pixels.shape[1])] for row in shown.table.rows])
    assert pixels.flat[weights.argmax()] == 0
    assert pixels.flat[weights.argmin()] == 255
    assert f"{weights.max():.3f} (dark)" in image.text


def test_examples_are_the_windows_with_the_least_and_the_largest_errors_of_different_recordings(shown, run):
    said = read_predictions([run / "predictions.csv"])
    errors = np.abs(said.predicted_bpm - said.heart_rate_bpm)
    titles = [one.title for one in shown.figures]
    assert [one.partition(":")[0] for one in titles] == [
        "Good example",
        "Good example",
        "Bad example",
        "Bad example",
        "Weight of each block of the face",
    ]
    names = [re.search(r"p\d+_v\d", one).group() for one in titles[:4]]
    assert len(set(names)) == 4
    assert names[0] == said.recording_id[errors.argmin()]
    best = float(re.search(r"error (\S+) bpm", titles[0]).group(1).replace("\N{MINUS SIGN}", "-"))
    assert abs(best) == pytest.approx(errors.min(), abs=0.051)


def test_the_weights_of_the_blocks_are_the_means_of_the_networks_own(shown, run, maps):
    model = Model.load(run, 2)
    with Shards(maps) as shards:
        windows = shards.windows(fold=2)
        given = model.data(shards, windows).traces(torch.arange(len(windows)))
    weights = model.network.attention_maps(given)
    spatial = [one for name, one in weights.items() if name.startswith("spatial")]
    expected = torch.stack(spatial).mean(dim=(0, 1, 3)).numpy()
    table = np.array([[row[f"c{column}"] for column in range(2)] for row in shown.table.rows])
    assert table.ravel() == pytest.approx(expected, abs=1e-6)
    assert f"{expected.max() / expected.min():.2f} times" in shown.lead


def test_pictures_have_a_row_a_block_and_a_column_a_sample(shown, run):
    first, second = (base64.b64decode(one.source.partition(",")[2]) for one in shown.figures[0].images)
    for data in (first, second):
        assert struct.unpack(">II", data[16:24]) == (Model.load(run, 2).metadata.samples, 4)
    assert first != second


def test_without_the_maps_or_with_others_it_says_which_are_needed(run, maps, tmp_path):
    cases = within_cases([load_run(run)])
    assert show_attention(cases, []).lead.endswith("Give them, too: stmap report RUN maps.")
    others = folded_maps(tmp_path / "others")
    assert "None of the maps given are those" in show_attention(cases, [others]).lead
    assert show_attention(cases, [others, maps]).table is not None


def test_a_network_without_attention_and_a_run_without_weights_are_told(run, maps, tmp_path):
    plain = tmp_path / "plain"
    example_run(plain, maps, config=TrainConfig(network="resnet18", validation_share=0))
    assert show_attention(within_cases([load_run(evaluated(plain, maps))]), [maps]).lead.startswith(
        "No run has a network with attention"
    )
    bare = tmp_path / "bare"
    example_run(bare, maps, config=TrainConfig(network="attention-resnet18", validation_share=0))
    lead = show_attention(within_cases([load_run(evaluated(bare, maps))]), [maps]).lead
    assert "cannot be shown" in lead
    assert "no fold is finished" in lead


def test_without_torch_the_page_says_what_to_install(run, maps, tmp_path, monkeypatch):
    find_spec = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda one, *rest: None if one == "torch" else find_spec(one, *rest))
    page = Page(write_runs_report([run], tmp_path / "report.html", maps=[maps]).read_text("utf-8"))
    assert "The weights of a network cannot be read" in page.text
    assert "pip install 'stmap[train]'" in page.text


def test_the_page_has_the_weights_and_the_learning_curves(run, maps, tmp_path):
    page = Page(write_runs_report([run], tmp_path / "report.html", maps=[maps], simulated=True).read_text("utf-8"))
    assert len(page.tables["attention_blocks"]) == 3
    assert {"attention-1", "attention-4", "attention-face", "learn1-train-loss"} <= set(page.ids)
    assert "Validation error" not in page.text
    assert len(page.ids) == len(set(page.ids))
