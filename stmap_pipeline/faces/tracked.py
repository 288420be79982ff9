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
from stmap_pipeline.faces.geometry import STEADY, STILL, Motion, detector_box, inter_ocular_px
from stmap_pipeline.faces.pose import Pose
from stmap_pipeline.faces.search import check, search
from stmap_pipeline.faces.smoothing import Delay, Segment
from stmap_pipeline.faces.solution import Patch
from stmap_pipeline.faces.template import Alignment, FaceTemplate
from stmap_pipeline.video import Frame, Image

# Likeness to the template below which the detector is asked at once, and below which, if it finds none, the face is gone.
_SUSPICIOUS = 0.75
_GONE = 0.55
# Time after which a face that the detector does not confirm and that has become suspicious is given up.
_PATIENCE_S = 0.2
# Memory for corrections of lids, lips and chin, which move on their own.
_LOOSE_MEMORY_S = 1.0
# Time between two looks whether the face is still there, and how it looks now.
_LOOK_EVERY_S = 0.15
# Time after a face was found in which the model is asked more often, and how often.
_SETTLING_S = 1.0
_SETTLING_EVERY_S = 0.1
# Disagreement of model and template, in inter-ocular distances, that cannot be jitter or drift: the template has slipped.
_SLIPPED = 0.15
# How far from its guess a face may be found without its part of the picture being cut out anew.
_ASIDE_PX = 4


