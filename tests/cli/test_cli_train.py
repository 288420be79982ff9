"""`stmap train` as its user sees it."""

from __future__ import annotations

import json
import re
import signal
import sys

import pytest
import torch
from support import training
from support.cli import stmap
from support.maps import add_augmentation, small_maps

from stmap_pipeline.shards import read_table
from stmap_pipeline.training.config import TrainConfig

QUICK = ("--network", "tiny", "--epochs", "2", "--batch", "8", "--validation-share", "0.4", "--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("train") / "the maps")


@pytest.fixture(autouse=True)
def _tiny_networks_and_few_threads():
    training.register()
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def _no_processes_for_eight_recordings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stmap_cli.evaluate.default_jobs", lambda: 1)
        yield


@pytest.fixture(scope="module")
def trained(maps, tmp_path_factory):
    training.register()
    out = tmp_path_factory.mktemp("trained") / "run"
    return out, stmap("train", maps, out, *QUICK)


def test_a_run_reports_each_fold_and_ends_with_its_evaluation(maps, trained):
    out, run = trained
    assert run.code == 0, run.err
    lines = run.err.splitlines()
    assert lines[0] == "tiny  from random weights   cpu"
    assert lines[1] == "  within   trains on 14 windows   2 folds of 2 to train, 2 epochs each"
    assert re.fullmatch(r"  takes about \d+ s here, at \d+ windows/s", lines[2])
    for fold, line in enumerate(lines[3:5], 1):
        assert re.fullmatch(
            rf"  fold {fold}   epoch [12] of 2 \(validation \d+\.\d\d bpm per window\)   4 videos held out: MAE \d+\.\d\d bpm "
            r"\(always the mean of the training videos: \d+\.\d\d\)",
            line,
        )
    assert re.fullmatch(rf"done in \d+ s   ->  {re.escape(str(out))}", lines[5])
    assert re.search(r"^network +8 ", run.out, re.MULTILINE)
    assert (out / "evaluation.json").exists()
    assert len(read_table(out / "predictions.csv")) == 56


def test_repeated_it_reports_that_all_is_done(maps, trained):
    again = stmap("train", maps, trained[0], *QUICK)
    assert (again.code, again.out) == (0, "")
    assert again.err == f"{trained[0]}: is already finished with these settings; nothing to do\n"


def test_json_is_one_object_and_the_only_thing_on_stdout(maps, trained):
    told = json.loads(stmap("train", maps, trained[0], *QUICK, "--json").out)
    assert (told["finished"], told["folds"], told["run"]) == (True, [1, 2], str(trained[0]))


def test_ctrl_c_reports_the_progress_and_resume_continues(maps, trained, tmp_path, monkeypatch):
    out, calls, real = tmp_path / "run", [], torch.optim.AdamW.step

    def interrupted(self, *words, **more):
        calls.append(1)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return real(self, *words, **more)

    monkeypatch.setattr(torch.optim.AdamW, "step", interrupted)
    run = stmap("train", maps, out, *QUICK)
    assert run.code == 130
    assert re.search(r"^stopped; [23] of 8 done - run the same command with --resume to continue$", run.err, re.MULTILINE)
    refused = stmap("train", maps, out, *QUICK)
    assert refused.code == 1
    assert refused.err.startswith(f"Error: {out}: ")
    assert "--resume" in refused.err
    assert stmap("train", maps, out, *QUICK, "--resume").code == 0
    for name in ("fold1/weights.safetensors", "fold2/weights.safetensors", "predictions.csv"):
        assert (out / name).read_bytes() == (trained[0] / name).read_bytes()


def test_options_win_over_the_file_and_the_file_over_the_defaults(maps, trained, tmp_path):
    out = tmp_path / "run"
    options = (
        "--config",
        trained[0] / "run.toml",
        "--epochs",
        "1",
        "--fold",
        "2",
        "--subjects",
        "1",
        "--lr",
        "0.01",
    )
    assert stmap("train", maps, out, *options, "--device", "cpu").code == 0
    written = TrainConfig.from_toml(out / "run.toml")
    assert written.differences(TrainConfig.from_toml(trained[0] / "run.toml")) == [
        ("subjects", "-", "1"), ("epochs", "2", "1"), ("learning_rate", "0.001", "0.01"),
    ]  # fmt: skip
    assert [one.name for one in out.glob("fold*")] == ["fold2"]


def test_the_network_of_the_package_is_right_about_people_it_never_saw(tmp_path):
    maps = add_augmentation(small_maps(tmp_path / "maps", frames=450, length="300 frames"))
    # the command of stmap demo
    options = ("--protocol", "holdout", "--validation-share", "0", "--augment", "plan", "--epochs", "1", "--batch", "16")
    run = stmap("train", maps, tmp_path / "run", *options, "--threads", "1")
    assert run.err.splitlines()[0].startswith("pulse-net  from the weights of the package, learned on simulated windows   ")
    # method, videos, missing, ME, SD, MAE
    rows = re.findall(r"^(network|constant) +\d+ +\d+ +\S+ +\S+ +([0-9.]+)", run.out, flags=re.MULTILINE)
    errors_bpm = {method: float(mae) for method, mae in rows}
    assert errors_bpm["network"] < 1 < 2 < errors_bpm["constant"]


def test_cross_has_no_subject_to_evaluate_and_names_the_next_command(maps, tmp_path):
    run = stmap("train", maps, tmp_path / "run", *QUICK, "--protocol", "cross")
    assert run.code == 0
    assert "fold0   epoch" in run.err
    assert run.err.endswith(f"  next     stmap evaluate {tmp_path / 'run'} OTHER_MAPS\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--network", "tinny"), 2, "'tinny'; did you mean 'tiny'?"),
        (("--fold", "7"), 1, "fold 7 (folds: 1, 2)"),
        (("--fold", "1", "--protocol", "holdout"), 1, "leave out --fold, or train with --protocol within"),
        (("--augment", "plan"), 1, "run stmap augment"),
        (("--subjects", "0"), 2, "--subjects"),
        (("--recipe", "simulated"), 2, "takes no maps"),
        (("--color", "hsv"), 2, "hsv"),
        (("--init", "resnet18.safetensors"), 1, "resnet18.safetensors"),
        (("--device", "gpu"), 1, "'gpu'"),
        (("--device", "meta"), 1, "'meta'"),
        (("--batch", "1"), 2, "--batch"),
        (("--config", "nowhere.toml"), 1, "nowhere.toml"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(maps, tmp_path, words, code, text):
    run = stmap("train", maps, tmp_path / "run", *QUICK, *words)
    assert (run.code, run.out) == (code, "")
    assert text in run.err
    assert "Traceback" not in run.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [("--fold", "1"), ("--subjects", "3"), ("--augment", "plan"), ("--protocol", "cross"), ("--validation-share", "0")],
)
def test_a_training_on_simulated_windows_refuses_options_that_choose_recordings(tmp_path, words):
    run = stmap("train", "--recipe", "simulated", tmp_path / "run", *words)
    assert (run.code, run.out) == (2, "")
    assert f"among which {words[0]} would choose" in run.err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_cuda_is_refused_with_what_to_do(maps, tmp_path):
    run = stmap("train", maps, tmp_path / "run", *QUICK, "--device", "cuda")
    assert run.code == 1
    assert re.match(
        r"Error: device 'cuda' cannot be used \(.*\); give cpu, cuda or cuda:1, or install torch for your GPU\n", run.err
    )
    assert not (tmp_path / "run").exists()


