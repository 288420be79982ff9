"""What is written is what is read; equal content, equal bytes; order does not matter."""

import dataclasses
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shard_examples import odd_result, same

from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import (
    BlockTrace,
    ClockSource,
    HeartRateTrace,
    LandmarkTrack,
    PulseTrace,
    RoiGrid,
    SourceKeys,
    StreamPositions,
)
from stmap_pipeline.shards import read_recording, write_recording
from stmap_pipeline.shards.recording_file import (
    ATTRIBUTES,
    DATASETS,
    LOST,
    quantize_coverage,
    quantize_landmarks,
    read_keys,
    restore_coverage,
    restore_landmarks,
)

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
        positions=draw(st.sampled_from([None, StreamPositions(np.arange(frames, dtype=np.int32), np.full(frames, np.nan))])),
    )


@given(result=results())
@settings(max_examples=40, deadline=None)
def test_write_then_read_is_the_identity(tmp_path_factory, result):
    path = tmp_path_factory.mktemp("part") / "part.h5"
    stored = write_recording(path, result)
    same(stored, result, stored=False)
    first = path.read_bytes()
    same(write_recording(path, stored), stored)
    assert path.read_bytes() == first


def test_a_profiler_that_holds_frames_changes_no_byte(tmp_path):
    held, ours = [], tmp_path / "ours.h5"
    write_recording(ours, example_result("a"))
    # what a frame refers to lives on with it, open datasets as well
    sys.setprofile(lambda frame, *_: held.append(frame))
    try:
        write_recording(tmp_path / "watched.h5", example_result("a"))
    finally:
        sys.setprofile(None)
    assert len(held) > 500
    assert (tmp_path / "watched.h5").read_bytes() == ours.read_bytes()


def test_the_old_file_stays_where_the_new_one_cannot_be_stored(tmp_path):
    path = tmp_path / "one.h5"
    write_recording(path, example_result("a"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="notes"):
        write_recording(path, dataclasses.replace(example_result("a"), notes=("x" * 70_000,)))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["one.h5"]


def test_keys_are_read_without_a_sample(tmp_path):
    keys = SourceKeys("settings", "video", "clock", "labels")
    write_recording(tmp_path / "one.h5", dataclasses.replace(example_result("a"), keys=keys))
    assert read_keys(tmp_path / "one.h5") == ("a", keys)


def test_a_recording_with_everything_odd_survives(tmp_path):
    one = odd_result()
    stored = write_recording(tmp_path / "one.h5", one)
    same(stored, one, stored=False)
    same(read_recording(tmp_path / "one.h5"), stored)
    assert stored.recording.video.path.name == "none"
    assert stored.recording.labels == ()


def test_another_process_writes_the_same_bytes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from stmap_pipeline.maps.example import example_result\n"
        "from stmap_pipeline.shards import write_recording; write_recording(Path(sys.argv[1]), example_result())"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "theirs.h5")], check=True)
    write_recording(tmp_path / "ours.h5", example_result())
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "theirs.h5").read_bytes()


def test_no_object_carries_a_time(tmp_path):
    write_recording(tmp_path / "one.h5", example_result())
    data = (tmp_path / "one.h5").read_bytes()
    headers = [match.start() for match in re.finditer(b"OHDR", data)]
    assert len(headers) == 1 + len(written(example_result()))  # root and each dataset
    # bit 5 of an object header's flags: "times are stored"
    assert not any(data[start + 5] & 0x20 for start in headers)


def written(result):
    absent = {"heart_rate_disagreement_bpm"} | ({"stream_number", "presentation_s"} if result.positions is None else set())
    return [one for one in DATASETS if one.name not in absent]


def test_the_file_says_what_it_holds_to_anyone_who_opens_it(tmp_path):
    write_recording(tmp_path / "one.h5", example_result())
    with h5py.File(tmp_path / "one.h5") as file:
        assert set(file) == {spec.name for spec in written(example_result())}
        assert {spec.name for spec in ATTRIBUTES} < set(file.attrs)
        assert file.attrs["subject"].decode() == "p001"
        for spec in written(example_result()):
            dataset = file[spec.name]
            assert dataset.attrs["units"].decode() == spec.unit
            assert dataset.attrs["dims"].decode() == ",".join(spec.dims)
            assert dataset.fletcher32
            assert dataset.dtype == np.dtype(spec.dtype)
        assert file["means"].chunks == (150, 4, 3)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda one: {"track": LandmarkTrack(one.track.times_s + 1, one.track.points_px, one.track.score)}, "same frames"),
        (lambda one: {"track": LandmarkTrack(one.track.times_s, one.track.points_px + 9000, one.track.score)}, "8192 px"),
        (lambda _: {"attributes": {"list": [1]}}, "a text or a number"),
        (lambda _: {"notes": ("x" * 70_000,)}, "notes .*60000"),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path, change, text):
    one = example_result(frames=20)
    with pytest.raises(ValueError, match=text):
        write_recording(tmp_path / "one.h5", dataclasses.replace(one, **change(one)))
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
        write_recording(tmp_path / "one.h5", wrong)
    assert list(tmp_path.iterdir()) == []


