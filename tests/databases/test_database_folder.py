import os
from pathlib import Path

import pytest
from databases.trees import folder as make_tree
from databases.trees import write

from stmap_pipeline.databases.folder import DATABASE, VIDEO_SUFFIXES
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.records import Recording


def listed(root: Path) -> dict[str, Recording]:
    return {one.recording_id: one for one in DATABASE.list_recordings(root)}


def described(root: Path, text: str) -> dict[str, Recording]:
    write(root / "database.toml", text)
    return listed(root)


def test_the_tree_as_a_whole(tmp_path: Path) -> None:
    make_tree(tmp_path)
    found = listed(tmp_path)
    assert [(name, one.subject, one.scenario, one.camera) for name, one in found.items()] == [
        ("pictures", "s01", "", "webcam"),
        ("s01_rest", "s01", "rest", "webcam"),
        ("s10", "s10", "walk", "webcam"),
        ("s2", "s2", "walk", "webcam"),
    ]
    assert {one.database for one in found.values()} == {"my study"}
    assert found["s01_rest"].clock.kind == "pts"
    assert (found["pictures"].video.kind, found["pictures"].clock.rate_hz) == ("images", 20.0)
    assert found["pictures"].extras == {"skin_type": "5"}
    label = found["s10"].labels[0]
    assert (label.kind, label.path, label.per_frame) == ("pulse", tmp_path / "walk" / "s10.txt", True)


def test_a_label_in_full(tmp_path: Path) -> None:
    label = described(
        tmp_path,
        """
        [[recording]]
        video = "a.mp4"
        [[recording.label]]
        kind = "heart_rate"
        file = "{stem}.csv"
        column = 3
        unit = "hz"
        missing = 0
        time_column = "t"
        time_unit_s = 0.001
        required = true
        """,
    )["a"].labels[0]
    assert (label.path, label.column, label.scale, label.missing) == (tmp_path / "a.csv", 3, 60.0, (0.0,))
    assert (label.time_column, label.time_unit_s, label.required) == ("t", 0.001, True)


# ---- no description


@pytest.mark.parametrize("suffix", [*VIDEO_SUFFIXES, ".AVI"])
def test_each_kind_of_video_is_found(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "a" / "b" / f"clip{suffix}")
    one = listed(tmp_path)["clip"]
    assert (one.subject, one.labels, one.clock.kind) == ("clip", (), "pts")
    assert "subject of its own" in one.notes[0]


def test_one_video_is_one_recording(tmp_path: Path) -> None:
    write(tmp_path / "other.mp4")
    assert list(listed(write(tmp_path / "clip.mp4"))) == ["clip"]


def test_one_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"notes.txt: is no video by its name; known are .avi"):
        listed(write(tmp_path / "notes.txt"))


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for place in ("s1/rest/vid.avi", "s2/rest/vid.avi", "s2/walk/vid.avi", "alone.avi"):
        write(tmp_path / place)
    found = listed(tmp_path)
    assert sorted(found) == ["alone", "s1_rest_vid", "s2_rest_vid", "walk_vid"]
    assert {one.subject for one in found.values()} == set(found)


def test_equal_names_in_one_folder_are_told_apart_by_their_suffix(tmp_path: Path) -> None:
    for name in ("cap.mp4", "cap.webm", "other.mp4"):
        write(tmp_path / name)
    assert list(listed(tmp_path)) == ["cap.mp4", "cap.webm", "other"]


def test_names_that_stay_equal_are_an_error_that_names_both(tmp_path: Path) -> None:
    for name in ("a b.mp4", "a_b.mp4"):
        write(tmp_path / name)
    with pytest.raises(DatabaseError, match=r"a b\.mp4.* and .*a_b\.mp4.* would both be 'a_b\.mp4'; give each its own id"):
        listed(tmp_path)


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    names = [b"caf\xe9.mp4", b"\xe9.mp4", "心率.mp4".encode()]
    try:
        for name in names:
            write(tmp_path / os.fsdecode(name))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = listed(tmp_path)
    assert {os.fsencode(one.video.path.name) for one in found.values()} == set(names)
    assert "caf_xe9" in found
    pattern = described(tmp_path, '[[recording]]\nvideo = "*.mp4"\nsubject = "{stem}"\nscenario = "{stem}"\n')
    assert len(pattern) == 3
    for one in pattern.values():
        one.scenario.encode()


def test_a_link_that_leads_nowhere_is_listed(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "detached.mp4")
    assert list(listed(tmp_path)) == ["clip"]


# ---- patterns and placeholders


def test_a_pattern_gives_one_recording_a_match(tmp_path: Path) -> None:
    for name in ("s1/rest/a.mp4", "s1/walk/b.mp4", "s2/rest/c.mp4", "s2/rest/readme.txt"):
        write(tmp_path / name)
    found = described(
        tmp_path,
        """
        [[recording]]
        video = "*/*/*"
        subject = "{grandparent}"
        scenario = "{parent}"
        times = "{dir}/{stem}_time.txt"
        times_unit_s = 0.001
        """,
    )
    assert [(name, one.subject, one.scenario) for name, one in found.items()] == [
        ("a", "s1", "rest"),
        ("b", "s1", "walk"),
        ("c", "s2", "rest"),
    ]
    clock = found["b"].clock
    assert (clock.kind, clock.path, clock.unit_s) == ("times_file", tmp_path / "s1/walk/b_time.txt", 0.001)


