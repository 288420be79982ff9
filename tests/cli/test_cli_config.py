"""`stmap config`: what is printed is a settings file, and holds every key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from support.cli import stmap

from stmap_pipeline.config import Config
from stmap_pipeline.project import ProjectFile, find_project, read_build_settings, read_train_settings
from stmap_pipeline.training.config import TrainConfig


def test_what_is_printed_is_the_defaults_and_can_be_given_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = stmap("config")
    assert (run.code, run.err) == (0, "")
    assert ProjectFile.from_mapping(tomllib.loads(run.out)) == ProjectFile()
    Path("stmap.toml").write_text(run.out)
    assert read_build_settings(Path("stmap.toml")) == Config()
    assert TrainConfig.from_mapping(read_train_settings(Path("stmap.toml"))) == TrainConfig()
    assert find_project() is not None


def test_each_key_of_each_section_has_a_line_above_it_that_explains_it():
    fields = {name: one.annotation for name, one in ProjectFile.model_fields.items() if name in (*Config.model_fields, "train")}
    for name, model in fields.items():
        lines = stmap("config", name.upper()).out.splitlines()
        assert lines[0] == f"[{name}]"
        for key in model.model_fields:
            number = next(index for index, line in enumerate(lines) if line.startswith((f"{key} = ", f"# {key} is not set")))
            assert lines[number - 1].startswith("# ")
            assert lines[number - 1].endswith(".")


@pytest.mark.parametrize(
    ("word", "hint"), [("widnows", "did you mean 'windows'?"), ("xyz", "the sections are faces, blocks, windows, limits, train")]
)
def test_an_unknown_section_is_answered_with_the_nearest(word, hint):
    run = stmap("config", word)
    assert (run.code, run.out) == (2, "")
    assert hint in run.err
