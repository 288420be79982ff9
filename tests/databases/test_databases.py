"""Quirks of each database: what its adapter makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from databases.trees import TREES, mmse_physiology, mmse_pictures, write

from stmap_pipeline.databases import bp4d_plus, mcd_rppg, ubfc_phys
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.records import Recording
from stmap_pipeline.registry import load


def listed(root: Path, name: str, *, tree: bool = True) -> dict[str, Recording]:
    if tree:
        TREES[name](root)
    return {one.recording_id: one for one in load("databases", name).list_recordings(root)}


def test_ubfc_rppg_has_two_parts_with_clocks_of_their_own(tmp_path: Path) -> None:
    found = listed(tmp_path, "ubfc-rppg")
    assert list(found) == [
        "dataset1_05",
        "dataset1_10",
        "dataset1_after-exercise",
        "subject01",
        "subject10",
        "subject21",
        "subject49",
    ]
    first, second = found["dataset1_10"], found["subject10"]
    assert (first.video.path.name, first.clock.kind) == ("10.avi", "pts")  # its video may have any name
    assert [(one.kind, one.column, one.time_column, one.time_unit_s) for one in first.labels] == [
        ("heart_rate", 1, 0, 0.001),
        ("pulse", 3, 0, 0.001),
    ]
    assert (second.clock.kind, second.clock.column) == ("times_file", 2)
    assert [(one.kind, one.column, one.time_column) for one in second.labels] == [("heart_rate", 1, 2), ("pulse", 0, 2)]
    assert "picture" in found["subject21"].notes[0]


def test_ubfc_rppg_without_its_times_has_the_containers(tmp_path: Path) -> None:
    write(tmp_path / "subject3" / "vid.avi")
    one = listed(tmp_path, "ubfc-rppg", tree=False)["subject03"]
    assert one.clock.kind == "pts"
    assert "ground_truth.txt" in one.clock.note


def test_pure_has_its_values_inside_or_beside_the_images_and_lacks_one_recording(tmp_path: Path) -> None:
    found = listed(tmp_path, "pure")
    assert {name: one.skip_reason for name, one in found.items()} == {
        "01-01": "",
        "01-06": "",
        "06-01": "",
        "06-02": "absent",
        "10-02": "",
    }
    assert found["01-06"].scenario == "medium rotation"
    assert found["01-01"].clock.path == tmp_path / "01-01" / "01-01.json"
    assert found["10-02"].clock.path == tmp_path / "10-02.json"
    assert found["10-02"].video.path == tmp_path / "10-02"
    assert found["01-01"].clock.unit_s == 1e-9


def test_pure_without_subject_six_lacks_nothing(tmp_path: Path) -> None:
    write(tmp_path / "01-01" / "Image1.png")
    assert list(listed(tmp_path, "pure", tree=False)) == ["01-01"]


def test_pure_twice_is_refused(tmp_path: Path) -> None:
    for copy in ("a", "b"):
        write(tmp_path / copy / "01-01" / "Image1.png")
    with pytest.raises(DatabaseError, match=r"01-01 is there twice: .*a/01-01 .*b/01-01"):
        listed(tmp_path, "pure", tree=False)


def test_cohface_has_the_sets_of_its_protocols(tmp_path: Path) -> None:
    found = listed(tmp_path, "cohface")
    assert {name: (one.extras["split"], one.extras["illumination"]) for name, one in found.items()} == {
        "s01_0": ("train", "lamp"),
        "s01_2": ("train", "natural"),
        "s02_0": ("test", "lamp"),
        "s10_3": ("dev", "natural"),
    }
    assert found["s10_3"].video.path.name == "data.mkv"


def test_cohface_needs_no_lists(tmp_path: Path) -> None:
    write(tmp_path / "3" / "1" / "data.hdf5")
    one = listed(tmp_path, "cohface", tree=False)["s03_1"]  # the video fails by its name
    assert (one.video.path.name, one.extras) == ("data.avi", {})


def test_ubfc_phys_notes_what_one_toolbox_leaves_out(tmp_path: Path) -> None:
    found = listed(tmp_path, "ubfc-phys")
    assert found["s01_T1"].notes == ()
    assert "rPPG-Toolbox" in found["s01_T2"].notes[0]
    assert all(one.skip_reason == "" for one in found.values())
    assert sum(map(len, ubfc_phys.LEFT_OUT.values())) == 67


def test_mmpd_takes_the_situation_from_the_list(tmp_path: Path) -> None:
    found = listed(tmp_path, "mmpd")
    assert found["p01_00"].scenario == "Stationary"
    assert found["p10_07"].scenario == "Walking"  # called 'Watching Videos' by an older release
    assert found["p01_00"].extras["skin_color"] == "4"
    assert found["p02_00"].extras == {}
    assert (found["p01_00"].video.kind, found["p01_00"].video.member) == ("array", "video")


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    write(tmp_path / "subject1" / "p1_0.mat")
    write(tmp_path / "meta_label.csv", "p,light\n1,LED-low\n")
    with pytest.raises(DatabaseError, match=r"meta_label\.csv: has no column 'file'"):
        listed(tmp_path, "mmpd", tree=False)


def test_bp4d_plus_reads_archives_and_unpacked_folders(tmp_path: Path) -> None:
    found = listed(tmp_path, "bp4d-plus")
    assert {name: (one.video.path.name, one.video.member, one.skip_reason) for name, one in found.items()} == {
        "F001_T01": ("F001.zip", "F001/T1", ""),
        "F001_T10": ("T10", "", ""),
        "F003_T01": ("T1", "", "absent"),
        "F042_T11": ("F042.zip", "F042/T11", "absent"),
        "M002_T03": ("T3", "", ""),
        "M058_T01": ("M058.zip", "M058/T1", ""),
    }
    assert found["M002_T03"].labels == ()


def test_the_published_folds_partition_the_subjects() -> None:
    assert sorted(bp4d_plus.published_folds().values()).count(1) == 46
    assert {one[0] for one in bp4d_plus.published_folds()} == {"F", "M"}
    folds = mcd_rppg.published_folds()
    assert [sum(fold == one for fold in folds.values()) for one in range(1, 6)] == [120] * 5


def test_mmse_hr_is_found_as_bp4d_plus_too(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "2D/F013/T1")
    mmse_physiology(tmp_path, "Physiology/F013/T1")
    for name in ("mmse-hr", "bp4d-plus"):
        assert list(listed(tmp_path, name, tree=False)) == ["F013_T01"]


def test_mahnob_hci_takes_the_color_camera_and_the_span_of_the_video(tmp_path: Path) -> None:
    found = listed(tmp_path, "mahnob-hci")
    one = found["session0130"]
    assert "C1 trigger" in one.video.path.name
    assert (one.subject, one.scenario) == ("P01", "emotion")
    assert [(label.kind, label.column, label.span_column) for label in one.labels] == [("ecg", "EXG3", "Status")]
    assert found["session2922"].scenario == "taggingImages1"
    assert found["session3000"].labels == ()
    assert found["session3002"].labels


def test_ibvp_takes_the_color_images(tmp_path: Path) -> None:
    found = listed(tmp_path, "ibvp")
    assert found["p01_a"].video.path.name == "p01_a_rgb"
    assert [bool(one.notes) for one in found.values()] == [False, False, True, True]


def test_v4v_pairs_two_phases(tmp_path: Path) -> None:
    found = listed(tmp_path, "v4v")
    assert {name: one.extras["split"] for name, one in found.items()} == {
        "F001_T01": "train",
        "F002_T03": "validation",
        "F003_T02": "test",
        "M010_T10": "train",
    }
    assert [(one.kind, one.column) for one in found["F001_T01"].labels] == [("heart_rate", 0), ("pulse", 0)]
    assert [(one.kind, one.column) for one in found["F002_T03"].labels] == [("heart_rate", "F002_T3.mkv HR"), ("pulse", 0)]
    assert found["F003_T02"].labels == ()
    assert found["F003_T02"].notes


def test_mcd_rppg_has_cameras_folds_and_people(tmp_path: Path) -> None:
    found = listed(tmp_path, "mcd-rppg")
    one = found["p1020_IriunWebcam_after"]
    assert (one.subject, one.camera, one.scenario, one.fold) == ("p1020", "IriunWebcam", "after exercise", 3)
    assert one.clock.path == tmp_path / "meta" / "1020_IriunWebcam_after.txt"
    assert one.extras["clinical_pulse_bpm"] == "100.0"
    assert [bool(one.notes) for one in found.values()] == [False, False, True, True]
