"""Track one face: template alignment in every frame, the landmark model every few seconds, the detector only to find and verify.

``landmarks(t) = pose(t) applied to shape(t)``: the template gives the pose to a hundredth of a pixel (:mod:`.template`), the landmark
model the shape, averaged over seconds (:mod:`.smoothing`). Optical flow helps where a head moves too fast for the template, the
detector where neither is certain (:mod:`.search`).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces.backend import (
    STEADY,
    Detection,
    FaceBackend,
    Gray,
    Points,
    TrackedFrame,
    TrackingStats,
    detector_box,
    inter_ocular_px,
)
from stmap_pipeline.faces.per_frame import detect_each_frame
from stmap_pipeline.faces.pose import IDENTITY, Pose, Similarity, fit_similarity
from stmap_pipeline.faces.search import CutDetector, is_same_face, search, verify
from stmap_pipeline.faces.smoothing import LandmarkSmoother, LookaheadBuffer
from stmap_pipeline.faces.template import Alignment, FaceTemplate, Patch
from stmap_pipeline.video import Frame, Image

# Correlation with the template below which the detector verifies the face at once, and below which, if it finds none, the face is lost.
_DOUBTFUL_CORRELATION = 0.75
_LOST_CORRELATION = 0.55
# Time after which a face that the detector does not verify and that has become doubtful is lost.
_PATIENCE_S = 0.2
# Memory for updates of lids, lips and chin, which move on their own.
_LOOSE_MEMORY_S = 1.0
# Time between two correlations of the frame with the template.
_CORRELATE_EVERY_S = 0.15
# Time after a face was found in which the landmark model runs more often, and how often.
_SETTLING_S = 1.0
_SETTLING_EVERY_S = 0.1
# Median distance of the model's landmarks from the tracked ones, in inter-ocular distances, that cannot be jitter: the template drifted.
_DRIFTED = 0.15
# Time for which another face must be found, in each search, until it is tracked instead of the one that was lost: longer than somebody who
# passes by stays in the image, and half a window of 10 s.
_OTHER_FACE_S = 5.0
# How far from the prediction a face may be found without its part of the image being cut out anew.
_CROP_MARGIN_PX = 4

# Optical flow: faces wider than this are tracked on an image of half the size.
_FLOW_LARGE_FACE_PX = 160.0
_FLOW_WINDOW = (15, 15)
_FLOW_LEVELS = 3
# Share of points that must be tracked by optical flow; below it the face has not moved but vanished.
_FLOW_MIN_TRACKED = 0.5


def track(
    frames: Iterable[Frame], config: FacesConfig, backend: FaceBackend, stats: TrackingStats | None = None
) -> Iterator[TrackedFrame]:
    """Track one face through the frames of a recording.

    Each frame is yielded once and in order, later by up to half of the smoothing, with the part of the image around the face; memory
    does not grow with the number of frames.

    Parameters
    ----------
    frames : iterable of Frame
    config : FacesConfig
    backend : FaceBackend
    stats : TrackingStats, optional
        Updated while the frames pass.

    Yields
    ------
    TrackedFrame
        With ``points_px`` None where there is no face. Landmarks are rounded to the steps in which they are stored.
    """
    stats = stats if stats is not None else TrackingStats()
    if config.mode == "per-frame":
        return detect_each_frame(frames, config, backend, stats)
    return _Tracker(config, backend, stats).run(frames)


@dataclass(slots=True)
class _Face:
    """The face that is tracked, and when the model, the template and the detector look at it next."""

    template: FaceTemplate
    smoother: LandmarkSmoother
    pose: Pose
    velocity: Similarity
    before: Gray
    part: Image
    score: float
    next_landmarks_s: float
    settled_s: float
    next_verification_s: float
    next_correlation_s: float
    certain_index: int
    certain_s: float

    @property
    def points(self) -> Points:
        """Landmarks in the last frame, not smoothed."""
        return self.pose.project(self.smoother.latest, self.smoother.depths)


class _Tracker:
    def __init__(self, config: FacesConfig, backend: FaceBackend, stats: TrackingStats) -> None:
        self._config, self._backend, self._stats = config, backend, stats
        self._buffer = LookaheadBuffer(config.smoothing_s / 2)
        # the points that place the blocks are corrected slowly; no block depends on the others
        self._memory_s = np.full((68, 1), min(config.memory_s, _LOOSE_MEMORY_S))
        self._memory_s[STEADY] = config.memory_s
        self._cuts = CutDetector()
        self._face: _Face | None = None
        # box of the face when it was found first, box when it was lost, and another face found since: where first, and when
        self._home: Detection | None = None
        self._lost: Detection | None = None
        self._other: tuple[Detection, float] | None = None
        self._next_search_s = -math.inf

    def run(self, frames: Iterable[Frame]) -> Iterator[TrackedFrame]:
        for frame in frames:
            is_cut = self._cuts.is_cut(frame.image.gray)
            self._stats.cuts += is_cut
            if self._face is not None:
                self._follow(self._face, frame, is_cut)
            if self._face is None and frame.time_s >= self._next_search_s:
                self._search(frame)
            face = self._face
            if face is None:
                self._buffer.add_lost(frame)
                self._stats.other_face_frames += self._other is not None
            else:
                self._buffer.add(frame, face.pose, face.score, face.smoother, face.part)
            yield from self._buffer.pop_ready(frame.time_s)
        if self._face is not None:
            self._face.smoother.closed = True
        self._stats.image_level = round(self._cuts.mean_level, 3)
        yield from self._buffer.pop_ready()

    def _search(self, frame: Frame) -> None:
        gray = frame.image.gray
        self._next_search_s = frame.time_s + self._config.search_every_s
        found = search(gray, self._backend, self._stats, self._lost)
        if found is None:
            self._other = None
            return
        if self._lost is not None and not is_same_face(self._lost, found):
            if self._other is None or not is_same_face(self._other[0], found):
                self._other = found, frame.time_s
            # somebody who passed by in front may have taken tracking along, and the subject still sits in the first place
            is_home = self._home is not None and is_same_face(self._home, found)
            if not is_home and frame.time_s - self._other[1] < _OTHER_FACE_S:
                return
            self._stats.face_changes += 1
            self._home = found
        self._home = self._home or found
        rough = self._backend.landmarks(gray, found)
        points = self._backend.landmarks(gray, detector_box(rough))
        self._stats.landmark_runs += 2
        self._stats.times_found += 1
        self._face = self._start(frame, points, found.score)

    def _start(self, frame: Frame, points: Points, score: float) -> _Face:
        gray, now_s = frame.image.gray, frame.time_s
        template = FaceTemplate(gray, points, now_s)
        smoother = LandmarkSmoother(template.shape, template.depths, self._config.smoothing_s / 2, self._memory_s)
        smoother.update(now_s, template.shape)
        self._other = None
        return _Face(
            template,
            smoother,
            template.pose,
            IDENTITY,
            gray,
            _crop(frame.image, smoother, template.pose.similarity),
            score,
            next_landmarks_s=now_s,
            settled_s=now_s + _SETTLING_S,
            next_verification_s=now_s + self._config.check_every_s,
            next_correlation_s=now_s + _CORRELATE_EVERY_S,
            certain_index=frame.index,
            certain_s=now_s,
        )

    def _follow(self, face: _Face, frame: Frame, is_cut: bool) -> None:
        gray, now_s = frame.image.gray, frame.time_s
        # after a cut another person's face may be similar enough for the alignment to converge on it
        aligned = None if is_cut else self._align(face, frame.image)
        if aligned is None:
            # blur, a jerk or a cut: where there is a face in its place, tracking restarts on it
            found = verify(gray, self._backend, self._stats, face.points)
            if found is None:
                self._lose(face)
            else:
                self._restart(face, frame, found)
            return
        if not _is_inside(aligned.pose.similarity, face.template, face.smoother, gray):
            self._lose(face)
            return
        face.velocity = aligned.pose.similarity.after(face.pose.similarity.inverse())
        face.pose, face.before = aligned.pose, gray
        drifted = now_s >= face.next_landmarks_s and self._update_shape(face, frame)
        if now_s < face.next_correlation_s and not drifted:
            return
        face.next_correlation_s = now_s + _CORRELATE_EVERY_S
        patch = face.template.warp(aligned)
        correlation = face.template.correlation(patch)
        doubtful = correlation < _DOUBTFUL_CORRELATION or drifted
        if not doubtful:
            face.certain_index, face.certain_s = frame.index, now_s
            face.template.update(aligned, patch, now_s)
        if doubtful or now_s >= face.next_verification_s:
            self._verify(face, frame, aligned, patch, correlation, drifted)

    def _align(self, face: _Face, image: Image) -> Alignment | None:
        """Align the frame with the template from the predicted pose, and from optical flow where that does not converge."""
        if face.before.shape != image.gray.shape:
            return None
        # predicted at constant velocity: a good prediction saves the second step
        guess = face.velocity.after(face.pose.similarity)
        # everything after this reads the copy: the whole image is not in the processor's cache
        face.part = _crop(image, face.smoother, guess)
        pose, origin = face.pose._replace(similarity=guess), complex(*face.part.origin_px)
        aligned = face.template.align(face.part.gray, pose, origin)
        if not aligned.converged:
            aligned = face.template.align(face.part.gray, pose, origin, all_pixels=True)
        if not aligned.converged:
            moved = optical_flow(face.before, image.gray, face.points)
            if moved is None:
                return None
            pose = face.pose._replace(similarity=moved.after(face.pose.similarity))
            aligned = face.template.align(image.gray, pose, all_pixels=True)
            if not aligned.converged:
                return None
        center = face.template.center
        if abs(aligned.pose.similarity.apply_to_point(center) - guess.apply_to_point(center)) > _CROP_MARGIN_PX:
            face.part = _crop(image, face.smoother, aligned.pose.similarity)
        return aligned

    def _update_shape(self, face: _Face, frame: Frame) -> bool:
        """Update the shape by the landmark model; return whether the template has drifted off the face."""
        every_s = self._config.landmark_every_s
        # one run of the model is off by half a pixel and more, so at first the face is placed by several
        face.next_landmarks_s = frame.time_s + (every_s if frame.time_s >= face.settled_s else min(every_s, _SETTLING_EVERY_S))
        points = face.points
        (x, y), box = face.part.origin_px, detector_box(points)
        found = self._backend.landmarks(face.part.gray, box.in_whole(1.0, (-x, -y))) + np.array([x, y])
        self._stats.landmark_runs += 1
        face.smoother.update(frame.time_s, face.pose.unproject(found, face.smoother.depths))
        return float(np.median(np.hypot(*(found - points).T))) > _DRIFTED * inter_ocular_px(points)

    def _verify(self, face: _Face, frame: Frame, aligned: Alignment, patch: Patch, correlation: float, drifted: bool) -> None:
        gray, now_s = frame.image.gray, frame.time_s
        face.next_verification_s = now_s + self._config.check_every_s
        found = verify(gray, self._backend, self._stats, face.points)
        if found is not None and drifted:
            # the face is there, but the template is not on it
            self._restart(face, frame, found)
        elif found is not None:
            face.score = found.score
            face.certain_index, face.certain_s = frame.index, now_s
            if correlation < _DOUBTFUL_CORRELATION:
                face.template.update(aligned, patch, now_s, replace=True)
        elif correlation < _LOST_CORRELATION or now_s - face.certain_s > _PATIENCE_S:
            self._lose(face)

    def _restart(self, face: _Face, frame: Frame, found: Detection) -> None:
        face.smoother.closed = True
        self._stats.landmark_runs += 1
        self._stats.restarts += 1
        self._face = self._start(frame, self._backend.landmarks(frame.image.gray, found), found.score)

    def _lose(self, face: _Face) -> None:
        self._buffer.invalidate(face.certain_index + 1)
        face.smoother.closed = True
        self._lost, self._face = detector_box(face.points), None
        self._stats.times_lost += 1
        # it may be back in the very next frame
        self._next_search_s = -math.inf


def _crop(image: Image, smoother: LandmarkSmoother, similarity: Similarity) -> Image:
    """Copy the part of an image around the face."""
    corners = [similarity.apply_to_point(corner) for corner in smoother.crop_corners]
    across, down = [one.real for one in corners], [one.imag for one in corners]
    return image.crop(
        int(min(across) - _CROP_MARGIN_PX),
        int(min(down) - _CROP_MARGIN_PX),
        int(max(across) + _CROP_MARGIN_PX),
        int(max(down) + _CROP_MARGIN_PX),
    )


def _is_inside(similarity: Similarity, template: FaceTemplate, smoother: LandmarkSmoother, gray: Gray) -> bool:
    """Return whether most of the face is still in the image."""
    height, width = gray.shape
    corners = [similarity.apply_to_point(corner) for corner in template.corners]
    if all(0 <= one.real < width and 0 <= one.imag < height for one in corners):
        return True
    points = similarity.apply(smoother.latest)
    inside = (points[:, 0] >= 0) & (points[:, 0] < width) & (points[:, 1] >= 0) & (points[:, 1] < height)
    return bool(inside.mean() > 0.6)


def optical_flow(before: Gray, after: Gray, points: Points) -> Similarity | None:
    """Estimate the motion of a face by sparse optical flow (Lucas and Kanade, pyramidal).

    It reaches farther than aligning with the template and is less exact.

    Parameters
    ----------
    before, after : (H, W) array of uint8
        Two successive images of one size.
    points : (K, 2) array
        Landmarks in pixels of ``before``.

    Returns
    -------
    Similarity or None
        The motion that most points share; None where too few could be tracked.
    """
    height, width = before.shape
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    margin = 0.35 * size + 8
    # multiples of 8 keep the halved image aligned with the full one
    left, top = (int(max(0, value - margin)) // 8 * 8 for value in low)
    right, bottom = int(min(width, high[0] + margin)), int(min(height, high[1] + margin))
    if right - left < 32 or bottom - top < 32:
        return None
    old, new, scale = before[top:bottom, left:right], after[top:bottom, left:right], 1.0
    if size > _FLOW_LARGE_FACE_PX:
        scale = 0.5
        half = ((right - left) // 2, (bottom - top) // 2)
        old, new = (cv2.resize(one[: half[1] * 2, : half[0] * 2], half, interpolation=cv2.INTER_AREA) for one in (old, new))
    # a pixel of the halved image is centered between two of the full one
    shift = np.array([left, top]) + (0.5 / scale - 0.5)
    local = ((points - shift) * scale).astype(np.float32).reshape(-1, 1, 2)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        np.ascontiguousarray(old), np.ascontiguousarray(new), local, None, winSize=_FLOW_WINDOW, maxLevel=_FLOW_LEVELS
    )
    good = status[:, 0] == 1
    if good.sum() < _FLOW_MIN_TRACKED * len(points):
        return None
    motion = fit_similarity(points[good], moved[good, 0].astype(np.float64) / scale + shift, robust_rounds=3)
    # no head comes so much nearer in one frame
    return motion if all(map(cmath.isfinite, motion)) and 0.5 < motion.scale < 2 else None
