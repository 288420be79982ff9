"""The layout of VIPL-HR, its quirks included: folders p1/v1/source1 with video, times and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.files import atomic_folder, atomic_write_bytes
from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.labels import SENSOR_FAULT_BPM, heart_rate_rows, lines, oxygen_rows, wave_rows
from stmap_pipeline.synth.recording import Camera, Casting, RecordingPlan

MOST_SUBJECTS = 107
_ABSENT = "p1/v7/source1"
_SIZES = ((352, 356), (384, 388), (340, 344), (400, 404))
# scenario names of the hard setting: large motion, phone in motion, other light
_HARD = {"v1": "v2", "v6": "v9", "v7": "v5"}
_CONTAINER_HZ = 25.0


@dataclass(frozen=True, slots=True)
class _Shot:
    scenario: str
    source: int
    rate_hz: float
    quirks: tuple[str, ...] = ()
    take: int = 1


# the first two subjects show each quirk once
_FIRST = (
    _Shot("v1", 1, 25.2),
    _Shot("v1", 1, 29.8, ("second_take",), take=2),
    _Shot("v1", 2, 30.0, ("no_time_file", "long_label")),
    _Shot("v1", 3, 30.0),
    _Shot("v1", 4, 30.0, ("nir",)),
    _Shot("v7", 2, 30.0, ("no_time_file",)),
)
_SECOND = (
    _Shot("v1", 1, 16.4, ("slow_16",)),
    _Shot("v1", 2, 30.0, ("no_time_file", "no_wave")),
    _Shot("v1", 3, 29.6, ("hr_255",)),
    _Shot("v7", 1, 25.0, ("short_label",)),
)
_LATER = (_Shot("v1", 1, 25.0), _Shot("v6", 2, 30.0, ("no_time_file",)), _Shot("v7", 1, 29.8))
_LATER_SLOW = (_Shot("v1", 1, 16.2, ("slow_16",)), *_LATER[1:])


def _shots(subject: int) -> tuple[_Shot, ...]:
    if subject <= 2:
        return _FIRST if subject == 1 else _SECOND
    return _LATER_SLOW if subject % 5 == 0 else _LATER


def plan(subjects: int, seed: int, setting: str, duration_s: float, archive_folders: bool = False) -> list[RecordingPlan]:
    """Plan the recordings of a tree.

    Parameters
    ----------
    subjects, seed : int
    setting : {"easy", "hard", "mixed"}
    duration_s : float
    archive_folders : bool
        Whether a folder such as ``p1-5`` stands above the subjects, as some ways to unpack the archives leave it.
    """
    shots = [(subject, shot) for subject in range(1, subjects + 1) for shot in _shots(subject)]
    cast = Casting(seed, setting, duration_s, sum(shot.source != 4 for _, shot in shots))
    plans: list[RecordingPlan] = []
    index = -1
    for subject, shot in shots:
        # the infrared camera sees what the color camera beside it sees
        index += shot.source != 4
        look, scene = cast.scene(index, subject, _SIZES[index % len(_SIZES)])
        name = (_HARD[shot.scenario] if look == "hard" else shot.scenario) + (f"-{shot.take}" if shot.take > 1 else "")
        first = (subject - 1) // 5 * 5 + 1
        level = f"p{first}-{first + 4}/" if archive_folders else ""
        phone = shot.source == 2
        plans.append(
            RecordingPlan(
                recording_id=f"p{subject:03d}_{name}_source{shot.source}",
                subject=f"p{subject:03d}",
                scenario=name.partition("-")[0],
                place=f"data/{level}p{subject}/{name}/source{shot.source}",
                setting=look,
                scene=scene,
                camera=Camera(shot.rate_hz) if phone else Camera(shot.rate_hz, jitter=0.06, whole_ms=True),
                seed=100_000 * seed + index,
                duration_s=duration_s,
                codec="mpeg4-avi" if phone and subject % 2 == 0 else "mjpeg-avi",
                quirks=("container_25", *shot.quirks),
            )
        )
    return plans


def write(root: Path, recording: RecordingPlan) -> None:
    """Write one recording; its folder comes into being when all of it is there."""
    scene, quirks = recording.scene, recording.quirks
    with atomic_folder(root / recording.place) as folder:
        write_video(folder / "video.avi", recording.frames(), CODECS[recording.codec], scene.size_px, _CONTAINER_HZ)
        label_s = recording.label_s()
        rates = heart_rate_rows(scene.pulse, label_s)
        if "hr_255" in quirks:
            rates[2:5] = [SENSOR_FAULT_BPM] * len(rates[2:5])
        files = {
            "gt_HR.csv": lines(rates, "HR", "\r\n"),
            "gt_SpO2.csv": lines(oxygen_rows(recording.seed, label_s), "SpO2", "\r\n"),
        }
        if "no_wave" not in quirks:
            files["wave.csv"] = lines(wave_rows(scene.pulse, label_s), "Wave", "\r\n")
        if "no_time_file" not in quirks:
            files["time.txt"] = lines(round(1000 * time_s) for time_s in recording.times_s().tolist())
        for name, data in files.items():
            (folder / name).write_bytes(data)


def finish(root: Path, recordings: Sequence[RecordingPlan]) -> None:
    """Write the lists that the database ships beside its data."""

    def listed(quirk: str) -> bytes:
        return lines("/".join(one.place.split("/")[-3:]) for one in recordings if quirk in one.quirks)

    atomic_write_bytes(root / "Missing_data.txt", lines([_ABSENT]))
    atomic_write_bytes(root / "Additional_data.txt", listed("second_take"))
    atomic_write_bytes(root / "NIR.txt", listed("nir"))
