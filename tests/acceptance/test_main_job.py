"""The main job from end to end: videos in, through the command line, shards and tables out, and the pulse is in them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from support.cli import Run, stmap
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.evaluation import compare_heart_rate
from stmap_pipeline.project import read_project
from stmap_pipeline.shards import Shards, check_manifest

# a window of 300 frames takes 12 s at the 25 frames/s of MMSE-HR, and 10.4 s at the 29 of a phone
SECONDS = {"vipl-hr": "10", "mmse-hr": "12", "folder": "10.5"}


@dataclass(frozen=True, slots=True)
class Built:
    """A source, the output made of it, and what the command said."""

    source: Path
    out: Path
    run: Run

    @property
    def truth(self) -> dict[str, dict]:
        """What a synthetic database tells of each recording."""
        return {one["recording_id"]: one for one in json.loads((self.source / "synthetic.json").read_text("utf-8"))["recordings"]}


def draw(folder: Path, layout: str, subjects: int) -> Path:
    how_much = ("--subjects", str(subjects), "--seed", "1", "--duration", SECONDS[layout])
    run = stmap("synth", folder, "--layout", layout, *how_much, "-j", "2")
    assert run.code == 0, run.err
    return folder


def build(source: Path, out: Path, database: str, *more: str | Path) -> Built:
    return Built(source, out, stmap("build-maps", "--db", database, source, out, "--jobs", "2", *more))


def break_all(source: Path) -> None:
    """Damage a drawn VIPL-HR of two subjects so that each recording but one fails for another reason."""
    first, second = source / "data" / "p1", source / "data" / "p2"
    for scenario, camera in (("v1", "source3"), ("v1-2", "source1")):
        # enough is left to look at, and time is short
        shutil.rmtree(first / scenario / camera)
    (first / "v1" / "source1" / "time.txt").unlink()
    (first / "v1" / "source2" / "gt_HR.csv").write_bytes(b"HR\r\nseventy\r\n")
    (first / "v7" / "source2" / "video.avi").write_bytes(b"")
    times = (second / "v1" / "source1" / "time.txt").read_bytes().splitlines(keepends=True)
    (second / "v1" / "source1" / "time.txt").write_bytes(b"".join(times[: len(times) * 3 // 4]))
    write_video(second / "v1" / "source2" / "video.avi", [colorful(120, 160)] * 90, codec="mjpeg", pixel_format="yuvj420p")
    unordered = [b"%d\n" % (33 * abs(index - 40)) for index in range(len(times))]
    (second / "v1" / "source3" / "time.txt").write_bytes(b"".join(unordered))
    # a recording that is known to lack frames: it must not even be opened
    shutil.copytree(second / "v7" / "source1", source / "data" / "p19" / "v2" / "source2")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A VIPL-HR of two drawn subjects with every quirk."""
    return draw(tmp_path_factory.mktemp("vipl") / "my VIPL-HR", "vipl-hr", 2)


@pytest.fixture(scope="module")
def vipl(tree, tmp_path_factory):
    """Its maps, in windows of 6 s, so that the labels end inside of a recording."""
    folder = tmp_path_factory.mktemp("vipl-maps")
    (folder / "short.toml").write_text('[windows]\nlength = "6 s"\n')
    return build(tree, folder / "maps", "vipl-hr", "--config", folder / "short.toml")


@pytest.fixture(scope="module")
def damaged(tree, tmp_path_factory):
    """Maps of a copy in which what can break is broken."""
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(tree, folder / "VIPL-HR")
    break_all(folder / "VIPL-HR")
    return build(folder / "VIPL-HR", folder / "maps", "vipl-hr")


@pytest.fixture(scope="module")
def mmse(tmp_path_factory):
    """An MMSE-HR of one drawn subject, and its maps."""
    folder = tmp_path_factory.mktemp("mmse")
    return build(draw(folder / "source", "mmse-hr", 1), folder / "maps", "mmse-hr")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Somebody's own videos of one drawn subject, and their maps."""
    folder = tmp_path_factory.mktemp("own")
    return build(draw(folder / "source", "folder", 1), folder / "maps", "folder")


def table(out, name):
    return {row["recording_id"]: row for row in csv.DictReader((out / f"{name}.csv").read_text("utf-8").splitlines())}


def windows_of(out, recording_id):
    rows = csv.DictReader((out / "windows.csv").read_text("utf-8").splitlines())
    return [row for row in rows if row["recording_id"] == recording_id]


