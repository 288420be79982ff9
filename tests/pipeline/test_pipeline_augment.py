"""Planning, writing and taking away: the same plan however it is made, and a build that never loses it unseen."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from augmented_maps import OPTIONS, content, small_maps

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.lock import locked
from stmap_pipeline.maps.balance import BalanceOptions, Fg2019Options
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.pipeline import plan_build, run_build, verify
from stmap_pipeline.pipeline.augment import apply_augmentation, plan_augmentation, reset_augmentation
from stmap_pipeline.shards import Shards, check_manifest, read_manifest
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.shards.manifest import amend_manifest

SHORT = Config.from_mapping({"windows": {"length": "30 frames"}})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("build") / "maps")


@pytest.fixture
def maps(built, tmp_path):
    shutil.copytree(built, tmp_path / "maps")
    return tmp_path / "maps"


def rows(plan):
    added = plan.added
    return list(zip(*(getattr(added, name).tolist() for name in ("row", "hr_scale", "heart_rate_bpm", "coverage")), strict=True))


@pytest.mark.parametrize("options", [OPTIONS, Fg2019Options(per_subject_cap=6)])
def test_one_process_and_four_make_the_same_plan_twice(built, options):
    plans = [plan_augmentation(built, options, jobs) for jobs in (1, 4, 1, 4)]
    assert len(plans[0].added) > 10
    for other in plans[1:]:
        assert rows(other) == rows(plans[0])
        assert other.bins == plans[0].bins


def test_the_seed_decides_and_so_does_each_option(built):
    first = rows(plan_augmentation(built, OPTIONS))
    for change in ({"seed": 1}, {"max_scale": 1.2}, {"per_subject_cap": 5}):
        assert rows(plan_augmentation(built, dataclasses.replace(OPTIONS, **change))) != first


def test_an_augmented_build_is_planned_from_its_recorded_windows_alone(maps):
    before = plan_augmentation(maps, OPTIONS)
    apply_augmentation(maps, before)
    once = content(maps)
    apply_augmentation(maps, plan_augmentation(maps, OPTIONS))
    assert content(maps) == once
    apply_augmentation(maps, plan_augmentation(maps, Fg2019Options()))
    assert rows(plan_augmentation(maps, OPTIONS)) == rows(before)


def test_every_window_that_is_planned_can_be_read_and_has_its_pulse(maps):
    apply_augmentation(maps, plan_augmentation(maps, OPTIONS))
    with Shards(maps) as shards:
        for one in shards.windows(augmented=True):
            values = shards.stmap(one, color="rgb", normalize="none").values
            assert np.isfinite(values).all()
            if one.augmented:
                # 2 s hold two beats or three: fit sine and cosine of the label, which leaves next to nothing
                turn = 2 * np.pi * one.heart_rate_bpm / 60 * np.arange(one.frames) / 30
                base = np.stack([np.ones(one.frames), np.sin(turn), np.cos(turn)], axis=1)
                _, left, _, _ = np.linalg.lstsq(base, values[0, :, 1].astype(float), rcond=None)
                assert np.sqrt(left[0] / one.frames) < 0.01


def test_pictures_are_drawn_from_the_plan_and_listed(maps):
    plan = plan_augmentation(maps, OPTIONS)
    seen = []

    def draw(augmentation):
        seen.append(augmentation)
        return {"histogram.png": b"drawn"}

    apply_augmentation(maps, plan, draw)
    assert seen == [plan]
    assert (maps / "augmentation" / "histogram.png").read_bytes() == b"drawn"
    assert check_manifest(maps) == []
    assert reset_augmentation(maps)
    assert not reset_augmentation(maps)


def test_a_build_without_a_window_to_train_on_says_so(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=150), heart_rate=None)
    root = example_maps(tmp_path / "maps", [bare])
    with pytest.raises(ShardError, match="none of 4 windows has a heart rate and a face in 100% of its samples"):
        plan_augmentation(root, BalanceOptions())


def test_a_folder_that_is_no_finished_build_is_refused_and_left_alone(tmp_path):
    for call in (lambda out: plan_augmentation(out, OPTIONS), reset_augmentation):
        with pytest.raises(ShardError, match="there is no such folder"):
            call(tmp_path / "nowhere")
        with pytest.raises(ShardError, match="build is unfinished"):
            call(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_augmented_while_somebody_builds(maps):
    plan = plan_augmentation(maps, OPTIONS)
    before = content(maps)
    with locked(maps):
        for call in (lambda: apply_augmentation(maps, plan), lambda: reset_augmentation(maps)):
            with pytest.raises(OutputError, match="is being written by process"):
                call()
    (maps / "work").mkdir()
    with pytest.raises(OutputError, match="a build that was stopped; run the same stmap build-maps command again first"):
        apply_augmentation(maps, plan)
    (maps / "work").rmdir()
    assert content(maps) == before


@pytest.fixture(scope="module")
def labeled_source(tmp_path_factory, face_clip) -> Path:
    """Two videos of a face with a heart rate."""
    folder = tmp_path_factory.mktemp("labeled")
    (folder / "database.toml").write_text(
        '[[recording]]\nvideo = "*.mp4"\nsubject = "{stem}"\nid = "{stem}"\n'
        '[[recording.label]]\nkind = "heart_rate"\nfile = "{stem}.txt"\nrate_hz = 1.0\n'
    )
    for name, rate in (("anna", 74), ("bert", 81)):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
        (folder / f"{name}.txt").write_text(f"{rate}\n" * 3)
    return folder


def build(source, out, **more):
    return list(run_build(plan_build("folder", source, out, SHORT, **more), jobs=0))


def test_building_neither_loses_nor_spoils_a_plan(labeled_source, tmp_path):
    out = tmp_path / "maps"
    build(labeled_source, out, limit=1)
    plan = plan_augmentation(out, Fg2019Options(hr_scales=(0.67,)))
    assert len(plan.added) > 0
    ready = plan_build("folder", labeled_source, out, SHORT)
    apply_augmentation(out, plan)
    augmented = content(out)
    # nothing to do: the same command leaves all as it is
    assert [one.resumed for one in build(labeled_source, out, limit=1)] == [True]
    # something to do: it says what to do first, also where the plan came between planning and building
    with pytest.raises(OutputError, match=r"holds resampled windows.* --reset, build, and augment again"):
        plan_build("folder", labeled_source, out, SHORT)
    with pytest.raises(OutputError, match="holds resampled windows"):
        list(run_build(ready, jobs=0))
    assert {name: data for name, data in content(out).items() if name != ".stmap-lock"} == augmented
    assert reset_augmentation(out)
    build(labeled_source, out)
    assert len({one.recording_id for one in Shards(out).windows()}) == 2
    apply_augmentation(out, plan_augmentation(out, Fg2019Options(hr_scales=(0.67,))))
    assert verify(out) == []


def test_a_build_without_its_manifest_is_mended_and_the_plan_that_went_with_it_is_cleared(labeled_source, tmp_path):
    out = tmp_path / "maps"
    build(labeled_source, out)
    before = content(out)
    apply_augmentation(out, plan_augmentation(out, Fg2019Options(hr_scales=(0.67,))))
    (out / "manifest.json").unlink()
    build(labeled_source, out)
    assert verify(out) == []
    assert set(content(out)) == set(before)
    assert (out / "windows.csv").read_bytes() == before["windows.csv"]


def change(maps, *edits):
    """Write other numbers into a table, and into the manifest that they are right."""
    path = maps / "windows.csv"
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    manifest = read_manifest(maps)
    amend_manifest(maps, manifest, changed=[path], settings=manifest.settings)


def test_verify_holds_each_added_window_against_its_recording(labeled_source, tmp_path):
    out = tmp_path / "maps"
    build(labeled_source, out)
    apply_augmentation(out, plan_augmentation(out, Fg2019Options(hr_scales=(0.67,))))
    assert verify(out) == []
    last = (out / "windows.csv").read_text().splitlines()[-1].split(",")
    rate, start = last[6], last[2]
    change(out, (f",{rate},", f",{float(rate) + 1},"))
    (problem, *_) = verify(out)
    assert problem.kind == "content"
    assert "at hr_scale 0.67 does not fit the label and the frames of its recording" in problem.message
    row = ",".join(last)
    now = (out / "windows.csv").read_text().splitlines()[-1]
    change(out, (now, row.replace(f",{start},", ",7,", 1)))
    assert any("is made from a window that is not there" in one.message for one in verify(out))
