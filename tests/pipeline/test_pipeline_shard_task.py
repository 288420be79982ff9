"""Shards are written by the workers, a subject at a time, and come out as if one process had written them."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cli_runs import content

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, WorkerError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.parallel import LocalWorkers
from stmap_pipeline.pipeline import plan_build, run_build, shard_task
from stmap_pipeline.pipeline.shard_task import ShardTask, rows_of_shard
from stmap_pipeline.pipeline.work import Work

SHORT = Config.from_mapping({"windows": {"length": "30 frames"}})


@pytest.fixture(scope="module")
def source(tmp_path_factory, face_clip) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for name in ("zoe", "anna", "bert"):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    return folder


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "maps"
    list(run_build(plan_build("folder", source, out, SHORT), 0))
    return content(out)


def forbidden(*_, **__):
    raise AssertionError("not in this process")


def test_whoever_builds_writes_the_shards_too(source, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_task, "write_shard", forbidden)
    list(run_build(plan_build("folder", source, tmp_path / "maps", SHORT), 2))
    assert content(tmp_path / "maps") == expected
    with pytest.raises(AssertionError, match="not in this process"):
        list(run_build(plan_build("folder", source, tmp_path / "alone", SHORT), 0))


def test_a_worker_that_is_killed_while_it_writes_a_shard_leaves_nothing_of_it(source, expected, tmp_path):
    out, killed = tmp_path / "maps", threading.Event()

    def kill_first():
        while not killed.is_set():
            for half in (out / "shards").glob(".*.stmap-tmp"):
                pid = int(half.name.split(".")[-2].split("-")[0])
                assert pid != os.getpid()
                os.kill(pid, signal.SIGKILL)
                killed.set()
                return

    killer = threading.Thread(target=kill_first, daemon=True)
    killer.start()
    list(run_build(plan_build("folder", source, out, SHORT), 2))
    assert killed.is_set()
    killer.join(1)
    assert content(out) == expected


def test_no_process_is_started_for_shards_alone(source, expected, tmp_path, monkeypatch):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", source, out, SHORT), 2)
    for _ in range(3):
        next(running)
    running.close()
    plan = plan_build("folder", source, out, SHORT)
    assert plan.todo == ()
    monkeypatch.setattr(LocalWorkers, "start", forbidden)
    list(run_build(plan, 2))
    assert content(out) == expected


def test_a_shard_of_a_run_that_is_over_is_left_alone(tmp_path):
    work = Work(tmp_path)
    run = work.begin({})
    work.keep_part(example_result("p001_v1"))
    task = ShardTask(example_result("p001_v1").recording.subject, ("p001_v1",), Config(), tmp_path, run)
    work.begin({})
    with pytest.raises(WorkerError, match="taken over by another run"):
        task.do()
    assert not task.path.exists()


def test_rows_are_of_what_is_stored_whether_it_was_written_or_found(tmp_path):
    work = Work(tmp_path)
    result = example_result("p001_v1")
    task = ShardTask(result.recording.subject, ("p001_v1",), Config(), tmp_path, work.begin({}))
    work.keep_part(result)
    written = task.do()
    work.forget("p001_v1")
    # nan is no number that equals itself
    assert repr(task.do()) == repr(written) == repr(list(rows_of_shard(task.path, Config())))
    with pytest.raises(OutputError, match="lacks p001_v2"):
        replace(task, ids=("p001_v1", "p001_v2"), run="").do()