def errors_bpm(built):
    """What POS finds in the stored traces, less the rate that was drawn."""
    with Shards(built.out) as shards:
        found = {one.recording_id: compare_heart_rate(shards.recording(one.recording_id)) for one in shards.recordings()}
    return {name: row.estimated_bpm - built.truth[name]["true_heart_rate_bpm"] for name, row in found.items()}


def test_listed_is_ok_and_skipped_and_failed_and_each_has_its_reason(vipl):
    assert vipl.run.code == 0, vipl.run.err
    assert vipl.run.err.startswith("vipl-hr  11 recordings, 2 subjects   2 to skip   faces: dlib68   grid: 5x5\n")
    assert {name: (row["status"], row["reason"]) for name, row in table(vipl.out, "outcomes").items()} == {
        "p001_v1-2_source1": ("ok", ""),
        "p001_v1_source1": ("ok", ""),
        "p001_v1_source2": ("ok", ""),
        "p001_v1_source3": ("ok", ""),
        "p001_v1_source4": ("skipped", "nir"),
        "p001_v7_source1": ("skipped", "absent"),
        "p001_v7_source2": ("ok", ""),
        "p002_v1_source1": ("ok", ""),
        "p002_v1_source2": ("ok", ""),
        "p002_v1_source3": ("ok", ""),
        "p002_v7_source1": ("ok", ""),
    }
    assert sorted(table(vipl.out, "recordings")) == sorted(
        name for name, row in table(vipl.out, "outcomes").items() if row["status"] == "ok"
    )
    assert sorted(path.stem for path in (vipl.out / "shards").iterdir()) == sorted(table(vipl.out, "recordings"))
    assert check_manifest(vipl.out) == []


def test_what_is_broken_is_named_with_its_reason_and_the_rest_is_built(damaged):
    assert damaged.run.code == 3
    outcomes = table(damaged.out, "outcomes")
    assert {name: (row["status"], row["reason"]) for name, row in outcomes.items()} == {
        "p001_v1_source1": ("failed", "source_missing"),
        "p001_v1_source2": ("failed", "label_unreadable"),
        "p001_v1_source4": ("skipped", "nir"),
        "p001_v7_source1": ("skipped", "absent"),
        "p001_v7_source2": ("failed", "source_unreadable"),
        "p002_v1_source1": ("failed", "clock_mismatch"),
        "p002_v1_source2": ("failed", "no_face"),
        "p002_v1_source3": ("failed", "clock_unreadable"),
        "p002_v7_source1": ("ok", ""),
        "p019_v2_source2": ("skipped", "known_missing_frames"),
    }
    stages = {row["reason"]: row["stage"] for row in outcomes.values()}
    assert stages["no_face"] == "faces"
    assert stages["label_unreadable"] == "labels"
    assert stages["source_unreadable"] == stages["clock_mismatch"] == "decode"
    for name, row in outcomes.items():
        # each failure stands on the screen as in the table
        assert (f"  x {name:<18}  {row['stage']:<7} " in damaged.run.err) == (row["status"] == "failed"), name
        assert row["message"] or row["status"] == "ok"
    assert "100% of 90 frames (limit 50%)" in damaged.run.err
    assert re.search(r"^  skipped  3 recordings +->  .*/maps/outcomes.csv \(", damaged.run.err, flags=re.MULTILINE)
    assert re.search(r"^  failed   6 recordings +->  .*/maps/outcomes.csv \(", damaged.run.err, flags=re.MULTILINE)
    assert sorted(table(damaged.out, "recordings")) == ["p002_v7_source1"]


def test_times_come_from_the_clock_of_the_database_and_not_from_the_container(vipl):
    recordings = table(vipl.out, "recordings")
    for name, row in recordings.items():
        quirks = vipl.truth[name]["quirks"]
        assert float(row["container_rate_hz"]) == 25
        assert row["clock"] == ("constant" if "no_time_file" in quirks else "times_file")
        assert ("its nominal 30 frames/s" in row["notes"]) == ("no_time_file" in quirks)
    rates = {name: float(row["rate_hz"]) for name, row in recordings.items()}
    assert rates["p001_v1_source2"] == 30
    assert rates["p002_v1_source1"] == pytest.approx(16.4, abs=0.2)
    assert rates["p001_v1-2_source1"] == pytest.approx(29.8, abs=0.2)
    assert all(16 < rate <= 30.2 for rate in rates.values())
    with Shards(vipl.out) as shards:
        stored_s = shards.recording("p002_v1_source1").blocks.times_s
    listed_ms = np.loadtxt(vipl.source / "data/p2/v1/source1/time.txt")
    np.testing.assert_allclose(stored_s, listed_ms / 1000, atol=1e-9)


