"""MCD-rPPG: 600 people before three cameras, at rest and after exercise, with a pulse wave brought to the frames.

The layout is that of the authors' notebook (ksyegorov, ``mcd_rppg``, ``Intro_to_mcd.ipynb``: the columns of db.csv and its paths) and of public
loaders: ``meta`` has the number and the capture time of each frame, the true frame rate (24 or 30 frames/s), which the container's
differs from; ``ppg_sync`` has for each frame the pulse wave and how far its sample lies from the frame, in seconds. The five folds are the
authors' own (``mcd_rppg.csv``). The electrocardiogram is not used: it was recorded before, in another place.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, folds_of, in_order, no_recordings, rows_of, source_folder, walk
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "mcd-rppg"
_VIDEO = re.compile(r"([0-9]{1,6})_([A-Za-z]+)_(before|after)\.avi", re.I)
_SCENARIOS = {"before": "rest", "after": "after exercise"}
_COLUMNS = {"view": "view", "age": "age", "sex": "sex", "bmi": "bmi", "pulse": "clinical_pulse_bpm"}
_LIST = "db.csv"
_ONE_REPOSITORY = "left out by one published repository, which gives no reason; it is built here"
_FLAT = "its pulse wave hardly varies, by one published repository"

LAYOUT = """\
db.csv                                   optional: patient_id, age, sex, bmi, pulse, step, camera, view, video, ...
video/1020_FullHDwebcam_before.avi       640x480, 30 frames/s; cameras FullHDwebcam, USBVideo, IriunWebcam (24); before, after
meta/1020_FullHDwebcam_before.txt        number and capture time of each frame
ppg_sync/1020_FullHDwebcam_before.txt    pulse wave of each frame, and the distance of its sample in s
ppg/, ecg/                               (not read: the wave before it was brought to the frames; another recording)
"""

CITATION = """\
@inproceedings{egorov2025mcdrppg,
  title     = {Gaze into the Heart: A Multi-View Video Dataset for {rPPG} and Health Biomarkers Estimation},
  author    = {Egorov, Konstantin and Botman, Stepan and Blinov, Pavel and Zubkova, Galina and Ivaschenko, Anton and Kolsanov, Alexander
               and Savchenko, Andrey},
  booktitle = {ACM International Conference on Multimedia},
  year      = {2025},
  doi       = {10.1145/3746027.3758255}
}"""


@functools.cache
def published_folds() -> dict[str, int]:
    """Return the fold, 1 to 5, of each of the 600 people.

    Examples
    --------
    >>> folds = published_folds()
    >>> len(folds), folds["1020"]
    (600, 3)
    """
    return folds_of("mcd_rppg_folds.csv")


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each video under ``root``, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where there is no such tree, one video stands in two places, or ``db.csv`` cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "video").mkdir()
    ...     (Path(name) / "video" / "1020_USBVideo_after.avi").touch()
    ...     [(one.recording_id, one.scenario, one.fold) for one in list_recordings(Path(name))]
    [('p1020_USBVideo_after', 'after exercise', 3)]
    """
    root = source_folder(root)
    videos: list[Path] = []
    people: dict[str, dict[str, str]] = {}
    for folder, names in walk(root):
        videos += [folder / name for name in names if _VIDEO.fullmatch(name)]
        if _LIST in names:
            people |= {Path(video).name: row for video, row in rows_of(folder / _LIST, "video").items()}
    found: dict[str, Recording] = {}
    for path in videos:
        one = _recording(path, people.get(path.name, {}))
        add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "MCD-rPPG", "video/1020_FullHDwebcam_before.avi at any depth")
    return in_order(found.values())


def _recording(path: Path, person: dict[str, str]) -> Recording:
    match = _VIDEO.fullmatch(path.name)
    assert match  # noqa: S101
    number, camera, step = match[1], match[2], match[3].lower()
    text = f"{path.stem}.txt"
    base = path.parent.parent
    notes = []
    if number == "4952" or path.stem == "6066_USBVideo_before":
        notes.append(_ONE_REPOSITORY)
    if number == "7412" and step == "after":
        notes.append(_FLAT)
    return Recording(
        f"p{int(number):04d}_{camera}_{step}",
        NAME,
        f"p{int(number):04d}",
        VideoSource(path),
        clock=ClockSource(
            "times_file", base / "meta" / text, column=1, note="the capture times in meta; the container's rate is another"
        ),
        labels=(LabelSource("pulse", base / "ppg_sync" / text, per_frame=True, format="text"),),
        scenario=_SCENARIOS[step],
        camera=camera,
        fold=published_folds().get(str(int(number))),
        notes=tuple(notes),
        extras={name: person[column] for column, name in _COLUMNS.items() if person.get(column)},
    )


DATABASE = Database(
    name=NAME,
    title="MCD-rPPG: 600 people before three cameras, at rest and after exercise",
    license="CC-BY-4.0",
    access="https://huggingface.co/datasets/kyegorov/mcd_rppg",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=600,
    videos=3600,
    cameras="webcam from the front, camera from the left, phone from the right; 640x480, MPEG-4",
    frame_rate="24 (phone) or 30 frames/s, by the capture times; the container's rate differs",
    labels="pulse wave of the finger (100 Hz, brought to the frames), electrocardiogram (not read: it was recorded before the videos, in another place); no heart rate over time",
    terms="open",
    splits="the five subject-exclusive folds of the authors, which come with stmap",
    defects=(
        "the ends of some videos are damaged: a frame or two are counted and skipped",
        "4952 (all) and 6066_USBVideo_before are left out by one published repository, 7412 after exercise has a flat wave: they have a note",
    ),
)
