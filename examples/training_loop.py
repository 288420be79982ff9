"""Train a network in a loop of your own on the maps of a build.

stmap synth maps --traces --subjects 10      # or maps of your own
python examples/training_loop.py maps
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader

from stmap_pipeline import Shards
from stmap_pipeline.balance import Bins
from stmap_pipeline.torch import MapDataset, WindowSampler


def main(maps: str, epochs: int = 5) -> None:
    """Train on four of five subjects, and print the error on the others."""
    torch.manual_seed(0)
    shards = Shards(maps)
    subjects = sorted({one.subject for one in shards.recordings()})
    split = shards.split(subject=subjects[::5])  # no subject is in both; fold=1 holds out an official fold
    # a map is (3, blocks, samples) and has 0 to 255 in each row
    training, held_out = MapDataset(shards, split.training), MapDataset(shards, split.evaluation)
    sampler = WindowSampler(training, bins=Bins(40, 160, 10), windows_per_epoch=1000)
    loader = DataLoader(training, batch_size=32, sampler=sampler)  # num_workers=2 reads beside the training
    network = nn.Sequential(
        nn.Conv2d(3, 16, (1, 9), stride=(1, 3)), nn.ReLU(), nn.Conv2d(16, 32, (1, 9), stride=(1, 3)), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for epoch in range(epochs):
        for batch in loader:
            estimate_bpm = 80 + 20 * network(batch["map"] / 127.5 - 1)[:, 0]
            loss = nn.functional.l1_loss(estimate_bpm, batch["heart_rate_bpm"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}   error of the last batch {loss.item():.1f} bpm")

    in_memory = held_out.to("cpu")  # or "cuda": batches are then cut on the GPU
    with torch.inference_mode():
        batch = in_memory.batch(torch.arange(len(in_memory)))
        error_bpm = 80 + 20 * network(batch["map"] / 127.5 - 1)[:, 0] - batch["heart_rate_bpm"]
    print(f"held out: {', '.join(subjects[::5])}; {len(in_memory)} windows, MAE {error_bpm.abs().mean():.1f} bpm")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", help="a folder of maps with heart rates, of two subjects or more")
    main(parser.parse_args().maps)
