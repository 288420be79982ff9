"""iBVP: four sessions of 3 minutes of each participant, with the pulse wave of an ear and labels of its quality.

The layout and the meaning of the columns are those of the authors' description (PhysiologicAILab, ``iBVP-Dataset``) and of the loader of
rPPG-Toolbox (ubicomplab, ``iBVPLoader``). The pulse wave was resampled by the authors to the nominal 30 frames/s of the images, which have no
times. Samples of which the authors' model (``SQPhysMD``) says less than 0.5 are of low quality, as a public analysis of this database counts
them (respiration from its thermal images); the two columns ``SQ1`` and ``SQ2`` by hand have no published scale and are not used. The thermal
images in ``p01_a_t`` are not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stmap_pipeline.databases.base import Database, add_once, file_named, in_order, no_recordings, source_folder, walk
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAME = "ibvp"
FRAME_RATE_HZ = 30.0
_KEY = re.compile(r"p([0-9]{1,4})_([a-d])", re.I)
CONDITIONS = {"a": "slow breathing and rest", "b": "easy math", "c": "difficult math", "d": "head movement"}
# participants with limited consent: "No-media-use"
CONFIDENTIAL = (8, 10, 13, 16, 29, 31, 33)

LAYOUT = """\
p01_a/p01_a_rgb/*.bmp   images, 30 frames/s; conditions a (breathing, rest), b (easy math), c (difficult math), d (movement)
      p01_a_bvp.csv     columns BVP (30 Hz), SQPhysMD, SQ1, SQ2, Perfusion_Value
      p01_a_t/          thermal images (not used)
"""

CITATION = """\
@article{joshi2024ibvp,
  title   = {{iBVP} Dataset: {RGB}-Thermal {rPPG} Dataset with High Resolution Signal Quality Labels},
  author  = {Joshi, Jitesh and Cho, Youngjun},
  journal = {Electronics},
  volume  = {13},
  number  = {7},
  pages   = {1334},
  year    = {2024},
  doi     = {10.3390/electronics13071334}
}"""


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each session under ``root``, in the order of the ids.

    Raises
    ------
    DatabaseError
        Where there is no such tree, or one session stands in two places.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "p08_d" / "p08_d_rgb").mkdir(parents=True)
    ...     [(one.recording_id, one.scenario, one.notes) for one in list_recordings(Path(name))]
    [('p08_d', 'head movement', ('the participant gave limited consent: no picture may be published',))]
    """
    root = source_folder(root)
    names_of = dict(walk(root))
    found: dict[str, Recording] = {}
    for folder, names in names_of.items():
        match = _KEY.fullmatch(folder.name)
        images, values = folder / f"{folder.name}_rgb", file_named(names, f"{folder.name}_bvp.csv")
        if not match or (images not in names_of and values not in names):
            continue
        number, condition = int(match[1]), match[2].lower()
        one = Recording(
            f"p{number:02d}_{condition}",
            NAME,
            f"p{number:02d}",
            VideoSource(images, "images"),
            clock=ClockSource("constant", rate_hz=FRAME_RATE_HZ, note="the images carry no times: the nominal rate"),
            labels=(LabelSource("pulse", folder / values, "BVP", rate_hz=FRAME_RATE_HZ, quality_column="SQPhysMD"),),
            scenario=CONDITIONS[condition],
            notes=("the participant gave limited consent: no picture may be published",) if number in CONFIDENTIAL else (),
        )
        add_once(root, found, one.recording_id, one)
    if not found:
        raise no_recordings(root, "iBVP", "folders p01_a with p01_a_rgb and p01_a_bvp.csv at any depth")
    return in_order(found.values())


DATABASE = Database(
    name=NAME,
    title="iBVP: participants at rest, in math and in motion, with the pulse of an ear",
    license="academic research under the end-user license agreement",
    access="the signed agreement of https://github.com/PhysiologicAILab/iBVP-Dataset, by an academic supervisor",
    citation=CITATION,
    layout=LAYOUT,
    list_recordings=list_recordings,
    videos=124,
    cameras="one webcam, 640x480, images without loss; a thermal camera (not used)",
    frame_rate="30 frames/s, nominal",
    labels="pulse wave of the ear (30 Hz) with a quality for each sample; no heart rate",
    terms="agreement",
    defects=(
        "participants p08, p10, p13, p16, p29, p31 and p33 gave limited consent: their recordings have a note",
        "samples of low quality by SQPhysMD are unknown, unless these are most of a session; SQ1 and SQ2 are not used",
    ),
)
