"""VIPL-HR V1: 107 subjects, up to nine scenarios, three color cameras and a near-infrared one.

The container of each video says 25 frames/s and is wrong; the true times (16 to 30 frames/s) are in ``time.txt``. The phone
(source2) has no ``time.txt`` and takes its nominal rate. A recording of another camera without ``time.txt`` is listed and fails
when its clock is opened: no rate is known for it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, file_named, folds_of, in_order, no_recordings, source_folder, walk
from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "vipl-hr"
PHONE_RATE_HZ = 30.0
WAVE_RATE_HZ = 60.0
MISSING_BPM = 255.0
_CAMERAS = {1: "source1 (webcam)", 2: "source2 (phone)", 3: "source3 (RGB-D camera, color)", 4: "source4 (near infrared)"}

# whole numbers: p100 is subject 100, never subject 10
_PARTS = (re.compile(r"p([0-9]{1,6})", re.I), re.compile(r"v([0-9]{1,3})(?:-([0-9]))?", re.I), re.compile(r"source([1-4])", re.I))
_LISTED = re.compile(r"\bp([0-9]{1,6})[/\\]v([0-9]{1,3})(?:-([0-9]))?[/\\]source([1-4])\b", re.I)
_MAX_LIST_BYTES = 2**20

LAYOUT = """\
p1/v1/source1/video.avi     at any depth, as the archives were unpacked; p1..p107, v1..v9 (second takes v1-2), source1..source4
              time.txt      time of each frame in ms (not in source2)
              gt_HR.csv     heart rate in bpm, one a second, header HR, 255 where unknown
              wave.csv      pulse wave, 60 Hz, header Wave
Missing_data.txt            optional: recordings that the database lacks
"""

CITATION = """\
@inproceedings{niu2018viplhr,
  title     = {{VIPL-HR}: A Multi-modal Database for Pulse Estimation from Less-constrained Face Video},
  author    = {Niu, Xuesong and Han, Hu and Shan, Shiguang and Chen, Xilin},
  booktitle = {Asian Conference on Computer Vision (ACCV)},
  year      = {2018}
}"""


# Known to be wrong with single recordings, from the notes of the database and from published code that reads it; other defects may
# exist.
# id -> (reason code, what is known)
SKIPPED: dict[str, tuple[str, str]] = {
    "p019_v2_source2": ("known_missing_frames", "the video lacks frames and its clock is nominal; also reported as too short"),
    "p022_v3_source1": ("known_too_short", "reported as too short for one window of 300 frames"),
    "p032_v7_source3": ("known_too_short", "reported as too short for one window of 300 frames"),
    "p040_v7_source2": ("known_too_short", "reported as too short for one window of 300 frames"),
}

_ONE_REPOSITORY = "left out by one published repository, which gives no reason; it is built here"

NOTES: dict[str, str] = {
    "p027_v9_source2": _ONE_REPOSITORY,
    "p028_v5_source3": _ONE_REPOSITORY,
    "p032_v7_source3": "known to lack wave.csv",
    "p045_v1_source2": "known to lack wave.csv",
    "p048_v7_source1": _ONE_REPOSITORY,
    "p071_v6_source3": _ONE_REPOSITORY,
    "p096_v3_source3": _ONE_REPOSITORY,
    "p105_v1_source2": "video and label are reported to differ in length by 24 s",
}


@functools.cache
def official_folds() -> dict[int, int]:
    """Return the fold, 1 to 5, of each subject, 1 to 107, as the database ships them.

    Examples
    --------
    >>> folds = official_folds()
    >>> len(folds), folds[100], folds[10]
    (107, 1, 1)
    """
    return {int(subject): fold for subject, fold in folds_of("vipl_hr_folds.csv").items()}


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
    ...     (Path(name) / "data" / "p7" / "v1" / "source2").mkdir(parents=True)
    ...     [(one.recording_id, one.fold, one.clock.rate_hz) for one in list_recordings(Path(name))]
    [('p007_v1_source2', 1, 30.0)]
    """
    root = source_folder(root)
    found: dict[str, Recording] = {}
    lists: list[Path] = []
    for folder, names in walk(root):
        lists += [folder / name for name in names if name.casefold() == "missing_data.txt"]
        key = _key(folder)
        if key is None:
            continue
        one = _recording(folder, names, *key)
        add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "VIPL-HR", "folders p1/v1/source1 at any depth")
    for path in lists:
        for subject, scenario, take, source in _absent(path):
            place = root / f"p{subject}" / _scenario(scenario, take) / f"source{source}"
            one = _recording(place, [], subject, scenario, take, source, absent=path.name)
            found.setdefault(one.recording_id, one)
    return in_order(found.values())


