"""Maps of a whole batch of windows at once, on any device: the arithmetic of :mod:`stmap_pipeline.maps` in torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stmap_pipeline.maps.color import color_matrix
from stmap_pipeline.maps.normalize import FLAT_GRAY_LEVELS, Normalization


@torch.no_grad()
def maps_from_means(means: Tensor, color: str = "yuv", normalize: Normalization = "minmax", fill: float | None = None) -> Tensor:
    """Convert block means to another color space, normalize each row over its window, and fill what was not seen.

    Equal to :func:`stmap_pipeline.maps.stmap_from_means` within 0.01 % of the range. A flat row is 0.

    Parameters
    ----------
    means : (B, T, N, 3) tensor of float32
        R, G, B in gray levels, NaN where not seen.
    color : str
        A color space of :mod:`stmap_pipeline.maps.color`, or several joined by ``+``.
    normalize : {"minmax", "zscore", "none"}
        See :func:`stmap_pipeline.maps.normalize.normalize_rows`: 0 to 255, mean 0 and standard deviation 1, or gray levels.
    fill : float, optional
        Value of what was not seen; NaN keeps it unknown. Without it the middle of the range: 127.5 for ``minmax``, otherwise 0.

    Returns
    -------
    (B, C, N, T) tensor of float32

    Raises
    ------
    UnknownNameError
        Where the color space is unknown.
    ValueError
        Where the normalization is unknown.

    Examples
    --------
    >>> means = torch.tensor([10.0, 12.0, float("nan"), 11.0])[None, :, None, None].expand(1, 4, 1, 3)
    >>> maps_from_means(means, "rgb")[0, 0, 0].tolist()
    [0.0, 255.0, 127.5, 127.5]
    """
    if normalize not in ("minmax", "zscore", "none"):
        raise ValueError(f"no normalization is called {normalize!r}; use one of none, minmax, zscore")
    # (C, 1, 1, 3) and (C, 1, 1)
    matrix, offset = (torch.as_tensor(one).to(means)[:, None, None] for one in color_matrix(color))
    # time innermost: everything below runs along it
    series = means.permute(0, 3, 2, 1).clone(memory_format=torch.contiguous_format)
    # float32 has seven digits and the pulse is in the last ones: without the mean of each row they survive the color conversion
    # on a CPU most batches turn out to be known throughout, and need no mask; on a GPU to look would take longer than to mask
    whole = not series.is_cuda and bool(series.sum().isfinite())
    level = series.mean(dim=3, keepdim=True) if whole else series.nanmean(dim=3, keepdim=True)
    series -= level
    # three products and no matrix product: on a GPU, and under autocast, that might be rounded to ten bits
    weight = matrix.unbind(3)
    rows = weight[0] * series[:, None, 0]
    rows.addcmul_(weight[1], series[:, None, 1]).addcmul_(weight[2], series[:, None, 2])
    seen = None if whole else rows.isfinite()
    if normalize == "none":
        rows += (weight[0] * level[:, None, 0] + weight[1] * level[:, None, 1] + weight[2] * level[:, None, 2]) + offset
    else:
        low = _where(seen, rows, math.inf).amin(dim=3, keepdim=True)
        span = _where(seen, rows, -math.inf).amax(dim=3, keepdim=True) - low
        # a flat row is divided by infinity: 0 where it was seen
        flat = ~(span > FLAT_GRAY_LEVELS)
        if normalize == "minmax":
            rows -= low
            rows *= 255.0 / span.masked_fill(flat, math.inf)
        else:
            count = rows.shape[3] if seen is None else seen.sum(dim=3, keepdim=True).clamp(min=1)
            rows -= _where(seen, rows, 0.0).sum(dim=3, keepdim=True) / count
            spread = (_where(seen, rows, 0.0).square().sum(dim=3, keepdim=True) / count).sqrt()
            rows /= spread.masked_fill(flat, math.inf)
    if fill is None:
        fill = 127.5 if normalize == "minmax" else 0.0
    return _where(seen, rows, fill)


def _where(seen: Tensor | None, rows: Tensor, otherwise: float) -> Tensor:
    return rows if seen is None else rows.masked_fill(~seen, otherwise)
