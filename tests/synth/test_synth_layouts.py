"""Trees of VIPL-HR, MMSE-HR and user videos, byte for byte where their readers depend on it, and the plans of their recordings."""

import pickle
import re
import tomllib
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.databases import folder, mmse_hr, vipl_hr
from stmap_pipeline.labels import read_labels
from stmap_pipeline.registry import load, names
from stmap_pipeline.simulation.face import SKIN_TONES
from stmap_pipeline.synth import QUIRKS, plan_synthesis
from stmap_pipeline.synth.recordings import Camera, draw_scene

SIZE = (200, 200)


@given(st.integers(0, 10**6), st.floats(10, 60), st.floats(0, 0.5), st.booleans())
def test_frame_times_start_at_zero_and_increase(seed, rate_hz, jitter, whole_ms):
    times = Camera(rate_hz, jitter, whole_ms).times_s(seed, 5.0)
    assert times[0] == 0
    assert np.all(np.diff(times) > 0.4 / rate_hz)
    assert times.size == round(5.0 * rate_hz)
    if whole_ms:
        np.testing.assert_allclose(times * 1000, np.rint(times * 1000), atol=1e-9)


@given(st.integers(0, 10**6))
def test_jitter_keeps_the_mean_rate(seed):
    times = Camera(25.0, 0.06).times_s(seed, 40.0)
    assert 1 / np.diff(times).mean() == pytest.approx(25.0, rel=0.02)
    assert np.diff(times).std() * 25 == pytest.approx(0.06, rel=0.15)


def test_no_jitter_is_a_constant_rate():
    np.testing.assert_allclose(Camera(30.0).times_s(1, 2.0), np.arange(60) / 30)


def test_heart_rates_are_spread_over_what_hearts_do():
    rates = sorted(draw_scene(5, "easy", index, 12, 1, SIZE)[1].pulse.mean_bpm for index in range(12))
    np.testing.assert_allclose(rates, np.linspace(48, 130, 12))


def test_five_subjects_show_every_skin_tone():
    assert {draw_scene(0, "easy", index, 5, index + 1, SIZE)[1].skin_tone for index in range(5)} == set(SKIN_TONES)


def test_a_subject_is_one_person_in_all_recordings():
    first, again, other = (draw_scene(0, "easy", index, 6, subject, SIZE)[1] for index, subject in ((0, 1), (1, 1), (2, 2)))
    assert first.identity is again.identity
    assert first.motion != again.motion
    assert first.identity is not other.identity


def test_mixed_takes_turns():
    assert [draw_scene(0, "mixed", index, 4, 1, SIZE)[0] for index in range(4)] == ["easy", "hard", "easy", "hard"]


@pytest.mark.parametrize("layout", names("layouts"))
@pytest.mark.parametrize("setting", ["easy", "hard", "mixed"])
def test_plans_are_unique_whole_and_the_same_each_time(tmp_path, layout, setting):
    subjects = min(12, load("layouts", layout).most_subjects)
    plan, again = (plan_synthesis(tmp_path / "new", layout, subjects, seed=2, setting=setting) for _ in range(2))
    assert plan == again
    ids = [one.recording_id for one in plan.recordings]
    assert ids == sorted(set(ids))
    assert len({one.path for one in plan.recordings}) == len(ids)
    assert {one.setting for one in plan.recordings} == ({"easy", "hard"} if setting == "mixed" else {setting})
    assert all(set(one.quirks) <= QUIRKS.keys() for one in plan.recordings)
    assert len({one.subject for one in plan.recordings}) == subjects


def test_two_subjects_show_every_quirk(tmp_path):
    shown = {quirk for layout in names("layouts") for one in plan_synthesis(tmp_path, layout, 2).recordings for quirk in one.quirks}
    assert shown == QUIRKS.keys()


def test_a_plan_can_be_sent_to_a_worker(tmp_path):
    plan = plan_synthesis(tmp_path, "vipl-hr", 1).recordings[0]
    data = pickle.dumps(plan)
    assert pickle.loads(data) == plan  # noqa: S301
    assert len(data) < 10_000


