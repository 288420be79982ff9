"""User videos: mp4 with varying frame times, avi, labels with a column of times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from stmap_pipeline.files import atomic_path, atomic_write_bytes, atomic_write_text
from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.layouts.base import Layout, lines
from stmap_pipeline.synth.recordings import Camera, RecordingPlan, draw_scene

_FOLDER_SIZE_PX = (480, 360)
_PPG_HZ = 64.0
# scenario, suffix, codec, camera, quirks
_REST = ("rest", ".mp4", "h264-mp4", Camera(29.0, jitter=0.10), ("pts_jitter",))
_TASK = ("task", ".avi", "mjpeg-avi", Camera(30.0), ())
_FREE = ("free", ".avi", "mpeg4-avi", Camera(30.0), ("unlabeled",))


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        (1, _REST),
        (1, _TASK),
        (1, _FREE),
        *((subject, shot) for subject in range(2, subjects + 1) for shot in (_REST, _TASK)),
    ]
    plans: list[RecordingPlan] = []
    for index, (subject, (scenario, suffix, codec, camera, quirks)) in enumerate(shots):
        own_setting, scene = draw_scene(seed, setting, index, len(shots), subject, _FOLDER_SIZE_PX)
        name = f"s{subject:02d}"
        plans.append(
            RecordingPlan(
                recording_id=f"{name}_{scenario}",
                subject=name,
                scenario=scenario,
                path=f"{name}_{scenario}{suffix}",
                setting=own_setting,
                scene=scene,
                camera=camera,
                seed=100_000 * seed + index,
                duration_s=duration_s,
                codec=codec,
                quirks=quirks,
            )
        )
    return plans


def _write(root: Path, recording: RecordingPlan) -> None:
    pulse, label_s = recording.scene.pulse, recording.label_s()
    if recording.scenario == "rest":
        times_s = np.arange(int(label_s) + 1, dtype=np.float64)
        rates_bpm = pulse.mean_between(times_s, times_s + 1)
        rows = [f"{time_s:.1f},{value:.2f}" for time_s, value in zip(times_s.tolist(), rates_bpm.tolist(), strict=True)]
        atomic_write_bytes(root / f"{recording.recording_id}.csv", lines(rows, "time_s,heart_rate_bpm"))
    elif recording.scenario == "task":
        times_s = np.arange(int(label_s * _PPG_HZ) + 1) / _PPG_HZ
        rows = [f"{time_s:.6f},{value:.5f}" for time_s, value in zip(times_s.tolist(), pulse.wave(times_s).tolist(), strict=True)]
        atomic_write_bytes(root / f"{recording.recording_id}.csv", lines(rows, "time_s,ppg"))
    codec = CODECS[recording.codec]
    rate_hz = None if codec.container == "mp4" else recording.camera.rate_hz
    with atomic_path(root / recording.path) as temporary:
        write_video(temporary, recording.frames(), codec, recording.scene.size_px, rate_hz)


def _finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    columns = {"rest": ("heart_rate", "heart_rate_bpm"), "task": ("pulse", "ppg")}
    entries: list[dict[str, Any]] = []
    for one in recordings:
        entries.append({"video": one.path, "id": one.recording_id, "subject": one.subject, "scenario": one.scenario})
        if one.scenario in columns:
            kind, column = columns[one.scenario]
            label = {"kind": kind, "file": f"{one.recording_id}.csv", "column": column, "time_column": "time_s"}
            entries[-1]["label"] = [label]
    atomic_write_text(root / "database.toml", tomli_w.dumps({"name": "synthetic study", "recording": entries}))


LAYOUT = Layout(_plan, _write, _finish, 999)
