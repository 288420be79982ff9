"""Find out how an image must be turned for faces to stand upright: a phone may record sideways without noting it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import cv2
import numpy as np

from stmap_pipeline.faces.backend import FaceBackend, Gray

# images are searched halved until their longer side is no more than this
_SIDE_PX = 640


def find_turn(images: Iterable[Gray], backend: FaceBackend) -> int | None:
    """Return the counterclockwise quarter turns after which faces are found in most images.

    Parameters
    ----------
    images : iterable of (H, W) arrays of uint8
        A few of a video.
    backend : FaceBackend

    Returns
    -------
    int or None
        1, 2 or 3; None where no turn shows a face in two images (in one, where there is only one).
    """
    hits: Counter[int] = Counter()
    count = 0
    for gray in images:
        count += 1
        small = gray
        while max(small.shape) > _SIDE_PX:
            small = cv2.resize(small, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        hits.update(turns for turns in (1, 2, 3) if backend.detect(np.ascontiguousarray(np.rot90(small, turns))))
    best = max((1, 3, 2), key=lambda turns: hits[turns])
    return best if hits[best] >= min(2, count) > 0 else None
