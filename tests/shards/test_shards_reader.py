"""Reading a finished build."""

import dataclasses
import multiprocessing
import os
import pickle

import h5py
import numpy as np
import pytest
from shard_examples import same
from support.maps import small_maps

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ConfigError, ShardError, UnknownNameError
from stmap_pipeline.maps import make_stmap, stmap_from_means
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards, check_manifest, read_recording
from stmap_pipeline.shards.example import example_maps

UNIFORM = Config.from_mapping(
    {"blocks": {"rows": 2, "cols": 2}, "windows": {"clock": "uniform", "rate_hz": 20, "length": "2 s", "step": "1 s"}}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return example_maps(tmp_path_factory.mktemp("build") / "maps")


@pytest.fixture
def maps(folder):
    with Shards(folder) as opened:
        yield opened


def test_recordings_windows_and_maps_in_three_lines(folder):
    maps = Shards(str(folder))
    for window in maps.windows():
        assert maps.stmap(window, color="yuv").values.shape == (4, 60, 3)
    maps.close()


def test_recordings_are_listed_with_their_figures(maps):
    infos = maps.recordings()
    assert [one.recording_id for one in infos] == ["p001_v1", "p001_v2", "p002_v1"]
    assert infos[1].heart_rate_mean_bpm == 96.0
    assert infos[1].valid_fraction == pytest.approx(110 / 150)
    assert infos[2].attributes == {"clock": "constant", "detections": 10, "median_interval_s": 1 / 24}
    assert [one.recording_id for one in maps.recordings(subject="p002")] == ["p002_v1"]
    assert [one.recording_id for one in maps.recordings(fold=[1, 3])] == ["p001_v1", "p001_v2"]


def test_windows_are_filtered(maps):
    assert len(maps.windows()) == 10
    assert {one.recording_id for one in maps.windows(subject=["p001"])} == {"p001_v1", "p001_v2"}
    assert {one.recording_id for one in maps.windows(fold=2)} == {"p002_v1"}
    assert {one.recording_id for one in maps.windows(recording_id="p001_v2")} == {"p001_v2"}
    assert all(one.valid_fraction == 1 for one in maps.windows(min_valid_fraction=1.0))
    assert 0 < len(maps.windows(min_valid_fraction=1.0)) < 10
    assert maps.windows(subject="p009") == []


def test_windows_without_label_are_there_unless_asked_otherwise(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=120), heart_rate=None)
    maps = Shards(example_maps(tmp_path, [bare, example_result("p001_v2", frames=120)]))
    assert len(maps.windows()) == 6
    assert {one.recording_id for one in maps.windows(labeled=True)} == {"p001_v2"}


def test_a_map_is_that_of_the_stored_trace(maps):
    window = maps.windows(recording_id="p001_v2")[1]
    result = maps.recording("p001_v2")
    for color, normalize, fill in (("yuv", "minmax", "nan"), ("rgb+ycbcr", "zscore", "interpolate"), ("rgb", "none", "nan")):
        ours = maps.stmap(window, color=color, normalize=normalize, fill=fill)
        theirs = make_stmap(result.blocks, window.start, window.stop, color=color, normalize=normalize, fill=fill)
        assert np.array_equal(ours.values, theirs.values, equal_nan=True)
        assert (ours.color_space, ours.normalized) == (theirs.color_space, theirs.normalized)


def test_the_uniform_clock_of_the_build_is_honored(tmp_path):
    results = [example_result("p001_v1", frames=150), example_result("p001_v2", frames=150, lost=slice(70, 100))]
    maps = Shards(example_maps(tmp_path, results, UNIFORM))
    for window in maps.windows():
        result = maps.recording(window.recording_id)
        theirs = make_stmap(result.blocks, window.start, window.stop, rate_hz=20)
        assert np.array_equal(maps.stmap(window).values, theirs.values, equal_nan=True)
        assert theirs.values.shape == (4, 40, 3)
    with pytest.raises(ShardError, match=r"100 samples .*uniform"):
        maps.stmap(dataclasses.replace(maps.windows()[0], start=90, stop=130))


def test_a_recording_comes_back_whole(maps, folder):
    for path in (folder / "shards").iterdir():
        stored = read_recording(path)
        same(maps.recording(stored.recording.recording_id), stored)


