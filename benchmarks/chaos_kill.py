"""Kill -9 the main process or a worker 200 times during builds of 40 recordings, each time followed by the same command.

    python benchmarks/chaos_kill.py [--kills 200] [--recordings 40] [--seed 0]

Each build that comes to its end is compared with an undisturbed one: the same files with the same bytes, and none besides.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.cli import content
from support.processes import Chaos, kill_until
from support.videos import write_video

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build, verify
from stmap_pipeline.synth.scene import make_scene


def main() -> None:
    """Build once in peace, then in chaos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--recordings", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, config = folder / "own", folder / "short.toml"
        source.mkdir()
        for number in range(4):
            scene = make_scene(number, "easy", heart_rate_bpm=60.0 + 10 * number, size_px=(240, 240))
            write_video(source / f"v{number:03d}.mp4", [scene.render(index / 30, index) for index in range(60)])
        for number in range(4, arguments.recordings - 1):
            (source / f"v{number:03d}.mp4").write_bytes((source / f"v{number % 4:03d}.mp4").read_bytes())
        (source / "zero.mp4").write_bytes(b"")
        config.write_text('[windows]\nlength = "30 frames"\n')
        start = time.monotonic()
        list(run_build(plan_build("folder", source, folder / "calm", Config.from_toml(config)), 2))
        calm_s = time.monotonic() - start
        print(f"undisturbed: {arguments.recordings} recordings in {calm_s:.1f} s", flush=True)
        start = time.monotonic()
        expected = content(folder / "calm")

        def progress(chaos: Chaos) -> None:
            print(f"  {chaos.finished} builds finished, {chaos.kills} kills", flush=True)

        # late enough for some work to be done, early enough for most builds to be killed several times
        chaos = kill_until(arguments.kills, source, folder, config, expected, arguments.seed, calm_s, told=progress)
        problems = [one for number in range(chaos.finished) for one in verify(folder / f"maps-{number}")]
        print(
            f"{chaos.kills} kills (main process {chaos.killed_main}, worker {chaos.killed_workers}) in {chaos.commands} commands, "
            f"{chaos.finished} finished builds, all byte-identical, no file besides, {len(problems)} problems found by verify; "
            f"{time.monotonic() - start:.0f} s"
        )


if __name__ == "__main__":
    main()
