"""Tasks over processes: results as they come, no trace of the ones that are stopped."""

import os
import signal
import warnings

from stmap_pipeline.processes import unordered


def listens(_):
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def process(_):
    return os.getpid()


def test_each_item_has_its_result_from_another_process():
    assert sorted(unordered(abs, [-1, -2, -3, -4, -5], 2)) == [1, 2, 3, 4, 5]
    assert os.getpid() not in set(unordered(process, range(4), 2))


def test_no_items_are_no_results():
    assert list(unordered(abs, [], 2)) == []


def test_a_process_leaves_ctrl_c_to_its_parent_and_the_parent_goes_on_listening():
    assert not any(unordered(listens, range(4), 2))
    assert listens(None)


def test_to_stop_early_is_no_warning_and_ends_the_tasks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = unordered(abs, range(100), 2)
        next(results)
        results.close()
    assert sorted(unordered(abs, [-1, -2], 2)) == [1, 2]
