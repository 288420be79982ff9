"""Read and write outputs: one HDF5 file for each recording, tables and a manifest, written atomically and checked when read.

=========================  ==========================================================================
:mod:`.recording_file`     the file of a recording; :mod:`.hdf5` reads and writes HDF5
:mod:`.reader`             :class:`Shards`: recordings, windows and maps of a finished build
:mod:`.tables`             CSV with a description of each column, and the tables of a build
:mod:`.notes`              what a user should know of a build, each once with where it occurs
:mod:`.frames`             tables as pandas data frames, recordings as xarray datasets
:mod:`.manifest`           sizes and hashes of all files, written last
:mod:`.augmentation`       the folder ``augmentation/``: resampled windows for training alone
:mod:`.export`             finished maps for other trainers
=========================  ==========================================================================
"""

from stmap_pipeline.shards.augmentation import (
    is_augmented,
    plan_augmentation,
    read_augmentation,
    remove_augmentation,
    write_augmentation,
)
from stmap_pipeline.shards.export import ExportProgress, export_by_subject, export_windows
from stmap_pipeline.shards.manifest import Manifest, Problem, check_manifest, read_manifest
from stmap_pipeline.shards.reader import RecordingInfo, Shards, Split, Trace
from stmap_pipeline.shards.recording_file import read_recording, recording_path, write_recording
from stmap_pipeline.shards.tables import Column, read_columns, read_table, write_table

__all__ = [
    "Column",
    "ExportProgress",
    "Manifest",
    "Problem",
    "RecordingInfo",
    "Shards",
    "Split",
    "Trace",
    "check_manifest",
    "export_by_subject",
    "export_windows",
    "is_augmented",
    "plan_augmentation",
    "read_augmentation",
    "read_columns",
    "read_manifest",
    "read_recording",
    "read_table",
    "recording_path",
    "remove_augmentation",
    "write_augmentation",
    "write_recording",
    "write_table",
]
