"""`stmap augment` as its user sees it: the histogram on stdout, all else on stderr, and nothing written unless asked."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import h5py
import pytest
from support.cli import stmap
from support.maps import content, small_maps

from stmap_pipeline.shards import Shards, check_manifest

BINS = ("--range", "40,160", "--bin", "20")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("augment") / "the maps")


@pytest.fixture
def maps(built, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    shutil.copytree(built, tmp_path / "maps")
    return tmp_path / "maps"


def test_a_dry_run_shows_the_histogram_and_writes_nothing(maps):
    before = content(maps)
    run = stmap("augment", maps, "--balance", "--dry-run", *BINS)
    assert run.code == 0
    assert content(maps) == before
    lines = run.out.splitlines()
    assert lines[0].split() == ["bpm", "before", "after"]
    assert [line.split()[0] for line in lines[1:]] == ["40-60", "60-80", "80-100", "100-120", "120-140", "140-160"]
    for line in lines[1:]:
        _, recorded, after, *bar = line.split()
        assert int(after) >= int(recorded)
        assert len(line) <= 100
        assert bool(bar) == bool(int(after))
        assert set("".join(bar)) <= {"█", "░"}
    assert re.search(r"^adds +\d+ windows to \d+, from \d recordings at speeds from 0\.\d+ to 1\.\d+$", run.err, re.MULTILINE)
    assert re.search(r"^epoch +\d+ -> \d+ windows \([12]\.\d\d times as long\)$", run.err, re.MULTILINE)
    assert re.search(r"^entropy  0\.\d{3} -> 0\.\d{3} \(1 is flat\)$", run.err, re.MULTILINE)
    assert re.search(
        r"^short    \d+ windows in \d of 6 bins\n         most in 1\d0-1\d0 bpm, with \d+ of \d+ wanted: \d+ windows of fold \d(, \d)? come ",
        run.err,
        re.MULTILINE,
    )
    assert "written" not in run.err


def test_where_blocks_cannot_be_shown_the_bars_are_letters(maps):
    run = stmap("augment", maps, "--balance", "--dry-run", *BINS, encoding="ascii")
    assert run.code == 0
    assert re.search(r"^60-80 +\d+ +\d+ +#+\+* *$", run.out, re.MULTILINE)


def test_a_run_writes_a_folder_and_reset_removes_it(maps, built):
    run = stmap("augment", maps, "--balance", *BINS)
    assert run.code == 0
    assert f"written  ->  {maps}/augmentation" in run.err
    assert check_manifest(maps) == []
    assert sorted(one.name for one in (maps / "augmentation").iterdir()) == [
        "histogram.png", "histogram.svg", "manifest.json", "plan.json", "windows.csv", "windows.json"
    ]  # fmt: skip

    with Shards(maps) as shards:
        added = len(shards.windows(augmented=True)) - len(shards.windows())
    assert f"adds     {added} windows" in run.err
    once = content(maps)
    assert stmap("augment", maps, "--balance", *BINS).code == 0
    assert content(maps) == once
    assert stmap("verify", maps).code == 0
    run = stmap("augment", maps, "--reset")
    assert (run.code, run.out, run.err) == (0, "", "removed: the output is as it was built\n")
    assert content(maps) == content(built)
    assert "nothing to remove" in stmap("augment", maps, "--reset").err


def test_json_is_one_object_and_the_only_thing_on_stdout(maps):
    run = stmap("augment", maps, "--rule", "fg2019", "--speeds", "0.8,1.25", "--band", "60,80", "--dry-run", "--json")
    told = json.loads(run.out)
    assert told["dry_run"] is True
    assert told["options"]["rule"] == "fg2019"
    assert told["options"]["speeds"] == [0.8, 1.25]
    assert told["options"]["band_bpm"] == [60, 80]
    assert told["windows_added"] > 0
    assert sum(one["added"] for one in told["bins"]) == told["windows_added"]


def test_a_target_file_a_cap_and_a_seed_reach_the_plan(maps, tmp_path):
    (tmp_path / "target.csv").write_text("low_bpm,high_bpm,weight\n40,100,3\n100,160,1\n")
    told = json.loads(
        stmap(
            "augment", maps, "--balance", *BINS, "--target", tmp_path / "target.csv", "--per-subject-cap", "4", "--seed", "7",
            "--speeds", "0.8,1.2", "--max-added", "inf", "--min-valid", "0.9", "--dry-run", "--json",
        ).out
    )  # fmt: skip
    assert told["options"] == {
        "rule": "balance", "target": [[40.0, 100.0, 3.0], [100.0, 160.0, 1.0]], "range_bpm": [40.0, 160.0], "bin_bpm": 20.0,
        "speeds": [0.8, 1.2], "max_added": None, "seed": 7, "per_subject_cap": 4, "min_valid_fraction": 0.9,
    }  # fmt: skip
    assert 0 < told["windows_added"] <= 16


def test_finished_maps_are_written_a_folder_a_subject(maps, tmp_path):
    out = tmp_path / "for others"
    run = stmap("augment", maps, "--balance", *BINS, "--write-shards", out, "--jobs", "2")
    assert run.code == 0
    assert sorted(one.name for one in out.iterdir()) == ["p001", "p002", "p003", "p004"]
    with Shards(maps) as shards:
        windows = shards.windows(augmented=True)
        owner = {one.recording_id: one.subject for one in shards.recordings()}
        for subject in ("p001", "p004"):
            ours = [one for one in windows if owner[one.recording_id] == subject]
            with h5py.File(out / subject / "windows.h5") as file:
                assert len(file["maps"]) == len(ours)
                assert file["speed"][...].tolist() == [one.speed for one in ours]
                expected = shards.stmap(ours[-1], fill="interpolate").values
                assert abs(file["maps"][-1].astype(float) - expected).max() <= 0.5
    assert f"finished maps: {len(windows)} windows  ->  {out}" in run.err
    assert check_manifest(maps) == []
    again = stmap("augment", maps, "--balance", *BINS, "--write-shards", out)
    assert again.code == 1
    assert str(out) in again.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "--rule fg2019"),
        (("--reset", "--balance"), "--reset stands alone"),
        (("--balance", "--range", "40"), "'--range': '40'"),
        (("--balance", "--range", "40,x"), "'40,x'"),
        (("--rule", "fg2019", "--speeds", "a"), "'--speeds': 'a'"),
        (("--rule", "fg2019", "--target", "a.csv"), "--target has no meaning with the rule fg2019"),
        (("--balance", "--band", "60,80"), "rule balance"),
        (("--balance", "--per-subject-cap", "0"), "per-subject-cap"),
        (("--balance", "--seed", "-1"), "seed"),
    ],
)
def test_wrong_usage_is_told_as_such(maps, words, text):
    run = stmap("augment", maps, *words)
    assert (run.code, run.out) == (2, "")
    assert text in run.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--balance", "--bin", "7"), "bins of 7 bpm"),
        (("--balance", "--speeds", "9"), "between 1/3 and 3"),
        (("--balance", "--target", "unifrom"), "unifrom"),
        (("--rule", "fg2019", "--speeds", "1"), "not 1, and"),
        (("--balance", "--max-added", "0"), "above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error_of_one_line(maps, words, text):
    run = stmap("augment", maps, *words)
    assert (run.code, run.out) == (1, "")
    assert re.search(text, run.err)
    assert run.err.startswith("Error: ")
    assert run.err.count("\n") == 1


def test_what_is_no_build_is_told(tmp_path):
    run = stmap("augment", tmp_path / "nowhere", "--balance")
    assert (run.code, run.out) == (1, "")
    assert "nowhere: " in run.err


def test_export_leaves_resampled_windows_out_unless_asked(maps, tmp_path):
    assert stmap("augment", maps, "--balance", *BINS).code == 0
    with Shards(maps) as shards:
        recorded, both = len(shards.windows()), len(shards.windows(augmented=True))
    assert stmap("export", maps, tmp_path / "a").code == 0
    assert stmap("export", maps, tmp_path / "b", "--augmented", "--format", "png").code == 0
    assert len((tmp_path / "a" / "windows.csv").read_text().splitlines()) == recorded + 1
    assert len((tmp_path / "b" / "windows.csv").read_text().splitlines()) == both + 1
    pictures = [one.name for one in (tmp_path / "b" / "png").rglob("*.png")]
    assert len(pictures) == both
    assert any(re.fullmatch(r"\d{6}_x[01]\.\d{4}\.png", one) for one in pictures)


def test_maps_that_may_not_be_written_to_are_refused_before_the_plan_is_shown(maps, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or Path(path) != maps)
    run = stmap("augment", maps, "--balance", *BINS)
    assert (run.code, run.out) == (1, "")
    assert run.err.splitlines()[-1].endswith("copy the maps to a folder that is, and augment the copy")
    assert stmap("augment", maps, "--balance", "--dry-run", *BINS).code == 0
