"""Finished maps for other people's trainers."""

import dataclasses
import json

import cv2
import h5py
import numpy as np
import pytest

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, ShardError, UnknownNameError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.shards import Shards, export_by_subject, export_windows, read_table
from stmap_pipeline.shards.example import example_maps


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return Shards(example_maps(tmp_path_factory.mktemp("build") / "maps"))


def build(folder, *results, **windows):
    settings = {"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "1 s"} | windows}
    return Shards(example_maps(folder, results, Config.from_mapping(settings)))


def unseen_block(one, block):
    means = one.blocks.means.copy()
    means[:, block] = np.nan
    return dataclasses.replace(one, blocks=dataclasses.replace(one.blocks, means=means))


def test_hdf5_holds_one_chunk_a_window_in_the_order_of_the_table(maps, tmp_path):
    steps = list(export_windows(maps, tmp_path / "out"))
    assert [one.done for one in steps] == list(range(1, 11))
    rows = read_table(tmp_path / "out" / "windows.csv")
    with h5py.File(tmp_path / "out" / "windows.h5") as file:
        assert file["maps"].shape == (10, 4, 60, 3)
        assert file["maps"].chunks == (1, 4, 60, 3)
        assert file["maps"].dtype == np.uint8
        assert file["maps"].compression is None
        assert file.attrs["channels"] == "Y,U,V"
        for index, window in enumerate(maps.windows()):
            expected = maps.stmap(window, fill="interpolate").values
            assert np.array_equal(file["maps"][index], np.rint(expected))
            assert file["recording_id"].asstr()[index] == rows[index]["recording_id"] == window.recording_id
            assert file["heart_rate_bpm"][index] == window.heart_rate_bpm
            assert file["start"][index] == window.start
        assert file["beats"].attrs["units"] == "beats"
        assert file["rate_hz"][9] == pytest.approx(24.0)
    assert json.loads((tmp_path / "out" / "export.json").read_text())["channels"] == ["Y", "U", "V"]
    assert read_table(tmp_path / "out" / "skipped.csv") == []


def test_float32_keeps_decimals_and_nan(maps, tmp_path):
    list(export_windows(maps, tmp_path / "out", dtype="float32", normalize="none", fill="nan", color="rgb"))
    with h5py.File(tmp_path / "out" / "windows.h5") as file:
        for index, window in enumerate(maps.windows()):
            expected = maps.stmap(window, normalize="none", color="rgb").values
            assert np.array_equal(file["maps"][index], expected, equal_nan=True)
        assert np.isnan(file["maps"][...]).any()


def test_the_same_build_exports_the_same_hdf5(maps, tmp_path):
    for name in ("a", "b"):
        list(export_windows(maps, tmp_path / name))
    for name in ("windows.h5", "windows.csv", "windows.json", "skipped.csv", "export.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_pictures_hold_the_channels_in_their_order(maps, tmp_path):
    list(export_windows(maps, tmp_path / "out", "png", color="yuv"))
    rows = read_table(tmp_path / "out" / "windows.csv")
    for row, window in zip(rows, maps.windows(), strict=True):
        assert row["file"] == f"png/{window.recording_id}/{window.start:06d}.png"
        picture = cv2.imread(str(tmp_path / "out" / row["file"]), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (4, 60, 3)
        red_green_blue = picture[:, :, ::-1]
        assert np.array_equal(red_green_blue, np.rint(maps.stmap(window, fill="interpolate").values))
        assert row["heart_rate_bpm"] == window.heart_rate_bpm
    assert len(list((tmp_path / "out" / "png").rglob("*.png"))) == 10


def test_a_combination_becomes_a_picture_a_color_space(maps, tmp_path):
    list(export_windows(maps, tmp_path / "out", "png", color="rgb+yuv"))
    row = read_table(tmp_path / "out" / "windows.csv")[0]
    assert row["file_yuv"] == "png/p001_v1/000000_yuv.png"
    for space in ("rgb", "yuv"):
        picture = cv2.imread(str(tmp_path / "out" / row[f"file_{space}"]), cv2.IMREAD_UNCHANGED)[:, :, ::-1]
        assert np.array_equal(picture, np.rint(maps.stmap(maps.windows()[0], color=space).values))


def test_each_window_is_written_or_named_with_its_reason(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=90), heart_rate=None)
    lost = example_result("p001_v2", frames=90, lost=slice(0, 80))
    blind = example_result("p001_v3", frames=90, lost=slice(0, 90))
    maps = build(tmp_path / "maps", bare, lost, blind, example_result("p001_v4", frames=90))

    def reasons(name, **choices):
        *_, last = export_windows(maps, tmp_path / name, **choices)
        skipped = read_table(tmp_path / name / "skipped.csv")
        written = read_table(tmp_path / name / "windows.csv")
        assert (last.done, last.total, last.written, last.skipped) == (8, 8, len(written), len(skipped))
        every = [(row["recording_id"], row["start"]) for row in [*written, *skipped]]
        assert sorted(every) == sorted((one.recording_id, one.start) for one in maps.windows())
        return {(row["recording_id"], row["start"]): row["reason"] for row in skipped}

    unseen = {("p001_v3", 0): "not_seen", ("p001_v3", 30): "not_seen", ("p001_v2", 0): "not_seen"}
    assert reasons("a") == unseen
    assert reasons("b", fill="nan") == unseen | {("p001_v2", 30): "gaps"}
    assert reasons("c", fill="nan", dtype="float32") == unseen
    assert reasons("d", labeled=True) == unseen | {("p001_v1", 0): "unlabeled", ("p001_v1", 30): "unlabeled"}
    few = {("p001_v2", 0), ("p001_v2", 30), ("p001_v3", 0), ("p001_v3", 30)}
    assert reasons("e", min_valid_fraction=0.5) == dict.fromkeys(few, "valid_fraction")


def test_a_block_never_seen_is_a_row_of_zeros_and_counted(tmp_path):
    maps = build(tmp_path / "maps", unseen_block(example_result("p001_v1", frames=90), 2))
    list(export_windows(maps, tmp_path / "out"))
    with h5py.File(tmp_path / "out" / "windows.h5") as file:
        assert np.all(file["maps"][:, 2] == 0)
        assert file["maps"][:, [0, 1, 3]].max() == 255
        assert file["unseen_blocks"][...].tolist() == [1, 1]


def test_windows_of_different_length_need_pictures_or_another_clock(tmp_path):
    results = [example_result("p001_v1", frames=90), example_result("p001_v2", frames=90, rate_hz=20.0)]
    maps = build(tmp_path / "maps", *results, length="2 s")
    with pytest.raises(ShardError, match=r'40 to 60 samples.*windows\.clock = "uniform"'):
        list(export_windows(maps, tmp_path / "out"))
    list(export_windows(maps, tmp_path / "out", "png"))
    assert cv2.imread(str(tmp_path / "out" / "png" / "p001_v2" / "000000.png")).shape == (4, 40, 3)


def test_a_build_without_a_window_to_export_says_why(tmp_path):
    maps = build(tmp_path / "maps", example_result("p001_v1", frames=90, lost=slice(0, 90)))
    with pytest.raises(ShardError, match=r"2 windows .*not_seen"):
        list(export_windows(maps, tmp_path / "out"))
    short = build(tmp_path / "short", example_result("p001_v1", frames=20))
    with pytest.raises(ShardError, match="0 windows"):
        list(export_windows(short, tmp_path / "out", "png"))
    assert not (tmp_path / "out").exists()


def test_a_full_folder_is_refused_and_left_alone(maps, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="out"):
        list(export_windows(maps, tmp_path / "out"))
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("form", ["hdf5", "png"])
def test_an_export_given_up_leaves_nothing(maps, tmp_path, form):
    steps = export_windows(maps, tmp_path / "out", form)
    next(steps)
    assert not (tmp_path / "out").exists()
    steps.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("choices", "error", "text"),
    [
        ({"layout": "tiff"}, UnknownNameError, "tiff.*hdf5, nest, npy, png, rhythmnet"),
        ({"dtype": "uint16"}, ValueError, "uint16.*float32, uint8"),
        ({"normalize": "zscore"}, ValueError, "'minmax', not 'zscore'.*hdf5 with float32"),
        ({"layout": "png", "normalize": "none", "dtype": "float32"}, ValueError, "'none'"),
        ({"color": "hsv"}, UnknownNameError, "'hsv'"),
        ({"fill": "zero"}, ValueError, "zero.*nan, interpolate"),
    ],
)
def test_wrong_choices_are_named_before_anything_is_written(maps, tmp_path, choices, error, text):
    with pytest.raises(error, match=text):
        list(export_windows(maps, tmp_path / "out", **choices))
    assert list(tmp_path.iterdir()) == []


def test_each_subject_gets_a_folder_also_one_of_whom_nothing_can_be_used(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=90), heart_rate=None)
    maps = build(tmp_path / "maps", bare, example_result("p002_v1", subject="p002", frames=90))
    steps = list(export_by_subject(maps.root, tmp_path / "out"))
    assert [(one.done, one.total, one.written, one.skipped) for one in steps] == [(2, 4, 0, 2), (4, 4, 2, 2)]
    assert [row["reason"] for row in read_table(tmp_path / "out" / "p001" / "skipped.csv")] == ["unlabeled", "unlabeled"]
    with h5py.File(tmp_path / "out" / "p002" / "windows.h5") as file:
        assert file["maps"].shape == (2, 4, 60, 3)
    assert json.loads((tmp_path / "out" / "p002" / "export.json").read_text())["augmented"] is True


def test_nothing_to_write_for_anybody_is_an_error_and_leaves_nothing(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=90), heart_rate=None)
    maps = build(tmp_path / "maps", bare)
    with pytest.raises(ShardError, match=r"2 windows .*windows\.csv"):
        list(export_by_subject(maps.root, tmp_path / "out"))
    with pytest.raises(ValueError, match="'none'"):
        list(export_by_subject(maps.root, tmp_path / "out", normalize="none"))
    assert not (tmp_path / "out").exists()
