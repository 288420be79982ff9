"""Plan, run, stop, continue: one outcome for each listed recording, and the same bytes however it was run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.cli import content
from support.processes import kill_until
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.errors import DatabaseError, OutputError, UnknownNameError
from stmap_pipeline.pipeline import plan_build, run_build, summarize, verify
from stmap_pipeline.shards import Shards, check_manifest

SHORT = Config.from_mapping({"windows": {"length": "30 frames"}})


def build(source: Path, out: Path, jobs: int = 1, config: Config = SHORT, database: str = "folder", **more):
    return list(run_build(plan_build(database, source, out, config, **more), jobs))


@pytest.fixture(scope="module")
def faces(tmp_path_factory, face_clip) -> Path:
    """A folder of four videos: two with a face, one without, one that is no video."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("anna", "bert"):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    write_video(folder / "wall.mp4", [colorful(120, 160)] * 45)
    (folder / "zero.mp4").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory, faces):
    out = tmp_path_factory.mktemp("built") / "maps"
    return out, build(faces, out)


def test_each_listed_recording_has_exactly_one_outcome(built):
    out, outcomes = built
    assert sorted((one.recording_id, one.status, one.reason) for one in outcomes) == [
        ("anna", "ok", ""),
        ("bert", "ok", ""),
        ("wall", "failed", "no_face"),
        ("zero", "failed", "source_unreadable"),
    ]
    with Shards(out) as shards:
        assert [one.recording_id for one in shards.outcomes()] == ["anna", "bert", "wall", "zero"]
        assert [one.recording_id for one in shards.recordings()] == ["anna", "bert"]
    assert "limit 50%" in next(one.message for one in outcomes if one.recording_id == "wall")


def test_an_output_is_complete_checkable_and_leaves_no_work_behind(built):
    out, _ = built
    assert sorted(path.name for path in out.iterdir()) == [
        "dataset_description.json", "manifest.json", "outcomes.csv", "outcomes.json", "recordings.csv", "recordings.json",
        "shards", "stmap.toml", "timings.csv", "timings.json", "windows.csv", "windows.json",
    ]  # fmt: skip
    assert check_manifest(out) == []
    assert sorted(path.name for path in (out / "shards").iterdir()) == ["anna.h5", "bert.h5"]


def test_two_processes_and_another_folder_give_the_same_bytes(built, faces, tmp_path):
    build(faces, tmp_path / "elsewhere", jobs=2)
    assert content(tmp_path / "elsewhere") == content(built[0])


def test_what_is_done_is_not_done_again(built, faces):
    out, _ = built
    before = content(out)
    plan = plan_build("folder", faces, out, SHORT)
    assert plan.complete
    assert not plan.todo
    outcomes = list(run_build(plan))
    assert all(one.resumed for one in outcomes)
    assert len(outcomes) == 4
    assert content(out) == before


def test_failed_ones_are_retried_only_on_request(built, faces):
    assert [one.recording_id for one in plan_build("folder", faces, built[0], SHORT, retry_failed=True).todo] == ["wall", "zero"]


def test_other_settings_are_refused_with_the_keys_that_differ(built, faces):
    with pytest.raises(OutputError, match=r"blocks\.rows: 5 -> 7"):
        plan_build("folder", faces, built[0], Config.from_mapping({"windows": {"length": "30 frames"}, "blocks": {"rows": 7}}))
    # any listing of another database will do
    root = faces.parent / "vipl" / "p1" / "v1" / "source1"
    root.mkdir(parents=True, exist_ok=True)
    (root / "video.avi").write_bytes(b"")
    with pytest.raises(OutputError, match=r"\(folder, not vipl-hr\)"):
        plan_build("vipl-hr", root.parents[2], built[0], SHORT)


