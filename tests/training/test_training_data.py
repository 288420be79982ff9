"""The maps of a batch are those that a reader makes one by one, on each clock, with gaps, resampled or not."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline.config import Config  # noqa: E402
from stmap_pipeline.errors import ConfigError, ShardError, UnknownNameError  # noqa: E402
from stmap_pipeline.maps.example import example_result  # noqa: E402
from stmap_pipeline.maps.stmap import stmap_from_means  # noqa: E402
from stmap_pipeline.records import RoiGrid, Window  # noqa: E402
from stmap_pipeline.shards import Shards  # noqa: E402
from stmap_pipeline.shards.example import example_maps  # noqa: E402
from stmap_pipeline.training.data import TrainingSet, recorded_samples  # noqa: E402
from stmap_pipeline.training.networks.map_network import maps_from_means  # noqa: E402

GRID = RoiGrid(2, 3)
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")),
]


def recording(number, times_s, **options):
    """A recording of a known pulse; its name holds subject and take."""
    blocks = simulated_blocks(60.0 + 9 * number, times_s, grid=GRID, seed=number, **options)
    blocks.means[:, 5] = 99.0  # a block on which nothing moves
    name = f"p{number:03d}"
    base = example_result(f"{name}_v1", subject=name, fold=1 + number % 2, frames=len(times_s), grid=GRID)
    return replace(base, blocks=blocks, track=replace(base.track, times_s=times_s))


def build(root, windows):
    results = [
        recording(1, frame_times(16, 30.0)),
        recording(2, frame_times(18, 25.0, 0.3), lost_s=[(5.0, 5.9), (12.0, 12.2)]),
        recording(3, frame_times(20, 16.0, 0.2), lost_s=[(0.0, 2.5)]),
    ]
    return Shards(example_maps(root, results, Config.from_mapping({"blocks": {"rows": 2, "cols": 3}, "windows": windows})))


CLOCKS = {
    "native": {"length": "90 frames", "step": "0.5 s"},
    "uniform": {"clock": "uniform", "rate_hz": 20.0, "length": "4 s", "step": "15 frames"},
}


@pytest.fixture(scope="module", params=CLOCKS)
def maps(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp(request.param) / "maps", CLOCKS[request.param])


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    return build(tmp_path_factory.mktemp("maps") / "maps", CLOCKS["native"])


def played(shards):
    """All windows as recorded, and windows of the same recordings at other speeds."""
    windows = shards.windows()
    for info, speed in itertools.product(shards.recordings(), (0.67, 0.9, 1.25, 1.5)):
        name, samples = info.recording_id, windows[0].frames
        times_s = shards.trace(name, speed).times_s
        for start in range(0, len(times_s) - samples + 1, 40):
            span = (start, start + samples, times_s[start], times_s[start + samples - 1] + times_s[1] - times_s[0])
            windows.append(Window(name, *span, 60.0 * speed, np.nan, 1.0, speed=speed))
    return windows


def by_reader(shards, windows, color):
    """Maps as the reader makes them, one by one, in the range of a network."""
    maps = []
    for one in windows:
        trace = shards.trace(one.recording_id, one.speed, one.start, one.stop)
        values = stmap_from_means(trace.times_s, trace.means, color=color).values.transpose(2, 0, 1)
        maps.append(np.nan_to_num(values / 127.5 - 1))
    return torch.as_tensor(np.array(maps))


def training_set(shards, windows, **options):
    return TrainingSet(recorded_samples(shards), windows, **options)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("color", ["yuv", "rgb+yuv", "ycbcr"])
def test_a_batch_is_what_the_reader_makes_one_by_one(maps, color, device):
    windows = played(maps)
    data = training_set(maps, windows, device=device)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    ours, theirs = (
        maps_from_means(data.batch(order).means, color).cpu(),
        by_reader(maps, [windows[one] for one in order], color),
    )
    assert len({(one.recording_id, one.speed) for one in windows}) == 15
    assert ours.shape == theirs.shape == (len(windows), 6 if "+" in color else 3, 6, data.samples)
    assert ours.dtype == torch.float32
    # of the range of 2
    assert (ours - theirs).abs().max() < 2e-4
    # the middle of the range where no face was
    missing = torch.as_tensor(
        np.array([np.isnan(maps.trace(one.recording_id, one.speed, one.start, one.stop).means) for one in windows])
    ).any(dim=3)[order]
    assert 0.02 < missing.float().mean() < 0.5
    assert (ours.permute(0, 3, 2, 1)[missing] == 0).all()


def test_min_max_fills_the_range_and_a_flat_row_its_lower_end(native):
    data = training_set(native, native.windows(recording_id="p001_v1"))
    values = maps_from_means(data.batch(torch.arange(len(data))).means, "rgb")
    assert torch.allclose(values[:, :, :5].amin(3), torch.tensor(-1.0), atol=1e-6)
    assert torch.allclose(values[:, :, :5].amax(3), torch.tensor(1.0), atol=1e-6)
    assert (values[:, :, 5] == -1).all()


def test_labels_and_lengths_are_those_of_the_windows(native):
    windows = played(native)
    data = training_set(native, windows)
    np.testing.assert_array_equal(data.heart_rate_bpm, [one.heart_rate_bpm for one in windows])
    assert data.duration_s.tolist() == [one.duration_s for one in windows]
    assert (len(data), data.blocks, data.samples) == (len(windows), 6, 90)


def test_a_window_without_a_label_has_a_map_and_no_target(native):
    windows = [replace(one, heart_rate_bpm=float("nan"), beats=float("nan")) for one in native.windows()[:2]]
    data = training_set(native, windows)
    assert np.isnan(data.heart_rate_bpm).all()
    assert data.batch(torch.tensor([0, 1])).means.isfinite().all()


def test_each_trace_is_read_once(native):
    windows, calls = played(native), []
    TrainingSet(lambda *one: calls.append(one) or recorded_samples(native)(*one), windows)
    assert sorted(calls) == sorted({(one.recording_id, one.speed) for one in windows})


def test_half_precision_around_it_changes_nothing(native):
    means = training_set(native, played(native)).batch(torch.arange(20)).means
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = maps_from_means(means, "rgb+yuv")
    assert ours.dtype == torch.float32
    assert torch.equal(ours, maps_from_means(means, "rgb+yuv"))


def test_windows_of_different_sizes_are_refused_with_what_to_do(tmp_path):
    maps = build(tmp_path / "maps", {"length": "3 s", "step": "1 s"})
    with pytest.raises(ConfigError, match=r'47 to 90 samples.*windows.length = "300 frames".*windows.clock = "uniform"'):
        training_set(maps, maps.windows())


def test_no_window_at_all_is_refused(native):
    with pytest.raises(ConfigError, match="min_valid_fraction"):
        training_set(native, [])


def test_a_window_outside_of_its_recording_is_refused(native):
    windows = native.windows(recording_id="p001_v1")
    end = len(native.trace("p001_v1").times_s)
    for wrong in (replace(windows[0], start=end - 50, stop=end + 40), replace(windows[0], start=-5, stop=85)):
        with pytest.raises(ShardError, match=r"p001_v1: .* 480 samples"):
            training_set(native, [*windows, wrong])
    # as recorded the last window fits; played faster the recording has ended before
    with pytest.raises(ShardError, match=r"p001_v1: .* 320 samples \(speed 1\.5\)"):
        training_set(native, [*windows, replace(windows[-1], speed=1.5)])


def test_unknown_names_are_refused(native):
    windows = native.windows()
    with pytest.raises(UnknownNameError, match="'p009_v1'"):
        training_set(native, [replace(windows[0], recording_id="p009_v1")])


def test_a_damaged_shard_is_refused(tmp_path):
    maps = build(tmp_path / "maps", CLOCKS["native"])
    (path,) = (maps.root / "shards").rglob("*p002*.h5")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ShardError, match=path.name):
        training_set(maps, maps.windows())
