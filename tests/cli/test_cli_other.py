"""The smaller commands: what they print, and what they say about a mistake."""

from __future__ import annotations

import shutil

import pytest
from click.shell_completion import ShellComplete
from support.cli import stmap

from stmap_cli.main import cli
from stmap_pipeline import registry
from stmap_pipeline.shards.example import example_maps


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_databases_are_listed_a_line_each():
    run = stmap("databases")
    assert (run.code, run.err) == (0, "")
    assert [line.split()[0] for line in run.out.splitlines()] == ["name", *registry.names("databases")]
    assert max(map(len, run.out.splitlines())) <= 160


@pytest.mark.parametrize("name", registry.names("databases"))
def test_a_database_tells_how_to_get_lay_out_and_cite_it(name):
    run = stmap("databases", name)
    assert run.code == 0
    database = registry.load("databases", name)
    assert run.out.startswith(f"{name}: {database.title}\n")
    for word in ("license: ", "access: ", "layout:\n"):
        assert f"\n{word}" in run.out
    words = run.out.split()
    assert all(word in words for text in (*database.facts().values(), *database.defects) for word in text.split())
    assert all(line.strip() in run.out for line in database.layout.splitlines())
    assert ("\ncite:\n" in run.out) == bool(database.citation)


@pytest.mark.parametrize("name", ["VIPL-HR", "Vipl_HR"])
def test_a_database_is_found_in_any_case(name):
    assert stmap("databases", name).out == stmap("databases", "vipl-hr").out


def test_the_shell_completes_names_of_databases():
    found = ShellComplete(cli, {}, "stmap", "_STMAP_COMPLETE").get_completions(["build-maps", "--db"], "vi")
    assert [one.value for one in found] == ["vipl-hr"]


def test_export_counts_what_it_wrote_and_what_it_left_out(here):
    run = stmap("export", example_maps(), "out", "--labeled")
    assert (run.code, run.out) == (0, "out\n")
    rows = (here / "out" / "windows.csv").read_text().count("\n") - 1
    left_out = (here / "out" / "skipped.csv").read_text().count("\n") - 1
    assert run.err == f"done: {rows} windows written" + (f", {left_out} left out   ->  out/skipped.csv\n" if left_out else "\n")


def test_export_counts_recordings_where_it_writes_whole_ones(here):
    run = stmap("export", example_maps(), "out", "--layout", "nest")
    assert run.err.startswith("done: 2 recordings written, 1 left out")


def test_export_leaves_a_folder_that_is_in_use_alone(here):
    (here / "out").mkdir()
    (here / "out" / "thesis.tex").write_text("years of work")
    run = stmap("export", example_maps(), "out")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("Error: out: ")
    assert [path.name for path in (here / "out").iterdir()] == ["thesis.tex"]


def test_a_picture_gets_the_name_of_its_recording(here):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    run = stmap("show", example_maps(), "p001_v1")
    assert (run.code, run.out, run.err) == (0, "p001_v1.png\n", "")
    assert (here / "p001_v1.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["p9"], "'p9'"),
        (["p001_v1", "--output", "p.gif"], "p.gif: "),
        (["p001_v1", "--start", "500"], "500 s"),
    ],
)
def test_a_picture_that_cannot_be_is_refused_in_one_line(more, message, here):
    run = stmap("show", example_maps(), *more)
    assert (run.code, run.out) == (1, "")
    assert message in run.err
    assert run.err.count("\n") == 1
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("words", [["export", "maps", "out"], ["show", "maps", "p001_v1"]])
def test_an_unfinished_output_is_called_that(words, here):
    shutil.copytree(example_maps(), here / "maps")
    (here / "maps" / "manifest.json").unlink()
    run = stmap(*words)
    assert (run.code, run.out) == (1, "")
    assert "manifest.json" in run.err
    assert sorted(path.name for path in here.iterdir()) == ["maps"]


def test_synth_refuses_what_it_cannot_draw_and_folders_that_are_in_use(here):
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_text("years of work")
    assert stmap("synth", "own", "--layout", "folder", "--subjects", "1", "--duration", "1", "-j", "1").code == 0
    for words, message in (
        (["new", "--subjects", "500"], "1 to 107 subjects, not 500"),
        (["mine"], "mine: "),
        (
            ["own", "--layout", "folder", "--subjects", "1"],
            "  duration_s  then 1.0, now 20.0\ntype one of\n  stmap synth --layout folder --subjects 1 own-2\n",
        ),
        (["./own/", "--layout", "folder", "--subjects", "1"], "\n  stmap synth --layout folder --subjects 1 own-2\n"),
    ):
        run = stmap("synth", *words)
        assert (run.code, run.out) == (1, "")
        assert message in run.err
    assert sorted(path.name for path in here.iterdir()) == ["mine", "own"]


def test_synth_says_where_and_what_was_there_before(here):
    words = ["synth", "own", "--layout", "folder", "--subjects", "1", "--duration", "1", "-j", "1"]
    assert stmap(*words).out == "own\n"
    run = stmap(*words)
    assert (run.code, run.out) == (0, "own\n")
    assert run.err.startswith("drawn: 3 recordings (3 in an earlier run) in 0 s   ->  own")