def test_a_pattern_may_be_absolute(tmp_path: Path) -> None:
    write(tmp_path / "disk" / "a.mp4")
    (tmp_path / "study").mkdir()
    assert list(described(tmp_path / "study", f'[[recording]]\nvideo = "{tmp_path}/disk/*.mp4"\n')) == ["a"]


def test_a_pattern_matches_folders_of_pictures(tmp_path: Path) -> None:
    write(tmp_path / "s1" / "1.jpg")
    write(tmp_path / "s2.x" / "1.png")
    write(tmp_path / "notes" / "a.txt")
    found = described(tmp_path, '[[recording]]\nvideo = "*"\nrate_hz = 25\n')
    assert list(found) == ["s1", "s2.x"]
    assert {one.video.kind for one in found.values()} == {"images"}


def test_brackets_in_a_real_name_are_no_pattern(tmp_path: Path) -> None:
    write(tmp_path / "[a].mp4")
    assert [one.video.path.name for one in described(tmp_path, '[[recording]]\nvideo = "[a].mp4"\n').values()] == ["[a].mp4"]


@pytest.mark.parametrize(("files", "why"), [([], "matches nothing"), (["a.txt"], "matches no video")])
def test_a_pattern_without_match_is_an_error(tmp_path: Path, files: list[str], why: str) -> None:
    for name in files:
        write(tmp_path / name)
    with pytest.raises(DatabaseError, match=rf"database.toml, recording 1: video = 'a\*' {why}"):
        described(tmp_path, '[[recording]]\nvideo = "a*"\n')


def test_an_impossible_pattern_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="is no pattern of files"):
        described(tmp_path, '[[recording]]\nvideo = "a**/*.mp4"\n')


def test_a_video_that_is_named_and_missing_is_listed(tmp_path: Path) -> None:
    assert list(described(tmp_path, '[[recording]]\nvideo = "gone.mp4"\n')) == ["gone"]


def test_a_name_too_long_for_a_file_is_listed_too(tmp_path: Path) -> None:
    assert len(described(tmp_path, f'[[recording]]\nvideo = "{"x" * 300}.mp4"\n')) == 1


def test_an_id_may_be_given(tmp_path: Path) -> None:
    write(tmp_path / "s1" / "v.mp4")
    write(tmp_path / "s2" / "v.mp4")
    assert list(described(tmp_path, '[[recording]]\nvideo = "*/v.mp4"\nid = "{parent}-x"\n')) == ["s1-x", "s2-x"]


def test_one_video_listed_twice_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    with pytest.raises(DatabaseError, match=r"recording 1 .* and database.toml, recording 2 .* would both be 'a.mp4'"):
        described(tmp_path, '[[recording]]\nvideo = "a.mp4"\n[[recording]]\nvideo = "*.mp4"\n')


# ---- what must fit together


def test_pictures_need_a_clock(tmp_path: Path) -> None:
    write(tmp_path / "pictures" / "1.png")
    with pytest.raises(DatabaseError, match=r"recording 1: .*pictures is a folder of pictures.*give rate_hz or times"):
        described(tmp_path, '[[recording]]\nvideo = "pictures"\n')


def test_a_subject_in_two_folds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"subject 's1' is in fold 1 .*recording 1.* and in fold 2 .*recording 2"):
        described(
            tmp_path,
            '[[recording]]\nvideo = "a.mp4"\nsubject = "s1"\nfold = 1\n[[recording]]\nvideo = "b.mp4"\nsubject = "s1"\nfold = 2\n',
        )


@pytest.mark.parametrize(("one", "other"), [("Anna B", "Anna_B"), ("s1", "S1")])
def test_two_people_under_one_file_name_are_an_error(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(DatabaseError, match=f"subjects '{one}' .* and '{other}' .* would share the file name"):
        described(
            tmp_path, f'[[recording]]\nvideo = "a.mp4"\nsubject = "{one}"\n[[recording]]\nvideo = "b.mp4"\nsubject = "{other}"\n'
        )


def test_a_clock_of_its_own_replaces_the_default_one(tmp_path: Path) -> None:
    found = described(
        tmp_path, '[defaults]\nrate_hz = 25\n[[recording]]\nvideo = "a.mp4"\ntimes = "a.txt"\n[[recording]]\nvideo = "b.mp4"\n'
    )
    assert [one.clock.kind for one in found.values()] == ["times_file", "constant"]


def test_two_descriptions_are_an_error(tmp_path: Path) -> None:
    make_tree(tmp_path)
    write(tmp_path / "database.csv", "video\ns01_rest.mp4\n")
    with pytest.raises(DatabaseError, match=r"holds database.toml and database.csv; keep one"):
        listed(tmp_path)


def test_the_description_itself_may_be_the_source(tmp_path: Path) -> None:
    make_tree(tmp_path)
    assert listed(tmp_path / "database.toml") == listed(tmp_path)
