"""Windows of a dataset are those that a reader makes one by one: on each clock, with gaps, resampled or not, in memory or not."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.maps import folded_maps, frame_times, simulated_blocks, simulated_result

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline.config import Config  # noqa: E402
from stmap_pipeline.errors import ConfigError, ShardError, UnknownNameError  # noqa: E402
from stmap_pipeline.maps.example import example_result  # noqa: E402
from stmap_pipeline.maps.stmap import stmap_from_means  # noqa: E402
from stmap_pipeline.records import RoiGrid, Window  # noqa: E402
from stmap_pipeline.shards import Shards  # noqa: E402
from stmap_pipeline.shards.example import example_maps  # noqa: E402
from stmap_pipeline.torch import MapDataset, maps_from_means  # noqa: E402

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


def by_reader(shards, windows, color, normalize="minmax"):
    """Maps as the reader makes them, one by one."""
    maps = []
    for one in windows:
        trace = shards.trace(one.recording_id, one.speed, one.start, one.stop)
        maps.append(stmap_from_means(trace.times_s, trace.means, color=color, normalize=normalize).values.transpose(2, 0, 1))
    return torch.as_tensor(np.array(maps))


@pytest.mark.parametrize("device", [None, *DEVICES])
@pytest.mark.parametrize(
    ("color", "normalize", "largest_error"),
    [("yuv", "minmax", 0.025), ("rgb+yuv", "zscore", 2e-3), ("ycbcr", "none", 2e-4)],
)
def test_a_batch_is_what_the_reader_makes_one_by_one(maps, color, normalize, largest_error, device):
    windows = played(maps)
    data = MapDataset(maps, windows, color=color, normalize=normalize, fill=float("nan"))
    data = data if device is None else data.to(device)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    batch = data.batch(order)
    ours, theirs = batch["map"].cpu(), by_reader(maps, [windows[one] for one in order], color, normalize)
    assert len({(one.recording_id, one.speed) for one in windows}) == 15
    assert ours.shape == theirs.shape == (len(windows), 6 if "+" in color else 3, 6, data.samples)
    assert ours.dtype == torch.float32
    assert torch.equal(ours.isnan(), theirs.isnan())
    assert 0.02 < ours.isnan().float().mean() < 0.5
    assert (ours - theirs).abs().nan_to_num().max() < largest_error
    assert batch["index"].tolist() == order.tolist()
    assert batch["recording_id"] == [windows[one].recording_id for one in order]


def test_what_was_not_seen_is_the_middle_of_the_range(native):
    windows = played(native)
    for normalize, middle in (("minmax", 127.5), ("zscore", 0.0), ("none", 0.0)):
        known, filled = (MapDataset(native, windows, normalize=normalize, fill=one)[0]["map"] for one in (float("nan"), None))
        assert torch.equal(filled, known.nan_to_num(middle))
    index = next(number for number, one in enumerate(windows) if one.recording_id.startswith("p003"))
    assert (MapDataset(native, windows)[index]["map"] == 127.5).any()


def test_min_max_fills_the_range_and_a_flat_row_its_lower_end(native):
    data = MapDataset(native, recording_id="p001_v1", color="rgb")
    values = data.batch(torch.arange(len(data)))["map"]
    assert (values[:, :, :5].amin(3) == 0).all()
    assert torch.allclose(values[:, :, :5].amax(3), torch.tensor(255.0), atol=1e-4)
    assert (values[:, :, 5] == 0).all()


def test_labels_and_lengths_are_those_of_the_windows(native):
    windows = played(native)
    data = MapDataset(native, windows)
    np.testing.assert_array_equal(data.heart_rate_bpm, [one.heart_rate_bpm for one in windows])
    assert data.duration_s.tolist() == [one.duration_s for one in windows]
    assert (len(data), data.blocks, data.samples) == (len(windows), 6, 90)
    for number in (0, 17, -1):
        one, sample = windows[number], data[number]
        assert sample["heart_rate_bpm"].item() == pytest.approx(one.heart_rate_bpm, nan_ok=True)
        assert sample["duration_s"].item() == pytest.approx(one.duration_s)
        assert (sample["subject"], sample["recording_id"]) == (one.recording_id[:4], one.recording_id)
        assert windows[sample["index"]] == one
    with pytest.raises(IndexError):
        data[len(windows)]


def test_a_window_without_a_label_has_a_map_and_no_target(native):
    windows = [replace(one, heart_rate_bpm=float("nan"), beats=float("nan")) for one in native.windows()[:2]]
    data = MapDataset(native, windows)
    assert np.isnan(data.heart_rate_bpm).all()
    assert data.traces(torch.tensor([0, 1])).means.isfinite().all()


def test_half_precision_around_it_changes_nothing(native):
    means = MapDataset(native, played(native)).traces(torch.arange(20)).means
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = maps_from_means(means, "rgb+yuv")
    assert ours.dtype == torch.float32
    assert torch.equal(ours, maps_from_means(means, "rgb+yuv"))


def test_windows_of_different_sizes_are_refused_with_what_to_do(tmp_path):
    maps = build(tmp_path / "maps", {"length": "3 s", "step": "1 s"})
    with pytest.raises(ConfigError, match=r'47 to 90 samples.*windows.length = "300 frames".*windows.clock = "uniform"'):
        MapDataset(maps, maps.windows())


def test_no_window_at_all_is_refused(native):
    with pytest.raises(ConfigError, match="min_valid_fraction"):
        MapDataset(native, [])


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_window_outside_of_its_recording_is_refused(native, in_memory):
    def read(window):
        data = MapDataset(native, [window])
        return data.to("cpu") if in_memory else data[0]

    windows = native.windows(recording_id="p001_v1")
    end = len(native.trace("p001_v1").times_s)
    for wrong in (replace(windows[0], start=end - 50, stop=end + 40), replace(windows[0], start=-5, stop=85)):
        with pytest.raises(ShardError, match=r"p001_v1: .* 480 samples"):
            read(wrong)
    # as recorded the last window fits; played faster the recording has ended before
    with pytest.raises(ShardError, match=r"p001_v1: .* 320 of a recording played at speed 1\.5"):
        read(replace(windows[-1], speed=1.5))


def test_unknown_names_are_refused(native):
    windows = native.windows()
    with pytest.raises(UnknownNameError, match="'p009_v1'"):
        MapDataset(native, [replace(windows[0], recording_id="p009_v1")])


def test_a_damaged_shard_is_refused(tmp_path):
    maps = build(tmp_path / "maps", CLOCKS["native"])
    (path,) = (maps.root / "shards").rglob("*p002*.h5")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ShardError, match=path.name):
        MapDataset(maps, maps.windows()).to("cpu")


def test_windows_are_chosen_by_the_same_words_as_in_shards(native):
    assert len(MapDataset(native.root)) == len(native.windows(labeled=True, min_valid_fraction=1.0)) < len(native.windows())
    chosen = MapDataset(native, subject=["p001", "p002"], fold=1, min_valid_fraction=0.5)
    assert set(chosen.subjects) == {"p002"}
    low, high = 60.0, 75.0
    among = MapDataset(native, heart_rate_bpm=(low, high), min_valid_fraction=0.0).heart_rate_bpm
    every = np.array([one.heart_rate_bpm for one in native.windows(labeled=True)])
    assert sorted(among) == sorted(every[(every >= low) & (every < high)])
    for wrong in ({"output": "picture"}, {"samples": 90}, {"windows": native.windows(), "fold": 1}):
        with pytest.raises(ValueError, match=r"picture|rate_hz|fold"):
            MapDataset(native, **wrong)
    with pytest.raises(UnknownNameError, match="'yuv'"):
        MapDataset(native, color="yuw")


@pytest.fixture(scope="module")
def pulsed(tmp_path_factory):
    return Shards(folded_maps(tmp_path_factory.mktemp("pulsed") / "maps", pulse=True))


def test_any_build_is_read_at_one_rate_around_the_middle_of_each_window(pulsed):
    windows = pulsed.windows(recording_id="p001_v1")
    data = MapDataset(pulsed, windows, rate_hz=25.0, samples=150, output="trace", pulse=True)
    whole = pulsed.trace("p001_v1", rate_hz=25.0)
    assert np.allclose(np.diff(whole.times_s), 1 / 25)
    for where in (data, data.to("cpu")):
        batch = where.batch(np.arange(len(windows)))
        for number, one in enumerate(windows):
            middle = round((one.start_s + one.stop_s) / 2 * 25)
            start = min(max(middle - 75, 0), len(whole.means) - 150)
            np.testing.assert_array_equal(batch["trace"][number].numpy(), whole.means[start : start + 150])
        assert batch["motion"].shape == (len(windows), 150, 4)
    # loaded with the windows of all recordings, a window is the one that is read alone
    every = MapDataset(pulsed, rate_hz=7.3, samples=20, output="trace")
    index = np.arange(len(every))
    assert torch.equal(every.to("cpu").traces(index).means, every.traces(index).means)
    # as long as the windows where nobody says how long, and longer than the recording: nothing is known beyond its end
    assert MapDataset(pulsed, windows, rate_hz=25.0).samples == round(25 * windows[0].duration_s)
    long = MapDataset(pulsed, windows[:1], rate_hz=25.0, samples=600, output="trace", pulse=True)
    for where in (long, long.to("cpu")):
        sample = where[0]
        assert sample["trace"][len(whole.means) :].isnan().all()
        assert sample["trace"][: len(whole.means)].isfinite().all()
        assert sample["pulse"][len(whole.means) :].isnan().all()


def varying_bpm(times_s):
    return 70 + 8 * np.sin(2 * np.pi * 0.07 * times_s)


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """A pulse label that is 0.3 s late, and one that is not in the traces."""
    true = simulated_result(varying_bpm, 24.0, "late", pulse=True, grid=RoiGrid(2, 2))
    late = replace(true, pulse=replace(true.pulse, times_s=true.pulse.times_s + 0.3))
    alien = simulated_result(varying_bpm, 24.0, "alien", pulse=True, grid=RoiGrid(2, 2))
    alien = replace(alien, pulse=replace(alien.pulse, value=np.random.default_rng(0).normal(size=len(alien.pulse.value))))
    settings = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "240 frames", "step": "2 s"}})
    return Shards(example_maps(tmp_path_factory.mktemp("labeled") / "maps", [late, alien], settings)), true.pulse


@pytest.mark.parametrize("speed", [1.0, 1.3, 0.8])
@pytest.mark.parametrize("rate_hz", [None, 25.0])
def test_the_pulse_of_a_window_is_the_one_in_its_trace_without_the_lag_of_the_label(labeled, speed, rate_hz):
    shards, true = labeled
    times_s = shards.sample_times("late", speed)
    window = Window("late", 20, 260, times_s[20], times_s[260], 70 * speed, np.nan, 1.0, speed=speed)
    data = MapDataset(shards, [window], pulse=True, output="trace", rate_hz=rate_hz)
    pulse = data[0]["pulse"].numpy()
    assert np.isfinite(pulse).all()
    at_s = times_s[20:260] if rate_hz is None else times_s[20] + np.arange(data.samples) / rate_hz
    # 0.3 s later it would be 0.4
    assert np.corrcoef(np.interp(at_s * speed, true.times_s, true.value), pulse)[0, 1] > 0.93


def test_a_pulse_label_that_is_not_in_the_traces_is_left_out(labeled):
    shards, _ = labeled
    data = MapDataset(shards, recording_id="alien", pulse=True)
    assert data[0]["pulse"].isnan().all()
    assert data[0]["map"].isfinite().all()


@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_motion_is_played_as_fast_as_the_trace(tmp_path, speed):
    one = simulated_result(varying_bpm, 12.0, "turning", grid=RoiGrid(2, 2))
    times_s = one.blocks.times_s
    shift_px = 10 * np.sin(2 * np.pi * 0.5 * times_s)
    points_px = np.random.default_rng(0).normal(300.0, 50.0, (1, 68, 2)).repeat(len(times_s), axis=0)
    points_px[:, :, 0] += shift_px[:, None]
    one = replace(one, track=replace(one.track, points_px=points_px.astype(np.float32)))
    settings = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "100 frames", "step": "2 s"}})
    shards = Shards(example_maps(tmp_path / "maps", [one], settings))
    played_s = shards.sample_times("turning", speed)
    window = Window("turning", 10, 110, played_s[10], played_s[110], 70 * speed, np.nan, 1.0, speed=speed)
    motion = MapDataset(shards, [window], pulse=True)[0]["motion"].numpy()
    assert np.corrcoef(motion[:, 0], np.sin(2 * np.pi * 0.5 * speed * played_s[10:110]))[0, 1] > 0.99
    assert np.ptp(motion[:, 2]) < 1e-2


# a process that is spawned imports torch
@pytest.mark.parametrize(("method", "workers", "in_memory"), [("fork", 2, False), ("spawn", 1, False), ("spawn", 1, True)])
def test_workers_read_what_the_main_process_reads(native, method, workers, in_memory):
    data = MapDataset(native, subject="p001")
    expected = data.batch(np.arange(len(data)))
    data = data.to("cpu") if in_memory else data
    loader = torch.utils.data.DataLoader(data, batch_size=5, num_workers=workers, multiprocessing_context=method)
    batches = list(loader)
    assert torch.equal(torch.cat([one["map"] for one in batches]), expected["map"])
    assert [name for one in batches for name in one["subject"]] == expected["subject"]


def test_what_is_sent_to_a_worker_holds_no_trace_that_was_read(native):
    data = MapDataset(native, subject="p001", pulse=True)
    before = len(pickle.dumps(data))
    data.batch(np.arange(len(data)))
    assert data.shards.cached_bytes > 30_000
    assert len(pickle.dumps(data)) == before < 20_000
    assert torch.equal(pickle.loads(pickle.dumps(data))[3]["map"], data[3]["map"])  # noqa: S301 - our own


def test_no_more_is_kept_than_the_cache_may_hold(native):
    windows = played(native)
    with Shards(native.root, cache_bytes=150_000) as shards:
        data = MapDataset(shards, windows, pulse=True)
        largest = 0
        for number in np.random.default_rng(0).permutation(len(windows))[:60].tolist():
            data[number]
            largest = max(largest, shards.cached_bytes)
        assert 50_000 < largest <= 150_000


def test_in_memory_there_is_no_more_than_the_windows_need(native):
    one = native.windows(recording_id="p001_v1")[0]
    data = MapDataset(native, [one, replace(one, start=30, stop=120), replace(one, speed=0.9)], output="trace").to("cpu")
    # 120 samples as recorded, 90 at the other speed, of six blocks in three colors
    assert "0 MB on cpu" in repr(data)
    assert data._rows.shape == (120 + 90, 18)
