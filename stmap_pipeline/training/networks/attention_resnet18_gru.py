"""The attention network over windows in a row: a heart rate does not jump from one window to the next."""

from __future__ import annotations

from torch import Tensor, nn

from stmap_pipeline.training.networks.attention_resnet18 import AttentionResNet18
from stmap_pipeline.training.networks.base import NetworkInput

#: Windows in a row.
CONSECUTIVE = 6


class AttentionResNet18Gru(AttentionResNet18):
    """:class:`~.attention_resnet18.AttentionResNet18` whose features of six windows in a row pass one GRU before the head.

    A window alone is a row of one. The loss that keeps neighbors near each other is the trainer's.

    Parameters
    ----------
    shape, resize, width
        As for :class:`~stmap_pipeline.training.networks.resnet18.ResNet18`.
    hidden : int
        Units of the GRU.

    Examples
    --------
    >>> import torch
    >>> network = AttentionResNet18Gru(NetworkInput(channels=3, blocks=25, samples=300))
    >>> network(torch.zeros(1, 6, 3, 25, 300)).shape
    torch.Size([1, 6])
    """

    def __init__(self, shape: NetworkInput, *, resize: tuple[int, int] | None = None, width: int = 64, hidden: int = 256) -> None:
        super().__init__(shape, resize=resize, width=width, consecutive=CONSECUTIVE)
        self.gru = nn.GRU(self.widths[-1], hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Estimate each window of each row; see :meth:`Network.forward`."""
        self.check(maps)
        alone = maps.ndim == 4
        rows = maps[:, None] if alone else maps
        features, _ = self.look(rows.flatten(0, 1))
        states, _ = self.gru(features.view(*rows.shape[:2], -1))
        estimates: Tensor = self.head(states).squeeze(2)
        return estimates.squeeze(1) if alone else estimates
