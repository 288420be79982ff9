"""What a shard holds, as one table: names, types, axes and units. The reference page is made from it.

A shard is an HDF5 file ``shards/<subject>.h5`` with one group ``/<recording_id>`` a recording; a part is the same file
with a single recording. Raising :data:`SCHEMA_VERSION` is due where a reader of the old version would misread the new one.
"""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = "stmap-shard"
SCHEMA_VERSION = 1

# Shuffle and deflate leave 59 % of the bytes (lzf: 67 %) and can be read by every HDF5 library, MATLAB's included, which
# lzf cannot. A cold slice of 300 frames then takes 0.34 ms instead of 0.09 ms, a warm one 0.02 ms either way; chunks of
# 300 and more frames read slower and save under 1 %. Higher deflate levels save 2 % more.
COMPRESSION = "gzip"
COMPRESSION_LEVEL = 1
CHUNK_FRAMES = 150
CHUNK_SAMPLES = 8192

#: No dataset of a shard is larger; a file that claims so is refused before memory is asked for.
MAX_DATASET_BYTES = 2**31
MAX_CHUNK_BYTES = 2**26
#: An attribute lies in its object's header, which has room for 64 KiB.
MAX_TEXT_BYTES = 60_000

#: Stands for a landmark that is not known.
LOST = -32768
COVERAGE_SCALE = 1 / 255


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One dataset of a recording.

    Parameters
    ----------
    name : str
    dtype : str
        Stored type, byte order included.
    dims : tuple of str
        Label of each axis, stored as attribute ``dims``; equal labels have equal lengths.
    unit : str
        Stored as attribute ``units``.
    description : str
        Stored as attribute ``description``.
    optional : bool
        Whether a recording may lack it.
    scale : bool
        Whether the stored integer times the attribute ``scale`` gives the unit.

    Examples
    --------
    >>> {one.name: one.unit for one in DATASETS}["means"]
    'gray level'
    """

    name: str
    dtype: str
    dims: tuple[str, ...]
    unit: str
    description: str
    optional: bool = False
    scale: bool = False


DATASETS: tuple[DatasetSpec, ...] = (
    DatasetSpec("times_s", "<f8", ("frame",), "s", "time of each frame"),
    DatasetSpec(
        "means", "<f4", ("frame", "block", "color"), "gray level", "mean R, G, B of each block, 0 to 255; NaN where not seen"
    ),
    DatasetSpec(
        "coverage", "|u1", ("frame", "block"), "1", "share of the block's area inside picture and mask; 0 where lost", scale=True
    ),
    DatasetSpec(
        "landmarks_px",
        "<i2",
        ("frame", "point", "axis"),
        "px",
        f"x and y of the 68 landmarks in the luma plane, center of the top left pixel at 0; {LOST} where lost",
        scale=True,
    ),
    DatasetSpec("score", "<f4", ("frame",), "1", "confidence of the face backend; NaN where lost"),
    DatasetSpec(
        "heart_rate_times_s", "<f8", ("heart_rate_sample",), "s", "time of each heart rate, on the frames' clock", optional=True
    ),
    DatasetSpec(
        "heart_rate_bpm", "<f8", ("heart_rate_sample",), "beats/min", "ground-truth heart rate; NaN where unknown", optional=True
    ),
    DatasetSpec("pulse_times_s", "<f8", ("pulse_sample",), "s", "time of each pulse sample, on the frames' clock", optional=True),
    DatasetSpec("pulse", "<f8", ("pulse_sample",), "arbitrary", "ground-truth pulse wave; NaN where unknown", optional=True),
)

# Fixed lengths; those of the other axes follow from the data.
DIM_SIZES: dict[str, int] = {"color": 3, "point": 68, "axis": 2}


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute of a recording's group.

    Parameters
    ----------
    name : str
    kind : {"str", "int", "float", "json"}
        ``json`` is a text in JSON, in which null stands for an unknown number.
    description : str

    Examples
    --------
    >>> ATTRIBUTES[0].name
    'recording_id'
    """

    name: str
    kind: str
    description: str


ATTRIBUTES: tuple[AttributeSpec, ...] = (
    AttributeSpec("recording_id", "str", "unique in the database; the name of the group"),
    AttributeSpec("database", "str", "name of the source database"),
    AttributeSpec("subject", "str", "the person; the name of the shard"),
    AttributeSpec("scenario", "str", "what the person did, in the database's own terms"),
    AttributeSpec("camera", "str", "which camera, in the database's own terms"),
    AttributeSpec("fold", "int", "official fold of the subject, from 1; 0 where the database has none"),
    AttributeSpec("video", "str", "name of the video file or picture folder, without its path"),
    AttributeSpec("video_kind", "str", "file or images"),
    AttributeSpec("clock", "str", "where the times came from: pts, times_file or constant"),
    AttributeSpec("clock_file", "str", "name of the file of frame times, without its path; empty where there is none"),
    AttributeSpec("clock_unit_s", "float", "length of one unit of that file in seconds"),
    AttributeSpec("clock_rate_hz", "float", "frame rate of a constant clock; NaN otherwise"),
    AttributeSpec("clock_note", "str", "why this clock was chosen"),
    AttributeSpec("grid_rows", "int", "rows of the block grid; block = row * columns + column, from the forehead"),
    AttributeSpec("grid_cols", "int", "columns of the block grid"),
    AttributeSpec("listing_notes", "json", "list of texts: what the database's listing says of the recording"),
    AttributeSpec("notes", "json", "list of texts: what a user should know, the listing's notes included"),
    AttributeSpec("extras", "json", "object of texts: whatever else the database tells"),
    AttributeSpec("attributes", "json", "object of texts and numbers: facts and quality figures of the build"),
)

#: Attribute that holds the SHA-256 over all datasets and the attributes above.
CHECKSUM = "checksum"
