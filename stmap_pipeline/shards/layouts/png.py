"""Images, one for each window and color space: rows are blocks, columns are samples, the three planes are the color components."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from stmap_pipeline.errors import OutputError
from stmap_pipeline.maps.color import COLOR_SPACES, split_color_space
from stmap_pipeline.records import Window, file_name
from stmap_pipeline.shards.layouts.base import ExportChoices, LayoutWriter, MapArray, to_bytes
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import Column, Row


class PngWriter(LayoutWriter):
    """Writer of ``png/<recording>/<start>.png``."""

    eight_bits: ClassVar[bool] = True
    one_length: ClassVar[bool] = False

    def __init__(self, folder: Path, out: Path, shards: Shards, choices: ExportChoices) -> None:
        super().__init__(folder, out, shards, choices)
        self.spaces = split_color_space(choices.color)
        names = [f"file_{space}" for space in self.spaces] if len(self.spaces) > 1 else ["file"]
        self.columns = tuple(
            Column(name, "", f"image; its R, G, B planes hold {', '.join(COLOR_SPACES[space].channels)}")
            for name, space in zip(names, self.spaces, strict=True)
        )

    def add(self, window: Window, values: MapArray) -> Row:
        """Write the images of one map and return their names."""
        row: Row = {}
        samples = to_bytes(values)
        for index, (column, space) in enumerate(zip(self.columns, self.spaces, strict=True)):
            suffix = f"_{space}" if len(self.spaces) > 1 else ""
            speed = f"_x{window.speed:.4f}" if window.augmented else ""
            name = f"png/{file_name(window.recording_id)}/{window.start:06d}{speed}{suffix}.png"
            write_png(self.folder / name, samples[:, :, 3 * index : 3 * index + 3])
            row[column.name] = name
        return row


def write_png(path: Path, samples: np.typing.NDArray[np.uint8]) -> None:
    """Write an image whose red, green and blue are the three channels of a map in 8 bits.

    Raises
    ------
    OutputError
        Where it cannot be encoded.
    """
    # a fifth of a second that whoever only reads shards need not wait
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    # OpenCV takes blue first
    done, data = cv2.imencode(".png", np.ascontiguousarray(samples[:, :, ::-1]))
    if not done:
        raise OutputError(f"{path}: could not be encoded as PNG")
    path.write_bytes(data.tobytes())


LAYOUT = PngWriter
