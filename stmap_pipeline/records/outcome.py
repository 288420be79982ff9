"""The outcome of a listed recording, a row of ``outcomes.csv``; and the result of a built one, which a shard stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stmap_pipeline.errors import REASONS
from stmap_pipeline.records.recording import Recording, check_ids
from stmap_pipeline.records.traces import BlockTrace, HeartRateTrace, LandmarkTrack, PulseTrace

Status = Literal["ok", "skipped", "failed"]
Reused = Literal["", "landmarks", "traces"]


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
        One line: what happened, where, what to do.
    frames : int
        Frames decoded (not the number the header promises).
    timings : mapping of str to float
        Seconds per stage, bytes read and written, peak memory. Differs from run to run, so it never reaches
        a file that the manifest covers.
    resumed : bool
        Whether an earlier run did the work.
    reused : {"", "landmarks", "traces"}
        What was taken over from another output; no part of the result, which is the same without.

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
    reused: Reused = ""

    def __post_init__(self) -> None:
        # outcomes are read back from files, and ids become names of files
        check_ids(self.recording_id, self.subject)
        if self.reason not in REASONS:
            raise ValueError(f"unknown reason code {self.reason!r}; the codes are {sorted(REASONS)}")
        if (self.status == "ok") != (self.reason == ""):
            raise ValueError(f"{self.recording_id}: an outcome has a reason code exactly when it is not ok")


@dataclass(frozen=True, slots=True, eq=False)
class RecordingResult:
    """One built recording on its way to a shard, or read back from one.

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
        Facts and quality figures: clock, pixel format, color matrix, detections, gaps; columns of ``recordings.csv``.
        The same keys for each recording of a build; names carry units.
    """

    recording: Recording
    blocks: BlockTrace
    track: LandmarkTrack
    heart_rate: HeartRateTrace | None = None
    pulse: PulseTrace | None = None
    notes: tuple[str, ...] = ()
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
