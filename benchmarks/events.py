"""What happens to the subject: a wall, a second face, a passer-by, and a cut to another person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from clips import CODECS, RATE_HZ, scene_of

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import ClockSource, Recording, RecordingResult, VideoSource
from stmap_pipeline.simulation.pulse import Sines
from stmap_pipeline.synth.encode import write_video
from stmap_pipeline.synth.scene import HeadMotion, Scene

_SIZE = (640, 480)
_FRAMES, _EVENT, _BACK = 210, 75, 135
_COUNTED = ("times_lost", "restarts", "cuts", "other_face_frames", "face_changes")
Image = npt.NDArray[np.uint8]


def _first(person: int = 0) -> Scene:
    return replace(scene_of("move", _SIZE, person))


def _wall(subject: Scene, _: Scene, index: int) -> Image:
    frame = subject.render(index / RATE_HZ, index)
    return np.full_like(frame, 120) if _EVENT <= index < _BACK else frame


def _beside(subject: Scene, other: Scene, index: int) -> Image:
    left = subject.render(index / RATE_HZ, index)
    right = other.render(index / RATE_HZ, index) if index >= _EVENT else np.broadcast_to(left[:1, :1], left.shape)
    return np.ascontiguousarray(np.hstack([left[:, 80:560], right[:, 80:560]]))


def _leaving(subject: Scene, other: Scene, index: int) -> Image:
    left = subject.render(index / RATE_HZ, index)[:, 80:560]
    wall = np.broadcast_to(left[:1, :1], left.shape)
    right = wall.copy()
    # smaller, so that the subject is the one that is tracked first
    right[120:480, 60:420] = cv2.resize(other.render(index / RATE_HZ, index)[:, 80:560], (360, 360), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.hstack([wall if _EVENT <= index < _BACK else left, right]))


def _passing(subject: Scene, other: Scene, index: int) -> Image:
    time_s = index / RATE_HZ
    planes = subject.render_exact(time_s)
    # the head of the other crosses once, in about a second
    other.composite(planes, time_s)
    noise = subject.noise.planes(index, _SIZE[1], _SIZE[0])
    return np.clip(np.rint(planes + np.stack(noise)), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def _cut(subject: Scene, other: Scene, index: int) -> Image:
    return (other if index >= _EVENT else subject).render(index / RATE_HZ, index)


def _cut_and_back(subject: Scene, other: Scene, index: int) -> Image:
    return (other if _EVENT <= index < _BACK else subject).render(index / RATE_HZ, index)


EVENTS: dict[str, Callable[[Scene, Scene, int], Image]] = {
    "a wall for 2 s": _wall,
    "a second face beside the first": _beside,
    "the subject leaves for 2 s, a second face stays": _leaving,
    "a passer-by in front": _passing,
    "a cut to another person": _cut,
    "another person for 2 s": _cut_and_back,
}


def run_events(folder: Path) -> list[list[str]]:
    """Render each event and return rows about whose landmarks were stored."""
    rows = []
    for name, draw in EVENTS.items():
        subject, other = _first(), _first(1)
        if draw is _passing:
            other = replace(other, motion=HeadMotion(x=Sines((9.0,), (0.08,), (-2 * np.pi * 0.08 * 3.5,))))
        path = folder / "event.mkv"
        frames = [draw(subject, other, index) for index in range(_FRAMES)]
        times = (index / RATE_HZ for index in range(_FRAMES))
        height, width = frames[0].shape[:2]
        write_video(path, zip(times, frames, strict=True), CODECS["lossless"], (width, height), RATE_HZ)
        recording = Recording("event", "drawn", "event", VideoSource(path), ClockSource("constant", rate_hz=RATE_HZ))
        config = Config.from_mapping({"limits": {"max_lost_fraction": 1.0}})
        rows.append(_row(name, draw, build_recording(recording, config), subject))
    return rows


def _row(name: str, draw: Callable[..., Image], built: RecordingResult, subject: Scene) -> list[str]:
    found, shift = built.track.found, 80 if draw in (_beside, _leaving) else 0
    gone = list(_absent(draw))
    wrong = 0
    for index in np.flatnonzero(found):
        truth = subject.landmarks(index / RATE_HZ) - (shift, 0)
        away = np.linalg.norm(built.track.points_px[index] - truth, axis=1).mean() / np.hypot(*(truth[45] - truth[36]))
        wrong += bool(away > 0.25 or index in gone)
    lost_s = back_s = 0.0
    if gone:
        after = np.flatnonzero(found[gone])
        lost_s = (len(gone) if after.size == len(gone) else (after[-1] + 1 if after.size else 0)) / RATE_HZ
    if gone and gone[-1] + 1 < _FRAMES:
        later = np.flatnonzero(found[gone[-1] + 1 :])
        back_s = float(later[0]) / RATE_HZ if later.size else float("inf")
    counted = {key: int(built.attributes[key]) for key in _COUNTED if built.attributes[key]}
    # with another person in the image nobody can know who is meant; but it must be counted
    good = bool(counted) or not wrong if draw not in (_wall, _leaving) else lost_s <= 0.3 and back_s <= 1.0 and not wrong
    return [name, f"{lost_s:.2f}", f"{back_s:.2f}", str(wrong), str(counted or ""), "ok" if good else "SHORT"]


def _absent(draw: Callable[..., Image]) -> Iterator[int]:
    """Yield the frames in which the subject is not in the image."""
    if draw in (_wall, _leaving, _cut_and_back):
        yield from range(_EVENT, _BACK)
    elif draw is _cut:
        yield from range(_EVENT, _FRAMES)
