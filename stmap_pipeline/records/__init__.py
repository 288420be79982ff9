"""The types that flow from a database to a map: plain, frozen, picklable, with units in the names.

========================  =====================================================================
:mod:`.recording`         where one recording, its clock and its labels are on disk
:mod:`.traces`            heart rate and pulse over time, and their mean over an interval
:mod:`.track`             68 landmarks over time, NaN where the face was lost
:mod:`.blocks`            the grid of regions, and their mean colors over time
:mod:`.window`            an interval of a recording with its label, as a row of ``windows.csv``
:mod:`.stmap`             a spatial-temporal map, derived on read
:mod:`.result`            all that is kept of one built recording
:mod:`.outcome`           what became of each listed recording
========================  =====================================================================

Nothing here opens a file or knows a database.
"""

from stmap_pipeline.records.blocks import BlockTrace, RoiGrid
from stmap_pipeline.records.outcome import Outcome
from stmap_pipeline.records.recording import ClockSource, LabelSource, Recording, VideoSource, file_name
from stmap_pipeline.records.result import RecordingResult
from stmap_pipeline.records.stmap import STMap
from stmap_pipeline.records.traces import HeartRateTrace, PulseTrace
from stmap_pipeline.records.track import LandmarkTrack
from stmap_pipeline.records.window import Window

__all__ = [
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
    "VideoSource",
    "Window",
    "file_name",
]