def test_metadata_is_the_truth_of_the_scene(tmp_path):
    plan = plan_synthesis(tmp_path, "vipl-hr", 1).recordings[0]
    metadata, times = plan.metadata(), plan.times_s()
    rates = plan.scene.pulse.heart_rate_bpm(np.linspace(0, times[-1], 4001))
    assert metadata.true_heart_rate_bpm == pytest.approx(np.mean(rates), abs=0.01)
    assert metadata.frames == times.size


def test_labels_may_be_shorter_or_longer_than_the_video(tmp_path):
    plan = plan_synthesis(tmp_path, "folder", 1).recordings[0]
    video_s = plan.times_s()[-1]
    assert replace(plan, quirks=("short_label",)).label_s() == pytest.approx(0.6 * video_s)
    assert replace(plan, quirks=("long_label",)).label_s() == pytest.approx(video_s + 9)
    assert replace(plan, quirks=()).label_s() == video_s


def test_infrared_is_gray(tmp_path):
    plan = next(one for one in plan_synthesis(tmp_path, "vipl-hr", 1).recordings if "nir" in one.quirks)
    _, picture = next(plan.frames())
    assert np.all(np.ptp(picture, axis=2) == 0)
    assert np.ptp(picture) > 100


@pytest.fixture(scope="module")
def plans(vipl_tree):
    return {one.recording_id: one for one in vipl_tree.recordings}


def test_the_adapter_of_vipl_hr_lists_all_of_it(vipl_tree, plans):
    listed = {one.recording_id: one for one in vipl_hr.list_recordings(vipl_tree.out)}
    absent = {name for name, one in listed.items() if one.skip_reason == "absent"}
    assert absent == {"p001_v7_source1"}
    assert listed.keys() - absent == plans.keys()
    assert {name for name, one in listed.items() if one.skip_reason == "nir"} == {"p001_v1_source4"}
    assert all(listed[name].scenario == one.scenario for name, one in plans.items())


def test_each_folder_has_the_files_of_the_database(vipl_tree, plans):
    for one in plans.values():
        expected = {"video.avi", "gt_HR.csv", "gt_SpO2.csv"}
        expected |= set() if "no_wave" in one.quirks else {"wave.csv"}
        expected |= set() if "no_time_file" in one.quirks else {"time.txt"}
        assert {path.name for path in (vipl_tree.out / one.path).iterdir()} == expected
        assert ("no_time_file" in one.quirks) == one.path.endswith("source2")


def test_the_container_says_25_whatever_the_times_say(vipl_tree, plans):
    for one in plans.values():
        with av.open(str(vipl_tree.out / one.path / "video.avi")) as container:
            stream = container.streams.video[0]
            assert stream.average_rate == Fraction(25)
            frames = sum(1 for _ in container.decode(stream))
            assert (stream.codec_context.width, stream.codec_context.height) == one.scene.size_px
        assert frames == len(one.times_s())


def test_frame_times_are_milliseconds_from_zero(vipl_tree, plans):
    rates = []
    for one in plans.values():
        if "no_time_file" in one.quirks:
            continue
        data = (vipl_tree.out / one.path / "time.txt").read_bytes()
        assert re.fullmatch(rb"0\n([1-9][0-9]*\n)+", data)
        times = np.array(data.split(), dtype=int)
        np.testing.assert_allclose(times / 1000, one.times_s(), atol=1e-9)
        assert np.unique(np.diff(times)).size > 2
        rates.append(1000 / np.diff(times).mean())
    assert 16 <= min(rates) < 17
    assert 29 < max(rates) < 31


