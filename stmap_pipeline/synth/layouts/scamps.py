"""SCAMPS: one MATLAB 7.3 file for each recording, with frames from 0 to 1 and a pulse wave."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from stmap_pipeline.databases.scamps import FRAME_RATE_HZ
from stmap_pipeline.files import atomic_path
from stmap_pipeline.synth.layouts.base import Layout, Shot, plan_shots
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_USER_BLOCK_BYTES = 512


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    keys = [f"P{number:06d}" for number in range(1, subjects + 1)]
    shots = [Shot(number, key, key, "", f"{key}.mat", Camera(FRAME_RATE_HZ)) for number, key in enumerate(keys, 1)]
    return plan_shots(shots, seed, setting, duration_s, size_px=(240, 240), codec="mat")


def _write(root: Path, recording: RecordingPlan) -> None:
    times_s = recording.times_s()
    with atomic_path(root / recording.path) as temporary:
        with h5py.File(temporary, "w", userblock_size=_USER_BLOCK_BYTES) as file:
            width, height = recording.scene.size_px
            shape = (len(times_s), height, width, 3)
            frames = file.create_dataset(
                "Xsub",
                shape,
                np.float32,
                chunks=(4, *shape[1:]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
                track_times=False,
            )
            for index, (_, image) in enumerate(recording.frames()):
                frames[index] = image.astype(np.float32) / np.float32(255)
            file.create_dataset("d_ppg", data=recording.scene.pulse.wave(times_s)[:, None], track_times=False)
        with temporary.open("r+b") as opened:  # the header of MATLAB, in the block that HDF5 leaves to others
            opened.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


LAYOUT = Layout(_plan, _write, lambda *_: None, 2800)
