"""How fast windows are read in random order: as recorded, resampled, and on a uniform clock.

Simulated recordings are built once on each clock and balanced; then windows are drawn in random order and their maps are made by one
process on one core, first with empty caches and then again. Run from the repository:

    python benchmarks/reading.py [FOLDER] [--subjects N] [--windows N]

FOLDER keeps the builds for another run.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLOCKS = {"native": "", "uniform": '[windows]\nclock = "uniform"\nrate_hz = 30.0\n'}


def build(folder: Path, subjects: int) -> None:
    """Simulate traces on both clocks and balance those on the native one."""
    for clock, text in CLOCKS.items():
        out = folder / clock
        if (out / "manifest.json").is_file():
            continue
        config = folder / f"{clock}.toml"
        config.write_text(text, "utf-8")
        stmap = [sys.executable, "-m", "stmap_cli"]
        subprocess.run([*stmap, "synth", out, "--traces", "--subjects", str(subjects), "--config", config], check=True)
        if clock == "native":
            subprocess.run([*stmap, "augment", out, "--balance"], check=True)


def main() -> None:
    """Print windows per second for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--windows", type=int, default=10_000)
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = choices.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        build(folder, choices.subjects)
        # set before NumPy's libraries are asked for work: one core, as in a worker of a DataLoader
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        from stmap_pipeline.shards import Shards

        print(f"{'':12}{'windows':>9}{'recordings':>12}{'first pass':>16}{'again':>16}{'cache':>10}{'process':>10}")
        for name, clock, augmented in (("recorded", "native", False), ("resampled", "native", True), ("uniform", "uniform", False)):
            with Shards(folder / clock) as shards:
                windows = [one for one in shards.windows(labeled=True, augmented=augmented) if one.augmented == augmented]
                order = np.random.default_rng(0).permutation(len(windows))[: choices.windows]
                chosen = [windows[number] for number in order]
                passes = []
                for _ in range(2):
                    start = time.process_time()
                    for one in chosen:
                        shards.stmap(one, color="yuv")
                    passes.append((time.process_time() - start) / len(chosen))
                cells = [f"{1 / one:7.0f}/s {one * 1e3:4.2f} ms" for one in passes]
                cache_mb = shards.cached_bytes / 2**20
            recordings = len({one.recording_id for one in chosen})
            process_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            print(
                f"{name:12}{len(chosen):9,}{recordings:12,}{cells[0]:>16}{cells[1]:>16}{cache_mb:7.0f} MB{process_mb:7.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
