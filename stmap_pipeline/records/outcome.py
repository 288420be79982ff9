"""The outcome of a listed recording, a row of ``outcomes.csv``; and the result of a built one, which a shard stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import REASONS
from stmap_pipeline.records.recording import Recording, check_ids
from stmap_pipeline.records.traces import BlockTrace, HeartRateTrace, LandmarkTrack, PulseTrace

Status = Literal["ok", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a listed recording: each has exactly one.

    Parameters
    ----------
    recording_id, subject : str
    status : {"ok", "skipped", "failed"}
    stage : str
        The stage that decided: ``list``, ``decode``, ``faces``, ``blocks``, ``labels``, ``write``, ``run``; empty for ok.
    reason : str
        A code of :data:`stmap_pipeline.errors.REASONS`; empty for ok alone.
    message : str
        One line: what happened, where, what to do; for ok, that there is no window.
    frames : int
        Frames decoded (not the number the header promises).
    timings : mapping of str to float
        Seconds per stage, bytes read and written, peak memory. Differs from run to run, so it never reaches
        a file that the manifest covers.
    resumed : bool
        Whether an earlier run did the work.
    video_stamp : str
        Size and date of the video on this machine: where they are the same later, its content is taken to be the same.
    attempt : str
        Hash of all that a failure depends on; where it changes, the recording is tried again.

    Examples
    --------
    >>> Outcome("p001_v1_source1", "p001", "failed", "faces", "no_face", "no face in 94 % of frames (limit 50 %)").status
    'failed'
    """

    recording_id: str
    subject: str
    status: Status
    stage: str = ""
    reason: str = ""
    message: str = ""
    frames: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    resumed: bool = False
    video_stamp: str = ""
    attempt: str = ""

    def __post_init__(self) -> None:
        # outcomes are read back from files, and ids become names of files
        check_ids(self.recording_id, self.subject)
        if self.status not in get_args(Status):
            raise ValueError(f"{self.recording_id}: unknown status {self.status!r}")
        if self.reason not in REASONS:
            raise ValueError(f"unknown reason code {self.reason!r}; the codes are {sorted(REASONS)}")
        if (self.status == "ok") != (self.reason == ""):
            raise ValueError(f"{self.recording_id}: an outcome has a reason code exactly when it is not ok")


@dataclass(frozen=True, slots=True, eq=False)
class StreamPositions:
    """Positions of the frames of a trace in the video stream: from them other times are assigned without decoding.

    Parameters
    ----------
    number : (T,) array of int32
        Position in the decoded stream, from 0; damaged frames are counted and have no place in the trace.
    presentation_s : (T,) array of float64
        Presentation time by the container; NaN where it has none.
    """

    number: npt.NDArray[np.int32]
    presentation_s: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """Hashes of all that a stored recording was derived from; each is equal on every machine that holds the same files.

    Parameters
    ----------
    settings : str
        Of the settings of faces and blocks, and the version of the pipeline.
    video : str
        SHA-256 of the video's content.
    clock : str
        Of the choice of the clock and the content of the file of frame times.
    labels : str
        Of what the listing says of the recording and the content of its label files.
    """

    settings: str = ""
    video: str = ""
    clock: str = ""
    labels: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingResult:
    """One built recording on its way to its file, or read back from it.

    Parameters
    ----------
    recording : Recording
        As listed. A result that was read back has its ids, notes and extras, but no paths of the machine that built it.
    blocks : BlockTrace
    track : LandmarkTrack
        On the same frames as ``blocks``.
    heart_rate, pulse : HeartRateTrace, PulseTrace, optional
        Label traces on the clock of the frames.
    notes : tuple of str
        What a user should know of this recording, the listing's notes included.
    attributes : mapping of str to str, int or float
        Metadata and quality measures: clock, pixel format, color matrix, detections, gaps; columns of ``recordings.csv``.
        The same keys for each recording of a build; names carry units.
    positions : StreamPositions, optional
        None where there was no video.
    keys : SourceKeys
    """

    recording: Recording
    blocks: BlockTrace
    track: LandmarkTrack
    heart_rate: HeartRateTrace | None = None
    pulse: PulseTrace | None = None
    notes: tuple[str, ...] = ()
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    positions: StreamPositions | None = None
    keys: SourceKeys = field(default_factory=SourceKeys)
