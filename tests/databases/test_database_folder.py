import os
from pathlib import Path

import pytest
from databases.trees import folder as make_tree
from databases.trees import write

from stmap_pipeline.databases.folder import DATABASE, VIDEO_SUFFIXES, files_beside, list_recordings
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.records import Recording, file_name


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
        ("walk__s10.MOV", "s10", "walk", "webcam"),
        ("walk__s2.MOV", "s2", "walk", "webcam"),
    ]
    assert {one.database for one in found.values()} == {"my study"}
    assert found["s01_rest"].clock.kind == "pts"
    assert (found["pictures"].video.kind, found["pictures"].clock.rate_hz) == ("images", 20.0)
    assert found["pictures"].extras == {"skin_type": "5"}
    label = found["walk__s10.MOV"].labels[0]
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
    assert (label.path, label.column, label.unit, label.missing) == (tmp_path / "a.csv", 3, "hz", (0.0,))
    assert (label.time_column, label.time_unit_s, label.required) == ("t", 0.001, True)


# ---- no description


@pytest.mark.parametrize("suffix", [*VIDEO_SUFFIXES, ".AVI"])
def test_each_kind_of_video_is_found(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "a" / "b" / f"clip{suffix}")
    ((name, one),) = listed(tmp_path).items()
    assert name == "a__b__clip" + (suffix if suffix != ".mp4" else "")
    assert (one.subject, one.labels, one.clock.kind) == (name, (), "pts")
    assert "subject of its own" in one.notes[0]


def test_one_video_is_one_recording(tmp_path: Path) -> None:
    write(tmp_path / "other.mp4")
    assert list(listed(write(tmp_path / "clip.mp4"))) == ["clip"]


def test_one_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"notes\.txt: .*\.mp4"):
        listed(write(tmp_path / "notes.txt"))


SIMILAR = [
    *(
        "emil/video.mp4",
        "fay/video.mp4",
        "video.mp4",
        "video.mov",
        "video.MOV",
        "video.avi.mp4",
        "video.avi",
        "emil__video.mp4",
        "emil_video.mp4",
    ),
    *(
        "emil_/video.mp4",
        "emil/_video.mp4",
        "a/b/c.mp4",
        "a/b_c.mp4",
        "a_b/c.mp4",
        "a/b__c.mp4",
        "a b.mp4",
        "a_b.mp4",
        "a(b.mp4",
        "a_b_.mp4",
    ),
    *(
        "\u738b1.mp4",
        "\u674e1.mp4",
        "M\u00fcller.mp4",
        "M\u00f6ller.mp4",
        "Mu\u0308ller.mp4",
        "Muller.mp4",
        "Anna.mp4",
        "anna.mp4",
        "ANNA.mp4",
    ),
    *(
        "\u0430nna.mp4",
        "\u0439.mp4",
        "\u0938\u093f\u0924\u093e.mp4",
        "-x.mp4",
        ".x.mp4".lstrip("."),
        "_x.mp4",
        "con.mp4",
        "\u0301x.mp4",
        "\U0001f600.mp4",
    ),
]


def test_ids_hang_on_the_path_alone(tmp_path: Path) -> None:
    alone = {}
    for number, name in enumerate(SIMILAR):
        write(tmp_path / str(number) / name)
        ((alone[name], one),) = listed(tmp_path / str(number)).items()
        assert one.subject == alone[name]
        write(tmp_path / "all" / name)
    together = listed(tmp_path / "all")
    assert len(together) == len(SIMILAR)
    assert {one.video.path.relative_to(tmp_path / "all").as_posix(): name for name, one in together.items()} == alone
    assert len({file_name(one).casefold() for one in together}) == len(SIMILAR)


@pytest.mark.parametrize(
    ("path", "recording_id"),
    [
        ("s01_rest.mp4", "s01_rest"),
        ("emil/video.mp4", "emil__video"),
        ("emil/video.mov", "emil__video.mov"),
        ("\u738b1.mp4", "\u738b1"),
        ("M\u00fcller/Ruhe.mp4", "M\u00fcller__Ruhe"),
        ("\u0421\u0438\u0442\u0430.mp4", "\u0421\u0438\u0442\u0430"),
        ("rest 1.mp4", "rest_1-53c53f"),
    ],
)
def test_a_person_recognizes_the_ids(tmp_path: Path, path: str, recording_id: str) -> None:
    write(tmp_path / path)
    assert list(listed(tmp_path)) == [recording_id]


def test_a_second_name_of_a_video_is_skipped_by_name(tmp_path: Path) -> None:
    write(tmp_path / "z.mp4")
    (tmp_path / "a.mp4").symlink_to("z.mp4")
    (tmp_path / "zz.mp4").hardlink_to(tmp_path / "z.mp4")
    assert {name: one.skip_reason for name, one in listed(tmp_path).items()} == {"a": "duplicate", "z": "", "zz": "duplicate"}


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    names = [b"caf\xe9.mp4", b"\xe9.mp4", "\u5fc3\u7387.mp4".encode()]
    try:
        for name in names:
            write(tmp_path / os.fsdecode(name))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = listed(tmp_path)
    assert {os.fsencode(one.video.path.name) for one in found.values()} == set(names)
    assert any(one.startswith("caf_-") for one in found)
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
        ("s1__rest__a", "s1", "rest"),
        ("s1__walk__b", "s1", "walk"),
        ("s2__rest__c", "s2", "rest"),
    ]
    clock = found["s1__walk__b"].clock
    assert (clock.kind, clock.path, clock.unit_s) == ("times_file", tmp_path / "s1/walk/b_time.txt", 0.001)


