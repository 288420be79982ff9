from pathlib import Path

import pytest
from databases.trees import mmse_hr, mmse_physiology, mmse_pictures, write

from stmap_pipeline.databases.mmse_hr import DATABASE
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.records import Recording


def listed(root: Path) -> dict[str, Recording]:
    return {one.recording_id: one for one in DATABASE.list_recordings(root)}


def test_the_tree_as_a_whole(tmp_path: Path) -> None:
    mmse_hr(tmp_path)
    found = listed(tmp_path)
    assert {name: one.skip_reason for name, one in found.items()} == {
        "F006_T11": "",
        "F013_T01": "",
        "F013_T02": "",
        "F013_T10": "",
        "F014_T11": "",
        "F015_T10": "absent",
        "M002_T11": "",
    }
    assert [one.scenario for one in found.values()] == ["T11", "T1", "T2", "T10", "T11", "T10", "T11"]


def test_pictures_and_physiology_of_two_trees_are_paired(tmp_path: Path) -> None:
    mmse_hr(tmp_path)
    one = listed(tmp_path)["F013_T10"]
    assert one.subject == "F013"
    assert one.video.kind == "images"
    assert one.video.path == tmp_path / "first 10 subjects 2D/F013/T10"
    physiology = tmp_path / "first 10 subjects Phydata released/Phydata/F013/T10"
    assert [label.path for label in one.labels] == [physiology / "Pulse Rate_BPM.txt", physiology / "BP_mmHg.txt"]
    assert [label.kind for label in one.labels] == ["heart_rate", "pulse"]
    assert {label.rate_hz for label in one.labels} == {1000.0}
    assert (one.clock.kind, one.clock.rate_hz) == ("constant", 25.0)


def test_the_folders_above_may_have_any_name(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "2D+3D/F001/T1")
    mmse_physiology(tmp_path, "Physiology/F001/T1")
    assert len(listed(tmp_path)["F001_T01"].labels) == 2


def test_pictures_and_physiology_may_share_a_folder(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "F001/T1")
    mmse_physiology(tmp_path, "F001/T1")
    assert len(listed(tmp_path)["F001_T01"].labels) == 2


def test_pictures_without_physiology_have_no_label_and_a_note(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "F006/T11")
    one = listed(tmp_path)["F006_T11"]
    assert one.labels == ()
    assert any("no label" in note for note in one.notes)
    assert any("published users" in note for note in one.notes)


def test_a_folder_that_lost_its_pictures_is_listed(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "2D/F001/T1")
    (tmp_path / "2D/F001/T2").mkdir()
    mmse_physiology(tmp_path, "Phy/F001/T2")
    one = listed(tmp_path)["F001_T02"]
    assert one.video.path == tmp_path / "2D/F001/T2"
    assert one.skip_reason == ""


def test_one_physiology_file_is_enough(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "2D/F001/T1")
    write(tmp_path / "Phy/F001/T1/pulse rate_bpm.txt", "70\n")
    heart_rate, pulse = listed(tmp_path)["F001_T01"].labels
    assert heart_rate.path.name == "pulse rate_bpm.txt"
    assert pulse.path.name == "BP_mmHg.txt"  # not there: a note when it is read


def test_physiology_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    mmse_physiology(tmp_path, "Phydata/F013/T1")
    with pytest.raises(DatabaseError, match=r"physiology of 1 .*both trees"):
        listed(tmp_path)


@pytest.mark.parametrize("make", [mmse_pictures, mmse_physiology])
def test_two_places_for_one_recording_are_refused(tmp_path: Path, make) -> None:
    mmse_pictures(tmp_path, "2D/F001/T1")
    mmse_physiology(tmp_path, "Phy/F001/T1")
    make(tmp_path, "copy/F001/T1")
    with pytest.raises(DatabaseError, match="F001_T01") as caught:
        listed(tmp_path)
    assert str(tmp_path / "copy/F001/T1") in str(caught.value)


def test_other_folders_of_pictures_are_no_recordings(tmp_path: Path) -> None:
    mmse_pictures(tmp_path, "X001/T1")
    mmse_pictures(tmp_path, "F001/Task1")
    with pytest.raises(DatabaseError, match="F013/T1"):
        listed(tmp_path)
