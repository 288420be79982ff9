"""Ids and the names of files made of them."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.records import file_name
from stmap_pipeline.records.recording import MAX_ID_LENGTH, check_ids, hashed_id, safe_id

LEGAL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*[A-Za-z0-9_-]|[A-Za-z0-9_-]")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.I)

IDS = [
    *("anna", "Anna", "ANNA", "con", "CON", "nul.1", "NUL.1", "com1", "lpt9.mp4", "a.", "a", "a..", "a_", "p001_v1_source1"),
    *("clip-20261128", "clip", "x" * 120, "X" * 120, "王1", "李1", "Müller", "Möller", "Muller", "müller", "konig", "könig"),
    file_name("Anna"),
    file_name("con"),
]


@pytest.mark.parametrize("one", IDS)
def test_a_file_name_is_legal_on_all_systems(one: str) -> None:
    name = file_name(one)
    assert LEGAL.fullmatch(name)
    assert not RESERVED.fullmatch(name)
    assert len(name) <= 130


def test_no_two_ids_share_a_file_name_on_a_disk_that_ignores_case() -> None:
    names = {one: file_name(one).casefold() for one in IDS}
    assert not [pair for pair in itertools.combinations(IDS, 2) if names[pair[0]] == names[pair[1]]]


def test_a_plain_id_in_lower_case_is_its_own_file_name() -> None:
    assert [file_name(one) for one in ("p001_v1_source1", "anna", "take.1-b")] == ["p001_v1_source1", "anna", "take.1-b"]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_has_an_id_of_its_own(one: str, other: str) -> None:
    for text in (one, other):
        name = safe_id(text)
        check_ids(name, hashed_id(text, text))
        assert len(name) <= MAX_ID_LENGTH
        assert safe_id(name) == name
        assert LEGAL.fullmatch(file_name(name))
        assert not RESERVED.fullmatch(file_name(name))
    assert (safe_id(one) == safe_id(other)) == (one == other)


@pytest.mark.parametrize(
    "one", ["", ".a", "-a", "_a", "a/b", "a b", "a\n", "a\0", "x" * 121, "u\u0308", "\u200d", "\udce9", "\u0301a"]
)
def test_what_is_no_id_is_refused(one: str) -> None:
    for ids in ((one, "a"), ("a", one)):
        with pytest.raises(ValueError, match="is not allowed"):
            check_ids(*ids)
