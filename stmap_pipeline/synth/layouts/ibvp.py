"""iBVP: images without loss, and a table of the pulse wave at 30 Hz with labels of quality."""

from __future__ import annotations

from pathlib import Path

from stmap_pipeline.databases.ibvp import CONDITIONS, FRAME_RATE_HZ
from stmap_pipeline.files import atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots, pulse_wave, write_images
from stmap_pipeline.synth.recordings import Camera, RecordingPlan


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(
            number,
            f"p{number:02d}_{condition}",
            f"p{number:02d}",
            name,
            f"p{number:02d}_{condition}/p{number:02d}_{condition}_rgb",
            camera,
        )
        for number in range(1, subjects + 1)
        for condition, name in CONDITIONS.items()
        if condition == "a" or (number == 1 and condition == "d")
        for camera in [Camera(FRAME_RATE_HZ)]
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(320, 320), codec="bmp")


def _write(root: Path, recording: RecordingPlan) -> None:
    folder = root / recording.path
    _, wave = pulse_wave(recording, FRAME_RATE_HZ)
    rows = [f"{value:.6f},1,1,1,0.35" for value in wave.tolist()]
    atomic_write_bytes(
        folder.with_name(folder.name.replace("_rgb", "_bvp.csv")), lines(rows, "BVP,SQPhysMD,SQ1,SQ2,Perfusion_Value")
    )
    write_images(root, recording, lambda index, _: f"{index:05d}.bmp")


LAYOUT = Layout(_plan, _write, lambda *_: None, 33)
