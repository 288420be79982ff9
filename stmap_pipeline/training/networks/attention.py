"""ResNet-18 with channel and spatial attention after each stage: the default network, after the paper."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from stmap_pipeline.torch import Batch
from stmap_pipeline.training.networks.resnet18 import ResNet18


class ChannelAttention(nn.Module):
    """Compute a weight for each channel from its mean and its maximum over the map.

    Parameters
    ----------
    channels : int
    reduction : int
        The hidden layer has ``channels / reduction`` units.

    References
    ----------
    S. Woo, J. Park, J.-Y. Lee, I. S. Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018.

    Examples
    --------
    >>> ChannelAttention(32)(torch.zeros(2, 32, 7, 10)).shape
    torch.Size([2, 32, 1, 1])
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.shared = nn.Sequential(nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the weights (B, C, 1, 1), 0 to 1, of features (B, C, H, W)."""
        weights: Tensor = torch.sigmoid(self.shared(x.mean(dim=(2, 3))) + self.shared(x.amax(dim=(2, 3))))
        return weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """Compute a weight for each position (blocks and time) from the mean and the maximum over the channels in its neighborhood.

    Parameters
    ----------
    size : int
        Rows and columns of the convolution, odd.

    References
    ----------
    As :class:`ChannelAttention`.

    Examples
    --------
    >>> SpatialAttention()(torch.zeros(2, 32, 7, 10)).shape
    torch.Size([2, 1, 7, 10])
    """

    def __init__(self, size: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, size, padding=size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the weights (B, 1, H, W), 0 to 1, of features (B, C, H, W)."""
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(summary))


class Attention(nn.Module):
    """Apply channel attention and then spatial attention.

    Parameters
    ----------
    channels : int

    Examples
    --------
    >>> x, spatial, channel = Attention(32)(torch.ones(2, 32, 7, 10))
    >>> x.shape, spatial.shape, channel.shape
    (torch.Size([2, 32, 7, 10]), torch.Size([2, 1, 7, 10]), torch.Size([2, 32, 1, 1]))
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels)
        self.spatial = SpatialAttention()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weighted features, the spatial and the channel weights."""
        channel = self.channel(x)
        x = x * channel
        spatial = self.spatial(x)
        return x * spatial, spatial, channel


class AttentionResNet18(ResNet18):
    """ResNet-18 with :class:`Attention` after each of its stages.

    Parameters
    ----------
    width, options
        As for :class:`~stmap_pipeline.training.networks.resnet18.ResNet18`.

    Notes
    -----
    The abstract of X. Niu et al., "Robust remote heart rate estimation from face utilizing spatial-temporal attention", FG 2019,
    speaks of a spatial-temporal attention mechanism. Where it sits in the network, and of what it is made, is our choice.

    Examples
    --------
    >>> network = AttentionResNet18()
    >>> _, weights = network.forward_features(torch.zeros(2, 3, 25, 300))
    >>> weights["spatial1"].shape, weights["channel4"].shape
    (torch.Size([2, 1, 13, 75]), torch.Size([2, 512, 1, 1]))
    """

    def __init__(self, *, width: int = 64, **options: Any) -> None:
        super().__init__(width=width, **options)
        self.attention = nn.ModuleList(Attention(one) for one in self.widths)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def apply_attention(self, number: int, x: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Weight the output of a stage, and add the weights to ``weights``."""
        x, weights[f"spatial{number}"], weights[f"channel{number}"] = self.attention[number - 1](x)
        return x

    @torch.no_grad()
    def attention_maps(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weights of each stage, see :meth:`Network.attention_maps`. Call :meth:`eval` before, as for an estimate.

        ``spatial1`` to ``spatial4`` (B, N, T): 0 to 1, resized to the size of the map. ``channel1`` to ``channel4`` (B, channels): 0 to 1.
        """
        (maps,) = self.inputs(batch)
        _, weights = self.forward_features(maps)
        return {
            name: interpolate(one.float(), maps.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
            if name.startswith("spatial")
            else one.float().flatten(1)
            for name, one in weights.items()
        }
