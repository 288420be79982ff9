"""Read and write outputs: one HDF5 file for each recording, tables and a manifest, written atomically and checked when read.

=========================  ==========================================================================
:mod:`.recording_file`     the file of a recording; :mod:`.hdf5` reads and writes HDF5
:mod:`.reader`             :class:`Shards`: recordings, windows and maps of a finished build
:mod:`.tables`             CSV with a description of each column, and the tables of a build
:mod:`.manifest`           sizes and hashes of all files, written last
:mod:`.augmentation`       the folder ``augmentation/``: resampled windows for training alone
:mod:`.export`             finished maps for other trainers
=========================  ==========================================================================
"""

from stmap_pipeline.shards.augmentation import (
    augmentation_problems,
    is_augmented,
    plan_augmentation,
    read_augmentation,
    remove_augmentation,
    write_augmentation,
)
from stmap_pipeline.shards.export import ExportProgress, export_by_subject, export_windows
from stmap_pipeline.shards.manifest import Manifest, Problem, check_manifest, read_manifest, write_manifest
from stmap_pipeline.shards.reader import RecordingInfo, Shards, Split, Trace
from stmap_pipeline.shards.recording_file import (
    read_keys,
    read_recording,
    recording_path,
    storage_problem,
    write_recording,
)
from stmap_pipeline.shards.tables import (
    OUTCOMES,
    RECORDINGS,
    TIMINGS,
    WINDOWS,
    Column,
    outcome_row,
    read_columns,
    read_table,
    recording_row,
    timing_row,
    window_row,
    with_extra_columns,
    write_table,
)

__all__ = [
    "OUTCOMES",
    "RECORDINGS",
    "TIMINGS",
    "WINDOWS",
    "Column",
    "ExportProgress",
    "Manifest",
    "Problem",
    "RecordingInfo",
    "Shards",
    "Split",
    "Trace",
    "augmentation_problems",
    "check_manifest",
    "export_by_subject",
    "export_windows",
    "is_augmented",
    "outcome_row",
    "plan_augmentation",
    "read_augmentation",
    "read_columns",
    "read_keys",
    "read_manifest",
    "read_recording",
    "read_table",
    "recording_path",
    "recording_row",
    "remove_augmentation",
    "storage_problem",
    "timing_row",
    "window_row",
    "with_extra_columns",
    "write_augmentation",
    "write_manifest",
    "write_recording",
    "write_table",
]
