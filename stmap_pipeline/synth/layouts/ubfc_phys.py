"""UBFC-Phys: three tasks of each subject in one folder, with the pulse wave of a wristband at 64 Hz."""

from __future__ import annotations

from pathlib import Path

from stmap_pipeline.databases.ubfc_phys import PULSE_RATE_HZ
from stmap_pipeline.files import atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots, pulse_wave, write_file
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_RATE_HZ = 35.0
_TASKS = {1: "rest", 2: "speech", 3: "arithmetic"}


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(
            subject, f"s{subject:02d}_T{task}", f"s{subject:02d}", name, f"s{subject}/vid_s{subject}_T{task}.avi", Camera(_RATE_HZ)
        )
        for subject in range(1, subjects + 1)
        for task, name in _TASKS.items()
        if subject == 1 or task == 1
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(340, 344), codec="mjpeg-avi")


def _write(root: Path, recording: RecordingPlan) -> None:
    path = root / recording.path
    _, wave = pulse_wave(recording, PULSE_RATE_HZ)
    rows = [f"{value:.2f}" for value in (80 * wave).tolist()]
    atomic_write_bytes(path.with_name(path.name.replace("vid_", "bvp_")).with_suffix(".csv"), lines(rows, end="\r\n"))
    write_file(root, recording)


LAYOUT = Layout(_plan, _write, lambda *_: None, 56)
