"""Findings: what is wrong, or worth knowing, about a source folder before anything is built from it; each has a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stmap_pipeline.errors import REASONS

Severity = Literal["problem", "note"]

#: Code -> what it means, where something is wrong. The codes of :data:`stmap_pipeline.errors.REASONS` are used, too.
PROBLEMS: dict[str, str] = {
    "listing": "the source folder cannot be listed as this database, or its listing contradicts itself",
    "id": "two videos would have one id",
    "fold": "a subject in several folds",
    "copy": "one video belongs to two subjects",
    "recording_count": "subjects or recordings of the database are not there",
    "cut_off": "a video file ends before its last frame",
    "no_color": "a video without color holds no pulse that could be measured",
    "frame_count": "a video has more or fewer frames than times are listed",
    "frame_rate": "frames follow each other too slowly for a pulse, or faster than any camera: a wrong unit of the times?",
    "clock_jitter": "times between frames vary more than those of a camera",
    "clock_gap": "frames are missing for longer than half a second",
    "label_duration": "a label begins or ends inside the video, or lasts longer where both begin together",
    "label_unknown": "a label has no value in more than a tenth of its samples",
    "heart_rate_range": "heart rates that no person has",
    "heart_rate_jump": "a heart rate jumps between two samples",
    "label_disagreement": "a pulse wave beats at another rate than the label of the heart rate says",
    "pulse_flat": "a pulse wave does not change",
}
#: Code -> what it means, where nothing need be wrong.
NOTES: dict[str, str] = {
    "no_label": "recordings without a label: they get traces, and their windows no heart rate",
    "label_beside": "files beside videos look like labels and are not used",
    "label_note": "what was noticed on reading labels",
    "no_frame_times": "a video without times of its frames: they are counted at a nominal rate, which may not be the true one",
    "video_speed": "a label lasts a multiple of its video: a container that claims a wrong frame rate changes each heart rate by that factor",
    "own_subject": "nobody named the subjects: each video counts as a subject of its own",
    "subjects_changed": "recordings of the output change to another subject",
    "no_fold": "subjects in no fold, while others have one",
    "similar_subjects": "subjects whose names differ in upper and lower case alone",
    "same_content": "videos with the same content count as recordings of their own",
    "short": "recordings shorter than one window",
    "windows_in_seconds": "frame rates differ, or are far from 30 frames/s, so that windows are counted in seconds",
    "not_listed": "videos in the folder that no entry of its description names",
    "known": "known defects of the database",
    "partial": "a part of the database",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one recording, or about the folder as a whole.

    Parameters
    ----------
    code : str
        A key of :data:`PROBLEMS`, :data:`NOTES` or :data:`stmap_pipeline.errors.REASONS`.
    message : str
        What it is, in which file, and what to do.
    recording_id : str
        Empty for the folder as a whole.

    Examples
    --------
    >>> Finding("clock_gap", "time.txt: no frame between 3.0 s and 6.0 s", "p001_v1_source1").severity
    'problem'
    """

    code: str
    message: str
    recording_id: str = ""

    def __post_init__(self) -> None:
        if not self.code or self.code not in PROBLEMS | NOTES | REASONS:
            raise ValueError(f"unknown code {self.code!r}; the codes are {sorted(PROBLEMS | NOTES | REASONS)}")

    @property
    def severity(self) -> Severity:
        """Whether something is wrong, or only worth knowing."""
        return "note" if self.code in NOTES else "problem"
