"""MMSE-HR: two pairs of trees, images in one and physiology at 1 kHz in the other."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from stmap_pipeline.files import atomic_folder, atomic_write_bytes
from stmap_pipeline.synth.encode import encode_jpeg
from stmap_pipeline.synth.layouts.base import Layout, lines
from stmap_pipeline.synth.recordings import Camera, RecordingPlan, draw_scene

_MMSE_SIZE_PX = (360, 480)
_PHYSIOLOGY_HZ = 1000.0
# images, physiology, tasks
_TREES = (
    ("first 10 subjects 2D", "first 10 subjects Phydata released/Phydata", (1, 10)),
    ("T10_T11_30Subjects", "T10_T11_30PhyBPHRData", (10, 11)),
)
# number of the recording -> quirk
_MMSE_QUIRKS = {1: ("short_label",), 2: ("unpadded_names",), 3: ("no_pressure",)}


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    plans: list[RecordingPlan] = []
    for number in range(subjects):
        images, _, tasks = _TREES[number % 2]
        subject = f"{'M' if number % 3 == 2 else 'F'}{13 + number:03d}"
        for index, task in enumerate(tasks, 2 * number):
            own_setting, scene = draw_scene(seed, setting, index, 2 * subjects, number + 1, _MMSE_SIZE_PX)
            plans.append(
                RecordingPlan(
                    recording_id=f"{subject}_T{task:02d}",
                    subject=subject,
                    scenario=f"T{task}",
                    path=f"{images}/{subject}/T{task}",
                    setting=own_setting,
                    scene=scene,
                    camera=Camera(25.0),
                    seed=100_000 * seed + index,
                    duration_s=duration_s,
                    codec="jpg",
                    quirks=_MMSE_QUIRKS.get(index, ()),
                )
            )
    return plans


def _write(root: Path, recording: RecordingPlan) -> None:
    images, subject, task = recording.path.split("/")
    physiology = root / {one: other for one, other, _ in _TREES}[images] / subject / task
    pulse, times_s = recording.scene.pulse, np.arange(math.ceil(recording.label_s() * _PHYSIOLOGY_HZ)) / _PHYSIOLOGY_HZ
    rates_bpm = [f"{value:.3f}" for value in pulse.heart_rate_bpm(times_s).tolist()]
    atomic_write_bytes(physiology / "Pulse Rate_BPM.txt", lines(rates_bpm))
    if "no_pressure" not in recording.quirks:
        pressure_mmhg = [f"{value:.3f}" for value in (97 + 20 * pulse.wave(times_s)).tolist()]
        atomic_write_bytes(physiology / "BP_mmHg.txt", lines(pressure_mmhg))
    digits = 1 if "unpadded_names" in recording.quirks else 3
    with atomic_folder(root / recording.path) as folder:
        for index, (_, image) in enumerate(recording.frames()):
            (folder / f"{index:0{digits}d}.jpg").write_bytes(encode_jpeg(image))


LAYOUT = Layout(_plan, _write, lambda *_: None, 40)
