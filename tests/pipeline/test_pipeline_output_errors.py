"""A full disk, missing rights, a clock that runs backwards: a clear error, nothing half-written, and on it goes when mended."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import content
from support.processes import run_unprivileged

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError
from stmap_pipeline.files import is_temporary
from stmap_pipeline.pipeline import plan_build, run_build, verify
from stmap_pipeline.pipeline.scratch import Scratch

SHORT = Config.from_mapping({"windows": {"length": "30 frames"}})

_BUILD = """
import resource, sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.errors import StmapError
from stmap_pipeline.pipeline import plan_build, run_build
if __name__ == "__main__":
    largest = int(sys.argv[3])
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    config = Config.from_mapping({"windows": {"length": "30 frames"}})
    try:
        for one in run_build(plan_build("folder", Path(sys.argv[1]), Path(sys.argv[2]), config), int(sys.argv[4])):
            print(one.recording_id, one.reason)
    except StmapError as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory, face_clip) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for name in ("anna_1", "anna_2"):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    (folder / "database.toml").write_text('[[recording]]\nvideo = "*.mp4"\nsubject = "anna"\n')
    return folder


@pytest.fixture(scope="module")
def built(source, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "maps"
    build(source, out)
    return out


def build(source, out, jobs=0):
    return list(run_build(plan_build("folder", source, out, SHORT), jobs))


def temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if is_temporary(path) or path.name.startswith(".stmap")]


def space_of(built: Path, what: str) -> int:
    """How large a file may become, so that just this one does not fit."""
    if what == "settings":
        return 100
    return 6000 if what == "first recording" else (built / "shards" / "anna_1.h5").stat().st_size - 1000


@pytest.mark.parametrize(("what", "jobs"), [("settings", "0"), ("first recording", "1"), ("last bytes", "0")])
def test_a_full_disk_is_said_and_the_same_command_goes_on(source, built, tmp_path, what, jobs):
    out, code = tmp_path / "maps", [sys.executable, "-c", _BUILD]
    words = [*code, str(source), str(out), str(space_of(built, what)), jobs]
    run = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert run.returncode == 1
    assert run.stderr.startswith("OutputError: "), run.stderr
    assert "(File too large)" in run.stderr
    assert temporaries(out) == []
    assert not (out / "manifest.json").exists()
    build(source, out)
    assert content(out) == content(built)


_GROWING_DISK = """
import shutil, subprocess, sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.errors import StmapError
from stmap_pipeline.pipeline import plan_build, run_build
source, disk, copy = map(Path, sys.argv[1:])
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk]).returncode:
    sys.exit(99)
config, pages = Config.from_mapping({"windows": {"length": "30 frames"}}), 1
while True:
    try:
        list(run_build(plan_build("folder", source, disk / "maps", config), 0))
        break
    except StmapError as error:
        print(f"{type(error).__name__}: {error}")
    print(*(path for path in disk.rglob("*") if path.name.endswith(".stmap-tmp")), "")
    pages += max(1, pages // 3)
    subprocess.run(["mount", "-o", f"remount,size={4 * pages}k", disk], check=True)
shutil.copytree(disk / "maps", copy)
"""


def test_a_disk_that_grows_step_by_step_is_full_at_each_and_suffices_in_the_end(source, built, tmp_path):
    (tmp_path / "disk").mkdir()
    words = [sys.executable, "-c", _GROWING_DISK, str(source), str(tmp_path / "disk"), str(tmp_path / "copy")]
    if os.getuid() or not shutil.which("unshare"):
        pytest.skip("a disk of its own needs root and unshare")
    run = subprocess.run(["unshare", "--mount", *words], capture_output=True, text=True, timeout=300)
    if "unshare" in run.stderr or run.returncode == 99:
        pytest.skip("no disk can be mounted here")
    assert run.returncode == 0, run.stderr
    messages, left = run.stdout.splitlines()[::2], run.stdout.splitlines()[1::2]
    assert len(messages) > 5
    for message in messages:
        assert re.fullmatch(r"OutputError: /.*: cannot be written \(No space left on device\); .* again", message), message
    assert set(left) == {""}
    assert content(tmp_path / "copy") == content(built)


