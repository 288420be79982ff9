"""`stmap report` on the command line."""

from __future__ import annotations

import json
import os

import pytest
from support.cli import stmap

from stmap_pipeline.project import create_project
from stmap_pipeline.shards.example import example_maps

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "first"),
    [("html", "report.html", "<!DOCTYPE html>"), ("json", "report.json", "{"), ("latex", "report.tex", "% needs")],
)
def test_the_page_or_its_tables_are_written_into_the_folder_they_describe(here, kind, name, first):
    maps = example_maps()
    run = stmap("report", maps, "--format", kind, "--jobs", "1")
    assert (run.code, run.out) == (0, f"{maps / name}\n")
    assert run.err == (f"  open     {(maps / name).resolve().as_uri()}\n" if kind == "html" else "")
    assert (maps / name).read_text("utf-8").startswith(first)
    assert list(here.iterdir()) == []
    # the manifest does not list it, and the output is whole
    assert stmap("verify", maps).code == 0


def test_a_page_opens_in_the_browser_when_asked(here, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert stmap("report", example_maps(), "-o", "a page.html", "-j", "1").code == 0
    assert opened == []
    assert stmap("report", example_maps(), "-o", "a page.html", "-j", "1", "--open").code == 0
    assert opened == [(here / "a page.html").resolve().as_uri()]


def test_csv_goes_into_a_folder(here):
    maps = example_maps()
    run = stmap("report", maps, "--format", "csv", "--jobs", "1")
    assert (run.code, run.out) == (0, f"{maps / 'report'}\n")
    assert {one.name for one in (maps / "report").glob("*.csv")} == {
        "outcomes.csv",
        "heart_rates.csv",
        "quality.csv",
        "recordings.csv",
    }


def test_the_output_goes_where_it_is_told_and_the_page_names_the_command(here):
    run = stmap("report", example_maps(), "--output", "new folder/maps <1>.html", "--jobs", "1")
    assert (run.code, run.out) == (0, "new folder/maps <1>.html\n")
    assert "--output &#39;new folder/maps &lt;1&gt;.html&#39;" in (here / "new folder/maps <1>.html").read_text("utf-8")


def test_json_has_a_row_for_each_recording(here):
    stmap("report", example_maps(), "--format", "json", "-o", "a.json", "-j", "1")
    rows = json.loads((here / "a.json").read_text("utf-8"))["tables"]["recordings"]["rows"]
    assert sorted(row["recording_id"] for row in rows) == ["p001_v1", "p001_v2", "p002_v1"]


def test_mistakes_are_one_line(here):
    (here / "empty").mkdir()
    run = stmap("report", "empty")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("Error: ")
    assert "manifest.json" in run.err
    assert run.err.count("\n") == 1
    assert stmap("report", example_maps(), "--format", "pdf").code == 2
    (here / "file").write_text("")
    run = stmap("report", example_maps(), "-o", "file/report.html", "-j", "1")
    assert (run.code, run.out) == (1, "")
    assert "file/report.html: " in run.err


def test_in_a_project_the_heading_is_the_name_of_the_study(here):
    study = here / "sleep lab"
    create_project(study)
    example_maps(study / "maps/example")
    for words, heading in (((), "sleep lab: maps of example"), (("--title", "Night 1"), "Night 1")):
        run = stmap("report", study / "maps/example", "-j", "1", *words)
        assert run.code == 0, run.err
        assert f"<h1>{heading if words else 'Maps of example'}</h1>" in (study / "maps/example/report.html").read_text("utf-8")
    os.chdir(study)
    run = stmap("report", "-j", "1")
    assert run.code == 0, run.err
    assert "<h1>sleep lab: maps of example</h1>" in (study / "maps/example/report.html").read_text("utf-8")


def test_frames_with_faces_need_the_flag_and_the_folder_of_the_videos(here):
    maps = example_maps(here / "maps")
    pages = []
    for words in ((), ("--source", here), ("--show-faces",)):
        run = stmap("report", maps, "-j", "1", *words)
        assert run.code == 0, run.err
        pages.append((maps / "report.html").read_text("utf-8"))
    assert ["Face and blocks" in one for one in pages] == [False, False, True]
    assert pages[2].count("No frame is shown: ") == 3
    run = stmap("report", maps, "--show-faces", "--source", here / "nowhere")
    assert run.code == 1
    assert run.err.startswith("Error: ")
