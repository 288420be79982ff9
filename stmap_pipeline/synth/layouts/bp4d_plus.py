"""BP4D+: the images of a subject in a zip archive or unpacked, and physiology at 1 kHz."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np

from stmap_pipeline.databases.mmse_hr import FRAME_RATE_HZ, LABEL_RATE_HZ
from stmap_pipeline.files import atomic_path, atomic_write_bytes
from stmap_pipeline.synth.encode import encode_jpeg
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots
from stmap_pipeline.synth.recordings import Camera, RecordingPlan


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    # one task of each subject, so that no two recordings are written to one archive
    shots = []
    for number in range(1, subjects + 1):
        subject = f"{'F' if number % 2 else 'M'}{number:03d}"
        shots.append(
            Shot(
                number,
                f"{subject}_T{number % 10 + 1:02d}",
                subject,
                f"T{number % 10 + 1}",
                f"2D+3D/{subject}.zip",
                Camera(FRAME_RATE_HZ),
            )
        )
    return plan_shots(shots, seed, setting, duration_s, size_px=(360, 480), codec="jpg")


def _write(root: Path, recording: RecordingPlan) -> None:
    pulse, times_s = recording.scene.pulse, np.arange(math.ceil(recording.label_s() * LABEL_RATE_HZ)) / LABEL_RATE_HZ
    physiology = root / "Physiology" / recording.subject / recording.scenario
    for name, values in (("Pulse Rate_BPM.txt", pulse.heart_rate_bpm(times_s)), ("BP_mmHg.txt", 97 + 20 * pulse.wave(times_s))):
        atomic_write_bytes(physiology / name, lines(f"{value:.3f}" for value in values.tolist()))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for index, (_, image) in enumerate(recording.frames()):
            # ZipInfo's own date, so that the same recording has the same bytes
            archive.writestr(zipfile.ZipInfo(f"{recording.subject}/{recording.scenario}/{index}.jpg"), encode_jpeg(image))
    with atomic_path(root / recording.path) as temporary:
        temporary.write_bytes(data.getvalue())


LAYOUT = Layout(_plan, _write, lambda *_: None, 140)
