"""BP4D+: 140 subjects in ten emotional tasks, with heart rate and blood pressure at 1 kHz.

The layout is that of the loader of rPPG-Toolbox (ubicomplab, ``BP4DPlusLoader``), which reads the images from a zip archive of each subject; they
are read there here too, or from unpacked folders. What it says of defects is in ``DATABASE``. The three folds are its published splits of
the subjects (``dataset/BP4D_BigSmall_Subject_Splits``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stmap_pipeline.databases.base import Database, folds_of, in_order
from stmap_pipeline.databases.mmse_hr import CITATION, find_pairs, pair_recording
from stmap_pipeline.records import Recording

NAME = "bp4d-plus"
_ABSENT = "F042_T11"

LAYOUT = """\
2D+3D/F001.zip                            images F001/T1/*.jpg of each task, 25 frames/s; or unpacked: any folder F001/T1 of images
Physiology/F001/T1/Pulse Rate_BPM.txt     heart rate in bpm, one number a line, 1000 Hz
                   BP_mmHg.txt            blood pressure, one number a line, 1000 Hz
Subjects F001..F082 and M001..M058, tasks T1..T10; the names above F001 do not matter.
"""


@functools.cache
def published_folds() -> dict[str, int]:
    """Return the fold, 1 to 3, of each of the 140 subjects.

    Examples
    --------
    >>> folds = published_folds()
    >>> len(folds), folds["F006"]
    (140, 1)
    """
    return folds_of("bp4d_plus_folds.csv")


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each recording under ``root``, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where there is no such tree, or two folders of images or of physiology for one recording.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     physiology = Path(name) / "Physiology" / "F001" / "T1"
    ...     physiology.mkdir(parents=True)
    ...     (physiology / "BP_mmHg.txt").touch()
    ...     (Path(name) / "2D+3D").mkdir()
    ...     (Path(name) / "2D+3D" / "F001.zip").touch()
    ...     [(one.recording_id, one.video.path.name, one.video.member) for one in list_recordings(Path(name))]
    [('F001_T01', 'F001.zip', 'F001/T1')]
    """
    pairs = find_pairs(root, "BP4D+")
    return in_order(_recording(pair_recording(one, NAME, fold=published_folds().get(one.key.split("_")[0]))) for one in pairs)


def _recording(one: Recording) -> Recording:
    if one.recording_id == _ABSENT and not one.skip_reason and one.video.member:
        return replace(one, skip_reason="absent", skip_message="the database has physiology of this task and no images")
    return one


DATABASE = Database(
    name=NAME,
    title="BP4D+: 140 subjects in ten emotional tasks, with blood pressure",
    license="no open license: research use under the agreement signed with the authors",
    access="https://www.cs.binghamton.edu/~lijun/Research/3DFE/3DFE_Analysis.html, under its agreement",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=140,
    videos=1400,
    cameras="one color camera, about 1040x1392",
    frame_rate="25 frames/s",
    labels="heart rate and blood-pressure wave (1 kHz)",
    terms="agreement",
    splits="three subject-exclusive folds of rPPG-Toolbox, which come with stmap",
    defects=(
        "F042_T11 has physiology and no images: it is listed as absent",
        "five videos have less than 180 frames, by rPPG-Toolbox: they get no window, or fail as too short",
    ),
)
