"""Built recordings on disk: HDF5 shards, tables and a manifest; written whole or not at all, checked when read.

=========================  ==========================================================================
:mod:`.schema`             what a shard holds, as one table
:mod:`.shard`              write and read parts (one recording) and shards (one subject)
:mod:`.reader`             :class:`Shards`: recordings, windows and maps of a finished build
:mod:`.tables`             CSV with a dictionary of its columns; :mod:`.columns` has those of a build
:mod:`.manifest`           sizes and hashes of all files, written last
:mod:`.augmentation`       resampled windows beside those as recorded, for training alone
:mod:`.export`             finished maps for other people's trainers
=========================  ==========================================================================

Below them, :mod:`.recording_io`, :mod:`.hdf5` and :mod:`.quantize` turn a recording into a group and back.
"""

from stmap_pipeline.files import atomic_folder, atomic_path, atomic_write_bytes, atomic_write_text, remove_temporaries
from stmap_pipeline.shards.augmentation import (
    augmentation_problems,
    is_augmented,
    plan_augmentation,
    read_augmentation,
    remove_augmentation,
    write_augmentation,
)
from stmap_pipeline.shards.columns import (
    OUTCOMES,
    RECORDINGS,
    TIMINGS,
    WINDOWS,
    outcome_from_row,
    outcome_row,
    recording_row,
    timing_row,
    window_row,
    with_extra_columns,
)
from stmap_pipeline.shards.export import ExportProgress, export_by_subject, export_windows
from stmap_pipeline.shards.manifest import Manifest, Problem, check_manifest, read_manifest, write_manifest
from stmap_pipeline.shards.reader import RecordingInfo, Shards, Split, Trace
from stmap_pipeline.shards.recording_io import read_recording
from stmap_pipeline.shards.schema import SCHEMA_VERSION
from stmap_pipeline.shards.shard import merge_parts, read_one, read_part, read_shard, recording_ids, write_part, write_shard
from stmap_pipeline.shards.tables import Column, read_columns, read_table, write_table

__all__ = [
    "OUTCOMES",
    "RECORDINGS",
    "SCHEMA_VERSION",
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
    "atomic_folder",
    "atomic_path",
    "atomic_write_bytes",
    "atomic_write_text",
    "augmentation_problems",
    "check_manifest",
    "export_by_subject",
    "export_windows",
    "is_augmented",
    "merge_parts",
    "outcome_from_row",
    "outcome_row",
    "plan_augmentation",
    "read_augmentation",
    "read_columns",
    "read_manifest",
    "read_one",
    "read_part",
    "read_recording",
    "read_shard",
    "read_table",
    "recording_ids",
    "recording_row",
    "remove_augmentation",
    "remove_temporaries",
    "timing_row",
    "window_row",
    "with_extra_columns",
    "write_augmentation",
    "write_manifest",
    "write_part",
    "write_shard",
    "write_table",
]
