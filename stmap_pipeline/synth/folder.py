"""A folder of one's own videos with ``database.toml``: mp4 with varying frame times, avi, labels with a column of times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tomli_w

from stmap_pipeline.files import atomic_path, atomic_write_bytes, atomic_write_text
from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.labels import lines
from stmap_pipeline.synth.recording import Camera, Casting, RecordingPlan

MOST_SUBJECTS = 999
_SIZE_PX = (480, 360)
# scenario, suffix, codec, camera, quirks
_SHOTS = (
    ("rest", ".mp4", "h264-mp4", Camera(29.0, jitter=0.10), ("pts_jitter",)),
    ("task", ".avi", "mjpeg-avi", Camera(30.0), ()),
)
_FREE = ("free", ".avi", "mpeg4-avi", Camera(30.0), ("unlabeled",))
_PULSE_RATE_HZ = 64.0


def plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    """Plan the recordings: rest and task of each subject, and one video of the first that has no label."""
    shots = [(subject, shot) for subject in range(1, subjects + 1) for shot in ((*_SHOTS, _FREE) if subject == 1 else _SHOTS)]
    cast = Casting(seed, setting, duration_s, len(shots))
    plans: list[RecordingPlan] = []
    for index, (subject, (scenario, suffix, codec, camera, quirks)) in enumerate(shots):
        look, scene = cast.scene(index, subject, _SIZE_PX)
        name = f"s{subject:02d}"
        plans.append(
            RecordingPlan(
                recording_id=f"{name}_{scenario}",
                subject=name,
                scenario=scenario,
                place=f"{name}_{scenario}{suffix}",
                setting=look,
                scene=scene,
                camera=camera,
                seed=100_000 * seed + index,
                duration_s=duration_s,
                codec=codec,
                quirks=quirks,
            )
        )
    return plans


def write(root: Path, recording: RecordingPlan) -> None:
    """Write one recording: its label first, then its video."""
    pulse = recording.scene.pulse
    if "unlabeled" not in recording.quirks:
        if recording.scenario == "rest":
            rows = [f"{second}.0,{pulse.mean_over(second, second + 1):.2f}" for second in range(int(recording.label_s()) + 1)]
            data = lines(rows, "time_s,heart_rate_bpm")
        else:
            times = [row / _PULSE_RATE_HZ for row in range(int(recording.label_s() * _PULSE_RATE_HZ) + 1)]
            data = lines([f"{time_s:.6f},{pulse.wave(time_s):.5f}" for time_s in times], "time_s,ppg")
        atomic_write_bytes(root / f"{recording.recording_id}.csv", data)
    codec = CODECS[recording.codec]
    rate_hz = None if codec.container == "mp4" else recording.camera.rate_hz
    with atomic_path(root / recording.place) as temporary:
        write_video(temporary, recording.frames(), codec, recording.scene.size_px, rate_hz)


def finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    """Write ``database.toml``."""
    entries: list[dict[str, object]] = []
    for one in recordings:
        entry: dict[str, object] = {"video": one.place, "subject": one.subject, "scenario": one.scenario}
        if "unlabeled" not in one.quirks:
            heart_rate = one.scenario == "rest"
            entry["label"] = [
                {
                    "kind": "heart_rate" if heart_rate else "pulse",
                    "file": f"{one.recording_id}.csv",
                    "column": "heart_rate_bpm" if heart_rate else "ppg",
                    "time_column": "time_s",
                }
            ]
        entries.append(entry)
    atomic_write_text(root / "database.toml", tomli_w.dumps({"name": "synthetic study", "recording": entries}))
