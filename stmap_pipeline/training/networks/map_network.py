"""Networks that read maps and return one number for each, as in the paper: from block means to maps, and from beats to a heart rate."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from stmap_pipeline.maps.color import channel_names, color_matrix
from stmap_pipeline.maps.normalize import FLAT_GRAY_LEVELS, Normalization
from stmap_pipeline.training.networks.base import Batch, Network, NetworkInput, Rates

#: Networks read values of 0 to 255 as -1 to 1.
HALF_RANGE = 127.5
#: Value where a block was not seen: the middle of the range, which is also what convolutions see beyond the edge of a map.
FILL = 0.0


class MapNetwork(Network):
    """A network that reads maps (B, C, N, T) and returns one number (B,) for each.

    The number is the target in standard units, ``(target - mean) / scale``; mean and scale are those of the training windows and are
    saved with the weights. The loss is the mean absolute error.

    Parameters
    ----------
    shape : NetworkInput
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or two joined by ``+``.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`.
    target : {"beats", "bpm"}
        Whether the target is the number of beats in the window, or the heart rate.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(
        self,
        shape: NetworkInput,
        *,
        color: str = "yuv",
        normalize: Normalization = "minmax",
        target: Literal["beats", "bpm"] = "beats",
    ) -> None:
        super().__init__(shape)
        self.channels = len(channel_names(color))
        self.color, self.normalize, self.target = color, normalize, target
        self.register_buffer("target_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("target_scale", torch.ones((), dtype=torch.float64))

    def fit_target(self, heart_rate_bpm: Tensor, duration_s: Tensor) -> None:
        """Compute mean and scale of the training targets."""
        target = self._target(heart_rate_bpm.double(), duration_s.double())
        self.target_mean.copy_(target.mean())
        scale = target.std(correction=0)
        # where all windows have one heart rate there is no scale
        self.target_scale.copy_(torch.where(scale > 1e-6, scale, 1.0))

    @torch.no_grad()
    def inputs(self, batch: Batch) -> tuple[Tensor]:
        """Return the maps (B, C, N, T) of a batch, see :func:`maps_from_means`."""
        return (maps_from_means(batch.means, self.color, self.normalize),)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the mean absolute error in standard units of the windows that have a label."""
        known = batch.heart_rate_bpm.isfinite()
        target = self._target(batch.heart_rate_bpm[known].double(), batch.duration_s[known].double())
        error = output[known] - ((target - self.target_mean) / self.target_scale).float()
        return error.abs().sum() / max(len(error), 1)

    def rates(self, output: Tensor, batch: Batch) -> Rates:
        """Return heart rates; there is no confidence."""
        target = output.double() * self.target_scale + self.target_mean
        rate_bpm = target if self.target == "bpm" else target * 60 / batch.duration_s.double()
        return Rates(rate_bpm, torch.full_like(rate_bpm, torch.nan))

    def check(self, maps: Tensor) -> None:
        """Raise an error where maps have another size than the network was built for.

        Raises
        ------
        ValueError
            With both sizes.
        """
        ours = (self.channels, *self.shape)
        if maps.ndim != 4 or tuple(maps.shape[1:]) != ours:
            raise ValueError(f"the network reads maps of (channels, blocks, samples) {ours}, not an array {tuple(maps.shape)}")

    def _target(self, heart_rate_bpm: Tensor, duration_s: Tensor) -> Tensor:
        return heart_rate_bpm if self.target == "bpm" else heart_rate_bpm * duration_s / 60


def maps_from_means(means: Tensor, color: str = "yuv", normalize: Normalization = "minmax") -> Tensor:
    """Convert the color space, normalize each row over the window, and scale to the range of a network.

    The arithmetic is that of :mod:`stmap_pipeline.maps.color` and :mod:`stmap_pipeline.maps.normalize`, for a batch.

    Parameters
    ----------
    means : (B, T, N, 3) tensor of float32
        R, G, B in gray levels, NaN where not seen.
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or two joined by ``+``.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`.

    Returns
    -------
    (B, C, N, T) tensor of float32
        ``minmax`` and ``none``: 0 to 255 become -1 to 1. ``zscore``: as it is. :data:`FILL` where not seen.

    Examples
    --------
    >>> means = torch.tensor([10.0, 12.0, float("nan"), 11.0])[None, :, None, None].expand(1, 4, 1, 3)
    >>> maps_from_means(means, "rgb")[0, 0, 0].tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """
    if normalize != "none":
        # float32 has seven digits and the pulse is in the last ones: without the mean of each row they survive the color conversion
        means = means - means.nanmean(dim=1, keepdim=True)
    red, green, blue = means.permute(3, 0, 2, 1)[:, :, None]
    # three products and no matrix product: on a GPU that might be rounded to ten bits
    matrix, offset = (torch.as_tensor(one).to(means) for one in color_matrix(color))
    weight = matrix[:, :, None, None]
    rows = weight[:, 0] * red + weight[:, 1] * green + weight[:, 2] * blue
    seen = rows.isfinite()
    if normalize == "none":
        rows = (rows + offset[:, None, None]) / HALF_RANGE - 1
    else:
        low = rows.masked_fill(~seen, torch.inf).amin(dim=3, keepdim=True)
        span = rows.masked_fill(~seen, -torch.inf).amax(dim=3, keepdim=True) - low
        flat = ~(span > FLAT_GRAY_LEVELS)
        # a flat row is divided by infinity, as in normalize_rows
        if normalize == "minmax":
            rows = (rows - low) * (2 / span.masked_fill(flat, torch.inf)) - 1
        else:
            count = seen.sum(dim=3, keepdim=True).clamp(min=1)
            rows = rows - rows.masked_fill(~seen, 0).sum(dim=3, keepdim=True) / count
            spread = (rows.masked_fill(~seen, 0).square().sum(dim=3, keepdim=True) / count).sqrt()
            rows = rows / spread.masked_fill(flat, torch.inf)
    filled: Tensor = rows.masked_fill(~seen, FILL)
    return filled
