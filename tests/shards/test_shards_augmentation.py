"""Resampled windows on disk: behind the recorded ones, removable to the byte, and never half there."""

import json
import shutil

import numpy as np
import pytest
from augmented_maps import OPTIONS, content, small_maps

from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.balance import Fg2019Options
from stmap_pipeline.maps.resample import even_trace, resample_window
from stmap_pipeline.maps.stmap import stmap_from_means
from stmap_pipeline.pipeline.augment import plan_augmentation
from stmap_pipeline.shards import (
    Shards,
    augmentation,
    check_manifest,
    is_augmented,
    read_augmentation,
    read_manifest,
    remove_augmentation,
    write_augmentation,
)
from stmap_pipeline.shards.manifest import amend_manifest

PICTURES = {"histogram.png": b"a picture", "histogram.svg": b"<svg/>"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build and a plan for it."""
    root = small_maps(tmp_path_factory.mktemp("build") / "maps")
    return root, plan_augmentation(root, OPTIONS)


@pytest.fixture
def maps(built, tmp_path):
    shutil.copytree(built[0], tmp_path / "maps")
    return tmp_path / "maps"


def write(root, plan, pictures=PICTURES):
    with Shards(root) as shards:
        subjects = {one.recording_id: one.subject for one in shards.recordings()}
        write_augmentation(root, plan, plan.added.windows(shards.windows()), subjects, pictures)


def test_added_rows_stand_behind_the_recorded_ones_with_where_they_come_from(built, maps):
    before = (maps / "windows.csv").read_bytes()
    write(maps, built[1])
    assert (maps / "windows.csv").read_bytes().startswith(before)
    assert check_manifest(maps) == []
    shards = Shards(maps)
    recorded, both = shards.windows(), shards.windows(augmented=True)
    added = both[len(recorded) :]
    assert recorded == Shards(built[0]).windows() == both[: len(recorded)]
    assert added == list(built[1].added.windows(recorded))
    assert len(added) > 20
    by_place = {(one.recording_id, one.start): one for one in recorded}
    for one in added:
        base = by_place[one.recording_id, one.start]
        assert (one.rule, base.rule, one.fold, one.frames) == ("balance", "", base.fold, base.frames)
        assert one.source_stop_s - one.source_start_s == pytest.approx(one.hr_scale * base.duration_s)
        assert one.heart_rate_bpm == pytest.approx(one.hr_scale * base.heart_rate_bpm)
        assert one.beats == pytest.approx(one.heart_rate_bpm * one.duration_s / 60)
    assert f"and {len(added)} resampled" in repr(shards)
    row = (maps / "windows.csv").read_text().splitlines()[len(recorded) + 1].split(",")
    assert (float(row[12]), float(row[13]), row[14]) == (added[0].source_start_s, added[0].source_stop_s, "balance")


def test_filters_hold_for_added_windows_too(built, maps):
    write(maps, built[1])
    shards = Shards(maps)
    assert {one.fold for one in shards.windows(fold=2, augmented=True)} == {2}
    assert {one.recording_id[:4] for one in shards.windows(subject="p003", augmented=True)} == {"p003"}
    assert sum(one.augmented for one in shards.windows(augmented=True)) == len(built[1].added)


@pytest.mark.parametrize("clock", [{}, {"clock": "uniform", "rate_hz": 20, "length": "2 s"}])
def test_a_map_is_resampled_from_the_stored_trace_and_normalized_afterwards(tmp_path, clock):
    root = small_maps(tmp_path / "maps", **clock)
    plan = plan_augmentation(root, OPTIONS)
    write(root, plan)
    with Shards(root) as shards:
        one = next(one for one in shards.windows(augmented=True) if one.hr_scale > 1.3)
        trace = shards.recording(one.recording_id).blocks
        rate_hz = 20.0 if clock else 30.0
        times_s = trace.times_s[0] + np.arange(one.start, one.stop) / rate_hz
        means = resample_window(even_trace(trace), times_s, one.hr_scale, 1 / rate_hz)
        for color, normalize in (("yuv", "minmax"), ("rgb", "none")):
            ours = shards.stmap(one, color=color, normalize=normalize)
            theirs = stmap_from_means(times_s, means, color=color, normalize=normalize)
            assert np.abs(ours.values - theirs.values).max() < 1e-3
            assert ours.values.shape == (4, one.frames, 3)
        # a pulse of the stored trace, seen faster
        green = shards.stmap(one, color="rgb", normalize="none").values[0, :, 1].astype(float)
        spectrum = np.abs(np.fft.rfft((green - green.mean()) * np.hanning(len(green)), 4096))
        assert np.fft.rfftfreq(4096, 60 / 60 / rate_hz)[spectrum.argmax()] * 60 == pytest.approx(one.heart_rate_bpm, abs=6)


def test_a_window_that_reads_beyond_its_recording_is_refused(maps):
    import dataclasses

    with Shards(maps) as shards:
        last = shards.windows(recording_id="p001_v1")[-1]
        with pytest.raises(ShardError, match=r"6\.00 s to 9\.00 s \(hr_scale 1\.5\) do not lie inside its 7\.97 s"):
            shards.stmap(dataclasses.replace(last, hr_scale=1.5))
        for scale in (0.0, -1.0, float("nan")):
            with pytest.raises(ShardError, match="do not lie inside"):
                shards.stmap(dataclasses.replace(last, hr_scale=scale))


def test_the_same_plan_twice_gives_the_same_bytes_and_taking_it_away_gives_the_build(built, maps):
    write(maps, built[1])
    once = content(maps)
    write(maps, built[1])
    assert content(maps) == once
    assert set(once) - set(content(built[0])) == {
        "augmentation/plan.json",
        "augmentation/histogram.png",
        "augmentation/histogram.svg",
    }
    assert remove_augmentation(maps)
    assert content(maps) == content(built[0])
    assert not (maps / "augmentation").exists()
    assert not remove_augmentation(maps)


def test_another_plan_takes_the_place_of_the_first_with_its_pictures(built, maps):
    write(maps, built[1])
    write(maps, plan_augmentation(maps, Fg2019Options(band_bpm=(60, 80))), pictures={})
    assert check_manifest(maps) == []
    assert {one.rule for one in Shards(maps).windows(augmented=True)} == {"", "fg2019"}
    assert [one.name for one in (maps / "augmentation").iterdir()] == ["plan.json"]
    assert remove_augmentation(maps)
    assert content(maps) == content(built[0])


def test_the_plan_is_kept_beside_with_its_options(built, maps):
    assert read_augmentation(maps) is None
    assert not is_augmented(maps)
    write(maps, built[1])
    assert is_augmented(maps)
    told = read_augmentation(maps)
    assert told["options"] == OPTIONS.to_mapping()
    assert told == json.loads(json.dumps(built[1].to_mapping()))
    (maps / "augmentation" / "plan.json").write_text("[]")
    with pytest.raises(ShardError, match="cannot be read"):
        read_augmentation(maps)


class KilledError(Exception):
    pass


def kill_before(monkeypatch, number):
    """Let a number of writes through and stop before the next one; False where all went through."""
    count = 0

    def wrapped(write_one):
        def counted(*arguments, **more):
            nonlocal count
            count += 1
            if count > number:
                raise KilledError
            return write_one(*arguments, **more)

        return counted

    for name in ("atomic_write_text", "atomic_write_bytes", "amend_manifest", "_unlink"):
        monkeypatch.setattr(augmentation, name, wrapped(getattr(augmentation, name)))


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("number", range(8))
def test_killed_at_any_moment_an_output_reads_as_recorded_and_the_next_run_mends_it(built, maps, monkeypatch, number, earlier):
    if earlier:
        write(maps, plan_augmentation(maps, Fg2019Options()))
    with monkeypatch.context() as patch:
        kill_before(patch, number)
        try:
            write(maps, built[1])
            assert number > 5
        except KilledError:
            assert number < 6
    recorded = Shards(built[0]).windows()
    assert Shards(maps).windows() == recorded
    # the resampled ones are those of one plan, whole, or said to be unfinished
    told = ""
    try:
        rules = {one.rule for one in Shards(maps).windows(augmented=True)}
        assert rules in ({""}, {"", "fg2019"}, {"", "balance"})
    except ShardError as error:
        told = str(error)
    assert not told or "Run the same stmap augment command again" in told
    again = plan_augmentation(maps, OPTIONS)
    assert np.array_equal(again.added.hr_scale, built[1].added.hr_scale)
    write(maps, again)
    assert check_manifest(maps) == []
    remove_augmentation(maps)
    assert content(maps) == content(built[0])


@pytest.mark.parametrize("number", range(4))
def test_killed_while_taken_away_is_taken_away_by_the_next_run(built, maps, monkeypatch, number):
    write(maps, built[1])
    with monkeypatch.context() as patch:
        kill_before(patch, number)
        try:
            remove_augmentation(maps)
        except KilledError:
            assert number < 3
    assert Shards(maps).windows() == Shards(built[0]).windows()
    assert remove_augmentation(maps) == (number < 3)
    assert content(maps) == content(built[0])


def test_a_changed_table_is_neither_read_nor_augmented(built, maps):
    write(maps, built[1])
    text = (maps / "windows.csv").read_text()
    (maps / "windows.csv").write_text(text.replace("p001_v1,p001,0,60", "p001_v1,p001,1,61"))
    for call in (lambda: Shards(maps).windows(), lambda: write(maps, built[1]), lambda: remove_augmentation(maps)):
        with pytest.raises(ShardError, match="is not what the build wrote"):
            call()
    (maps / "windows.csv").write_text(text.replace(",balance\n", ",Balance\n"))
    assert len(Shards(maps).windows()) == len(Shards(built[0]).windows())
    with pytest.raises(ShardError, match=r"interrupted, or the table was changed by hand"):
        Shards(maps).windows(augmented=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p001_v1,p001,0,60", "p007_v1,p001,0,60"),
        ("p001_v1,p001,0,60", "p001_v1,p001,,60"),
        (",1.0,1.0,1.0,2,", ",1.0,1.0,1.5,2,"),
    ],
)
def test_a_row_that_does_not_belong_is_named_with_its_line(maps, old, new):
    path = maps / "windows.csv"
    lines = path.read_text().split("\n")
    assert old in lines[1]
    lines[1] = lines[1].replace(old, new)
    path.write_text("\n".join(lines))
    manifest = read_manifest(maps)
    amend_manifest(maps, manifest, changed=[path], settings=manifest.settings)
    with pytest.raises(ShardError, match=r"windows\.csv, line 2: is no window of a recording"):
        Shards(maps).windows()


def test_a_table_with_other_columns_is_not_appended_to(built, maps):
    """As an older stmap might have written it: without the last column."""
    for name in ("windows.csv", "windows.json"):
        text = (maps / name).read_text()
        rows = [line.rpartition(",")[0] for line in text.splitlines()]
        columns = {key: one for key, one in json.loads(text).items() if key != "rule"} if name.endswith("json") else {}
        (maps / name).write_text(json.dumps(columns) if columns else "\n".join(rows) + "\n")
    manifest = read_manifest(maps)
    amend_manifest(maps, manifest, changed=[maps / "windows.csv", maps / "windows.json"], settings=manifest.settings)
    with pytest.raises(ShardError, match="no column rule; build again, or use the stmap that built it"):
        Shards(maps).windows()
    with pytest.raises(ShardError, match="has other columns than this stmap writes"):
        write_augmentation(maps, built[1], [], {})


def test_what_somebody_else_put_into_the_folder_stays(built, maps):
    write(maps, built[1])
    (maps / "augmentation" / "notes.txt").write_text("mine")
    assert remove_augmentation(maps)
    assert [one.name for one in (maps / "augmentation").iterdir()] == ["notes.txt"]
