"""Who is seen in the videos of a folder, by the names of folders and files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from stmap_pipeline.databases.folder import recording_of
from stmap_pipeline.databases.folder_description import RecordingEntry
from stmap_pipeline.pipeline.subjects import guess_subjects

ROOT = Path("my").absolute()


def guessed(*names: str) -> tuple[list[str], str]:
    """Subjects as they are filled in, and the note."""
    videos = [ROOT / f"{one}.mp4" for one in names]
    guess = guess_subjects(ROOT, videos)
    filled = [
        recording_of(ROOT, RecordingEntry(video="-", subject=subject), video).subject if subject else ""
        for subject, video in zip(guess.subjects, videos, strict=True)
    ]
    return filled, guess.note


@pytest.mark.parametrize(
    "names",
    [
        ("anna/Sitzung 1/ruhe", "anna/Sitzung 2/ruhe"),
        ("anna/morning/rest", "anna/evening/rest"),
        ("anna/1/rest", "anna/2/rest"),
        ("anna/2026-01-05/a", "anna/2026-01-12 follow-up/b"),
        ("anna/s1/cam1/a", "anna/s1/cam2/a", "anna/s2/cam1/a"),
        ("anna/rest", "anna/visit_2/rest"),
    ],
)
def test_folders_under_one_folder_are_sessions_of_one_person_and_a_note_says_so(names):
    subjects, note = guessed(*names)
    assert subjects == ["anna"] * len(names)
    assert "sessions of one person, anna" in note
    assert '"{parent}"' in note


def test_sessions_alone_are_of_one_person(tmp_path):
    subjects, note = guessed("Session 1/rest", "Session 2/rest")
    assert subjects == ["my", "my"]
    assert "Session 1, Session 2" in note


@pytest.mark.parametrize(
    ("names", "subjects"),
    [
        # people
        (("anna/rest", "bea/rest"), ["anna", "bea"]),
        (("1/rest", "2/rest"), ["1", "2"]),
        (("anna/Sitzung 1/a", "ben/Sitzung 2/a"), ["anna", "ben"]),
        (("anna/2026-01-05/a", "anna/2026-01-12/a", "ben/2026-02-01/a"), ["anna", "anna", "ben"]),
        (("anna/rest/a", "anna/walk/a", "ben/rest/a"), ["anna", "anna", "ben"]),
        # a person in several sessions of a study is one
        (("day 1/anna/a", "day 1/ben/a", "day 2/anna/a"), ["anna", "ben", "anna"]),
        # cameras below sessions below people
        (("p1/v1/source1/a", "p1/v1/source2/a", "p1/v2/source1/a", "p2/v1/source1/a"), ["p1", "p1", "p1", "p2"]),
        # one folder above that is no person
        (("data/anna/a", "data/bea/a"), ["anna", "bea"]),
        (("study/p01/a", "study/p02/a"), ["p01", "p02"]),
        (("data/anna/rest/a", "data/anna/walk/a", "data/bea/rest/a"), ["anna", "anna", "bea"]),
        # groups of people
        (("patients/p01/a", "controls/p02/a", "controls/p03/a"), ["p01", "p02", "p03"]),
        # names of files
        (("s01_rest", "s01_walk", "s02_rest"), ["s01", "s01", "s02"]),
        (("session1_rest", "session2_rest"), ["", ""]),
        (("all/rest", "all/walk"), ["", ""]),
    ],
)
def test_names_that_tell_who_is_who_need_no_note(names, subjects):
    assert guessed(*names) == (subjects, "")


def test_where_folders_of_several_folders_may_be_sessions_that_is_said():
    subjects, note = guessed("anna/rest/a", "anna/walk/a", "ben/talk/a")
    assert subjects == ["rest", "walk", "talk"]
    assert "if the people are anna, ben" in note
