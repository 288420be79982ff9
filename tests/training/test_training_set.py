"""The maps of a batch are those that a reader makes one by one, on each clock, with gaps, resampled or not."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_traces import frame_times, simulated_blocks

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline.config import Config  # noqa: E402
from stmap_pipeline.errors import ConfigError, ShardError, UnknownNameError  # noqa: E402
from stmap_pipeline.maps.example import example_result  # noqa: E402
from stmap_pipeline.records import RoiGrid  # noqa: E402
from stmap_pipeline.shards import Shards  # noqa: E402
from stmap_pipeline.shards.example import example_maps  # noqa: E402
from stmap_pipeline.training.dataset import TrainingSet  # noqa: E402
from stmap_pipeline.training.networks import NetworkInput  # noqa: E402
from stmap_pipeline.training.rows import MaskOptions, network_input  # noqa: E402

GRID = RoiGrid(2, 3)
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")),
]


def recording(number, times_s, **options):
    """A recording of a known pulse; its name tells subject and take."""
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


def with_resampled(maps):
    """All windows as recorded, and some of them at other speeds."""
    windows = maps.windows()
    speeds = [0.67, 0.9, 1.25, 1.5]
    again = [replace(one, speed=speeds[number % 4]) for number, one in enumerate(windows)]
    return windows + [one for one in again if one.stop <= len(maps.trace(one.recording_id, one.speed).times_s)]


def by_reader(maps, windows, color, normalize):
    return torch.stack([network_input(maps.stmap(one, color=color, normalize=normalize).values, normalize) for one in windows])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("color", "normalize"), [("yuv", "minmax"), ("rgb+yuv", "minmax"), ("rgb", "zscore"), ("ycbcr", "none")])
def test_a_batch_is_what_the_reader_makes_one_by_one(maps, color, normalize, device):
    windows = with_resampled(maps)
    training = TrainingSet(maps, windows, color=color, normalize=normalize, device=device)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    ours = training.maps(order).cpu()
    theirs = by_reader(maps, [windows[one] for one in order], color, normalize)
    kinds = {(one.recording_id, one.augmented) for one in windows}
    assert len(kinds) == 6
    assert ours.shape == theirs.shape == (len(windows), *(training.shape.channels, 6, training.shape.samples))
    assert ours.dtype == torch.float32
    # of the range of 2, or of one standard deviation
    assert (ours - theirs).abs().max() < (2e-4 if normalize == "minmax" else 1e-4)
    # the middle of the range where no face was
    missing = [~np.isfinite(maps.stmap(windows[one], color=color).values.transpose(2, 0, 1)) for one in order]
    assert 0.02 < np.mean(missing) < 0.5
    assert (ours[torch.as_tensor(np.array(missing))] == 0).all()


def test_min_max_fills_the_range_and_a_flat_row_its_lower_end(native):
    training = TrainingSet(native, native.windows(recording_id="p001_v1"), color="rgb")
    values = training.maps(torch.arange(len(training)))
    assert torch.allclose(values[:, :, :5].amin(3), torch.tensor(-1.0), atol=1e-6)
    assert torch.allclose(values[:, :, :5].amax(3), torch.tensor(1.0), atol=1e-6)
    assert (values[:, :, 5] == -1).all()


def test_targets_are_those_of_the_table(native):
    windows = [one for one in with_resampled(native) if one.beats > 0]
    training = TrainingSet(native, windows)
    assert training.targets_bpm.tolist() == pytest.approx([one.heart_rate_bpm for one in windows])
    assert training.targets_beats.tolist() == pytest.approx([one.beats for one in windows])
    assert (training.targets_beats * 60 / training.durations_s).tolist() == pytest.approx([one.heart_rate_bpm for one in windows])
    assert len({one.speed for one in windows}) == 5
    assert (len(training), training.shape) == (len(windows), NetworkInput(3, 6, 90))


def test_a_window_without_a_label_has_a_map_and_no_target(native):
    windows = [replace(one, heart_rate_bpm=float("nan"), beats=float("nan")) for one in native.windows()[:2]]
    training = TrainingSet(native, windows)
    assert training.targets_bpm.isnan().all()
    assert training.maps(torch.tensor([0, 1])).isfinite().all()


def test_other_windows_come_from_the_same_traces(native):
    everything = TrainingSet(native, with_resampled(native), color="rgb")
    windows = native.windows(recording_id="p002_v1")[3:7]
    part = everything.with_windows(windows)
    assert len(part) == 4
    assert part._traces is everything._traces
    assert torch.equal(part.maps(torch.arange(4)), TrainingSet(native, windows, color="rgb").maps(torch.arange(4)))
    assert len(everything) == len(with_resampled(native))  # the first one is as it was


def test_windows_in_rows_keep_their_axis(native):
    training = TrainingSet(native, native.windows())
    index = torch.tensor([[0, 1, 2], [5, 4, 4]])
    assert torch.equal(training.maps(index), training.maps(index.flatten()).view(2, 3, 3, 6, 90))


def test_half_precision_around_it_changes_nothing(native):
    training = TrainingSet(native, with_resampled(native), color="rgb+yuv")
    index = torch.arange(len(training))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = training.maps(index)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, training.maps(index))


def test_hidden_frames_look_like_a_lost_face(native):
    training = TrainingSet(native, native.windows(recording_id="p001_v1"), color="rgb")
    index = torch.arange(len(training)).repeat(20)
    mask = MaskOptions(10, 30, share=0.5)
    plain = training.maps(index)
    hidden = training.maps(index, generator=torch.Generator().manual_seed(3), mask_frames=mask)
    gone = (hidden == 0).all(dim=(1, 2))
    frames = gone.sum(dim=1)
    assert 0.4 < (frames > 0).float().mean() < 0.6
    assert frames[frames > 0].unique().tolist() == list(range(10, 31))
    # one stretch each
    assert ((gone.int().diff(dim=1) == 1).sum(dim=1) + gone[:, 0] <= 1).all()
    assert torch.equal(hidden[frames == 0], plain[frames == 0])
    # what is hidden does not set the scale of the rest either
    seen = hidden[:, :, :5].masked_fill(gone[:, None, None], torch.nan)
    assert (seen.nan_to_num(nan=9).amin(3) == -1).all()
    # a seed decides
    again = training.maps(index, generator=torch.Generator().manual_seed(3), mask_frames=mask)
    other = training.maps(index, generator=torch.Generator().manual_seed(4), mask_frames=mask)
    assert torch.equal(again, hidden)
    assert not torch.equal(other, hidden)


def test_a_mask_longer_than_the_window_hides_all_of_it(native):
    training = TrainingSet(native, native.windows())
    values = training.maps(torch.tensor([0]), mask_frames=MaskOptions(500, 500, share=1.0))
    assert (values == 0).all()


@pytest.mark.parametrize("wrong", [(0, 5, 0.5), (9, 5, 0.5), (1, 5, 1.5), (1, 5, float("nan"))])
def test_a_mask_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match="a mask hides"):
        MaskOptions(*wrong)


def test_windows_of_different_sizes_are_refused_with_what_to_do(tmp_path):
    maps = build(tmp_path / "maps", {"length": "3 s", "step": "1 s"})
    with pytest.raises(ConfigError, match=r'47 to 90 samples.*windows.length = "300 frames".*windows.clock = "uniform"'):
        TrainingSet(maps, maps.windows())


def test_no_window_at_all_is_refused(native):
    with pytest.raises(ConfigError, match="no window is left"):
        TrainingSet(native, [])
    with pytest.raises(ConfigError, match="no window is left"):
        TrainingSet(native, native.windows()).with_windows([])


def test_a_window_outside_of_its_recording_is_refused(native):
    windows = native.windows(recording_id="p001_v1")
    end = len(native.recording("p001_v1").blocks.times_s)
    for wrong in (replace(windows[0], start=end - 50, stop=end + 40), replace(windows[0], start=-5, stop=85)):
        with pytest.raises(ShardError, match=r"p001_v1: samples .* do not lie inside its 480 samples"):
            TrainingSet(native, [*windows, wrong])
    # as recorded the last window fits; played faster it would end after the recording
    for scale in (1.5, 0.0, -1.0, float("nan")):
        with pytest.raises(ShardError, match="p001_v1"):
            TrainingSet(native, [*windows, replace(windows[-1], speed=scale)])


def test_what_was_not_loaded_is_not_made_up(native):
    training = TrainingSet(native, native.windows(recording_id="p001_v1"))
    with pytest.raises(UnknownNameError, match="the trace of 'p002_v1' at speed 1 was not loaded"):
        training.with_windows(native.windows(recording_id="p002_v1"))
    with pytest.raises(UnknownNameError, match=r"at speed 1\.25 was not loaded"):
        training.with_windows([replace(training.windows[0], speed=1.25)])
    with pytest.raises(UnknownNameError, match="no recording is called 'p009_v1'"):
        TrainingSet(native, [replace(training.windows[0], recording_id="p009_v1")])
    with pytest.raises(UnknownNameError, match="no color space is called 'hsv'"):
        TrainingSet(native, native.windows(), color="hsv")


def test_a_damaged_shard_is_refused(tmp_path):
    maps = build(tmp_path / "maps", CLOCKS["native"])
    path = maps.root / "shards" / "p002_v1.h5"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ShardError, match=r"p002_v1.h5"):
        TrainingSet(maps, maps.windows())
