"""Whatever lies in a source folder ends in an outcome with a reason: damaged, hostile, oddly named or not there at all."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
from support.damage import write_tree
from support.processes import run_unprivileged
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.pipeline import Limits, plan_build, run_build, summarize, verify, worker
from stmap_pipeline.shards import Shards, read_table

# every video is built where its pictures can be read, with a face or not
ANY = Config.from_mapping({"windows": {"length": "10 frames"}, "limits": {"max_lost_fraction": 1.0, "min_duration_s": 0.0}})
DEFECTS = {"internal_error", "worker_died", "timed_out", "out_of_memory"}


def build(source: Path, out: Path, jobs: int = 0, **more):
    return {one.recording_id: one for one in run_build(plan_build("folder", source, out, ANY), jobs, **more)}


def test_each_of_120_damaged_recordings_has_an_outcome(tmp_path):
    source = write_tree(tmp_path / "own", 120, seed=20)
    found = build(source, tmp_path / "maps", 2, limits=Limits(time_s=60))
    assert len(found) == 120
    reasons = Counter(one.reason for one in found.values())
    assert not DEFECTS & reasons.keys(), [one.message for one in found.values() if one.reason in DEFECTS]
    # the damage was real, and yet much could be saved
    assert len(reasons) >= 6
    assert reasons[""] >= 36
    assert max(row["peak_memory_bytes"] or 0 for row in read_table(tmp_path / "maps" / "timings.csv")) < 600e6
    assert verify(tmp_path / "maps") == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, [colorful(96, 128)] * 15, options={"preset": "ultrafast"})


def patched(data: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    """Write into a box of an MP4, counted from its name."""
    at = data.index(box) + offset
    return data[:at] + value + data[at + len(value) :]


def test_odd_and_absurd_files(clip, tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    data = clip.read_bytes()
    (source / "good.mp4").write_bytes(data)
    (source / "empty.mp4").write_bytes(b"")
    (source / "text.mp4").write_text("not a video\n" * 200)
    (source / "avi_by_name.avi").write_bytes(data)
    (source / "cut.mp4").write_bytes(data[: len(data) // 3])
    # ffconcat and HLS name other files, and FFmpeg would open them
    (source / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{clip}'\n")
    (source / "playlist.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{clip}\n#EXT-X-ENDLIST\n")
    (source / "session.avi").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n")
    (source / "big.mp4").write_bytes(patched(data, b"avc1", 28, b"\xff\xff\xff\xff"))
    raw = write_video(tmp_path / "raw.avi", [colorful(96, 128)] * 5, codec="rawvideo").read_bytes()
    (source / "huge.avi").write_bytes(patched(raw, b"strf", 12, (65_000).to_bytes(4, "little") * 2))
    (source / "many.mp4").write_bytes(patched(data, b"stsz", 12, (10**9).to_bytes(4, "big")))
    (source / "loop.mp4").symlink_to(source / "loop.mp4")
    (source / "nowhere.mp4").symlink_to(tmp_path / "nowhere")
    (source / "folder.mp4").mkdir()
    os.mkfifo(source / "pipe.mp4")
    write_video(source / "one_frame.mp4", [colorful(96, 128)])
    write_video(source / "tiny.mkv", [colorful(2, 2)] * 5, codec="ffv1")
    write_video(source / "odd.mkv", [colorful(97, 131)] * 5, codec="ffv1", pixel_format="gray")
    write_video(source / "ten_bit.mkv", [colorful(96, 128)] * 5, codec="ffv1", pixel_format="yuv420p10le")
    with av.open(str(source / "alpha.mov"), "w") as container:
        stream = container.add_stream("png", rate=15)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "rgba"
        for _ in range(5):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.dstack([colorful(96, 128), np.full((96, 128), 9, np.uint8)]), "rgba"))
            )
        container.mux(stream.encode(None))
    with av.open(str(source / "sound.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    (source / "growing.mpg").write_bytes(
        b"".join(
            write_video(tmp_path / f"{size}.mpg", [colorful(size, size)] * 9, codec="mpeg1video", rate_hz=25.0).read_bytes()
            for size in (96, 128)
        )
    )
    found = build(source, tmp_path / "maps", 1, limits=Limits(time_s=30))
    reasons = {name.partition(".")[0]: one.reason for name, one in found.items()}
    # a truncated MP4 has lost its index, and a wrong name does not matter
    assert reasons == {
        "alpha": "", "avi_by_name": "", "big": "", "cut": "source_unreadable", "empty": "source_unreadable", "good": "",
        "growing": "unsupported_format", "list": "source_unreadable", "loop": "source_unreadable", "huge": "no_frames", "many": "source_unreadable",
        "nowhere": "source_missing", "odd": "", "one_frame": "", "playlist": "source_unreadable", "session": "source_unreadable",
        "sound": "no_video_stream", "ten_bit": "", "text": "source_unreadable", "tiny": "",
    }  # fmt: skip
    # big: the header lies, but the stream itself tells its size
    assert not DEFECTS & set(reasons.values())
    assert max(row["peak_memory_bytes"] or 0 for row in read_table(tmp_path / "maps" / "timings.csv")) < 600e6


def test_what_is_named_but_is_no_regular_file_waits_for_nobody(tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    os.mkfifo(source / "pipe.mp4")
    os.mkfifo(source / "label.csv")
    write_video(source / "ok.mp4", [colorful(96, 128)] * 15)
    (source / "database.toml").write_text(
        '[[recording]]\nvideo = "pipe.mp4"\n[[recording]]\nvideo = "ok.mp4"\n[[recording.label]]\nfile = "label.csv"\nrate_hz = 1\n'
    )
    found = build(source, tmp_path / "maps", 1, limits=Limits(time_s=20))
    assert {name: one.reason for name, one in found.items()} == {"ok": "label_unreadable", "pipe": "source_unreadable"}


def test_files_that_vanish_after_the_listing(clip, tmp_path):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip, source / name)
    (source / "c").mkdir()
    (source / "c" / "0.png").write_bytes(b"")
    (source / "database.toml").write_text('[[recording]]\nvideo = "*.mp4"\n[[recording]]\nvideo = "c"\nrate_hz = 30\n')
    plan = plan_build("folder", source, out, ANY)
    shutil.rmtree(source)
    found = {one.recording_id: one for one in run_build(plan, 0)}
    assert {name: one.reason for name, one in found.items()} == dict.fromkeys("abc", "source_missing")
    # the file is named, and the id, which has a column of its own, is not
    files = {"a": "a.mp4: no such file", "b": "b.mp4: no such file", "c": "c: no such folder"}
    assert {name: one.message for name, one in found.items()} == files


def test_names_that_are_no_text_go_all_the_way(clip, tmp_path):
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/own\xff"))
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/maps\xfe"))
    source.mkdir()
    shutil.copy(clip, os.fsencode(source) + b"/caf\xe9.mp4")
    shutil.copy(clip, source / "line\nbreak.mp4")
    (source / os.fsdecode(b"n\xe9ant.avi")).write_bytes(b"")
    found = build(source, out, 1)
    assert sorted(one.status for one in found.values()) == ["failed", "ok", "ok"]
    assert verify(out) == []
    with Shards(out) as shards:
        for one in shards.recordings():
            assert shards.recording(one.recording_id).blocks.times_s.size == 15
    for one in found.values():
        one.message.encode()
    again = plan_build("folder", source, out, ANY)
    assert again.complete


_BUILD = """
import sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build
config = Config.from_mapping({"limits": {"max_lost_fraction": 1.0, "min_duration_s": 0.0}})
for one in run_build(plan_build("folder", Path(sys.argv[1]), Path(sys.argv[2]), config), 0):
    print(one.recording_id, one.reason)
