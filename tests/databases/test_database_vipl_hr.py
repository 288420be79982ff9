from collections import Counter
from pathlib import Path

import pytest
from databases.trees import vipl_hr, vipl_recording, write

from stmap_pipeline.databases.vipl_hr import DATABASE, NOTES, SKIPPED, official_folds
from stmap_pipeline.errors import REASONS, DatabaseError
from stmap_pipeline.records import ClockSource, Recording


def listed(root: Path) -> dict[str, Recording]:
    return {one.recording_id: one for one in DATABASE.list_recordings(root)}


def test_the_tree_as_a_whole(tmp_path: Path) -> None:
    vipl_hr(tmp_path)
    assert {name: one.skip_reason for name, one in listed(tmp_path).items()} == {
        "p001_v1_source1": "",
        "p001_v1_source2": "",
        "p001_v1_source3": "",
        "p001_v1_source4": "nir",
        "p001_v7_source1": "absent",
        "p010_v9_source3": "",  # its list names it, but it is on disk
        "p016_v1-2_source1": "",
        "p097_v1_source1": "absent",
        "p100_v1_source1": "",
    }


def test_subjects_are_whole_numbers(tmp_path: Path) -> None:
    for number in (1, 10, 100, 107):
        vipl_recording(tmp_path, f"p{number}/v1/source1")
    found = listed(tmp_path)
    assert [one.subject for one in found.values()] == ["p001", "p010", "p100", "p107"]
    folds = official_folds()
    assert [one.fold for one in found.values()] == [folds[1], folds[10], folds[100], folds[107]]


def test_the_official_folds_partition_the_subjects() -> None:
    folds = official_folds()
    assert sorted(folds) == list(range(1, 108))
    assert Counter(folds.values()) == {1: 21, 2: 21, 3: 21, 4: 22, 5: 22}
    # one subject of each published list
    assert [folds[subject] for subject in (74, 88, 1, 89, 71)] == [1, 2, 3, 4, 5]


def test_a_subject_beyond_the_official_ones_has_no_fold(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "p108/v1/source1")
    assert listed(tmp_path)["p108_v1_source1"].fold is None


@pytest.mark.parametrize("depth", ["", "data", "VIPL-HR-V1/data/p1-5", "a/b/c/d/e"])
def test_any_unzip_depth(tmp_path: Path, depth: str) -> None:
    vipl_recording(tmp_path / depth, "p1/v1/source1")
    assert list(listed(tmp_path)) == ["p001_v1_source1"]


@pytest.mark.parametrize("start", ["data/p1", "data/p1/v1", "data/p1/v1/source1"])
def test_the_source_may_be_a_part_of_the_tree(tmp_path: Path, start: str) -> None:
    vipl_recording(tmp_path, "data/p1/v1/source1")
    assert list(listed(tmp_path / start)) == ["p001_v1_source1"]


@pytest.mark.parametrize("place", ["p1/v1/source5", "p1/v1/source11", "xp1/v1/source1", "p1/v1a/source1", "p1/extra/v1/source1"])
def test_other_folders_are_no_recordings(tmp_path: Path, place: str) -> None:
    vipl_recording(tmp_path, place)
    with pytest.raises(DatabaseError, match="folders p1/v1/source1"):
        listed(tmp_path)


def test_the_clock_is_time_txt_in_milliseconds(tmp_path: Path) -> None:
    folder = vipl_recording(tmp_path, "p1/v1/source1")
    clock = listed(tmp_path)["p001_v1_source1"].clock
    assert (clock.kind, clock.path, clock.unit_s) == ("times_file", folder / "time.txt", 0.001)


def test_the_phone_has_its_nominal_rate_and_says_so(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "p1/v1/source2", clock=False)
    clock = listed(tmp_path)["p001_v1_source2"].clock
    assert (clock.kind, clock.rate_hz) == ("constant", 30.0)
    assert "no time.txt" in clock.note


def test_a_time_txt_of_the_phone_is_taken_where_there_is_one(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "p1/v1/source2")
    assert listed(tmp_path)["p001_v1_source2"].clock.kind == "times_file"


def test_a_camera_without_time_txt_gets_no_guessed_rate(tmp_path: Path) -> None:
    folder = vipl_recording(tmp_path, "p1/v1/source3", clock=False)
    one = listed(tmp_path)["p001_v1_source3"]
    assert one.clock == ClockSource("times_file", folder / "time.txt", unit_s=0.001, note=one.clock.note)
    assert one.skip_reason == ""  # the runner finds that the file is not there, and says so


