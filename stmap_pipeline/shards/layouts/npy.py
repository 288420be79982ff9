"""NumPy arrays of all windows, to be opened with ``numpy.load(..., mmap_mode="r")``.

``maps.npy`` (W, N, T, C), ``heart_rate_bpm.npy`` (W,), ``fold.npy`` (W,) and ``pulse.npy`` (W, T), the contact pulse at the times of the
samples, NaN where a recording has none. Row w of each is row w of ``windows.csv``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from stmap_pipeline.records import Window
from stmap_pipeline.shards.layouts.base import ExportChoices, LayoutWriter, MapArray, folds_of, pulse_at, to_bytes
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import Row


class NpyWriter(LayoutWriter):
    """Writer of four arrays."""

    one_length: ClassVar[bool] = True

    def __init__(self, folder: Path, out: Path, shards: Shards, choices: ExportChoices) -> None:
        super().__init__(folder, out, shards, choices)
        self._shape: tuple[int, ...] = ()
        # the number of windows, which stands at the start of an array, is known at the end
        self._parts: dict[str, Any] = {name: (folder / f"{name}.part").open("wb") for name in ("maps", "pulse")}

    def add(self, window: Window, values: MapArray) -> Row:
        """Append one map and the pulse at its samples."""
        samples = to_bytes(values) if self.choices.dtype == "uint8" else np.asarray(values, dtype="<f4")
        times_s = self.shards.trace(window.recording_id, window.speed, window.start, window.stop).times_s
        pulse = pulse_at(self.shards, window.recording_id, np.asarray(times_s) * window.speed)
        self._shape = samples.shape
        self._parts["maps"].write(np.ascontiguousarray(samples).tobytes())
        self._parts["pulse"].write(pulse.astype("<f4").tobytes())
        return {}

    def finish(self, rows: list[Row]) -> None:
        """Write the arrays."""
        self.close()
        shapes = {"maps": (len(rows), *self._shape), "pulse": (len(rows), *self._shape[1:2])}
        types = {"maps": "|u1" if self.choices.dtype == "uint8" else "<f4", "pulse": "<f4"}
        for name, shape in shapes.items():
            part = self.folder / f"{name}.part"
            if rows:
                with (self.folder / f"{name}.npy").open("wb") as file, part.open("rb") as data:
                    np.lib.format.write_array_header_1_0(file, {"descr": types[name], "fortran_order": False, "shape": shape})
                    shutil.copyfileobj(data, file, 2**20)
            part.unlink()
        folds = folds_of(self.shards)
        np.save(self.folder / "heart_rate_bpm.npy", np.array([row["heart_rate_bpm"] for row in rows], dtype="<f8"))
        np.save(self.folder / "fold.npy", np.array([folds[str(row["subject"])] for row in rows], dtype="<i8"))

    def close(self) -> None:
        """Close what is written to."""
        for file in self._parts.values():
            file.close()


LAYOUT = NpyWriter
