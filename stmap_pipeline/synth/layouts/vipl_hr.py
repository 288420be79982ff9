"""VIPL-HR: folders p1/v1/source1 with video, frame times and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stmap_pipeline.files import atomic_folder, atomic_write_bytes
from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.layouts.base import Layout, lines
from stmap_pipeline.synth.recordings import Camera, RecordingPlan, draw_scene

_SENSOR_FAULT_BPM = 255
_WAVE_HZ = 60.0
_CONTAINER_HZ = 25.0
_VIPL_SIZES = ((352, 356), (384, 388), (340, 344), (400, 404))
# scenarios of the hard setting: large motion, phone in motion, other light
_HARD = {"v1": "v2", "v6": "v9", "v7": "v5"}
# scenario, source, frame rate, quirks, take; the first two subjects show each quirk once
_Shot = tuple[str, int, float, tuple[str, ...], int]
_FIRST: tuple[_Shot, ...] = (
    ("v1", 1, 25.2, (), 1),
    ("v1", 1, 29.8, ("second_take",), 2),
    ("v1", 2, 30.0, ("no_time_file", "long_label"), 1),
    ("v1", 3, 30.0, (), 1),
    ("v1", 4, 30.0, ("nir",), 1),
    ("v7", 2, 30.0, ("no_time_file",), 1),
)
_SECOND: tuple[_Shot, ...] = (
    ("v1", 1, 16.4, ("slow_16",), 1),
    ("v1", 2, 30.0, ("no_time_file", "no_wave"), 1),
    ("v1", 3, 29.6, ("hr_255",), 1),
    ("v7", 1, 25.0, ("short_label",), 1),
)
_LATER: tuple[_Shot, ...] = (("v1", 1, 25.0, (), 1), ("v6", 2, 30.0, ("no_time_file",), 1), ("v7", 1, 29.8, (), 1))
_LATER_SLOW: tuple[_Shot, ...] = (("v1", 1, 16.2, ("slow_16",), 1), *_LATER[1:])


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots: list[tuple[int, _Shot]] = []
    for subject in range(1, subjects + 1):
        own = {1: _FIRST, 2: _SECOND}.get(subject, _LATER_SLOW if subject % 5 == 0 else _LATER)
        shots += [(subject, shot) for shot in own]
    total = sum(shot[1] != 4 for _, shot in shots)
    plans: list[RecordingPlan] = []
    index = -1
    for subject, (scenario, source, rate_hz, quirks, take) in shots:
        # the infrared camera sees what the color camera beside it sees
        index += source != 4
        own_setting, scene = draw_scene(seed, setting, index, total, subject, _VIPL_SIZES[index % len(_VIPL_SIZES)])
        scenario = _HARD[scenario] if own_setting == "hard" else scenario
        name = scenario + (f"-{take}" if take > 1 else "")
        phone = source == 2
        plans.append(
            RecordingPlan(
                recording_id=f"p{subject:03d}_{name}_source{source}",
                subject=f"p{subject:03d}",
                scenario=scenario,
                path=f"data/p{subject}/{name}/source{source}",
                setting=own_setting,
                scene=scene,
                camera=Camera(rate_hz) if phone else Camera(rate_hz, jitter=0.06, whole_ms=True),
                seed=100_000 * seed + index,
                duration_s=duration_s,
                codec="mpeg4-avi" if phone and subject % 2 == 0 else "mjpeg-avi",
                quirks=("container_25", *quirks),
            )
        )
    return plans


def _write(root: Path, recording: RecordingPlan) -> None:
    pulse, quirks, label_s = recording.scene.pulse, recording.quirks, recording.label_s()
    seconds = np.arange(math.ceil(label_s), dtype=np.float64)
    rates_bpm = np.rint(pulse.mean_between(seconds, seconds + 1)).astype(int)
    if "hr_255" in quirks:
        rates_bpm[2:5] = _SENSOR_FAULT_BPM
    oxygen_percent = np.random.default_rng([recording.seed, 98]).integers(97, 100, len(seconds))
    files = {"gt_HR.csv": lines(rates_bpm, "HR", "\r\n"), "gt_SpO2.csv": lines(oxygen_percent, "SpO2", "\r\n")}
    if "no_wave" not in quirks:
        times_s = np.arange(math.floor(label_s * _WAVE_HZ) + 1) / _WAVE_HZ
        files["wave.csv"] = lines(np.rint(60 + 32 * pulse.wave(times_s)).astype(int), "Wave", "\r\n")
    if "no_time_file" not in quirks:
        files["time.txt"] = lines(np.rint(1000 * recording.times_s()).astype(int))
    with atomic_folder(root / recording.path) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        write_video(folder / "video.avi", recording.frames(), CODECS[recording.codec], recording.scene.size_px, _CONTAINER_HZ)


def _finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    atomic_write_bytes(root / "Missing_data.txt", lines(["p1/v7/source1"]))
    for name, quirk in (("Additional_data.txt", "second_take"), ("NIR.txt", "nir")):
        listed = [one.path.removeprefix("data/") for one in recordings if quirk in one.quirks]
        atomic_write_bytes(root / name, lines(listed))


LAYOUT = Layout(_plan, _write, _finish, 107)
