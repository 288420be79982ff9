"""Resampled windows beside a build: whole or not there, refused where they do not fit, and gone without a trace."""

import csv
import dataclasses
import json
import shutil
from collections import Counter

import numpy as np
import pytest
from support.maps import OPTIONS, add_augmentation, content, small_maps

from stmap_pipeline.balance import BalanceOptions
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.maps.stmap import stmap_from_means
from stmap_pipeline.pipeline import verify
from stmap_pipeline.shards import (
    Shards,
    augmentation,
    is_augmented,
    plan_augmentation,
    read_augmentation,
    remove_augmentation,
    write_augmentation,
)
from stmap_pipeline.shards.augmentation import augmentation_problems
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.shards.manifest import write_manifest
from stmap_pipeline.signals.resample import play, uniform_trace

FG2019 = BalanceOptions("fg2019", band_bpm=(60, 80))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("build") / "maps")


@pytest.fixture(scope="module")
def plan(built):
    return plan_augmentation(Shards(built), OPTIONS)


@pytest.fixture
def maps(built, tmp_path):
    shutil.copytree(built, tmp_path / "maps")
    return tmp_path / "maps"


def test_the_folder_stands_beside_a_build_that_it_does_not_change(built, plan, maps):
    before = content(maps)
    write_augmentation(Shards(maps), plan, {"histogram.png": b"an image"})
    after = content(maps)
    assert {name: after.pop(name) for name in before} == before
    names = ("histogram.png", "manifest.json", "plan.json", "windows.csv", "windows.json")
    assert sorted(after) == [f"augmentation/{name}" for name in names]
    shards = Shards(maps)
    recorded, both = shards.windows(), shards.windows(augmented=True)
    assert recorded == Shards(built).windows() == both[: len(recorded)]
    assert both[len(recorded) :] == list(plan.windows)
    assert 20 < len(plan.windows) <= len(recorded)
    assert f"and {len(plan.windows)} resampled" in repr(shards)
    assert verify(maps) == verify(maps, quick=True) == []
    with (maps / "augmentation" / "windows.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (maps / "windows.csv").open() as file:
        assert list(rows[0]) == [*(name for name in next(csv.reader(file)) if not name.startswith("label_")), "speed"]
    assert Counter(row["subject"] for row in rows) == Counter(one.recording_id[:4] for one in plan.windows)


def test_filters_hold_for_resampled_windows_too(plan, maps):
    add_augmentation(maps)
    shards = Shards(maps)
    assert {one.fold for one in shards.windows(fold=2, augmented=True)} == {2}
    assert {one.recording_id[:4] for one in shards.windows(subject="p003", augmented=True)} == {"p003"}
    assert sum(one.augmented for one in shards.windows(augmented=True)) == len(plan.windows)


@pytest.mark.parametrize("clock", [{}, {"clock": "uniform", "rate_hz": 20, "length": "2 s"}])
def test_a_map_is_resampled_from_the_stored_trace_and_normalized_afterwards(tmp_path, clock):
    with Shards(add_augmentation(small_maps(tmp_path / "maps", **clock))) as shards:
        rate_hz = 20.0 if clock else 30.0
        added = [one for one in shards.windows(augmented=True) if one.augmented]
        one = max(added, key=lambda one: one.speed)
        trace = shards.recording(one.recording_id).blocks
        times_s, means = play(uniform_trace(trace.times_s, trace.means), one.speed, 1 / rate_hz)
        inside = slice(one.start, one.stop)
        for color, normalize in (("yuv", "minmax"), ("rgb", "none")):
            ours = shards.stmap(one, color=color, normalize=normalize)
            theirs = stmap_from_means(times_s[inside], means[inside], color=color, normalize=normalize)
            assert np.abs(ours.values - theirs.values).max() < 1e-3
        assert times_s[one.start] == pytest.approx(one.start_s)
        assert times_s[one.stop - 1] + 1 / rate_hz == pytest.approx(one.stop_s)
        for one in added:
            values = shards.stmap(one, color="rgb", normalize="none").values
            assert values.shape == (4, one.frames, 3)
            # 2 s hold two beats or three: fit sine and cosine of the label, which leaves next to nothing
            turn = 2 * np.pi * one.heart_rate_bpm / 60 * np.arange(one.frames) / rate_hz
            base = np.stack([np.ones(one.frames), np.sin(turn), np.cos(turn)], axis=1)
            _, left, _, _ = np.linalg.lstsq(base, values[0, :, 1].astype(float), rcond=None)
            assert np.sqrt(left[0] / one.frames) < 0.01


def test_a_window_beyond_its_recording_is_refused(maps):
    with Shards(maps) as shards:
        last = shards.windows(recording_id="p001_v1")[-1]
        for speed in (1.5, 0.0, -1.0, float("nan")):
            with pytest.raises(ShardError, match="p001_v1"):
                shards.stmap(dataclasses.replace(last, speed=speed))


def test_the_same_plan_gives_the_same_bytes_whether_there_is_one_or_not(built, plan, maps):
    assert plan_augmentation(Shards(built), OPTIONS).windows == plan.windows
    once = content(add_augmentation(maps))
    assert content(add_augmentation(maps)) == once
    add_augmentation(maps, FG2019)
    assert read_augmentation(maps)["options"]["rule"] == "fg2019"
    assert {one.speed for one in Shards(maps).windows(augmented=True)} == {0.67, 1.0, 1.5}
    assert content(add_augmentation(maps)) == once
    assert remove_augmentation(maps)
    assert content(maps) == content(built)
    assert not remove_augmentation(maps)
    # deleting the folder is as good
    add_augmentation(maps)
    shutil.rmtree(maps / "augmentation")
    assert Shards(maps).windows(augmented=True) == Shards(maps).windows()
    assert not is_augmented(maps)


def test_a_build_without_a_window_to_train_on_is_refused(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=150), heart_rate=None)
    with pytest.raises(ShardError, match=r"maps: .*100%"):
        plan_augmentation(Shards(example_maps(tmp_path / "maps", [bare])), BalanceOptions())


