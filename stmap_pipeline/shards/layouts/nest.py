"""Images and labels of whole recordings at 30 samples/s that NEST-rPPG (EnVision-Research) loads.

``<recording>/STMap/<name>.png`` has a row for each block and a column for each sample, min-max normalized over the recording;
``BVP.mat`` (variable ``BVP``) and ``HR.mat`` (variable ``HR``) have the pulse and the heart rate of each sample. Of VIPL-HR the names are those
that the trainer expects of ``VIPL`` (``STMap_RGB_Align_CSI.png``, ``Label_CSI/BVP_Filt.mat``, ``Label_CSI/HR.mat``), otherwise those of ``PURE``
and ``UBFC`` (``STMap.png``, ``Label/BVP.mat``, ``Label/HR.mat``). Blocks are counted down the columns of the grid, as in its maps.

Source of the layout: ``NEST-rPPG/MyDataset.py`` and ``NEST-rPPG/train.py``, for the order of blocks ``STMap/VIPL/STMap.py``.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.io

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps import stmap_from_means
from stmap_pipeline.maps.windows import window_clock
from stmap_pipeline.records import RecordingResult, Window, file_name
from stmap_pipeline.shards.layouts.base import LayoutWriter, MapArray, to_bytes
from stmap_pipeline.shards.layouts.png import write_png
from stmap_pipeline.shards.tables import Row
from stmap_pipeline.signals.resample import resample_uniform

RATE_HZ = 30.0
_CLOCK = WindowsConfig(clock="uniform", rate_hz=RATE_HZ)


class NestWriter(LayoutWriter):
    """Writer of one image for each recording."""

    eight_bits: ClassVar[bool] = True
    one_length: ClassVar[bool] = False
    labeled: ClassVar[bool] = True

    def windows(self) -> list[Window]:
        """Return one window for each recording, as long as it is, on the clock of 30 samples/s."""
        if self.choices.augmented:
            raise ShardError("the layout nest has whole recordings and no resampled windows; leave out --augmented")
        found = []
        for info in self.shards.recordings():
            result = self.shards.recording(info.recording_id)
            blocks = result.blocks
            if len(blocks.times_s) < 2:
                continue
            clock = window_clock(blocks.times_s, blocks.valid, blocks.coverage.mean(axis=1, dtype=np.float64), _CLOCK)
            start_s, stop_s = float(clock.times_s[0]), float(clock.times_s[-1]) + 1 / RATE_HZ
            bpm = _heart_rates(result, clock.times_s)
            mean_bpm = float(np.nanmean(bpm)) if np.isfinite(bpm).any() else float("nan")
            seen, share = float(clock.valid.mean()), float(clock.coverage.mean())
            beats = mean_bpm * (stop_s - start_s) / 60
            found.append(Window(info.recording_id, 0, clock.times_s.size, start_s, stop_s, mean_bpm, beats, seen, share, info.fold))
        return found

    def problem(self, window: Window) -> str:
        """Return ``no_pulse`` where a recording has none: the trainer would stop."""
        return "no_pulse" if self.shards.recording(window.recording_id).pulse is None else ""

    def values(self, window: Window) -> MapArray:
        """Return the map of a whole recording, its blocks counted down the columns."""
        blocks = self.shards.recording(window.recording_id).blocks
        times_s, means = resample_uniform(blocks.times_s, blocks.means, RATE_HZ)
        stmap = stmap_from_means(times_s, means, color=self.choices.color, normalize="minmax", fill=self.choices.fill)
        order = np.arange(blocks.grid.count).reshape(blocks.grid.rows, blocks.grid.cols).T.ravel()
        return stmap.values[order]

    def add(self, window: Window, values: MapArray) -> Row:
        """Write image and labels of one recording."""
        result = self.shards.recording(window.recording_id)
        vipl = result.recording.database == "vipl-hr"
        folder = self.folder / file_name(window.recording_id)
        labels = folder / ("Label_CSI" if vipl else "Label")
        labels.mkdir(parents=True)
        write_png(folder / "STMap" / ("STMap_RGB_Align_CSI.png" if vipl else "STMap.png"), to_bytes(values))
        times_s = window.start_s + np.arange(window.frames) / RATE_HZ
        scipy.io.savemat(labels / ("BVP_Filt.mat" if vipl else "BVP.mat"), {"BVP": _pulse(result, times_s)})
        scipy.io.savemat(labels / "HR.mat", {"HR": _heart_rates(result, times_s)})
        return {}


def _heart_rates(result: RecordingResult, times_s: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    trace = result.heart_rate
    known = np.isfinite(trace.heart_rate_bpm) if trace is not None else np.zeros(0, dtype=np.bool_)
    if trace is None or not known.any():
        return np.full(times_s.shape, np.nan)
    # a sample stands for the time up to the next one, so the last one holds on
    return np.interp(times_s, trace.times_s[known], trace.heart_rate_bpm[known])


def _pulse(result: RecordingResult, times_s: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    trace = result.pulse
    if trace is None:
        return np.full(times_s.shape, np.nan)
    known = np.isfinite(trace.value)
    return np.interp(times_s, trace.times_s[known], trace.value[known])


LAYOUT = NestWriter
