"""PURE: images with time stamps, and a JSON file with the stamps and the values of a finger oximeter at 60 Hz.

The layout is that of the loaders of rPPG-Toolbox (ubicomplab, ``PURELoader``) and pyVHR (phuselab, ``pure``), which know the JSON file
inside and beside the folder of images; the names of the setups and the stamps in nanoseconds are those of face_model_training (Benjabby,
``datasets/pure.py``). The number in an image's name is its stamp, so that natural order is the order of time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import IMAGE_SUFFIXES, Database, found_twice, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "pure"
_KEY = re.compile(r"([0-9]{2})-([0-9]{2})")
_NANOSECOND_S = 1e-9
_STAMPS, _VALUES = "/FullPackage/Timestamp", "/FullPackage/Value"
SETUPS = {1: "steady", 2: "talking", 3: "slow translation", 4: "fast translation", 5: "small rotation", 6: "medium rotation"}
# the only recording of the ten by six that the database lacks
_LACKING = (6, 2)

LAYOUT = """\
01-01/01-01/Image1392643993642815000.png   a frame; the number is its time stamp in ns; 30 frames/s
      01-01.json                           stamps of the frames in /Image, values of the oximeter in /FullPackage, 60 Hz
or 01-01.json beside a folder 01-01 that holds the images; subjects 01 to 10, setups 01 to 06, at any depth
"""

CITATION = """\
@inproceedings{stricker2014pure,
  title     = {Non-contact Video-based Pulse Rate Measurement on a Mobile Service Robot},
  author    = {Stricker, Ronny and M{\\"u}ller, Steffen and Gross, Horst-Michael},
  booktitle = {IEEE International Symposium on Robot and Human Interactive Communication (RO-MAN)},
  pages     = {1056--1062},
  year      = {2014}
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
    ...     folder = Path(name) / "01-03" / "01-03"
    ...     folder.mkdir(parents=True)
    ...     (folder / "Image1392643993642815000.png").touch()
    ...     [(one.recording_id, one.scenario) for one in list_recordings(Path(name))]
    [('01-03', 'slow translation')]
    """
    root = source_folder(root)
    images: dict[str, Path] = {}
    values: dict[str, Path] = {}
    found: dict[str, Recording] = {}
    for folder, names in walk(root):
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            if dot and suffix.casefold() == "json" and _KEY.fullmatch(stem):
                values.setdefault(stem, folder / name)
        if _KEY.fullmatch(folder.name) and any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names):
            if folder.name in images:
                raise found_twice(root, _recording(folder.name, images[folder.name], None), _recording(folder.name, folder, None))
            images[folder.name] = folder
    for key in sorted({*images, *values}):
        found[key] = _recording(key, images.get(key, values[key].with_suffix("") if key in values else root / key), values.get(key))
    if not found:
        raise no_recordings(root, "PURE", "01-01.json and folders 01-01 of images at any depth")
    subject, setup = _LACKING
    key = f"{subject:02d}-{setup:02d}"
    if key not in found and any(one.subject == f"{subject:02d}" for one in found.values()):
        found[key] = _recording(key, root / key, None, absent=True)
    return in_order(found.values())


def _recording(key: str, images: Path, values: Path | None, absent: bool = False) -> Recording:
    subject, setup = key.split("-")
    # without the JSON file the recording fails by its name: nothing else has the times
    path = values or images.with_name(f"{key}.json")
    return Recording(
        key,
        NAME,
        subject,
        VideoSource(images, "images"),
        clock=ClockSource("times_file", path, _NANOSECOND_S, column="/Image/Timestamp", note="the stamps of the images"),
        labels=(
            LabelSource("heart_rate", path, f"{_VALUES}/pulseRate", time_column=_STAMPS, time_unit_s=_NANOSECOND_S, format="json"),
            LabelSource("pulse", path, f"{_VALUES}/waveform", time_column=_STAMPS, time_unit_s=_NANOSECOND_S, format="json"),
        ),
        scenario=SETUPS.get(int(setup), f"setup {int(setup)}"),
        skip_reason="absent" if absent else "",
        skip_message="the database lacks this recording" if absent else "",
    )


DATABASE = Database(
    name=NAME,
    title="PURE: 10 subjects with six kinds of head motion, with the pulse of a finger",
    license="no open license: research use, on request",
    access="by request to TU Ilmenau, group for neuroinformatics and cognitive robotics: Pulse Rate Detection Dataset",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=10,
    consecutive=True,
    videos=59,
    cameras="one industrial camera (SVS-Vistek eco274CVGE), 640x480, images without loss",
    frame_rate="30 frames/s, by the stamps of the images",
    labels="heart rate and pulse wave of a finger oximeter (pulox CMS50E, 60 Hz)",
    terms="form",
    defects=("06-02 is missing in the database: it is listed as absent",),
)
