"""A worker that crashes, hangs or eats memory costs its recording alone, and that is named; memory does not grow with a video."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.harm import FragileTask, install, write_harmful
from support.videos import repeated, write_video

from stmap_pipeline import parallel
from stmap_pipeline.config import Config
from stmap_pipeline.errors import ConfigError, WorkerError
from stmap_pipeline.parallel import LocalWorkers
from stmap_pipeline.pipeline import Limits, plan_build, run_build
from stmap_pipeline.pipeline.scratch import Scratch
from stmap_pipeline.shards import Shards, check_manifest, read_table
from stmap_pipeline.synth.scene import make_scene

SHORT = {"windows": {"length": "30 frames"}}
HARMFUL = Config.from_mapping({**SHORT, "faces": {"backend": "harmful"}})
PLAIN = Config.from_mapping(SHORT)


def drop_idle_workers():
    while LocalWorkers._idle:
        LocalWorkers._idle.pop().shutdown(kill_workers=True)


@pytest.fixture
def harmful(tmp_path, monkeypatch):
    """Make the backend known here and to workers that start from now on."""
    monkeypatch.syspath_prepend(install(tmp_path / "plugin"))
    drop_idle_workers()
    yield
    drop_idle_workers()
    sys.modules.pop("harmful_backend", None)


def build(source, out, config=HARMFUL, limits=None, jobs=2, **more):
    return {one.recording_id: one for one in run_build(plan_build("folder", source, out, config, **more), jobs, limits=limits)}


def test_each_harm_costs_its_recording_alone_and_is_named(harmful, face_clip, tmp_path):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    for name in ("anna", "zoe"):
        (source / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    for harm in ("crash", "exit", "hang", "memory", "error", "opencv", "slow"):
        write_harmful(source / f"{harm}.mp4", harm, frames=60)
    # what takes no time has enough of it, on any machine
    found = build(source, out, limits=Limits(time_s=100, memory_bytes=2**29), only="[!hs]*")
    found |= build(source, out, limits=Limits(time_s=1.5), only="[hs]*")
    assert {name: one.reason for name, one in found.items()} == {
        "anna": "",
        "crash": "worker_died",
        "error": "internal_error",
        "exit": "worker_died",
        "hang": "timed_out",
        "memory": "out_of_memory",
        "opencv": "out_of_memory",
        "slow": "timed_out",
        "zoe": "",
    }
    told = {"crash": "segmentation fault", "exit": "killed", "hang": "--time-limit", "memory": "--memory-limit", "error": "cheese"}
    for name, word in told.items():
        assert word in found[name].message
    # where it crashed and where it hung can be read
    assert "harmful_backend.py" in (out / "logs" / "crash.txt").read_text()
    assert "in hang" in (out / "logs" / "hang.txt").read_text()
    assert check_manifest(out) == []
    assert not (out / "work").exists()
    with Shards(out) as shards:
        assert [one.recording_id for one in shards.recordings()] == ["anna", "zoe"]
        assert len(shards.outcomes()) == len(found)


def test_one_job_is_a_process_of_its_own_and_a_stray_kill_costs_nothing(face_clip, tmp_path):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    for name in ("anna", "bert"):
        (source / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    work, killed = Scratch(out), threading.Event()

    def kill_first():
        mark = work.folder / "running" / "anna"
        while not killed.is_set():
            try:
                pid = int(mark.read_text().split("process ")[1].split()[0])
            except (OSError, IndexError):
                killed.wait(0.01)
                continue
            assert pid != os.getpid()
            os.kill(pid, signal.SIGKILL)
            killed.set()

    killer = threading.Thread(target=kill_first, daemon=True)
    killer.start()
    found = build(source, out, PLAIN, jobs=1)
    killer.join(1)
    assert killed.is_set()
    assert {name: one.status for name, one in found.items()} == {"anna": "ok", "bert": "ok"}


def test_a_worker_that_stands_still_is_given_up(face_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "_STARTUP_S", 4.0)
    monkeypatch.setattr(parallel, "_GRACE_S", 0.5)
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    mark = out / "work" / "running" / "anna"
    done = threading.Event()

    def stop_it():
        # stopped processes run no watchdog, just like one that waits for a dead file server
        while not done.is_set():
            try:
                os.kill(int(mark.read_text().split("process ")[1].split()[0]), signal.SIGSTOP)
                return
            except (OSError, IndexError):
                done.wait(0.01)

    stopper = threading.Thread(target=stop_it, daemon=True)
    stopper.start()
    found = build(source, out, PLAIN, limits=Limits(time_s=0.5))
    done.set()
    stopper.join(1)
    assert found["anna"].reason == "timed_out"


def test_workers_are_ended_a_moment_after_they_got_a_task_without_a_traceback(tmp_path, monkeypatch):
    said: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    drop_idle_workers()
    for _ in range(10):
        # a process that is idle already gets a task quicker than loky's thread wakes up
        at_work: LocalWorkers[int] = LocalWorkers(1)
        at_work.start(FragileTask("first", tmp_path, 0))
        while not at_work.finished():
            pass
        at_work.start(FragileTask("second", tmp_path, 0, sleep_s=60.0))
        at_work.stop(kill=True)
    assert said == []


def test_workers_that_cannot_even_start_are_an_error_and_no_outcome(face_clip, tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    # the first import of a worker ends it
    (tmp_path / "broken" / "av.py").write_text("import os; os._exit(3)")
    source = tmp_path / "own"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    monkeypatch.setattr(sys, "path", [str(tmp_path / "broken"), *sys.path])
    drop_idle_workers()
    with pytest.raises(WorkerError, match="before they begin, last with anna"):
        build(source, tmp_path / "maps", PLAIN)
    drop_idle_workers()
    assert not (tmp_path / "maps" / "manifest.json").exists()


def test_a_machine_that_has_no_process_left_is_said(face_clip, tmp_path, monkeypatch):
    source = tmp_path / "own"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    drop_idle_workers()
    # no file can be opened any more, and so no pipe to a worker
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    plan = plan_build("folder", source, tmp_path / "maps", PLAIN)
    running = run_build(plan, 3)
    monkeypatch.setattr(parallel, "_new_pool", starved(parallel._new_pool, resource, hard))
    try:
        with pytest.raises(WorkerError, match="--jobs"):
            list(running)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    monkeypatch.undo()
    assert {name: one.status for name, one in build(source, tmp_path / "maps", PLAIN).items()} == {"anna": "ok"}


def starved(new_pool, resource, hard):
    def make():
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())), hard))
        return new_pool()

    return make


def test_without_workers_the_result_is_the_same_and_errors_are_outcomes(face_clip, tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    (source / "zero.mp4").write_bytes(b"")
    for jobs in (0, 1):
        found = build(source, tmp_path / str(jobs), PLAIN, jobs=jobs)
        assert {name: one.reason for name, one in found.items()} == {"anna": "", "zero": "source_unreadable"}
    assert (tmp_path / "0/manifest.json").read_bytes() == (tmp_path / "1/manifest.json").read_bytes()
    late = build(source, tmp_path / "late", PLAIN, jobs=0, limits=Limits(time_s=1e-6), only="anna")
    assert late["anna"].reason == "timed_out"


def test_timings_tell_seconds_bytes_and_memory_of_each_recording_alone(harmful, face_clip, tmp_path):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    (source / "b.mp4").write_bytes(face_clip.read_bytes())
    write_harmful(source / "a.mp4", "memory")
    build(source, out, jobs=1, limits=Limits(memory_bytes=2**29))
    large, small = read_table(out / "timings.csv")
    assert (large["recording_id"], small["recording_id"]) == ("a", "b")
    assert small["read_bytes"] == face_clip.stat().st_size
    assert 0 < small["written_bytes"] < 10**6
    assert {"decode_s", "faces_s", "blocks_s", "labels_s", "write_s", "total_s"} <= small.keys()
    # done by the same process, and yet the peak of the recording before it does not stick
    assert 50e6 < small["peak_memory_bytes"] < large["peak_memory_bytes"] - 2**28
    assert "timings.csv" not in (out / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("wrong", "value"),
    [({"time_s": 0}, "0 s"), ({"time_s": float("nan")}, "nan s"), ({"time_s": -1}, "-1 s"), ({"memory_bytes": 0}, "0 bytes")],
)
def test_limits_are_positive(wrong, value):
    with pytest.raises(ConfigError, match=value):
        Limits(**wrong)


_PEAK = """
import re, sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import Recording, VideoSource
result = build_recording(Recording("a", "folder", "a", VideoSource(Path(sys.argv[1]))), Config())
# not ru_maxrss: it counts the process that started this one, too
print(len(result.blocks.times_s), re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_memory_kb(path: Path, frames: int) -> int:
    done = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True)
    counted, peak = map(int, done.stdout.split())
    assert counted == frames
    return peak


def test_a_video_of_60_s_needs_the_memory_of_one_of_10_s(tmp_path):
    scene = make_scene(4, "easy", heart_rate_bpm=66.0, size_px=(240, 240))
    frames = (scene.render(index / 15, index) for index in range(150))
    short = write_video(tmp_path / "short.mp4", frames, rate_hz=15.0, options={"preset": "ultrafast", "crf": "18"})
    few, many = peak_memory_kb(short, 150), peak_memory_kb(repeated(short, 6, tmp_path / "long.mp4"), 900)
    # a quarter of its pictures would be more
    assert many < few + 30_000, f"{few} kB for 10 s, {many} kB for 60 s"
    assert many < 400_000
