"""The pairs of trees of MMSE-HR."""

import cv2
import numpy as np

from stmap_pipeline.databases import mmse_hr
from stmap_pipeline.labels import read_labels


def test_the_adapter_lists_all_of_it(mmse_tree):
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
        pictures = list((mmse_tree.out / one.place).iterdir())
        assert len(pictures) == len(one.times_s()) == 50
        np.testing.assert_allclose(np.diff(one.times_s()), 0.04)
        assert cv2.imread(str(pictures[0])).shape[:2] == one.scene.size_px[::-1]


def test_names_without_zeros_are_out_of_order_as_text(mmse_tree):
    for one in mmse_tree.recordings:
        names = sorted(path.name for path in (mmse_tree.out / one.place).iterdir())
        in_time = sorted(names, key=lambda name: int(name.partition(".")[0]))
        assert (names != in_time) == ("unpadded_names" in one.quirks)
        assert in_time[0] == ("0.jpg" if "unpadded_names" in one.quirks else "000.jpg")


def test_physiology_is_one_number_a_line_at_a_thousand_hertz(mmse_tree):
    for listed, plan in zip(mmse_hr.list_recordings(mmse_tree.out), mmse_tree.recordings, strict=True):
        rates = np.loadtxt(listed.labels[0].path)
        assert rates.size == np.ceil(1000 * plan.label_s())
        assert rates[500] == np.round(plan.scene.heart_rate_bpm(0.5), 3)
        assert listed.labels[1].path.exists() == ("no_pressure" not in plan.quirks)


def test_labels_are_read_on_the_clock_of_the_frames(mmse_tree):
    for listed, plan in zip(mmse_hr.list_recordings(mmse_tree.out), mmse_tree.recordings, strict=True):
        if not plan.quirks:
            labels = read_labels(listed, plan.times_s())
            assert abs(labels.heart_rate.mean_between(0.0, 1.9) - plan.scene.pulse.mean_over(0.0, 1.9)) < 0.01
            assert 60 < labels.pulse.value.min() < labels.pulse.value.max() < 140
