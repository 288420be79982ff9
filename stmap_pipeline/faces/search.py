"""Search a whole image for a face, verify that a known one is still in its place, and detect cuts between shots."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.backend import Detection, FaceBackend, Gray, Points, TrackingStats, detector_box

# Images are first searched halved until their longer side is no more than this, then larger and larger: most faces of the field are
# large, and each halving costs a quarter.
_FIRST_SIDE_PX = 480
# How much smaller than it was a face may be found in the first image that is searched after a loss.
_SHRUNK = 0.8
# Width of the face, and of the image around it in face widths, in a verification. The smallest that the detector sees with some room:
# its next size, 100, costs a third more and finds no more.
_VERIFY_FACE_PX = 84
_VERIFY_AROUND = 1.8
# How far from landmarks, in face widths, a detection may be to verify them.
_VERIFY_DISTANCE = 0.35
# How far from where a face was lost, in face widths, and how much narrower or wider than it a detection may be to be taken for it. The
# detector and the landmarks of one face in one place differ by up to a fifth in width; a head that comes as near as this makes its face
# 1.6 times as wide leaves its seat, and two persons side by side are more than a face width apart.
_SAME_DISTANCE = 1.0
_SAME_WIDTH = (0.6, 1.6)

# Columns of pixels that are compared for cuts, and the change that counts, in gray levels beyond what all pixels share.
_CUT_COLUMNS = 32
_CUT_CHANGE = 16
# Share of changed pixels that makes a cut. Measured: at most 0.08 from frame to frame in real clips of people who talk and move;
# from 0.17 where one drawn person replaces another before an even wall.
_CUT_SHARE = 0.12
# An image of which a third as much changed one frame earlier is one in motion.
_CUT_RATIO = 3.0


def search(gray: Gray, backend: FaceBackend, stats: TrackingStats, lost: Detection | None) -> Detection | None:
    """Find the face to track: the largest, or after a loss the nearest one that may be the face that was lost, if there is any.

    Large faces are searched for first, and where one of them will do, smaller ones are neither searched for nor counted.

    Parameters
    ----------
    gray : (H, W) array of uint8
    backend : FaceBackend
    stats : TrackingStats
        Updated.
    lost : Detection, optional
        Box of the face when it was lost.

    Returns
    -------
    Detection or None
        After a loss it may be another face: see :func:`is_same_face`.
    """
    halvings = max(0, math.ceil(math.log2(max(gray.shape) / _FIRST_SIDE_PX)))
    if lost is not None:
        # a face that is known to be small must not be missed beside a large one
        halvings = min(halvings, int(math.log2(max(1.0, lost.width * _SHRUNK / backend.smallest_face_px))))
    other: Detection | None = None
    for scale in (0.5**halving for halving in range(halvings, -1, -1)):
        part = gray if scale == 1.0 else cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = [one.in_whole(scale, (0.0, 0.0)) for one in backend.detect(part)]
        stats.detector_runs += 1
        stats.most_faces = max(stats.most_faces, len(found))
        if not found:
            continue
        stats.detector_hits += 1
        if lost is None:
            return max(found, key=lambda one: one.width)
        nearest = min(found, key=lambda one: (not is_same_face(lost, one), lost.distance(one)))
        if is_same_face(lost, nearest):
            return nearest
        other = other or nearest
    return other


def is_same_face(lost: Detection, found: Detection) -> bool:
    """Return whether a face may be the one that was lost: no farther than its width from its place, and of about its size.

    Detections do not show whose face it is, so one that fails is another face until shown otherwise.

    Examples
    --------
    >>> lost, beside = Detection(0, 0, 100, 100, 1.0), Detection(90, 0, 190, 100, 1.0)
    >>> is_same_face(lost, beside), is_same_face(lost, Detection(110, 0, 210, 100, 1.0)), is_same_face(lost, Detection(0, 0, 50, 50, 1.0))
    (True, False, False)
    """
    return lost.distance(found) <= _SAME_DISTANCE and _SAME_WIDTH[0] < found.width / lost.width < _SAME_WIDTH[1]


def verify(gray: Gray, backend: FaceBackend, stats: TrackingStats, points: Points) -> Detection | None:
    """Detect a face leniently, in the neighborhood of its landmarks only; None where no detection lies on the landmarks."""
    box = detector_box(points)
    x, y = box.center
    reach = box.width * _VERIFY_AROUND / 2
    left, top = int(max(0, x - reach)), int(max(0, y - reach))
    part = gray[top : int(max(0, y + reach)), left : int(max(0, x + reach))]
    scale = _VERIFY_FACE_PX / box.width
    if min(part.shape) * scale < backend.smallest_face_px:
        return None
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    stats.detector_runs += 1
    for one in backend.detect(small, lenient=True):
        found = one.in_whole(scale, (left, top))
        if box.distance(found) < _VERIFY_DISTANCE and _SAME_WIDTH[0] < found.width / box.width < _SAME_WIDTH[1]:
            stats.detector_hits += 1
            return found
    return None


class CutDetector:
    """Detector of cuts, after which the face in the same place may be another person's: compares each image with the one before.

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
        self._images, self._levels = 0, 0.0

    @property
    def mean_level(self) -> float:
        """Mean gray level of all images so far; NaN before the first."""
        return self._levels / self._images if self._images else math.nan

    def is_cut(self, gray: Gray) -> bool:
        """Return whether an image belongs to another shot than the one before."""
        step = max(1, gray.shape[1] // _CUT_COLUMNS)
        now = gray[step // 2 :: step, step // 2 :: step].copy()
        self._images, self._levels = self._images + 1, self._levels + float(now.mean())
        before, self._before = self._before, now
        if before is None or before.shape != now.shape:
            return False
        share = _changed_share(cv2.absdiff(now, before))
        if share > _CUT_SHARE:
            # light that is switched or flickers changes all pixels: no cut
            change = now.astype(np.int16) - before
            share = _changed_share(np.abs(change - np.int16(np.median(change))))
        last, self._share = self._share, share
        return share > max(_CUT_SHARE, _CUT_RATIO * last)


def _changed_share(change: npt.NDArray[np.integer[Any]]) -> float:
    return float(np.count_nonzero(change > _CUT_CHANGE)) / change.size
