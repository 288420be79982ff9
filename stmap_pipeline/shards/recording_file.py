"""Read and write the file of one recording, ``shards/<recording>.h5``.

:data:`DATASETS` and :data:`ATTRIBUTES` are the schema; the reference page is made from them. Landmarks and coverage are stored as
small integers, and what is read back is a fixed point: writing it again changes no byte. Raise :data:`SCHEMA_VERSION` where a
reader of the old version would misread the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.files import atomic_path
from stmap_pipeline.records import (
    BlockTrace,
    ClockSource,
    HeartRateTrace,
    LandmarkTrack,
    PulseTrace,
    Recording,
    RecordingResult,
    RoiGrid,
    SourceKeys,
    StreamPositions,
    VideoSource,
    file_name,
)
from stmap_pipeline.shards.hdf5 import (
    MAX_TEXT_BYTES,
    DatasetSpec,
    attribute,
    checked_dataset,
    create_dataset,
    create_file,
    guarded,
    open_file,
    read_all,
    write_attributes,
)

FORMAT = "stmap-recording"
SCHEMA_VERSION = 2

#: Stands for a landmark that is not known.
LOST = -32768
COVERAGE_SCALE = 1 / 255

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
        "stream_number", "<i4", ("frame",), "1", "position in the decoded stream from 0, damaged frames counted", optional=True
    ),
    DatasetSpec(
        "presentation_s", "<f8", ("frame",), "s", "presentation time by the container; NaN where it has none", optional=True
    ),
    DatasetSpec(
        "heart_rate_times_s", "<f8", ("heart_rate_sample",), "s", "time of each heart rate, on the frames' clock", optional=True
    ),
    DatasetSpec(
        "heart_rate_bpm", "<f8", ("heart_rate_sample",), "beats/min", "ground-truth heart rate; NaN where unknown", optional=True
    ),
    DatasetSpec(
        "heart_rate_disagreement_bpm",
        "<f8",
        ("heart_rate_sample",),
        "beats/min",
        "by beats minus by spectrum, where the heart rate was computed from a pulse or an ECG; NaN where one of them is unknown",
        optional=True,
    ),
    DatasetSpec("pulse_times_s", "<f8", ("pulse_sample",), "s", "time of each pulse sample, on the frames' clock", optional=True),
    DatasetSpec("pulse", "<f8", ("pulse_sample",), "arbitrary", "ground-truth pulse wave; NaN where unknown", optional=True),
)

# Fixed lengths; those of the other axes follow from the data.
DIM_SIZES: dict[str, int] = {"color": 3, "point": 68, "axis": 2}


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute of a recording's file.

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
    AttributeSpec("recording_id", "str", "unique in the database"),
    AttributeSpec("database", "str", "name of the source database"),
    AttributeSpec("subject", "str", "the person"),
    AttributeSpec("scenario", "str", "what the person did, in the database's own terms"),
    AttributeSpec("camera", "str", "which camera, in the database's own terms"),
    AttributeSpec("fold", "int", "official fold of the subject, from 1; 0 where the database has none"),
    AttributeSpec("video", "str", "name of the video file or picture folder, without its path"),
    AttributeSpec("video_kind", "str", "file, images or array"),
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
    AttributeSpec("settings_key", "str", "hash of the settings of faces and blocks and of the version of the pipeline"),
    AttributeSpec("video_key", "str", "SHA-256 of the content of the video"),
    AttributeSpec("clock_key", "str", "hash of the choice of the clock and of the content of the file of frame times"),
    AttributeSpec("labels_key", "str", "hash of what the listing says and of the content of the label files"),
    AttributeSpec("attributes", "json", "object of texts and numbers: metadata and quality measures of the build"),
)

#: Attribute that holds the SHA-256 over all datasets and the attributes above.
CHECKSUM = "checksum"

_Arrays = dict[str, npt.NDArray[Any]]
_KEYS = {"settings_key": "settings", "video_key": "video", "clock_key": "clock", "labels_key": "labels"}
_LARGEST_INT = 2**63 - 1


def recording_path(root: str | Path, recording_id: str) -> Path:
    """Return the path of a recording's file below the folder of an output.

    Examples
    --------
    >>> recording_path(Path("maps"), "p001_v1_source1").as_posix()
    'maps/shards/p001_v1_source1.h5'
    """
    root = Path(root)
    return root / "shards" / f"{file_name(recording_id)}.h5"


def write_recording(path: str | Path, result: RecordingResult) -> RecordingResult:
    """Write a recording into a file of its own, atomically, and return it as it was stored.

    The file is written under another name, read back, compared with what was meant, and renamed. The same recording gives the same
    bytes, whatever process wrote it and when (with the same HDF5 and zlib). Tables are to be made from what is returned and not from
    what was handed in: landmarks and coverage are quantized.

    Parameters
    ----------
    path : str or Path
    result : RecordingResult

    Raises
    ------
    ValueError
        Where landmarks and blocks are not on the same frames, or a value cannot be stored.
    OutputError
        Where the system refuses to write.
    ShardError
        Where the written file does not read back as what was meant.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_recording(Path(folder) / "one.h5", example_result("p001_v1")).recording.recording_id
    'p001_v1'
    """
    path = Path(path)
    if not np.array_equal(result.blocks.times_s, result.track.times_s):
        raise ValueError(f"{result.recording.recording_id}: landmarks and blocks are not on the same frames")
    arrays, scales = _to_arrays(result)
    attributes = _to_attributes(result)
    checksum = _checksum(arrays, scales, attributes)
    stored: list[RecordingResult] = []

    def check(temporary: Path) -> None:
        with open_recording(temporary) as file:
            if attribute(file, CHECKSUM, "str") != checksum:
                raise ShardError(f"{path}: did not read back as it was written; check the disk and run the same command again")
            stored.append(_read(file, temporary))

    with atomic_path(path, check) as temporary, create_file(temporary) as file:
        write_attributes(file, {"format": FORMAT, "schema_version": SCHEMA_VERSION})
        for spec in DATASETS:
            if spec.name in arrays:
                create_dataset(file, spec, arrays[spec.name], scales.get(spec.name))
        write_attributes(file, {**attributes, CHECKSUM: checksum})
    return stored[0]


def read_recording(path: str | Path) -> RecordingResult:
    """Read the file of a recording and compare it with its checksum.

    Landmarks come back in their stored steps, coverage in steps of 1/255; all else is exact. The paths of labels and videos are not
    stored, only the names of the files.

    Raises
    ------
    ShardError
        Where the file is missing or damaged, or anything in it is of another type or shape than the schema says.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_recording(example_maps() / "shards" / "p001_v1.h5").blocks.means.shape
    (120, 4, 3)
    """
    path = Path(path)
    with open_recording(path) as file:
        return _read(file, path)


def read_keys(path: Path) -> tuple[str, SourceKeys]:
    """Read the id of a recording's file and what it was derived from, and no sample.

    Raises
    ------
    ShardError
        As :func:`read_recording`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_keys(example_maps() / "shards" / "p001_v1.h5")[0]
    'p001_v1'
    """
    with open_recording(path) as file:
        keys = SourceKeys(**{key: str(attribute(file, name, "str")) for name, key in _KEYS.items()})
        return str(attribute(file, "recording_id", "str")), keys


@contextlib.contextmanager
def open_recording(path: Path) -> Iterator[Any]:
    """Open the file of a recording for reading, its schema checked; an error in the block is one of the file.

    Raises
    ------
    ShardError
        As :func:`read_recording`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> with open_recording(example_maps() / "shards" / "p001_v1.h5") as file:
    ...     file["times_s"].attrs["units"].decode()
    's'
    """
    with guarded(path), open_file(path) as file:
        if attribute(file, "format", "str") != FORMAT:
            raise ShardError(f"{path}: is an HDF5 file, but not the file of a recording")
        version = attribute(file, "schema_version", "int")
        if version != SCHEMA_VERSION:
            raise ShardError(
                f"{path}: has schema version {version}, this stmap reads {SCHEMA_VERSION}; install the stmap that wrote it"
            )
        yield file


def storage_problem(recording: Recording) -> str:
    """Describe what of a listed recording cannot be stored; empty where all can.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> storage_problem(example_result().recording)
    ''
    """
    texts = {
        "scenario": recording.scenario,
        "camera": recording.camera,
        "clock.note": recording.clock.note,
        "notes": json.dumps(list(recording.notes)),
        "extras": json.dumps(dict(recording.extras)),
    }
    for name, text in texts.items():
        if (length := len(_text(text).encode())) > MAX_TEXT_BYTES:
            return f"{name} has {length:,} bytes; at most {MAX_TEXT_BYTES:,} can be stored"
    if not 0 <= (recording.fold or 0) <= _LARGEST_INT:
        return f"fold {recording.fold} is no fold"
    return ""


def _read(file: Any, path: Path) -> RecordingResult:
    arrays, scales = _read_arrays(file)
    attributes = {spec.name: attribute(file, spec.name, spec.kind.replace("json", "str")) for spec in ATTRIBUTES}
    if _checksum(arrays, scales, attributes) != attribute(file, CHECKSUM, "str"):
        raise ShardError(f"{path}: does not match its checksum; build it again or restore a copy")
    return _from_parts(arrays, scales, attributes)


def _to_arrays(result: RecordingResult) -> tuple[_Arrays, dict[str, float]]:
    landmarks, scale_px = quantize_landmarks(result.track.points_px)
    arrays: _Arrays = {
        "times_s": result.blocks.times_s,
        "means": result.blocks.means,
        "coverage": quantize_coverage(result.blocks.coverage),
        "landmarks_px": landmarks,
        "score": result.track.score,
    }
    if result.heart_rate is not None:
        arrays |= {"heart_rate_times_s": result.heart_rate.times_s, "heart_rate_bpm": result.heart_rate.heart_rate_bpm}
        if result.heart_rate.disagreement_bpm is not None:
            arrays["heart_rate_disagreement_bpm"] = result.heart_rate.disagreement_bpm
    if result.pulse is not None:
        arrays |= {"pulse_times_s": result.pulse.times_s, "pulse": result.pulse.value}
    if result.positions is not None:
        arrays |= {"stream_number": result.positions.number, "presentation_s": result.positions.presentation_s}
    stored = {spec.name: np.ascontiguousarray(arrays[spec.name], dtype=spec.dtype) for spec in DATASETS if spec.name in arrays}
    return stored, {"coverage": COVERAGE_SCALE, "landmarks_px": scale_px}


def _to_attributes(result: RecordingResult) -> dict[str, str | int | float]:
    one, clock, grid = result.recording, result.recording.clock, result.blocks.grid
    attributes: dict[str, str | int | float] = {
        "recording_id": one.recording_id,
        "database": one.database,
        "subject": one.subject,
        "scenario": one.scenario,
        "camera": one.camera,
        "fold": one.fold or 0,
        "video": one.video.path.name,
        "video_kind": one.video.kind,
        "clock": clock.kind,
        "clock_file": clock.path.name if clock.path else "",
        "clock_unit_s": float(clock.unit_s),
        "clock_rate_hz": float("nan") if clock.rate_hz is None else float(clock.rate_hz),
        "clock_note": clock.note,
        "grid_rows": grid.rows,
        "grid_cols": grid.cols,
        "listing_notes": json.dumps(list(one.notes)),
        "notes": json.dumps(list(result.notes)),
        "extras": json.dumps(dict(one.extras)),
        **{name: getattr(result.keys, key) for name, key in _KEYS.items()},
        "attributes": json.dumps({key: _plain(value) for key, value in result.attributes.items()}),
    }
    return {name: _text(value) if isinstance(value, str) else value for name, value in attributes.items()}


def _text(value: str) -> str:
    # half a surrogate pair (an undecodable file name) and NUL cannot be stored as they are
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _plain(value: Any) -> str | int | float | None:
    number = value.item() if isinstance(value, np.generic) else value
    if not isinstance(number, str | int | float):
        raise ValueError(f"an attribute is a text or a number, not {number!r}")
    # JSON knows no NaN: unknown is null
    return None if isinstance(number, float) and np.isnan(number) else number


def _checksum(arrays: _Arrays, scales: dict[str, float], attributes: dict[str, str | int | float]) -> str:
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name} {values.dtype.str} {values.shape} {float(scales.get(name, 1)).hex()}\n".encode())
        digest.update(values.tobytes())
    for name, value in attributes.items():
        digest.update(f"{name} {value if isinstance(value, str) else float(value).hex()}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def _json(attributes: dict[str, Any], name: str, kind: type) -> Any:
    value = json.loads(attributes[name])
    members = value.values() if isinstance(value, dict) else value
    allowed = (str, int, float, type(None)) if name == "attributes" else (str,)
    if not isinstance(value, kind) or not all(isinstance(member, allowed) for member in members):
        raise ValueError(f"the attribute {name} is not what the schema says")
    return value


def open_datasets(file: Any, names: Collection[str] | None = None) -> dict[str, Any]:
    """Open the datasets of a recording, or those of them with these names; the shapes of all are checked, and no sample is read."""
    rows, cols = int(attribute(file, "grid_rows", "int")), int(attribute(file, "grid_cols", "int"))
    sizes = {**DIM_SIZES, "block": RoiGrid(rows, cols).count}
    return {
        spec.name: checked_dataset(file, spec, sizes)
        for spec in DATASETS
        if (names is None or spec.name in names) and (not spec.optional or file.id.links.exists(spec.name.encode()))
    }


def _read_arrays(file: Any) -> tuple[_Arrays, dict[str, float]]:
    datasets = open_datasets(file)
    scales = {spec.name: float(attribute(datasets[spec.name], "scale", "float")) for spec in DATASETS if spec.scale}
    if not all(np.isfinite(scale) and scale > 0 for scale in scales.values()):
        raise ValueError("a scale is not positive")
    return {name: read_all(dataset) for name, dataset in datasets.items()}, scales


def _from_parts(arrays: _Arrays, scales: dict[str, float], attributes: dict[str, Any]) -> RecordingResult:
    times_s = arrays["times_s"]
    if not np.isfinite(times_s).all() or np.any(np.diff(times_s) <= 0):
        raise ValueError("the times of the frames do not increase")
    rate_hz = attributes["clock_rate_hz"]
    recording = Recording(
        recording_id=attributes["recording_id"],
        database=attributes["database"],
        subject=attributes["subject"],
        video=VideoSource(Path(attributes["video"]), attributes["video_kind"]),
        clock=ClockSource(
            attributes["clock"],
            Path(attributes["clock_file"]) if attributes["clock_file"] else None,
            attributes["clock_unit_s"],
            None if np.isnan(rate_hz) else rate_hz,
            attributes["clock_note"],
        ),
        scenario=attributes["scenario"],
        camera=attributes["camera"],
        fold=attributes["fold"] or None,
        notes=tuple(_json(attributes, "listing_notes", list)),
        extras=_json(attributes, "extras", dict),
    )
    metadata = {key: float("nan") if value is None else value for key, value in _json(attributes, "attributes", dict).items()}
    grid = RoiGrid(attributes["grid_rows"], attributes["grid_cols"])
    points_px = restore_landmarks(arrays["landmarks_px"], scales["landmarks_px"])
    return RecordingResult(
        recording=recording,
        blocks=BlockTrace(times_s, arrays["means"], restore_coverage(arrays["coverage"]), grid),
        track=LandmarkTrack(times_s, points_px, arrays["score"]),
        heart_rate=heart_rate_from_arrays(arrays),
        pulse=PulseTrace(arrays["pulse_times_s"], arrays["pulse"]) if "pulse" in arrays else None,
        notes=tuple(_json(attributes, "notes", list)),
        attributes=metadata,
        positions=StreamPositions(arrays["stream_number"], arrays["presentation_s"]) if "stream_number" in arrays else None,
        keys=SourceKeys(**{key: attributes[name] for name, key in _KEYS.items()}),
    )


def heart_rate_from_arrays(arrays: _Arrays) -> HeartRateTrace | None:
    """Return the heart rate as it is stored; None where there is none."""
    if "heart_rate_bpm" not in arrays:
        return None
    return HeartRateTrace(arrays["heart_rate_times_s"], arrays["heart_rate_bpm"], arrays.get("heart_rate_disagreement_bpm"))


# 1/32 px reaches 1023 px, 1/16 px 2047 px, and so on; the coarsest, 1/4 px, reaches 8191 px
_STEPS_PER_PX = (32, 16, 8, 4)
_LARGEST = 32767


def quantize_landmarks(points_px: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int16], float]:
    """Return landmarks as 16-bit integers in the finest step that their range allows.

    Parameters
    ----------
    points_px : (T, 68, 2) array of float32
        NaN where lost.

    Returns
    -------
    steps : (T, 68, 2) array of int16
        :data:`LOST` where lost.
    scale_px : float
        1/32 for pictures up to about 1000 pixels, down to 1/4 for 8000.

    Raises
    ------
    ValueError
        Where a coordinate is infinite or lies beyond 8191 pixels.

    Examples
    --------
    >>> quantize_landmarks(np.array([[[10.5, -3.0]]], dtype=np.float32))
    (array([[[336, -96]]], dtype=int16), 0.03125)
    """
    points = np.asarray(points_px, dtype=np.float64)
    lost = np.isnan(points)
    known = np.where(lost, 0.0, points)
    for steps_per_px in _STEPS_PER_PX:
        steps = np.rint(known * steps_per_px)
        if not np.any(np.abs(steps) > _LARGEST):
            return np.where(lost, LOST, steps).astype("<i2"), 1 / steps_per_px
    raise ValueError(
        f"a landmark lies at {np.abs(known).max():.0f} px; at most {_LARGEST / _STEPS_PER_PX[-1]:.0f} px can be stored"
    )


def restore_landmarks(steps: npt.NDArray[np.int16], scale_px: float) -> npt.NDArray[np.float32]:
    """Return the pixels of stored integers, NaN where lost.

    Examples
    --------
    >>> restore_landmarks(np.array([[[336, -32768]]], dtype=np.int16), 1 / 32).tolist()
    [[[10.5, nan]]]
    """
    return np.where(steps == LOST, np.float32(np.nan), steps.astype(np.float32) * np.float32(scale_px)).astype(np.float32)


def quantize_coverage(coverage: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return shares of 0 to 1 as steps of 1/255; 0 and 1 stay exact, others move by at most 0.002.

    Raises
    ------
    ValueError
        Where a share is not between 0 and 1.

    Examples
    --------
    >>> quantize_coverage(np.array([0.0, 0.5, 1.0], dtype=np.float32)).tolist()
    [0, 128, 255]
    """
    shares = np.asarray(coverage, dtype=np.float64)
    # an area mean may pass 1 by a rounding
    if not np.all((shares >= -1e-4) & (shares <= 1 + 1e-4)):
        raise ValueError("coverage must lie between 0 and 1")
    return np.rint(np.clip(shares, 0, 1) / COVERAGE_SCALE).astype(np.uint8)


def restore_coverage(steps: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the shares of stored steps.

    Examples
    --------
    >>> restore_coverage(np.array([0, 255], dtype=np.uint8)).tolist()
    [0.0, 1.0]
    """
    return (steps * COVERAGE_SCALE).astype(np.float32)
