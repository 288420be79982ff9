"""A network of your own in the trainer of stmap: its folds, resuming, evaluation and report.

    stmap synth maps --traces --subjects 10      # or maps of your own
    python examples/own_network.py maps runs/two-convolutions

A script registers the network for its own process. For all commands (``stmap train maps runs/two-convolutions --network two-convolutions``) install the
class as an entry point, in the ``pyproject.toml`` of a package of your own:

    [project.entry-points."stmap.networks"]
    two-convolutions = "own_network:TinyNetwork"
"""

import argparse
from pathlib import Path

from torch import Tensor, nn

from stmap_pipeline import registry
from stmap_pipeline.training import TrainConfig, plan_training, run_training
from stmap_pipeline.training.networks.map_network import MapNetwork


class TinyNetwork(MapNetwork):
    """Two convolutions along time; loss, target and heart rates are those of all networks of maps."""

    def __init__(self, *, color: str = "yuv") -> None:
        super().__init__(color=color)
        self.layers = nn.Sequential(
            nn.Conv2d(self.channels, 16, (1, 9), stride=(1, 3)), nn.ReLU(), nn.Conv2d(16, 32, (1, 9), stride=(1, 3)), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """Estimate the beats (B,) of maps (B, C, blocks, samples), in standard units."""
        estimates: Tensor = self.layers(maps)
        return estimates[:, 0]


def main(maps: str, run: str) -> None:
    """Train one network for each fold, and print the error on its subjects."""
    registry.register("networks", "two-convolutions", TinyNetwork)
    config = TrainConfig(network="two-convolutions", epochs=3, learning_rate=3e-3, validation_share=0)
    for event in run_training(plan_training(Path(maps), Path(run), config, resume=True), "cpu"):
        print(event)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", help="a folder of maps with heart rates, of two subjects or more")
    parser.add_argument("run", help="the folder of the run; one that was stopped resumes")
    options = parser.parse_args()
    main(options.maps, options.run)
