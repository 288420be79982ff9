"""A final path holds the old content or the new one, never a part."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stmap_pipeline import files
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.files import (
    atomic_folder,
    atomic_path,
    atomic_write_bytes,
    atomic_write_text,
    is_temporary,
    read_bytes,
    remove_temporaries,
)


def names(folder):
    return sorted(one.name for one in folder.rglob("*"))


def write_half(context):
    """Fail in the midst of writing."""
    with context as temporary:
        (temporary / "b.txt" if temporary.is_dir() else temporary).write_text("half")
        raise KeyError


def test_a_file_appears_whole_and_alone(tmp_path):
    with atomic_path(tmp_path / "deep" / "a.txt") as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path / "deep"
        assert is_temporary(temporary)
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert names(tmp_path) == ["a.txt", "deep"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyError):
        write_half(atomic_path(path))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_failed_check_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def check(temporary):
        assert temporary.read_text() == "new"
        raise ShardError("not what it should be")

    with pytest.raises(ShardError), atomic_path(path, check) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file_and_a_name_that_can_be_swept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, sys; from pathlib import Path; from stmap_pipeline.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as t:\n    t.write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"
    left = [one for one in tmp_path.iterdir() if one != path]
    assert len(left) == 1
    assert is_temporary(left[0])
    assert remove_temporaries(tmp_path) == 1
    assert names(tmp_path) == ["a.txt"]


def test_text_is_utf8_with_line_ends_as_given(tmp_path):
    atomic_write_text(tmp_path / "a.txt", "é\n\udce9\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\n\\udce9\r\n".encode()
    atomic_write_bytes(tmp_path / "a.txt", b"")
    assert (tmp_path / "a.txt").read_bytes() == b""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_file_has_the_permissions_of_any_other_file(tmp_path):
    (tmp_path / "plain").write_text("x")
    atomic_write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_refusal_of_the_system_says_where_and_what_to_do(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"cannot be written .*run the same command again"):
        atomic_write_text(tmp_path / "file" / "a.txt", "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_output_error(tmp_path):
    path = tmp_path / "a.bin"

    def write():
        with atomic_path(path) as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"x" * 100_000)

    with pytest.raises(OutputError, match="No space left"):
        write()
    assert names(tmp_path) == []


def test_a_very_long_name_still_has_room_for_its_temporary(tmp_path):
    name = "x" * 240 + ".h5"
    atomic_write_text(tmp_path / name, "x")
    assert names(tmp_path) == [name]


def test_a_folder_appears_whole(tmp_path):
    out = tmp_path / "out"
    with atomic_folder(out) as temporary:
        (temporary / "a").mkdir()
        (temporary / "a" / "b.txt").write_text("x")
        assert not out.exists()
    assert names(tmp_path) == ["a", "b.txt", "out"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError):
        write_half(atomic_folder(tmp_path / "out"))
    assert names(tmp_path) == []


def test_an_empty_folder_is_taken_and_a_full_one_refused(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with atomic_folder(out) as temporary:
        (temporary / "b.txt").write_text("x")
    with pytest.raises(OutputError, match=f"{out}: .*not empty; remove it or give another folder"), atomic_folder(out):
        pass
    with pytest.raises(OutputError, match=r"b\.txt"), atomic_folder(out / "b.txt"):
        pass
    assert (out / "b.txt").read_text() == "x"


def test_what_a_killed_process_left_of_a_folder_is_removed_by_the_next_one(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from stmap_pipeline.files import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1])) as t:\n    (t / 'large').write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False).returncode == 9
    (abandoned,) = tmp_path.iterdir()
    # of a process that is alive, or for another folder
    others = [abandoned.with_name(abandoned.name.replace(f"-{abandoned.name.split('-')[1]}-", f"-{os.getpid()}-"))]
    others.append(abandoned.with_name(abandoned.name.replace(".out.", ".other.")))
    for other in others:
        other.mkdir()
    with atomic_folder(tmp_path / "out"):
        pass
    assert {one.name for one in tmp_path.iterdir()} == {"out", *(one.name for one in others)}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_only_regular_files_of_a_bounded_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", 5) == b"12345"
    for name, message in (("pipe", "not a regular"), ("zero", "not a regular"), ("file", "larger than 4"), ("none", "No such")):
        with pytest.raises(OSError, match=message):
            read_bytes(tmp_path / name, 4)


@pytest.fixture
def windows(monkeypatch):
    """Rename as Windows does: not onto a name in ``held``, which other programs have open; each try is one less for them to hold it."""
    held: dict[str, int] = {}
    replace = Path.replace

    def refusing(self, target):
        if held.get(Path(target).name, 0) > 0:
            held[Path(target).name] -= 1
            error = PermissionError(13, "The process cannot access the file because it is being used by another process")
            error.winerror = 32
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    return held


def test_a_file_that_a_reader_holds_open_is_replaced_when_it_is_closed(tmp_path, windows):
    (tmp_path / "a.txt").write_text("old")
    windows.update({"a.txt": 3, "out": 2})
    atomic_write_text(tmp_path / "a.txt", "new")
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "b.txt").write_text("x")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt", "b.txt", "out"]
    assert not any(windows.values())


def test_a_file_that_stays_open_is_left_and_the_message_says_what_to_do(tmp_path, windows, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE_S", 0.1)
    (tmp_path / "a.txt").write_text("old")
    windows["a.txt"] = 1000
    with pytest.raises(OutputError, match="close the program that has it open"):
        atomic_write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_lack_of_permission_is_not_waited_for(tmp_path, monkeypatch):
    def refused(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refused)
    monkeypatch.setattr(files, "_PATIENCE_S", 100.0)
    start = time.monotonic()
    with pytest.raises(OutputError, match="correct the permissions"):
        atomic_write_text(tmp_path / "a.txt", "new")
    assert time.monotonic() - start < 50
