"""What is written is what is read; equal content, equal bytes; order does not matter."""

import dataclasses
import itertools
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_examples import odd_result, same

from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import BlockTrace, ClockSource, HeartRateTrace, LandmarkTrack, PulseTrace, RoiGrid
from stmap_pipeline.shards import merge_parts, read_part, read_shard, recording_ids, write_part, write_shard
from stmap_pipeline.shards.schema import ATTRIBUTES, DATASETS

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@st.composite
def results(draw):
    """Any recording of a few frames."""
    frames, grid = draw(st.integers(1, 8)), RoiGrid(draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    base = example_result(frames=frames, grid=grid, lost=slice(0, draw(st.integers(0, frames))))
    times_s = np.cumsum(rng.uniform(0.001, 1.0, frames))
    means = rng.normal(100, 80, (frames, grid.count, 3)).astype(np.float32)
    means[rng.random((frames, grid.count)) < 0.3] = np.nan
    coverage = rng.random((frames, grid.count)).astype(np.float32)
    labels = draw(st.integers(0, 5))
    clock = draw(st.sampled_from([ClockSource(), ClockSource("constant", rate_hz=29.97, note="é")]))
    facts = st.one_of(texts, st.integers(-(2**40), 2**40), st.floats())
    return dataclasses.replace(
        base,
        recording=dataclasses.replace(
            base.recording,
            clock=clock,
            scenario=draw(texts),
            camera=draw(texts),
            fold=draw(st.one_of(st.none(), st.integers(1, 9))),
            notes=tuple(draw(st.lists(texts, max_size=3))),
            extras=draw(st.dictionaries(texts, texts, max_size=3)),
        ),
        blocks=BlockTrace(times_s, means, coverage, grid),
        track=LandmarkTrack(times_s, base.track.points_px, base.track.score),
        heart_rate=draw(st.sampled_from([None, HeartRateTrace(np.arange(labels), rng.uniform(40, 180, labels))])),
        pulse=draw(st.sampled_from([None, PulseTrace(np.arange(labels) / 250, rng.normal(size=labels))])),
        notes=tuple(draw(st.lists(texts, max_size=3))),
        attributes=draw(st.dictionaries(texts, facts, max_size=4)),
    )


@given(result=results())
@settings(max_examples=40, deadline=None)
def test_write_then_read_is_the_identity(tmp_path_factory, result):
    path = tmp_path_factory.mktemp("part") / "part.h5"
    stored = write_part(path, result)
    same(stored, result, stored=False)
    first = path.read_bytes()
    same(write_part(path, stored), stored)
    assert path.read_bytes() == first


def test_a_profiler_that_holds_frames_changes_no_byte(tmp_path):
    held, ours = [], tmp_path / "ours.h5"
    write_shard(ours, [example_result("a"), example_result("b")])
    # what a frame refers to lives on with it, open datasets as well
    sys.setprofile(lambda frame, *_: held.append(frame))
    try:
        write_shard(tmp_path / "watched.h5", [example_result("a"), example_result("b")])
    finally:
        sys.setprofile(None)
    assert len(held) > 1000
    assert (tmp_path / "watched.h5").read_bytes() == ours.read_bytes()


def test_what_is_read_back_is_handed_on_before_the_file_has_its_name(tmp_path):
    path, seen = tmp_path / "one.h5", []

    def look(one):
        assert not path.exists()
        seen.append(one)

    write_shard(path, [example_result("b"), example_result("a")], look)
    for one, stored in zip(seen, read_shard(path), strict=True):
        same(one, stored)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_shard(path, [example_result("c")], lambda _: 1 / 0)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["one.h5"]


def test_a_recording_with_everything_odd_survives(tmp_path):
    one = odd_result()
    stored = write_part(tmp_path / "one.h5", one)
    same(stored, one, stored=False)
    same(read_part(tmp_path / "one.h5"), stored)
    assert stored.recording.video.path.name == "none"
    assert stored.recording.labels == ()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_parts_changes_no_byte(tmp_path, order):
    # as names of files these sort otherwise than as ids
    ids = ["a", "a-b", "a.c"]
    expected = [write_part(tmp_path / f"{one}.h5", odd_result(one)) for one in ids]
    write_shard(tmp_path / "direct", [odd_result(ids[index]) for index in order])
    assert merge_parts(tmp_path / "merged", [tmp_path / f"{ids[index]}.h5" for index in order]) == ids
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "direct").read_bytes()
    assert recording_ids(tmp_path / "merged") == ids
    for ours, theirs in zip(read_shard(tmp_path / "merged"), expected, strict=True):
        same(ours, theirs)


def test_another_process_writes_the_same_bytes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from stmap_pipeline.maps.example import example_result\n"
        "from stmap_pipeline.shards import write_part; write_part(Path(sys.argv[1]), example_result())"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "theirs.h5")], check=True)
    write_part(tmp_path / "ours.h5", example_result())
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "theirs.h5").read_bytes()


