"""Networks that read maps and return one number for each, as in the paper: from block means to maps, and from beats to a heart rate."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.torch import Batch, maps_from_means
from stmap_pipeline.training.networks.base import Network, Rates


class MapNetwork(Network):
    """A network that reads maps (B, C, N, T) and returns one number (B,) for each.

    The number is the beats in the window in standard units, ``(beats - mean) / scale``; mean and scale are those of the training windows
    and are saved with the weights. The loss is the mean absolute error.

    Parameters
    ----------
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or two joined by ``+``.
    """

    options: ClassVar[tuple[str, ...]] = ("color",)
    beats_mean: Tensor
    beats_scale: Tensor

    def __init__(self, *, color: str = "yuv") -> None:
        super().__init__()
        self.color, self.channels = color, len(channel_names(color))
        self.register_buffer("beats_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("beats_scale", torch.ones((), dtype=torch.float64))

    def fit_target(self, heart_rate_bpm: Tensor, duration_s: Tensor) -> None:
        """Compute mean and scale of the beats in the training windows."""
        beats = heart_rate_bpm.double() * duration_s.double() / 60
        self.beats_mean.copy_(beats.mean())
        scale = beats.std(correction=0)
        # where all windows have one heart rate there is no scale
        self.beats_scale.copy_(torch.where(scale > 1e-6, scale, 1.0))

    @torch.no_grad()
    def inputs(self, batch: Batch) -> tuple[Tensor]:
        """Return the maps (B, C, N, T) of a batch, from -1 to 1 in each row over the window, and 0 where nothing was seen.

        The middle of the range is also what convolutions see beyond the edge of a map. A row on which nothing moves is -1.
        """
        return (maps_from_means(batch.means, self.color).div_(127.5).sub_(1),)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the mean absolute error in standard units of the windows that have a label."""
        known = batch.heart_rate_bpm.isfinite()
        beats = batch.heart_rate_bpm[known].double() * batch.duration_s[known].double() / 60
        error = output[known] - ((beats - self.beats_mean) / self.beats_scale).float()
        return error.abs().sum() / max(len(error), 1)

    def rates(self, output: Tensor, batch: Batch) -> Rates:
        """Return heart rates; there is no confidence."""
        rate_bpm = (output.double() * self.beats_scale + self.beats_mean) * 60 / batch.duration_s.double()
        return Rates(rate_bpm, torch.full_like(rate_bpm, torch.nan))
