"""The two ways to write finished maps; see :mod:`stmap_pipeline.shards.export` for what is written."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.maps.color import COLOR_SPACES, channel_names
from stmap_pipeline.records import Window
from stmap_pipeline.shards.columns import WINDOWS
from stmap_pipeline.shards.hdf5 import create_file
from stmap_pipeline.shards.tables import Column, Row

SampleType = Literal["float32", "uint8"]

EXPORTED: tuple[Column, ...] = (
    *WINDOWS,
    Column("rate_hz", "Hz", "samples per second inside the window", "float"),
    Column("unseen_blocks", "", "blocks that were not seen once in the window: rows of 0 in 8-bit maps, of NaN in float32", "int"),
)


class PngWriter:
    """Pictures, one a window and color space."""

    def __init__(self, folder: Path, spaces: list[str]) -> None:
        self.folder, self.spaces = folder, spaces
        names = [f"file_{space}" for space in spaces] if len(spaces) > 1 else ["file"]
        self.columns = [
            Column(name, "", f"picture; its R, G, B planes hold {', '.join(COLOR_SPACES[space].channels)}")
            for name, space in zip(names, spaces, strict=True)
        ]

    def __enter__(self) -> PngWriter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, window: Window, values: npt.NDArray[np.float32]) -> Row:
        """Write one map and give the cells that it adds to its row."""
        # a fifth of a second that whoever only reads shards need not wait
        import cv2

        row: Row = {}
        samples = _to_bytes(values)
        (self.folder / "png" / window.recording_id).mkdir(parents=True, exist_ok=True)
        for index, (column, space) in enumerate(zip(self.columns, self.spaces, strict=True)):
            suffix = f"_{space}" if len(self.spaces) > 1 else ""
            scaled = f"_x{window.hr_scale:.4f}" if window.augmented else ""
            name = f"png/{window.recording_id}/{window.start:06d}{scaled}{suffix}.png"
            planes = samples[:, :, 3 * index : 3 * index + 3]
            # OpenCV takes blue first
            done, data = cv2.imencode(".png", np.ascontiguousarray(planes[:, :, ::-1]))
            if not done:
                raise OutputError(f"{self.folder / name}: could not be encoded as PNG")
            (self.folder / name).write_bytes(data.tobytes())
            row[column.name] = name
        return row

    def finish(self, rows: list[Row]) -> None:
        """Write what is known only at the end."""


class Hdf5Writer:
    """One file, one chunk a window."""

    columns: tuple[Column, ...] = ()

    def __init__(self, folder: Path, color: str, normalize: str, dtype: SampleType) -> None:
        self._open = contextlib.ExitStack()
        self.file = self._open.enter_context(create_file(folder / "windows.h5"))
        self.dtype = dtype
        self.maps: Any = None
        self.file.attrs["color_space"] = color
        self.file.attrs["channels"] = ",".join(channel_names(color))
        self.file.attrs["normalize"] = normalize

    def __enter__(self) -> Hdf5Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, window: Window, values: npt.NDArray[np.float32]) -> Row:
        """Write one map and give the cells that it adds to its row."""
        if self.maps is None:
            shape = values.shape
            self.maps = self.file.create_dataset(
                "maps", (0, *shape), self.dtype, maxshape=(None, *shape), chunks=(1, *shape), track_times=False
            )
            for axis, label in enumerate(("window", "block", "sample", "channel")):
                self.maps.dims[axis].label = label
        if values.shape != self.maps.shape[1:]:
            raise ShardError(
                f"{window.recording_id}: a map of {values.shape} among maps of {self.maps.shape[1:]}; export png instead"
            )
        count = len(self.maps)
        self.maps.resize(count + 1, axis=0)
        self.maps[count] = _to_bytes(values) if self.dtype == "uint8" else values
        return {}

    def finish(self, rows: list[Row]) -> None:
        """Write what is known only at the end."""
        for column in EXPORTED:
            cells: Any = [row[column.name] for row in rows]
            data = cells if column.kind == "str" else np.asarray(cells, dtype="<i8" if column.kind == "int" else "<f8")
            dataset = self.file.create_dataset(column.name, data=data, track_times=False)
            dataset.attrs["units"], dataset.attrs["description"] = column.unit, column.description


def _to_bytes(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(np.nan_to_num(values, nan=0.0)), dtype=np.uint8)
