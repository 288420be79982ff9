"""Tasks in processes: results as they come, lost tasks done again, nothing left of processes that are stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest
from support.harm import FragileTask
from threadpoolctl import threadpool_info, threadpool_limits

from stmap_pipeline import parallel
from stmap_pipeline.config import Config
from stmap_pipeline.errors import WorkerError
from stmap_pipeline.parallel import begin_worker, children_without_interrupts, run_tasks, unordered
from stmap_pipeline.pipeline.worker import StageTimer, build_recording
from stmap_pipeline.records import Recording, VideoSource


def listens(_):
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def begin_as_on_windows(parent, mark):
    os.name = "nt"
    begin_worker(parent)
    mark.touch()
    time.sleep(100)


def process(_):
    return os.getpid()


def leave_mark_and_sleep(mark):
    if mark.name == "waits":
        while not mark.with_name("sleeps").exists():
            time.sleep(0.01)
        return mark.name
    mark.touch()
    time.sleep(1000)
    return mark.name


def test_each_item_has_its_result_from_another_process():
    assert sorted(unordered(abs, [-1, -2, -3, -4, -5], 2)) == [1, 2, 3, 4, 5]
    assert os.getpid() not in set(unordered(process, range(4), 2))


def test_no_items_are_no_results():
    assert list(unordered(abs, [], 2)) == []


def test_a_process_leaves_ctrl_c_to_its_parent_and_the_parent_goes_on_listening():
    assert not any(unordered(listens, range(4), 2))
    assert listens(None)


def test_a_ctrl_c_while_processes_start_comes_when_they_have():
    steps = []

    def start():
        with children_without_interrupts():
            signal.raise_signal(signal.SIGINT)
            steps.append("started")
        steps.append("went on")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert steps == ["started"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_may_start_processes_too():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: sorted(unordered(abs, [-1, -2], 2))).result() == [1, 2]


def test_to_stop_early_is_no_warning_and_ends_what_is_still_running(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = unordered(leave_mark_and_sleep, [tmp_path / "waits", tmp_path / "sleeps"], 2)
        assert next(results) == "waits"
        # waits for the processes to end, which do not wait for their task
        results.close()
    assert sorted(unordered(abs, [-1, -2], 2)) == [1, 2]


def test_a_ctrl_c_while_tasks_are_handed_out_is_no_traceback(monkeypatch):
    said: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", said.append)

    def items():
        yield 60.0
        signal.raise_signal(signal.SIGINT)
        yield 60.0

    for _ in range(10):
        # processes that are there already are given a task quicker than loky's thread wakes up
        assert list(unordered(abs, [-1], 2)) == [1]
        with pytest.raises(KeyboardInterrupt):
            next(unordered(time.sleep, items(), 2))
    assert said == []


def test_a_process_that_dies_ends_the_rest_and_is_an_error():
    with pytest.raises(WorkerError, match=r"died.*run the same command again"):
        list(unordered(signal.raise_signal, [signal.SIGKILL, 0, 0, 0], 2))
    assert sorted(unordered(abs, [-1, -2], 2)) == [1, 2]


def test_what_a_task_raises_ends_the_others(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(unordered(leave_mark_and_sleep, [tmp_path / "sleeps", tmp_path / "none" / "mark"], 2))
    assert sorted(unordered(abs, [-1, -2], 2)) == [1, 2]


def test_no_more_items_are_taken_than_are_worked_on():
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    for count, _ in enumerate(unordered(abs, items(), 2), 1):
        # those that came in one go count as waiting until they are all handed over
        assert len(taken) <= count + 2
    assert len(taken) == 20


def test_a_task_whose_worker_dies_is_done_by_another_one_and_the_rest_goes_on(tmp_path):
    tasks = [FragileTask("strong", tmp_path, 0), FragileTask("weak", tmp_path, 2), FragileTask("last", tmp_path, 0)]
    pids = list(run_tasks(tasks, jobs=2))
    assert len(pids) == 3
    assert os.getpid() not in pids


def test_a_task_that_kills_each_worker_ends_the_run_with_its_name(tmp_path):
    with pytest.raises(WorkerError, match="deadly: 3 losses, hung False"):
        list(run_tasks([FragileTask("deadly", tmp_path, 9)], jobs=1))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_task_that_hangs_is_told_so_and_its_worker_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "_STARTUP_S", 1.0)
    monkeypatch.setattr(parallel, "_GRACE_S", 0.1)
    with pytest.raises(WorkerError, match="slow: 1 losses, hung True"):
        list(run_tasks([FragileTask("slow", tmp_path, 0, hard_time_s=0.5, sleep_s=600)], jobs=1))


_ORPHANS = """
import os, sys, time
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_parallel import write_number_and_sleep
from stmap_pipeline.parallel import unordered
list(unordered(write_number_and_sleep, [Path(sys.argv[1]) / "a", Path(sys.argv[1]) / "b"], 2))
"""


def write_number_and_sleep(path):
    path.write_text(str(os.getpid()))
    time.sleep(1000)


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell the state of a process")
def test_workers_end_by_themselves_when_their_parent_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", _ORPHANS, str(tmp_path), str(Path(__file__).parent)]) as main:
        files = [tmp_path / "a", tmp_path / "b"]
        while not all(one.exists() and one.read_text() for one in files):
            assert main.poll() is None
            time.sleep(0.05)
        pids = [int(one.read_text()) for one in files]
        assert all(running(one) for one in pids)
        main.kill()
        main.wait()
        # they look five times a second, when they get the processor
        end_s = time.monotonic() + 20
        while any(running(one) for one in pids) and time.monotonic() < end_s:
            time.sleep(0.05)
        assert not any(running(one) for one in pids)


_WINDOWS_ORPHAN = """
import multiprocessing, os, sys, time
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_parallel import begin_as_on_windows
if __name__ == "__main__":
    mark = Path(sys.argv[1])
    child = multiprocessing.get_context("spawn").Process(target=begin_as_on_windows, args=(0, mark))
    child.start()
    while not mark.exists():
        time.sleep(0.01)
    print(child.pid, flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell the state of a process")
def test_on_windows_the_end_of_a_parent_is_seen_by_its_handle(tmp_path):
    # the number of the parent, which Windows keeps, is not looked at: 0 is none
    (tmp_path / "orphan.py").write_text(_WINDOWS_ORPHAN)
    words = [sys.executable, str(tmp_path / "orphan.py"), str(tmp_path / "mark"), str(Path(__file__).parent)]
    pid = int(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)
    end_s = time.monotonic() + 20
    while running(pid) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not running(pid)


def test_a_system_without_signal_masks_can_start_processes(monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask")
    assert sorted(unordered(abs, [-1, -2], 2)) == [1, 2]


def test_a_build_has_one_thread_of_linear_algebra_whatever_the_process_has(face_clip, monkeypatch):
    seen = []
    timed = StageTimer.timed

    def looking(self, name, items):
        for item in timed(self, name, items):
            seen.append({one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} | {cv2.getNumThreads()})
            yield item

    monkeypatch.setattr(StageTimer, "timed", looking)
    with threadpool_limits(2):
        before = cv2.getNumThreads()
        build_recording(Recording("a", "folder", "a", VideoSource(face_clip)), Config())
        assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {2}
        assert cv2.getNumThreads() == before
    assert seen
    assert all(one == {1} for one in seen)


def test_a_library_that_comes_later_is_kept_to_one_thread_too():
    # in a process of its own, where SciPy with its own linear algebra is not loaded yet
    script = """
import sys
import numpy
from threadpoolctl import threadpool_info
from stmap_pipeline.parallel import one_thread

def threads():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

with one_thread():
    first = threads()
assert "scipy.linalg" not in sys.modules
import scipy.linalg
with one_thread():
    print(len(first), first, threads(), sep="; ")
"""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    count, first, both = done.stdout.strip().split("; ")
    assert first == str([1] * int(count))
    assert both == str([1] * (int(count) + 1))
