"""Cost of the data in a training: windows per second with the data path, and of the same network on one batch prepared before.

Both are measured alternately, so that other load of the machine concerns both; medians are printed. The ratio is of CPU seconds
where the network runs on the CPU, with OMP_NUM_THREADS=1 on a busy machine. The maps are simulated.

    python benchmarks/training.py [--device cuda --batch 256] [--subjects 107] [--json FILE]

From the throughput follows the time of five folds of 50 epochs at VIPL-HR's size. It is computed, not measured, and holds for
the machine it was measured on; validation and checkpoints come on top.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from lightning_fabric import Fabric
from tables import machine, show, show_machine
from torch import Tensor

from stmap_pipeline import Shards
from stmap_pipeline.balance.plan import SPEEDS
from stmap_pipeline.records import Window
from stmap_pipeline.registry import names
from stmap_pipeline.synth.traces import plan_traces
from stmap_pipeline.torch import Batch, MapDataset
from stmap_pipeline.training.device import start_fabric
from stmap_pipeline.training.networks import Network, build_network
from stmap_pipeline.training.predict import load_windows, network_class

# windows of VIPL-HR in benchmarks/augment.py, as recorded and with those of `stmap augment --balance`
RECORDED, BALANCED = 101_599, 383_067
FOLDS, EPOCHS = 5, 50


def with_resampled(shards: Shards, windows: list[Window], share: float, random: np.random.Generator) -> list[Window]:
    """Replace a share of the windows by the same at another speed, where their recordings are long enough."""
    last_s = {one.recording_id: shards.means(one.recording_id)[0][-1] - 0.5 for one in shards.recordings()}
    played = [replace(one, speed=speed) for one, speed in zip(windows, random.choice(SPEEDS, len(windows)).tolist(), strict=True)]
    possible = np.array([one.speed * one.stop_s < last_s[one.recording_id] for one in played])
    chosen = possible & (random.random(len(windows)) < share / possible.mean())
    return [new if yes else old for new, old, yes in zip(played, windows, chosen, strict=True)]


class Trainer:
    """A step of training, as in :func:`stmap_pipeline.training.train.train_fold`, on any maps."""

    def __init__(self, fabric: Fabric, network: Network, data: MapDataset) -> None:
        self.fabric, self.data = fabric, data
        network.fit_target(torch.from_numpy(data.heart_rate_bpm), torch.from_numpy(data.duration_s))
        self.network = network.to(fabric.device).train()
        self.model, self.optimizer = fabric.setup(network, torch.optim.AdamW(network.parameters(), 1e-4, fused=True))

    def batch(self, index: np.ndarray) -> tuple[tuple[Tensor | None, ...], Batch]:
        """Make a batch, as the trainer does."""
        batch = self.data.traces(index)
        return self.network.inputs(batch), batch

    def learn(self, batches: Iterable[tuple[tuple[Tensor | None, ...], Batch]]) -> None:
        """Learn from some batches, one after the other."""
        for inputs, batch in batches:
            self.step(inputs, batch)

    def step(self, inputs: tuple[Tensor | None, ...], batch: Batch) -> None:
        """Learn from one batch."""
        loss = self.network.loss(self.model(*inputs), batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=1.0, error_if_nonfinite=False)
        self.optimizer.step()


def seconds(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return wall time, the device's own work included, and the work itself: CPU time on a CPU, wall time on a GPU."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    wait()
    start, cpu_start = time.perf_counter(), time.process_time()
    work()
    wait()
    clock_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    return clock_s, clock_s if device.type == "cuda" else cpu_s


def measure(trainer: Trainer, batch: int, steps: int, rounds: int, seed: int) -> dict[str, float]:
    """Return windows per second of both ways, measured alternately, and of the data path by itself."""
    random = np.random.default_rng(seed)
    ready = trainer.batch(random.integers(0, len(trainer.data), batch))
    device = trainer.fabric.device

    def batches() -> list[np.ndarray]:
        return [random.integers(0, len(trainer.data), batch) for _ in range(steps)]

    ways: dict[str, Callable[[], object]] = {
        "fixed": lambda: trainer.learn([ready] * steps),
        "with data": lambda: trainer.learn(map(trainer.batch, batches())),
        "data alone": lambda: [trainer.batch(index) for index in batches()],
    }
    for way in ways.values():
        seconds(way, device)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    ratios = []
    for number in range(rounds):
        # first one first, then the other: a machine that becomes slower favors neither
        for name in sorted(ways, reverse=bool(number % 2)):
            taken[name].append(seconds(ways[name], device))
        ratios.append(taken["fixed"][-1][1] / taken["with data"][-1][1])
    windows = batch * steps
    return {name: windows / median(clock_s for clock_s, _ in one) for name, one in taken.items()} | {"ratio": median(ratios)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--network", action="append", choices=names("networks"), help="again for another one")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--subjects", type=int, default=4, help="simulated; 107 are VIPL-HR")
    parser.add_argument("--maps", type=Path, help="a folder of maps instead, or where to keep the simulated ones")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    show_machine()
    fabric = start_fabric(args.device, args.precision)
    device, precision = fabric.device, fabric.strategy.precision.precision
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"torch      {torch.__version__}, {name}, {precision}, batches of {args.batch}")
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True

    with tempfile.TemporaryDirectory(prefix="stmap-training-") as folder:
        root = args.maps or Path(folder) / "maps"
        if not (root / "manifest.json").is_file():
            for _ in plan_traces(root, args.subjects).run(os.cpu_count() or 1):
                pass
        shards = Shards(root)
        windows = shards.windows(labeled=True, min_valid_fraction=1.0)
        kinds = {
            "as recorded": (windows, RECORDED),
            "balanced": (with_resampled(shards, windows, 1 - RECORDED / BALANCED, np.random.default_rng(0)), BALANCED),
        }
        rows, found = [], []
        for kind, (chosen, size) in kinds.items():
            networks = args.network or ["attention-resnet18", "resnet18"]
            start_s = time.perf_counter()
            data = load_windows(network_class(networks[0]), shards, chosen, device)
            build_s = time.perf_counter() - start_s
            recordings, resampled = len(shards.recordings()), np.mean([one.augmented for one in chosen])
            print(
                f"\n{kind}: {len(chosen)} windows of {recordings} recordings, {resampled:.0%} resampled; on the device in {build_s:.1f} s"
            )
            for one in networks:
                torch.manual_seed(0)
                network = build_network(one)
                result = measure(Trainer(fabric, network, data), args.batch, args.steps, args.rounds, 0)
                # of five folds each trains on what the four others hold
                hours = FOLDS * EPOCHS * size * (1 - 1 / FOLDS) / result["with data"] / 3600
                found.append({"network": one, "windows": kind, "build_s": build_s, "hours": hours, **result})
                speeds = [f"{result[key]:.0f}" for key in ("fixed", "with data", "data alone")]
                whole = f"{hours:.1f} h" if hours > 2 else f"{60 * hours:.0f} min"
                rows.append([one, kind, *speeds, f"{result['ratio']:.3f}", whole])
    head = ["network", "windows", "fixed batch /s", "with data /s", "data alone /s", "ratio", f"{FOLDS} x {EPOCHS} epochs"]
    show("Training", head, rows)
    if args.json:
        args.json.write_text(
            json.dumps({"machine": machine(), "device": name, "batch": args.batch, "results": found}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
