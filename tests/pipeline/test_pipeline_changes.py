"""What changed since an earlier build is derived again, and nothing else: labels, clocks, windows, limits, videos, the listing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.cli import content

from stmap_pipeline.balance import BalanceOptions
from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError
from stmap_pipeline.pipeline import plan_build, run_build, summarize, verify, worker
from stmap_pipeline.shards import Shards, check_manifest, is_augmented, plan_augmentation, read_table, write_augmentation

WINDOWS = {"length": "30 frames"}
SHORT = Config.from_mapping({"windows": WINDOWS})


@pytest.fixture
def source(tmp_path, face_clip) -> Path:
    """Three videos with a clock and a label each."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("anna", "bert", "carl"):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
        write_clock(folder / f"{name}.txt", 33)
        (folder / f"{name}.csv").write_text("60\n" * 4)
    (folder / "database.toml").write_text(
        '[[recording]]\nvideo = "*.mp4"\ntimes = "{stem}.txt"\ntimes_unit_s = 0.001\n'
        '[[recording.label]]\nkind = "heart_rate"\nfile = "{stem}.csv"\nrate_hz = 1.0\n'
    )
    return folder


def write_clock(path: Path, interval_ms: int, frames: int = 60) -> None:
    path.write_text("".join(f"{interval_ms * index:06d}\n" for index in range(frames)))


def build(source: Path, out: Path, config: Config = SHORT, **more):
    return {one.recording_id: one for one in run_build(plan_build("folder", source, out, config, **more), 0)}


def limits_changed(config: Config) -> Config:
    return config.model_copy(update={"limits": config.limits.model_copy(update={"max_lost_fraction": 0.9})})


@pytest.fixture
def no_decoding(monkeypatch):
    """Fail whoever decodes."""

    def forbidden(*_):
        raise AssertionError("a video was decoded")

    return lambda: monkeypatch.setattr(worker, "open_stream", forbidden)


def rates(out: Path) -> dict[str, set[float]]:
    with Shards(out) as shards:
        found: dict[str, set[float]] = {}
        for one in shards.windows():
            found.setdefault(one.recording_id, set()).add(one.heart_rate_bpm)
    return found


@pytest.mark.parametrize("text", ["90\n" * 4, "120\n" * 4], ids=["same size", "another size"])
def test_a_changed_label_needs_no_decoding(source, tmp_path, no_decoding, text):
    out = tmp_path / "maps"
    build(source, out)
    (source / "bert.csv").write_text(text)
    no_decoding()
    plan = plan_build("folder", source, out, SHORT)
    assert (plan.complete, plan.todo, len(plan.stored)) == (False, (), 3)
    found = {one.recording_id: one for one in run_build(plan)}
    assert rates(out) == {"anna": {60.0}, "bert": {float(text.split()[0])}, "carl": {60.0}}
    assert {name: (one.status, one.resumed) for name, one in found.items()} == dict.fromkeys(found, ("ok", True))
    assert verify(out) == []
    assert plan_build("folder", source, out, SHORT).complete


def test_the_bytes_after_a_changed_label_are_those_of_a_fresh_build(source, tmp_path):
    build(source, tmp_path / "maps")
    (source / "bert.csv").write_text("81\n" * 4)
    build(source, tmp_path / "maps")
    build(source, tmp_path / "fresh")
    assert content(tmp_path / "maps") == content(tmp_path / "fresh")


def test_a_label_that_changes_between_a_stopped_build_and_its_continuation_counts_for_all(source, tmp_path):
    out = tmp_path / "maps"
    running = run_build(plan_build("folder", source, out, SHORT), 0)
    assert [next(running).recording_id for _ in range(2)] == ["anna", "bert"]
    running.close()
    for name in ("anna", "bert", "carl"):
        (source / f"{name}.csv").write_text("90\n" * 4)
    build(source, out)
    assert rates(out) == {name: {90.0} for name in ("anna", "bert", "carl")}


def test_a_label_that_breaks_keeps_the_traces_for_when_it_is_whole_again(source, tmp_path, no_decoding):
    out = tmp_path / "maps"
    build(source, out)
    before = content(out)
    (source / "bert.csv").write_text("seventy\neighty\n")
    assert build(source, out)["bert"].reason == "label_unreadable"
    assert sorted(path.name for path in (out / "shards").iterdir()) == ["anna.h5", "carl.h5"]
    assert check_manifest(out) == []
    (source / "bert.csv").write_text("60\n" * 4)
    no_decoding()
    assert build(source, out)["bert"].status == "ok"
    assert content(out) == before


