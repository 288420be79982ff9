"""MMSE-HR: images at 25 frames/s in one tree, physiology at 1 kHz in another; BP4D+, from which it was taken, is laid out alike.

The two trees of a delivery have different names, so a recording is the pair of folders ``F013/T1`` that holds images and
``F013/T1`` that holds physiology, wherever they are. There is no PPG: the pulse is a blood-pressure wave.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.databases.base import IMAGE_SUFFIXES, Database, contents, file_named, in_order, source_folder, walk
from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "mmse-hr"
FRAME_RATE_HZ = 25.0
LABEL_RATE_HZ = 1000.0
_HEART_RATE, _PRESSURE = "Pulse Rate_BPM.txt", "BP_mmHg.txt"
_SUBJECT, _TASK = re.compile(r"([FM])([0-9]{1,6})", re.I), re.compile(r"T([0-9]{1,3})", re.I)
_NOTES = {"F006_T11": "left out by some published users of the database, who give no reason; it is built here"}

LAYOUT = """\
first 10 subjects 2D/F013/T1/000.jpg ...                                images, 25 frames/s, in natural order
first 10 subjects Phydata released/Phydata/F013/T1/Pulse Rate_BPM.txt   heart rate in bpm, one number a line, 1000 Hz
                                                   BP_mmHg.txt          blood pressure, one number a line, 1000 Hz
T10_T11_30Subjects/F014/T10/*.jpg
T10_T11_30PhyBPHRData/F014/T10/Pulse Rate_BPM.txt ...
The names above F013/T1 do not matter; subjects may begin with F or M.
"""

CITATION = """\
@inproceedings{zhang2016mmse,
  title     = {Multimodal Spontaneous Emotion Corpus for Human Behavior Analysis},
  author    = {Zhang, Zheng and others},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2016}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each recording under ``root``, in the order of the ids.

    Images without physiology are listed without labels and with a note; physiology without images is listed as absent.

    Raises
    ------
    DatabaseError
        Where there are no such folders with images, or two folders of images or of physiology for one recording.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name) / "2D" / "F013" / "T1"
    ...     folder.mkdir(parents=True)
    ...     (folder / "000.jpg").touch()
    ...     [(one.recording_id, one.notes) for one in list_recordings(Path(name))]
    [('F013_T01', ('no folder of physiology: the recording has no label',))]
    """
    pairs = find_pairs(root, "MMSE-HR")
    return in_order(pair_recording(one, NAME, notes=(_NOTES[one.key],) if one.key in _NOTES else ()) for one in pairs)


@dataclass(frozen=True, slots=True)
class Pair:
    """Images and physiology of one recording.

    Parameters
    ----------
    key : str
        Such as ``F013_T01``.
    video : VideoSource
        Where the images are, or would be.
    present : bool
        Whether there are images, or a folder for them.
    physiology : Path, optional
    names : list of str
        Files of physiology.
    """

    key: str
    video: VideoSource
    present: bool
    physiology: Path | None
    names: list[str]


def find_pairs(root: Path, title: str) -> list[Pair]:
    """Find the folders, and zip archives of a subject, that hold images, and those that hold physiology.

    An archive ``F013.zip`` stands for the images of each recording of F013 that has physiology and no folder of images; it is not
    opened.

    Raises
    ------
    DatabaseError
        Where there are no images, or two folders of images or of physiology for one recording.
    """
    root = source_folder(root)
    images: dict[str, Path] = {}
    physiology: dict[str, tuple[Path, list[str]]] = {}
    empty: dict[str, Path] = {}
    archives: dict[str, Path] = {}
    for folder, names in walk(root):
        for name in names:
            if Path(name).suffix.lower() == ".zip" and (match := _SUBJECT.fullmatch(Path(name).stem)):
                archives[f"{match[1].upper()}{int(match[2]):03d}"] = folder / name
        key = _key(folder)
        if key is None:
            continue
        if any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names):
            _once(root, key, "images", images.get(key), folder)
            images[key] = folder
        if {_HEART_RATE.casefold(), _PRESSURE.casefold()} & {name.casefold() for name in names}:
            _once(root, key, "physiology", physiology.get(key, (None,))[0], folder)
            physiology[key] = folder, names
        if not names:
            empty.setdefault(key, folder)
    if not images and not archives:
        raise DatabaseError(
            f"{printable(root)}: no recording of {title}; looked for folders F013/T1 with images at any depth, found {contents(root)}"
            + (f", and physiology of {len(physiology)} recordings: give the folder that holds both trees" if physiology else "")
        )
    # an empty folder is a recording whose images were lost: it fails by name instead of vanishing
    folders = {**empty, **images}
    pairs = []
    for key in sorted({*folders, *physiology}):
        subject, task = key.split("_")
        member = f"{subject}/T{int(task[1:])}"
        if key not in images and subject in archives:
            video = VideoSource(archives[subject], "images", member)
        else:
            video = VideoSource(folders.get(key, root / member), "images")
        pairs.append(Pair(key, video, key in folders or subject in archives, *physiology.get(key, (None, []))))
    return pairs


def pair_recording(one: Pair, database: str, *, fold: int | None = None, notes: tuple[str, ...] = ()) -> Recording:
    """Return the recording of a pair: images without physiology without labels, physiology without images as absent."""
    subject, task = one.key.split("_")
    labels: tuple[LabelSource, ...] = ()
    if one.physiology:
        labels = (
            LabelSource("heart_rate", one.physiology / file_named(one.names, _HEART_RATE), rate_hz=LABEL_RATE_HZ),
            LabelSource("pulse", one.physiology / file_named(one.names, _PRESSURE), rate_hz=LABEL_RATE_HZ),
        )
    else:
        notes = (*notes, "no folder of physiology: the recording has no label")
    return Recording(
        one.key,
        database,
        subject,
        one.video,
        clock=ClockSource("constant", rate_hz=FRAME_RATE_HZ, note="the images carry no times: the cameras' nominal rate"),
        labels=labels,
        scenario=f"T{int(task[1:])}",
        fold=fold,
        skip_reason="" if one.present else "absent",
        skip_message="" if one.present else "there is physiology and no folder of images",
        notes=notes,
    )


def _key(folder: Path) -> str | None:
    if len(folder.parts) < 2:
        return None
    subject, task = _SUBJECT.fullmatch(folder.parts[-2]), _TASK.fullmatch(folder.parts[-1])
    return f"{subject[1].upper()}{int(subject[2]):03d}_T{int(task[1]):02d}" if subject and task else None


def _once(root: Path, key: str, what: str, before: Path | None, folder: Path) -> None:
    if before is not None:
        raise DatabaseError(
            f"{printable(root)}: {key} has {what} in two places: {printable(before)} and {printable(folder)}; remove one of the two"
        )


DATABASE = Database(
    name=NAME,
    title="MMSE-HR: face videos of 40 subjects with blood pressure, of the Multimodal Spontaneous Emotion corpus",
    license="no open license: research use under the agreement signed with the authors",
    access="from its authors, under their agreement; stmap does not distribute the database",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=40,
    videos=102,
    cameras="one color camera, about 1040x1392",
    frame_rate="25 frames/s",
    labels="heart rate and blood-pressure wave (1 kHz)",
    terms="agreement",
    defects=("F006_T11 is left out by some published users, who give no reason; it is built, with a note",),
)