def test_labels_are_whole_numbers_with_windows_line_ends(vipl_tree, plans):
    for one in plans.values():
        for name, header in (("gt_HR.csv", b"HR"), ("gt_SpO2.csv", b"SpO2"), ("wave.csv", b"Wave")):
            path = vipl_tree.out / one.path / name
            if path.exists():
                assert re.fullmatch(header + rb"\r\n([0-9]+\r\n)+", path.read_bytes())
        rates, oxygen = (np.loadtxt(vipl_tree.out / one.path / f"gt_{name}.csv", skiprows=1) for name in ("HR", "SpO2"))
        assert len(rates) == len(oxygen) == np.ceil(one.label_s())
        assert set(oxygen) <= {97, 98, 99}


def test_a_sensor_fault_is_255_and_read_as_unknown(tmp_path):
    # the fault begins in the third second, so this video is longer than those of the tree
    planned = plan_synthesis(tmp_path, "vipl-hr", 2, duration_s=6.0).recordings
    (plan,) = [one for one in planned if "hr_255" in one.quirks]
    load("layouts", "vipl-hr").write(tmp_path, plan)
    (listed,) = vipl_hr.list_recordings(tmp_path)
    assert listed.labels[0].path.read_bytes().split(b"\r\n")[3:6] == [b"255"] * 3
    rates = read_labels(listed, plan.times_s()).heart_rate.heart_rate_bpm
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(rates)), [2, 3, 4])


def test_labels_follow_the_pulse_of_the_pixels(vipl_tree, plans):
    for listed in vipl_hr.list_recordings(vipl_tree.out):
        if listed.skip_reason or plans[listed.recording_id].quirks != ("container_25",):
            continue
        plan = plans[listed.recording_id]
        labels = read_labels(listed, plan.times_s())
        assert labels.heart_rate.heart_rate_bpm[0] == round(plan.scene.pulse.mean_between(0, 1))
        waves = [plan.scene.pulse.wave(time_s) for time_s in labels.pulse.times_s]
        assert np.corrcoef(waves, labels.pulse.value)[0, 1] > 0.999


def test_infrared_sees_the_same_moment_in_gray(vipl_tree, plans):
    color, gray = plans["p001_v1_source3"], plans["p001_v1_source4"]
    assert color.scene == gray.scene
    assert (vipl_tree.out / color.path / "time.txt").read_bytes() == (vipl_tree.out / gray.path / "time.txt").read_bytes()
    with av.open(str(vipl_tree.out / gray.path / "video.avi")) as container:
        frame = next(container.decode(video=0)).to_ndarray()
    chroma = frame[gray.scene.size_px[1] :]
    assert np.abs(chroma.astype(int) - 128).max() <= 1


def test_the_lists_of_the_database(vipl_tree):
    assert (vipl_tree.out / "Additional_data.txt").read_text() == "p1/v1-2/source1\n"
    assert (vipl_tree.out / "NIR.txt").read_text() == "p1/v1/source4\n"
    assert (vipl_tree.out / "Missing_data.txt").read_text() == "p1/v7/source1\n"


@pytest.mark.parametrize("setting", ["easy", "hard", "mixed"])
def test_no_recording_is_one_that_the_real_database_is_known_to_lack(tmp_path, setting):
    planned = {one.recording_id for one in plan_synthesis(tmp_path, "vipl-hr", 107, setting=setting).recordings}
    assert not planned & vipl_hr.SKIPPED.keys()


def test_the_adapter_of_mmse_hr_lists_all_of_it(mmse_tree):
    listed = list(mmse_hr.list_recordings(mmse_tree.out))
    assert [one.recording_id for one in listed] == ["F013_T01", "F013_T10", "F014_T10", "F014_T11"]
    assert [one.recording_id for one in mmse_tree.recordings] == [one.recording_id for one in listed]
    assert not any(one.skip_reason for one in listed)
    assert all(one.labels for one in listed)


def test_both_pairs_of_trees_are_there(mmse_tree):
    assert {path.name for path in mmse_tree.out.iterdir() if path.is_dir()} == {
        "first 10 subjects 2D",
        "first 10 subjects Phydata released",
        "T10_T11_30Subjects",
        "T10_T11_30PhyBPHRData",
    }


