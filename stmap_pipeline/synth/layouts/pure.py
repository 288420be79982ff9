"""PURE: images named by their time stamps in nanoseconds, and a JSON file with those stamps and an oximeter's values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.synth.layouts.base import Layout, Shot, plan_shots, pulse_wave, write_images
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

# of the first image
_START_NS = 1_392_643_993_642_815_000
# the oximeter's stamps begin a little before the first image
_LEAD_S = 0.4
_OXIMETER_HZ = 60.0
_SETUPS = {1: "steady", 2: "talking", 3: "slow translation"}


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(
            subject,
            f"{subject:02d}-{setup:02d}",
            f"{subject:02d}",
            name,
            f"{subject:02d}-{setup:02d}/{subject:02d}-{setup:02d}",
            camera,
        )
        for subject in range(1, subjects + 1)
        for setup, name in _SETUPS.items()
        if setup == 1 or subject == 1
        for camera in [Camera(30.0, jitter=0.05)]
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(320, 320), codec="png")


def _write(root: Path, recording: RecordingPlan) -> None:
    start_ns = _START_NS + recording.seed % 1000 * 10**9
    lead = round(_LEAD_S * _OXIMETER_HZ)
    times_s, _ = pulse_wave(recording, _OXIMETER_HZ)
    times_s = np.concatenate([np.arange(-lead, 0) / _OXIMETER_HZ, times_s])
    pulse = recording.scene.pulse
    waves = np.rint(60 + 30 * pulse.wave(times_s)).astype(int).tolist()
    rates_bpm = np.rint(pulse.heart_rate_bpm(times_s)).astype(int).tolist()

    def stamp(time_s: float) -> int:
        return start_ns + round(time_s * 1e9)

    content = {
        "/FullPackage": [
            {"Timestamp": stamp(time_s), "Value": {"waveform": wave, "pulseRate": rate, "o2saturation": 98, "signalStrength": 5}}
            for time_s, wave, rate in zip(times_s.tolist(), waves, rates_bpm, strict=True)
        ],
        "/Image": [{"Timestamp": stamp(time_s), "Value": {"Height": 480, "Width": 640}} for time_s in recording.times_s().tolist()],
    }
    folder = root / recording.path
    atomic_write_text(folder.with_name(f"{folder.name}.json"), json.dumps(content))
    write_images(root, recording, lambda _, time_s: f"Image{stamp(time_s)}.png")


LAYOUT = Layout(_plan, _write, lambda *_: None, 10)
