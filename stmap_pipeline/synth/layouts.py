"""Layouts that drawn videos are written in: VIPL-HR, MMSE-HR, and a folder of user videos with ``database.toml``.

A layout plans its recordings, writes one of them (labels as the devices of that database record them, then the video), and
finishes the tree with the lists that the database ships.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w

from stmap_pipeline.files import atomic_folder, atomic_path, atomic_write_bytes, atomic_write_text
from stmap_pipeline.synth.encode import CODECS, encode_jpeg, write_video
from stmap_pipeline.synth.recordings import Camera, RecordingPlan, draw_scene

LayoutName = Literal["vipl-hr", "mmse-hr", "folder"]
SettingName = Literal["easy", "hard", "mixed"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a database lies on disk.

    Parameters
    ----------
    plan : callable
        ``(subjects, seed, setting, duration_s) -> list of RecordingPlan``.
    write : callable
        ``(root, recording)`` writes one recording; its ``path`` is created last.
    finish : callable
        ``(root, recordings)`` writes what belongs to the whole tree.
    most_subjects : int
        As many as the database has.
    """

    plan: Callable[[int, int, str, float], list[RecordingPlan]]
    write: Callable[[Path, RecordingPlan], None]
    finish: Callable[[Path, Sequence[RecordingPlan]], None]
    most_subjects: int


def _lines(rows: Iterable[object], header: str = "", end: str = "\n") -> bytes:
    texts = [header] if header else []
    return "".join(f"{row}{end}" for row in [*texts, *rows]).encode()


# VIPL-HR: folders p1/v1/source1 with video, frame times and labels

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


