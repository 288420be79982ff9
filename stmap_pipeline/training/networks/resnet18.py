"""ResNet-18 that reads maps: the trunk of the default network, and the network of the ablation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.training.networks.map_network import MapNetwork

#: Stages of two blocks each.
STAGES = 4
# Of the first convolution, over blocks and time. The usual (2, 2) is made for images of 224 x 224: it would leave 7 rows of 25
# blocks before the first stage and one after the last. This leaves 13 and 2, for twice the arithmetic; the weights are the same.
_STEM_STRIDE = (1, 2)
_TRUNK = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
_STEM = "conv1.weight"
# a counter of batches, which files of older torchvision lack; momentum is constant here, so it has no effect
_COUNTER = "num_batches_tracked"


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut.

    Parameters
    ----------
    before, after : int
        Channels.
    stride : int
        Of the first convolution, and of the shortcut.

    Examples
    --------
    >>> BasicBlock(8, 16, stride=2)(torch.zeros(1, 8, 7, 10)).shape
    torch.Size([1, 16, 4, 5])
    """

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """Compute (B, before, H, W) to (B, after, H / stride, W / stride)."""
        inner = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)), inplace=True)))
        return relu(inner + self.downsample(x), inplace=True)


class ResNet18(MapNetwork):
    """ResNet-18 with one output.

    1. Stem: a 7 x 7 convolution and max pooling. Blocks are rows, time runs along the width.
    2. Four stages of two :class:`BasicBlock`, each half as wide in time as the one before, with twice the channels.
    3. Mean over all positions and one linear layer, the head.

    Names and shapes of the trunk's parameters are those of torchvision's ``resnet18``, so that its weights fit, see
    :meth:`load_initial`. The first convolution halves time and keeps all blocks, so that attention has 13 rows after the first stage
    where the usual strides would leave 7.

    Parameters
    ----------
    width : int
        Channels after the first stage: 64 in a ResNet-18. With 16 a step takes a tenth of the time.
    options
        Of :class:`~stmap_pipeline.training.networks.map_network.MapNetwork`.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> network = ResNet18(color="rgb+yuv")
    >>> network(torch.zeros(2, 6, 25, 300)).shape
    torch.Size([2])
    """

    options = ("color", "width")

    def __init__(self, *, width: int = 64, **options: Any) -> None:
        super().__init__(**options)
        self.widths = [width << number for number in range(STAGES)]
        self.conv1 = nn.Conv2d(self.channels, width, 7, _STEM_STRIDE, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = width
        for number, after in enumerate(self.widths, 1):
            stage = nn.Sequential(BasicBlock(before, after, 1 if number == 1 else 2), BasicBlock(after, after))
            self.add_module(f"layer{number}", stage)
            before = after
        self.head = nn.Linear(self.widths[-1], 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # convolutions run 1.3 to 2 times as fast with the channels innermost
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, maps: Tensor) -> Tensor:
        """Estimate the target (B,) of maps (B, C, N, T), in standard units."""
        features, _ = self.forward_features(maps)
        estimates: Tensor = self.head(features)
        return estimates.squeeze(1)

    def forward_features(self, maps: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the features of each window, which the head reads.

        Parameters
        ----------
        maps : (B, C, N, T) tensor

        Returns
        -------
        features : (B, 8 * width) tensor
        weights : dict of tensor
            Of the attention, ``spatial1`` and ``channel1`` to ``spatial4`` and ``channel4``, each at its own size.
        """
        x = maps.contiguous(memory_format=torch.channels_last)
        x = self.maxpool(relu(self.bn1(self.conv1(x)), inplace=True))
        weights: dict[str, Tensor] = {}
        for number in range(1, STAGES + 1):
            x = self.apply_attention(number, self.get_submodule(f"layer{number}")(x), weights)
        return x.mean(dim=(2, 3)), weights

    def apply_attention(self, number: int, x: Tensor, weights: dict[str, Tensor]) -> Tensor:  # noqa: ARG002 - none here
        """Return the output of a stage as it is; a network with attention weights it, and adds the weights to ``weights``."""
        return x

    def load_initial(self, weights: Mapping[str, Tensor]) -> None:
        """Copy the weights of a ResNet-18, of width 64, into the trunk; attention and head stay as they are.

        For six channels the first convolution gets the weights of red, green and blue twice, at half their size, so that the sums
        keep their scale.

        Raises
        ------
        ConfigError
            Where they are another network's, or lack a part of the trunk.

        Examples
        --------
        >>> ResNet18(color="rgb+yuv").load_initial(ResNet18().state_dict())
        """
        loaded = {name: value for name, value in weights.items() if name.startswith(_TRUNK)}
        stem = loaded.get(_STEM)
        if stem is not None and stem.ndim == 4 and stem.shape[1] == 3 < self.channels:
            loaded[_STEM] = stem.repeat(1, self.channels // 3, 1, 1) * (3 / self.channels)
        ours = {name for name in self.state_dict() if name.startswith(_TRUNK) and not name.endswith(_COUNTER)}
        if lacking := sorted(ours - loaded.keys()):
            raise ConfigError(f"these are no weights of a ResNet-18 with torchvision's names: {lacking[0]} is missing")
        super().load_initial({**self.state_dict(), **loaded})
