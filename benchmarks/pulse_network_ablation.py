"""What each part of the pulse network is worth: equal short trainings without it, measured on the same unseen simulated windows.

    python benchmarks/pulse_network_ablation.py [--windows 19200] [PART ...]

Each training sees the same number of windows, so differences of a few percent say nothing: the last line of the table is the same
network from another seed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from pulse_network import auc, likely_rate, unseen_windows
from tables import show, show_machine
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stmap_pipeline.records import RoiGrid
from stmap_pipeline.simulation import SimulationConfig, simulate_windows
from stmap_pipeline.torch import Batch
from stmap_pipeline.training.networks import pulse_net
from stmap_pipeline.training.networks.pulse_net import Features, PulseNetwork
from stmap_pipeline.training.optimizer import MuonAdamW

BATCH, RATE = 32, 3e-3
TEST_SEED, WINDOWS = 1_000_003, 1500


Prepare = Callable[[Tensor, Tensor | None], Features]


def with_rgb_alone(prepare: Prepare) -> Prepare:
    """Return a preparation whose mixes are 0 but for red, green and blue."""

    def prepared(means: Tensor, motion: Tensor | None = None) -> Features:
        features = prepare(means, motion)
        blocks, level = features.blocks.clone(), features.level.clone()
        blocks[:, :, 3:7] = blocks[:, :, 10:14] = 0
        level[:, :, 3:] = 0
        return features._replace(blocks=blocks, level=level)

    return prepared


class WithoutMixSpectra(PulseNetwork):
    """A network whose rate head sees the spectra of the waves alone."""

    def _rate_scores(self, waves: Tensor, pooled: Tensor, moments: Tensor, motion: Tensor) -> Tensor:
        return super()._rate_scores(waves, torch.zeros_like(pooled), moments, motion)


class WithTaper(PulseNetwork):
    """A network whose weights over time are multiplied by a Hann window."""

    def _rate_scores(self, waves: Tensor, pooled: Tensor, moments: Tensor, motion: Tensor) -> Tensor:
        hann = torch.hann_window(moments.shape[1], periodic=False, dtype=moments.dtype)
        return super()._rate_scores(waves, pooled, moments * hann, motion)


KINDS = {"spectra of the mixes": WithoutMixSpectra, "free weights over time (Hann window)": WithTaper}


@contextmanager
def without(part: str) -> Iterator[tuple[PulseNetwork, SimulationConfig]]:
    """Make a network without a part, and the settings of its training."""
    torch.manual_seed(1 if part == "nothing, another seed" else 0)
    network = PulseNetwork(motion_channels=0) if part == "motion" else KINDS.get(part, PulseNetwork)()
    config = SimulationConfig(damaged_share=0.0) if part == "damage in training" else SimulationConfig()
    frozen = {"spatial attention": network.score, "temporal attention": network.to_time_weights}.get(part)
    if frozen is not None:
        for parameter in frozen.parameters():
            torch.nn.init.zeros_(parameter)
            parameter.requires_grad = False
    prepare = with_rgb_alone(pulse_net.prepare) if part == "color mixes" else pulse_net.prepare
    with patch.object(pulse_net, "prepare", prepare):
        yield network, config


def train(network: PulseNetwork, config: SimulationConfig, windows: int) -> torch.nn.Module:
    """Train on so many simulated windows; return the moving average of the weights."""
    trained = [one for one in network.parameters() if one.requires_grad]
    optimizer = MuonAdamW(trained, RATE, 1e-3)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    steps = windows // BATCH
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * step / steps))
        if step % 8 == 0:
            drawn = simulate_windows(8 * BATCH, (2_000_000, step), config)
        part = slice(step % 8 * BATCH, (step % 8 + 1) * BATCH)
        means, motion, pulse, rate_bpm = (
            torch.as_tensor(one[part], dtype=torch.float32)
            for one in (drawn.means, drawn.motion, drawn.pulse, drawn.heart_rate_bpm)
        )
        batch = Batch(means, motion, pulse, rate_bpm, torch.full_like(rate_bpm, 10.0))
        with torch.autocast("cpu", torch.bfloat16):
            output = network(*network.inputs(batch))
        loss = network.loss(output, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update_parameters(network)
    return average.module.eval()


def main() -> None:
    """Read the command line, train and measure."""
    parts = [
        "nothing", "color mixes", "spatial attention", "temporal attention", *KINDS, "motion", "damage in training",
        "nothing, another seed",
    ]  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *parts])
    parser.add_argument("--windows", type=int, default=19_200)
    parser.add_argument("--save", type=Path, help="folder for the weights of each")
    given = parser.parse_args()
    show_machine()
    torch.set_num_threads(1)
    test = unseen_windows(WINDOWS, TEST_SEED, RoiGrid().rows)
    true, damaged = test.heart_rate_bpm.astype(float), test.terms["damaged"]
    there = np.isfinite(true)
    rows = []
    for part in given.parts or parts:
        with without(part) as (network, config):
            begin_s = time.process_time()
            trained = train(network, config, given.windows)
            seconds = time.process_time() - begin_s
            with torch.inference_mode():
                found = [
                    trained(torch.as_tensor(test.means[k : k + 50]), torch.as_tensor(test.motion[k : k + 50]).float())
                    for k in range(0, WINDOWS, 50)
                ]
        answers = likely_rate(torch.cat([one.log_probability for one in found]).double().exp().numpy())
        error = np.abs(answers.rate_bpm - true)
        surest = there & (answers.confidence >= np.quantile(answers.confidence[there], 0.2))
        figures = error[there], error[there & ~damaged], error[there & damaged], error[surest]
        row = (part, *(f"{one.mean():.2f}" for one in figures), f"{auc(answers.confidence, there & (error <= 5)):.3f}")
        rows.append((*row, f"{seconds:.0f}"))
        print(rows[-1], flush=True)
    head = ("without", "MAE (bpm)", "undamaged", "damaged", "surest 80 %", "AUC", "CPU seconds")
    show(f"{given.windows} windows each", head, rows)


if __name__ == "__main__":
    main()