def test_labels_and_clocks_are_read_before_the_first_frame_is_decoded(source, tmp_path, no_decoding):
    (source / "anna.csv").write_text("none\nat all\n")
    (source / "bert.txt").write_text("0\n5\n3\n")
    (source / "carl.mp4").unlink()
    (source / "database.toml").write_text(
        "".join(
            f'[[recording]]\nvideo = "{name}.mp4"\ntimes = "{name}.txt"\ntimes_unit_s = 0.001\n[[recording.label]]\nfile = "{name}.csv"\nrate_hz = 1.0\n'
            for name in ("anna", "bert")
        )
    )
    no_decoding()
    plan = plan_build("folder", source, tmp_path / "maps", SHORT)
    assert plan.todo == ()
    assert {one.recording_id: one.reason for one in plan.settled} == {"anna": "label_unreadable", "bert": "clock_unreadable"}
    assert {one.recording_id: one.status for one in run_build(plan)} == {"anna": "failed", "bert": "failed"}


def test_a_corrected_clock_needs_no_decoding(source, tmp_path, no_decoding):
    out = tmp_path / "maps"
    build(source, out)
    write_clock(source / "bert.txt", 34)
    no_decoding()
    build(source, out)
    with Shards(out) as shards:
        assert shards.recording("bert").blocks.times_s == pytest.approx(0.034 * np.arange(60))
        assert shards.info("bert").attributes["interval_median_s"] == 0.034
        assert shards.recording("anna").blocks.times_s[1] == 0.033
    assert verify(out) == []