def test_no_object_carries_a_time(tmp_path):
    write_part(tmp_path / "one.h5", example_result())
    data = (tmp_path / "one.h5").read_bytes()
    headers = [match.start() for match in re.finditer(b"OHDR", data)]
    assert len(headers) == 2 + len(DATASETS)  # root, recording, and each dataset
    # bit 5 of an object header's flags: "times are stored"
    assert not any(data[start + 5] & 0x20 for start in headers)


def test_the_file_says_what_it_holds_to_anyone_who_opens_it(tmp_path):
    write_part(tmp_path / "one.h5", example_result())
    with h5py.File(tmp_path / "one.h5") as file:
        group = file["p001_v1_source1"]
        assert set(group) == {spec.name for spec in DATASETS}
        assert {spec.name for spec in ATTRIBUTES} < set(group.attrs)
        assert group.attrs["subject"].decode() == "p001"
        for spec in DATASETS:
            dataset = group[spec.name]
            assert dataset.attrs["units"].decode() == spec.unit
            assert dataset.attrs["dims"].decode() == ",".join(spec.dims)
            assert dataset.fletcher32
            assert dataset.dtype == np.dtype(spec.dtype)
        assert group["means"].chunks == (150, 4, 3)


def test_a_shard_holds_one_subject_and_each_recording_once(tmp_path):
    path = tmp_path / "p001.h5"
    with pytest.raises(ValueError, match="one subject"):
        write_shard(path, [example_result("a"), example_result("b", subject="p002")])
    with pytest.raises(ValueError, match="each once"):
        write_shard(path, [example_result("a"), example_result("a")])
    with pytest.raises(ValueError, match="order of their ids"):
        write_shard(path, iter([example_result("b"), example_result("a")]))
    assert list(tmp_path.iterdir()) == []


def test_an_iterator_is_consumed_one_at_a_time(tmp_path):
    alive = []

    def stream():
        for name in ("a", "b", "c"):
            alive.append(name)
            yield example_result(name, frames=5)

    assert write_shard(tmp_path / "p001.h5", stream()) == alive == ["a", "b", "c"]


def test_a_failing_source_leaves_the_old_shard(tmp_path):
    path = tmp_path / "p001.h5"
    write_shard(path, [example_result("a")])
    before = path.read_bytes()

    def stream():
        yield example_result("b")
        yield read_part(tmp_path / "missing.h5")

    with pytest.raises(ShardError, match=r"missing\.h5: is not there"):
        write_shard(path, stream())
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["p001.h5"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda one: {"track": LandmarkTrack(one.track.times_s + 1, one.track.points_px, one.track.score)}, "same frames"),
        (lambda one: {"track": LandmarkTrack(one.track.times_s, one.track.points_px + 9000, one.track.score)}, "at most"),
        (lambda _: {"attributes": {"list": [1]}}, "a text or a number"),
        (lambda _: {"notes": ("x" * 70_000,)}, "at most 60000"),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path, change, text):
    one = example_result(frames=20)
    with pytest.raises(ValueError, match=text):
        write_part(tmp_path / "one.h5", dataclasses.replace(one, **change(one)))
    assert list(tmp_path.iterdir()) == []


def test_times_that_do_not_increase_never_reach_the_final_name(tmp_path):
    one = example_result(frames=3)
    times_s = np.array([0.0, 2.0, 1.0])
    wrong = dataclasses.replace(
        one,
        blocks=dataclasses.replace(one.blocks, times_s=times_s),
        track=LandmarkTrack(times_s, one.track.points_px, one.track.score),
    )
    with pytest.raises(ShardError, match="do not increase"):
        write_part(tmp_path / "one.h5", wrong)
    assert list(tmp_path.iterdir()) == []


def test_numpy_numbers_become_plain_ones_and_odd_texts_are_escaped(tmp_path):
    one = dataclasses.replace(
        example_result(frames=3), attributes={"a": np.float32(0.5), "b": np.int64(3)}, notes=("broken \udce9 name",)
    )
    one = dataclasses.replace(one, recording=dataclasses.replace(one.recording, camera="a\0b\udce9"))
    stored = write_part(tmp_path / "one.h5", one)
    assert stored.attributes == {"a": 0.5, "b": 3}
    assert stored.recording.camera == "a\\x00b\\udce9"


def test_a_shard_of_no_recording_is_an_empty_shard_but_no_part(tmp_path):
    assert write_shard(tmp_path / "p001.h5", []) == []
    assert list(read_shard(tmp_path / "p001.h5")) == []
    with pytest.raises(ShardError, match="holds 0 recordings"):
        read_part(tmp_path / "p001.h5")


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_part(tmp_path / "file" / "one.h5", example_result(frames=3))
