"""UBFC-Phys: 56 subjects at rest, in a speech and in mental arithmetic, with the pulse wave of a wristband at 64 Hz.

The layout and the rates are those of the loaders of rPPG-Toolbox (ubicomplab, ``UBFCPHYSLoader``) and pyVHR (phuselab, ``ubfc_phys``). The
list of recordings that published results leave out is that of rPPG-Toolbox (``configs/infer_configs/UBFC-PHYS_UNSUPERVISED.yaml``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, file_named, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import LabelSource, Recording, VideoSource

NAME = "ubfc-phys"
PULSE_RATE_HZ = 64.0
_VIDEO = re.compile(r"vid_s([0-9]{1,4})_T([1-3])\.avi", re.I)
_PULSE = re.compile(r"bvp_s([0-9]{1,4})_T([1-3])\.csv", re.I)
_TASKS = {1: "rest", 2: "speech", 3: "arithmetic"}

LAYOUT = """\
s1/vid_s1_T1.avi   video, about 35 frames/s; T1 rest, T2 speech, T3 arithmetic; s1..s56, at any depth
   bvp_s1_T1.csv   pulse wave of the wrist, 64 Hz, one number a line, no header
   eda_s1_T1.csv   skin conductance, 4 Hz (not used)
   info_s1.txt     sex and group of the subject (not used)
"""

CITATION = """\
@article{meziati2021ubfcphys,
  title   = {{UBFC-Phys}: A Multimodal Database for Psychophysiological Studies of Social Stress},
  author  = {Meziati Sabour, Rita and Benezeth, Yannick and De Oliveira, Pierre and Chapp{\\'e}, Julien and Yang, Fan},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {14},
  number  = {1},
  pages   = {622--636},
  year    = {2021},
  doi     = {10.1109/TAFFC.2021.3056960}
}"""

# subjects by task
LEFT_OUT: dict[int, tuple[int, ...]] = {
    1: (3, 8, 9, 26, 28, 30, 31, 32, 33, 40, 52, 53, 54, 56),
    2: (1, 4, 6, 8, 9, 11, 12, 13, 14, 19, 21, 22, 25, 26, 27, 28, 31, 32, 33, 35, 38, 39, 41, 42, 45, 47, 48, 52, 53, 55),
    3: (5, 8, 9, 10, 13, 14, 17, 22, 25, 26, 28, 30, 32, 33, 35, 37, 40, 47, 48, 49, 50, 52, 53),
}
_LEFT_OUT_NOTE = "on the exclusion list of rPPG-Toolbox, which gives no reason; it is built here"


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
    ...     (Path(name) / "s7").mkdir()
    ...     (Path(name) / "s7" / "vid_s7_T2.avi").touch()
    ...     [(one.recording_id, one.scenario) for one in list_recordings(Path(name))]
    [('s07_T2', 'speech')]
    """
    root = source_folder(root)
    found: dict[tuple[int, int], Recording] = {}
    for folder, names in walk(root):
        keys = {
            (int(match[1]), int(match[2])) for name in names for pattern in (_VIDEO, _PULSE) if (match := pattern.fullmatch(name))
        }
        for subject, task in sorted(keys):
            one = _recording(folder, names, subject, task)
            add_once(root, found, (subject, task), one)
    if not found:
        raise no_recordings(root, "UBFC-Phys", "s1/vid_s1_T1.avi at any depth")
    return in_order(found.values())


def _recording(folder: Path, names: list[str], subject: int, task: int) -> Recording:
    part = f"s{subject}_T{task}"
    return Recording(
        f"s{subject:02d}_T{task}",
        NAME,
        f"s{subject:02d}",
        VideoSource(folder / file_named(names, f"vid_{part}.avi")),
        labels=(LabelSource("pulse", folder / file_named(names, f"bvp_{part}.csv"), rate_hz=PULSE_RATE_HZ),),
        scenario=_TASKS[task],
        notes=(_LEFT_OUT_NOTE,) if subject in LEFT_OUT[task] else (),
    )


DATABASE = Database(
    name=NAME,
    title="UBFC-Phys: 56 subjects at rest and under social stress, with the pulse of a wristband",
    license="research use; the terms are those of the site that it is had from",
    access="https://sites.google.com/view/ybenezeth/ubfc-phys, or IEEE DataPort (doi 10.21227/5da0-7344)",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=56,
    consecutive=True,
    videos=168,
    cameras="one color camera",
    frame_rate="about 35 frames/s",
    labels="pulse wave of the wrist (Empatica E4, 64 Hz), skin conductance; no heart rate",
    terms="form",
    defects=(
        f"rPPG-Toolbox leaves out {sum(map(len, LEFT_OUT.values()))} of the 168 recordings and gives no reason; they are built, with a note",
        "the last frame of some videos may be damaged: it is counted and skipped",
    ),
)
