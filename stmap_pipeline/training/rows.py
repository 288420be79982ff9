"""From cut means to what a network reads: color, masking, normalization and scale, for a batch of windows at once.

The arithmetic is that of :mod:`stmap_pipeline.maps.color` and :mod:`stmap_pipeline.maps.normalize`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stmap_pipeline.maps.normalize import FLAT_GRAY_LEVELS, Normalization

#: Networks read maps of 0 to 255 as -1 to 1.
HALF_RANGE = 127.5
#: What a network reads where a block was not seen: the middle of the range, which is also what convolutions see beyond the edge.
FILL = 0.0


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """Hide a stretch of frames in some of the maps, as if the face had been lost there.

    Parameters
    ----------
    shortest, longest : int
        Frames of the stretch, both included.
    share : float
        Share of the maps, 0 to 1.

    Raises
    ------
    ValueError
        Where the numbers are out of range.

    Examples
    --------
    >>> MaskOptions(10, 30).share
    0.5
    """

    shortest: int = 10
    longest: int = 30
    share: float = 0.5

    def __post_init__(self) -> None:
        if not (1 <= self.shortest <= self.longest and 0 <= self.share <= 1):
            raise ValueError(f"a mask hides 1 frame or more in a share of 0 to 1 of the maps, not {self}")


def hide_frames(means: Tensor, mask: MaskOptions, generator: torch.Generator | None = None) -> Tensor:
    """Hide frames at random; what is hidden counts for nothing in the normalization, as where a face was lost.

    Parameters
    ----------
    means : (B, T, N, 3) tensor
    mask : MaskOptions
    generator : torch.Generator, optional
        On the CPU; torch's own where none is given.

    Returns
    -------
    (B, T, N, 3) tensor
        NaN where hidden.

    Examples
    --------
    >>> hidden = hide_frames(torch.zeros(100, 60, 4, 3), MaskOptions(10, 10, share=1.0)).isnan().all(dim=(2, 3)).sum(dim=1)
    >>> hidden.unique().tolist()
    [10]
    """
    batch, samples = means.shape[:2]
    # on the CPU, so that a seed means the same on each device
    chosen, length, place = torch.rand(3, batch, generator=generator, dtype=torch.float64)
    frames = (mask.shortest + (length * (mask.longest - mask.shortest + 1)).floor()).clamp(max=samples)
    first = (place * (samples - frames + 1)).floor()
    stop = torch.where(chosen < mask.share, first + frames, first)
    at, bounds = torch.arange(samples, device=means.device), torch.stack([first, stop]).to(means.device)
    hidden = (at >= bounds[0][:, None]) & (at < bounds[1][:, None])
    return means.masked_fill(hidden[:, :, None, None], torch.nan)


def network_rows(means: Tensor, matrix: Tensor, offset: Tensor, normalize: Normalization) -> Tensor:
    """Change color, normalize each row over the window, and bring the result to the scale of a network.

    Parameters
    ----------
    means : (B, T, N, 3) tensor of float32
        R, G, B in gray levels, NaN where not seen.
    matrix, offset : (C, 3) and (C,) tensor
        See :func:`stmap_pipeline.maps.color.color_matrix`.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`.

    Returns
    -------
    (B, C, N, T) tensor of float32
        ``minmax`` and ``none``: 0 to 255 become -1 to 1. ``zscore``: as it is. :data:`FILL` where not seen.

    Examples
    --------
    >>> means = torch.tensor([10.0, 12.0, float("nan"), 11.0])[None, :, None, None].expand(1, 4, 1, 3)
    >>> network_rows(means, torch.eye(3), torch.zeros(3), "minmax")[0, 0, 0].tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """
    red, green, blue = means.permute(3, 0, 2, 1)[:, :, None]
    # three products and no matrix product: on a GPU that might be rounded to ten bits
    weight = matrix.to(means)[:, :, None, None]
    rows = weight[:, 0] * red + weight[:, 1] * green + weight[:, 2] * blue
    seen = rows.isfinite()
    if normalize == "none":
        rows = (rows + offset.to(means)[:, None, None]) / HALF_RANGE - 1
    elif normalize == "minmax":
        low = rows.masked_fill(~seen, torch.inf).amin(dim=3, keepdim=True)
        span = rows.masked_fill(~seen, -torch.inf).amax(dim=3, keepdim=True) - low
        # a flat row is divided by infinity, as in normalize_rows
        rows = (rows - low) * (2 / span.masked_fill(~(span > FLAT_GRAY_LEVELS), torch.inf)) - 1
    else:
        count = seen.sum(dim=3, keepdim=True).clamp(min=1)
        known = rows.masked_fill(~seen, 0)
        flat = ~(
            rows.masked_fill(~seen, -torch.inf).amax(3, True) - rows.masked_fill(~seen, torch.inf).amin(3, True) > FLAT_GRAY_LEVELS
        )
        rows = rows - known.sum(dim=3, keepdim=True) / count
        spread = (rows.masked_fill(~seen, 0).square().sum(dim=3, keepdim=True) / count).sqrt()
        rows = rows / spread.masked_fill(flat, torch.inf)
    filled: Tensor = rows.masked_fill(~seen, FILL)
    return filled


def network_input(values: npt.ArrayLike, normalize: Normalization) -> Tensor:
    """Bring one finished map to the scale of a network: what :class:`~stmap_pipeline.training.dataset.TrainingSet` gives of it.

    Parameters
    ----------
    values : (N, T, C) array of float
        Values of a :class:`~stmap_pipeline.records.STMap`.
    normalize : {"minmax", "zscore", "none"}
        How it was normalized.

    Returns
    -------
    (C, N, T) tensor of float32

    Examples
    --------
    >>> network_input([[[0.0], [255.0], [float("nan")]]], "minmax").tolist()
    [[[-1.0, 1.0, 0.0]]]
    """
    rows = np.asarray(values, dtype=np.float64).transpose(2, 0, 1)
    if normalize != "zscore":
        rows = rows / HALF_RANGE - 1
    return torch.as_tensor(np.where(np.isfinite(rows), rows, FILL), dtype=torch.float32)
