"""Tasks over processes: results as they come, no trace of the ones that are stopped."""

import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from stmap_pipeline.processes import children_without_interrupts, unordered


def listens(_):
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


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
