"""MCD-rPPG: videos of three cameras, capture times and the pulse wave of each frame, and a table of people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from stmap_pipeline.files import atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots, write_file
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_START = datetime(2024, 3, 5, 10, 0, 0)
_FIRST_ID = 1020
_SCENARIOS = {"before": "rest", "after": "after exercise"}
_CAMERAS = {"FullHDwebcam": ("front", Camera(29.99, jitter=0.03)), "IriunWebcam": ("right", Camera(24.0, jitter=0.05))}
_SHOTS = (("FullHDwebcam", "before"), ("IriunWebcam", "after"))


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(
            number, f"p{id_}_{camera}_{step}", f"p{id_}", _SCENARIOS[step], f"video/{id_}_{camera}_{step}.avi", _CAMERAS[camera][1]
        )
        for number in range(1, subjects + 1)
        for id_ in [_FIRST_ID + number - 1]
        for camera, step in _SHOTS
        if number == 1 or step == "before"
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(340, 344), codec="mpeg4-avi")


def _write(root: Path, recording: RecordingPlan) -> None:
    times_s = recording.times_s()
    stem = Path(recording.path).stem
    meta = [f"{index}  {_START + timedelta(seconds=time_s)}" for index, time_s in enumerate(times_s.tolist())]
    atomic_write_bytes(root / "meta" / f"{stem}.txt", lines(meta))
    wave = np.rint(90 + 60 * recording.scene.pulse.wave(times_s)).astype(int).tolist()
    atomic_write_bytes(
        root / "ppg_sync" / f"{stem}.txt", lines(f"{value} {index * 7919 % 17 / 1000:.3f}" for index, value in enumerate(wave))
    )
    write_file(root, recording, 29.9)  # the container's rate is not that of the frames


def _finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    rows = []
    for one in recordings:
        stem = Path(one.path).stem
        id_, camera, step = stem.split("_")
        pulse_bpm = round(one.scene.pulse.mean_bpm)
        rows.append(
            f"{id_},35.0,F,22.5,{pulse_bpm},{step},{camera},{_CAMERAS[camera][0]},{one.path},meta/{stem}.txt,ppg_sync/{stem}.txt"
        )
    atomic_write_bytes(root / "db.csv", lines(rows, "patient_id,age,sex,bmi,pulse,step,camera,view,video,meta,ppg_sync"))


LAYOUT = Layout(_plan, _write, _finish, 600)
