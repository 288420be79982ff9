"""COHFACE: 40 subjects in four sessions, with a pulse wave at 256 Hz.

The layout, the 256 Hz and the protocols are those of Idiap's own package (``bob.db.cohface``: a session is a folder with data.hdf5, the
attribute ``sample-rate-hz`` is always 256; protocol ``clean`` is lit by a lamp, ``natural`` by daylight); rPPG-Toolbox and pyVHR read the same
tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, file_named, in_order, no_recordings, source_folder, walk
from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import LabelSource, Recording, VideoSource

NAME = "cohface"
PULSE_RATE_HZ = 256.0
_SUBJECT, _SESSION = re.compile(r"[0-9]{1,4}"), re.compile(r"[0-9]")
_VIDEOS = ("data.avi", "data.mkv")
_MAX_LIST_BYTES = 2**20

LAYOUT = """\
1/0/data.avi     video, 20 frames/s; subjects 1..40, sessions 0..3, at any depth; or data.mkv
    data.hdf5    pulse wave at 256 Hz (pulse), breathing (respiration, not used)
protocols/all/train.txt ...   optional: the sets of the protocols all, clean (lamp) and natural (daylight)
"""

CITATION = """\
@article{heusch2017cohface,
  title   = {A Reproducible Study on Remote Heart Rate Measurement},
  author  = {Heusch, Guillaume and Anjos, Andr{\\'e} and Marcel, S{\\'e}bastien},
  journal = {arXiv preprint arXiv:1709.00962},
  year    = {2017}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each recording under ``root``, in the order of the ids.

    ``extras`` has ``split`` (train, dev, test) and ``illumination`` (lamp, natural) where the lists of the protocols are there.

    Raises
    ------
    DatabaseError
        Where there is no such tree, one recording stands in two places, or a list cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "12" / "0").mkdir(parents=True)
    ...     (Path(name) / "12" / "0" / "data.avi").touch()
    ...     [(one.recording_id, one.labels[0].rate_hz) for one in list_recordings(Path(name))]
    [('s12_0', 256.0)]
    """
    root = source_folder(root)
    folders: list[tuple[Path, list[str]]] = []
    lists: dict[tuple[str, str], set[str]] = {}
    for folder, names in walk(root):
        if folder.parent.name == "protocols":
            lists |= {(folder.name, Path(name).stem): _listed(folder / name) for name in names if name.endswith(".txt")}
        elif (
            _SESSION.fullmatch(folder.name)
            and _SUBJECT.fullmatch(folder.parent.name)
            and any(file_named(names, name) in names for name in (*_VIDEOS, "data.hdf5"))
        ):
            folders.append((folder, names))
    found: dict[str, Recording] = {}
    for folder, names in folders:
        one = _recording(folder, names, lists)
        add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "COHFACE", "1/0/data.avi and 1/0/data.hdf5 at any depth")
    return in_order(found.values())


def _recording(folder: Path, names: list[str], lists: dict[tuple[str, str], set[str]]) -> Recording:
    subject, session = int(folder.parent.name), folder.name
    video = next((found for name in _VIDEOS if (found := file_named(names, name)) in names), _VIDEOS[0])
    stem = f"{subject}/{session}/data"
    split = next((name for name in ("train", "dev", "test") if stem in lists.get(("all", name), ())), "")
    light = next((light for name, light in (("clean", "lamp"), ("natural", "natural")) if stem in lists.get((name, "all"), ())), "")
    extras = {name: text for name, text in (("split", split), ("illumination", light)) if text}
    return Recording(
        f"s{subject:02d}_{session}",
        NAME,
        f"s{subject:02d}",
        VideoSource(folder / video),
        labels=(LabelSource("pulse", folder / file_named(names, "data.hdf5"), "pulse", rate_hz=PULSE_RATE_HZ, format="hdf5"),),
        scenario=light,
        extras=extras,
    )


def _listed(path: Path) -> set[str]:
    try:
        return set(read_bytes(path, _MAX_LIST_BYTES).decode("utf-8", "replace").split())
    except OSError as error:
        raise DatabaseError(f"{printable(path)}: cannot be read ({error.strerror}); make it readable or remove it") from None


DATABASE = Database(
    name=NAME,
    title="COHFACE: 40 subjects by lamp and daylight, with a pulse wave",
    license="no open license: research use under the agreement with Idiap",
    access="https://www.idiap.ch/en/dataset/cohface, under its agreement",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    subjects=40,
    consecutive=True,
    videos=160,
    cameras="one webcam, 640x480, strongly compressed",
    frame_rate="20 frames/s",
    labels="pulse wave and breathing (256 Hz); no heart rate",
    terms="agreement",
    splits="the protocols all, clean and natural with the sets train, dev and test, from the database's own lists, in the column split",
    defects=("the videos are strongly compressed",),
)