def test_pictures_are_25_a_second(mmse_tree):
    for one in mmse_tree.recordings:
        pictures = list((mmse_tree.out / one.path).iterdir())
        assert len(pictures) == len(one.times_s()) == 50
        np.testing.assert_allclose(np.diff(one.times_s()), 0.04)
        assert cv2.imread(str(pictures[0])).shape[:2] == one.scene.size_px[::-1]


def test_names_without_zeros_are_out_of_order_as_text(mmse_tree):
    for one in mmse_tree.recordings:
        names = sorted(path.name for path in (mmse_tree.out / one.path).iterdir())
        in_time = sorted(names, key=lambda name: int(name.partition(".")[0]))
        assert (names != in_time) == ("unpadded_names" in one.quirks)
        assert in_time[0] == ("0.jpg" if "unpadded_names" in one.quirks else "000.jpg")


def test_physiology_is_one_number_a_line_at_a_thousand_hertz(mmse_tree):
    for listed, plan in zip(mmse_hr.list_recordings(mmse_tree.out), mmse_tree.recordings, strict=True):
        rates = np.loadtxt(listed.labels[0].path)
        assert rates.size == np.ceil(1000 * plan.label_s())
        assert rates[500] == np.round(plan.scene.pulse.heart_rate_bpm(0.5), 3)
        assert listed.labels[1].path.exists() == ("no_pressure" not in plan.quirks)


def test_labels_are_read_on_the_clock_of_the_frames(mmse_tree):
    for listed, plan in zip(mmse_hr.list_recordings(mmse_tree.out), mmse_tree.recordings, strict=True):
        if not plan.quirks:
            labels = read_labels(listed, plan.times_s())
            assert abs(labels.heart_rate.mean_between(0.0, 1.9) - plan.scene.pulse.mean_between(0.0, 1.9)) < 0.01
            assert 60 < labels.pulse.value.min() < labels.pulse.value.max() < 140


def test_the_adapter_of_user_videos_lists_all_of_it(folder_tree):
    listed = list(folder.list_recordings(folder_tree.out))
    assert [one.recording_id for one in listed] == ["s01_free", "s01_rest", "s01_task", "s02_rest", "s02_task"]
    assert [one.recording_id for one in folder_tree.recordings] == [one.recording_id for one in listed]
    assert [len(one.labels) for one in listed] == [0, 1, 1, 1, 1]


def test_the_description_is_plain(folder_tree):
    text = tomllib.loads((folder_tree.out / "database.toml").read_text())
    assert text["name"] == "synthetic study"
    (rest,) = [one for one in text["recording"] if one["video"] == "s01_rest.mp4"]
    assert rest["label"] == [{"kind": "heart_rate", "file": "s01_rest.csv", "column": "heart_rate_bpm", "time_column": "time_s"}]


def test_frame_times_stand_in_the_container(folder_tree):
    for one in folder_tree.recordings:
        with av.open(str(folder_tree.out / one.path)) as container:
            times = [frame.time for frame in container.decode(video=0)]
        np.testing.assert_allclose(times, one.times_s(), atol=2e-5)
        assert (np.std(np.diff(times)) > 0.001) == ("pts_jitter" in one.quirks)


def test_labels_are_the_pulse_of_the_scene(folder_tree):
    for listed, plan in zip(folder.list_recordings(folder_tree.out), folder_tree.recordings, strict=True):
        labels = read_labels(listed, plan.times_s())
        if plan.scenario == "rest":
            assert abs(labels.heart_rate.heart_rate_bpm[1] - plan.scene.pulse.mean_between(1, 2)) < 0.01
        elif plan.scenario == "task":
            truth = [plan.scene.pulse.wave(time_s) for time_s in labels.pulse.times_s]
            np.testing.assert_allclose(labels.pulse.value, truth, atol=1e-4)
        else:
            assert labels.heart_rate is None
            assert labels.pulse is None
