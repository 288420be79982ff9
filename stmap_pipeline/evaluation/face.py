"""One color per frame for the whole face: what the classical methods read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import BlockTrace


def face_mean(blocks: BlockTrace) -> npt.NDArray[np.float64]:
    """Average the blocks of each frame, weighted by their coverage.

    A block that is out of sight for some frames is left out there, and its own level with it: the others do not shift the
    mean, so no step is made that a spectrum would show. Where all blocks are seen, the result is the plain weighted mean.

    Parameters
    ----------
    blocks : BlockTrace

    Returns
    -------
    (T, 3) array of float64
        R, G, B in gray levels; NaN in frames without a face.

    Examples
    --------
    >>> from stmap_pipeline.records import RoiGrid
    >>> means = np.array([[[10, 20, 30], [30, 40, 50]], [[11, 20, 30], [np.nan] * 3], [[np.nan] * 3] * 2], dtype=np.float32)
    >>> coverage = np.isfinite(means[:, :, 0]).astype(np.float32)
    >>> face_mean(BlockTrace(np.arange(3.0), means, coverage, RoiGrid(1, 2))).tolist()
    [[20.0, 30.0, 40.0], [20.75, 30.0, 40.0], [nan, nan, nan]]
    """
    means = blocks.means.astype(np.float64)
    seen = np.isfinite(means).all(axis=2) & (blocks.coverage > 0)
    weight = np.where(seen, blocks.coverage, 0.0).astype(np.float64)
    values = np.where(seen[:, :, None], means, 0.0)

    frames_seen, per_block = seen.sum(axis=0), weight.sum(axis=0)
    # a block nobody saw has no level: its weight is 0 wherever the level is used
    usual_weight = per_block / np.maximum(frames_seen, 1)
    level = np.einsum("tn,tnc->nc", weight, values) / np.where(per_block > 0, per_block, 1.0)[:, None]
    per_frame = weight.sum(axis=1)
    if not per_frame.any():
        return np.full((len(means), 3), np.nan)
    face_level = usual_weight @ level / usual_weight.sum()
    deviation = np.einsum("tn,tnc->tc", weight, values) - weight @ level
    return np.asarray(face_level + deviation / np.where(per_frame > 0, per_frame, np.nan)[:, None])