def _key(folder: Path) -> tuple[int, int, int, int] | None:
    """Return subject, scenario, take and source of a folder that is a recording."""
    matches = [pattern.fullmatch(part) for pattern, part in zip(_PARTS, folder.parts[-3:], strict=False)]
    if len(matches) < 3:
        return None
    subject, scenario, source = matches
    if not (subject and scenario and source):
        return None
    return int(subject[1]), int(scenario[1]), int(scenario[2] or 1), int(source[1])


def _recording(folder: Path, names: list[str], subject: int, scenario: int, take: int, source: int, absent: str = "") -> Recording:
    subject_id = f"p{subject:03d}"
    recording_id = f"{subject_id}_{_scenario(scenario, take)}_source{source}"
    reason, message = SKIPPED.get(recording_id, ("", ""))
    if source == 4:
        reason, message = "nir", "source4 is near infrared"
    if absent:
        reason, message = "absent", f"{absent} names it as missing"
    note = NOTES.get(recording_id)
    return Recording(
        recording_id,
        NAME,
        subject_id,
        VideoSource(folder / file_named(names, "video.avi")),
        clock=_clock(folder, names, source),
        labels=(
            LabelSource("heart_rate", folder / file_named(names, "gt_HR.csv"), rate_hz=1.0, missing=(MISSING_BPM,)),
            LabelSource("pulse", folder / file_named(names, "wave.csv"), rate_hz=WAVE_RATE_HZ),
        ),
        scenario=f"v{scenario}",
        camera=f"source{source}",
        fold=official_folds().get(subject),
        skip_reason=reason,
        skip_message=message,
        notes=(note,) if note else (),
        extras={"take": str(take), "camera_model": _CAMERAS[source]},
    )


def _scenario(scenario: int, take: int) -> str:
    return f"v{scenario}" if take == 1 else f"v{scenario}-{take}"


def _clock(folder: Path, names: list[str], source: int) -> ClockSource:
    name = file_named(names, "time.txt")
    if source == 2 and name not in names:
        note = f"no time.txt (no recording of the phone has one): its nominal {PHONE_RATE_HZ:g} frames/s; the rate in the video file is wrong"
        return ClockSource("constant", rate_hz=PHONE_RATE_HZ, note=note)
    return ClockSource(
        "times_file", folder / name, unit_s=0.001, note="frame times of time.txt; the rate in the video file is wrong"
    )


def _absent(path: Path) -> list[tuple[int, int, int, int]]:
    """Read which recordings the database's own list names as missing; other lines are left alone."""
    try:
        text = read_bytes(path, _MAX_LIST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise DatabaseError(f"{printable(path)}: cannot be read ({error.strerror}); make it readable or remove it") from None
    return [(int(one[1]), int(one[2]), int(one[3] or 1), int(one[4])) for one in _LISTED.finditer(text)]


DATABASE = Database(
    name=NAME,
    title="VIPL-HR V1: face videos of 107 subjects in less constrained situations",
    license="no open license: research use under the agreement signed with the authors",
    access="a signed agreement, to hanhu@ict.ac.cn; stmap does not distribute the database",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=107,
    consecutive=True,
    videos=2378,
    cameras="webcam, phone, and RGB-D camera in color and near infrared (not used); the videos are cropped to the face",
    frame_rate="16 to 30 frames/s, by the file of frame times; the container's rate is wrong",
    labels="heart rate (1 Hz), SpO2 (1 Hz, not used), pulse wave of the finger (60 Hz)",
    terms="agreement",
    splits="the five official subject-exclusive folds, which come with stmap",
    defects=(
        f"{len(SKIPPED)} recordings are skipped, as too short or for missing frames: {', '.join(SKIPPED)}",
        "recordings that Missing_data.txt names are listed as absent",
        "a heart rate of 255 is the code for a sensor fault",
        "source2 has no file of frame times: the phone's nominal 30 frames/s are taken",
        "label and video of some recordings differ in length; windows that the label does not cover have none",
    ),
)