def test_a_folder_of_somebody_else_is_left_alone(faces, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=f"^{tmp_path}: .*give another folder"):
        build(faces, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        build(faces, tmp_path / "thesis.tex")


def test_wrong_names_and_paths_are_named(faces, tmp_path):
    with pytest.raises(UnknownNameError, match=r"'vipl'.*'vipl-hr'"):
        build(faces, tmp_path / "out", database="vipl")
    with pytest.raises(DatabaseError, match=f"{faces}/nowhere: no such folder"):
        build(faces / "nowhere", tmp_path / "out")
    with pytest.raises(DatabaseError, match=r"4 ids .*'x\*'"):
        build(faces, tmp_path / "out", only="x*")
    assert not (tmp_path / "out").exists()


def test_a_part_first_and_the_rest_later_is_the_same_as_all_at_once(built, faces, tmp_path):
    out = tmp_path / "maps"
    assert [one.recording_id for one in build(faces, out, limit=1)] == ["anna"]
    assert [one.recording_id for one in build(faces, out, only="*r*")] == ["bert", "zero"]
    with Shards(out) as shards:
        assert [one.recording_id for one in shards.outcomes()] == ["anna", "bert", "zero"]
    build(faces, out)
    assert content(out) == content(built[0])


def test_a_changed_video_is_built_again_and_a_new_one_is_added(faces, face_clip, tmp_path):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    build(source, out)
    # a trailing box that players pass over: another file, the same pictures
    (source / "anna.mp4").write_bytes(face_clip.read_bytes() + (16).to_bytes(4, "big") + b"free" + b"\0" * 8)
    (source / "bert.mp4").write_bytes(face_clip.read_bytes())
    plan = plan_build("folder", source, out, SHORT)
    assert [one.recording_id for one in plan.todo] == ["anna", "bert"]
    list(run_build(plan))
    assert summarize(out).recordings == 2
    assert check_manifest(out) == []


def test_stopping_in_the_middle_keeps_what_is_done(built, faces, tmp_path):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", faces, out, SHORT))
    assert next(running).recording_id == "anna"
    running.close()
    assert not (out / "manifest.json").exists()
    plan = plan_build("folder", faces, out, SHORT)
    assert [one.recording_id for one in plan.todo] == ["bert", "wall", "zero"]
    outcomes = list(run_build(plan))
    assert [one.resumed for one in outcomes] == [True, False, False, False]
    assert content(out) == content(built[0])


_KILLED = """
import sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build
if __name__ == "__main__":
    config = Config.from_mapping({"windows": {"length": "30 frames"}})
    for outcome in run_build(plan_build("folder", Path(sys.argv[1]), Path(sys.argv[2]), config), 2):
        print(outcome.recording_id, flush=True)
"""


def test_kill_nine_and_the_same_command_again_gives_the_same_bytes(built, faces, tmp_path):
    out = tmp_path / "maps"
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(faces), str(out)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    build(faces, out)
    assert content(out) == content(built[0])


def test_frames_keep_their_times_and_lost_ones_are_nan(built):
    with Shards(built[0]) as shards:
        result = shards.recording("anna")
    assert result.attributes["clock"] == "pts"
    assert np.all(np.diff(result.blocks.times_s) > 0)
    assert np.isfinite(result.blocks.means).all()


@pytest.mark.parametrize("left", [[], [".stmap-lock"], [".stmap-lock", "stmap.toml"], ["stmap.toml", ".x.4711-0a1b.stmap-tmp"]])
def test_a_run_that_was_killed_at_once_is_continued(built, faces, tmp_path, left):
    out = tmp_path / "maps"
    out.mkdir()
    for name in left:
        (out / name).write_bytes((built[0] / name).read_bytes() if name == "stmap.toml" else b"")
    build(faces, out, jobs=0)
    assert content(out) == content(built[0])


def test_a_shard_that_is_gone_or_cut_is_built_again(built, faces, tmp_path):
    out = shutil.copytree(built[0], tmp_path / "maps")
    (out / "shards" / "anna.h5").unlink()
    (out / "shards" / "bert.h5").write_bytes(b"short")
    assert [one.recording_id for one in plan_build("folder", faces, out, SHORT).todo] == ["anna", "bert"]
    build(faces, out, jobs=0)
    assert content(out) == content(built[0])


def test_damaged_samples_are_decoded_again_as_soon_as_they_are_read(built, faces, tmp_path):
    out = shutil.copytree(built[0], tmp_path / "maps")
    path = out / "shards" / "anna.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    # found by whatever makes the tables anew
    (out / "windows.csv").write_text("nonsense")
    (out / "manifest.json").unlink()
    found = {one.recording_id: one.resumed for one in build(faces, out, jobs=0)}
    assert found == {"anna": False, "bert": True, "wall": False, "zero": False}
    assert content(out) == content(built[0])


@pytest.mark.parametrize("name", ["outcomes.csv", "outcomes.json", "recordings.csv", "windows.csv", "timings.csv", "manifest.json"])
def test_a_damaged_table_costs_no_recording(built, faces, tmp_path, name):
    out = shutil.copytree(built[0], tmp_path / "maps")
    (out / name).write_text("nonsense")
    (out / "manifest.json").unlink()
    list(run_build(plan_build("folder", faces, out, SHORT), 0))
    assert content(out) == content(built[0])


def test_kills_at_random_moments_leave_the_same_bytes(face_clip, tmp_path):
    # a small share of benchmarks/chaos_kill.py
    source, config = tmp_path / "own", tmp_path / "short.toml"
    source.mkdir()
    for number in range(6):
        (source / f"v{number}.mp4").write_bytes(face_clip.read_bytes())
    (source / "zero.mp4").write_bytes(b"")
    config.write_text('[windows]\nlength = "30 frames"\n')
    list(run_build(plan_build("folder", source, tmp_path / "calm", Config.from_toml(config)), 0))
    expected = content(tmp_path / "calm")
    chaos = kill_until(3, source, tmp_path, config, expected, seed=1, longest_s=2.0)
    assert chaos.kills == 3
    assert chaos.finished >= 1
    assert verify(tmp_path / "maps-0") == []
