"""`stmap experiment`: each cell a run, all of it resumable, and a page at the end; and `stmap report` of runs."""

from __future__ import annotations

import json
import re
import shutil
import signal

import pytest
import torch
from support import training
from support.cli import stmap
from support.maps import add_augmentation, content, small_maps
from support.pages import Page

from stmap_pipeline.shards import read_table

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")

SETTINGS = "batch = 16\nvalidation_share = 0\n"
CELLS = ["tiny-plan-seed0", "tiny-none-seed0", "tiny-plain-plan-seed0", "tiny-plain-none-seed0", "tiny-plan-cross-seed0"]


@pytest.fixture(autouse=True)
def _tiny_networks_and_few_threads():
    training.register()
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    out = small_maps(tmp_path_factory.mktemp("experiment") / "vipl")
    add_augmentation(out)
    return out


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("experiment") / "mmse", frames=200)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "settings.toml"
    path.write_text(SETTINGS)
    return path


def experiment(maps, out, settings, *more):
    quick = ("--seeds", "1", "--epochs", "1", "--config", settings, "--device", "cpu", "--threads", "1", "--jobs", "1")
    return stmap("experiment", "fg2019", "--vipl", maps, out, "--network", "tiny", "--network", "tiny-plain", *quick, *more)


@pytest.fixture(scope="module")
def done(maps, other, settings, tmp_path_factory):
    training.register()
    out = tmp_path_factory.mktemp("done") / "fg2019"
    before = content(maps)
    run = experiment(maps, out, settings, "--mmse", other)
    assert content(maps) == before
    return out, run


def test_it_trains_and_tests_each_cell_and_ends_in_the_page(done, other):
    out, run = done
    assert (run.code, run.out) == (0, f"{out / 'report.html'}\n"), run.err
    assert sorted(one.name for one in out.iterdir()) == sorted([*CELLS, "report.html"])
    for number, name in enumerate(CELLS, 1):
        assert f"\n{number} of 5   {name}\n" in run.err
    for name in CELLS[:4]:
        told = json.loads((out / name / "run.json").read_text())
        assert (told["folds"], told["protocol"]) == ([1, 2], "within")
        assert len(read_table(out / name / "videos.csv")) == 8
    assert len(read_table(out / CELLS[4] / "on-mmse" / "videos.csv")) == 8


def test_the_page_has_all_five_results(done):
    page = Page((done[0] / "report.html").read_text("utf-8"))
    assert [row[0] for row in page.tables["within"][1:5]] == [
        "tiny, with resampled windows",
        "tiny, as recorded",
        "tiny-plain, with resampled windows",
        "tiny-plain, as recorded",
    ]
    assert page.tables["cross"][1][0] == "tiny, with resampled windows"
    assert [len(row) for row in page.tables["ablation"]] == [3, 3, 3]
    assert {row[0] for row in page.tables["effect_augmentation"][1:]} == {
        "resampled windows, tiny",
        "resampled windows, tiny-plain",
    }
    assert "No run has a network with attention" in page.text
    assert "What is missing" not in page.text


def test_the_classical_methods_see_each_window_once(done):
    first = (done[0] / CELLS[0] / "baselines.csv").read_bytes()
    assert all((done[0] / name / "baselines.csv").read_bytes() == first for name in CELLS[1:4])


def test_repeated_it_trains_nothing_and_writes_the_page_anew(done, maps, other, settings):
    out, before = done[0], {}
    before = {name: bytes_ for name, bytes_ in content(out).items() if name != "report.html"}
    again = experiment(maps, out, settings, "--mmse", other)
    assert again.code == 0
    assert again.err.count("is trained already") == 5
    assert "held out: MAE" not in again.err
    assert {name: bytes_ for name, bytes_ in content(out).items() if name != "report.html"} == before