def other_windows(maps):
    """Change a label, as a build with another label file would."""
    path = maps / "windows.csv"
    path.write_text(path.read_text().replace(",58.0,", ",59.0,"))
    manifest = Shards(maps).manifest
    files = [maps / one.path for one in manifest.files]
    write_manifest(maps, fingerprint=manifest.fingerprint, files=files, settings=manifest.settings)


def other_settings(maps):
    manifest = Shards(maps).manifest
    write_manifest(maps, fingerprint="another", files=[maps / one.path for one in manifest.files], settings=manifest.settings)


@pytest.mark.parametrize("change", [other_windows, other_settings])
def test_an_augmentation_of_other_windows_is_not_read_and_made_anew(plan, maps, change):
    add_augmentation(maps)
    change(maps)
    shards = Shards(maps)
    for call in (
        lambda: shards.windows(augmented=True),
        lambda: shards.split(fold=1),
        lambda: read_augmentation(maps),
    ):
        with pytest.raises(ShardError, match=r"windows\.csv.*run stmap augment again"):
            call()
    assert [one.path for one in augmentation_problems(shards)] == ["augmentation"]
    assert shards.windows()
    assert shards.split(fold=1, augmented=False).training
    add_augmentation(maps)
    assert list(augmentation_problems(Shards(maps))) == []


class KilledError(Exception):
    pass


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("number", range(5))
def test_killed_at_any_moment_there_is_one_whole_plan_or_none(built, plan, maps, monkeypatch, number, earlier):
    if earlier:
        add_augmentation(maps, FG2019)
    before = content(maps)
    count = 0

    def counted(call):
        def wrapped(*arguments, **more):
            nonlocal count
            count += 1
            if count > number:
                raise KilledError
            return call(*arguments, **more)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("remove_augmentation", "write_table", "write_manifest"):
            patch.setattr(augmentation, name, counted(getattr(augmentation, name)))
        try:
            write_augmentation(Shards(maps), plan)
            assert number >= 3
        except KilledError:
            assert number < 3
    # somebody who verifies at this moment finds nothing wrong
    assert verify(maps) == []
    now = content(maps)
    if number == 0:
        assert now == before
    elif number < 3:
        assert now == content(built)
    assert content(add_augmentation(maps)) == content(add_augmentation(maps))
    assert verify(maps) == []


