"""A synthetic database is written once, can be killed, and is the same bytes in the end."""

import hashlib
import json
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from stmap_pipeline.errors import ConfigError, OutputError, UnknownNameError
from stmap_pipeline.synth import plan_synthesis

ASKED = {"layout": "folder", "subjects": 2, "seed": 3, "duration_s": 2.0}


def tree_of(root):
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_was_told_is_what_stands_in_the_file(folder_tree):
    found = json.loads((folder_tree.out / "synthetic.json").read_text())
    assert found["format"] == "stmap-synthetic"
    assert {key: found[key] for key in ASKED} == ASKED
    told = [(one.recording_id, one.metadata().true_heart_rate_bpm) for one in folder_tree.recordings]
    assert [(one["recording_id"], one["true_heart_rate_bpm"]) for one in found["recordings"]] == told
    assert not any("resumed" in one for one in found["recordings"])


def test_nothing_temporary_stays(folder_tree, vipl_tree, mmse_tree):
    for plan in (folder_tree, vipl_tree, mmse_tree):
        assert not [path for path in plan.out.rglob("*") if path.name.startswith(".") or "partial" in path.name]


def test_a_finished_database_is_left_alone(folder_tree):
    before = tree_of(folder_tree.out)
    again = list(plan_synthesis(folder_tree.out, **ASKED).run())
    assert [one.recording_id for one in again] == [one.recording_id for one in folder_tree.recordings]
    assert all(one.resumed for one in again)
    assert tree_of(folder_tree.out) == before


def test_workers_write_the_same_bytes(folder_tree, tmp_path):
    done = list(plan_synthesis(tmp_path / "new", **ASKED).run(jobs=2))
    assert sorted(one.recording_id for one in done) == [one.recording_id for one in folder_tree.recordings]
    assert tree_of(tmp_path / "new") == tree_of(folder_tree.out)


KILLED_IN_THE_SECOND_VIDEO = """
import os, signal, sys
from pathlib import Path
from stmap_pipeline.synth import plan_synthesis
from stmap_pipeline.synth.recordings import RecordingPlan

drawn, frames = [], RecordingPlan.frames

def counted(self):
    for frame in frames(self):
        drawn.append(frame[0])
        if len(drawn) == 110:
            os.kill(os.getpid(), signal.SIGKILL)
        yield frame

RecordingPlan.frames = counted
for one in plan_synthesis(Path(sys.argv[1]), "folder", 2, seed=3, duration_s=2.0).run():
    print(one.recording_id, flush=True)
"""


def test_a_killed_run_goes_on(folder_tree, tmp_path):
    out = tmp_path / "new"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_SECOND_VIDEO, str(out)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split() == ["s01_free"]
    left = tree_of(out)
    assert any(name.endswith(".stmap-tmp") for name in left)
    assert "synthetic.json" not in left
    assert "s01_rest.mp4" not in left

    done = list(plan_synthesis(out, **ASKED).run())
    assert [one.recording_id for one in done if one.resumed] == ["s01_free"]
    assert tree_of(out) == tree_of(folder_tree.out)


def test_a_run_that_is_given_up_can_be_taken_up(folder_tree, tmp_path):
    run = plan_synthesis(tmp_path / "new", **ASKED).run()
    first = next(run)
    run.close()
    again = list(plan_synthesis(tmp_path / "new", **ASKED).run())
    assert [one.recording_id for one in again if one.resumed] == [first.recording_id]
    assert tree_of(tmp_path / "new") == tree_of(folder_tree.out)


@pytest.mark.parametrize(("key", "value"), [("seed", 4), ("subjects", 1), ("setting", "hard"), ("duration_s", 3.0)])
def test_other_settings_are_refused_by_name(folder_tree, key, value):
    before = tree_of(folder_tree.out)
    old = "easy" if key == "setting" else ASKED[key]
    with pytest.raises(OutputError, match=rf"\({key}: {old} -> {value}\)"):
        plan_synthesis(folder_tree.out, **{**ASKED, key: value})
    assert tree_of(folder_tree.out) == before


def test_an_unfinished_database_of_other_settings_is_refused(tmp_path):
    next(plan_synthesis(tmp_path, **ASKED).run())
    with pytest.raises(OutputError, match="layout: folder -> mmse-hr"):
        plan_synthesis(tmp_path, **{**ASKED, "layout": "mmse-hr"})


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(
        OutputError, match=f"{tmp_path}: is not empty and holds no synthetic database; give a new or an empty folder"
    ):
        plan_synthesis(tmp_path, **ASKED)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_came_between_plan_and_run_is_not_overwritten(tmp_path):
    plan = plan_synthesis(tmp_path, **ASKED)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=f"{tmp_path}: "):
        next(plan.run())


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match=f"{tmp_path}/out: "):
        plan_synthesis(tmp_path / "out", **ASKED)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_mark_is_named(tmp_path, text):
    (tmp_path / "synthetic.json").write_text(text)
    with pytest.raises(OutputError, match=r"synthetic\.json"):
        plan_synthesis(tmp_path, **ASKED)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "vipl"}, r"no layout is called 'vipl'; did you mean 'vipl-hr'\? \(known: bp4d-plus, "),
        ({"setting": "harder"}, r"'harder' \(known: easy, hard, mixed\)"),
        ({"subjects": 0}, "folder .* 999 subjects, not 0"),
        ({"layout": "vipl-hr", "subjects": 108}, "vipl-hr .* 107 subjects, not 108"),
        ({"seed": -1}, "seed .*not -1"),
        ({"duration_s": 0.5}, r"1 to 3600 s, not 0\.5"),
        ({"duration_s": float("nan")}, "3600 s, not nan"),
    ],
)
def test_a_wrong_choice_is_told(tmp_path, wrong, message):
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        plan_synthesis(tmp_path / "new", **{**ASKED, **wrong})
    assert not (tmp_path / "new").exists()


def test_a_recording_that_was_removed_is_drawn_again_after_a_kill(folder_tree, tmp_path):
    plan = replace(folder_tree, out=tmp_path)
    run = plan.run()
    for _ in range(2):
        next(run)
    run.close()
    (tmp_path / "s01_free.avi").unlink()
    assert [one.recording_id for one in plan.run() if one.resumed] == ["s01_rest"]
    assert tree_of(tmp_path) == tree_of(folder_tree.out)