def test_a_pattern_may_be_absolute(tmp_path: Path) -> None:
    write(tmp_path / "disk" / "a.mp4")
    (tmp_path / "study").mkdir()
    (name,) = described(tmp_path / "study", f'[[recording]]\nvideo = "{tmp_path}/disk/*.mp4"\n')
    assert name.startswith("disk__a-")


def test_a_pattern_matches_folders_of_images(tmp_path: Path) -> None:
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
    with pytest.raises(DatabaseError, match=r"recording 1: video = 'a\*\*/\*\.mp4'"):
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
    with pytest.raises(DatabaseError, match=r"recording 1 .*recording 2 .* 'a'; give each its own id"):
        described(tmp_path, '[[recording]]\nvideo = "a.mp4"\n[[recording]]\nvideo = "*.mp4"\n')


# ---- what must fit together


def test_images_need_a_clock(tmp_path: Path) -> None:
    write(tmp_path / "pictures" / "1.png")
    with pytest.raises(DatabaseError, match=r"recording 1: .*pictures .*give rate_hz or times"):
        described(tmp_path, '[[recording]]\nvideo = "pictures"\n')


def test_a_subject_in_two_folds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"'s1' .*fold 1 .*recording 1.*fold 2 .*recording 2"):
        described(
            tmp_path,
            '[[recording]]\nvideo = "a.mp4"\nsubject = "s1"\nfold = 1\n[[recording]]\nvideo = "b.mp4"\nsubject = "s1"\nfold = 2\n',
        )


@pytest.mark.parametrize(("one", "other"), [("Anna B", "Anna_B"), ("s1", "S1"), ("M\u00fcller", "M\u00f6ller")])
def test_subjects_with_similar_names_are_two(tmp_path: Path, one: str, other: str) -> None:
    found = described(
        tmp_path, f'[[recording]]\nvideo = "a.mp4"\nsubject = "{one}"\n[[recording]]\nvideo = "b.mp4"\nsubject = "{other}"\n'
    )
    assert len({file_name(recording.subject).casefold() for recording in found.values()}) == 2


def test_one_video_as_two_subjects_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").hardlink_to(tmp_path / "a.mp4")
    with pytest.raises(DatabaseError, match=r"b\.mp4 .*'a' .*recording 1.*'b'"):
        described(tmp_path, '[[recording]]\nvideo = "*.mp4"\n')
    label = '[[recording.label]]\nrate_hz = 1\nfile = "{stem}.csv"\n'
    assert len(described(tmp_path, '[[recording]]\nvideo = "*.mp4"\nsubject = "s1"\n')) == 2
    one, other = described(tmp_path, f'[[recording]]\nvideo = "*.mp4"\n{label}').values()
    assert (one.notes, len(other.notes)) == ((), 1)


@pytest.mark.parametrize("key", ["scenario", "camera", "subject", "id"])
def test_a_text_longer_than_what_can_be_kept_is_an_error(tmp_path: Path, key: str) -> None:
    for text in ("y" * 70_000, "{dir}" * 40):
        write(tmp_path / "folder" / "name" / "a.mp4")
        with pytest.raises(DatabaseError, match=rf"recording 1(.|\n)*{key}"):
            described(tmp_path, f'[[recording]]\nvideo = "folder/name/a.mp4"\n{key} = "{text}"\n')


def test_a_clock_of_its_own_replaces_the_default_one(tmp_path: Path) -> None:
    found = described(
        tmp_path, '[defaults]\nrate_hz = 25\n[[recording]]\nvideo = "a.mp4"\ntimes = "a.txt"\n[[recording]]\nvideo = "b.mp4"\n'
    )
    assert [one.clock.kind for one in found.values()] == ["times_file", "constant"]


def test_two_descriptions_are_an_error(tmp_path: Path) -> None:
    make_tree(tmp_path)
    write(tmp_path / "database.csv", "video\ns01_rest.mp4\n")
    with pytest.raises(DatabaseError, match=r"database\.toml and database\.csv; keep one"):
        listed(tmp_path)


def test_the_description_itself_may_be_the_source(tmp_path: Path) -> None:
    make_tree(tmp_path)
    assert listed(tmp_path / "database.toml") == listed(tmp_path)


# ---- who is who


def subjects(root: Path, subject: str) -> dict[str, str]:
    return {one.recording_id: one.subject for one in list_recordings(root, subject)}


