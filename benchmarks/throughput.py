"""What a build costs beside decoding alone, in CPU seconds on one core, all measured in turns in one run.

    python benchmarks/throughput.py [--quick] [--json FILE]

CPU time is counted, not time on the clock, and still a shared machine is slower by half for minutes. So each build is compared with the
decoding just before and after it and with a run of dlib's detector beside it, the yardstick, and the medians of these comparisons are
given. What two processes gain can only be seen on an idle machine, so what two processes gain that only decode stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from clips import HD, VGA, clip, default_folder, scene_of
from per_frame_reference import PerFrameReference
from real import DATA
from tables import machine, show, show_machine

from stmap_pipeline.config import Config
from stmap_pipeline.parallel import ONE_THREAD
from stmap_pipeline.pipeline import plan_build, run_build
from stmap_pipeline.pipeline.worker import StageTimer, build_recording
from stmap_pipeline.records import Outcome, Recording, VideoSource

# name -> aim of the ratio to decoding, aim of the cost beyond decoding in ms, aim of the ratio to the per-frame reference
_AIMS = {
    "rouast_clip1": (1.2, 0.8, 15),
    "h264-4M": (1.5, 0.8, 15),
    "mpeg4": (None, 0.8, 15),
    "mjpeg": (None, 0.8, 15),
    "h264-8M HD": (1.2, 1.5, 18),
}
_YARDSTICK_MS = 23.0


def decode_only(path: Path) -> int:
    """Decode a video in one thread and discard the frames."""
    count = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for _ in container.decode(stream):
            count += 1
    return count


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of a call, of this process and all its threads."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def files(folder: Path, frames: int) -> dict[str, tuple[Path, int]]:
    """Return the files to measure: name -> file and number of frames."""
    scene, high = scene_of("talk", VGA), scene_of("talk", HD)
    found = {name: (clip(folder, scene, "speed", name, frames), frames) for name in ("h264-4M", "mpeg4", "mjpeg")}
    found["h264-8M HD"] = (clip(folder, high, "speed", "h264-8M", frames // 2), frames // 2)
    real = sorted((DATA / "rouast_clip1").glob("*.mp4"))
    if real:
        found["rouast_clip1"] = (real[0], decode_only(real[0]))
    return found


def measure_files(
    chosen: dict[str, tuple[Path, int]], rounds: int, reference_frames: int
) -> tuple[dict[str, dict[str, float]], list[float]]:
    """Measure decoding, build and reference in turns; medians in ms per frame, and the yardstick in ms in each turn."""
    reference = PerFrameReference()
    gray = np.asarray(cv2.cvtColor(scene_of("talk", VGA).render(0.0, 0), cv2.COLOR_RGB2GRAY))
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    yardsticks = []
    build_recording(Recording("warm", "warm", "warm", VideoSource(next(iter(chosen.values()))[0])), Config())
    for _ in range(rounds):
        for name, (path, count) in chosen.items():
            yardsticks.append(float(np.median([cpu_ms(lambda: reference.detect(gray)) for _ in range(3)])))
            turns[name].append(one_turn(path, count) | {"yardstick": yardsticks[-1]})
    medians = {}
    for name, (path, count) in chosen.items():
        few = min(count, reference_frames // (4 if "HD" in name else 1))
        reference_ms = cpu_ms(partial(reference.build, path, few)) / few
        for cost in turns[name]:
            cost["beyond"] = cost["build"] - cost["decode"]
            cost["ratio"] = cost["build"] / cost["decode"]
            cost["beyond_judged"] = cost["beyond"] * _YARDSTICK_MS / cost["yardstick"]
        medians[name] = {what: float(np.median([cost[what] for cost in turns[name]])) for what in turns[name][0]} | {
            "reference": reference_ms
        }
    return medians, yardsticks


def one_turn(path: Path, count: int) -> dict[str, float]:
    """Measure a build between two runs of decoding alone; ms per frame."""
    timer = StageTimer()
    before = cpu_ms(lambda: decode_only(path))
    build = cpu_ms(lambda: build_recording(Recording("one", "files", "one", VideoSource(path)), Config(), timer))
    after = cpu_ms(lambda: decode_only(path))
    wall = sum(timer.seconds.values())
    cost = {"decode": (before + after) / 2 / count, "build": build / count}
    return cost | {stage: cost["build"] * timer.seconds[stage] / wall for stage in ("faces", "blocks")}


def file_rows(medians: dict[str, dict[str, float]]) -> list[list[str]]:
    """Format the table and judge each file; costs are judged as on a machine of the yardstick."""
    rows = []
    for name, cost in medians.items():
        faster = cost["reference"] / cost["build"]
        most, allowed_ms, least = _AIMS[name]
        judged = [
            *([] if most is None else [f"ratio {'ok' if cost['ratio'] <= most else f'SHORT of {most}'}"]),
            f"cost {'ok' if cost['beyond_judged'] <= allowed_ms else f'SHORT of {allowed_ms}'}",
            f"reference {'ok' if faster >= least else f'SHORT of {least}'}",
        ]
        rows.append(
            [
                name,
                f"{cost['decode']:.2f}",
                f"{cost['build']:.2f}",
                f"{cost['ratio']:.2f}",
                f"{cost['beyond']:.2f}",
                f"{cost['beyond_judged']:.2f}",
                f"{cost['faces']:.2f}",
                f"{cost['blocks']:.2f}",
                f"{1000 / cost['build']:.0f}",
                f"{cost['reference']:.1f}",
                f"{faster:.0f} of {cost['reference'] / cost['decode']:.0f}",
                ", ".join(judged),
            ]
        )
    return rows


HEAD = (
    "file",
    "decode ms",
    "build ms",
    "ratio",
    "beyond ms",
    f"at {_YARDSTICK_MS:.0f} ms",
    "faces",
    "blocks",
    "frames/core-s",
    "reference ms",
    "reference / build, of at most",
    "",
)


def run_jobs(path: Path, jobs: int, clips: int) -> tuple[float, list[Outcome]]:
    """Build copies of a clip with a number of processes; give seconds on the clock and the outcomes."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "videos"
        source.mkdir()
        for index in range(clips):
            shutil.copy(path, source / f"clip{index}{path.suffix}")
        plan = plan_build("folder", source, Path(name) / "maps")
        start = time.perf_counter()
        outcomes = list(run_build(plan, jobs))
        return time.perf_counter() - start, outcomes


