"""UBFC-rPPG, both parts: DATASET_1 with 8 videos, DATASET_2 with 42.

The layout is that of the description that comes with the database, and of the loaders of pyVHR (phuselab, ``ubfc1`` and ``ubfc2``) and
rPPG-Toolbox (ubicomplab, ``UBFCrPPGLoader``, which reads DATASET_2 alone). In DATASET_2 the oximeter's values were brought to the frames:
line 3 has the time of each frame, which the container, at a nominal 30 frames/s, does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, file_named, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "ubfc-rppg"
_ROWS, _LINES = "gtdump.xmp", "ground_truth.txt"
_FIRST = re.compile(r"([0-9]{1,4})-gt|(after-exercise)", re.I)
_SECOND = re.compile(r"subject([0-9]{1,4})", re.I)
# the authors ask that no picture of these subjects is published
CONFIDENTIAL = (21, 27)

LAYOUT = """\
DATASET_1/5-gt/*.avi               one video a folder, whatever its name; folders 5-gt, 6-gt, ..., 12-gt and after-exercise
               gtdump.xmp          no header: time in ms, heart rate in bpm, SpO2, pulse wave; about 62 rows a second
DATASET_2/subject1/vid.avi         subject1..subject49
                   ground_truth.txt   three lines, a number for each frame: pulse wave, heart rate in bpm, time in s
The folders may lie at any depth; one of the two parts is enough.
"""

CITATION = """\
@article{bobbia2019ubfc,
  title   = {Unsupervised skin tissue segmentation for remote photoplethysmography},
  author  = {Bobbia, Serge and Macwan, Richard and Benezeth, Yannick and Mansouri, Alamin and Dubois, Julien},
  journal = {Pattern Recognition Letters},
  volume  = {124},
  pages   = {82--90},
  year    = {2019},
  doi     = {10.1016/j.patrec.2017.10.017}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each recording under ``root``, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where there is no such tree, or one recording stands in two places.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for folder in ("DATASET_1/5-gt", "DATASET_2/subject1"):
    ...         (Path(name) / folder).mkdir(parents=True)
    ...         (Path(name) / folder / "vid.avi").touch()
    ...     [(one.recording_id, one.clock.kind) for one in list_recordings(Path(name))]
    [('dataset1_05', 'pts'), ('subject01', 'pts')]
    """
    root = source_folder(root)
    found: dict[str, Recording] = {}
    for folder, names in walk(root):
        first, second = _FIRST.fullmatch(folder.name), _SECOND.fullmatch(folder.name)
        videos = [name for name in names if name.casefold().endswith(".avi")]
        if first and (videos or file_named(names, _ROWS) in names):
            one = _first(folder, names, videos, first[1].zfill(2) if first[1] else "after-exercise")
        elif second and (videos or file_named(names, _LINES) in names):
            one = _second(folder, names, int(second[1]))
        else:
            continue
        add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "UBFC-rPPG", "folders subject1 with vid.avi and 5-gt with gtdump.xmp at any depth")
    return in_order(found.values())


def _first(folder: Path, names: list[str], videos: list[str], name: str) -> Recording:
    labels = folder / file_named(names, _ROWS)
    notes = [f"{len(videos)} videos in the folder: the first one is taken"] if len(videos) > 1 else []
    if name == "after-exercise":
        notes.append("it is not published whether this person is also in another recording")
    return Recording(
        f"dataset1_{name}",
        NAME,
        f"dataset1_{name}",
        VideoSource(folder / (videos[0] if videos else "vid.avi")),
        labels=(
            LabelSource("heart_rate", labels, column=1, time_column=0, time_unit_s=0.001, format="csv"),
            LabelSource("pulse", labels, column=3, time_column=0, time_unit_s=0.001, format="csv"),
        ),
        scenario="dataset1",
        notes=tuple(notes),
    )


def _second(folder: Path, names: list[str], number: int) -> Recording:
    labels = folder / file_named(names, _LINES)
    there = labels.name in names
    note = "line 3 of ground_truth.txt; the container's rate is nominal" if there else f"no {_LINES}: the container's nominal rate"
    return Recording(
        f"subject{number:02d}",
        NAME,
        f"subject{number:02d}",
        VideoSource(folder / file_named(names, "vid.avi")),
        clock=ClockSource("times_file", labels, column=2, note=note) if there else ClockSource(note=note),
        labels=(
            LabelSource("heart_rate", labels, column=1, time_column=2, format="rows"),
            LabelSource("pulse", labels, column=0, time_column=2, format="rows"),
        ),
        scenario="dataset2",
        notes=("the authors ask that no picture of this person is published",) if number in CONFIDENTIAL else (),
    )


DATABASE = Database(
    name=NAME,
    title="UBFC-rPPG: 50 face videos with the pulse of a finger, in two parts",
    license="no license text; to be cited",
    access="https://sites.google.com/view/ybenezeth/ubfcrppg",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=50,
    videos=50,
    cameras="one webcam, 640x480, uncompressed",
    frame_rate="about 28.7 frames/s (DATASET_1), 29 to 30 (DATASET_2, by the times in ground_truth.txt)",
    labels="heart rate and pulse wave of a finger oximeter (CMS50E)",
    terms="form",
    defects=(
        "pictures of subjects 21 and 27 must not be published: their recordings have a note",
        "DATASET_2 numbers its 42 subjects up to 49: the numbers between are not missing",
        "it is not published whether people of DATASET_1 are also in DATASET_2: subject-exclusive folds take them as different",
    ),
)
