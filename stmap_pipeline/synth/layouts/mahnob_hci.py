"""MAHNOB-HCI: numbered sessions with a video of 61 frames/s and a BDF file whose channel Status says when the video ran."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.databases.mahnob_hci import ECG_CHANNEL, STATUS_CHANNEL
from stmap_pipeline.files import atomic_write_bytes, atomic_write_text
from stmap_pipeline.simulation.pulse import Pulse
from stmap_pipeline.synth.layouts.base import Layout, Shot, plan_shots, write_file
from stmap_pipeline.synth.recordings import Camera, RecordingPlan

_SIGNAL_HZ = 256
# the device records before and after the video
_BEFORE_S, _AFTER_S = 4.0, 3.0
_DIGITAL = 2**23


def _plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    shots = []
    for number in range(1, subjects + 1):
        session = 130 * number
        stem = f"P{number}-Rec1-2009.07.22.13.11.59_C1 trigger _C_Section_2"
        shots.append(
            Shot(number, f"session{session:04d}", f"P{number:02d}", "emotion", f"Sessions/{session}/{stem}.avi", Camera(61.0))
        )
    return plan_shots(shots, seed, setting, duration_s, size_px=(340, 344), codec="mpeg4-avi")


def _write(root: Path, recording: RecordingPlan) -> None:
    folder = (root / recording.path).parent
    times_s = np.arange(round((_BEFORE_S + recording.label_s() + _AFTER_S) * _SIGNAL_HZ)) / _SIGNAL_HZ - _BEFORE_S
    status = np.where((times_s >= 0) & (times_s <= recording.label_s()), 16.0, 0.0)
    lead = 800 * electrocardiogram(recording.scene.pulse, times_s)
    subject = int(recording.subject[1:])
    atomic_write_bytes(
        folder / f"Part_{subject}_S_Trial1_emotion.bdf", bdf({ECG_CHANNEL: lead, STATUS_CHANNEL: status}, _SIGNAL_HZ)
    )
    atomic_write_text(
        folder / "session.xml", f'<?xml version="1.0"?>\n<session cutLenSec="{recording.label_s():.2f}" vidRate="61"/>\n'
    )
    write_file(root, recording)


def electrocardiogram(pulse: Pulse, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a simple electrocardiogram of a pulse: P, QRS and T waves as bells at fixed parts of each beat, the R wave of height 1."""
    beats, interval_s = pulse.beats(times_s), 60 / pulse.heart_rate_bpm(times_s)
    wave = np.zeros(len(times_s))
    for at_s, width_s, height in (
        (-0.16, 0.022, 0.12),
        (-0.026, 0.009, -0.12),
        (0.0, 0.010, 1.0),
        (0.026, 0.009, -0.2),
        (0.24, 0.045, 0.28),
    ):
        distance_s = ((beats - at_s / interval_s + 0.5) % 1.0 - 0.5) * interval_s
        wave += height * np.exp(-0.5 * (distance_s / width_s) ** 2)
    return wave


def bdf(channels: dict[str, npt.NDArray[np.float64]], rate_hz: int) -> bytes:
    """Return signals as a BDF file of records of a second, with 24 bits a sample and a physical unit of 1/32.

    References
    ----------
    BioSemi, "Which file format does BioSemi use": EDF with 24 bits.
    """
    count = len(channels)
    seconds = -(-max(map(len, channels.values())) // rate_hz)
    scale = 32.0

    def fields(texts: list[str], width: int) -> bytes:
        return "".join(text.ljust(width) for text in texts).encode("ascii")

    header = (
        b"\xffBIOSEMI" + fields(["", ""], 80) + fields(["22.07.09", "13.11.59", str(256 * (count + 1))], 8) + fields(["24BIT"], 44)
    )
    header += fields([str(seconds), "1"], 8) + fields([str(count)], 4)
    header += fields(list(channels), 16) + fields(["Active Electrode"] * count, 80) + fields(["uV"] * count, 8)
    limit = round(_DIGITAL / scale)
    header += fields([str(-limit)] * count, 8) + fields([str(limit)] * count, 8)
    header += fields([str(-_DIGITAL)] * count, 8) + fields([str(_DIGITAL - 1)] * count, 8)
    header += fields([""] * count, 80) + fields([str(rate_hz)] * count, 8) + fields([""] * count, 32)
    samples = np.zeros((count, seconds * rate_hz), np.int32)
    for row, values in zip(samples, channels.values(), strict=True):
        row[: len(values)] = np.rint(values * scale)
    records = samples.reshape(count, seconds, rate_hz).transpose(1, 0, 2).astype("<i4")
    return header + np.ascontiguousarray(records).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


LAYOUT = Layout(_plan, _write, lambda *_: None, 27)