"""


def test_unreadable_files_are_named(clip, tmp_path):
    source = tmp_path / "own"
    (source / "hidden").mkdir(parents=True)
    for name in ("hidden/inner", "label", "locked", "readable"):
        shutil.copy(clip, source / f"{name}.mp4")
    (source / "label.csv").write_text("1\n")
    (source / "database.toml").write_text(
        "".join(f'[[recording]]\nvideo = "{name}.mp4"\n' for name in ("hidden/inner", "locked", "readable", "label"))
        + '[[recording.label]]\nfile = "label.csv"\nrate_hz = 1\n'
    )
    for name in ("locked.mp4", "label.csv", "hidden"):
        (source / name).chmod(0)
    run = run_unprivileged(_BUILD, source, tmp_path / "maps")
    (source / "hidden").chmod(0o700)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "hidden__inner source_unreadable",
        "label label_unreadable",
        "locked source_unreadable",
        "readable ",
    ]


def test_what_cannot_be_stored_costs_its_recording_alone(clip, tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    for name in ("good", "long", "old"):
        shutil.copy(clip, source / f"{name}.mp4")
    (source / "database.toml").write_text(
        '[[recording]]\nvideo = "good.mp4"\n'
        f'[[recording]]\nvideo = "long.mp4"\nscenario = "{"y" * 70_000}"\n'
        '[[recording]]\nvideo = "old.mp4"\nfold = 99999999999999999999\n'
    )
    try:
        found = build(source, tmp_path / "maps")
    except DatabaseError:
        pytest.skip("the listing refuses it already")
    assert {name: one.reason for name, one in found.items()} == {"good": "", "long": "not_storable", "old": "not_storable"}
    assert verify(tmp_path / "maps") == []


def test_notes_that_became_too_long_cost_their_recording_alone(clip, tmp_path, monkeypatch):
    source = tmp_path / "own"
    source.mkdir()
    for name in ("a", "b"):
        shutil.copy(clip, source / f"{name}.mp4")
    real = worker.notes_of
    monkeypatch.setattr(worker, "notes_of", lambda one, *more: ("x" * 70_000,) if one.recording_id == "a" else real(one, *more))
    found = build(source, tmp_path / "maps")
    assert {name: (one.stage, one.reason) for name, one in found.items()} == {"a": ("write", "not_storable"), "b": ("", "")}


@pytest.mark.parametrize("clock", ["native", "uniform"])
def test_a_leap_in_the_times_costs_its_recording_alone_until_the_clock_is_corrected(clip, tmp_path, clock):
    source, out = tmp_path / "own", tmp_path / "maps"
    source.mkdir()
    config = Config.from_mapping({**ANY.model_dump(), "windows": {"length": "10 frames", "clock": clock}})
    for name in ("good", "leap"):
        shutil.copy(clip, source / f"{name}.mp4")
    (source / "database.toml").write_text(
        '[[recording]]\nvideo = "good.mp4"\n[[recording]]\nvideo = "leap.mp4"\ntimes = "leap.txt"\n'
    )
    times = [index / 15 for index in range(15)]
    (source / "leap.txt").write_text("\n".join(map(str, [*times[:-1], 1.6e9])))
    found = list(run_build(plan_build("folder", source, out, config), 0))
    assert {one.recording_id: one.reason for one in found} == {"good": "", "leap": "clock_unreadable"}
    assert plan_build("folder", source, out, config).complete
    (source / "leap.txt").write_text("\n".join(map(str, times)))
    found = list(run_build(plan_build("folder", source, out, config), 0))
    assert {one.recording_id: one.reason for one in found} == {"good": "", "leap": ""}


def test_an_error_while_windows_are_cut_costs_its_recording_alone(clip, tmp_path, monkeypatch):
    source = tmp_path / "own"
    source.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(clip, source / f"{name}.mp4")
    real = worker.cut_windows

    def fail(result, config):
        if result.recording.recording_id == "c":
            return real(result, config)
        raise MemoryError if result.recording.recording_id == "a" else ZeroDivisionError

    monkeypatch.setattr(worker, "cut_windows", fail)
    found = build(source, tmp_path / "maps")
    assert {name: one.reason for name, one in found.items()} == {"a": "out_of_memory", "b": "internal_error", "c": ""}
    assert verify(tmp_path / "maps") == []


def test_a_recording_without_a_window_says_so(clip, tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    shutil.copy(clip, source / "few.mp4")
    write_video(source / "many.mp4", [colorful(96, 128)] * 40, rate_hz=30.0, options={"preset": "ultrafast"})
    write_video(source / "slow.mp4", [colorful(96, 128)] * 40, rate_hz=10.0, options={"preset": "ultrafast"})
    config = Config.from_mapping({**ANY.model_dump(), "windows": {"length": "30 frames"}})
    found = {one.recording_id: one for one in run_build(plan_build("folder", source, tmp_path / "maps", config), 0)}
    (told,) = [one for one in found.values() if one.message]
    assert (told.recording_id, told.status, told.reason) == ("few", "ok", "")
    assert "15 frames are fewer than 30 frames" in told.message
    summary = summarize(tmp_path / "maps")
    assert (summary.recordings, summary.without_window) == (3, 1)
    assert (round(summary.window_min_s, 2), round(summary.window_max_s, 2)) == (1.0, 3.0)
