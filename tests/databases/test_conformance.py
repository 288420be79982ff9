"""What holds for every database of the registry. A new one needs a tree in trees.py, and is then tested by all of this."""

import os
import pickle
import re
from collections import defaultdict
from pathlib import Path

import pytest
from databases.trees import TREES

from stmap_pipeline.databases.base import Database
from stmap_pipeline.errors import REASONS, DatabaseError
from stmap_pipeline.records import Recording
from stmap_pipeline.registry import REGISTRIES, load

VIDEOS = {".avi", ".mp4", ".mov", ".mkv", ".jpg", ".png", ".bmp", ".mat", ".zip"}
NAMES = sorted(REGISTRIES["databases"])


@pytest.fixture(params=NAMES)
def database(request: pytest.FixtureRequest) -> Database:
    found = load("databases", request.param)
    assert isinstance(found, Database)
    return found


@pytest.fixture
def tree(database: Database, tmp_path: Path) -> Path:
    assert database.name in TREES, f"write a small fake tree for {database.name} in tests/databases/trees.py"
    root = tmp_path / "tree"
    root.mkdir()
    TREES[database.name](root)
    return root


def listed(database: Database, root: Path) -> list[Recording]:
    return list(database.list_recordings(root))


def test_facts(database: Database) -> None:
    assert database.name in NAMES
    for fact in ("title", "license", "access", "layout"):
        assert getattr(database, fact).strip(), fact
    if database.citation:
        assert re.match(r"@\w+\{\w+,\n", database.citation)
        assert database.citation.count("{") == database.citation.count("}")


def test_ids_are_unique_sorted_and_safe(database: Database, tree: Path) -> None:
    ids = [one.recording_id for one in listed(database, tree)]
    assert ids == sorted(set(ids))
    assert len(ids) >= 3
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one) for one in ids)


def test_each_recording_says_where_it_belongs(database: Database, tree: Path) -> None:
    for one in listed(database, tree):
        assert one.subject
        assert one.database
        assert one.video.path.is_absolute()
        assert one.skip_reason in REASONS
        assert bool(one.skip_reason) == bool(one.skip_message)


def test_extras_are_text(database: Database, tree: Path) -> None:
    for one in listed(database, tree):
        assert all(isinstance(key, str) and isinstance(value, str) for key, value in one.extras.items())


def test_listing_is_deterministic(database: Database, tree: Path) -> None:
    assert listed(database, tree) == listed(database, tree)


def test_a_relative_root_lists_the_same(database: Database, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.parent)
    assert listed(database, Path(tree.name)) == listed(database, tree)


def test_recordings_survive_the_way_to_a_worker(database: Database, tree: Path) -> None:
    found = listed(database, tree)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301


def test_a_subject_has_one_fold(database: Database, tree: Path) -> None:
    folds = defaultdict(set)
    for one in listed(database, tree):
        folds[one.subject].add(one.fold)
    assert all(len(of_subject) == 1 for of_subject in folds.values())


def test_labels_have_one_kind_each(database: Database, tree: Path) -> None:
    for one in listed(database, tree):
        kinds = [label.kind for label in one.labels]
        assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("inside", [None, "notes.txt"])
def test_a_folder_of_something_else_is_refused(database: Database, tmp_path: Path, inside: str | None) -> None:
    root = tmp_path / "other"
    root.mkdir()
    if inside:
        (root / inside).touch()
    with pytest.raises(DatabaseError, match=re.escape(str(root))) as caught:
        listed(database, root)
    assert len(str(caught.value)) > len(str(root)) + 20  # says more than the name


def test_a_missing_folder_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="gone"):
        listed(database, tmp_path / "gone")


def test_listing_opens_no_video(database: Database, tree: Path) -> None:
    before = listed(database, tree)
    videos = [path for path in tree.rglob("*") if path.suffix.lower() in VIDEOS]
    assert videos
    for path in videos:  # opening one would fail now
        path.unlink()
        path.symlink_to(tree / "nowhere")
    assert listed(database, tree) == before


def test_a_loop_of_links_ends(database: Database, tree: Path) -> None:
    before = listed(database, tree)
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "itself").symlink_to(tree / "itself")
    assert listed(database, tree) == before


def test_file_names_that_are_not_utf8_survive(database: Database, tree: Path) -> None:
    before = [one.recording_id for one in listed(database, tree)]
    name = os.fsencode(tree) + b"/caf\xe9"
    try:
        os.mkdir(name)  # noqa: PTH102
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (Path(os.fsdecode(name)) / "note.txt").touch()
    assert [one.recording_id for one in listed(database, tree)] == before


def test_a_tree_whose_own_name_is_not_utf8_lists_the_same(database: Database, tree: Path) -> None:
    before = [one.recording_id for one in listed(database, tree)]
    try:
        moved = tree.rename(Path(os.fsdecode(os.fsencode(tree.parent) + b"/caf\xe9")))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = listed(database, moved)
    assert [one.recording_id for one in found] == before
    for one in found:
        ("".join([one.scenario, one.camera, one.skip_message, one.clock.note, *one.notes])).encode()  # can be stored


def test_shadows_of_other_systems_are_left_out(database: Database, tree: Path) -> None:
    before = listed(database, tree)
    for path in [path for path in tree.rglob("*") if path.is_file()]:
        shadow = tree / "__MACOSX" / path.relative_to(tree).parent / f"._{path.name}"
        shadow.parent.mkdir(parents=True, exist_ok=True)
        shadow.touch()
        (path.parent / f"._{path.name}").touch()
    assert listed(database, tree) == before