def test_outcomes_are_there_for_each_listed_recording(maps):
    assert [(one.recording_id, one.status, one.reason) for one in maps.outcomes()][2:] == [
        ("p002_v1", "ok", ""),
        ("p003_v1", "failed", "no_face"),
    ]


def test_repr_tells_the_counts(maps, folder):
    assert repr(maps) == f"Shards({str(folder)!r}: 3 recordings of 2 subjects, 10 windows (10 labeled))"


def read_one(maps, window):
    values = maps.stmap(window).values
    return os.getpid(), values.sum()


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_it_can_be_sent_to_another_process_after_reading(maps, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    window = maps.windows()[0]
    expected = maps.stmap(window).values.sum()
    with multiprocessing.get_context(method).Pool(1) as pool:
        pid, total = pool.apply(read_one, (maps, window))
    assert pid != os.getpid()
    assert total == expected
    assert maps.stmap(window).values.sum() == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_reads_on_its_own(maps):
    # not sent but inherited, as the workers of a data loader do
    window, other = maps.windows()[0], maps.windows()[-1]
    assert window.recording_id != other.recording_id
    expected = maps.stmap(window).values
    child = os.fork()
    if child == 0:
        fine = np.array_equal(maps.stmap(window).values, expected) and maps.stmap(other).values.size > 0
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(maps.stmap(window).values, expected)


def test_a_copy_by_pickle_takes_no_open_file_along(maps, monkeypatch, folder):
    maps.stmap(maps.windows()[0])
    monkeypatch.chdir(folder.parent)
    data = pickle.dumps(Shards(folder.name))
    monkeypatch.chdir("/")
    assert len(data) < 1000
    assert len(pickle.loads(data).windows()) == 10  # noqa: S301 - our own bytes


def test_no_file_stays_open_and_closing_is_not_the_end(folder):
    maps = Shards(folder)
    before = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    for window in maps.windows():
        maps.stmap(window)
        maps.source(window.recording_id)
        maps.recording(window.recording_id)
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == before
    maps.close()
    assert maps.stmap(maps.windows()[0]).values.shape == (4, 60, 3)


def test_unknown_names_are_answered(maps):
    with pytest.raises(UnknownNameError, match="'p009'; the first of 3 is 'p001_v1'"):
        maps.recording("p009")
    with pytest.raises(UnknownNameError, match="'hsv'"):
        maps.stmap(maps.windows()[0], color="hsv")
    with pytest.raises(UnknownNameError):
        maps.stmap(Window("p009", 0, 60, 0.0, 2.0, 60.0, 2.0, 1.0))


@pytest.mark.parametrize(("start", "stop"), [(-5, 55), (90, 150), (60, 60)])
def test_a_window_outside_its_recording_is_refused(maps, start, stop):
    with pytest.raises(ShardError, match=r"p001_v1: .* do not lie inside its 120 samples \(native clock\)"):
        maps.stmap(dataclasses.replace(maps.windows()[0], start=start, stop=stop))


def test_an_unfinished_build_says_what_to_do(tmp_path):
    example_maps(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ShardError, match=r"manifest\.json"):
        Shards(tmp_path)


@pytest.mark.parametrize("change", ["missing", "truncated", "grown", "flipped", "unlisted"])
def test_a_damaged_shard_is_named_and_never_read_as_numbers(tmp_path, change):
    example_maps(tmp_path)
    path = tmp_path / "shards" / "p001_v1.h5"
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    elif change == "truncated":
        path.write_bytes(data[:-100])
    elif change == "grown":
        path.write_bytes(data + b"\0")
    elif change == "flipped":
        with h5py.File(path) as file:
            chunk = file["means"].id.get_chunk_info(0)
        middle = chunk.byte_offset + chunk.size // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        manifest = tmp_path / "manifest.json"
        manifest.write_text(manifest.read_text().replace("shards/p001_v1.h5", "shards/p009.h5"))
    maps = Shards(tmp_path)
    for read in (lambda: maps.stmap(maps.windows()[0]), lambda: maps.recording("p001_v1")):
        with pytest.raises(ShardError, match=r"p001_v1\.h5"):
            read()
    assert check_manifest(tmp_path)


def test_a_recording_cannot_lie_outside_of_the_folder(tmp_path):
    maps = example_maps(tmp_path / "maps")
    for name in ("recordings.csv", "manifest.json"):
        path = maps / name
        path.write_text(path.read_text().replace("p002_v1", "../../p002_v1"))
    (maps / "shards" / "p002_v1.h5").rename(tmp_path / "p002_v1.h5")
    with pytest.raises(ShardError):
        Shards(maps).recording("../../p002_v1")


def test_a_file_behind_a_link_is_not_read(tmp_path):
    maps = Shards(example_maps(tmp_path / "maps"))
    path = maps.root / "shards" / "p001_v1.h5"
    path.rename(tmp_path / "elsewhere.h5")
    path.symlink_to(tmp_path / "elsewhere.h5")
    for read in (lambda: maps.stmap(maps.windows()[0]), lambda: maps.recording("p001_v1"), lambda: maps.means("p001_v1")):
        with pytest.raises(ShardError, match="is a link"):
            read()


def test_a_file_under_the_name_of_another_recording_is_refused(tmp_path):
    maps = Shards(example_maps(tmp_path / "maps", [example_result("a"), example_result("b")]))
    (maps.root / "shards" / "a.h5").write_bytes((maps.root / "shards" / "b.h5").read_bytes())
    for read in (lambda: maps.recording("a"), lambda: maps.means("a")):
        with pytest.raises(ShardError, match="holds"):
            read()


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        ("windows.csv", "p001_v1,p001,0,", "p007_v1,p001,0,", r"windows\.csv.*manifest\.json"),
        ("recordings.csv", "recording_id,", "id,", r"recordings\.csv.*recordings\.json"),
        ("outcomes.csv", ",failed,", ",broken,", r"outcomes\.csv.*'broken'"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, name, old, new, text):
    example_maps(tmp_path)
    path = tmp_path / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    maps = Shards(tmp_path)
    with pytest.raises(ShardError, match=text):
        maps.recordings(), maps.windows(), maps.outcomes()
    assert repr(maps).startswith("Shards(")


def test_a_wrong_configuration_is_named(tmp_path):
    example_maps(tmp_path)
    (tmp_path / "stmap.toml").write_text("[windows]\nlength = 'long'\n")
    with pytest.raises(ConfigError, match=r"windows\.length"):
        Shards(tmp_path)


@pytest.mark.parametrize("clock", [{}, {"clock": "uniform", "rate_hz": 24.0}])
def test_a_trace_on_the_clock_of_the_windows_is_what_their_maps_are_cut_from(clock, tmp_path):
    maps = Shards(small_maps(tmp_path / "maps", **clock))
    one = maps.windows()[3]
    trace = maps.trace(one.recording_id)
    assert trace.times_s[one.start] == one.start_s
    expected = stmap_from_means(trace.times_s[one.start : one.stop], trace.means[one.start : one.stop])
    assert np.array_equal(maps.stmap(one).values, expected.values)
    for speed in (0.67, 1.25):
        played = maps.trace(one.recording_id, speed)
        assert len(played.times_s) == len(played.means) == pytest.approx((len(trace.times_s) - 1) / speed + 1, abs=1)
        assert played.times_s[-1] * speed <= trace.times_s[-1] + 1e-9
        # each sample is the same, whichever others are asked for
        assert np.array_equal(maps.trace(one.recording_id, speed, 20, 70).means, played.means[20:70])
    with pytest.raises(ShardError, match="0 to 999 "):
        maps.trace(one.recording_id, 1.25, 0, 999)
    with pytest.raises(ShardError, match="speed must be positive"):
        maps.trace(one.recording_id, 0.0)


def test_traces_in_memory_stay_below_the_limit(tmp_path):
    root = small_maps(tmp_path / "maps")
    speeds = (1.0, 0.8)

    def sizes(maps):
        found = []
        for one in maps.recordings() * 2:
            for speed in speeds:
                maps.trace(one.recording_id, speed)
                found.append(maps.cached_bytes)
        return found

    whole = sizes(Shards(root))
    assert whole[-1] == whole[len(whole) // 2 - 1] == max(whole)
    limit = whole[3] + 100
    assert max(sizes(Shards(root, cache_bytes=limit))) <= limit
    # one that is larger than the limit is used all the same
    assert Shards(root, cache_bytes=1).trace("p001_v1").means.shape == (240, 4, 3)
    copy = pickle.loads(pickle.dumps(Shards(root, cache_bytes=limit)))  # noqa: S301
    assert max(sizes(copy)) <= limit
    copy.close()
    assert copy.cached_bytes == 0
