"""What each recording, window and file costs beyond its frames: the constants of docs/explanation/scale.md.

    python benchmarks/scale.py [--frames 900] [--repeats 20]

CPU seconds of this process, medians; waiting for the disk is not in them.
"""

from __future__ import annotations

import argparse
import dataclasses
import pickle
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from clips import VGA, clip, scene_of
from tables import show, show_machine

from stmap_pipeline.config import Config
from stmap_pipeline.maps import cut_windows
from stmap_pipeline.pipeline.limits import Limits
from stmap_pipeline.pipeline.scratch import RunInfo, Scratch
from stmap_pipeline.pipeline.worker import RecordingTask, build_recording, load_backend, rows_of
from stmap_pipeline.records import Outcome, Recording, RecordingResult, VideoSource
from stmap_pipeline.shards import read_recording, read_table, write_recording, write_table
from stmap_pipeline.shards.manifest import read_manifest, write_manifest
from stmap_pipeline.shards.recording_file import read_keys
from stmap_pipeline.shards.tables import OUTCOMES, WINDOWS, outcome_row, window_row

_ROWS = 20_000
_MANY = 5_000


def cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU time of a call."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def named(result: RecordingResult, number: int) -> RecordingResult:
    """Return a recording under another name."""
    one = dataclasses.replace(result.recording, recording_id=f"s001_v{number:05d}", subject="s001")
    return dataclasses.replace(result, recording=one)


def stored(folder: Path, result: RecordingResult, repeats: int) -> list[tuple[str, str]]:
    """Measure what is kept of each recording, and how rows are made of it."""
    scratch = Scratch(folder)
    folder.mkdir()
    scratch.begin(RunInfo())
    frames, name = len(result.blocks.times_s), result.recording.recording_id
    outcome = Outcome(name, result.recording.subject, "ok", frames=frames, timings=dict.fromkeys("abcdefgh", 1.5))
    path = folder / "s001.h5"
    write_s = cpu_s(lambda: write_recording(path, result), repeats)
    read_s = cpu_s(lambda: read_recording(path), repeats)
    keys_s = cpu_s(lambda: read_keys(path), repeats)
    keep_s = cpu_s(lambda: scratch.keep_outcome(outcome), repeats)
    again = read_recording(path)
    rows_s = cpu_s(lambda: rows_of(again, Config()), repeats)
    return [
        ("a frame in a file", f"{path.stat().st_size / frames:.0f} bytes"),
        (f"write a recording of {frames} frames, read it back and compare", f"{write_s * 1e3:.1f} ms"),
        ("read it with its checksum", f"{read_s * 1e3:.1f} ms"),
        ("read what it was derived from, at the start of each run", f"{keys_s * 1e3:.2f} ms"),
        ("its rows and windows", f"{rows_s * 1e3:.1f} ms"),
        ("keep an outcome", f"{keep_s * 1e3:.2f} ms"),
    ]


def rows(folder: Path, result: RecordingResult) -> list[tuple[str, str]]:
    """Measure rows of tables and entries of the manifest."""
    outcomes = [outcome_row(Outcome(f"s{number:06d}_v1", f"s{number:06d}", "ok")) for number in range(_ROWS)]
    cut = [window_row(one, "s001") for one in cut_windows(named(result, 0), Config().windows)]
    windows = [cut[number % len(cut)] for number in range(_ROWS)]
    found = []
    for name, columns, table in (("outcomes", OUTCOMES, outcomes), ("windows", WINDOWS, windows)):
        path = folder / f"{name}.csv"
        write_table(path, columns, table)
        taken_s = cpu_s(partial(read_table, path), 3)
        found.append((f"row of {path.name}", f"{path.stat().st_size / _ROWS:.0f} bytes, {taken_s / _ROWS * 1e6:.0f} us to read"))
    files = [folder / "shards" / f"s{number:06d}.h5" for number in range(_MANY)]
    files[0].parent.mkdir()
    for path in files:
        path.write_bytes(b"")
    write_s = cpu_s(lambda: write_manifest(folder, fingerprint="c0ffee", files=files), 1) / _MANY
    read_s = cpu_s(lambda: read_manifest(folder), 3) / _MANY
    size = (folder / "manifest.json").stat().st_size / _MANY
    found.append(("entry of manifest.json", f"{size:.0f} bytes, {write_s * 1e3:.2f} ms to write, {read_s * 1e6:.0f} us to read"))
    return found


def tasks(recording: Recording) -> list[tuple[str, str]]:
    """Measure what the main process holds for each recording, and what goes to a worker."""
    tracemalloc.start()
    listed = [
        dataclasses.replace(
            recording,
            recording_id=f"s{number:06d}_v1",
            subject=f"s{number:06d}",
            video=VideoSource(Path(f"/data/v{number:06d}.mp4")),
        )
        for number in range(_MANY)
    ]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    sent = len(pickle.dumps(RecordingTask(listed[0], Config(), Path("/data/maps"), "0" * 16, Limits())))
    return [
        ("a listed recording in the main process", f"{held / _MANY:.0f} bytes"),
        ("a task on its way to a worker", f"{sent} bytes"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--repeats", type=int, default=20)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = clip(folder, scene_of("move", VGA), "move", "h264-4M", chosen.frames)
        recording = Recording("s001_v00000", "folder", "s001", VideoSource(video))
        load_backend(Config().faces.backend)
        built = []
        taken_s = cpu_s(lambda: built.append(build_recording(recording, Config())), 1)
        found = [("CPU for a frame of 640 x 480 (H.264, decoding included)", f"{taken_s / chosen.frames * 1e3:.1f} ms")]
        found += stored(folder / "maps", built[0], chosen.repeats)
        found += rows(folder / "maps", built[0])
        found += tasks(recording)
    show_machine()
    show("Constants", ("what", "measured"), found)


if __name__ == "__main__":
    main()
