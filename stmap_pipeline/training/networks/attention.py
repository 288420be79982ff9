"""Which channels of features, and which blocks at which time, a network looks at."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Weight each channel by what its mean and its maximum over the map say.

    Parameters
    ----------
    channels : int
    reduction : int
        The two-layer network between has ``channels / reduction`` units.

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
        """Give the weights (B, C, 1, 1), 0 to 1, of features (B, C, H, W)."""
        weights: Tensor = torch.sigmoid(self.shared(x.mean(dim=(2, 3))) + self.shared(x.amax(dim=(2, 3))))
        return weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """Weight each position - some blocks during some time - by the mean and the maximum of its channels and of those around it.

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
        """Give the weights (B, 1, H, W), 0 to 1, of features (B, C, H, W)."""
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(summary))


class Attention(nn.Module):
    """Channel attention and then spatial attention.

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
        """Give the weighted features, and the weights of both kinds."""
        channel = self.channel(x)
        x = x * channel
        spatial = self.spatial(x)
        return x * spatial, spatial, channel