def _plan_vipl(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
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


def _write_vipl(root: Path, recording: RecordingPlan) -> None:
    pulse, quirks, label_s = recording.scene.pulse, recording.quirks, recording.label_s()
    seconds = np.arange(math.ceil(label_s), dtype=np.float64)
    rates_bpm = np.rint(pulse.mean_between(seconds, seconds + 1)).astype(int)
    if "hr_255" in quirks:
        rates_bpm[2:5] = _SENSOR_FAULT_BPM
    oxygen_percent = np.random.default_rng([recording.seed, 98]).integers(97, 100, len(seconds))
    files = {"gt_HR.csv": _lines(rates_bpm, "HR", "\r\n"), "gt_SpO2.csv": _lines(oxygen_percent, "SpO2", "\r\n")}
    if "no_wave" not in quirks:
        times_s = np.arange(math.floor(label_s * _WAVE_HZ) + 1) / _WAVE_HZ
        files["wave.csv"] = _lines(np.rint(60 + 32 * pulse.wave(times_s)).astype(int), "Wave", "\r\n")
    if "no_time_file" not in quirks:
        files["time.txt"] = _lines(np.rint(1000 * recording.times_s()).astype(int))
    with atomic_folder(root / recording.path) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        write_video(folder / "video.avi", recording.frames(), CODECS[recording.codec], recording.scene.size_px, _CONTAINER_HZ)


def _finish_vipl(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    atomic_write_bytes(root / "Missing_data.txt", _lines(["p1/v7/source1"]))
    for name, quirk in (("Additional_data.txt", "second_take"), ("NIR.txt", "nir")):
        listed = [one.path.removeprefix("data/") for one in recordings if quirk in one.quirks]
        atomic_write_bytes(root / name, _lines(listed))


# MMSE-HR: two pairs of trees, images in one and physiology at 1 kHz in the other

_MMSE_SIZE_PX = (360, 480)
_PHYSIOLOGY_HZ = 1000.0
# images, physiology, tasks
_TREES = (
    ("first 10 subjects 2D", "first 10 subjects Phydata released/Phydata", (1, 10)),
    ("T10_T11_30Subjects", "T10_T11_30PhyBPHRData", (10, 11)),
)
# number of the recording -> quirk
_MMSE_QUIRKS = {1: ("short_label",), 2: ("unpadded_names",), 3: ("no_pressure",)}


def _plan_mmse(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
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


def _write_mmse(root: Path, recording: RecordingPlan) -> None:
    images, subject, task = recording.path.split("/")
    physiology = root / {one: other for one, other, _ in _TREES}[images] / subject / task
    pulse, times_s = recording.scene.pulse, np.arange(math.ceil(recording.label_s() * _PHYSIOLOGY_HZ)) / _PHYSIOLOGY_HZ
    rates_bpm = [f"{value:.3f}" for value in pulse.heart_rate_bpm(times_s).tolist()]
    atomic_write_bytes(physiology / "Pulse Rate_BPM.txt", _lines(rates_bpm))
    if "no_pressure" not in recording.quirks:
        pressure_mmhg = [f"{value:.3f}" for value in (97 + 20 * pulse.wave(times_s)).tolist()]
        atomic_write_bytes(physiology / "BP_mmHg.txt", _lines(pressure_mmhg))
    digits = 1 if "unpadded_names" in recording.quirks else 3
    with atomic_folder(root / recording.path) as folder:
        for index, (_, image) in enumerate(recording.frames()):
            (folder / f"{index:0{digits}d}.jpg").write_bytes(encode_jpeg(image))


# user videos: mp4 with varying frame times, avi, labels with a column of times

_FOLDER_SIZE_PX = (480, 360)
_PPG_HZ = 64.0
# scenario, suffix, codec, camera, quirks
_REST = ("rest", ".mp4", "h264-mp4", Camera(29.0, jitter=0.10), ("pts_jitter",))
_TASK = ("task", ".avi", "mjpeg-avi", Camera(30.0), ())
_FREE = ("free", ".avi", "mpeg4-avi", Camera(30.0), ("unlabeled",))


def _plan_folder(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
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


def _write_folder(root: Path, recording: RecordingPlan) -> None:
    pulse, label_s = recording.scene.pulse, recording.label_s()
    if recording.scenario == "rest":
        times_s = np.arange(int(label_s) + 1, dtype=np.float64)
        rates_bpm = pulse.mean_between(times_s, times_s + 1)
        rows = [f"{time_s:.1f},{value:.2f}" for time_s, value in zip(times_s.tolist(), rates_bpm.tolist(), strict=True)]
        atomic_write_bytes(root / f"{recording.recording_id}.csv", _lines(rows, "time_s,heart_rate_bpm"))
    elif recording.scenario == "task":
        times_s = np.arange(int(label_s * _PPG_HZ) + 1) / _PPG_HZ
        rows = [f"{time_s:.6f},{value:.5f}" for time_s, value in zip(times_s.tolist(), pulse.wave(times_s).tolist(), strict=True)]
        atomic_write_bytes(root / f"{recording.recording_id}.csv", _lines(rows, "time_s,ppg"))
    codec = CODECS[recording.codec]
    rate_hz = None if codec.container == "mp4" else recording.camera.rate_hz
    with atomic_path(root / recording.path) as temporary:
        write_video(temporary, recording.frames(), codec, recording.scene.size_px, rate_hz)


def _finish_folder(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    columns = {"rest": ("heart_rate", "heart_rate_bpm"), "task": ("pulse", "ppg")}
    entries: list[dict[str, Any]] = []
    for one in recordings:
        entries.append({"video": one.path, "id": one.recording_id, "subject": one.subject, "scenario": one.scenario})
        if one.scenario in columns:
            kind, column = columns[one.scenario]
            label = {"kind": kind, "file": f"{one.recording_id}.csv", "column": column, "time_column": "time_s"}
            entries[-1]["label"] = [label]
    atomic_write_text(root / "database.toml", tomli_w.dumps({"name": "synthetic study", "recording": entries}))


LAYOUTS: dict[str, Layout] = {
    "vipl-hr": Layout(_plan_vipl, _write_vipl, _finish_vipl, 107),
    "mmse-hr": Layout(_plan_mmse, _write_mmse, lambda *_: None, 40),
    "folder": Layout(_plan_folder, _write_folder, _finish_folder, 999),
}
"""Name -> layout."""
SETTINGS = ("easy", "hard", "mixed")
"""Names of the settings."""
