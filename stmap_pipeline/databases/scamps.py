"""SCAMPS: 2,800 rendered faces with a simulated pulse, each recording one MATLAB file of version 7.3.

The layout is that of the authors' description (danmcduff, ``scampsdataset``): ``Xsub`` are the images cropped to the face, real numbers from 0 to
1, and ``d_ppg`` has a value for each frame. The description gives the axes of ``Xsub`` as color, width, height, time; h5py shows them in this order
or the other way round, and both are read. The frame rate is that of the paper. Each face is taken as a subject of its own: the
description does not say which recordings share one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "scamps"
FRAME_RATE_HZ = 30.0
_FILE = re.compile(r"P([0-9]{6})\.mat", re.I)

LAYOUT = """\
P000001.mat   Xsub (240x240 images), d_ppg (pulse wave, a value for each frame), ...; 600 frames at 30 frames/s;
              P000001..P002800, at any depth
"""

CITATION = """\
@inproceedings{mcduff2022scamps,
  title     = {{SCAMPS}: Synthetics for Camera Measurement of Physiological Signals},
  author    = {McDuff, Daniel and Wander, Miah and Liu, Xin and Hill, Brian L. and Hernandez, Javier and Lester, Jonathan and Baltrusaitis, Tadas},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2022}
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
    ...     (Path(name) / "P000007.mat").touch()
    ...     [(one.recording_id, one.video.member) for one in list_recordings(Path(name))]
    [('P000007', 'Xsub')]
    """
    root = source_folder(root)
    found: dict[str, Recording] = {}
    for folder, names in walk(root):
        for name in names:
            if match := _FILE.fullmatch(name):
                one = _recording(folder / name, f"P{match[1]}")
                add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "SCAMPS", "P000001.mat at any depth")
    return in_order(found.values())


def _recording(path: Path, key: str) -> Recording:
    return Recording(
        key,
        NAME,
        key,
        VideoSource(path, "array", "Xsub"),
        clock=ClockSource("constant", rate_hz=FRAME_RATE_HZ, note="the file has no times: the rate of the paper"),
        labels=(LabelSource("pulse", path, "d_ppg", per_frame=True, format="hdf5"),),
    )


DATABASE = Database(
    name=NAME,
    title="SCAMPS: 2,800 rendered faces with a simulated pulse",
    license="Research Use of Data Agreement 1.0 (R-UDA): non-commercial research",
    access="https://github.com/danmcduff/scampsdataset; ten videos (1.2 GB) or all (600 GB)",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    simulated=True,
    subjects=2800,
    videos=2800,
    cameras="rendered, 240x240",
    frame_rate="30 frames/s, nominal",
    labels="simulated pulse wave, one value for each frame; no heart rate in these files",
    terms="open",
    splits="the authors publish ScampsTrainTestSplit.csv; it is not read, as its columns are not described",
    defects=("whether two recordings show the same face is not published: each is a subject of its own",),
)