@dataclass(slots=True)
class _Face:
    """The face that is being followed, and when to look after it next."""

    template: FaceTemplate
    segment: Segment
    pose: Pose
    speed: Motion
    before: Gray
    part: Image
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
        return self.pose.on(self.segment.latest, self.segment.depth)


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
            is_cut = self._cuts.is_cut(frame.image.gray)
            self._stats.cuts += is_cut
            if self._face is not None:
                self._follow(self._face, frame, is_cut)
            if self._face is None and frame.time_s >= self._next_search_s:
                self._search(frame)
            face = self._face
            if face is None:
                self._delay.lost(frame)
            else:
                self._delay.followed(frame, face.pose, face.score, face.segment, face.part)
            yield from self._delay.ready(frame.time_s)
        if self._face is not None:
            self._face.segment.closed = True
        yield from self._delay.ready()

    def _search(self, frame: Frame) -> None:
        gray = frame.image.gray
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
        gray, now_s = frame.image.gray, frame.time_s
        template = FaceTemplate(gray, points, now_s)
        segment = Segment(template.shape, template.depth, self._config.smoothing_s / 2, self._memory_s)
        segment.add(now_s, template.shape)
        self._last_seen = points
        return _Face(
            template,
            segment,
            template.pose,
            STILL,
            gray,
            _part(frame.image, segment, template.pose.motion),
            score,
            next_model_s=now_s,
            settled_s=now_s + _SETTLING_S,
            next_check_s=now_s + self._config.check_every_s,
            next_look_s=now_s + _LOOK_EVERY_S,
            sure_index=frame.index,
            sure_s=now_s,
        )

    def _follow(self, face: _Face, frame: Frame, is_cut: bool) -> None:
        gray, now_s = frame.image.gray, frame.time_s
        # after a cut the template would fit another person's face well enough to go on as if nothing had been
        aligned = None if is_cut else self._align(face, frame.image)
        if aligned is None:
            # a blur, a jerk or a cut: if there is a face where it was, a new stretch begins on it
            found = check(gray, self._backend, self._stats, face.points)
            if found is None:
                self._lose(face)
            else:
                self._begin_again(face, frame, found)
            return
        if not _inside(aligned.pose.motion, face.template, face.segment, gray):
            self._lose(face)
            return
        face.speed = aligned.pose.motion.after(face.pose.motion.inverse())
        face.pose, face.before = aligned.pose, gray
        slipped = now_s >= face.next_model_s and self._correct(face, frame)
        if now_s < face.next_look_s and not slipped:
            return
        face.next_look_s = now_s + _LOOK_EVERY_S
        patch = face.template.patch(aligned)
        likeness = face.template.likeness(patch)
        doubtful = likeness < _SUSPICIOUS or slipped
        if not doubtful:
            face.sure_index, face.sure_s = frame.index, now_s
            face.template.learn(aligned, patch, now_s)
        if doubtful or now_s >= face.next_check_s:
            self._check(face, frame, aligned, patch, likeness, slipped)

    def _align(self, face: _Face, picture: Image) -> Alignment | None:
        """Lay the frame on the template from the last motion; with the help of flow where that does not lead there."""
        if face.before.shape != picture.gray.shape:
            return None
        # a head keeps its speed from one frame to the next: a good guess saves the second step
        guess = face.speed.after(face.pose.motion)
        # all that follows reads the copy: the whole picture is not in the processor's cache
        face.part = _part(picture, face.segment, guess)
        pose, origin = face.pose._replace(motion=guess), complex(*face.part.origin_px)
        aligned = face.template.align(face.part.gray, pose, origin)
        if not aligned.converged:
            aligned = face.template.align(face.part.gray, pose, origin, thorough=True)
        if not aligned.converged:
            followed = follow(face.before, picture.gray, face.points)
            if followed is None:
                return None
            pose = face.pose._replace(motion=followed.after(face.pose.motion))
            aligned = face.template.align(picture.gray, pose, thorough=True)
            if not aligned.converged:
                return None
        if abs(aligned.pose.motion.on_point(face.template.center) - guess.on_point(face.template.center)) > _ASIDE_PX:
            face.part = _part(picture, face.segment, aligned.pose.motion)
        return aligned

    def _correct(self, face: _Face, frame: Frame) -> bool:
        """Ask the landmark model for the shape; return whether the template has slipped off the face."""
        every_s = self._config.landmark_every_s
        # one run of the model is off by half a pixel and more, so the place of the face is first taken from several
        face.next_model_s = frame.time_s + (every_s if frame.time_s >= face.settled_s else min(every_s, _SETTLING_EVERY_S))
        points = face.points
        (x, y), box = face.part.origin_px, detector_box(points)
        found = self._backend.landmarks(face.part.gray, box.moved(1.0, (-x, -y))) + np.array([x, y])
        self._stats.landmark_runs += 1
        face.segment.add(frame.time_s, face.pose.back(found, face.segment.depth))
        return float(np.median(np.hypot(*(found - points).T))) > _SLIPPED * inter_ocular_px(points)

    def _check(self, face: _Face, frame: Frame, aligned: Alignment, patch: Patch, likeness: float, slipped: bool) -> None:
        gray, now_s = frame.image.gray, frame.time_s
        face.next_check_s = now_s + self._config.check_every_s
        found = check(gray, self._backend, self._stats, face.points)
        if found is not None and slipped:
            # the face is there, but the template is not on it
            self._begin_again(face, frame, found)
        elif found is not None:
            face.score = found.score
            face.sure_index, face.sure_s = frame.index, now_s
            if likeness < _SUSPICIOUS:
                face.template.learn(aligned, patch, now_s, at_once=True)
        elif likeness < _GONE or now_s - face.sure_s > _PATIENCE_S:
            self._lose(face)

    def _begin_again(self, face: _Face, frame: Frame, found: Detection) -> None:
        face.segment.closed = True
        self._stats.landmark_runs += 1
        self._stats.restarts += 1
        self._face = self._begin(frame, self._backend.landmarks(frame.image.gray, found), found.score)

    def _lose(self, face: _Face) -> None:
        self._delay.revoke(face.sure_index + 1)
        face.segment.closed = True
        self._last_seen, self._face = face.points, None
        self._stats.times_lost += 1
        # it may be back in the very next frame
        self._next_search_s = -math.inf


def _part(picture: Image, segment: Segment, motion: Motion) -> Image:
    """Copy the part of a picture around the face."""
    corners = [motion.on_point(corner) for corner in segment.region]
    across, down = [one.real for one in corners], [one.imag for one in corners]
    return picture.crop(
        int(min(across) - _ASIDE_PX), int(min(down) - _ASIDE_PX), int(max(across) + _ASIDE_PX), int(max(down) + _ASIDE_PX)
    )


def _inside(motion: Motion, template: FaceTemplate, segment: Segment, gray: Gray) -> bool:
    """Whether most of the face is still in the picture."""
    height, width = gray.shape
    corners = [motion.on_point(corner) for corner in template.corners]
    if all(0 <= one.real < width and 0 <= one.imag < height for one in corners):
        return True
    points = motion.on(segment.latest)
    inside = (points[:, 0] >= 0) & (points[:, 0] < width) & (points[:, 1] >= 0) & (points[:, 1] < height)
    return bool(inside.mean() > 0.6)
