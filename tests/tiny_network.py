"""A network of a few hundred numbers, so that what is tested is the training and not the patience of the tester."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stmap_pipeline import registry
from stmap_pipeline.training.networks import Network, NetworkInput


class Tiny(Network):
    """One convolution over time, normalized and with dropout: everything a resumed training must have right."""

    def __init__(self, shape: NetworkInput, **_: object) -> None:
        super().__init__(shape)
        self.conv1 = nn.Conv2d(shape.channels, 8, (shape.blocks, 9), (1, 3))
        self.bn1 = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(8, 1)

    def forward(self, batch: Tensor) -> Tensor:
        self.check(batch)
        x = self.bn1(self.conv1(batch)).square().mean(dim=(2, 3))
        return self.head(self.drop(torch.log1p(x))).squeeze(1)


class Plain(Tiny):
    """Without what depends on the batch, so that half batches on two processes learn what a whole one does."""

    def __init__(self, shape: NetworkInput, **_: object) -> None:
        super().__init__(shape)
        self.bn1, self.drop = nn.Identity(), nn.Identity()


def register() -> None:
    """Make the networks known by name, in this process."""
    registry.REGISTRIES["networks"] |= {"tiny": "tiny_network:Tiny", "tiny-plain": "tiny_network:Plain"}