def test_a_file_of_settings_with_unknown_keys_names_them(maps, tmp_path):
    (tmp_path / "run.toml").write_text('epochs = 2\ndropout = 0.5\nnetwork = "tiny"\nprecision = "half"\n')
    run = stmap("train", maps, tmp_path / "run", "--config", tmp_path / "run.toml")
    assert run.code == 1
    assert "unknown key 'dropout'; the keys are recipe, network, " in run.err
    assert "precision = \"half\": must be 'auto', 'float32' or 'bfloat16'" in run.err


def test_a_wrong_folder_is_refused(maps, trained, tmp_path):
    for source, out, more, told in (
        (tmp_path / "nowhere", tmp_path / "run", (), f"{tmp_path / 'nowhere'}: "),
        (trained[0], tmp_path / "run", (), "manifest.json"),
        (maps, maps, (), f"{maps}: "),
        (maps, trained[0], ("--seed", "4"), "\n  seed  then 0, now 4\n"),
    ):
        run = stmap("train", source, out, *QUICK, *more)
        assert run.code == 1
        assert told in run.err


@pytest.mark.parametrize("name", ["torch", "lightning_fabric", "safetensors"])
def test_without_the_extra_the_error_names_what_to_install(maps, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    run = stmap("train", maps, tmp_path / "run", *QUICK)
    assert (run.code, run.out) == (1, "")
    assert name in run.err
    assert run.err.endswith("pip install 'stmap[train]'\n")
