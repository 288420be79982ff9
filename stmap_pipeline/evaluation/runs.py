"""Stretches of known samples between gaps: no filter may reach across a gap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def known_runs(known: npt.NDArray[np.bool_]) -> list[slice]:
    """List the longest stretches in which all samples are known.

    Examples
    --------
    >>> known_runs(np.array([False, True, True, False, True]))
    [slice(1, 3, None), slice(4, 5, None)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(known, dtype=np.int8), [0]))))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
