"""The manifest is the commit marker, and tells what was changed since."""

import json
import os

import pytest

from stmap_pipeline.errors import ShardError
from stmap_pipeline.shards import check_manifest, read_manifest
from stmap_pipeline.shards.manifest import write_manifest


@pytest.fixture
def root(tmp_path):
    for name, text in (("shards/p002.h5", "two"), ("shards/p001.h5", "one"), ("stmap.toml", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    write_manifest(tmp_path, fingerprint="c0ffee", files=files, settings={"database": "é", "limit": None})
    return tmp_path


def edit(root, **changes):
    path = root / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def kinds(root, quick=False):
    return {problem.path: problem.kind for problem in check_manifest(root, quick)}


def test_it_lists_files_in_order_with_size_and_hash(root):
    manifest = read_manifest(root)
    assert [one.path for one in manifest.files] == ["shards/p001.h5", "shards/p002.h5", "stmap.toml"]
    assert manifest.files[0].bytes == 3
    assert manifest.files[0].sha256 == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert (manifest.fingerprint, manifest.settings) == ("c0ffee", {"database": "é", "limit": None})
    assert kinds(root) == {}


def test_the_same_files_give_the_same_bytes(root):
    before = (root / "manifest.json").read_bytes()
    files = sorted((one for one in root.rglob("*") if one.is_file() and one.name != "manifest.json"), reverse=True)
    write_manifest(root, fingerprint="c0ffee", files=[*files, files[0]], settings={"database": "é", "limit": None})
    assert (root / "manifest.json").read_bytes() == before


def test_each_change_is_named(root):
    (root / "shards" / "p001.h5").write_text("ONE")
    assert kinds(root) == {"shards/p001.h5": "hash"}
    assert kinds(root, quick=True) == {}
    (root / "shards" / "p001.h5").write_text("longer")
    (root / "shards" / "p002.h5").unlink()
    (root / "shards" / "p003.h5").write_text("three")
    expected = {"shards/p001.h5": "size", "shards/p002.h5": "missing", "shards/p003.h5": "unexpected"}
    assert kinds(root) == kinds(root, quick=True) == expected
    assert "6 bytes, not 3" in check_manifest(root)[0].message


def test_what_a_build_leaves_unlisted_is_no_problem(root):
    for name in ("timings.csv", "timings.json", "work/a.h5", "logs/run.txt", ".DS_Store", "shards/.p001.h5.1-a.stmap-tmp"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    assert kinds(root) == {}


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "shards/../../secret", "a\\..\\b", "C:/x", "", "a\0b"])
def test_a_path_that_leads_out_is_never_opened(root, path):
    (root.parent / "secret").write_text("secret")
    edit(root, files=[{"path": path, "bytes": 6, "sha256": "0"}])
    assert kinds(root)[path] == "unsafe"


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_links_are_never_followed(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "p001.h5").write_text("one")
    (root / "shards" / "p001.h5").unlink()
    (root / "shards" / "p001.h5").symlink_to(elsewhere / "p001.h5")
    assert kinds(root) == {"shards/p001.h5": "unsafe"}
    (root / "linked").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="link"):
        write_manifest(root, fingerprint="x", files=[root / "linked" / "p001.h5"])


def test_a_file_outside_is_refused(root):
    with pytest.raises(ValueError, match="other"):
        write_manifest(root, fingerprint="x", files=[root.parent / "other"])


def test_a_folder_without_manifest_is_an_unfinished_build(root):
    (root / "manifest.json").unlink()
    with pytest.raises(ShardError, match=r"unfinished .*run the same stmap build-maps command again"):
        read_manifest(root)
    for name in ("nowhere", "stmap.toml"):
        with pytest.raises(ShardError, match=f"{name}: there is no such folder; give the output folder of stmap build-maps"):
            read_manifest(root / name)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"format": "other"}',
        '{"format": "stmap-maps", "schema_version": 2}',
        '{"format": "stmap-maps", "schema_version": 2, "files": [{"path": "a", "bytes": 1e309, "sha256": ""}]}',
        "[" * 100_000,
        "\udce9",
    ],
)
def test_a_damaged_manifest_is_named(root, content):
    (root / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ShardError, match=r"manifest\.json: is damaged"):
        read_manifest(root)


def test_another_schema_version_says_which_stmap_is_needed(root):
    edit(root, schema_version=1)
    with pytest.raises(ShardError, match=r"version 1, .* 2;"):
        read_manifest(root)
