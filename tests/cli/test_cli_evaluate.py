"""`stmap evaluate` as its user sees it: a table on stdout that fits, all else on stderr, and refusals in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.cli import stmap
from support.maps import folded_maps

from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig

QUICK = ("--resamples", "200", "-j", "1")


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return folded_maps(tmp_path_factory.mktemp("cli") / "the maps")


@pytest.fixture
def run(maps, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return example_run(tmp_path / "run", maps)[0]


def cells(run, name):
    return next(line.split() for line in run.out.splitlines() if line.startswith(name))


def test_the_table_has_the_network_the_constant_and_the_classical_methods(run, maps):
    told = stmap("evaluate", run, maps, *QUICK)
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0] == "attention-resnet18: heart rate of 8 videos, 56 windows held out in training (example)"
    assert lines[1].split() == ["method", "videos", "missing", "ME", "SD", "MAE", "[95", "%]", "RMSE", "MER", "%", "r"]
    assert [line.split()[0] for line in lines[2:7]] == ["network", "constant", "GREEN", "CHROM", "POS"]
    assert all(len(line) <= 80 for line in lines[1:])
    assert "…" not in told.out
    assert cells(told, "POS")[1:3] == ["8", "0"]
    assert re.search(
        r"^network +8 +0 +[+-]\d\.\d\d +\d\.\d\d +\d\.\d\d \[\d\.\d\d, \d\.\d\d\] +\d\.\d\d +\d\.\d\d +[01]\.\d\d$", lines[2]
    )
    assert "MAE in beats/min by true heart rate" in lines
    assert lines[9].split() == ["method", "<60", "60-70", "70-85", "85-100", ">=100"]
    assert lines[10].split() == ["videos", "1", "2", "3", "1", "1"]
    assert "note     4 subjects: too few for an interval that can be relied on" in told.err
    assert f"written  ->  {run}/evaluation.json, {run}/videos.csv" in told.err
    assert sorted(one.name for one in run.glob("*.csv")) == ["baselines.csv", "predictions.csv", "videos.csv"]


def test_the_example_of_the_page_is_what_is_printed(run, maps):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "evaluate.md").read_text("utf-8")
    (example,) = re.findall(r"^```text\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    printed = stmap("evaluate", run, maps, "-j", "1").out
    assert len(example.splitlines()) == len(printed.splitlines())
    for shown, now in zip(example.split(), printed.split(), strict=True):
        same = re.sub(r"\d+\.\d+", "#", shown) == re.sub(r"\d+\.\d+", "#", now)
        assert same or float(now) == pytest.approx(float(shown), abs=0.011)
        for one, other in zip(re.findall(r"\d+\.\d+", shown), re.findall(r"\d+\.\d+", now), strict=True):
            assert float(other) == pytest.approx(float(one), abs=0.011)


def test_json_is_the_file_and_the_only_thing_on_stdout(run, maps, tmp_path):
    told = stmap("evaluate", run, maps, *QUICK, "--resample", "video", "--seed", "7", "--out", tmp_path / "out", "--json")
    assert told.out == (tmp_path / "out" / "evaluation.json").read_text()
    assert json.loads(told.out)["bootstrap"] == {"unit": "video", "resamples": 200, "confidence": 0.95, "seed": 7}


def test_two_processes_write_what_one_writes(run, maps, tmp_path):
    for jobs in ("1", "2"):
        assert stmap("evaluate", run, maps, "--resamples", "200", "-j", jobs, "--out", tmp_path / jobs).code == 0
    for one in (tmp_path / "1").iterdir():
        assert one.read_bytes() == (tmp_path / "2" / one.name).read_bytes()


def test_simulated_maps_are_called_so_in_the_titles(run, maps, monkeypatch):
    monkeypatch.setattr(Shards, "simulated", True)
    told = stmap("evaluate", run, maps, *QUICK)
    assert "(simulated, example)" in told.out.splitlines()[0]
    assert "MAE in beats/min by true heart rate (simulated)" in told.out


def test_a_run_trained_on_everybody_says_what_to_do(maps, tmp_path):
    run = example_run(tmp_path / "run", maps, config=TrainConfig(protocol="cross"))[0]
    told = stmap("evaluate", run, maps, *QUICK)
    assert told.code == 0
    assert "method" not in told.out
    assert "other maps" in told.err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("evaluate", "nowhere", "{maps}"), 1, "nowhere: "),
        (("evaluate", "{maps}", "{maps}"), 1, "run.toml"),
        (("evaluate", "{run}", "nowhere"), 1, "nowhere"),
        (("evaluate", "{run}", "{maps}", "--baselines", "nowhere"), 1, "nowhere: "),
        (("evaluate", "{run}"), 2, "which maps?"),
        (("evaluate", "{run}", "{maps}", "--resample", "window"), 2, "'window'"),
        (("evaluate", "{run}", "{maps}", "--resamples", "5"), 2, "'--resamples'"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_a_line(run, maps, words, code, text):
    told = stmap(*(word.format(run=run, maps=maps) for word in words))
    assert (told.code, told.out) == (code, "")
    assert text in told.err
    assert "Traceback" not in told.err


def test_a_training_ends_with_its_evaluation_and_its_network_serves_other_maps(maps, tmp_path):
    pytest.importorskip("torch", reason="networks need the extra 'train'")
    (tmp_path / "narrow.toml").write_text("width = 16\n")
    run, options = tmp_path / "run", ("--network", "resnet18", "--epochs", "1", "--batch", "16", "--validation-share", "0")
    options += ("--config", tmp_path / "narrow.toml")
    told = stmap("train", maps, run, *options, "--device", "cpu", "--threads", "1")
    assert told.code == 0, told.err
    assert [line.split()[0] for line in told.out.splitlines()[2:7]] == ["network", "constant", "GREEN", "CHROM", "POS"]
    assert json.loads((run / "evaluation.json").read_text())["run"]["network"] == "resnet18"
    other = folded_maps(tmp_path / "other", shift_bpm=4.0)
    told = stmap("evaluate", run, other, *QUICK, "--device", "cpu")
    assert told.code == 0, told.err
    assert told.out.startswith("resnet18: heart rate of 8 videos, 56 windows of other (example)")
    # the constant of the training is known, as the run was evaluated
    assert cells(told, "constant")[1:3] == ["8", "0"]
    assert (run / "on-other" / "predictions.csv").is_file()
    assert "network 2 of 2 has predicted" in told.err
    # stopped between training and evaluation: the same command makes up for it
    (run / "evaluation.json").unlink()
    told = stmap("train", maps, run, *options, "--device", "cpu", "--threads", "1")
    assert "already finished" in told.err
    assert (run / "evaluation.json").is_file()


def test_ctrl_c_ends_in_a_line_and_leaves_no_half_evaluation(run, maps, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("stmap_pipeline.evaluation.heart_rate.window_rates_bpm", stopped)
    told = stmap("evaluate", run, maps, *QUICK)
    assert (told.code, told.out) == (130, "")
    assert told.err == "stopped; 0 of 8 done - the same command begins anew\n"
    assert sorted(one.name for one in run.iterdir()) == ["maps.json", "predictions.csv", "predictions.json", "run.json", "run.toml"]
