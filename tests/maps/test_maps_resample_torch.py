"""The batched resampling gives what the one of NumPy gives, on each device there is."""

import numpy as np
import pytest
from simulated_traces import frame_times, simulated_blocks

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline.maps.resample import even_trace, resample_window  # noqa: E402
from stmap_pipeline.maps.resample_torch import TraceBank  # noqa: E402
from stmap_pipeline.maps.stmap import stmap_from_means  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")),
]


@pytest.fixture(scope="module")
def recordings():
    """Three cameras: even, jittered with a lost face, slow with a face that comes late."""
    return [
        simulated_blocks(72.0, frame_times(20, 30.0), seed=1),
        simulated_blocks(95.0, frame_times(24, 25.0, 0.3), seed=2, lost_s=[(9.0, 10.0), (15.0, 15.3)]),
        simulated_blocks(61.0, frame_times(30, 16.0, 0.2), seed=3, lost_s=[(0.0, 3.0)]),
    ]


def batch(recordings, size=48, samples=200):
    random = np.random.default_rng(0)
    index = random.integers(0, len(recordings), size)
    scale = random.choice([0.67, 0.8, 1.0, 1.25, 1.5], size)
    start = [random.integers(0, len(recordings[one].times_s) - samples) for one in index]
    times_s = np.stack([recordings[one].times_s[first : first + samples] for one, first in zip(index, start, strict=True)])
    return index, times_s, scale


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_what_its_windows_are_one_by_one(recordings, device):
    index, times_s, scale = batch(recordings)
    traces = [even_trace(one) for one in recordings]
    ours = TraceBank(traces, device).resample(*(torch.as_tensor(one, device=device) for one in (index, times_s, scale)))
    ours = ours.cpu().numpy()
    assert ours.dtype == np.float32
    theirs = np.stack([resample_window(traces[a], b, c) for a, b, c in zip(index, times_s, scale, strict=True)])
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert 0.01 < np.isnan(theirs).mean() < 0.5
    assert np.nanmax(np.abs(ours - theirs)) < 1e-4
    for a, b, c in zip(ours, theirs, times_s, strict=True):
        if np.isfinite(b).any():
            # the maps themselves, on their scale from 0 to 1
            maps = [stmap_from_means(c, one).values / 255 for one in (a, b)]
            assert np.nanmax(np.abs(maps[0] - maps[1])) < 1e-4


@pytest.mark.parametrize("device", DEVICES)
def test_the_uniform_clock_is_filtered_by_its_own_interval(recordings, device):
    trace = even_trace(recordings[0])
    grid_s = recordings[0].times_s[0] + np.arange(120) / 15
    tensors = (torch.tensor([0]), torch.as_tensor(grid_s[None]), torch.tensor([1.5]), torch.tensor([1 / 15]))
    ours = TraceBank([trace], device).resample(*(one.to(device) for one in tensors)).cpu().numpy()[0]
    theirs = resample_window(trace, grid_s, 1.5, 1 / 15)
    assert np.nanmax(np.abs(ours - theirs)) < 1e-4
    assert np.nanmax(np.abs(ours - resample_window(trace, grid_s, 1.5))) > 1e-2


def test_traces_must_be_there_and_alike(recordings):
    with pytest.raises(ValueError, match="needs traces"):
        TraceBank([])
    from stmap_pipeline.records import BlockTrace, RoiGrid

    one = recordings[0]
    small = BlockTrace(one.times_s, one.means[:, :1], one.coverage[:, :1], RoiGrid(1, 1))
    with pytest.raises(ValueError, match="same number of blocks"):
        TraceBank([even_trace(one), even_trace(small)])
