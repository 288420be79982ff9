"""Detect seldom, follow always: landmarks carried by optical flow, corrected by the landmark model, checked by the detector.

``landmark(t) = flow(t) + average(model - flow)``: flow supplies the motion without the model's jitter of half a pixel and more,
the model supplies the place without flow's drift; see :class:`~stmap_pipeline.faces.smoothing.Segment` for the average.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stmap_pipeline.config import FacesConfig
from stmap_pipeline.faces.base import FaceBackend, Gray, Points, TrackedFrame, TrackingStats
from stmap_pipeline.faces.flow import follow
from stmap_pipeline.faces.geometry import detector_box, inter_ocular_px
from stmap_pipeline.faces.presence import Presence
from stmap_pipeline.faces.search import check, search
from stmap_pipeline.faces.smoothing import Delay, Segment
from stmap_pipeline.video import Frame

# Likeness to the confirmed face below which the detector is asked at once, and below which, if it finds none, the face is gone.
_SUSPICIOUS = 0.75
_GONE = 0.55
# Time after which a face that the detector does not confirm and that has become suspicious is given up.
_PATIENCE_S = 0.2
# Time after a face was found in which the model is asked more often, and how often.
_SETTLING_S = 1.0
_SETTLING_EVERY_S = 0.1
# Disagreement of model and flow, in inter-ocular distances, that cannot be jitter or drift: flow has slipped.
_SLIPPED = 0.15


@dataclass(slots=True)
class _Face:
    """The face that is being followed, and when to look after it next."""

    points: Points
    before: Gray
    segment: Segment
    presence: Presence
    score: float
    next_model_s: float
    settled_s: float
    next_check_s: float
    suspect_index: int | None = None
    suspect_s: float = 0.0


class Tracker:
    """Follows one face through the frames of one recording."""

    def __init__(self, config: FacesConfig, backend: FaceBackend, stats: TrackingStats) -> None:
        self._config, self._backend, self._stats = config, backend, stats
        self._delay = Delay(config.smoothing_s / 2)
        self._face: _Face | None = None
        self._last_seen: Points | None = None
        self._next_search_s = -math.inf

    def frames(self, frames: Iterable[Frame]) -> Iterator[TrackedFrame]:
        """Yield each frame with its landmarks, later by half of the smoothing."""
        for frame in frames:
            if self._face is not None:
                self._follow(self._face, frame)
            if self._face is None and frame.time_s >= self._next_search_s:
                self._search(frame)
            if self._face is None:
                self._delay.lost(frame)
            else:
                self._delay.followed(frame, self._face.points, self._face.score, self._face.segment)
            yield from self._delay.ready(frame.time_s)
        if self._face is not None:
            if self._face.suspect_index is not None:
                # the recording ends while the face is in doubt: doubt is no measurement
                self._delay.revoke(self._face.suspect_index)
            self._face.segment.closed = True
        yield from self._delay.ready()

    def _search(self, frame: Frame) -> None:
        gray, now_s = frame.picture.gray, frame.time_s
        self._next_search_s = now_s + self._config.search_every_s
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
        self._last_seen = points
        segment = Segment(self._config.smoothing_s / 2, self._config.memory_s)
        segment.add(now_s, np.zeros_like(points))
        return _Face(
            points,
            gray,
            segment,
            Presence(gray, points),
            score,
            now_s,
            now_s + _SETTLING_S,
            now_s + self._config.check_every_s,
        )

    def _follow(self, face: _Face, frame: Frame) -> None:
        gray, now_s = frame.picture.gray, frame.time_s
        points = follow(face.before, gray, face.points)
        if points is None or not _inside(points, gray):
            self._lose(face, frame.index)
            return
        face.points, face.before, self._last_seen = points, gray, points
        likeness = face.presence.likeness(gray, points)
        slipped = now_s >= face.next_model_s and self._correct(face, frame)
        if likeness >= _SUSPICIOUS and not slipped:
            face.suspect_index = None
        elif face.suspect_index is None:
            face.suspect_index, face.suspect_s = frame.index, now_s
        if face.suspect_index is not None or now_s >= face.next_check_s:
            self._check(face, frame, likeness, slipped)

    def _correct(self, face: _Face, frame: Frame) -> bool:
        """Ask the landmark model; return whether flow has slipped."""
        every_s = self._config.landmark_every_s
        # one run of the model is off by half a pixel and more, so the place of the face is first taken from several
        face.next_model_s = frame.time_s + (every_s if frame.time_s >= face.settled_s else min(every_s, _SETTLING_EVERY_S))
        segment = face.segment
        # started from the corrected points: flow alone drifts off the face
        start = face.points + segment.latest
        correction = self._backend.landmarks(frame.picture.gray, detector_box(start)) - face.points
        self._stats.landmark_runs += 1
        step = float(np.median(np.hypot(*(correction - segment.latest).T)))
        segment.add(frame.time_s, correction)
        return step > _SLIPPED * inter_ocular_px(face.points)

    def _check(self, face: _Face, frame: Frame, likeness: float, slipped: bool) -> None:
        gray, now_s = frame.picture.gray, frame.time_s
        face.next_check_s = now_s + self._config.check_every_s
        found = check(gray, self._backend, self._stats, face.points + face.segment.latest)
        if found is not None and slipped:
            # the face is there, but flow is not on it: a new stretch begins from the model's points
            face.segment.closed = True
            self._stats.landmark_runs += 1
            self._face = self._begin(frame, self._backend.landmarks(gray, found), found.score)
        elif found is not None:
            face.score = found.score
            face.presence.confirm(gray, face.points)
            face.suspect_index = None
        elif likeness < _GONE or (face.suspect_index is not None and now_s - face.suspect_s > _PATIENCE_S):
            self._lose(face, frame.index)

    def _lose(self, face: _Face, index: int) -> None:
        self._delay.revoke(index if face.suspect_index is None else face.suspect_index)
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
