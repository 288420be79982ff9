"""The tree of VIPL-HR, byte for byte where its readers depend on it."""

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from stmap_pipeline.databases import vipl_hr
from stmap_pipeline.labels import read_labels
from stmap_pipeline.synth import plan_synthesis, vipl


@pytest.fixture(scope="module")
def plans(vipl_tree):
    return {one.recording_id: one for one in vipl_tree.recordings}


def test_the_adapter_lists_all_of_it(vipl_tree, plans):
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
        assert {path.name for path in (vipl_tree.out / one.place).iterdir()} == expected
        assert ("no_time_file" in one.quirks) == one.place.endswith("source2")


def test_the_container_says_25_whatever_the_times_say(vipl_tree, plans):
    for one in plans.values():
        with av.open(str(vipl_tree.out / one.place / "video.avi")) as container:
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
        data = (vipl_tree.out / one.place / "time.txt").read_bytes()
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
            path = vipl_tree.out / one.place / name
            if path.exists():
                assert re.fullmatch(header + rb"\r\n([0-9]+\r\n)+", path.read_bytes())


def test_a_sensor_fault_is_255_and_read_as_unknown(tmp_path):
    # the fault begins in the third second, so this video is longer than those of the tree
    planned = plan_synthesis(tmp_path, "vipl-hr", 2, duration_s=6.0).recordings
    (plan,) = [one for one in planned if "hr_255" in one.quirks]
    vipl.write(tmp_path, plan)
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
        assert labels.heart_rate.heart_rate_bpm[0] == round(plan.scene.pulse.mean_over(0, 1))
        waves = [plan.scene.pulse.wave(time_s) for time_s in labels.pulse.times_s]
        assert np.corrcoef(waves, labels.pulse.value)[0, 1] > 0.999


def test_infrared_sees_the_same_moment_in_gray(vipl_tree, plans):
    color, gray = plans["p001_v1_source3"], plans["p001_v1_source4"]
    assert color.scene == gray.scene
    assert (vipl_tree.out / color.place / "time.txt").read_bytes() == (vipl_tree.out / gray.place / "time.txt").read_bytes()
    with av.open(str(vipl_tree.out / gray.place / "video.avi")) as container:
        frame = next(container.decode(video=0)).to_ndarray()
    chroma = frame[gray.scene.size_px[1] :]
    assert np.abs(chroma.astype(int) - 128).max() <= 1


def test_the_lists_of_the_database(vipl_tree):
    assert (vipl_tree.out / "Additional_data.txt").read_text() == "p1/v1-2/source1\n"
    assert (vipl_tree.out / "NIR.txt").read_text() == "p1/v1/source4\n"
    assert (vipl_tree.out / "Missing_data.txt").read_text() == "p1/v7/source1\n"


def test_folders_of_archives_are_one_level_more(tmp_path):
    places = [one.place for one in plan_synthesis(tmp_path, "vipl-hr", 7, archive_folders=True).recordings]
    assert all(re.fullmatch(r"data/p1-5/p[1-5]/.*|data/p6-10/p[67]/.*", place) for place in places)


@pytest.mark.parametrize("setting", ["easy", "hard", "mixed"])
def test_no_recording_is_one_that_the_real_database_is_known_to_lack(tmp_path, setting):
    planned = {one.recording_id for one in plan_synthesis(tmp_path, "vipl-hr", 107, setting=setting).recordings}
    assert not planned & vipl_hr.SKIPPED.keys()
