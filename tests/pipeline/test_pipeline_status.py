"""Status and verification of an output: finished, stopped, damaged, tampered with."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, ShardError, StmapError
from stmap_pipeline.lock import locked
from stmap_pipeline.pipeline import plan_build, read_status, run_build, verify
from stmap_pipeline.pipeline.scratch import RunInfo, Scratch
from stmap_pipeline.records import file_name
from stmap_pipeline.shards import Shards, read_columns, read_table, write_table
from stmap_pipeline.shards.manifest import read_manifest, write_manifest
from stmap_pipeline.shards.tables import OUTCOMES

SHORT = Config.from_mapping({"windows": {"length": "30 frames"}})


@pytest.fixture(scope="module")
def source(tmp_path_factory, face_clip):
    folder = tmp_path_factory.mktemp("own")
    for name in ("anna", "bert"):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    write_video(folder / "wall.mp4", [colorful(120, 160)] * 45)
    return folder


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "maps"
    list(run_build(plan_build("folder", source, out, SHORT), 0))
    return out


@pytest.fixture
def out(built, tmp_path):
    return shutil.copytree(built, tmp_path / "maps")


def test_a_finished_build_is_whole_and_says_so(built):
    status = read_status(built)
    assert (status.state, status.database, status.listed) == ("finished", "folder", 3)
    assert (status.ok, status.failed, status.left, status.reasons) == (2, 1, 0, {"no_face": 1})
    assert verify(built) == verify(built, quick=True) == []


def test_a_stopped_build_says_what_is_left(source, tmp_path):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", source, out, SHORT), 0)
    next(running)
    running.close()
    status = read_status(out)
    assert (status.state, status.listed, status.ok, status.left, status.pid) == ("stopped", 3, 1, 2, None)
    with pytest.raises(ShardError, match=r"manifest\.json"):
        verify(out)


def test_a_build_that_was_stopped_twice_counts_each_recording_once(tmp_path, face_clip):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    for name in "acdef":
        (source / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    # one fails when it is decoded, and one in the plan
    write_video(source / "b.mp4", [colorful(120, 160)] * 45)
    (source / "g.mp4").write_bytes(face_clip.read_bytes())
    (source / "g.csv").write_text("none\nat all\n")
    (source / "database.toml").write_text(
        "".join(f'[[recording]]\nvideo = "{name}.mp4"\n' for name in "abcdef")
        + '[[recording]]\nvideo = "g.mp4"\n[[recording.label]]\nfile = "g.csv"\nrate_hz = 1.0\n'
    )
    for outcomes, ok, left in ((3, 1, 4), (5, 3, 2)):
        running = run_build(plan_build("folder", source, out, SHORT), 0)
        for _ in range(outcomes):
            next(running)
        running.close()
        status = read_status(out)
        assert (status.state, status.listed, status.ok, status.failed, status.left) == ("stopped", 7, ok, 2, left)
        assert status.reasons == {"label_unreadable": 1, "no_face": 1}


def test_an_update_that_was_stopped_is_no_finished_build(built, source, out, face_clip, tmp_path):
    more = shutil.copytree(source, tmp_path / "more")
    (more / "carl.mp4").write_bytes(face_clip.read_bytes())
    running = run_build(plan_build("folder", more, out, SHORT), 0)
    for _ in range(3):
        next(running)
    running.close()
    status = read_status(out)
    assert (status.state, status.ok, status.left) == ("stopped", 2, 1)
    assert [one.kind for one in verify(out)] == ["unfinished"]
    list(run_build(plan_build("folder", more, out, SHORT), 0))
    assert read_status(out).ok == 3
    assert verify(out) == []


def test_what_is_no_output_is_said(tmp_path):
    with pytest.raises(OutputError, match=f"^{tmp_path}: .*no output of stmap build-maps"):
        read_status(tmp_path)


def test_each_of_100_flipped_bytes_is_found(built, out):
    rng = np.random.default_rng(4)
    files = sorted(path for path in built.rglob("*") if path.is_file() and not path.name.startswith("timings"))
    assert len(files) == 11
    for count in range(100):
        path = files[count % len(files)].relative_to(built)
        data = bytearray((built / path).read_bytes())
        position = int(rng.integers(len(data)))
        data[position] ^= 1 << int(rng.integers(8))
        (out / path).write_bytes(data)
        try:
            messages = [one.message for one in verify(out)]
        except ShardError as error:
            # of the manifest alone nothing more can be said than that it is damaged
            messages = [str(error)]
        assert any(path.name in one for one in messages), f"byte {position} of {path}"
        shutil.copy(built / path, out / path)
    assert verify(out) == []


def test_swapped_missing_and_foreign_files_are_found(built, out):
    shards = out / "shards"
    for quick in (False, True):
        # equal sizes: only what is inside tells them apart
        (shards / "anna.h5").rename(shards / "x")
        (shards / "bert.h5").rename(shards / "anna.h5")
        (shards / "x").rename(shards / "bert.h5")
        assert {one.path for one in verify(out, quick)} == {"shards/anna.h5", "shards/bert.h5"}
        shutil.copytree(built, out, dirs_exist_ok=True)
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and name not in ("manifest.json", "timings.csv", "timings.json"):
            path.unlink()
            assert [(one.path, one.kind) for one in verify(out, quick=True)] == [(name, "missing")]
            shutil.copy(built / name, out / name)
    (shards / "eve.h5").write_bytes(b"")
    (out / "notes.txt").write_text("mine")
    assert {(one.path, one.kind) for one in verify(out)} == {("shards/eve.h5", "unexpected"), ("notes.txt", "unexpected")}


def test_while_somebody_writes_into_an_output_verify_judges_nothing(out):
    (out / "windows.csv").write_text("half written")
    with locked(out):
        assert [(one.kind, one.path) for one in verify(out)] == [("unfinished", "")]
    assert "unfinished" not in {one.kind for one in verify(out)}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("make", [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
@pytest.mark.parametrize(
    "name", ["manifest.json", "stmap.toml", "dataset_description.json", "recordings.json", "windows.csv", "timings.csv"]
)
def test_a_pipe_or_a_device_in_place_of_a_file_is_said_at_once(out, source, name, make):
    (out / name).unlink()
    make(out / name)
    messages = []
    for step in (
        lambda: messages.extend(one.message for one in verify(out)),
        lambda: read_status(out),
        lambda: Shards(out).windows(),
        lambda: plan_build("folder", source, out, SHORT),
    ):
        try:
            step()
        except StmapError as error:
            messages.append(str(error))
    assert any(name in one for one in messages)


def sign(out):
    """Make the manifest fit what is there, as somebody would who changes a result on purpose."""
    old = read_manifest(out)
    write_manifest(out, fingerprint=old.fingerprint, files=[out / one.path for one in old.files], settings=old.settings)


def test_tables_that_contradict_the_shards_are_found_even_with_new_hashes(built, out):
    for name, column, value in (
        ("recordings", "valid_fraction", 0.5),
        ("windows", "valid_fraction", 0.25),
        ("windows", "stop", 31),
        ("recordings", "codec", "mjpeg"),
    ):
        rows = read_table(out / f"{name}.csv")
        rows[0][column] = value
        write_table(out / f"{name}.csv", read_columns(out / f"{name}.csv"), rows)
        sign(out)
        assert [one.kind for one in verify(out)] == ["content"], (name, column)
        shutil.copytree(built, out, dirs_exist_ok=True)
    rows = read_table(out / "outcomes.csv")
    write_table(out / "outcomes.csv", OUTCOMES, rows[1:])
    sign(out)
    assert [(one.path, one.kind) for one in verify(out, quick=True)] == [("outcomes.csv", "content")]
    shutil.copytree(built, out, dirs_exist_ok=True)
    (out / "stmap.toml").write_text(Config().to_toml())
    sign(out)
    assert ("stmap.toml", "content") in [(one.path, one.kind) for one in verify(out, quick=True)]


def test_a_manifest_that_leads_out_of_the_folder_opens_nothing(out, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    content = json.loads((out / "manifest.json").read_bytes())
    content.pop("checksum")
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    for name in ("../secret.txt", str(secret), "shards/../../secret.txt"):
        content["files"].append({"path": name, "bytes": 9, "sha256": digest})
    (out / "link.txt").symlink_to(secret)
    content["files"].append({"path": "link.txt", "bytes": 9, "sha256": digest})
    body = json.dumps(content, indent=1, ensure_ascii=False)
    content["checksum"] = f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    (out / "manifest.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    assert [one.kind for one in verify(out) if one.kind != "content"] == ["unsafe"] * 4


def test_a_recording_in_progress_has_its_id_and_not_the_name_of_its_file(source, tmp_path):
    videos = tmp_path / "videos"
    (videos / "Anna").mkdir(parents=True)
    shutil.copy(source / "anna.mp4", videos / "Anna" / "Sitzung 1.mp4")
    out = tmp_path / "maps"
    plan = plan_build("folder", videos, out, SHORT)
    (name,) = [one.recording_id for one in plan.todo]
    assert file_name(name) != name
    scratch = Scratch(out)
    scratch.begin(RunInfo("run", "folder", 1, todo=(name,)))
    (out / "stmap.toml").write_text("")
    (out / "work" / "running" / file_name(name)).write_bytes(b"")
    assert read_status(out).in_progress == (name,)
