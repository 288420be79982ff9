"""Notice a cut: after it the face in the same place may be another person's, and faces alone look too much alike to tell."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.base import Gray

# Columns of pixels that are compared, and the change of one that counts, in gray levels beyond what all pixels share.
_COLUMNS = 32
_CHANGED = 16
# Share of changed pixels that makes a cut. Measured: at most 0.08 from frame to frame in real clips of people who talk and move;
# from 0.17 where one drawn person replaces another before an even wall.
_SHARE = 0.12
# A picture that changes as much in each frame is one in motion.
_SUDDEN = 3.0


class CutDetector:
    """Compares each picture with the last one, on a coarse lattice of its pixels.

    Examples
    --------
    >>> cuts = CutDetector()
    >>> scenes = np.random.default_rng(1).integers(0, 255, (2, 90, 120), dtype=np.uint8)
    >>> [cuts.is_cut(scenes[index]) for index in (0, 0, 0, 1, 1)]
    [False, False, False, True, False]
    """

    def __init__(self) -> None:
        self._before: Gray | None = None
        self._share = 0.0

    def is_cut(self, gray: Gray) -> bool:
        """Take in the next picture and say whether it belongs to another shot than the last one."""
        step = max(1, gray.shape[1] // _COLUMNS)
        now = gray[step // 2 :: step, step // 2 :: step].copy()
        before, self._before = self._before, now
        if before is None or before.shape != now.shape:
            return False
        share = _changed(cv2.absdiff(now, before))
        if share > _SHARE:
            # light that is switched or flickers changes all pixels: no cut
            change = now.astype(np.int16) - before
            share = _changed(np.abs(change - np.int16(np.median(change))))
        last, self._share = self._share, share
        return share > max(_SHARE, _SUDDEN * last)


def _changed(change: npt.NDArray[np.integer[Any]]) -> float:
    return float(np.count_nonzero(change > _CHANGED)) / change.size
