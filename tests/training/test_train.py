"""A run from maps to predictions, the files of its folder, and what is refused."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from support.maps import OPTIONS, add_augmentation, small_maps
from support.training import SETTINGS, result, train

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ConfigError, ModelError, OtherSettingsError, OutputError, ShardError, UnknownNameError
from stmap_pipeline.evaluation import Bootstrap, evaluate_run
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.shards import Shards, read_table
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.torch import MapDataset
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.forecast import Forecast
from stmap_pipeline.training.networks import build_network
from stmap_pipeline.training.plan import plan_training
from stmap_pipeline.training.predict import Model
from stmap_pipeline.training.train import FoldResult, Progress, learning_rate, run_training


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    root = small_maps(tmp_path_factory.mktemp("run") / "the maps")
    add_augmentation(root)
    return root


@pytest.fixture(scope="module")
def run(maps, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    return out, train(maps, out)


def test_a_run_writes_weights_history_and_predictions_of_each_fold_and_its_summary_last(maps, run):
    out, events = run
    for fold in (1, 2):
        names = {one.name for one in (out / f"fold{fold}").iterdir()}
        assert names == {
            "history.csv", "history.json", "predictions.csv", "predictions.json", "weights.safetensors",
        }  # fmt: skip
        history = read_table(out / f"fold{fold}" / "history.csv")
        assert [one["epoch"] for one in history] == [1, 2, 3]
        assert all(math.isfinite(value) for one in history for value in one.values())
        maes, metadata = [one["validation_mae_bpm"] for one in history], Model.load(out, fold).metadata
        assert (metadata.epoch, metadata.validation_mae_bpm) == (1 + int(np.argmin(maes)), min(maes))
        assert (metadata.fold, metadata.config.network) == (fold, "tiny")
        assert metadata.maps.fingerprint == Shards(maps).manifest.fingerprint
    about = json.loads((out / "run.json").read_text())
    assert about["finished"] is True
    assert (about["protocol"], about["folds"]) == ("within", [1, 2])
    assert json.loads((out / "maps.json").read_text())["path_name"] == "the maps"
    assert TrainConfig.from_toml(out / "run.toml").validation_share == 0.4
    assert isinstance(events[0], Forecast)
    assert events[0].steps == sum(one.steps for one in events if isinstance(one, Progress) and one.epoch_done and one.epoch == 3)
    assert [one.fold for one in events if isinstance(one, FoldResult)] == [1, 2]
    steps = [one.step for one in events if isinstance(one, Progress) and one.fold == 2]
    assert steps == sorted(steps)
    assert steps[-1] == events[-2].steps


def test_each_recorded_window_of_each_person_is_predicted_once_by_a_network_that_never_saw_the_person(maps, run):
    out, events = run
    shards, rows = Shards(maps), read_table(out / "predictions.csv")
    expected = {(one.recording_id, one.start): one for one in shards.windows(labeled=True, min_valid_fraction=1.0)}
    assert {(one["recording_id"], one["start"]) for one in rows} == expected.keys()
    assert len(rows) == len(expected)
    for row in rows:
        window = expected[row["recording_id"], row["start"]]
        assert row["fold"] == window.fold == shards.info(row["recording_id"]).fold
        assert (row["heart_rate_bpm"], row["stop"]) == (window.heart_rate_bpm, window.stop)
    done = next(one for one in events if isinstance(one, FoldResult) and one.fold == 1)
    of_fold = [one for one in rows if one["fold"] == 1]
    assert (done.windows, done.videos) == (len(of_fold), len({one["recording_id"] for one in of_fold}))


@pytest.mark.parametrize("augment", ["plan", "none"])
def test_the_errors_of_a_fold_are_those_of_its_evaluation(tmp_path, augment):
    # of different lengths, so that a mean over windows is another one than a mean over videos
    results = [
        example_result(f"p{one}_v1", subject=f"p{one}", fold=1 + one % 2, frames=90 + 60 * one, heart_rate_bpm=50.0 + 9 * one)
        for one in range(6)
    ]
    settings = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "0.5 s"}})
    maps, out = example_maps(tmp_path / "maps", results, settings), tmp_path / "run"
    add_augmentation(maps)
    events = train(maps, out, augment=augment, epochs=1)
    evaluation = evaluate_run(out, maps, bootstrap=Bootstrap(resamples=100))
    for one in (one for one in events if isinstance(one, FoldResult)):
        network, constant = (evaluation.score(method, "fold", str(one.fold)) for method in ("network", "constant"))
        assert one.videos == network.n == 3
        assert (one.mae_bpm, one.constant_mae_bpm) == pytest.approx((network.mae_bpm.value, constant.mae_bpm.value), abs=1e-4)


def test_the_weights_repeat_the_predictions(maps, tmp_path):
    train(maps, tmp_path / "run", folds=(2,), epochs=2)
    rows = read_table(tmp_path / "run" / "predictions.csv")
    shards = Shards(maps)
    windows = shards.split(fold=2).evaluation
    model = Model.load(tmp_path / "run")
    np.testing.assert_allclose(model.predict(shards, windows).heart_rate_bpm, [one["predicted_bpm"] for one in rows], atol=1e-4)
    # around the heart rates of people, not around beats in two seconds
    assert 40 < np.mean([one["predicted_bpm"] for one in rows]) < 120


def test_the_network_learns_what_is_in_the_maps(tmp_path):
    rates = (50.0, 110.0)
    results = [
        example_result(f"p{one:03d}_v1", subject=f"p{one:03d}", fold=1 + one % 2, frames=240, heart_rate_bpm=rates[one // 2 % 2])
        for one in range(8)
    ]
    settings = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "90 frames", "step": "0.5 s"}})
    maps = example_maps(tmp_path / "maps", results, settings)
    events = train(maps, tmp_path / "run", epochs=25, learning_rate=0.03, validation_share=0)
    for one in (one for one in events if isinstance(one, FoldResult)):
        assert one.mae_bpm < 8 < 25 < one.constant_mae_bpm


def test_without_validation_the_last_epoch_predicts(maps, tmp_path):
    train(maps, tmp_path / "run", validation_share=0, epochs=2, folds=(1,))
    assert all(math.isnan(one["validation_mae_bpm"]) for one in read_table(tmp_path / "run/fold1/history.csv"))
    assert Model.load(tmp_path / "run").metadata.epoch == 2


def test_an_epoch_may_draw_a_part_of_the_windows_and_another_one_each_time(maps, tmp_path, monkeypatch):
    drawn: list[list[int]] = []
    batch_of = MapDataset.traces
    monkeypatch.setattr(MapDataset, "traces", lambda self, index: drawn.append(index.tolist()) or batch_of(self, index))
    settings = {"windows_per_epoch": 12, "batch": 6, "validation_share": 0, "epochs": 2}
    events = train(maps, tmp_path / "part", folds=(1,), **settings)
    assert [one.steps for one in events if isinstance(one, Progress)][-1] == 4
    # the first epoch is also what the forecast measures; the windows held out follow, to be predicted
    assert drawn[:2] == drawn[2:4]
    drawn = drawn[2:6]
    assert [len(one) for one in drawn] == [6, 6, 6, 6]
    first, second = set(drawn[0] + drawn[1]), set(drawn[2] + drawn[3])
    assert len(first) == len(second) == 12
    assert first != second
    # more than there are is all there are
    train(maps, tmp_path / "all", folds=(1,), epochs=1, validation_share=0)
    train(maps, tmp_path / "more", folds=(1,), epochs=1, validation_share=0, windows_per_epoch=100_000)
    every, more = (load_file(tmp_path / name / "fold1/weights.safetensors") for name in ("all", "more"))
    assert all(torch.equal(value, more[name]) for name, value in every.items())


def test_resampled_windows_are_trained_on_and_never_predicted(maps, run, tmp_path):
    train(maps, tmp_path / "run", augment="plan", epochs=1)
    recorded = {(one.recording_id, one.start) for one in Shards(maps).windows()}
    rows = read_table(tmp_path / "run/predictions.csv")
    assert {(one["recording_id"], one["start"]) for one in rows} == recorded
    # the unit of the target is that of more windows
    scales = [Model.load(one, 1).network.beats_scale for one in (run[0], tmp_path / "run")]
    assert scales[1] > 1.1 * scales[0]


def test_holdout_and_cross_have_one_fold(maps, tmp_path):
    train(maps, tmp_path / "holdout", protocol="holdout", epochs=1)
    rows = read_table(tmp_path / "holdout/predictions.csv")
    assert {one["fold"] for one in rows} == {0}
    assert len({one["recording_id"] for one in rows}) == 2
    events = train(maps, tmp_path / "cross", protocol="cross", epochs=1)
    assert read_table(tmp_path / "cross/predictions.csv") == []
    assert [one.windows for one in events if isinstance(one, FoldResult)] == [0]
    assert Model.folds(tmp_path / "cross") == [0]


def test_a_seed_decides_all_of_it(maps, run, tmp_path):
    train(maps, tmp_path / "same")
    assert result(tmp_path / "same") == result(run[0])
    train(maps, tmp_path / "other", seed=1)
    assert result(tmp_path / "other")["fold1/weights.safetensors"] != result(run[0])["fold1/weights.safetensors"]


def test_nothing_outside_is_touched_by_the_seeds_of_a_training(maps, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(maps, tmp_path / "run", epochs=1, folds=(1,))
    assert torch.rand(1) == expected


def test_a_finished_run_repeated_does_nothing(maps, run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run[0], out)
    before = {one: one.stat().st_mtime_ns for one in out.rglob("*")}
    assert train(maps, out) == []
    assert {one: one.stat().st_mtime_ns for one in out.rglob("*")} == before


def test_folds_may_be_trained_in_several_calls(maps, run, tmp_path):
    out = tmp_path / "run"
    train(maps, out, folds=(2,))
    assert json.loads((out / "run.json").read_text())["folds"] == [2]
    train(maps, out)
    assert json.loads((out / "run.json").read_text())["folds"] == [1, 2]
    assert result(out) == result(run[0])


def test_a_folder_of_another_run_is_refused_with_what_differs(maps, run):
    with pytest.raises(OutputError, match=r"\(epochs: 3 -> 4; seed: 0 -> 9\)"):
        train(maps, run[0], epochs=4, seed=9)


def test_maps_that_changed_are_refused(maps, run, tmp_path):
    shutil.copytree(maps, tmp_path / "maps")
    train(maps, tmp_path / "resampled", augment="plan", epochs=1)
    add_augmentation(tmp_path / "maps", type(OPTIONS)(bins=OPTIONS.bins, seed=3))
    with pytest.raises(OutputError, match="other recordings, labels or resampled windows"):
        train(tmp_path / "maps", tmp_path / "resampled", augment="plan", epochs=1)
    with pytest.raises(OtherSettingsError, match=r"maps with other settings \(windows\.step: 1 s -> 2 s\)"):
        train(small_maps(tmp_path / "others", step="2 s"), run[0])


def test_another_run_takes_the_place_of_one_only_where_that_is_asked_for(maps, run, tmp_path):
    out, other = tmp_path / "run", tmp_path / "other"
    train(maps, out, epochs=1, seed=9)
    (out / "notes.txt").write_text("mine")
    for name in ("evaluation.json", "videos.csv", "on-pure/evaluation.json"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("of the other networks")
    train(maps, out, retrain=True, folds=(2,), epochs=1, seed=9)
    # the same settings: nothing to replace, and nothing lost
    assert (out / "videos.csv").exists()
    assert (out / "fold1").exists()
    train(maps, out, retrain=True, epochs=1)
    train(maps, other, epochs=1)
    assert {one.name for one in out.iterdir()} == {one.name for one in other.iterdir()} | {"notes.txt"}
    (out / "notes.txt").unlink()
    assert result(out) == result(other)


def test_a_folder_that_is_no_run_is_refused_and_left_alone(maps, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(OutputError, match=f"{tmp_path}/thesis: is not empty"):
        train(maps, tmp_path / "thesis")
    with pytest.raises(OutputError, match=r"chapter1\.tex: "):
        train(maps, tmp_path / "thesis" / "chapter1.tex")
    assert [one.name for one in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


def test_errors_are_raised_before_anything_is_written(maps, tmp_path):
    out = tmp_path / "run"
    for error, text, settings in (
        (UnknownNameError, "'tinny'.*'tiny'", {"network": "tinny"}),
        (UnknownNameError, "hsv", {"color": "hsv"}),
        (ConfigError, "epochs = 0", {"epochs": 0}),
        (ConfigError, "dropout", {"dropout": 0.5}),
        (ModelError, r"resnet18\.safetensors", {"init": str(tmp_path / "resnet18.safetensors")}),
        (ConfigError, "'simulated' takes no maps", {"recipe": "simulated"}),
    ):
        with pytest.raises(error, match=text):
            train(maps, out, **settings)
    with pytest.raises(ShardError, match=f"{tmp_path}/nowhere: "):
        train(tmp_path / "nowhere", out)
    assert not out.exists()


@pytest.mark.parametrize("device", ["meta", "gpu", "mps", "cpu:1", "cuda:x", "cuda:99", "cuda:-1", ""])
def test_a_device_that_cannot_train_is_refused_before_the_folder_is_begun(maps, tmp_path, device):
    plan = plan_training(maps, tmp_path / "run", TrainConfig.from_mapping(SETTINGS))
    with pytest.raises(ConfigError, match=f"device '{device}'"):
        list(run_training(plan, device))
    assert not plan.out.exists()


def test_a_full_disk_is_an_output_error_and_the_run_can_be_resumed(maps, run, tmp_path):
    """The limit of file sizes stands for a full disk: the system refuses the same calls."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from stmap_pipeline.errors import OutputError\n"
        "from support.training import train\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "for limit in sys.argv[4:]:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        train(Path(sys.argv[2]), Path(sys.argv[3], limit))\n"
        "    except OutputError:\n"
        "        print('OutputError', flush=True)\n"
    )
    limits = ["0", "10000"]
    words = [str(Path(__file__).parents[1]), str(maps), str(tmp_path), *limits]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stdout == "OutputError\n" * len(limits), done.stderr
    for limit in limits:
        train(maps, tmp_path / limit, resume=True)
        assert result(tmp_path / limit) == result(run[0])


