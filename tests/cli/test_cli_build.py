"""`stmap build-maps` as its user sees it: lines, exit codes, and what stands on stdout."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.cli import content, stmap

from stmap_cli import build_maps
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.build import BuildSummary
from stmap_pipeline.shards import Shards


@pytest.fixture(scope="module")
def built(faces, short, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "the maps"
    return out, stmap("build-maps", "--db", "folder", faces, out, "--config", short, "--jobs", "1")


@pytest.fixture
def again(built, faces, short, tmp_path):
    """The same command on a copy of the finished output, with more options."""
    out = tmp_path / "maps"
    shutil.copytree(built[0], out)
    return lambda *more: stmap("build-maps", "--db", "folder", faces, out, "--config", short, "--jobs", "1", *more)


def test_a_build_says_what_it_does_what_failed_and_where_everything_is(built):
    out, run = built
    assert (run.code, run.out) == (3, "")
    first, own, copied, wall, zero, done, maps, failed, following, retry = run.err.splitlines()
    assert own == "  note     nobody named the subjects: each video counts as a subject of its own"
    assert copied == "  note     bert.mp4 has the same content as anna.mp4"
    assert first == "folder  4 recordings, 4 subjects   faces: dlib68   grid: 5x5"
    assert wall == f"  x {'wall':<18}  faces   no face in 100% of 45 frames (limit 50%)"
    assert zero.startswith(f"  x {'zero':<18}  decode  zero.mp4: ")
    assert done.startswith("done in ")
    assert maps.startswith("  maps     2 recordings, 6 windows, no labels")
    assert f"->  {out}/shards (2 files, " in maps
    assert failed.startswith("  failed   2 recordings  ")
    assert failed.endswith(f"->  {out}/outcomes.csv (1 no_face, 1 source_unreadable)")
    assert maps.index("->") == failed.index("->")
    # a folder with a blank in its name: the command can be copied as it stands
    assert following == f"  next     stmap show '{out}' anna --output anna.png"
    assert retry == "  retry    the same command with --retry-failed"


def test_the_same_command_does_nothing_twice_and_still_says_that_some_failed(again):
    run = again()
    assert run.code == 3
    assert run.err.startswith("folder  4 recordings, 4 subjects   2 already decoded   2 failed before   faces: dlib68")
    assert "  x " not in run.err


def test_retry_failed_tries_those_alone(again):
    run = again("--retry-failed")
    assert run.code == 3
    assert run.err.count("  x ") == 2
    assert "2 already decoded" in run.err


def test_json_is_one_object_on_stdout_and_all_else_is_on_stderr(again, tmp_path):
    run = again("--json")
    result = json.loads(run.out)
    assert {key: result[key] for key in ("database", "listed", "ok", "skipped", "failed", "resumed", "windows")} == {
        "database": "folder", "listed": 4, "ok": 2, "skipped": 0, "failed": 2, "resumed": 4, "windows": 6,
    }  # fmt: skip
    assert [(one["recording_id"], one["stage"], one["reason"]) for one in result["failures"]] == [
        ("wall", "faces", "no_face"),
        ("zero", "decode", "source_unreadable"),
    ]
    assert result["out"] == str(tmp_path / "maps")
    assert "done in" in run.err


def test_dry_run_lists_and_leaves_no_trace(faces, short, tmp_path):
    command = ("build-maps", "--db", "folder", faces, tmp_path / "maps", "--config", short, "--dry-run")
    run = stmap(*command)
    # an empty file is found by the checks
    assert run.code == 3
    assert "source_unreadable (1)" in run.err
    assert run.out.splitlines() == [
        f"{name}\tbuild\t{faces / file}"
        for name, file in (("anna", "anna.mp4"), ("bert", "bert.mp4"), ("wall", "wall.mp4"), ("zero", "zero.mp4"))
    ]
    assert "4 to build" in run.err
    listed = json.loads(stmap(*command, "--json").out)
    assert listed["recordings"][0] == {"recording_id": "anna", "action": "build", "video": str(faces / "anna.mp4")}
    assert [one["recording_id"] for one in listed["findings"] if one["severity"] == "problem"] == ["zero"]
    assert not (tmp_path / "maps").exists()


def test_dry_run_on_a_finished_output_says_what_is_done(again):
    actions = [line.split("\t")[1] for line in again("--dry-run").out.splitlines()]
    assert actions == ["done", "done", "failed no_face", "failed source_unreadable"]
    actions = [line.split("\t")[1] for line in again("--dry-run", "--retry-failed").out.splitlines()]
    assert actions == ["done", "done", "build", "build"]


def test_limit_and_only_take_a_part_and_the_rest_follows(built, faces, short, tmp_path):
    command = ("build-maps", "--db", "folder", faces, tmp_path / "maps", "--config", short, "-j", "1")
    run = stmap(*command, "--limit", "1")
    assert run.code == 0
    assert "folder  1 recording, 1 subject" in run.err
    assert "  maps     1 recording, 3 windows, no labels" in run.err
    assert stmap(*command, "--only", "*e*").code == 3
    with Shards(tmp_path / "maps") as shards:
        assert [one.recording_id for one in shards.outcomes()] == ["anna", "bert", "zero"]
    assert stmap(*command).code == 3
    assert content(tmp_path / "maps") == content(built[0])


def test_all_ok_is_code_0_and_asks_for_no_retry(faces, tmp_path):
    run = stmap("build-maps", "--db", "folder", faces / "anna.mp4", tmp_path / "maps", "--jobs", "0")
    assert run.code == 0
    assert "retry" not in run.err
    assert "failed" not in run.err
    # two seconds, and windows of 300 frames: an empty table needs its reason
    assert "all shorter than one window (300 frames)" in run.err


def test_nothing_built_is_said_with_the_reasons(faces, tmp_path):
    run = stmap("build-maps", "--db", "folder", faces, tmp_path / "maps", "--only", "zero", "-j", "1")
    assert run.code == 3
    assert "  maps     0 recordings  " in run.err
    assert f"  failed   1 recording    ->  {tmp_path}/maps/outcomes.csv (1 source_unreadable)\n" in run.err
    assert "stmap show" not in run.err


@pytest.mark.parametrize(
    ("make", "more", "message"),
    [
        (None, ["--only", "x*"], "'x*'"),
        ("[blocks", ["--config", "c.toml"], "c.toml: "),
        ("[blocks]\nrows = 500\ncolls = 3", ["--config", "c.toml"], "blocks.rows = 500: "),
        ("[blocks]\nrows = 500\ncolls = 3", ["--config", "c.toml"], "unknown key 'blocks.colls'; did you mean 'blocks.cols'?"),
        (None, ["--config", "nowhere.toml"], "nowhere.toml: "),
    ],
)
def test_wrong_values_are_code_1_and_one_clear_line(faces, make, more, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if make is not None:
        (tmp_path / "c.toml").write_text(make)
    run = stmap("build-maps", "--db", "folder", faces, "maps", *more)
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("Error: ")
    assert message in run.err
    assert not (tmp_path / "maps").exists()


def test_wrong_folders_are_code_1_and_named(built, faces, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    for source, out, message in (
        (tmp_path / "nowhere", tmp_path / "maps", f"{tmp_path}/nowhere: "),
        (tmp_path / "mine", tmp_path / "maps", f"{tmp_path}/mine: no video"),
        (faces, tmp_path / "mine", f"{tmp_path}/mine: is not empty"),
        (faces, tmp_path / "mine" / "thesis.tex", "thesis.tex: "),
    ):
        run = stmap("build-maps", "--db", "folder", source, out)
        assert (run.code, run.out) == (1, "")
        assert message in run.err
        assert run.err.count("\n") == 1
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_other_settings_of_blocks_are_refused_or_rebuilt_and_other_windows_are_new_tables(built, faces, tmp_path):
    out = shutil.copytree(built[0], tmp_path / "maps")
    (tmp_path / "grid.toml").write_text("[blocks]\nrows = 3\n[windows]\nlength = '30 frames'\n")
    words = ("build-maps", "--db", "folder", faces, out, "-j", "0")
    run = stmap(*words, "--config", tmp_path / "grid.toml")
    assert (run.code, run.out) == (1, "")
    assert "\n  blocks.rows  then 5, now 3\n" in run.err
    run = stmap(*words, "--config", tmp_path / "grid.toml", "--rebuild")
    assert run.code == 3
    assert "grid: 3x5" in run.err
    (tmp_path / "windows.toml").write_text("[blocks]\nrows = 3\n[windows]\nlength = '20 frames'\n")
    run = stmap(*words, "--config", tmp_path / "windows.toml")
    assert "2 already decoded" in run.err
    with Shards(out) as shards:
        assert {one.frames for one in shards.windows()} == {20}


def test_brackets_foreign_letters_and_colons_survive_on_the_way_to_the_screen(faces, tmp_path):
    source = tmp_path / "vidéos [final] 日本"
    source.mkdir()
    (source / "[red]pär :smile: \x1b[31m.avi").write_bytes(b"")
    run = stmap("build-maps", "--db", "folder", source, tmp_path / "[maps]", "-j", "1")
    assert run.code == 3
    assert "[red]pär :smile: \\x1b[31m.avi: " in run.err
    assert f"->  {tmp_path}/[maps]/outcomes.csv" in run.err
    (row,) = csv.DictReader((tmp_path / "[maps]" / "outcomes.csv").read_text("utf-8").splitlines())
    assert row["recording_id"].startswith("red_pär__smile____31m.avi-")
    assert row["message"].startswith("[red]pär :smile: ")


def test_recordings_without_a_label_and_those_without_a_window_sum_up_to_all():
    summary = BuildSummary(
        11, 0, 0, 1, 20, 16, 60.0, 80.0, 10.0, 10.0, 11, 100,
        labeled_recordings=8, label_problems={"no_label": 2}, notes={"hr.csv: lasts 8.0 to 22.0 s": 2, "dark": 2},
    )  # fmt: skip
    plan = SimpleNamespace(out=Path("maps"), config=Config(), listed=())
    lines = build_maps._last_lines(plan, [], summary, 1.0, hint=False)
    (labels,) = [line for line in lines if line.startswith("  labels")]
    head, _, why = labels.partition("(without: ")
    assert " 8 of 11 recordings " in head
    assert 8 + sum(int(one) for one in re.findall(r"\d+", why)) == 11
    assert "  note     hr.csv: lasts 8.0 to 22.0 s (2 recordings, each with numbers in these ranges)" in lines
    assert "  note     dark (2 recordings)" in lines
