"""How fast windows reach a training loop in PyTorch, beside the loop that one writes at first.

Simulated recordings, a quarter of VIPL-HR, are built once and balanced. Then 20,000 windows, 32 of each recording, are drawn in random order
in batches of 64, first with empty caches and then again: as recorded, balanced (as recorded and resampled), and read at a uniform 25 Hz.
Run from the repository:

    python benchmarks/dataloader.py [FOLDER] [--subjects N] [--windows N] [--only PATTERN]

Samples are counted by second of CPU time, that of all workers together, so that other load of the machine hardly counts: it is what one core
does. The start of workers is not counted. FOLDER keeps the build for another run.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

# set before the libraries are asked for work: one core, as in a worker of a DataLoader
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import torch
from tables import show, show_machine
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

from stmap_pipeline import Shards
from stmap_pipeline.records import Window
from stmap_pipeline.torch import MapDataset, WindowSampler

BATCH = 64
RATE_HZ, SAMPLES = 25.0, 250
# 2,000 windows, and then those of the next
AT_ONCE = 64


class FirstTry(Dataset[Any]):
    """What one writes at first: a window, its map, its label."""

    def __init__(self, shards: Shards, windows: Sequence[Window]) -> None:
        self.shards, self.windows = shards, windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[Any, float]:
        window = self.windows[index]
        return self.shards.stmap(window).values.transpose(2, 0, 1), window.heart_rate_bpm


def build(maps: Path, subjects: int) -> None:
    """Simulate traces and balance them."""
    if not (maps / "augmentation/manifest.json").is_file():
        stmap = [sys.executable, "-m", "stmap_cli"]
        subprocess.run([*stmap, "synth", maps, "--traces", "--subjects", str(subjects)], check=True)
        subprocess.run([*stmap, "augment", maps, "--balance"], check=True)


def cpu_s() -> float:
    """Return the CPU time of this process and of the workers that run."""
    ticks = 0
    for one in multiprocessing.active_children():
        fields = Path(f"/proc/{one.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def samples_per_s(batches: Iterable[Any]) -> float:
    """Read all batches; the first one, before which workers start, is not counted."""
    running = iter(batches)
    next(running)
    start, count = cpu_s(), 0
    for one in running:
        count += len(one["index"] if isinstance(one, dict) else one[1])
    return count / (cpu_s() - start)


def ways(
    maps: Path, windows: list[Window], uniform: bool, count: int, cache_bytes: int
) -> Iterator[tuple[str, Iterable[Any], Any]]:
    """Yield each way of reading: its name, its batches, and what holds memory."""
    clock: dict[str, Any] = {"rate_hz": RATE_HZ, "samples": SAMPLES} if uniform else {}

    def data() -> MapDataset:
        return MapDataset(Shards(maps, cache_bytes=cache_bytes), windows, **clock)

    if not uniform:
        first = FirstTry(Shards(maps, cache_bytes=cache_bytes), windows)
        yield "a loop over `Shards.stmap`", DataLoader(first, BATCH, sampler=RandomSampler(first, num_samples=count)), first.shards
    for at_once, name in ((None, "`MapDataset`"), (AT_ONCE, f"`MapDataset`, {AT_ONCE} recordings at once")):
        one = data()
        yield (
            name,
            DataLoader(one, BATCH, sampler=WindowSampler(one, windows_per_epoch=count, recordings_at_once=at_once)),
            one.shards,
        )
    for method in ("fork", "spawn"):
        one = data()
        sampler = WindowSampler(one, windows_per_epoch=count, recordings_at_once=AT_ONCE)
        how: dict[str, Any] = {"num_workers": 2, "multiprocessing_context": method, "persistent_workers": True}
        yield f"the same, 2 workers by {method}", DataLoader(one, BATCH, sampler=sampler, **how), None
    start = time.process_time()
    resident = data().to("cpu")
    print(f"{resident}: loaded in {time.process_time() - start:.0f} s", flush=True)
    sampler = WindowSampler(resident, windows_per_epoch=count)
    yield "in memory, `batch(index)`", InMemory(resident, sampler), None
    how = {"num_workers": 2, "multiprocessing_context": "fork", "persistent_workers": True}
    yield "in memory, 2 workers by fork", DataLoader(resident, BATCH, sampler=sampler, **how), None


class InMemory:
    """Batches without a loader, in a new order in each pass."""

    def __init__(self, data: MapDataset, sampler: WindowSampler) -> None:
        self.data, self.order = data, BatchSampler(sampler, BATCH, drop_last=False)

    def __iter__(self) -> Iterator[Any]:
        return (self.data.batch(index) for index in self.order)


def main() -> None:
    """Print samples per second of CPU time for each kind of windows and each way of reading."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--subjects", type=int, default=27)
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--cache-mb", type=int, default=2048)
    parser.add_argument("--only", default="", help="only ways of reading whose name has this pattern")
    choices = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        maps = (choices.folder or Path(temporary)) / "native"
        maps.parent.mkdir(parents=True, exist_ok=True)
        build(maps, choices.subjects)
        show_machine()
        for kind, augmented, uniform in (("as recorded", False, False), ("balanced", True, False), ("uniform clock", False, True)):
            start = time.process_time()
            windows = Shards(maps).windows(labeled=True, min_valid_fraction=1.0, augmented=augmented)
            listed_s = time.process_time() - start
            rows = []
            for name, batches, holds in ways(maps, windows, uniform, choices.windows, choices.cache_mb * 2**20):
                if re.search(choices.only, name):
                    rates = [samples_per_s(batches) for _ in range(2)]
                    cache = f"{holds.cached_bytes / 2**20:.0f} MB" if holds is not None else ""
                    rows.append((name, *(f"{one:,.0f}" for one in rates), cache))
                    print(rows[-1], flush=True)
                del batches, holds
                gc.collect()
            title = f"{kind}: {choices.windows:,} of {len(windows):,} windows, listed in {listed_s:.1f} s; samples per second of CPU time"
            show(title, ("", "first pass", "again", "traces in memory"), rows)


if __name__ == "__main__":
    main()
