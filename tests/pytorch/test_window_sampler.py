"""Orders of windows: each once, or balanced; new in each epoch, the same again with the same seed."""

import numpy as np
import pytest
from support.maps import OPTIONS, small_maps

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from stmap_pipeline.balance import Bins  # noqa: E402
from stmap_pipeline.errors import ConfigError  # noqa: E402
from stmap_pipeline.torch import MapDataset, WindowSampler  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return MapDataset(small_maps(tmp_path_factory.mktemp("maps") / "maps"))


def test_an_epoch_has_each_window_once_and_another_order_each_time(data):
    sampler = WindowSampler(data, seed=3)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(len(data)))
    assert first != second
    again = WindowSampler(data, seed=3)
    assert list(again) == first
    # as a training that is resumed
    again.epoch = 1
    assert list(again) == second
    assert list(WindowSampler(data, seed=4)) != first
    assert len(set(WindowSampler(data, windows_per_epoch=10))) == len(WindowSampler(data, windows_per_epoch=10)) == 10
    assert len(WindowSampler(data, windows_per_epoch=10_000)) == len(data)


def test_each_bin_with_a_window_is_drawn_equally_often(data):
    bins = Bins(50, 110, 10)
    place = bins.index(data.heart_rate_bpm)
    there = np.bincount(place, minlength=len(bins))
    assert there.max() >= 3 * there[there > 0].min()
    drawn = np.bincount(place[list(WindowSampler(data, bins=bins, windows_per_epoch=6000, seed=1))], minlength=len(bins))
    share = drawn[there > 0] / 6000
    assert np.allclose(share, 1 / (there > 0).sum(), atol=0.02)
    assert (drawn[there == 0] == 0).all()
    # what is outside of the bins is left out
    narrow = list(WindowSampler(data, bins=Bins(70, 80, 5)))
    assert ((data.heart_rate_bpm[narrow] >= 70) & (data.heart_rate_bpm[narrow] < 80)).all()
    with pytest.raises(ConfigError, match="from 200 to 220 bpm"):
        WindowSampler(data, bins=Bins(200, 220, 10))


def test_a_few_recordings_at_once_are_read_before_the_next_ones(data):
    names = np.array([one.recording_id for one in data.windows])
    order = list(WindowSampler(data, recordings_at_once=2))
    assert sorted(order) == list(range(len(data)))
    per_pair = 2 * len(data) // len(set(names))
    groups = [names[order[first : first + per_pair]] for first in range(0, len(order), per_pair)]
    assert all(len(set(one)) == 2 for one in groups)
    # the two are mixed, and others meet in the next epoch
    assert any((np.diff(np.unique(one, return_inverse=True)[1]) != 0).sum() > 2 for one in groups)
    sampler = WindowSampler(data, recordings_at_once=2)
    assert len({frozenset(names[list(sampler)[:per_pair]]) for _ in range(4)}) > 1
    # a short epoch opens no more recordings than it needs
    assert len(set(names[list(WindowSampler(data, recordings_at_once=2, windows_per_epoch=per_pair))])) == 2
    with pytest.raises(ConfigError, match="1 or more"):
        WindowSampler(data, recordings_at_once=0)


def test_a_loader_with_workers_draws_what_the_sampler_draws(data):
    orders = [
        torch.cat(
            [one["index"] for one in torch.utils.data.DataLoader(data, 8, sampler=WindowSampler(data, bins=OPTIONS.bins), **how)]
        )
        for how in ({}, {"num_workers": 2, "multiprocessing_context": "fork"})
    ]
    assert torch.equal(*orders)