def test_one_text_names_the_subjects_of_a_folder(tmp_path: Path) -> None:
    for name in ("day1/anna/rest.mp4", "day1/anna/walk.mp4", "day2/anna/rest.mp4", "day2/\u674e/rest.mp4"):
        write(tmp_path / name)
    assert list(subjects(tmp_path, "{parent}").values()) == ["anna", "anna", "anna", "\u674e"]
    assert list(subjects(tmp_path, "{grandparent}-{parent}").values()) == ["day1-anna", "day1-anna", "day2-anna", "day2-\u674e"]
    assert list(subjects(tmp_path, "{parent}")) == list(listed(tmp_path))
    assert not next(list_recordings(tmp_path, "{parent}")).notes


def test_it_also_names_those_of_a_description_without_subjects(tmp_path: Path) -> None:
    write(tmp_path / "anna" / "rest.mp4")
    write(tmp_path / "database.toml", '[[recording]]\nvideo = "*/*.mp4"\n')
    assert subjects(tmp_path, "{parent}") == {"anna__rest": "anna"}
    write(tmp_path / "database.toml", '[[recording]]\nvideo = "*/*.mp4"\nsubject = "a"\n')
    with pytest.raises(DatabaseError, match=r"recording 1 names the subject already"):
        subjects(tmp_path, "{parent}")
    with pytest.raises(DatabaseError, match=r"\{folder\}.*\{stem\}"):
        subjects(tmp_path, "{folder}")


VIDEO = bytes(range(256)) * 8


@pytest.mark.parametrize("how", ["copy", "hard link", "link"])
def test_one_video_under_two_subjects_is_an_error_that_names_both(tmp_path: Path, how: str) -> None:
    first, second = write(tmp_path / "anna" / "rest.mp4", VIDEO), tmp_path / "bea" / "walk.mp4"
    second.parent.mkdir()
    if how == "copy":
        second.write_bytes(VIDEO)
    elif how == "hard link":
        second.hardlink_to(first)
    else:
        second.symlink_to(first)
    assert {one.subject for one in listed(tmp_path).values()} == {"anna__rest", "bea__walk"}
    with pytest.raises(DatabaseError, match=r"anna/rest\.mp4 and bea/walk\.mp4 .*'anna'.*'bea'"):
        subjects(tmp_path, "{parent}")
    write(tmp_path / "database.toml", '[[recording]]\nvideo = "*/*.mp4"\nsubject = "{parent}"\n')
    with pytest.raises(DatabaseError, match=r"anna/rest\.mp4 and bea/walk\.mp4 .*'anna'.*'bea'"):
        listed(tmp_path)


def test_a_copy_with_another_label_is_the_same_person_too(tmp_path: Path) -> None:
    for name in ("anna", "bea"):
        write(tmp_path / name / "v.mp4", VIDEO)
    label = '[[recording.label]]\nfile = "{dir}/hr.csv"\nrate_hz = 1\n'
    with pytest.raises(DatabaseError, match="have the same content"):
        described(tmp_path, f'[[recording]]\nvideo = "*/v.mp4"\nsubject = "{{parent}}"\n{label}')
    # where nobody said who is who, it is told with the recording
    first, second = described(tmp_path, f'[[recording]]\nvideo = "*/v.mp4"\n{label}').values()
    assert (first.notes, "anna__v" in second.notes[0]) == ((), True)


def test_copies_of_one_subject_are_built_once(tmp_path: Path) -> None:
    for name in ("anna/a.mp4", "anna/b.mp4"):
        write(tmp_path / name, VIDEO)
    write(tmp_path / "bea" / "c.mp4", VIDEO[::-1])
    assert [one.skip_reason for one in list_recordings(tmp_path, "{parent}")] == ["", "duplicate", ""]


def test_folders_of_images_are_compared_too(tmp_path: Path) -> None:
    for name in ("anna", "bea"):
        for number in range(3):
            write(tmp_path / name / f"{number}.png", VIDEO[number:])
    text = '[[recording]]\nvideo = "*"\nsubject = "{stem}"\nrate_hz = 20\n'
    with pytest.raises(DatabaseError, match="anna and bea have the same content"):
        described(tmp_path, text)
    write(tmp_path / "bea" / "1.png", VIDEO[::-1][1:])
    assert len(described(tmp_path, text)) == 2


def test_all_that_contradicts_itself_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"(?s)'a'.*give each its own id.*fold 1.*fold 2"):
        described(
            tmp_path,
            '[[recording]]\nvideo = "a.mp4"\n[[recording]]\nvideo = "a.mp4"\n'
            '[[recording]]\nvideo = "b.mp4"\nsubject = "s"\nfold = 1\n[[recording]]\nvideo = "c.mp4"\nsubject = "s"\nfold = 2\n',
        )


def test_files_of_the_same_name_may_be_labels(tmp_path: Path) -> None:
    videos = [write(tmp_path / "anna" / name) for name in ("rest.mp4", "walk.avi", "run.mp4")]
    for name in ("Rest.csv", "rest_hr.txt", "rest.jpg", "resting.csv", "walk.json", "other.csv"):
        write(tmp_path / "anna" / name)
    found = files_beside(videos)
    assert {video.name: [one.name for one in files] for video, files in found.items()} == {
        "rest.mp4": ["Rest.csv", "rest_hr.txt"],
        "walk.avi": ["walk.json"],
    }