def test_labels(tmp_path: Path) -> None:
    folder = vipl_recording(tmp_path, "p1/v1/source1")
    heart_rate, pulse = listed(tmp_path)["p001_v1_source1"].labels
    assert (heart_rate.kind, heart_rate.path, heart_rate.rate_hz, heart_rate.missing) == (
        "heart_rate",
        folder / "gt_HR.csv",
        1.0,
        (255.0,),
    )
    assert (pulse.kind, pulse.path, pulse.rate_hz) == ("pulse", folder / "wave.csv", 60.0)
    assert not heart_rate.required
    assert not pulse.required


def test_second_takes_are_recordings_of_their_own(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "p16/v1/source1")
    vipl_recording(tmp_path, "p16/v1-2/source1")
    found = listed(tmp_path)
    assert sorted(found) == ["p016_v1-2_source1", "p016_v1_source1"]
    assert {one.scenario for one in found.values()} == {"v1"}
    assert found["p016_v1-2_source1"].extras["take"] == "2"


def test_a_folder_without_video_is_still_listed(tmp_path: Path) -> None:
    (vipl_recording(tmp_path, "p1/v1/source1") / "video.avi").unlink()
    assert listed(tmp_path)["p001_v1_source1"].video.path.name == "video.avi"


def test_names_on_disk_may_differ_in_case(tmp_path: Path) -> None:
    folder = vipl_recording(tmp_path, "P1/V1/Source1")
    (folder / "time.txt").rename(folder / "Time.TXT")
    clock = listed(tmp_path)["p001_v1_source1"].clock
    assert clock.path == folder / "Time.TXT"


def test_unpacked_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    first = vipl_recording(tmp_path, "data/p1/v1/source1")
    second = vipl_recording(tmp_path, "data/p1-5/p1/v1/source1")
    with pytest.raises(DatabaseError, match="p001_v1_source1 ") as caught:
        listed(tmp_path)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_a_link_to_the_same_folder_is_not_a_second_recording(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "data/p1/v1/source1")
    (tmp_path / "again").symlink_to(tmp_path / "data")
    (tmp_path / "again2").symlink_to(tmp_path / "data" / "p1")
    assert list(listed(tmp_path)) == ["p001_v1_source1"]


def test_subjects_may_be_links_to_another_disk(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "disk/p1/v1/source1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "p1").symlink_to(tmp_path / "disk" / "p1")
    assert list(listed(root)) == ["p001_v1_source1"]


def test_known_bad_recordings_carry_a_reason(tmp_path: Path) -> None:
    for place in ("p19/v2/source2", "p22/v3/source1", "p32/v7/source3", "p40/v7/source2"):
        vipl_recording(tmp_path, place)
    found = listed(tmp_path)
    assert [one.skip_reason for one in found.values()] == ["known_missing_frames", *["known_too_short"] * 3]
    assert found["p032_v7_source3"].notes == ("known to lack wave.csv",)


def test_what_one_repository_left_out_is_built_with_a_note(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "p27/v9/source2", clock=False)
    one = listed(tmp_path)["p027_v9_source2"]
    assert one.skip_reason == ""
    assert "one published repository" in one.notes[0]


def test_the_lists_of_defects_name_recordings_and_reasons_that_exist(tmp_path: Path) -> None:
    for name in {*SKIPPED, *NOTES}:
        subject, scenario, source = name.split("_")
        vipl_recording(tmp_path, f"p{int(subject[1:])}/{scenario}/{source}", frames=1)
    assert set(listed(tmp_path)) == {*SKIPPED, *NOTES}
    assert all(reason in REASONS for reason, _ in SKIPPED.values())


def test_archives_that_were_not_unpacked_are_pointed_out(tmp_path: Path) -> None:
    write(tmp_path / "data" / "p1-5.zip")
    with pytest.raises(DatabaseError, match="1 archives: unpack"):
        listed(tmp_path)


def test_lines_of_the_missing_list_in_another_form_do_no_harm(tmp_path: Path) -> None:
    vipl_recording(tmp_path, "p1/v1/source1")
    write(
        tmp_path / "missing_data.TXT", b"\xef\xbb\xbfdata/p2/v3-2/source3\nP3\\V1\\SOURCE4\n\n# p\nxp4/v1/source1\np5/v1/source12\n"
    )
    found = listed(tmp_path)
    assert sorted(found) == ["p001_v1_source1", "p002_v3-2_source3", "p003_v1_source4"]
    assert found["p003_v1_source4"].skip_reason == "absent"
    assert "missing_data.TXT" in found["p003_v1_source4"].skip_message