def denied(*_):
    raise PermissionError(13, "denied")


def test_half_a_folder_is_none(maps, monkeypatch):
    add_augmentation(maps)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", denied)
        with pytest.raises(OutputError, match="augmentation"):
            remove_augmentation(maps)
    assert verify(maps) == []
    assert Shards(maps).windows(augmented=True) == Shards(maps).windows()


@pytest.mark.parametrize("name", ["windows.csv", "windows.json", "plan.json", "manifest.json", "histogram.svg"])
def test_a_flipped_byte_is_found(plan, maps, name):
    write_augmentation(Shards(maps), plan, {"histogram.svg": b"<svg/>"})
    path = maps / "augmentation" / name
    data = bytearray(path.read_bytes())
    for place in np.linspace(0, len(data) - 1, 7).astype(int).tolist():
        changed = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
        path.write_bytes(changed)
        assert verify(maps), (place, changed[place - 5 : place + 5])
    path.write_bytes(data)
    assert verify(maps) == []


def rewrite(maps, name, text):
    """Change a file and have the folder's manifest say that it is right."""
    folder = maps / "augmentation"
    manifest = Shards(maps).manifest
    (folder / name).write_text(text)
    made_from = json.loads((folder / "manifest.json").read_text())["settings"]
    files = [one for one in folder.iterdir() if one.name != "manifest.json"]
    write_manifest(folder, fingerprint=manifest.fingerprint, files=files, settings=made_from)


@pytest.mark.parametrize(
    ("column", "value"), [("heart_rate_bpm", "61.5"), ("start", "1"), ("fold", "1"), ("beats", "2.5"), ("stop_s", "2.001")]
)
def test_each_window_is_compared_with_its_recording(maps, column, value):
    path = add_augmentation(maps) / "augmentation" / "windows.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    rows[1][rows[0].index(column)] = value
    rewrite(maps, "windows.csv", "\n".join(map(",".join, rows)) + "\n")
    (problem,) = verify(maps)
    assert (problem.path, problem.kind) == ("augmentation/windows.csv", "content")
    assert problem.message.startswith(rows[1][rows[0].index("recording_id")])


@pytest.mark.parametrize(("old", "new"), [("p001_v1,p001,", "p007_v1,p001,"), (",0.6667\n", ",1.0\n")])
def test_a_row_that_does_not_belong_is_named_with_its_line(maps, old, new):
    text = (add_augmentation(maps) / "augmentation" / "windows.csv").read_text()
    assert old in text
    rewrite(maps, "windows.csv", text.replace(old, new))
    with pytest.raises(ShardError, match=r"augmentation/windows\.csv, line \d+"):
        Shards(maps).windows(augmented=True)


def change_plan(plan, key, value):
    *path, last = key.split(".")
    where = plan
    for one in path:
        where = where[int(one) if isinstance(where, list) else one]
    where[last] = value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bins", [1, 2]),
        ("bins", None),
        ("bins", ["low_bpm"]),
        ("bins.0.before", "many"),
        ("bins.0.wanted", []),
        ("bins.0.shortfall", 3),
        ("options", []),
        ("options.rule", None),
        ("windows_added", None),
        ("windows_before", True),
        ("speed_min", "slow"),
        ("normalized_entropy_after", {}),
    ],
)
def test_a_plan_is_checked_in_full(maps, key, value):
    plan = read_augmentation(add_augmentation(maps))
    change_plan(plan, key, value)
    rewrite(maps, "plan.json", json.dumps(plan))
    with pytest.raises(ShardError, match=r"plan\.json"):
        read_augmentation(maps)


@pytest.mark.parametrize("text", ["[]", "null", "{}", "{", "[" * 100_000, '"text"'])
def test_what_is_no_plan_is_refused(maps, text):
    rewrite(add_augmentation(maps), "plan.json", text)
    with pytest.raises(ShardError, match=r"plan\.json"):
        read_augmentation(maps)


def test_the_plan_is_kept_with_its_options(plan, maps):
    assert read_augmentation(maps) is None
    add_augmentation(maps)
    assert read_augmentation(maps) == json.loads(json.dumps(plan.to_mapping()))
    assert read_augmentation(maps)["options"] == OPTIONS.to_mapping()
