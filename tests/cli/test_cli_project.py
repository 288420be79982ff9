"""Commands in a project folder: without paths, with several of a kind, and where there is no project."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from support import training
from support.cli import stmap
from support.maps import folded_maps

from stmap_pipeline.config import Config
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.project import add_source, read_project
from stmap_pipeline.shards.example import EXAMPLE_CONFIG, example_maps
from stmap_pipeline.training.config import TrainConfig

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(here):
    assert stmap("init").code == 0
    return here


@pytest.fixture
def _tiny_networks():
    training.register()
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stmap_cli.evaluate.default_jobs", lambda: 1)
        yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_tiny_networks")
def test_the_commands_of_the_readme_work_as_they_stand(here, face_clip):
    (here / "my-videos" / "anna").mkdir(parents=True)
    shutil.copy(face_clip, here / "my-videos" / "anna" / "rest.mp4")
    assert stmap("init").out == "stmap.toml\n"
    run = stmap("init", "my-videos", "--subject", "{parent}")
    assert (run.code, run.out) == (0, "my-videos/database.toml\n")
    assert "  project  added as my-videos under [videos] of stmap.toml\n" in run.err
    # a description that is there already is no obstacle
    Path("stmap.toml").unlink()
    assert stmap("init").code == 0
    run = stmap("init", "my-videos")
    assert (run.code, run.out) == (0, "my-videos/database.toml\n")
    assert read_project(here).sources["my-videos"].path == here / "my-videos"
    # the only database need not be named
    for words in (
        ("build-maps", "-j", "0"),
        ("build-maps", "--db", "MY_Videos", "-j", "0"),
        ("build-maps", "my-videos", "-j", "0"),
        ("build-maps", "--db", "folder", "-j", "0"),
    ):
        run = stmap(*words)
        assert run.code == 0, run.err
        assert "  project  my-videos  ->  maps/my-videos\n" in run.err
    shutil.rmtree("maps")

    folded_maps(here / "maps" / "vipl-hr")
    with Path("stmap.toml").open("a") as file:
        file.write('network = "tiny"\nbatch = 8\nvalidation_share = 0.4\nepochs = 2\n')
    run = stmap("augment", "--balance")
    assert run.code == 0, run.err
    assert run.err.startswith("project  maps/vipl-hr\n")
    run = stmap("train")
    assert run.code == 0, run.err
    lines = run.err.splitlines()
    assert lines[0] == "project  maps/vipl-hr  ->  runs/vipl-hr-tiny-balanced"
    assert lines[1].startswith("  chosen   also on the ")
    assert lines[1].endswith(" resampled windows of stmap augment; --augment none leaves them out")
    run = stmap("report", "-j", "1")
    assert run.code == 0, run.err
    pages = ["maps/vipl-hr/report.html", "runs/vipl-hr-tiny-balanced/report.html"]
    assert run.out.splitlines() == pages
    assert [line.split()[1] for line in run.err.splitlines()[1:]] == [Path(one).resolve().as_uri() for one in pages]
    assert stmap("verify").code == 0
    # the same line again finds it finished, from a folder below, too
    assert "is already finished" in stmap("train").err


@pytest.mark.usefixtures("_tiny_networks")
def test_options_come_before_the_file_and_choices_are_not_made_for_what_is_given(project):
    folded_maps(project / "maps" / "vipl-hr")
    stmap("augment", "--balance")
    with Path("stmap.toml").open("a") as file:
        file.write('network = "tiny"\nbatch = 8\nvalidation_share = 0.4\nepochs = 2\nseed = 5\n')
    run = stmap("train", "--augment", "none", "--epochs", "1", "--fold", "1")
    assert run.err.splitlines()[0] == "project  maps/vipl-hr  ->  runs/vipl-hr-tiny"
    assert "chosen" not in run.err
    written = TrainConfig.from_toml(project / "runs" / "vipl-hr-tiny" / "run.toml")
    assert (written.epochs, written.seed, written.augment) == (1, 5, "none")
    # a file on the command line takes the place of the section
    Path("mine.toml").write_text('network = "tiny"\nbatch = 8\nvalidation_share = 0\naugment = "none"\nepochs = 1\n')
    stmap("train", "maps/vipl-hr", "mine", "--config", "mine.toml", "--fold", "1")
    assert TrainConfig.from_toml(project / "mine" / "run.toml").seed == 0


def test_init_adds_a_database_whose_recordings_are_there(here):
    assert stmap("synth", "videos", "--subjects", "1", "--duration", "1", "-j", "1").code == 0
    # without a name, what it is and what to type
    for words, code in ((["init"], 1), (["check"], 2)):
        run = stmap(*words, "videos")
        assert (run.code, run.out) == (code, "")
        assert f"stmap {words[0]} --db vipl-hr videos" in run.err
    assert not Path("videos/database.toml").exists()
    run = stmap("init", "--db", "VIPL-HR", "videos")
    assert (run.code, run.out) == (0, "stmap.toml\n")
    assert run.err.startswith("vipl-hr  7 recordings, 1 subject\n")
    assert read_project(here).sources["vipl-hr"].path == here / "videos"
    assert " recordings checked: " in stmap("check").err
    assert stmap("databases").out.splitlines()[-1].split() == ["vipl-hr", "videos"]
    assert "\nfolder: videos\n" in stmap("databases", "vipl-hr").out
    (here / "empty").mkdir()
    before = (here / "stmap.toml").read_bytes()
    run = stmap("init", "--db", "pure", "empty")
    assert (run.code, run.out) == (1, "")
    assert "looked for" in run.err
    assert (here / "stmap.toml").read_bytes() == before


def test_the_variable_says_where_a_database_is_and_settings_are_those_of_the_project(project, monkeypatch):
    assert stmap("synth", "elsewhere", "--layout", "pure", "--subjects", "1", "--duration", "1", "-j", "1").code == 0
    monkeypatch.setenv("STMAP_PURE", "elsewhere")
    with Path("stmap.toml").open("a") as file:
        file.write("[limits]\nmin_duration_s = 0.5\n")
    run = stmap("build-maps", "--db", "pure", "--dry-run")
    assert run.code in (0, 3)
    assert "  project  elsewhere  ->  maps/pure\n" in run.err
    assert "  settings limits.min_duration_s 1.0 -> 0.5   (stmap.toml)\n" in run.err
    Path("other.toml").write_text("[limits]\nmin_duration_s = 0.25\n")
    assert "settings" not in stmap("build-maps", "--db", "pure", "--dry-run", "--config", "other.toml").err
    monkeypatch.delenv("STMAP_PURE")
    add_source(project, "pure", "pure", project / "moved")
    run = stmap("check", "--db", "pure")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("Error: stmap.toml: [databases] pure: there is no moved; ")


def test_of_several_maps_or_runs_all_are_named_with_what_to_type(project):
    for name in ("a", "b"):
        example_maps(project / "maps" / name)
        example_run(project / "runs" / name, project / "maps" / name)
    for words, typed in (
        (["augment", "--balance"], "stmap augment maps/a --balance"),
        (["train"], "stmap train maps/a"),
        (["report"], "stmap report maps/a"),
        (["show", "p001_v1"], "stmap show maps/a p001_v1"),
        (["export", "out"], "stmap export maps/a out"),
        (["status"], "stmap status maps/a"),
    ):
        run = stmap(*words)
        assert (run.code, run.out) == (1, "")
        assert run.err == f"Error: there are 2 sets of maps: maps/a, maps/b; name one: {typed}\n"
    # a folder that holds maps is a choice among them
    assert stmap("report", "maps").err == "Error: there are 2 sets of maps: maps/a, maps/b; name one: stmap report maps/a\n"
    assert stmap("status", "B").out == stmap("status", "maps/b").out
    run = stmap("verify", "c")
    assert run.err == "Error: c: there is no such folder; maps of the project: maps/a, maps/b\n"
    assert stmap("export", "a").err.startswith("Error: where to? Type stmap export a OUT")
    assert not Path("a").exists()
    run = stmap("evaluate")
    assert run.err == "Error: there are 2 runs: runs/a, runs/b; name one: stmap evaluate runs/a\n"
    # the maps of a run are those of its training
    assert stmap("evaluate", "runs/b", "--resamples", "100", "-j", "1").code == 0
    assert stmap("status", "maps/b").code == 0
    shutil.rmtree("maps/b")
    assert stmap("show", "P001_V2").out == "p001_v2.png\n"
    assert stmap("report").err.startswith(
        "Error: there are 2 runs: runs/a, runs/b; name one: stmap report runs/a, or compare all: stmap report runs\n"
    )


def test_a_changed_setting_is_answered_with_what_differs_and_what_to_type(project):
    example_run(project / "runs" / "one", example_maps(project / "maps" / "a"))
    words = [
        "train",
        "a",
        "runs/one",
        *["--network", "resnet18", "--protocol", "within", "--validation-share", "0", "--augment", "none", "--init", "random"],
    ]
    settings = TrainConfig.from_toml(project / "runs" / "one" / "run.toml")
    run = stmap(*words, "--epochs", "77")
    assert (run.code, run.out) == (1, "")
    lines = run.err.splitlines()
    assert lines[0] == "Error: runs/one: was trained with other settings"
    assert re.search(rf"^  epochs +then {settings.epochs}, now 77$", run.err, re.MULTILINE)
    typed = [shlex.split(line)[1:] for line in lines if line.startswith("  stmap ")]
    assert typed == [[*words, "--epochs", "77", "--retrain"], [words[0], words[1], *words[3:], "--epochs", "77", "runs/one-2"]]
    # a name that is wrong in the file is told with the file and the key
    before = Path("stmap.toml").read_text()
    for section, key, names in (("train", "network", "resnet18"), ("faces", "backend", "dlib68")):
        Path("stmap.toml").write_text(f'[{section}]\n{key} = "{names[:-1]}"\n[databases]\npure = "."\n')
        run = stmap("train", "a") if section == "train" else stmap("check")
        assert run.code == 1
        assert run.err.startswith(f"Error: stmap.toml: {section}.{key}: no ")
        assert f"did you mean '{names}'?" in run.err
    Path("stmap.toml").write_text(before)
    # maps that were built anew with other settings
    shutil.rmtree("maps/a")
    shorter = {"windows": {"length": "50 frames", "step": "1 s"}}
    example_maps(project / "maps" / "a", config=Config.from_mapping(EXAMPLE_CONFIG.model_dump() | shorter))
    run = stmap("evaluate")
    assert run.code == 1
    assert re.search(r"^  windows\.length +then 60 frames, now 50 frames$", run.err, re.MULTILINE)
    assert "  stmap train maps/a runs/one --config runs/one/run.toml --retrain\n" in run.err


def test_several_runs_are_compared_in_the_folder_that_holds_them(project):
    maps = example_maps(project / "maps" / "a")
    for name in ("one", "two"):
        example_run(project / "runs" / name, maps)
        assert stmap("evaluate", f"runs/{name}", "--resamples", "100", "-j", "1").code == 0
    assert stmap("report", "runs/one", "runs/two").out == "runs/report.html\n"
    assert stmap("report", "runs").out == "runs/report.html\n"
    assert stmap("report", "runs/two").out == "runs/two/report.html\n"
    run = stmap("report", "-o", "x.html")
    assert run.code == 1
    shutil.rmtree("runs/two")
    run = stmap("report", "-o", "x.html")
    assert run.code == 2
    assert "name one of them" in run.err


@pytest.mark.parametrize(
    ("words", "question", "typed"),
    [
        (
            ["build-maps", "--db", "vipl-hr"],
            "where is vipl-hr? The variable STMAP_VIPL_HR is not set, and no stmap.toml is here or above",
            "stmap init --db vipl-hr FOLDER",
        ),
        (["build-maps", "--db", "vipl-hr", "videos"], "where to?", "stmap build-maps --db vipl-hr videos OUT"),
        (["check", "--db", "folder"], "where is folder?", "stmap init FOLDER"),
        (["augment", "--balance"], "which maps?", "stmap augment MAPS --balance"),
        (["train"], "which maps?", "stmap train MAPS RUN"),
        (["report"], "which maps?", "stmap report MAPS"),
        (["evaluate"], "which run?", "stmap evaluate RUN"),
        (["experiment", "fg2019"], "where to?", "stmap experiment fg2019 --vipl MAPS OUT"),
        (["show", "p001"], "which maps?", "stmap show MAPS p001"),
        (["export", "out"], "which maps?", "stmap export MAPS out"),
        (["status"], "which maps?", "stmap status MAPS"),
        (["verify"], "which maps?", "stmap verify MAPS"),
    ],
)
def test_without_a_project_one_line_says_what_is_missing_and_what_to_type(here, words, question, typed):
    run = stmap(*words)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"Error: {question}")
    assert typed in run.err
    assert "stmap init" in run.err
    assert run.err.count("\n") == 1
    assert list(here.iterdir()) == []


def test_an_empty_project_names_the_first_step(project):
    for words, typed in ((["train"], "stmap build-maps --db NAME"), (["evaluate"], "stmap train")):
        run = stmap(*words)
        assert (run.code, run.out) == (1, "")
        assert run.err.endswith(f"first type: {typed}\n")
    assert stmap("init").code == 1
    assert sorted(one.name for one in project.iterdir()) == ["stmap.toml"]
