"""Look for a face in a whole picture, or check that a known one is still where it is thought to be."""

from __future__ import annotations

import math

import cv2
import numpy as np

from stmap_pipeline.faces.base import Detection, FaceBackend, Gray, Points, TrackingStats
from stmap_pipeline.faces.geometry import detector_box

# Pictures are first searched halved until their longer side is no more than this, then larger and larger: most faces of the field are
# large, and each halving costs a quarter.
_FIRST_SIDE_PX = 480
# How much smaller than it was a face may have become while it was away.
_SHRUNK = 0.8
# Width of the face, and of the picture around it in face widths, in a check. The smallest that the detector sees with some room: its
# next size, 100, costs a third more and finds no more.
_CHECK_FACE_PX = 84
_CHECK_AROUND = 1.8


def search(gray: Gray, backend: FaceBackend, stats: TrackingStats, near: Points | None) -> Detection | None:
    """Find the face to follow: the largest, or the one nearest to where the face was last seen.

    Large faces are sought first, and where some are found, smaller ones are neither sought nor counted.

    Parameters
    ----------
    gray : (H, W) array of uint8
    backend : FaceBackend
    stats : TrackingStats
        Counted up.
    near : (68, 2) array, optional
        Landmarks when the face was last seen.
    """
    halvings = max(0, math.ceil(math.log2(max(gray.shape) / _FIRST_SIDE_PX)))
    if near is not None:
        # a face that is known to be small must not lose its place to a large one
        halvings = min(halvings, int(math.log2(max(1.0, detector_box(near).width * _SHRUNK / backend.smallest_face_px))))
    for scale in (0.5**halving for halving in range(halvings, -1, -1)):
        part = gray if scale == 1.0 else cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = [one.moved(scale, (0.0, 0.0)) for one in backend.detect(part)]
        stats.detector_runs += 1
        stats.most_faces = max(stats.most_faces, len(found))
        if found:
            stats.detector_hits += 1
            if near is None:
                return max(found, key=lambda one: one.width)
            box = detector_box(near)
            return min(found, key=lambda one: np.hypot(one.center[0] - box.center[0], one.center[1] - box.center[1]) / box.width)
    return None


def check(gray: Gray, backend: FaceBackend, stats: TrackingStats, points: Points) -> Detection | None:
    """Detect the face in the neighborhood of its landmarks only, leniently; None where there is none.

    A detection counts only where it lies on the landmarks: its center within 0.35 and its width within 0.6 to 1.6 of theirs.
    """
    box = detector_box(points)
    x, y = box.center
    reach = box.width * _CHECK_AROUND / 2
    left, top = int(max(0, x - reach)), int(max(0, y - reach))
    part = gray[top : int(max(0, y + reach)), left : int(max(0, x + reach))]
    scale = _CHECK_FACE_PX / box.width
    if min(part.shape) * scale < backend.smallest_face_px:
        return None
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    stats.detector_runs += 1
    for one in backend.detect(small, lenient=True):
        found = one.moved(scale, (left, top))
        distance = np.hypot(found.center[0] - x, found.center[1] - y) / box.width
        if distance < 0.35 and 0.6 < found.width / box.width < 1.6:
            stats.detector_hits += 1
            return found
    return None
