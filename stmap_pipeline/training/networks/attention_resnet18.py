"""ResNet-18 with channel and spatial attention after each stage: the default network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from stmap_pipeline.training.networks.attention import Attention
from stmap_pipeline.training.networks.base import NetworkInput
from stmap_pipeline.training.networks.resnet18 import ResNet18


class AttentionResNet18(ResNet18):
    """:class:`~stmap_pipeline.training.networks.resnet18.ResNet18` with :class:`~.attention.Attention` after each of its stages.

    Parameters
    ----------
    shape, resize, width
        As for :class:`~stmap_pipeline.training.networks.resnet18.ResNet18`.

    Notes
    -----
    The abstract of X. Niu et al., "Robust remote heart rate estimation from face utilizing spatial-temporal attention", FG 2019,
    speaks of a spatial-temporal attention mechanism. Where it sits in the network, and of what it is made, is our choice.

    Examples
    --------
    >>> network = AttentionResNet18(NetworkInput(channels=3, blocks=25, samples=300))
    >>> weights = network.attention_maps(torch.zeros(2, 3, 25, 300))
    >>> weights["spatial1"].shape, weights["channel4"].shape
    (torch.Size([2, 25, 300]), torch.Size([2, 512]))
    """

    def __init__(
        self, shape: NetworkInput, *, resize: tuple[int, int] | None = None, width: int = 64, consecutive: int = 1
    ) -> None:
        super().__init__(shape, resize=resize, width=width, consecutive=consecutive)
        self.attention = nn.ModuleList(Attention(one) for one in self.widths)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def attend(self, number: int, x: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Weight the output of a stage, and note the weights."""
        x, weights[f"spatial{number}"], weights[f"channel{number}"] = self.attention[number - 1](x)
        return x

    @torch.no_grad()
    def attention_maps(self, maps: Tensor) -> dict[str, Tensor]:
        """Give the weights of each stage; see :meth:`Network.attention_maps`. Call :meth:`eval` before, as for an estimate."""
        self.check(maps)
        lead, size = maps.shape[:-3], tuple(maps.shape[-2:])
        _, weights = self.look(maps.flatten(0, -4))
        return {
            name: (
                interpolate(one.float(), size, mode="bilinear", align_corners=False).reshape(*lead, *size)
                if name.startswith("spatial")
                else one.float().reshape(*lead, -1)
            )
            for name, one in weights.items()
        }
