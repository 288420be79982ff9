import os
import tempfile
from pathlib import Path

import pytest
from databases.trees import write
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.databases.base import contents, file_named, natural_key, source_folder, walk
from stmap_pipeline.errors import DatabaseError, printable


@given(st.lists(st.integers(0, 10**12), unique=True))
def test_numbered_files_sort_by_their_number(numbers: list[int]) -> None:
    names = sorted((f"{number}.jpg" for number in numbers), key=natural_key)
    assert [int(name[:-4]) for name in names] == sorted(numbers)


@given(st.lists(st.text(), unique=True))
def test_any_names_have_one_order(names: list[str]) -> None:
    backward = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backward, key=natural_key)


@given(st.binary(min_size=1, max_size=40))
def test_any_path_can_be_shown(name: bytes) -> None:
    printable(os.fsdecode(name)).encode()


def test_each_real_folder_is_visited_once_and_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "z" / "1.txt")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    assert [(folder.relative_to(tmp_path).as_posix(), names) for folder, names in walk(tmp_path)] == [(".", []), ("z", ["1.txt"])]


def test_many_links_to_each_other_end(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(12)]
    for folder in folders:
        folder.mkdir()
    for folder in folders:
        for other in folders:
            (folder / f"to_{other.name}").symlink_to(other)
    assert len(list(walk(tmp_path))) == 13


def test_pipes_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    write(tmp_path / ".hidden.mp4")
    write(tmp_path / "video.mp4")
    assert list(walk(tmp_path)) == [(tmp_path, ["video.mp4"])]


def test_a_folder_that_may_not_be_listed_is_an_error() -> None:
    # not tmp_path: its parents are closed to the user nobody, whom the superuser, to whom no folder is closed, becomes here
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        closed = Path(name) / "closed"
        closed.mkdir(mode=0o700 if os.geteuid() == 0 else 0o000)
        me = os.geteuid()
        try:
            if me == 0:
                os.seteuid(65534)
            with pytest.raises(DatabaseError, match=r"closed: .*\(Permission denied\)"):
                list(walk(Path(name)))
        finally:
            os.seteuid(me)
            closed.chmod(0o700)


def test_a_source_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="file: is no folder"):
        source_folder(write(tmp_path / "file"))
    for name in ("gone", "x" * 300):
        with pytest.raises(DatabaseError, match=name):
            source_folder(tmp_path / name)


def test_contents_are_told_in_few_words(tmp_path: Path) -> None:
    assert contents(tmp_path) == "an empty folder"
    for number in range(1, 12):
        write(tmp_path / f"{number}.txt")
    (tmp_path / "0").mkdir()
    assert contents(tmp_path) == "0/, 1.txt, 2.txt, 3.txt, 4.txt, 5.txt and 6 more"
    assert "cannot be listed" in contents(tmp_path / "gone")


def test_the_exact_name_wins_over_one_in_another_case() -> None:
    assert file_named(["TIME.txt", "time.txt"], "time.txt") == "time.txt"
    assert file_named(["TIME.txt"], "time.txt") == "TIME.txt"
    assert file_named([], "time.txt") == "time.txt"
