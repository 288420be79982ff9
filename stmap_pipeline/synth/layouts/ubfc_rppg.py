"""UBFC-rPPG: DATASET_2 with a value for each frame in three lines, and DATASET_1 with rows of an oximeter."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stmap_pipeline.files import atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots, pulse_wave, write_file
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_OXIMETER_HZ = 62.0
# number of the person -> folder of the first part; the others are in the second
_SIMPLE = {2: "5-gt", 3: "after-exercise"}


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots: list[Shot] = []
    for number in range(1, subjects + 1):
        if folder := _SIMPLE.get(number):
            id_ = f"dataset1_{folder.removesuffix('-gt').zfill(2)}"
            shots.append(Shot(number, id_, id_, "dataset1", f"DATASET_1/{folder}/vid.avi", Camera(28.7)))
        else:
            id_ = f"subject{number:02d}"
            shots.append(Shot(number, id_, id_, "dataset2", f"DATASET_2/subject{number}/vid.avi", Camera(29.5, jitter=0.03)))
    return plan_shots(shots, seed, setting, duration_s, size_px=(340, 344), codec="mjpeg-avi")


def _write(root: Path, recording: RecordingPlan) -> None:
    folder, pulse = (root / recording.path).parent, recording.scene.pulse
    if recording.scenario == "dataset1":
        times_s, wave = pulse_wave(recording, _OXIMETER_HZ)
        columns = (np.rint(1000 * times_s), np.rint(pulse.heart_rate_bpm(times_s)), np.full(len(wave), 98), np.rint(50 + 30 * wave))
        rows = [",".join(str(int(value)) for value in row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        atomic_write_bytes(folder / "gtdump.xmp", lines(rows))
        write_file(root, recording)
    else:
        times_s = recording.times_s()
        values = (pulse.wave(times_s), pulse.heart_rate_bpm(times_s), times_s)
        rows = ["   " + "   ".join(f"{value:.7e}" for value in line.tolist()) for line in values]
        atomic_write_bytes(folder / "ground_truth.txt", lines(rows))
        # the container's rate is the nominal one
        write_file(root, recording, 30.0)


LAYOUT = Layout(_plan, _write, lambda *_: None, 50)
