"""V4V: videos of three sets in two phases, with the heart rate of each frame in lines and blood pressure at 1 kHz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stmap_pipeline.databases.v4v import PRESSURE_RATE_HZ
from stmap_pipeline.files import atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots, pulse_wave, write_file
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_FIRST, _SECOND = "Phase 1_ Training_Validation sets", "Phase 2_ Testing set"
_FOLDERS = (f"{_FIRST}/Videos/train-001_of_002", f"{_FIRST}/Videos/valid", f"{_SECOND}/Videos/Test/test")


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(
            number, f"F{number:03d}_T01", f"F{number:03d}", "T1", f"{_FOLDERS[(number - 1) % 3]}/F{number:03d}_T1.mkv", Camera(25.0)
        )
        for number in range(1, subjects + 1)
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(360, 360), codec="h264-mkv")


def _write(root: Path, recording: RecordingPlan) -> None:
    path = root / recording.path
    _, wave = pulse_wave(recording, PRESSURE_RATE_HZ)
    pressure = lines(f"{value:.4f}" for value in (97 + 20 * wave).tolist())
    dashed = path.stem.replace("_", "-")
    if recording.path.startswith(_FOLDERS[0]):
        truth = root / _FIRST / "Ground truth"
        atomic_write_bytes(truth / "BP_raw_1KHz" / f"{dashed}-BP.txt", pressure)
        atomic_write_bytes(truth / "Physiology" / f"{path.stem}.txt", lines(_rates(recording)))
    else:
        name = "val_set_bp" if recording.path.startswith(_FOLDERS[1]) else "test_set_bp"
        atomic_write_bytes(root / _SECOND / "blood_pressure" / name / f"{dashed}.txt", pressure)
    write_file(root, recording)


def _rates(recording: RecordingPlan) -> list[str]:
    rates_bpm = recording.scene.pulse.heart_rate_bpm(recording.times_s())
    rows = (("HR", rates_bpm), ("RR", np.full(len(rates_bpm), 15.0)))
    return [", ".join([Path(recording.path).name, name, *(f"{value:.4f}" for value in values.tolist())]) for name, values in rows]


def _finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    for folder, name in zip(_FOLDERS[1:], ("validation", "test"), strict=True):
        rows = [row for one in recordings if one.path.startswith(folder) for row in _rates(one)]
        if rows:
            atomic_write_bytes(root / _SECOND / f"{name}_set_gt_release.txt", lines(rows))


LAYOUT = Layout(_plan, _write, _finish, 179)
