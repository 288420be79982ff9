"""`stmap status` and `stmap verify`, and the options that limit a recording."""

from __future__ import annotations

import json
import shutil

import pytest
from support.cli import stmap

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build


@pytest.fixture(scope="module")
def maps(faces, short, tmp_path_factory):
    out = tmp_path_factory.mktemp("status") / "maps"
    assert stmap("build-maps", "--db", "folder", faces, out, "--config", short).code == 3
    return out


def test_status_of_a_finished_build(maps):
    run = stmap("status", maps)
    assert run.code == 0
    assert run.out.splitlines() == [
        "folder  finished",
        "  2 ok, 2 failed",
        "       1  no_face",
        "       1  source_unreadable",
    ]
    told = json.loads(stmap("status", maps, "--json").out)
    assert (told["state"], told["listed"], told["reasons"]) == ("finished", 4, {"no_face": 1, "source_unreadable": 1})


def test_status_of_a_stopped_and_of_a_running_build(faces, short, tmp_path):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", faces, out, Config.from_toml(short)), 0)
    next(running)
    lines = stmap("status", out).out.splitlines()
    assert lines[0].startswith("folder  running: process ")
    assert lines[1] == "  1 ok, 3 to do"
    running.close()
    assert stmap("status", out).out.splitlines()[0] == "folder  stopped: the same stmap build-maps command continues it"
    run = stmap("build-maps", "--db", "folder", faces, out, "--config", short, "-j", "1")
    assert "1 already decoded" in run.err


def test_verify_says_whole_or_what_is_wrong(maps, tmp_path):
    run = stmap("verify", maps)
    assert (run.code, run.out) == (0, "")
    assert run.err.strip() == f"{maps}: whole; every byte is as it was built"
    out = shutil.copytree(maps, tmp_path / "maps")
    (out / "shards" / "anna.h5").unlink()
    (out / "outcomes.csv").write_text("nothing")
    run = stmap("verify", out, "--quick")
    assert run.code == 1
    assert sorted(run.out.splitlines()) == [
        "missing    shards/anna.h5 is missing",
        f"size       outcomes.csv has 7 bytes, not {(maps / 'outcomes.csv').stat().st_size}",
    ]
    assert run.err.strip() == f"{out}: 2 problems"
    assert [one["kind"] for one in json.loads(stmap("verify", out, "--json").out)["problems"]] == ["size", "missing"]


def test_what_is_no_output_is_said(tmp_path):
    for command in ("status", "verify"):
        run = stmap(command, tmp_path / "nowhere")
        assert (run.code, run.out) == (1, "")
        assert run.err.startswith(f"Error: {tmp_path / 'nowhere'}: ")
        assert run.err.count("\n") == 1


def test_limits_and_scheduler_reach_the_build(faces, short, tmp_path):
    words = ("build-maps", "--db", "folder", faces, tmp_path / "maps", "--config", short, "-j", "1")
    run = stmap(*words, "--time-limit", "0.000001", "--only", "anna")
    assert run.code == 3
    assert " 1e-06 s; " in run.err
    run = stmap(*words, "--time-limit", "60", "--memory-limit", "1000", "--retry-failed", "--only", "[ab]*")
    assert run.code == 0
    run = stmap(*words, "--scheduler", "nonsense://x")
    assert run.code == 1
    assert "nonsense://x: " in run.err
    assert stmap(*words, "--time-limit", "0").code == 2
