"""V4V (Vision for Vitals): videos of the BP4D+ family, with the heart rate of each frame and blood pressure at 1 kHz.

The layout is that of public loaders: of face_model_training (Benjabby, ``datasets/v4v.py``: the training set, where ``Physiology/F001_T1.txt`` has a
line of heart rates and one of breathing rates) and of loaders of the whole delivery in two phases, where the values of the validation and test
sets stand in one file each, a line ``F001_T1.mkv, HR, 78.1, ...`` for each video, and the blood pressure in ``val_set_bp`` and ``test_set_bp``. The names of the
folders differ between copies, so files are paired by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import LabelSource, Recording, VideoSource

NAME = "v4v"
PRESSURE_RATE_HZ = 1000.0
_VIDEO = re.compile(r"([A-Z][0-9]{1,4})_T([0-9]{1,3})\.mkv", re.I)
_PRESSURE = re.compile(r"([A-Z][0-9]{1,4})-T([0-9]{1,3})(?:-BP)?\.txt", re.I)
_RATES = re.compile(r"([A-Z][0-9]{1,4})_T([0-9]{1,3})\.txt", re.I)
_RELEASE = re.compile(r"(validation|test)_set_gt_release\.txt", re.I)
# folders of videos -> set
_SETS = {"train": "train", "valid": "validation", "test": "test"}

LAYOUT = """\
Phase 1_ Training_Validation sets/Videos/train-001_of_002/F001_T1.mkv ...   video, 25 frames/s; also valid/
                                  Ground truth/Physiology/F001_T1.txt       line 1: heart rate of each frame
                                               BP_raw_1KHz/F001-T1-BP.txt   blood pressure, one number a line, 1000 Hz
Phase 2_ Testing set/Videos/Test/test/F003_T2.mkv
                     validation_set_gt_release.txt, test_set_gt_release.txt a line 'F003_T2.mkv, HR, 78.1, ...' for each video
                     blood_pressure/val_set_bp/F002-T1.txt, test_set_bp/    blood pressure
The names of the folders do not matter; the set is taken from the one of the video where it says train, valid or test.
"""

CITATION = """\
@inproceedings{revanur2021v4v,
  title     = {The First Vision for Vitals ({V4V}) Challenge for Non-Contact Video-Based Physiological Estimation},
  author    = {Revanur, Ambareesh and Li, Zhihua and Ciftci, Umur A. and Yin, Lijun and Jeni, L{\\'a}szl{\\'o} A.},
  booktitle = {IEEE/CVF International Conference on Computer Vision Workshops (ICCVW)},
  pages     = {2760--2767},
  year      = {2021}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each video under ``root``, in the order of the ids; ``extras`` has its ``split`` (train, validation, test).

    Raises
    ------
    DatabaseError
        Where there is no such tree, or one video stands in two places.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "Videos" / "valid").mkdir(parents=True)
    ...     (Path(name) / "Videos" / "valid" / "F001_T1.mkv").touch()
    ...     [(one.recording_id, one.extras["split"]) for one in list_recordings(Path(name))]
    [('F001_T01', 'validation')]
    """
    root = source_folder(root)
    videos: list[tuple[str, Path]] = []
    pressures: dict[str, Path] = {}
    rates: dict[str, Path] = {}
    releases: dict[str, Path] = {}
    for folder, names in walk(root):
        for name in names:
            if match := _VIDEO.fullmatch(name):
                videos.append((_key(match), folder / name))
            elif match := _RELEASE.fullmatch(name):
                releases[match[1].casefold()] = folder / name
            elif match := _PRESSURE.fullmatch(name):
                pressures[_key(match)] = folder / name
            elif match := _RATES.fullmatch(name):
                rates[_key(match)] = folder / name
    found: dict[str, Recording] = {}
    for key, path in videos:
        one = _recording(root, key, path, pressures.get(key), rates.get(key), releases)
        add_once(root, found, key, one)
    if not found:
        raise no_recordings(root, "V4V", "F001_T1.mkv at any depth")
    return in_order(found.values())


def _key(match: re.Match[str]) -> str:
    return f"{match[1][0].upper()}{int(match[1][1:]):03d}_T{int(match[2]):02d}"


def _recording(root: Path, key: str, path: Path, pressure: Path | None, rates: Path | None, releases: dict[str, Path]) -> Recording:
    folders = "/".join(path.relative_to(root).parts[:-1]).casefold().rpartition("videos")[2]
    split = next((name for word, name in _SETS.items() if word in folders), "")
    labels: list[LabelSource] = []
    if rates or split in releases:
        column: str | int = 0 if rates else f"{path.name} HR"
        labels.append(LabelSource("heart_rate", rates or releases[split], column, per_frame=True, format="rows"))
    if pressure:
        labels.append(LabelSource("pulse", pressure, rate_hz=PRESSURE_RATE_HZ))
    subject, task = key.split("_")
    return Recording(
        key,
        NAME,
        subject,
        VideoSource(path),
        labels=tuple(labels),
        scenario=f"T{int(task[1:])}",
        notes=() if labels else ("no file of heart rates or blood pressure: the recording has no label",),
        extras={"split": split} if split else {},
    )


DATABASE = Database(
    name=NAME,
    title="V4V: the Vision for Vitals challenge, with the heart rate of each frame and blood pressure",
    license="no open license: research use under the agreement with its authors",
    access="https://vision4vitals.github.io, under its agreement",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    cameras="one color camera, compressed",
    frame_rate="25 frames/s",
    labels="heart rate of each frame, blood-pressure wave (1 kHz)",
    terms="agreement",
    splits="the challenge's sets train, validation and test, from the folders of the videos, in the column split",
    defects=(
        "the blood pressure of some recordings goes below 0 mmHg, by public code that reads it: windows without clear beats get no label",
    ),
)
