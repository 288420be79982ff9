"""The same stages on a Dask cluster: the same bytes, whoever dies meanwhile."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import content
from support.harm import install, write_harmful
from support.processes import Cluster

from stmap_pipeline import cluster
from stmap_pipeline.config import Config
from stmap_pipeline.errors import WorkerError
from stmap_pipeline.pipeline import Limits, plan_build, run_build
from stmap_pipeline.version import __version__

distributed = pytest.importorskip("distributed", reason="the cluster needs the extra 'dask'")

SHORT = {"windows": {"length": "30 frames"}}
CONFIG = Config.from_mapping(SHORT)
HARMFUL = Config.from_mapping({**SHORT, "faces": {"backend": "harmful"}})


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """Two workers that know the harmful backend."""
    folder = tmp_path_factory.mktemp("dask")
    # each death of a worker is given back at once: to start another one takes seconds
    with Cluster(folder / "cluster", [str(install(folder / "plugin"))], deaths=0) as found:
        for _ in range(2):
            found.add_worker()
        yield found


@pytest.fixture(scope="module")
def source(tmp_path_factory, face_clip) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for number in range(8):
        (folder / f"v{number}.mp4").write_bytes(face_clip.read_bytes())
    (folder / "zero.mp4").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("local") / "maps"
    list(run_build(plan_build("folder", source, out, CONFIG), 0))
    return content(out)


def start(source, out, address, config=CONFIG, **more):
    return run_build(plan_build("folder", source, out, config), scheduler=address, **more)


def test_the_same_bytes_as_on_one_machine(dask, source, expected, tmp_path):
    outcomes = list(start(source, tmp_path / "maps", dask.address))
    assert sorted(one.recording_id for one in outcomes) == [*(f"v{number}" for number in range(8)), "zero"]
    assert content(tmp_path / "maps") == expected


def test_a_worker_that_dies_and_one_that_joins_change_nothing_and_when_none_is_left_it_is_said(
    source, expected, tmp_path, monkeypatch
):
    with Cluster(tmp_path / "cluster") as own:
        first = own.add_worker(nanny=False)
        running = start(source, tmp_path / "maps", own.address)
        names = {next(running).recording_id}
        os.killpg(first.pid, signal.SIGKILL)
        second = own.add_worker(nanny=False)
        names |= {one.recording_id for one in running}
        assert len(names) == 9
        assert content(tmp_path / "maps") == expected

        monkeypatch.setattr(cluster, "_PATIENCE_S", 2.0)
        monkeypatch.setattr(cluster, "_LOOK_EVERY_S", 0.2)
        running = start(source, tmp_path / "others", own.address)
        next(running)
        os.killpg(second.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="no worker for 2 s"):
            list(running)


def test_harm_on_a_cluster_is_named_as_well(dask, face_clip, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path / "plugin"))
    source = tmp_path / "harmful"
    source.mkdir()
    (source / "anna.mp4").write_bytes(face_clip.read_bytes())
    for harm in ("crash", "hang"):
        write_harmful(source / f"{harm}.mp4", harm)
    # what takes no time has enough of it, on any machine
    found = {}
    for only, time_s in (("[ac]*", 100), ("hang", 1.0)):
        plan = plan_build("folder", source, tmp_path / "maps", HARMFUL, only=only)
        found |= {one.recording_id: one.reason for one in run_build(plan, scheduler=dask.address, limits=Limits(time_s=time_s))}
    assert found == {"anna": "", "crash": "worker_died", "hang": "timed_out"}


_CLIENT = """
import sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build
config = Config.from_mapping({"windows": {"length": "30 frames"}})
for one in run_build(plan_build("folder", Path(sys.argv[1]), Path(sys.argv[2]), config), scheduler=sys.argv[3]):
    print(one.recording_id, flush=True)
"""


def test_a_client_that_is_killed_is_continued_by_the_same_command(dask, source, expected, tmp_path):
    out = tmp_path / "maps"
    words = [sys.executable, "-c", _CLIENT, str(source), str(out), dask.address]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    first = client.stdout.readline().strip()
    client.kill()
    client.wait()
    client.stdout.close()
    assert not (out / "manifest.json").exists()
    outcomes = {one.recording_id: one for one in start(source, out, dask.address)}
    assert outcomes[first].resumed
    assert content(out) == expected


def test_a_scheduler_that_is_lost_is_said_and_the_build_goes_on_elsewhere(source, expected, tmp_path, caplog, monkeypatch):
    out = tmp_path / "maps"
    monkeypatch.setattr(logging.getLogger("distributed"), "propagate", True)
    with Cluster(tmp_path / "cluster") as own:
        own.add_worker(nanny=False)
        running = start(source, out, own.address)
        next(running)
        os.killpg(own.scheduler.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"scheduler is gone; what is done is kept: .* run the same command again"):
            list(running)
    # no traceback of Dask's own precedes that line
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    list(run_build(plan_build("folder", source, out, CONFIG), 0))
    assert content(out) == expected


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (
            "import stmap_pipeline.version as ours; ours.__version__ = '0.0.1'",
            rf"the scheduler has stmap 0\.0\.1, .*{__version__}; install the same stmap on all machines",
        ),
        ("import sys; sys.modules['stmap_pipeline'] = None", "cannot import stmap"),
    ],
)
def test_another_stmap_on_the_cluster_is_said(source, tmp_path, theirs, message):
    # otherwise the scheduler drops its workers at the first task, and nobody ever answers
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(theirs)
    with Cluster(tmp_path / "cluster", [str(tmp_path / "other")]) as own:
        own.add_worker(nanny=False)
        with pytest.raises(WorkerError, match=message):
            list(start(source, tmp_path / "maps", own.address))


def test_a_task_that_no_worker_can_do_is_an_error_of_the_run(dask):
    workers = cluster.ClusterWorkers(dask.address)
    try:
        workers.start("no task")
        with pytest.raises(WorkerError, match="a worker cannot do its task"):
            next(filter(None, iter(workers.finished, None)))
    finally:
        workers.stop(kill=True)


def test_what_is_no_cluster_is_said_and_leaves_no_client(source, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_S", 2.0)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1"):
        with pytest.raises(WorkerError, match=f"^{address}: .*dask scheduler"):
            list(start(source, tmp_path / "maps", address))
    # one that the garbage collector closes while another one starts would wait for it, and it for that one
    # by its type: to ask some objects of torch for their class is a warning
    assert {one.status for one in gc.get_objects() if issubclass(type(one), distributed.Client)} <= {"closed"}


def test_a_cluster_without_workers_of_one_thread_is_said(source, tmp_path, monkeypatch):
    with Cluster(tmp_path / "cluster") as own:
        monkeypatch.setattr(cluster, "_WAIT_FOR_WORKERS_S", 0.5)
        with pytest.raises(WorkerError, match=r"dask worker .*--nthreads 1"):
            list(start(source, tmp_path / "maps", own.address))
        monkeypatch.undo()
        own.add_worker(threads=3, nanny=False)
        with pytest.raises(WorkerError, match="--nworkers 3 --nthreads 1"):
            list(start(source, tmp_path / "maps", own.address))
