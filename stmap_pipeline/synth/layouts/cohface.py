"""COHFACE: four sessions of each subject, two of them lit by a lamp, with an HDF5 file of signals at 256 Hz, and lists of protocols."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from stmap_pipeline.files import atomic_path, atomic_write_bytes
from stmap_pipeline.synth.layouts.base import Layout, Shot, lines, plan_shots, pulse_wave, write_file
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_SIGNAL_HZ = 256.0
_ILLUMINATION = {0: "lamp", 1: "lamp", 2: "natural", 3: "natural"}


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = [
        Shot(subject, f"s{subject:02d}_{session}", f"s{subject:02d}", light, f"{subject}/{session}/data.avi", Camera(20.0))
        for subject in range(1, subjects + 1)
        for session, light in _ILLUMINATION.items()
        if session in (0, 2) or subject == 1
    ]
    return plan_shots(shots, seed, setting, duration_s, size_px=(340, 344), codec="mpeg4-avi")


def _write(root: Path, recording: RecordingPlan) -> None:
    path = root / recording.path
    subject, session, _ = recording.path.split("/")
    times_s, wave = pulse_wave(recording, _SIGNAL_HZ)
    with atomic_path(path.with_suffix(".hdf5")) as temporary, h5py.File(temporary, "w") as file:
        for name, values in (("pulse", 90 + 400 * wave), ("respiration", 60 * np.sin(1.6 * times_s)), ("time", times_s)):
            file.create_dataset(name, data=values, track_times=False)
        file.attrs.update(
            {"sample-rate-hz": int(_SIGNAL_HZ), "illumination": _ILLUMINATION[int(session)], "client-id": int(subject)}
        )
        file.attrs.update({"session": int(session), "birth-date": "01.01.1980", "scale": "uV"})
    write_file(root, recording)


def _finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    stems = [one.path.removesuffix(".avi") for one in recordings]
    subjects = list(dict.fromkeys(one.subject for one in recordings))
    # as in the database, a subject is in one of the three sets alone
    sets = {subject: ("train", "test", "dev")[index % 3] for index, subject in enumerate(subjects)}
    for protocol, lights in (("all", ("lamp", "natural")), ("clean", ("lamp",)), ("natural", ("natural",))):
        inside = [
            (stem, one.subject)
            for stem, one in zip(stems, recordings, strict=True)
            if _ILLUMINATION[int(stem.split("/")[1])] in lights
        ]
        for name in ("all", "train", "dev", "test"):
            listed = [stem for stem, subject in inside if name in ("all", sets[subject])]
            atomic_write_bytes(root / "protocols" / protocol / f"{name}.txt", lines(listed))


LAYOUT = Layout(_plan, _write, _finish, 40)
