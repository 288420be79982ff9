"""Which series have the same gaps, so that they can share their work: mostly all, as a lost face takes all blocks with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def distinct_columns(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Find the columns of a table that differ.

    Parameters
    ----------
    mask : (T, S) array of bool

    Returns
    -------
    patterns : (T, P) array of bool
        Each column once.
    owner : (S,) array of int
        Column of ``patterns`` that each column is.

    Examples
    --------
    >>> patterns, owner = distinct_columns(np.array([[True, False, True], [True, True, True]]))
    >>> patterns[:, owner].tolist()
    [[True, False, True], [True, True, True]]
    """
    if mask.shape[1] == 0 or mask.shape[0] == 0 or (mask == mask[:, :1]).all():
        return mask[:, :1], np.zeros(mask.shape[1], dtype=np.intp)
    # one opaque value a column: np.unique(axis=1) takes thirty times as long
    packed = np.ascontiguousarray(np.packbits(mask, axis=0).T)
    _, first, owner = np.unique(packed.view(f"V{packed.shape[1]}")[:, 0], return_index=True, return_inverse=True)
    return mask[:, first], owner.reshape(-1)