def test_a_sensor_fault_is_a_missing_value_and_never_a_heart_rate(vipl):
    assert b"255\r\n" in (vipl.source / "data/p2/v1/source3/gt_HR.csv").read_bytes()
    row = table(vipl.out, "recordings")["p002_v1_source3"]
    assert 'gt_HR.csv: 3 of 10 values are the code for "no value"' in row["notes"]
    assert float(row["heart_rate_max_bpm"]) < 130
    with Shards(vipl.out) as shards:
        label = shards.recording("p002_v1_source3").heart_rate
    assert np.isnan(label.heart_rate_bpm[2:5]).all()
    assert np.isfinite(label.heart_rate_bpm).sum() == 7


def test_labels_that_end_before_the_video_leave_the_late_windows_without_one(vipl):
    windows = windows_of(vipl.out, "p002_v7_source1")
    labeled = [row["heart_rate_bpm"] != "" for row in windows]
    assert labeled[0]
    assert not labeled[-1]
    # once the label has ended it does not come back
    assert labeled == sorted(labeled, reverse=True)
    label_s = len((vipl.source / "data/p2/v7/source1/gt_HR.csv").read_bytes().split()) - 1
    assert 6 <= label_s <= 7
    for row in windows:
        if row["heart_rate_bpm"]:
            # one sample of a label at 1 Hz may be missing
            assert float(row["stop_s"]) <= label_s + 1
            beats = float(row["heart_rate_bpm"]) * (float(row["stop_s"]) - float(row["start_s"])) / 60
            assert float(row["beats"]) == pytest.approx(beats)


def test_what_is_not_there_is_a_note_and_a_second_take_a_recording(vipl):
    recordings = table(vipl.out, "recordings")
    assert "wave.csv: the pulse file is not there" in recordings["p002_v1_source2"]["notes"]
    assert "gt_HR.csv: lasts 18.0 s, " in recordings["p001_v1_source2"]["notes"]
    assert recordings["p001_v1-2_source1"]["scenario"] == recordings["p001_v1_source1"]["scenario"] == "v1"


def test_windows_carry_the_official_folds(vipl):
    folds = {name[:4]: {row["fold"] for row in windows_of(vipl.out, name)} for name in table(vipl.out, "recordings")}
    # as the database ships them
    assert folds == {"p001": {"3"}, "p002": {"2"}}


def test_the_true_heart_rate_is_in_the_maps_of_nine_of_ten_recordings(vipl, mmse, own):
    errors = errors_bpm(vipl)
    assert len(errors) == 9
    assert sum(abs(one) <= 2 for one in errors.values()) >= 0.9 * len(errors), errors
    for built in (mmse, own):
        assert max(map(abs, errors_bpm(built).values())) <= 2


def test_pictures_and_own_videos_build_without_a_failure(mmse, own):
    for built, recordings in ((mmse, ["F013_T01", "F013_T10"]), (own, ["s01_free", "s01_rest", "s01_task"])):
        assert built.run.code == 0, built.run.err
        assert sorted(table(built.out, "recordings")) == recordings
        assert {row["status"] for row in table(built.out, "outcomes").values()} == {"ok"}
        assert Config.from_toml(built.out / "stmap.toml") == Config()
        # 300 frames every half second, which 12 s at 25 frames/s hold once
        assert all(int(row["stop"]) - int(row["start"]) == 300 for name in recordings for row in windows_of(built.out, name))
    assert {row["clock"] for row in table(mmse.out, "recordings").values()} == {"constant"}
    assert len(windows_of(mmse.out, "F013_T01")) == 1
    own_rows = table(own.out, "recordings")
    assert own_rows["s01_rest"]["clock"] == "pts"
    assert float(own_rows["s01_rest"]["interval_max_s"]) > 1.2 * float(own_rows["s01_rest"]["interval_min_s"])
    assert {row["heart_rate_bpm"] for row in windows_of(own.out, "s01_free")} == {""}