def decode_jobs(path: Path, jobs: int, clips: int) -> float:
    """Decode a clip so many times with a number of processes; seconds on the clock."""
    with ProcessPoolExecutor(jobs) as pool:
        list(pool.map(decode_only, [path] * jobs))
        start = time.perf_counter()
        list(pool.map(decode_only, [path] * clips))
        return time.perf_counter() - start


def job_rows(path: Path, clips: int, rounds: int) -> list[list[str]]:
    """Compare one and two processes, in turns, and read what each recording cost outside of its frames."""
    gains, most, starts, timings = [], [], [], []
    for _ in range(rounds):
        most.append(decode_jobs(path, 1, clips) / decode_jobs(path, 2, clips))
        seconds = {}
        for jobs in (1, 2):
            # processes of a database of thousands start once: they are started here, and wait some seconds for the next run
            start_s, warm = run_jobs(path, jobs, jobs)
            seconds[jobs], outcomes = run_jobs(path, jobs, clips)
            timings += [one.timings for one in outcomes]
            starts.append(start_s - sum(one.timings["total_s"] for one in warm) / jobs)
        gains.append(seconds[1] / seconds[2])
    inside = [sum(one.get(f"{stage}_s", 0.0) for stage in ("decode", "faces", "blocks")) for one in timings]
    outside = np.median([one["total_s"] - loop for one, loop in zip(timings, inside, strict=True)])
    peak = max(one["peak_memory_bytes"] for one in timings) / 2**20
    gain = float(np.median(gains))
    return [
        ["two processes against one", f"{gain:.2f} x", ">= 1.9 x", "ok" if gain >= 1.9 else "SHORT"],
        ["the same, decoding alone", f"{np.median(most):.2f} x", "", ""],
        ["start of a run's processes, once", f"{max(starts):.1f} s", "", ""],
        ["a recording outside its frames", f"{outside:.3f} s", "<= 0.1 s", "ok" if outside <= 0.1 else "SHORT"],
        ["peak memory of a worker", f"{peak:.0f} MB", "<= 350 MB", "ok" if peak <= 350 else "SHORT"],
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter clips, one round")
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    parser.add_argument("--clips", type=Path, default=default_folder(), help="where rendered clips are kept")
    arguments = parser.parse_args()
    if not ONE_THREAD.items() <= os.environ.items():
        # as workers have it; libraries read this when they are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)  # noqa: S606
    cv2.setNumThreads(1)
    show_machine()
    print(f"load       {os.getloadavg()[0]:.1f} before the start")
    frames, rounds, reference_frames, clips = (300, 1, 40, 4) if arguments.quick else (900, 7, 120, 8)
    chosen = files(arguments.clips, frames)
    medians, yardsticks = measure_files(chosen, rounds, reference_frames)
    low, middle, high = np.quantile(yardsticks, (0.1, 0.5, 0.9))
    print(f"\ndlib's detector on 640x480: {middle:.1f} ms, {low:.1f} to {high:.1f} (the aims are for {_YARDSTICK_MS:.0f} ms)")
    rows = file_rows(medians)
    show("CPU per frame", HEAD, rows)
    jobs = job_rows(chosen["h264-4M"][0], clips, -(-rounds // 3))
    jobs += job_memory(chosen["h264-8M HD"][0])
    show("Processes and recordings", ("what", "measured", "aim", ""), jobs)
    if arguments.json:
        content = {"machine": machine(), "yardstick_ms": yardsticks, "ms_per_frame": medians, "jobs": jobs}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def job_memory(path: Path) -> list[list[str]]:
    """Return the peak memory of a worker on a large video."""
    peak = max(one.timings["peak_memory_bytes"] for one in run_jobs(path, 1, 1)[1]) / 2**20
    return [["peak memory of a worker at 1920x1080", f"{peak:.0f} MB", "<= 350 MB", "ok" if peak <= 350 else "SHORT"]]


if __name__ == "__main__":
    main()
