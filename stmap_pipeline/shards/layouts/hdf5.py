"""One HDF5 file of all windows: ``maps`` with one chunk for each window, and a dataset for each column of ``windows.csv``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.records import Window
from stmap_pipeline.shards.hdf5 import create_file
from stmap_pipeline.shards.layouts.base import EXPORTED, ExportChoices, LayoutWriter, MapArray, to_bytes
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import Row


class Hdf5Writer(LayoutWriter):
    """Writer of ``windows.h5``."""

    def __init__(self, folder: Path, out: Path, shards: Shards, choices: ExportChoices) -> None:
        super().__init__(folder, out, shards, choices)
        self._opened = contextlib.ExitStack()
        self.file: Any = self._opened.enter_context(create_file(folder / "windows.h5"))
        self.maps: Any = None
        self.file.attrs["color_space"] = choices.color
        self.file.attrs["channels"] = ",".join(channel_names(choices.color))
        self.file.attrs["normalize"] = choices.normalize

    def add(self, window: Window, values: MapArray) -> Row:
        """Write one map."""
        if self.maps is None:
            shape = values.shape
            self.maps = self.file.create_dataset(
                "maps", (0, *shape), self.choices.dtype, maxshape=(None, *shape), chunks=(1, *shape), track_times=False
            )
            for axis, label in enumerate(("window", "block", "sample", "channel")):
                self.maps.dims[axis].label = label
        if values.shape != self.maps.shape[1:]:
            raise ShardError(
                f"{window.recording_id}: a map of {values.shape} among maps of {self.maps.shape[1:]}; export png instead"
            )
        count = len(self.maps)
        self.maps.resize(count + 1, axis=0)
        self.maps[count] = to_bytes(values) if self.choices.dtype == "uint8" else values
        return {}

    def finish(self, rows: list[Row]) -> None:
        """Write the columns of the windows."""
        for column in EXPORTED:
            cells: Any = [row[column.name] for row in rows]
            data = cells if column.kind == "str" else np.asarray(cells, dtype="<i8" if column.kind == "int" else "<f8")
            dataset = self.file.create_dataset(column.name, data=data, track_times=False)
            dataset.attrs["units"], dataset.attrs["description"] = column.unit, column.description

    def close(self) -> None:
        """Close the file."""
        self._opened.close()


LAYOUT = Hdf5Writer
