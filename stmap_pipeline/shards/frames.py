"""Tables as pandas data frames and recordings as xarray datasets, each with units. Both libraries come with the extra ``frames``."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stmap_pipeline.errors import ExtraMissingError
from stmap_pipeline.records import RecordingResult
from stmap_pipeline.shards.recording_file import DATASETS
from stmap_pipeline.shards.tables import Column, Row

if TYPE_CHECKING:
    import pandas
    import xarray

_SPECS = {one.name: one for one in DATASETS}


def frame_from_rows(columns: Sequence[Column], rows: Iterable[Row]) -> pandas.DataFrame:
    """Return rows as a data frame; ``frame.attrs["units"]`` and ``["descriptions"]`` have those of its columns.

    Parameters
    ----------
    columns : sequence of Column
        Texts are of pandas's type for them, and unknown whole numbers ``<NA>``.
    rows : iterable of dict
        What a row lacks is unknown.

    Raises
    ------
    ExtraMissingError
        Where pandas is not installed.

    Examples
    --------
    >>> columns = [Column("frames", "", "frames decoded", "int"), Column("start_s", "s", "time of the first sample", "float")]
    >>> frame = frame_from_rows(columns, [{"frames": 3, "start_s": 0.5}, {"frames": None}])
    >>> frame["frames"].tolist(), frame["start_s"].tolist(), frame.attrs["units"]["start_s"]
    ([3, <NA>], [0.5, nan], 's')
    """
    library = _imported("pandas")
    kinds = {"str": "string", "int": "Int64", "float": "float64"}
    cells = list(rows)
    frame: pandas.DataFrame = library.DataFrame(
        {one.name: library.array([row.get(one.name) for row in cells], dtype=kinds[one.kind]) for one in columns}
    )
    frame.attrs = {
        "units": {one.name: one.unit for one in columns},
        "descriptions": {one.name: one.description for one in columns},
    }
    return frame


def dataset_from_recording(result: RecordingResult) -> xarray.Dataset:
    """Return all samples of a recording as a dataset with named dimensions.

    Returns
    -------
    xarray.Dataset
        ``means`` (time, block, color), ``coverage`` (time, block), ``landmarks_px`` (time, point, axis) and ``score`` (time); where there
        are labels, ``heart_rate_bpm`` (heart_rate_time) and ``pulse`` (pulse_time). The three times are coordinates in seconds; blocks
        have ``row`` and ``column`` in the grid. Each variable has ``units`` and ``description``.

    Raises
    ------
    ExtraMissingError
        Where xarray is not installed.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> data = dataset_from_recording(example_result(frames=300))
    >>> dict(data.means.sizes), data.time.attrs["units"], data.means.sel(time=slice(2, 4)).sizes["time"]
    ({'time': 300, 'block': 4, 'color': 3}, 's', 61)
    """
    library = _imported("xarray")
    blocks, grid = result.blocks, result.blocks.grid
    variables: dict[str, Any] = {
        "means": _variable("means", ("time", "block", "color"), blocks.means),
        "coverage": _variable("coverage", ("time", "block"), blocks.coverage),
        "landmarks_px": _variable("landmarks_px", ("time", "point", "axis"), result.track.points_px),
        "score": _variable("score", ("time",), result.track.score),
    }
    coordinates: dict[str, Any] = {
        "time": _variable("times_s", ("time",), blocks.times_s),
        "color": list("RGB"),
        "axis": list("xy"),
        "row": ("block", np.arange(grid.count) // grid.cols),
        "column": ("block", np.arange(grid.count) % grid.cols),
    }
    if (rate := result.heart_rate) is not None:
        coordinates["heart_rate_time"] = _variable("heart_rate_times_s", ("heart_rate_time",), rate.times_s)
        variables["heart_rate_bpm"] = _variable("heart_rate_bpm", ("heart_rate_time",), rate.heart_rate_bpm)
        if rate.disagreement_bpm is not None:
            name = "heart_rate_disagreement_bpm"
            variables[name] = _variable(name, ("heart_rate_time",), rate.disagreement_bpm)
    if (pulse := result.pulse) is not None:
        coordinates["pulse_time"] = _variable("pulse_times_s", ("pulse_time",), pulse.times_s)
        variables["pulse"] = _variable("pulse", ("pulse_time",), pulse.value)
    one = result.recording
    about = {"recording_id": one.recording_id, "database": one.database, "subject": one.subject, "fold": one.fold or 0}
    attributes = {**about, "scenario": one.scenario, "camera": one.camera, "notes": " | ".join(result.notes), **result.attributes}
    dataset: xarray.Dataset = library.Dataset(variables, coordinates, attributes)
    return dataset


def _variable(name: str, dims: tuple[str, ...], values: Any) -> tuple[tuple[str, ...], Any, dict[str, str]]:
    spec = _SPECS[name]
    return dims, values, {"units": spec.unit, "description": spec.description}


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ExtraMissingError(f"this needs {name}, which is not installed: pip install 'stmap[frames]'") from None