def test_a_shorter_clock_drops_frames_and_a_longer_one_decodes_them(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    write_clock(source / "bert.txt", 33, frames=58)
    assert build(source, out)["bert"].resumed
    with Shards(out) as shards:
        assert (shards.info("bert").frames, shards.info("bert").attributes["frames_surplus"]) == (58, 2)
    write_clock(source / "bert.txt", 33, frames=60)
    assert not build(source, out)["bert"].resumed
    build(source, tmp_path / "fresh")
    assert content(out) == content(tmp_path / "fresh")


def test_a_clock_in_another_unit_is_tracked_again(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    write_clock(source / "bert.txt", 66)
    assert {name: one.resumed for name, one in build(source, out).items()} == {"anna": True, "bert": False, "carl": True}
    build(source, tmp_path / "fresh")
    assert content(out) == content(tmp_path / "fresh")


def test_other_windows_in_the_same_output_are_new_tables(source, tmp_path, no_decoding):
    out, config = tmp_path / "maps", Config.from_mapping({"windows": {"length": "20 frames", "step": "5 frames"}})
    build(source, out)
    build(source, tmp_path / "fresh", config)
    no_decoding()
    found = build(source, out, config)
    assert all(one.resumed for one in found.values())
    assert content(out) == content(tmp_path / "fresh")
    assert summarize(out).windows == 3 * 9


def test_another_limit_is_applied_to_what_is_stored(source, tmp_path, no_decoding):
    out = tmp_path / "maps"
    build(source, out)
    before = content(out)
    no_decoding()
    strict = Config.from_mapping({"windows": WINDOWS, "limits": {"min_duration_s": 5.0}})
    assert {one.reason for one in build(source, out, strict).values()} == {"too_short"}
    assert {one.reason for one in build(source, out).values()} == {""}
    assert content(out) == before


def test_other_settings_of_traces_are_refused_or_rebuilt(source, tmp_path):
    out, grid = tmp_path / "maps", Config.from_mapping({"windows": WINDOWS, "blocks": {"rows": 3}})
    build(source, out)
    with pytest.raises(OutputError, match=r"blocks.rows: 5 -> 3.*--rebuild"):
        plan_build("folder", source, out, grid)
    with pytest.raises(OutputError, match="without --only and --limit"):
        plan_build("folder", source, out, grid, only="anna", rebuild=True)
    running = run_build(plan_build("folder", source, out, grid, rebuild=True), 0)
    next(running)
    running.close()
    # the same command goes on, with and without the option
    assert [one.recording_id for one in plan_build("folder", source, out, grid).todo] == ["bert", "carl"]
    build(source, out, grid, rebuild=True)
    build(source, tmp_path / "fresh", grid)
    assert content(out) == content(tmp_path / "fresh")


def test_a_database_that_was_copied_is_not_decoded_anew(source, tmp_path, no_decoding):
    out = tmp_path / "maps"
    build(source, out)
    before = content(out)
    copied = shutil.copytree(source, tmp_path / "copied" / "own", copy_function=shutil.copy)
    for path in copied.iterdir():
        os.utime(path, (10**9, 10**9))
    no_decoding()
    plan = plan_build("folder", copied, out, SHORT)
    assert len(plan.todo) == 3
    assert all(one.resumed for one in run_build(plan, 0))
    assert content(out) == before
    assert plan_build("folder", copied, out, SHORT).complete


def test_a_video_that_was_edited_is_decoded_again_also_at_the_same_size(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    data = bytearray((source / "anna.mp4").read_bytes())
    # a letter in the name of the encoder: the same pictures
    data[data.index(b"Lavf")] ^= 1
    (source / "anna.mp4").write_bytes(data)
    found = build(source, out)
    assert {name: one.resumed for name, one in found.items()} == {"anna": False, "bert": True, "carl": True}


def test_a_video_that_broke_after_its_build_stays_failed_however_often_it_is_tried(source, tmp_path, no_decoding):
    out, whole = tmp_path / "maps", (source / "anna.mp4").read_bytes()
    build(source, out)
    before = content(out)
    (source / "anna.mp4").write_bytes(whole[:3000])
    assert build(source, out)["anna"].status == "failed"
    assert build(source, out, retry_failed=True)["anna"].status == "failed"
    assert build(source, out, limits_changed(SHORT))["anna"].status == "failed"
    # whole again: its traces were kept
    (source / "anna.mp4").write_bytes(whole)
    no_decoding()
    assert build(source, out)["anna"].status == "ok"
    assert content(out) == before


def test_what_is_listed_no_longer_leaves_and_what_is_not_asked_for_stays(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    (source / "bert.mp4").unlink()
    build(source, out, only="anna")
    with Shards(out) as shards:
        assert [one.recording_id for one in shards.recordings()] == ["anna", "carl"]
        assert [one.recording_id for one in shards.outcomes()] == ["anna", "carl"]
        assert {one.recording_id for one in shards.windows()} == {"anna", "carl"}
    assert sorted(path.name for path in (out / "shards").iterdir()) == ["anna.h5", "carl.h5"]
    assert verify(out) == []


def test_a_failure_is_tried_again_when_what_it_depends_on_changes(source, tmp_path):
    out = tmp_path / "maps"
    write_clock(source / "bert.txt", 33, frames=100)
    assert build(source, out)["bert"].reason == "clock_mismatch"
    assert plan_build("folder", source, out, SHORT).complete
    write_clock(source / "bert.txt", 33)
    assert [one.recording_id for one in plan_build("folder", source, out, SHORT).todo] == ["bert"]
    assert build(source, out)["bert"].status == "ok"


def test_timings_of_an_earlier_run_stay(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    before = {row["recording_id"]: row["decode_s"] for row in read_table(out / "timings.csv")}
    (source / "bert.csv").write_text("81\n" * 4)
    build(source, out)
    assert {row["recording_id"]: row["decode_s"] for row in read_table(out / "timings.csv")} == before


def test_resampled_windows_stay_until_the_windows_that_they_were_made_of_change(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    with Shards(out) as shards:
        write_augmentation(shards, plan_augmentation(shards, BalanceOptions("fg2019", band_bpm=(55, 65), speeds=(0.67,))))
    assert is_augmented(out)
    (source / "bert.mp4").touch()
    assert build(source, out)["bert"].resumed
    assert is_augmented(out)
    (source / "bert.csv").write_text("81\n" * 4)
    build(source, out)
    assert not is_augmented(out)
    assert verify(out) == []


def test_an_output_of_another_source_is_refused(source, face_clip, tmp_path):
    out, other = tmp_path / "maps", tmp_path / "other"
    build(source, out)
    other.mkdir()
    (other / "dora.mp4").write_bytes(face_clip.read_bytes())
    with pytest.raises(OutputError, match=f"3 recordings, and {other}"):
        plan_build("folder", other, out, SHORT)
    (source / "anna.mp4").unlink()
    assert plan_build("folder", source, out, SHORT).gone == ("anna",)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("windows.csv", "byte"),
        ("recordings.csv", "byte"),
        ("windows.csv", "pipe"),
        ("windows.json", "device"),
        ("outcomes.csv", "missing"),
    ],
)
def test_a_table_that_is_damaged_is_derived_again(source, tmp_path, no_decoding, name, harm):
    out = tmp_path / "maps"
    build(source, out)
    before, table = content(out), out / name
    stored = bytearray(table.read_bytes())
    table.unlink()
    if harm == "byte":
        stored[-2] ^= 1
        table.write_bytes(stored)
    elif harm == "pipe":
        os.mkfifo(table)
    elif harm == "device":
        table.symlink_to("/dev/zero")
    assert verify(out, quick=harm != "byte")
    no_decoding()
    build(source, out)
    assert content(out) == before
    assert verify(out) == []


def test_a_recording_behind_a_link_is_decoded_again_in_its_place(source, tmp_path):
    out, elsewhere = tmp_path / "maps", tmp_path / "elsewhere.h5"
    build(source, out)
    before, path = content(out), out / "shards" / "anna.h5"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    build(source, out)
    assert not path.is_symlink()
    assert content(out) == before


def test_a_folder_of_an_output_that_is_a_link_is_refused(source, tmp_path):
    out = tmp_path / "maps"
    build(source, out)
    (out / "shards").rename(tmp_path / "elsewhere")
    (out / "shards").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"shards: is a link"):
        build(source, out)