def test_stopped_in_the_middle_the_same_command_goes_on_to_the_same_weights(done, maps, other, settings, tmp_path, monkeypatch):
    out, calls, real = tmp_path / "fg2019", [], torch.optim.AdamW.step

    def interrupted(self, *words, **more):
        calls.extend([1] if (out / CELLS[1]).exists() else [])
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(self, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", interrupted)
        run = experiment(maps, out, settings, "--mmse", other)
    assert run.code == 130
    assert re.search(r"^stopped; \d+ of \d+ done - run the same command to continue$", run.err, re.MULTILINE)
    assert not (out / "report.html").exists()
    assert (out / CELLS[0] / "run.json").exists()
    assert not (out / CELLS[2]).exists()
    again = experiment(maps, out, settings, "--mmse", other)
    assert again.code == 0, again.err
    for name in CELLS:
        for weights in sorted((done[0] / name).glob("fold*/weights.safetensors")):
            assert (out / name / weights.parent.name / weights.name).read_bytes() == weights.read_bytes()


def test_more_folds_later_are_trained_and_evaluated_again(done, maps, settings, tmp_path):
    out = tmp_path / "fg2019"
    choices = ("--augment", "none", "--fold")
    assert experiment(maps, out, settings, *choices, "1").code == 0
    assert len(read_table(out / "tiny-none-seed0/videos.csv")) == 4
    # the folder as it is where a second fold was trained and the machine then went down
    shutil.copytree(done[0] / "tiny-none-seed0" / "fold2", out / "tiny-none-seed0" / "fold2")
    (out / "tiny-none-seed0" / "run.json").unlink()
    assert experiment(maps, out, settings, *choices, "1", "--fold", "2").code == 0
    assert len(read_table(out / "tiny-none-seed0/videos.csv")) == 8


def test_a_dry_run_lists_the_runs_and_writes_nothing(maps, other, settings, tmp_path):
    run = experiment(maps, tmp_path / "out", settings, "--mmse", other, "--dry-run")
    assert re.search(r"^  takes about \d+ s here, and the tests; ", run.err, re.MULTILINE)
    assert (run.code, run.out.split()) == (0, [str(tmp_path / "out" / name) for name in CELLS])
    assert list(tmp_path.iterdir()) == []


def test_without_resampled_windows_it_says_the_command_and_changes_nothing(other, settings, tmp_path):
    before = content(other)
    run = experiment(other, tmp_path / "out", settings)
    assert (run.code, run.out) == (1, "")
    assert f"stmap augment {other} --balance" in run.err
    assert content(other) == before
    assert not (tmp_path / "out").exists()


def test_mistakes_are_told_before_anything_is_trained(done, maps, other, settings, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "file").write_text("")
    coarse = small_maps(tmp_path / "coarse", frames=200, length="50 frames")
    for more, message in (
        (("--mmse", maps), "the same recordings"),
        (("--mmse", coarse), "(window length 60 frames and 50 frames)"),
        (("--mmse", tmp_path / "nowhere"), "nowhere"),
        (("--fold", "7"), "fold 7 (folds: 1, 2)"),
        (("--network", "tiny"), "each network once"),
        (("--device", "abacus"), "abacus"),
    ):
        run = experiment(maps, out, settings, *more)
        assert (run.code, run.out) == (1, ""), more
        assert message in run.err, more
        assert run.err.splitlines()[-1].startswith("Error: ")
    for folder in (tmp_path / "file", maps / "out", done[0] / CELLS[0]):
        run = experiment(maps, folder, settings)
        assert (run.code, run.out) == (1, "")
        assert f"Error: {folder}: " in run.err
    assert not out.exists() or not list(out.rglob("*.safetensors"))


def test_other_settings_in_the_same_folder_are_refused_before_the_first_training(done, maps, settings):
    before = content(done[0])
    run = experiment(maps, done[0], settings, "--epochs", "3")
    assert run.code == 1
    assert "(epochs: 1 -> 3)" in run.err
    assert content(done[0]) == before


def test_report_takes_runs_with_their_maps_and_writes_tables(done, maps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = stmap("report", done[0] / CELLS[0], done[0] / CELLS[1], maps, "--simulated")
    page = done[0] / "report.html"
    assert (run.code, run.out, run.err) == (0, f"{page}\n", f"  open     {page.resolve().as_uri()}\n")
    page = Page(page.read_text("utf-8"))
    assert len(page.tables["runs"]) == 3
    assert "simulated" in page.text
    assert stmap("report", done[0], "--format", "json").code == 0
    assert len(json.loads((done[0] / "report.json").read_text())["tables"]["runs"]["rows"]) == 5


def test_report_refuses_what_does_not_go_together(done, maps, other):
    run = stmap("report", maps, other)
    assert (run.code, run.out) == (2, "")
    assert "RUN" in run.err
    assert stmap("report", done[0], "--show-faces").code == 2
