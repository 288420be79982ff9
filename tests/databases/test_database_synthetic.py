"""The synthetic database: its layout's recordings, each with the truth."""

import json

import pytest
from databases.trees import TREES

from stmap_pipeline.databases import vipl_hr
from stmap_pipeline.databases.synthetic import DATABASE
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.synth import plan_synthesis


@pytest.fixture
def root(tmp_path):
    TREES["synthetic"](tmp_path)
    return tmp_path


def document(root):
    return json.loads((root / "synthetic.json").read_text())


def rewrite(root, **changes):
    (root / "synthetic.json").write_text(json.dumps({**document(root), **changes}))


def test_recordings_are_those_of_the_layout_with_their_truth(root):
    truth = {one["recording_id"]: one for one in document(root)["recordings"]}
    plain = {one.recording_id: one for one in vipl_hr.list_recordings(root)}
    listed = list(DATABASE.list_recordings(root))
    assert [one.recording_id for one in listed] == list(plain)
    assert truth
    for one in listed:
        assert one.database == "synthetic"
        assert one.video == plain[one.recording_id].video
        assert one.labels == plain[one.recording_id].labels
        assert one.extras["layout"] == "vipl-hr"
        assert one.extras.keys() >= plain[one.recording_id].extras.keys()
        if one.recording_id in truth:
            assert float(one.extras["true_heart_rate_bpm"]) == pytest.approx(
                truth[one.recording_id]["true_heart_rate_bpm"], abs=5e-4
            )
            assert one.extras["skin_tone"] == truth[one.recording_id]["skin_tone"]
            assert one.extras["setting"] == truth[one.recording_id]["setting"]
        else:
            assert "true_heart_rate_bpm" not in one.extras


@pytest.mark.parametrize("layout", ["vipl-hr", "mmse-hr", "folder", "scamps"])
def test_what_is_written_is_listed(tmp_path, layout):
    plan = plan_synthesis(tmp_path, layout, 1, duration_s=1.0)
    list(plan.run())
    listed = {one.recording_id: one for one in DATABASE.list_recordings(tmp_path)}
    for one in plan.recordings:
        extras = listed[one.recording_id].extras
        assert float(extras["true_heart_rate_bpm"]) == one.metadata().true_heart_rate_bpm
        assert extras["quirks"].split() == list(one.quirks)
        assert extras["layout"] == layout
    assert all(listed[name].skip_reason == "absent" for name in listed.keys() - {one.recording_id for one in plan.recordings})


def test_a_tree_without_the_file_is_refused(root):
    (root / "synthetic.json").unlink()
    with pytest.raises(DatabaseError, match=r"no synthetic\.json, .*; found "):
        DATABASE.list_recordings(root)


def test_an_unfinished_synthesis_says_how_to_go_on(tmp_path):
    next(plan_synthesis(tmp_path, "folder", 1, duration_s=1.0).run())
    with pytest.raises(DatabaseError, match="run the same stmap synth again"):
        DATABASE.list_recordings(tmp_path)


def test_a_recording_that_was_lost_is_named(root):
    entries = document(root)["recordings"]
    rewrite(root, recordings=[*entries, {**entries[0], "recording_id": "p099_v1_source1"}])
    with pytest.raises(DatabaseError, match=r"synthetic\.json .*p099_v1_source1, "):
        DATABASE.list_recordings(root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "os:system"}, "layout: .*'os:system' is none of bp4d-plus, .*vipl-hr"),
        ({"format": "zip"}, "format: .*'stmap-synthetic'"),
        ({"schema_version": 2}, "schema_version: .* 1"),
        ({"recordings": []}, "recordings: "),
        ({"recordings": "all"}, "recordings: "),
    ],
)
def test_a_wrong_document_is_told(root, changes, message):
    rewrite(root, **changes)
    with pytest.raises(DatabaseError, match=message):
        DATABASE.list_recordings(root)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recording_id", "../../etc/passwd"),
        ("recording_id", "a/b"),
        ("true_heart_rate_bpm", -1),
        ("true_heart_rate_bpm", float("nan")),
        ("true_heart_rate_bpm", "fast"),
        ("skin_tone", "a\nb"),
        ("skin_tone", "dark\n"),
        ("quirks", ["../x"]),
    ],
)
def test_a_wrong_entry_is_told(root, key, value):
    entries = document(root)["recordings"]
    rewrite(root, recordings=[{**entries[0], key: value}])
    with pytest.raises(DatabaseError, match=rf"recordings.0.{key}"):
        DATABASE.list_recordings(root)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=["empty", "cut", "bytes", "deep"])
def test_what_is_no_json_is_told(root, data):
    (root / "synthetic.json").write_bytes(data)
    with pytest.raises(DatabaseError, match=r"synthetic\.json: .*write the database anew with stmap synth"):
        DATABASE.list_recordings(root)
