"""The record of a layout, and what layouts share: plans of recordings, lines of text, pulse waves, image files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.files import atomic_folder, atomic_path
from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.recordings import Camera, RecordingPlan, draw_scene

SettingName = Literal["easy", "hard", "mixed"]
SETTINGS = ("easy", "hard", "mixed")
"""Names of the settings."""


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


@dataclass(frozen=True, slots=True)
class Shot:
    """One recording of a layout, before a scene is drawn for it.

    Parameters
    ----------
    person : int
        Number of the person, from 1.
    recording_id, subject, scenario, path : str
        As in :class:`~stmap_pipeline.synth.recordings.RecordingPlan`.
    camera : Camera
    quirks : tuple of str
    """

    person: int
    recording_id: str
    subject: str
    scenario: str
    path: str
    camera: Camera
    quirks: tuple[str, ...] = ()


def plan_shots(
    shots: Sequence[Shot], seed: int, setting: str, duration_s: float, *, size_px: tuple[int, int], codec: str
) -> list[RecordingPlan]:
    """Draw a scene for each shot."""
    plans: list[RecordingPlan] = []
    for index, shot in enumerate(shots):
        own_setting, scene = draw_scene(seed, setting, index, len(shots), shot.person, size_px)
        plans.append(
            RecordingPlan(
                recording_id=shot.recording_id,
                subject=shot.subject,
                scenario=shot.scenario,
                path=shot.path,
                setting=own_setting,
                scene=scene,
                camera=shot.camera,
                seed=100_000 * seed + index,
                duration_s=duration_s,
                codec=codec,
                quirks=shot.quirks,
            )
        )
    return plans


def lines(rows: Iterable[object], header: str = "", end: str = "\n") -> bytes:
    r"""Return rows of text as bytes.

    Examples
    --------
    >>> lines([75, 76], "HR", "\r\n")
    b'HR\r\n75\r\n76\r\n'
    """
    texts = [header] if header else []
    return "".join(f"{row}{end}" for row in [*texts, *rows]).encode()


def pulse_wave(recording: RecordingPlan, rate_hz: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return times and pulse wave as a device of this rate records them, as long as the label lasts."""
    times_s = np.arange(int(recording.label_s() * rate_hz) + 1) / rate_hz
    return times_s, recording.scene.pulse.wave(times_s)


def write_file(root: Path, recording: RecordingPlan, container_rate_hz: float | None = None) -> None:
    """Encode the video of a recording; without a rate, a container that can stores the times of the frames."""
    codec = CODECS[recording.codec]
    if container_rate_hz is None and codec.container == "avi":
        container_rate_hz = recording.camera.rate_hz
    with atomic_path(root / recording.path) as temporary:
        write_video(temporary, recording.frames(), codec, recording.scene.size_px, container_rate_hz)


def write_images(root: Path, recording: RecordingPlan, name: Callable[[int, float], str]) -> None:
    """Write the frames of a recording as image files; ``name(index, time_s)`` names each and decides its format."""
    with atomic_folder(root / recording.path) as folder:
        for index, (time_s, image) in enumerate(recording.frames()):
            (folder / name(index, time_s)).write_bytes(encode_image(image, Path(name(index, time_s)).suffix))


def encode_image(image: npt.NDArray[np.uint8], suffix: str) -> bytes:
    """Encode an image in the format of a suffix without loss."""
    good, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not good:
        raise ValueError(f"an image of shape {image.shape} cannot be encoded as {suffix}")
    return data.tobytes()