def test_a_folder_without_rights_is_said(source, built, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    run = run_unprivileged(_BUILD, source, closed / "maps", "0", "0")
    assert run.returncode == 1
    assert run.stderr.startswith(f"OutputError: {closed / 'maps'}: "), run.stderr
    assert "(Permission denied)" in run.stderr
    out = shutil.copytree(built, tmp_path / "maps")
    (out / "manifest.json").unlink()
    for folder in (out / "shards", out):
        folder.chmod(0o555)
    run = run_unprivileged(_BUILD, source, out, "0", "0")
    assert run.returncode == 1
    assert "Permission denied" in run.stderr
    assert run.stderr.count("\n") == 1, "one line, no traceback"
    for folder in (out, out / "shards"):
        folder.chmod(0o755)
    build(source, out)
    assert content(out) == content(built)


def test_a_finished_output_can_be_read_without_any_right_to_write(source, built, tmp_path):
    out = shutil.copytree(built, tmp_path / "maps")
    for folder in (out / "shards", out):
        folder.chmod(0o555)
    code = """
import sys
from pathlib import Path
from stmap_pipeline.pipeline import read_status, verify
print(read_status(Path(sys.argv[1])).state, verify(Path(sys.argv[1])))
"""
    assert run_unprivileged(code, out).stdout == "finished []\n"
    # nothing to do, so nothing to write
    assert run_unprivileged(_BUILD, source, out, "0", "0").stdout == "anna_1 \nanna_2 \n"


def test_a_clock_that_runs_backwards_changes_nothing(source, built, tmp_path):
    out = tmp_path / "maps"
    code = "import time; now = iter(range(2**31, 0, -1000)); time.time = lambda: float(next(now))\n" + _BUILD
    words = [sys.executable, "-c", code, str(source), str(out), "0", "0"]
    running = run_build(plan_build("folder", source, out, SHORT), 0)
    next(running)
    running.close()
    for path in out.rglob("*"):
        os.utime(path, (2**32, 2**32))
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert content(out) == content(built)


def test_a_link_in_place_of_an_own_folder_is_refused(source, built, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.h5").write_bytes(b"years of work")
    for name in ("shards", "work", "logs"):
        out = shutil.copytree(built, tmp_path / name)
        (out / "manifest.json").unlink()
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).symlink_to(victim)
        with pytest.raises(OutputError, match=f"{name}: is a link"):
            build(source, out)
        assert [path.name for path in victim.iterdir()] == ["thesis.h5"]


@pytest.mark.parametrize(
    "text",
    [
        '{"recording_id": "../../../victim", "subject": "anna", "status": "failed", "reason": "no_face"}',
        '{"recording_id": "anna_1", "subject": "../../victim", "status": "failed", "reason": "no_face"}',
        '{"recording_id": "anna_2", "subject": "anna", "status": "failed", "reason": "no_face"}',
        '{"recording_id": "anna_1", "subject": 3, "status": "failed", "reason": "no_face"}',
        '{"recording_id": "anna_1", "subject": "anna", "status": "failed", "reason": "made up"}',
        '{"recording_id": "anna_1", "evil": 1}',
        "[" * 100_000,
        "[]",
        "\udcff",
        "",
    ],
)
def test_an_outcome_that_was_tampered_with_is_done_again(source, built, tmp_path, text):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", source, out, SHORT), 0)
    next(running)
    running.close()
    (out / "work" / "outcomes" / "anna_1.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    (out / "work" / "outcomes" / "anna_1.txt").write_text("mine")
    assert Scratch(out).outcomes().keys() <= {"anna_2"}
    build(source, out)
    assert content(out) == content(built)


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_recording_of_a_stopped_build_that_was_damaged_is_built_again(source, built, tmp_path, jobs):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", source, out, SHORT), 0)
    next(running)
    running.close()
    path = out / "shards" / "anna_1.h5"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert [one.recording_id for one in plan_build("folder", source, out, SHORT).todo] == ["anna_1", "anna_2"]
    # a bit in the samples shows only when they are read
    path.write_bytes(data[:-3000] + bytes([data[-3000] ^ 1]) + data[-2999:])
    build(source, out, jobs)
    assert content(out) == content(built)
    assert verify(out) == []
