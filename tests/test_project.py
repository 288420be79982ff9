"""The project folder: what `stmap.toml` may hold, what is found from below it, and how a line is added."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ConfigError, ProjectError, UnknownNameError
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.project import (
    PROJECT,
    add_source,
    create_project,
    find_project,
    find_source,
    is_project,
    read_build_settings,
    read_project,
    read_train_settings,
)
from stmap_pipeline.shards.example import example_maps


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    create_project(Path())
    return tmp_path


def test_a_new_project_has_the_defaults_and_every_key_of_its_comments_is_one(here):
    project = read_project(here)
    assert (project.maps, project.runs, dict(project.sources)) == (here / "maps", here / "runs", {})
    assert Config.from_mapping(dict(project.settings)) == Config()
    text = (here / PROJECT).read_text("utf-8")
    # what stands in the comments is what a user makes of them
    live = "\n".join(line[2:] if line.startswith("# ") and " = " in line else line for line in text.splitlines())
    (here / PROJECT).write_text(live)
    project = read_project(here)
    assert set(project.sources) == {"vipl-hr", "my-study"}
    assert project.settings == {"windows": {"length": "10 s"}}
    assert project.train == {"epochs": 20}


def test_an_existing_project_and_an_output_are_left_alone(here):
    with pytest.raises(ProjectError, match="not overwritten"):
        create_project(here)
    maps = example_maps()
    before = (maps / PROJECT).read_bytes()
    with pytest.raises(ProjectError, match="holds maps"):
        create_project(maps)
    assert (maps / PROJECT).read_bytes() == before


def test_it_is_found_from_below_and_the_record_of_maps_is_passed_over(here, monkeypatch):
    maps = example_maps(here / "maps" / "example")
    monkeypatch.chdir(maps)
    project = find_project()
    assert project is not None
    assert project.root.resolve() == here.resolve()
    assert [one.resolve() for one in project.list_maps()] == [maps.resolve()]
    assert find_project(here.parent) is None


def test_settings_of_a_build_that_was_killed_at_once_are_no_project(tmp_path):
    (tmp_path / PROJECT).write_text(Config().to_toml())
    assert not is_project(tmp_path)


def test_finished_maps_come_before_unfinished_ones(here):
    project = read_project(here)
    unfinished = example_maps(here / "maps" / "a")
    (unfinished / "manifest.json").unlink()
    assert project.list_maps() == [unfinished]
    finished = example_maps(here / "maps" / "b")
    assert project.list_maps() == [finished]
    assert project.list_maps(unfinished=True) == [unfinished, finished]


def test_runs_are_found_with_the_maps_of_their_training(here):
    maps = example_maps(here / "maps" / "b10")
    example_maps(here / "maps" / "b9")
    project = read_project(here)
    assert project.list_runs() == []
    run, _ = example_run(here / "runs" / "one", maps)
    example_run(here / "runs" / "paper" / "cell", maps)
    assert project.list_runs() == [run]
    assert project.list_experiments() == [here / "runs" / "paper"]
    assert project.maps_of_run(run) == maps
    assert [one.name for one in project.list_maps()] == ["b9", "b10"]


def test_the_environment_comes_before_the_file(here, monkeypatch):
    add_source(here, "vipl-hr", "vipl-hr", here / "videos")
    assert find_source("Vipl_HR", read_project(here)).path == here / "videos"
    monkeypatch.setenv("STMAP_VIPL_HR", "~/elsewhere")
    found = find_source("vipl-hr", read_project(here))
    assert (found.path, found.database) == (Path("~/elsewhere").expanduser(), "vipl-hr")
    monkeypatch.setenv("STMAP_PURE", "/data/PURE")
    assert find_source("pure").path == Path("/data/PURE")


def test_a_place_that_nobody_names_is_asked_for(here):
    with pytest.raises(ProjectError, match=r"STMAP_VIPL_HR.*stmap\.toml"):
        find_source("vipl-hr", read_project(here))
    add_source(here, "my-study", "folder", here / "my-videos")
    with pytest.raises(UnknownNameError, match="did you mean 'my-study'"):
        find_source("mystudy", read_project(here))


def test_a_line_is_added_and_changed_and_all_else_stays(here):
    before = (here / PROJECT).read_text("utf-8").splitlines()
    add_source(here, "vipl-hr", "vipl-hr", Path("/data/VIPL-HR"))
    add_source(here, "pure", "pure", here / "PURE")
    add_source(here, "stu dy".replace(" ", ""), "folder", here / "a 'quoted' folder")
    add_source(here, "vipl-hr", "vipl-hr", Path("/other"))
    after = (here / PROJECT).read_text("utf-8").splitlines()
    assert [line for line in after if line not in before] == [
        'vipl-hr = "/other"',
        'pure = "PURE"',
        "study = \"a 'quoted' folder\"",
    ]
    assert [line for line in after if line in before] == before
    assert read_project(here).sources["study"].path == here / "a 'quoted' folder"


def test_a_file_without_the_table_gets_it(here):
    (here / PROJECT).write_text('maps = "m"')
    add_source(here, "pure", "pure", here / "PURE")
    assert tomllib.loads((here / PROJECT).read_text()) == {"maps": "m", "databases": {"pure": "PURE"}}


def test_a_line_that_cannot_be_is_not_written(here):
    before = (here / PROJECT).read_bytes()
    with pytest.raises(ConfigError, match="cannot be the name"):
        add_source(here, "my videos", "folder", here / "my videos")
    assert (here / PROJECT).read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('map = "m"', "unknown key 'map'; did you mean 'maps'?"),
        ("[window]", "unknown key 'window'; did you mean 'windows'?"),
        ('[windows]\nlenght = "10 s"', "unknown key 'windows.lenght'; did you mean 'windows.length'?"),
        ("[train]\nepoch = 2", "unknown key 'train.epoch'; did you mean 'train.epochs'?"),
        ("rows = 5", "unknown key 'rows'; did you mean 'blocks.rows'?"),
        ("cols = 5", "unknown key 'cols'; did you mean 'blocks.cols'?"),
        ('[databases]\nvipl = "x"', "no database is called 'vipl'; did you mean 'vipl-hr'?"),
        ('[videos]\npure = "x"', "not the name of a database"),
        ('[videos]\n"../up" = "x"', "cannot be the name of a folder of videos"),
        ("[databases]\npure = 5", "databases.pure = 5: must be text in quotes"),
        ("windows = 3", "windows = 3: must be a table"),
        ("[train]\nepochs = 0", "train.epochs = 0: must be 1 or more"),
        ("[train]\nepochs = 'many'", 'train.epochs = "many": must be a whole number'),
        ('[faces]\nmode = "fast"', "faces.mode = \"fast\": must be 'tracked' or 'per-frame'"),
        ("[faces]\nmemory_s = nan", "faces.memory_s = nan: must be a finite number"),
        ('[windows]\nlength = "10"', "'10' is no length"),
        ("[databases", "is not TOML"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_file(here, text, message):
    (here / PROJECT).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_project(here)
    told = str(caught.value)
    assert message in told
    assert "stmap.toml" in told
    for word in ("pydantic", "Input", "extra", "Path(", "None", "type="):
        assert word not in told


def test_a_settings_file_may_be_that_of_a_project(here):
    (here / "all.toml").write_text('maps = "m"\n[windows]\nlength = "10 s"\n[train]\nepochs = 3\n')
    (here / "run.toml").write_text("epochs = 4\n")
    assert read_build_settings(here / "all.toml").windows.length == "10 s"
    assert read_train_settings(here / "all.toml") == {"epochs": 3}
    assert read_train_settings(here / "run.toml") == {"epochs": 4}
