"""MMPD: one MATLAB 5 file for each recording, with frames from 0 to 1, a pulse wave and the situation; and the list of situations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io

from stmap_pipeline.databases.mmpd import FRAME_RATE_HZ
from stmap_pipeline.files import atomic_path, atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_MOTIONS = {0: "Stationary", 4: "Stationary (after exercise)"}
_REST = {"light": "LED-low", "exercise": "False", "skin_color": 3, "gender": "female", "glasser": "False", "hair_cover": "False"}
_SITUATION = {**_REST, "makeup": "False"}


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(
            subject, f"p{subject:02d}_{number:02d}", f"p{subject:02d}", motion, f"subject{subject}/p{subject}_{number}.mat", camera
        )
        for subject in range(1, subjects + 1)
        for number, motion in _MOTIONS.items()
        if number == 0 or subject == 1
        for camera in [Camera(FRAME_RATE_HZ)]
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(208, 240), codec="mat")


def _write(root: Path, recording: RecordingPlan) -> None:
    frames = np.stack([image for _, image in recording.frames()])
    content = {
        "video": frames.astype(np.float32) / np.float32(255),
        "GT_ppg": recording.scene.pulse.wave(recording.times_s())[None],
    }
    with atomic_path(root / recording.path) as temporary:
        scipy.io.savemat(
            str(temporary), {**content, **_SITUATION, "motion": recording.scenario}, appendmat=False, do_compression=True
        )
        with temporary.open("r+b") as file:  # SciPy writes the date into the header
            file.write(b"MATLAB 5.0 MAT-file".ljust(116))


def _finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    header = ["p", "light", "motion", "exercise", "skin_color", "gender", "glasser", "hair_cover", "makeup", "file"]
    rows = []
    for one in recordings:
        values = {**_SITUATION, "p": int(one.subject[1:]), "motion": one.scenario, "file": f"/{one.path}"}
        rows.append(",".join(str(values[name]) for name in header))
    atomic_write_bytes(root / "meta_label.csv", lines(rows, ",".join(header)))


LAYOUT = Layout(_plan, _write, _finish, 33)
