"""What a layout of an export is told, and what it must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.color import split_color_space
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.records import Window
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import RESAMPLED_WINDOWS, Column, Row

SampleType = Literal["float32", "uint8"]
# a pulse that ends less than this before the last sample of a window holds on
_END_S = 0.1
MapArray = npt.NDArray[np.float32]

EXPORTED: tuple[Column, ...] = (
    *RESAMPLED_WINDOWS,
    Column("rate_hz", "Hz", "samples per second inside the window", "float"),
    Column("unseen_blocks", "", "blocks that were not seen once in the window: rows of 0 in 8-bit maps, of NaN in float32", "int"),
)


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """What a user chooses of an export; see :func:`stmap_pipeline.shards.export_windows`."""

    layout: str
    color: str
    normalize: Normalization
    fill: Fill
    dtype: SampleType
    min_valid_fraction: float
    labeled: bool
    augmented: bool

    def __post_init__(self) -> None:
        if self.dtype not in get_args(SampleType):
            raise ValueError(f"{self.dtype!r} is not one of {', '.join(get_args(SampleType))}")
        split_color_space(self.color)


class LayoutWriter(ABC):
    """Writer of one layout into a new folder.

    Attributes
    ----------
    eight_bits : bool
        Whether its files hold 8 bits, whatever the user chooses.
    one_length : bool
        Whether all windows need one number of samples.
    labeled : bool
        Whether a window without a heart rate has no place in it.
    columns : tuple of Column
        What its rows have beside :data:`EXPORTED`.
    """

    eight_bits: ClassVar[bool] = False
    one_length: ClassVar[bool] = True
    labeled: ClassVar[bool] = False

    def __init__(self, folder: Path, out: Path, shards: Shards, choices: ExportChoices) -> None:
        self.folder, self.out, self.shards, self.choices = folder, out, shards, choices
        self.columns: tuple[Column, ...] = ()

    def windows(self) -> list[Window]:
        """Return what is to be written, in this order."""
        return self.shards.windows(augmented=self.choices.augmented)

    def problem(self, window: Window) -> str:  # noqa: ARG002
        """Return why a window has no place in this layout; empty where it has one."""
        return ""

    def values(self, window: Window) -> MapArray:
        """Return the map of a window, (N, T, C)."""
        choices = self.choices
        return self.shards.stmap(window, color=choices.color, normalize=choices.normalize, fill=choices.fill).values

    @abstractmethod
    def add(self, window: Window, values: MapArray) -> Row:
        """Write one map and return the cells that it adds to its row."""

    def finish(self, rows: list[Row]) -> None:  # noqa: B027 - most layouts have nothing left to write
        """Write what is known only at the end."""

    def close(self) -> None:  # noqa: B027
        """Close what is open, also where the export is given up."""


def to_bytes(values: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return a map in 8 bits; what is unknown becomes 0."""
    return np.asarray(np.rint(np.nan_to_num(np.asarray(values), nan=0.0)), dtype=np.uint8)


def folds_of(shards: Shards) -> dict[str, int]:
    """Return the fold of each subject: of the database, otherwise up to five that the subjects fill in turn, in the order of their names."""
    folds = {one.subject: one.fold for one in shards.recordings()}
    if all(folds.values()):
        return folds
    names = sorted(folds)
    return {name: 1 + index % min(5, max(len(names), 1)) for index, name in enumerate(names)}


def pulse_at(shards: Shards, recording_id: str, times_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the pulse of a recording at some times, by straight lines between its samples; NaN where there is none."""
    times = np.asarray(times_s, dtype=np.float64)
    pulse = shards.recording(recording_id).pulse
    if pulse is None:
        return np.full(times.shape, np.nan)
    known = np.isfinite(pulse.value)
    if not known.any():
        return np.full(times.shape, np.nan)
    at_s = pulse.times_s[known]
    outside = (times < at_s[0] - _END_S) | (times > at_s[-1] + _END_S)
    return np.where(outside, np.nan, np.interp(times, at_s, pulse.value[known]))
