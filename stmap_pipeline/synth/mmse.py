"""The layout of MMSE-HR: two pairs of trees, pictures in one and physiology at 1 kHz in the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stmap_pipeline.files import atomic_folder, atomic_write_bytes
from stmap_pipeline.synth.encode import encode_jpeg
from stmap_pipeline.synth.labels import lines, pressure_lines, pulse_rate_lines
from stmap_pipeline.synth.recording import Camera, Casting, RecordingPlan

MOST_SUBJECTS = 40
_SIZE_PX = (360, 480)
_FIRST_NUMBER = 13
# folder of pictures -> folder of physiology, and the tasks in that pair
_TREES = {
    "first 10 subjects 2D": "first 10 subjects Phydata released/Phydata",
    "T10_T11_30Subjects": "T10_T11_30PhyBPHRData",
}
_TASKS = {"first 10 subjects 2D": (1, 10), "T10_T11_30Subjects": (10, 11)}
# (number of the subject, number of the task) -> quirk
_QUIRKS = {(0, 1): ("short_label",), (1, 0): ("unpadded_names",), (1, 1): ("no_pressure",)}


def plan(subjects: int, seed: int, setting: str, duration_s: float) -> list[RecordingPlan]:
    """Plan the recordings of a tree: two for each subject."""
    cast = Casting(seed, setting, duration_s, 2 * subjects)
    plans: list[RecordingPlan] = []
    for number in range(subjects):
        tree = list(_TREES)[number % 2]
        subject = f"{'M' if number % 3 == 2 else 'F'}{_FIRST_NUMBER + number:03d}"
        for position, task in enumerate(_TASKS[tree]):
            index = 2 * number + position
            look, scene = cast.scene(index, number + 1, _SIZE_PX)
            plans.append(
                RecordingPlan(
                    recording_id=f"{subject}_T{task:02d}",
                    subject=subject,
                    scenario=f"T{task}",
                    place=f"{tree}/{subject}/T{task}",
                    setting=look,
                    scene=scene,
                    camera=Camera(25.0),
                    seed=100_000 * seed + index,
                    duration_s=duration_s,
                    codec="jpg",
                    quirks=_QUIRKS.get((number, position), ()),
                )
            )
    return plans


def write(root: Path, recording: RecordingPlan) -> None:
    """Write one recording: physiology first, then the folder of pictures as a whole."""
    tree, subject, task = recording.place.split("/")
    physiology = root / _TREES[tree] / subject / task
    pulse, label_s = recording.scene.pulse, recording.label_s()
    atomic_write_bytes(physiology / "Pulse Rate_BPM.txt", lines(pulse_rate_lines(pulse, label_s)))
    if "no_pressure" not in recording.quirks:
        atomic_write_bytes(physiology / "BP_mmHg.txt", lines(pressure_lines(pulse, label_s)))
    digits = 1 if "unpadded_names" in recording.quirks else 3
    with atomic_folder(root / recording.place) as folder:
        for index, (_, picture) in enumerate(recording.frames()):
            (folder / f"{index:0{digits}d}.jpg").write_bytes(encode_jpeg(picture))


def finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    """Write nothing: this database ships no lists."""
