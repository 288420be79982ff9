"""All that is kept of one recording that was built: what a shard stores under its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stmap_pipeline.records.blocks import BlockTrace
from stmap_pipeline.records.recording import Recording
from stmap_pipeline.records.traces import HeartRateTrace, PulseTrace
from stmap_pipeline.records.track import LandmarkTrack


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