def test_half_precision_is_for_those_who_have_it(maps, run, tmp_path):
    train(maps, tmp_path / "run", precision="bfloat16", folds=(1,))
    half, full = (read_table(one / "fold1" / "history.csv") for one in (tmp_path / "run", run[0]))
    losses = [[one["train_loss"] for one in rows] for rows in (half, full)]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(*losses, rtol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_on_a_gpu_it_learns_alike_and_its_network_gives_the_same_on_a_cpu(maps, run, tmp_path, precision):
    train(maps, tmp_path / "run", precision=precision, device="cuda")
    assert json.loads((tmp_path / "run/run.json").read_text())["device"].startswith("cuda")
    losses = [[row["train_loss"] for row in read_table(one / "fold1/history.csv")] for one in (tmp_path / "run", run[0])]
    np.testing.assert_allclose(*losses, rtol=0.1)
    shards = Shards(maps)
    windows = shards.windows(fold=1)
    here, there = (Model.load(tmp_path / "run", 1, device).predict(shards, windows).heart_rate_bpm for device in ("cpu", "cuda"))
    np.testing.assert_allclose(here, there, atol=0.2)


def test_a_training_may_begin_with_the_weights_of_another_network(maps, tmp_path):
    torch.manual_seed(0)
    given = build_network("resnet18").state_dict()
    save_file(
        {name: value.contiguous() for name, value in given.items() if not name.startswith("head")},
        tmp_path / "resnet18.safetensors",
    )
    settings = {
        "network": "attention-resnet18",
        "epochs": 1,
        "batch": 14,
        "folds": (1,),
        "learning_rate": 1e-9,
        "validation_share": 0,
    }
    train(maps, tmp_path / "run", init=str(tmp_path / "resnet18.safetensors"), **settings)
    model = Model.load(tmp_path / "run")
    for name, value in model.network.state_dict().items():
        if name in given and name.endswith("weight") and not name.startswith("head"):
            torch.testing.assert_close(value, given[name], atol=1e-6, rtol=0)


def test_a_loss_that_is_no_number_ends_the_run_with_advice(maps, tmp_path, monkeypatch):
    from support import training

    monkeypatch.setattr(training.Tiny, "forward", lambda self, maps: self.head.bias.sum() * maps.new_full((len(maps),), np.nan))
    with pytest.raises(ConfigError, match=r"fold 1, epoch 1: .* below 0\.001"):
        train(maps, tmp_path / "run")


@given(steps=st.integers(1, 5000), warmup=st.floats(0, 0.99), largest=st.floats(1e-6, 1), part=st.floats(0, 1, exclude_max=True))
def test_the_learning_rate_rises_once_falls_once_and_never_leaves_its_bounds(steps, warmup, largest, part):
    step = int(part * steps)
    here, after = (learning_rate(largest, one, steps, warmup) for one in (step, step + 1))
    assert 0 <= here <= largest
    if step + 1 < steps:
        assert (after >= here) if step + 1 < warmup * steps else (after <= here or step < warmup * steps)


# Several processes, started by torchrun: the same weights on all, and those that one process would have learned.
TWO_PROCESSES = {"network": "tiny-plain", "epochs": 2, "validation_share": 0.4, "learning_rate": 0.01}

_RANK = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from stmap_pipeline.training import train as trainer
from support.training import train
networks, real = [], trainer.initial_network
trainer.initial_network = lambda *words: networks.append(real(*words)) or networks[-1]
# validation puts the best weights in place on rank 0 alone: without it both ranks end with the last ones
train(Path(sys.argv[2]), Path(sys.argv[3]) / "run", **eval(sys.argv[4]) | {"validation_share": 0})
for fold, network in enumerate(networks, 1):
    torch.save(dict(network.named_parameters()), Path(sys.argv[3]) / f"rank{os.environ['RANK']}-fold{fold}.pt")
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch was built without distributed training")
def test_two_processes_agree_and_learn_what_one_does(tmp_path):
    maps = small_maps(tmp_path / "maps")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "rank.py"
    script.write_text(_RANK)
    words = [str(Path(__file__).parents[1]), str(maps), str(tmp_path), repr(TWO_PROCESSES)]
    done = subprocess.run(
        [*torchrun, str(script), *words], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    train(maps, tmp_path / "alone", **TWO_PROCESSES | {"validation_share": 0})
    assert result(tmp_path / "run").keys() == result(tmp_path / "alone").keys()
    for fold in (1, 2):
        ranks = [torch.load(tmp_path / f"rank{rank}-fold{fold}.pt", weights_only=True) for rank in (0, 1)]
        alone = load_file(tmp_path / "alone" / f"fold{fold}" / "weights.safetensors")
        together = load_file(tmp_path / "run" / f"fold{fold}" / "weights.safetensors")
        for name, value in ranks[0].items():
            assert torch.equal(value, ranks[1][name]), name
            assert torch.equal(value, together[name]), name
            torch.testing.assert_close(value.detach(), alone[name], atol=2e-4, rtol=0)
