"""Detect seldom, follow always: a face laid on its own template frame by frame, placed by the landmark model, checked by the detector.

``landmarks(t) = motion(t) applied to shape(t)``: the template gives the motion to a hundredth of a pixel, the landmark model the
shape, averaged over seconds; see :mod:`.template` and :class:`~stmap_pipeline.faces.smoothing.Segment`. Optical flow helps where
a head moves too fast for the template, the detector where neither is sure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces.base import Detection, FaceBackend, Gray, Points, TrackedFrame, TrackingStats
from stmap_pipeline.faces.cut import CutDetector
from stmap_pipeline.faces.flow import follow
from stmap_pipeline.faces.geometry import STEADY, Similarity, compose, detector_box, inter_ocular_px, invert, transform
from stmap_pipeline.faces.search import check, search
from stmap_pipeline.faces.smoothing import Delay, Segment
from stmap_pipeline.faces.template import Alignment, FaceTemplate
from stmap_pipeline.video import Frame

# Likeness to the template below which the detector is asked at once, and below which, if it finds none, the face is gone.
_SUSPICIOUS = 0.75
_GONE = 0.55
# Time after which a face that the detector does not confirm and that has become suspicious is given up.
_PATIENCE_S = 0.2
# Memory for corrections of lids, lips and chin, which move on their own.
_LOOSE_MEMORY_S = 1.0
# Time between two looks whether the face is still there.
_LOOK_EVERY_S = 0.1
# Time after a face was found in which the model is asked more often, and how often.
_SETTLING_S = 1.0
_SETTLING_EVERY_S = 0.1
# Disagreement of model and template, in inter-ocular distances, that cannot be jitter or drift: the template has slipped.
_SLIPPED = 0.15


@dataclass(slots=True)
class _Face:
    """The face that is being followed, and when to look after it next."""

    template: FaceTemplate
    segment: Segment
    motion: Similarity
    speed: Similarity
    before: Gray
    score: float
    next_model_s: float
    settled_s: float
    next_check_s: float
    next_look_s: float
    sure_index: int
    sure_s: float

    @property
    def points(self) -> Points:
        """Landmarks in the last frame, as well as they are known in it."""
        return transform(self.motion, self.segment.latest)


class Tracker:
    """Follows one face through the frames of one recording."""

    def __init__(self, config: FacesConfig, backend: FaceBackend, stats: TrackingStats) -> None:
        self._config, self._backend, self._stats = config, backend, stats
        self._delay = Delay(config.smoothing_s / 2)
        # points that place the blocks are corrected slowly; nothing hangs on the others
        self._memory_s = np.full((68, 1), min(config.memory_s, _LOOSE_MEMORY_S))
        self._memory_s[STEADY] = config.memory_s
        self._cuts = CutDetector()
        self._face: _Face | None = None
        self._last_seen: Points | None = None
        self._next_search_s = -math.inf

    def frames(self, frames: Iterable[Frame]) -> Iterator[TrackedFrame]:
        """Yield each frame with its landmarks, later by half of the smoothing."""
        for frame in frames:
            is_cut = self._cuts.is_cut(frame.picture.gray)
            self._stats.cuts += is_cut
            if self._face is not None:
                self._follow(self._face, frame, is_cut)
            if self._face is None and frame.time_s >= self._next_search_s:
                self._search(frame)
            if self._face is None:
                self._delay.lost(frame)
            else:
                self._delay.followed(frame, self._face.motion, self._face.score, self._face.segment)
            yield from self._delay.ready(frame.time_s)
        if self._face is not None:
            self._face.segment.closed = True
        yield from self._delay.ready()

    def _search(self, frame: Frame) -> None:
        gray = frame.picture.gray
        self._next_search_s = frame.time_s + self._config.search_every_s
        found = search(gray, self._backend, self._stats, self._last_seen)
        if found is None:
            return
        rough = self._backend.landmarks(gray, found)
        points = self._backend.landmarks(gray, detector_box(rough))
        self._stats.landmark_runs += 2
        self._stats.times_found += 1
        self._face = self._begin(frame, points, found.score)

    def _begin(self, frame: Frame, points: Points, score: float) -> _Face:
        gray, now_s = frame.picture.gray, frame.time_s
        template = FaceTemplate(gray, points, now_s)
        segment = Segment(template.shape, self._config.smoothing_s / 2, self._memory_s)
        segment.add(now_s, template.shape)
        self._last_seen = points
        return _Face(
            template,
            segment,
            template.motion,
            np.eye(2, 3),
            gray,
            score,
            next_model_s=now_s,
            settled_s=now_s + _SETTLING_S,
            next_check_s=now_s + self._config.check_every_s,
            next_look_s=now_s + _LOOK_EVERY_S,
            sure_index=frame.index,
            sure_s=now_s,
        )

    def _follow(self, face: _Face, frame: Frame, is_cut: bool) -> None:
        gray, now_s = frame.picture.gray, frame.time_s
        # after a cut the template would fit another person's face well enough to go on as if nothing had been
        aligned = None if is_cut else self._align(face, gray)
        if aligned is None:
            # a blur, a jerk or a cut: if there is a face where it was, a new stretch begins on it
            found = check(gray, self._backend, self._stats, face.points)
            if found is None:
                self._lose(face)
            else:
                self._begin_again(face, frame, found)
            return
        if not _inside(transform(aligned.motion, face.segment.latest), gray):
            self._lose(face)
            return
        face.speed = compose(aligned.motion, invert(face.motion))
        face.motion, face.before = aligned.motion, gray
        self._last_seen = face.points
        slipped = now_s >= face.next_model_s and self._correct(face, frame)
        if now_s < face.next_look_s and not slipped:
            face.template.learn(aligned, now_s)
            return
        face.next_look_s = now_s + _LOOK_EVERY_S
        likeness = face.template.likeness(aligned.patch)
        doubtful = likeness < _SUSPICIOUS or slipped
        if not doubtful:
            face.sure_index, face.sure_s = frame.index, now_s
            face.template.learn(aligned, now_s)
        if doubtful or now_s >= face.next_check_s:
            self._check(face, frame, aligned, likeness, slipped)

    def _align(self, face: _Face, gray: Gray) -> Alignment | None:
        """Lay the frame on the template from the last motion; with the help of flow where that does not lead there."""
        if face.before.shape != gray.shape:
            return None
        aligned = face.template.align(gray, compose(face.speed, face.motion))
        if aligned.converged:
            return aligned
        followed = follow(face.before, gray, face.points)
        if followed is None:
            return None
        again = face.template.align(gray, compose(followed, face.motion))
        return again if again.converged else None

    def _correct(self, face: _Face, frame: Frame) -> bool:
        """Ask the landmark model for the shape; return whether the template has slipped off the face."""
        every_s = self._config.landmark_every_s
        # one run of the model is off by half a pixel and more, so the place of the face is first taken from several
        face.next_model_s = frame.time_s + (every_s if frame.time_s >= face.settled_s else min(every_s, _SETTLING_EVERY_S))
        points = face.points
        found = self._backend.landmarks(frame.picture.gray, detector_box(points))
        self._stats.landmark_runs += 1
        face.segment.add(frame.time_s, transform(invert(face.motion), found))
        return float(np.median(np.hypot(*(found - points).T))) > _SLIPPED * inter_ocular_px(points)

    def _check(self, face: _Face, frame: Frame, aligned: Alignment, likeness: float, slipped: bool) -> None:
        gray, now_s = frame.picture.gray, frame.time_s
        face.next_check_s = now_s + self._config.check_every_s
        found = check(gray, self._backend, self._stats, face.points)
        if found is not None and slipped:
            # the face is there, but the template is not on it
            self._begin_again(face, frame, found)
        elif found is not None:
            face.score = found.score
            face.sure_index, face.sure_s = frame.index, now_s
            if likeness < _SUSPICIOUS:
                face.template.learn(aligned, now_s, at_once=True)
        elif likeness < _GONE or now_s - face.sure_s > _PATIENCE_S:
            self._lose(face)

    def _begin_again(self, face: _Face, frame: Frame, found: Detection) -> None:
        face.segment.closed = True
        self._stats.landmark_runs += 1
        self._stats.restarts += 1
        self._face = self._begin(frame, self._backend.landmarks(frame.picture.gray, found), found.score)

    def _lose(self, face: _Face) -> None:
        self._delay.revoke(face.sure_index + 1)
        face.segment.closed = True
        self._face = None
        self._stats.times_lost += 1
        # it may be back in the very next frame
        self._next_search_s = -math.inf


def _inside(points: Points, gray: Gray) -> bool:
    """Whether most of the face is still in the picture."""
    height, width = gray.shape
    inside = (points[:, 0] >= 0) & (points[:, 0] < width) & (points[:, 1] >= 0) & (points[:, 1] < height)
    return bool(inside.mean() > 0.6)
