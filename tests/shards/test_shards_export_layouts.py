"""Layouts of other people's trainers: names, shapes, types and ranges as their loaders read them."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from support.maps import add_augmentation, folded_maps, simulated_result

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import VideoSource
from stmap_pipeline.shards import Shards, export_windows, read_table
from stmap_pipeline.shards.example import example_maps


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return Shards(add_augmentation(folded_maps(tmp_path_factory.mktemp("layouts") / "maps", grid=(2, 3), step="2 s")))


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_npy_is_arrays_in_the_order_of_the_table(maps, tmp_path):
    *_, last = export_windows(maps, tmp_path / "out", "npy", augmented=True)
    rows = read_table(tmp_path / "out" / "windows.csv")
    arrays = {name: np.load(tmp_path / "out" / f"{name}.npy") for name in ("maps", "heart_rate_bpm", "fold", "pulse")}
    assert last.written == len(rows) == len(maps.windows(augmented=True))
    assert arrays["maps"].shape == (len(rows), 6, 240, 3)
    assert (arrays["maps"].dtype, arrays["pulse"].dtype) == (np.uint8, np.float32)
    for index, window in enumerate(maps.windows(augmented=True)):
        assert np.array_equal(arrays["maps"][index], np.rint(maps.stmap(window, fill="interpolate").values))
        assert arrays["heart_rate_bpm"][index] == window.heart_rate_bpm
        assert arrays["fold"][index] == window.fold
    assert np.isnan(arrays["pulse"]).all()  # these recordings have none
    list(export_windows(maps, tmp_path / "float", "npy", dtype="float32", normalize="none", color="rgb"))
    assert np.load(tmp_path / "float" / "maps.npy").dtype == np.float32
    assert sorted(one.name for one in (tmp_path / "float").iterdir() if one.suffix == ".npy") == [
        "fold.npy",
        "heart_rate_bpm.npy",
        "maps.npy",
        "pulse.npy",
    ]


def with_pulse(recording_id: str, subject: str, bpm: float, database: str = "vipl-hr"):
    one = simulated_result(bpm, 12.0, recording_id, pulse=True)
    recording = dataclasses.replace(one.recording, subject=subject, database=database, video=VideoSource(Path("v.avi")))
    return dataclasses.replace(one, recording=recording)


def test_the_pulse_of_a_window_is_at_its_samples(tmp_path):
    settings = Config.from_mapping({"windows": {"length": "240 frames", "step": "1 s"}})
    root = example_maps(tmp_path / "maps", [with_pulse("p001_v1", "p001", 72.0)], settings)
    with Shards(root) as shards:
        list(export_windows(shards, tmp_path / "out", "npy"))
        pulse = np.load(tmp_path / "out" / "pulse.npy")
        truth = shards.recording("p001_v1").pulse
        for index, window in enumerate(shards.windows()):
            times_s = shards.trace("p001_v1", 1.0, window.start, window.stop).times_s
            assert np.allclose(pulse[index], np.interp(times_s, truth.times_s, truth.value), atol=1e-5)


def test_rhythmnet_has_an_array_and_a_table_for_each_video(maps, tmp_path):
    *_, last = export_windows(maps, tmp_path / "out", "rhythmnet", augmented=True)
    out = tmp_path / "out"
    assert last.written > len(maps.windows())
    videos = sorted(one.stem for one in (out / "st_maps").iterdir())
    assert len({one.partition("_x")[0] for one in videos}) == len(maps.recordings())
    for name in videos:
        array = np.load(out / "st_maps" / f"{name}.npy")
        bpm = [float(row["hr_bpm"]) for row in rows_of(out / "hr_csv" / f"{name}.csv")]
        assert array.shape == (len(bpm), 240, 6, 3)
        assert (array.dtype, array.min(), array.max()) == (np.uint8, 0, 255)
        assert np.allclose(np.load(out / "gt" / f"{name}.npy"), bpm, atol=1e-6)
    for row, window in ((row, maps.windows()[0]) for row in read_table(out / "windows.csv")[:1]):
        values = np.rint(maps.stmap(window, fill="interpolate").values)
        assert np.array_equal(np.load(out / row["file"])[row["index"]], values.transpose(1, 0, 2))


def test_rhythmnet_folds_divide_subjects_and_never_test_on_resampled_windows(maps, tmp_path):
    list(export_windows(maps, tmp_path / "out", "rhythmnet", augmented=True))
    folds = rows_of(tmp_path / "out" / "folds.csv")
    assert {row["iteration"] for row in folds} == {"1", "2"}
    for fold in ("1", "2"):
        tested = {row["video"] for row in folds if (row["iteration"], row["set"]) == (fold, "V")}
        trained = {row["video"] for row in folds if (row["iteration"], row["set"]) == (fold, "T")}
        assert not any("_x" in name for name in tested)
        assert any("_x" in name for name in trained)
        assert not {name.split("/")[1][:4] for name in tested} & {name.split("/")[1][:4] for name in trained}
    record = rows_of(tmp_path / "out" / "record.csv")
    assert len(record) == len(maps.recordings())
    assert {(row["fold"], row["task"], row["source"]) for row in record} == {(f, t, "1") for f in "12" for t in "12"}
    assert all(np.load(row["input_files"]).shape[0] == np.load(row["gt_files"]).size for row in record)
    assert all(28 < float(row["Fs"]) < 32 for row in record)


def test_rhythmnet_without_folds_divides_the_subjects(tmp_path):
    results = [example_result(f"p{number:03d}.v", subject=f"p{number:03d}", fold=0, frames=90) for number in range(7)]
    settings = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames"}})
    with Shards(example_maps(tmp_path / "maps", results, settings)) as shards:
        list(export_windows(shards, tmp_path / "out", "rhythmnet"))
    record = rows_of(tmp_path / "out" / "record.csv")
    assert [row["fold"] for row in record] == ["1", "2", "3", "4", "5", "1", "2"]
    # a dot would cut the name
    assert all("." not in one.stem for one in (tmp_path / "out" / "st_maps").iterdir())


@pytest.mark.parametrize(
    ("database", "image", "pulse", "rate"),
    [
        ("vipl-hr", "STMap_RGB_Align_CSI.png", "Label_CSI/BVP_Filt.mat", "Label_CSI/HR.mat"),
        ("pure", "STMap.png", "Label/BVP.mat", "Label/HR.mat"),
    ],
)
def test_nest_has_an_image_and_labels_of_each_recording(tmp_path, database, image, pulse, rate):
    results = [with_pulse("p001_v1", "p001", 66.0, database), with_pulse("p002_v1", "p002", 90.0, database)]
    with Shards(example_maps(tmp_path / "maps", results, Config())) as shards:
        steps = list(export_windows(shards, tmp_path / "out", "nest", color="rgb"))
        assert [one.written for one in steps] == [1, 2]
        for one in results:
            folder = tmp_path / "out" / one.recording.recording_id
            picture = cv2.imread(str(folder / "STMap" / image))
            samples = int((one.blocks.times_s[-1] - one.blocks.times_s[0]) * 30) + 1
            assert picture.shape == (25, samples, 3)
            assert (picture.min(axis=1).max(), picture.max(axis=1).min()) == (0, 255)
            bvp = scipy.io.loadmat(folder / pulse)["BVP"].reshape(-1)
            bpm = scipy.io.loadmat(folder / rate)["HR"].reshape(-1)
            assert bvp.size == bpm.size == samples
            rates_bpm = 60 * np.fft.rfftfreq(8 * samples, 1 / 30)
            spectrum = np.abs(np.fft.rfft((bvp - bvp.mean()) * np.hanning(samples), 8 * samples))
            assert rates_bpm[np.argmax(spectrum)] == pytest.approx(bpm.mean(), abs=1.5)
            # block 1 of the trainer lies below block 0
            times_s = one.blocks.times_s
            below = np.interp(np.arange(samples) / 30 + times_s[0], times_s, one.blocks.means[:, 5, 1])
            row = picture[1, :, 1].astype(float)
            assert np.corrcoef(row, below)[0, 1] > 0.98
        with pytest.raises(ShardError, match="nest has whole recordings"):
            list(export_windows(shards, tmp_path / "more", "nest", augmented=True))


def test_nest_leaves_out_what_has_no_pulse(tmp_path):
    bare = simulated_result(72.0, 12.0, "p003_v1")
    results = [
        with_pulse("p001_v1", "p001", 66.0),
        dataclasses.replace(bare, recording=dataclasses.replace(bare.recording, video=VideoSource(Path("v.avi")))),
    ]
    with Shards(example_maps(tmp_path / "maps", results, Config())) as shards:
        *_, last = export_windows(shards, tmp_path / "out", "nest", color="rgb")
    assert (last.written, last.skipped) == (1, 1)
    assert [(row["recording_id"], row["reason"]) for row in read_table(tmp_path / "out" / "skipped.csv")] == [
        ("p003_v1", "no_pulse")
    ]