def test_windows_are_exported_as_pictures_and_as_hdf5(vipl, tmp_path):
    with Shards(vipl.out) as shards:
        windows = shards.windows(labeled=True)
        values = shards.stmap(windows[0], color="yuv").values
    run = stmap("export", vipl.out, tmp_path / "pictures", "--format", "png", "--labeled")
    assert (run.code, run.out) == (0, f"{tmp_path}/pictures\n")
    assert f"done: {len(windows)} windows written" in run.err
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == len(windows)
    first = tmp_path / "pictures" / "png" / windows[0].recording_id / f"{windows[0].start:06d}.png"
    picture = cv2.imread(str(first), cv2.IMREAD_COLOR)[..., ::-1]
    assert picture.shape == values.shape
    assert np.abs(picture - values).max() <= 0.5 + 1e-3

    # windows of 6 s differ in frames from camera to camera, and one HDF5 array cannot hold them
    run = stmap("export", vipl.out, tmp_path / "all", "--format", "hdf5")
    assert run.code == 1
    assert not (tmp_path / "all").exists()


def test_windows_of_one_length_are_exported_as_one_array(own, tmp_path):
    run = stmap("export", own.out, tmp_path / "array", "--format", "hdf5", "--dtype", "float32", "--color", "rgb")
    assert run.code == 0, run.err
    with h5py.File(tmp_path / "array" / "windows.h5") as file, Shards(own.out) as shards:
        windows = shards.windows()
        assert file["maps"].shape == (len(windows), 25, 300, 3)
        expected = shards.stmap(windows[-1], color="rgb", fill="interpolate").values
        np.testing.assert_array_equal(file["maps"][-1], expected)
        np.testing.assert_array_equal(file["heart_rate_bpm"][...], [one.heart_rate_bpm for one in windows])


def test_a_recording_is_drawn(vipl, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    run = stmap("show", vipl.out, "p001_v1_source1", "--output", tmp_path / "new" / "p001.png")
    assert (run.code, run.out) == (0, f"{tmp_path}/new/p001.png\n")
    assert cv2.imread(str(tmp_path / "new" / "p001.png")).std() > 10
    run = stmap("show", vipl.out, "p001_v1_source4", "--output", tmp_path / "nir.png")
    assert run.code == 1
    assert "'p001_v1_source4'" in run.err


def test_what_was_drawn_counts_as_simulated_under_any_name(vipl, mmse, own):
    assert all(Shards(one.out).simulated for one in (vipl, mmse, own))
    assert Shards(vipl.out).manifest.settings["database"] == "vipl-hr"


def test_the_maps_are_read_in_three_lines(vipl):
    shards = Shards(vipl.out)
    window = shards.windows(labeled=True)[0]
    values = shards.stmap(window, color="yuv").values
    shards.close()

    assert values.shape == (25, window.stop - window.start, 3)
    assert (np.nanmin(values), np.nanmax(values)) == (0, 255)
    assert 45 < window.heart_rate_bpm < 135


def test_the_demo_goes_the_whole_way_and_says_where_everything_is(tmp_path):
    run = stmap("demo", tmp_path / "demo", "--subjects", "1", "--duration", "6", "--jobs", "2")
    assert run.code == 0, run.err
    steps = [line for line in run.err.splitlines() if line[:1].isdigit()]
    assert [line[0] for line in steps] == ["1", "2", "3", "4", "5", "6", "7"]
    assert "no window is added" in run.err
    assert "no training" in run.err
    assert 'class="chart"' in (tmp_path / "demo/maps/vipl-hr/report.html").read_text("utf-8")
    rows = re.findall(r"^(p001_\S+) +([0-9.]+) +([0-9.]+) +[+-][0-9.]+ +[+-][0-9.]+ dB$", run.out, flags=re.MULTILINE)
    truth = json.loads((tmp_path / "demo" / "videos" / "synthetic.json").read_text("utf-8"))["recordings"]
    built = [one for one in truth if "nir" not in one["quirks"]]
    assert [(name, true) for name, true, _ in rows] == [(one["recording_id"], f"{one['true_heart_rate_bpm']:.1f}") for one in built]
    assert re.search(r"^[45] of 5 within 2 bpm of the truth$", run.out, flags=re.MULTILINE)
    for line in run.out.splitlines()[-5:]:
        assert (tmp_path / "demo").joinpath(line.split("  ")[-1].strip()).exists(), line
    project = read_project(tmp_path / "demo")
    assert project.sources["vipl-hr"].path.samefile(tmp_path / "demo/videos")
    assert [one.name for one in project.list_maps()] == ["vipl-hr"]
