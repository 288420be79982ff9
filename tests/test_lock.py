"""Two builds never write into one output, and a dead one is never in the way."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys

import pytest

from stmap_pipeline.errors import OutputError
from stmap_pipeline.lock import LOCK, holder, locked
from stmap_pipeline.pipeline import plan_build, read_status, run_build

_HOLD = """
import sys, time
from pathlib import Path
from stmap_pipeline.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def no_system_locks(monkeypatch):
    """A file system that knows no locks, as some clusters have."""

    def refuse(handle, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", refuse)


def test_a_second_build_is_refused_by_name_and_goes_on_when_the_first_is_killed(other, tmp_path):
    with (
        pytest.raises(OutputError, match=f"process {other.pid} on {socket.gethostname()}; wait for it or stop it"),
        locked(tmp_path),
    ):
        pass
    assert (holder(tmp_path) or {})["pid"] == other.pid
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / LOCK).exists()
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert (holder(tmp_path) or {})["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_run_build_takes_the_lock(face_clip, tmp_path):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    plan = plan_build("folder", source, out)
    out.mkdir()
    with locked(out), pytest.raises(OutputError, match=str(out)):
        list(run_build(plan))
    assert list(out.iterdir()) == []
    running = run_build(plan, 0)
    next(running)
    assert read_status(out).state == "running"
    with pytest.raises(OutputError, match=str(out)):
        list(run_build(plan))
    running.close()
    assert read_status(out).state == "stopped"
    assert not (out / LOCK).exists()


def test_where_the_file_system_has_no_locks_the_file_is_the_lock(tmp_path, no_system_locks):
    with locked(tmp_path):
        assert (holder(tmp_path) or {})["pid"] == os.getpid()
        with pytest.raises(OutputError, match=f"by process {os.getpid()}"), locked(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path):
        pass


def test_without_locks_a_dead_owner_of_this_machine_is_not_in_the_way(tmp_path, no_system_locks):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / LOCK).write_text(f"{gone.pid}\n{socket.gethostname()}\n")
    with locked(tmp_path):
        assert (holder(tmp_path) or {})["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_without_locks_nothing_is_guessed_about_another_machine(tmp_path, no_system_locks):
    (tmp_path / LOCK).write_text("4711\nnode17\n")
    with pytest.raises(OutputError, match="process 4711 on node17"), locked(tmp_path):
        pass
    assert (tmp_path / LOCK).exists()


def test_a_lock_file_that_a_killed_owner_left_names_the_new_owner(tmp_path):
    (tmp_path / LOCK).write_text("4711\nnode17\n")
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert holder(tmp_path) == {"pid": os.getpid(), "host": socket.gethostname()}
