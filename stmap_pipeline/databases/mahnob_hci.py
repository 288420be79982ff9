"""MAHNOB-HCI: people who watch videos, with an electrocardiogram at 256 Hz.

The layout, the channels and how they are synchronized are those of Idiap's package (``bob.db.hci_tagging``): a session is a folder with a .bdf file and
a video of the color camera (``C1 trigger``); the video ran while the channel Status is not zero; of the three chest leads EXG3 is "very clean".
There is no heart rate: it is computed from the electrocardiogram. The number of the subject is in the name of the .bdf file
(``Part_5_S_Trial9_emotion.bdf``), so ``session.xml`` is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import LabelSource, Recording, VideoSource

NAME = "mahnob-hci"
ECG_CHANNEL, STATUS_CHANNEL = "EXG3", "Status"
_SESSION = re.compile(r"[0-9]{1,6}")
_SIGNALS = re.compile(r"Part_([0-9]{1,4})_.*?([A-Za-z]+[0-9]?)\.bdf", re.I)
_VIDEO = re.compile(r"P([0-9]{1,4})-.*C1 trigger.*\.avi", re.I)

LAYOUT = """\
Sessions/1234/P5-Rec1-2009.07.22.13.11.59_C1 trigger _C_Section_10.avi   video of the color camera
              Part_5_S_Trial5_emotion.bdf                                electrocardiogram and other channels, 256 Hz
              session.xml                                                (not needed)
The folder Sessions may lie at any depth, or be given itself.
"""

CITATION = """\
@article{soleymani2012mahnob,
  title   = {A Multimodal Database for Affect Recognition and Implicit Tagging},
  author  = {Soleymani, Mohammad and Lichtenauer, Jeroen and Pun, Thierry and Pantic, Maja},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {3},
  number  = {1},
  pages   = {42--55},
  year    = {2012},
  doi     = {10.1109/T-AFFC.2011.25}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each session with a video of the color camera or a .bdf file under ``root``, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where there is no such tree, or one session stands in two places.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     session = Path(name) / "Sessions" / "42"
    ...     session.mkdir(parents=True)
    ...     (session / "Part_5_S_Trial1_emotion.bdf").touch()
    ...     [(one.recording_id, one.subject, one.scenario) for one in list_recordings(Path(name))]
    [('session0042', 'P05', 'emotion')]
    """
    root = source_folder(root)
    found: dict[str, Recording] = {}
    for folder, names in walk(root):
        videos = [match for name in names if (match := _VIDEO.fullmatch(name))]
        signals = [match for name in names if (match := _SIGNALS.fullmatch(name))]
        if _SESSION.fullmatch(folder.name) and (videos or signals):
            one = _recording(folder, videos, signals)
            add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "MAHNOB-HCI", "folders Sessions/1234 with a video of 'C1 trigger' and a .bdf file at any depth")
    return in_order(found.values())


def _recording(folder: Path, videos: list[re.Match[str]], signals: list[re.Match[str]]) -> Recording:
    subject = int((signals or videos)[0][1])
    labels = tuple(
        LabelSource("ecg", folder / match[0], ECG_CHANNEL, span_column=STATUS_CHANNEL, format="edf") for match in signals[:1]
    )
    notes = [] if signals else ["no .bdf file: the recording has no label"]
    if len(videos) > 1 or len(signals) > 1:
        notes.append(f"{len(videos)} videos and {len(signals)} .bdf files in the folder: the first of each is taken")
    return Recording(
        f"session{int(folder.name):04d}",
        NAME,
        f"P{subject:02d}",
        VideoSource(folder / (videos[0][0] if videos else "P_C1 trigger.avi")),
        labels=labels,
        scenario=signals[0][2] if signals else "",
        notes=tuple(notes),
    )


DATABASE = Database(
    name=NAME,
    title="MAHNOB-HCI: people who watch emotional videos, with an electrocardiogram",
    license="no open license: research use under the agreement with its authors",
    access="https://mahnob-db.eu/hci-tagging, under its agreement",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    videos=3490,
    cameras="color camera C1, compressed; five gray cameras (not used)",
    frame_rate="that of the container",
    labels="electrocardiogram (256 Hz), breathing, skin conductance; no heart rate",
    terms="agreement",
    splits="Idiap's protocols all and cvpr14 lie in its package, not in the database; they are not read",
    defects=("videos of tagged images last 11 s: they get no window of more",),
)
