"""Types of data that pass between packages: plain, frozen, picklable, with units in the names.

====================  =====================================================================
:mod:`.recording`     where one recording, its clock and its labels are on disk; ids and their file names
:mod:`.traces`        values over time: heart rate, pulse, mean colors of the blocks, landmarks
:mod:`.window`        an interval of a recording with its label, and the spatial-temporal map of it
:mod:`.outcome`       the outcome of a listed recording, and all that is stored of a built one
====================  =====================================================================

Nothing here opens a file or knows a database.
"""

from stmap_pipeline.records.outcome import Outcome, RecordingResult, SourceKeys, StreamPositions
from stmap_pipeline.records.recording import ClockSource, LabelSource, Recording, VideoSource, file_name
from stmap_pipeline.records.traces import (
    LARGEST_GRID,
    BlockTrace,
    HeartRateTrace,
    LandmarkTrack,
    PulseTrace,
    RoiGrid,
    duration_s,
    median_interval_s,
)
from stmap_pipeline.records.window import STMap, Window

__all__ = [
    "LARGEST_GRID",
    "BlockTrace",
    "ClockSource",
    "HeartRateTrace",
    "LabelSource",
    "LandmarkTrack",
    "Outcome",
    "PulseTrace",
    "Recording",
    "RecordingResult",
    "RoiGrid",
    "STMap",
    "SourceKeys",
    "StreamPositions",
    "VideoSource",
    "Window",
    "duration_s",
    "file_name",
    "median_interval_s",
]
