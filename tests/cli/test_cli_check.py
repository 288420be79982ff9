"""`stmap check`: a table of what is wrong, lines of what is worth knowing, and an exit code."""

from __future__ import annotations

import json
import shutil

import pytest
from support.cli import stmap
from support.videos import colorful, write_video


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("check") / "videos"
    for number, name in enumerate(("anna/rest.mp4", "bea/[rest].mp4", "bea/walk.mp4")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(root / name, [colorful(48, 64, number)] * 310, rate_hz=30)
    return root


def test_a_clean_folder_is_said_to_be_clean(tree):
    run = stmap("check", "--db", "folder", tree, "--subject", "{parent}")
    assert (run.code, run.out) == (0, "")
    assert run.err.splitlines()[-1] == "3 recordings checked: nothing is wrong"


def test_what_is_wrong_is_a_table_and_an_exit_code(tree, tmp_path):
    (tree / "database.toml").write_text(
        '[[recording]]\nvideo = "*/*.mp4"\nsubject = "{parent}"\nid = "{parent}_{stem}"\n'
        '[[recording.label]]\nfile = "{dir}/{stem}.csv"\nrate_hz = 1\n'
    )
    (tree / "anna" / "rest.csv").write_text("71\n" * 10)
    (tree / "bea" / "walk.csv").write_text("71\n" * 4 + "190\n71\n" * 3)
    try:
        command = ("check", "--db", "folder", tree)
        run = stmap(*command)
        assert run.code == 3
        rows = [line.split("  ") for line in run.out.splitlines() if line.startswith((" source", " heart"))]
        assert [row[0].strip() for row in rows] == ["source_missing (1)", "heart_rate_jump (1)"]
        assert "bea_walk" in run.out
        assert run.err.splitlines()[-1] == "3 recordings checked: 2 problems in 2 recordings"
        listed = [line.split("\t") for line in stmap(*command, "--list").out.splitlines()]
        assert [row[0] for row in listed] == ["source_missing", "heart_rate_jump"]
        assert "[rest].csv" in listed[0][2]
        found = json.loads(stmap(*command, "--json").out)
        assert (found["checked"], [one["code"] for one in found["findings"]]) == (3, [row[0] for row in listed])
        dry = stmap("build-maps", "--db", "folder", tree, tmp_path / "maps", "--dry-run")
        assert dry.code == 3
        assert "heart_rate_jump (1)" in dry.err
    finally:
        (tree / "database.toml").unlink()


def test_a_folder_that_cannot_be_listed_is_a_finding(tmp_path):
    run = stmap("check", "--db", "vipl-hr", tmp_path)
    assert run.code == 3
    assert "listing (1)" in run.out
    assert stmap("check", "--db", "vipl-hrr", tmp_path).code == 2


def test_a_list_has_each_note_on_a_line_of_its_own(tree, tmp_path):
    root = tmp_path / "videos"
    for number in range(3):
        (root / f"p{number}").mkdir(parents=True)
        shutil.copy(tree / "anna" / "rest.mp4", root / f"p{number}" / "rest.mp4")
    command = ("check", "--db", "folder", root)
    merged = [line for line in stmap(*command).err.splitlines() if "same content" in line]
    assert len(merged) == 1
    assert "(and 1 more same_content)" in merged[0]
    notes = [line for line in stmap(*command, "--list").err.splitlines() if "same content" in line]
    assert [line.split()[1] for line in notes] == ["p1__rest:", "p2__rest:"]
    assert not any("more same_content" in line for line in notes)