def test_numpy_numbers_become_plain_ones_and_odd_texts_are_escaped(tmp_path):
    one = dataclasses.replace(
        example_result(frames=3), attributes={"a": np.float32(0.5), "b": np.int64(3)}, notes=("broken \udce9 name",)
    )
    one = dataclasses.replace(one, recording=dataclasses.replace(one.recording, camera="a\0b\udce9"))
    stored = write_recording(tmp_path / "one.h5", one)
    assert stored.attributes == {"a": 0.5, "b": 3}
    assert stored.recording.camera == "a\\x00b\\udce9"


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"one\.h5"):
        write_recording(tmp_path / "file" / "one.h5", example_result(frames=3))


points = arrays(np.float32, (3, 68, 2), elements=st.one_of(st.floats(-8000, 8000, width=32), st.just(float("nan"))))


@given(points_px=points, size=st.sampled_from([0.02, 0.1, 0.25, 0.5, 1.0]))
@settings(deadline=None)
def test_landmarks_move_by_half_a_step_and_lost_ones_stay_lost(points_px, size):
    points_px = points_px * np.float32(size)
    steps, scale_px = quantize_landmarks(points_px)
    back = restore_landmarks(steps, scale_px)
    assert back.dtype == np.float32
    assert np.array_equal(np.isnan(back), np.isnan(points_px))
    assert np.array_equal(steps == LOST, np.isnan(points_px))
    assert np.nanmax(np.abs(back - points_px), initial=0) <= scale_px / 2 + 1e-3 * scale_px
    again, scale_again = quantize_landmarks(back)
    assert scale_again == scale_px
    assert np.array_equal(again, steps)


@pytest.mark.parametrize(("largest", "scale_px"), [(640, 1 / 32), (1023, 1 / 32), (1920, 1 / 16), (3840, 1 / 8), (7680, 1 / 4)])
def test_the_step_follows_the_picture(largest, scale_px):
    assert quantize_landmarks(np.full((1, 68, 2), largest, np.float32))[1] == scale_px


@pytest.mark.parametrize("value", [9000.0, -9000.0, np.inf])
def test_what_cannot_be_stored_is_refused_not_wrapped(value):
    with pytest.raises(ValueError, match="8192"):
        quantize_landmarks(np.full((1, 68, 2), value, np.float32))


def test_a_track_without_a_face_is_all_lost():
    steps, _ = quantize_landmarks(np.full((4, 68, 2), np.nan, np.float32))
    assert np.all(steps == LOST)


@given(coverage=arrays(np.float32, (5, 3), elements=st.floats(0, 1, width=32)))
@settings(deadline=None)
def test_coverage_moves_by_two_thousandths_at_most(coverage):
    steps = quantize_coverage(coverage)
    back = restore_coverage(steps)
    assert np.abs(back - coverage).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(quantize_coverage(back), steps)


def test_nothing_and_all_are_exact_and_a_rounding_above_one_is_one():
    assert restore_coverage(quantize_coverage(np.array([0, 1, 1.00001], np.float32))).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("value", [1.1, -0.1, np.nan])
def test_a_share_outside_0_to_1_is_refused(value):
    with pytest.raises(ValueError, match="0 and 1"):
        quantize_coverage(np.array([value], np.float32))


def test_the_difference_of_two_estimators_comes_back(tmp_path):
    result = example_result(frames=60)
    size = result.heart_rate.times_s.size
    rates = dataclasses.replace(result.heart_rate, disagreement_bpm=np.linspace(0, 5, size))
    stored = write_recording(tmp_path / "one.h5", dataclasses.replace(result, heart_rate=rates))
    np.testing.assert_array_equal(stored.heart_rate.disagreement_bpm, rates.disagreement_bpm)
    assert stored.heart_rate.trusted.tolist() == (rates.disagreement_bpm <= 4).tolist()
