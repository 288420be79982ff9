"""What Dask costs: the same build with the same number of workers, in loky processes and on a Dask cluster.

    python benchmarks/cluster.py [--workers 2] [--recordings 24] [--seconds 30] [--repeats 3]

Workers are warm in both cases; to connect takes Dask about a second, which short recordings show. Prints the ratio measured in one
run, and compares the outputs byte by byte. In a last build one worker is killed and another one joins.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.cli import content
from support.processes import Cluster
from support.videos import write_video

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build
from stmap_pipeline.synth.scene import make_scene


def timed(source: Path, out: Path, jobs: int, scheduler: str | None) -> float:
    """Build, and give the seconds it took."""
    plan = plan_build("folder", source, out, Config())
    start = time.perf_counter()
    assert all(one.status == "ok" for one in run_build(plan, jobs, scheduler=scheduler))
    return time.perf_counter() - start


def main() -> None:
    """Alternate between the two, so that both see the same machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recordings", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Cluster(Path(name) / "cluster") as cluster:
        folder = Path(name)
        source = folder / "own"
        source.mkdir()
        scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(320, 320))
        frames = round(30 * arguments.seconds)
        one = write_video(folder / "one.mp4", (scene.render(index / 30, index) for index in range(frames))).read_bytes()
        for number in range(arguments.recordings):
            (source / f"v{number:03d}.mp4").write_bytes(one)
        workers = [cluster.add_worker(nanny=False) for _ in range(arguments.workers)]
        for way in (None, cluster.address):
            timed(source, folder / f"warm-{bool(way)}", arguments.workers, way)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for repeat in range(arguments.repeats):
            for way in (None, cluster.address):
                out = folder / f"maps-{bool(way)}-{repeat}"
                seconds[bool(way)].append(timed(source, out, arguments.workers, way))
                assert content(out) == content(folder / "warm-False"), "the outputs differ"
        local, dask = (statistics.median(seconds[way]) for way in (False, True))
        print(
            f"{arguments.recordings} recordings of {arguments.seconds:g} s, {arguments.workers} workers, median of {arguments.repeats}:"
        )
        print(f"  joblib {local:.2f} s, Dask {dask:.2f} s: {dask / local - 1:+.1%}; byte-identical")
        running = run_build(plan_build("folder", source, folder / "troubled", Config()), scheduler=cluster.address)
        names = {next(running).recording_id}
        os.killpg(workers[0].pid, signal.SIGKILL)
        cluster.add_worker(nanny=False)
        names |= {one.recording_id for one in running}
        assert content(folder / "troubled") == content(folder / "warm-False"), "the outputs differ"
        print(f"  one worker killed and one added: {len(names)} outcomes, byte-identical")


if __name__ == "__main__":
    main()
