"""MMPD: 33 subjects before a phone, each recording one MATLAB file with frames, pulse wave and labels of the situation.

The layout is that of the authors' description (McJackTang, ``MMPD_rPPG_dataset``) and of the loader of rPPG-Toolbox (ubicomplab,
``MMPDLoader``), which takes the axes of ``video`` as time, height, width, color. The files are of MATLAB 5 (they are read by ``scipy.io.loadmat``
there), so a recording is loaded as a whole: up to 2 GB. The frame rate is that of the paper. What the situation was is read from
``meta_label.csv``, where it is there; listing opens no MATLAB file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, in_order, no_recordings, rows_of, source_folder, walk
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "mmpd"
FRAME_RATE_HZ = 30.0
_FILE = re.compile(r"p([0-9]{1,4})_([0-9]{1,3})\.mat", re.I)
_LABELS = "meta_label.csv"
_COLUMNS = ("light", "exercise", "skin_color", "gender", "glasser", "hair_cover", "makeup")
# an older release calls walking so
_OLD_MOTIONS = {"Watching Videos": "Walking"}

LAYOUT = """\
subject1/p1_0.mat   video (time, height, width, 3), GT_ppg (a value for each frame), light, motion, ...; 30 frames/s;
                    subject1..subject33, p1_0..p1_19, at any depth; full (320x240) or mini (80x60)
meta_label.csv      optional: p, light, motion, exercise, skin_color, gender, glasser, hair_cover, makeup, file
"""

CITATION = """\
@inproceedings{tang2023mmpd,
  title     = {{MMPD}: Multi-Domain Mobile Video Physiology Dataset},
  author    = {Tang, Jiankai and Chen, Kequan and Wang, Yuntao and Shi, Yuanchun and Patel, Shwetak and McDuff, Daniel and Liu, Xin},
  booktitle = {International Conference of the IEEE Engineering in Medicine and Biology Society (EMBC)},
  pages     = {1--5},
  year      = {2023},
  doi       = {10.1109/EMBC40787.2023.10340857}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each recording under ``root``, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where there is no such tree, one recording stands in two places, or ``meta_label.csv`` cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "subject3").mkdir()
    ...     (Path(name) / "subject3" / "p3_12.mat").touch()
    ...     [(one.recording_id, one.video.member) for one in list_recordings(Path(name))]
    [('p03_12', 'video')]
    """
    root = source_folder(root)
    files: list[Path] = []
    situations: dict[str, dict[str, str]] = {}
    for folder, names in walk(root):
        files += [folder / name for name in names if _FILE.fullmatch(name)]
        for name in names:
            if name.casefold() == _LABELS:
                situations |= {Path(file).name.casefold(): row for file, row in rows_of(folder / name, "file").items()}
    found: dict[str, Recording] = {}
    for path in files:
        one = _recording(path, situations.get(path.name.casefold(), {}))
        add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "MMPD", "subject1/p1_0.mat at any depth")
    return in_order(found.values())


def _recording(path: Path, situation: dict[str, str]) -> Recording:
    match = _FILE.fullmatch(path.name)
    assert match  # noqa: S101
    subject, number = int(match[1]), int(match[2])
    motion = situation.get("motion", "")
    return Recording(
        f"p{subject:02d}_{number:02d}",
        NAME,
        f"p{subject:02d}",
        VideoSource(path, "array", "video"),
        clock=ClockSource("constant", rate_hz=FRAME_RATE_HZ, note="the file has no times: the rate of the paper"),
        labels=(LabelSource("pulse", path, "GT_ppg", per_frame=True, format="matlab"),),
        scenario=_OLD_MOTIONS.get(motion, motion),
        extras={column: situation[column] for column in _COLUMNS if situation.get(column)},
    )


DATABASE = Database(
    name=NAME,
    title="MMPD: 33 subjects of four skin tones before a phone, in four lights and motions",
    license="academic use under the release agreement; no commercial use",
    access="the release agreement of https://github.com/McJackTang/MMPD_rPPG_dataset, by a faculty member",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=33,
    consecutive=True,
    videos=660,
    cameras="one phone, 320x240 (full release, 370 GB) or 80x60 (mini, 48 GB)",
    frame_rate="30 frames/s, nominal",
    labels="pulse wave of the finger, one value for each frame; no heart rate",
    terms="agreement",
    defects=(
        "a file is loaded as a whole, up to 2 GB: use as many --jobs as the memory allows",
        "older releases call the motion Walking 'Watching Videos': it is corrected",
        "faces of the mini release may be too small for the face detector: take the full one",
    ),
)
