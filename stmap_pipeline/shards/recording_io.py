"""One recording as an HDF5 group, and back. What is read is what was written, or a :class:`ShardError`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.records import (
    BlockTrace,
    ClockSource,
    HeartRateTrace,
    LandmarkTrack,
    PulseTrace,
    Recording,
    RecordingResult,
    RoiGrid,
    VideoSource,
)
from stmap_pipeline.shards.hdf5 import attribute, checked_dataset, create_dataset, create_group, guarded, write_attributes
from stmap_pipeline.shards.quantize import quantize_coverage, quantize_landmarks, restore_coverage, restore_landmarks
from stmap_pipeline.shards.schema import ATTRIBUTES, CHECKSUM, COVERAGE_SCALE, DATASETS, DIM_SIZES

_Arrays = dict[str, npt.NDArray[Any]]


def write_recording(parent: Any, result: RecordingResult) -> str:
    """Write a recording as a group of an open HDF5 file.

    Parameters
    ----------
    parent : h5py.Group
    result : RecordingResult

    Returns
    -------
    str
        The checksum that was stored.

    Raises
    ------
    ValueError
        Where landmarks and blocks are not on the same frames, or a value cannot be stored.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> from stmap_pipeline.shards.hdf5 import create_file
    >>> with tempfile.TemporaryDirectory() as folder, create_file(Path(folder) / "a.h5") as file:
    ...     write_recording(file, example_result("p001_v1"))[:7]
    'sha256:'
    """
    if not np.array_equal(result.blocks.times_s, result.track.times_s):
        raise ValueError(f"{result.recording.recording_id}: landmarks and blocks are not on the same frames")
    arrays, scales = _to_arrays(result)
    attributes = _to_attributes(result)
    group = create_group(parent, result.recording.recording_id)
    for spec in DATASETS:
        if spec.name in arrays:
            create_dataset(group, spec, arrays[spec.name], scales.get(spec.name))
    checksum = _checksum(arrays, scales, attributes)
    write_attributes(group, {**attributes, CHECKSUM: checksum})
    return checksum


def read_recording(group: Any) -> RecordingResult:
    """Read a recording from its group and compare it with its checksum.

    Landmarks come back in their stored steps, coverage in steps of 1/255; all else is exact. Labels' and videos' paths
    are not stored, only the file names.

    Parameters
    ----------
    group : h5py.Group

    Raises
    ------
    ShardError
        Where anything is missing, damaged, of another type or shape than the schema says, or stored elsewhere.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> from stmap_pipeline.shards.shard import open_shard
    >>> with open_shard(example_maps() / "shards" / "p001.h5") as file:
    ...     read_recording(file["p001_v1"]).blocks.means.shape
    (120, 4, 3)
    """
    path = Path(group.file.filename)
    with guarded(path):
        arrays, scales = _read_arrays(group)
        attributes = {spec.name: attribute(group, spec.name, spec.kind.replace("json", "str")) for spec in ATTRIBUTES}
        if _checksum(arrays, scales, attributes) != attribute(group, CHECKSUM, "str"):
            raise ShardError(f"{path}: {group.name} does not match its checksum; build it again or restore a copy")
        if group.name != f"/{attributes['recording_id']}":
            raise ShardError(f"{path}: {group.name} holds the recording {attributes['recording_id']!r}")
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
    if result.pulse is not None:
        arrays |= {"pulse_times_s": result.pulse.times_s, "pulse": result.pulse.value}
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


def _read_arrays(group: Any) -> tuple[_Arrays, dict[str, float]]:
    rows, cols = int(attribute(group, "grid_rows", "int")), int(attribute(group, "grid_cols", "int"))
    sizes = {**DIM_SIZES, "block": RoiGrid(rows, cols).count}
    # the shapes of all are checked before a sample of one is read
    datasets = {
        spec.name: checked_dataset(group, spec, sizes)
        for spec in DATASETS
        if not spec.optional or group.id.links.exists(spec.name.encode())
    }
    scales = {spec.name: float(attribute(datasets[spec.name], "scale", "float")) for spec in DATASETS if spec.scale}
    if not all(np.isfinite(scale) and scale > 0 for scale in scales.values()):
        raise ValueError("a scale is not positive")
    return {name: np.asarray(dataset[...]) for name, dataset in datasets.items()}, scales


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
    facts = {key: float("nan") if value is None else value for key, value in _json(attributes, "attributes", dict).items()}
    grid = RoiGrid(attributes["grid_rows"], attributes["grid_cols"])
    points_px = restore_landmarks(arrays["landmarks_px"], scales["landmarks_px"])
    return RecordingResult(
        recording=recording,
        blocks=BlockTrace(times_s, arrays["means"], restore_coverage(arrays["coverage"]), grid),
        track=LandmarkTrack(times_s, points_px, arrays["score"]),
        heart_rate=HeartRateTrace(arrays["heart_rate_times_s"], arrays["heart_rate_bpm"]) if "heart_rate_bpm" in arrays else None,
        pulse=PulseTrace(arrays["pulse_times_s"], arrays["pulse"]) if "pulse" in arrays else None,
        notes=tuple(_json(attributes, "notes", list)),
        attributes=facts,
    )
