"""Arrays and tables that two reproductions of RhythmNet load: AnweshCR7/RhythmNet and MayYoY/RhythmNet.

``st_maps/<video>.npy`` (K, T, N, C) holds the maps of the K windows of a video in 8 bits, ``hr_csv/<video>.csv`` (column ``hr_bpm``) and
``gt/<video>.npy`` (K,) their heart rates. ``folds.csv`` (columns ``video``, ``set``, ``iteration``) lists for each fold the videos to train
on (``T``) and to test on (``V``), ``record.csv`` the files with mean heart rate, frame rate, fold, task and source. Resampled windows are
videos of their own, which are never tested on.

Source of the layout: ``src/utils/dataset.py``, ``src/main.py`` and ``src/utils/signal_utils.py`` of the first, ``dataset/vipl_hr.py`` of the
second.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from stmap_pipeline.records import Window, file_name
from stmap_pipeline.records.recording import hashed_id
from stmap_pipeline.shards.layouts.base import ExportChoices, LayoutWriter, MapArray, folds_of, to_bytes
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import Column, Row


class RhythmNetWriter(LayoutWriter):
    """Writer of one array for each video."""

    eight_bits: ClassVar[bool] = True
    labeled: ClassVar[bool] = True

    def __init__(self, folder: Path, out: Path, shards: Shards, choices: ExportChoices) -> None:
        super().__init__(folder, out, shards, choices)
        self.columns = (Column("file", "", "array of the maps of this video"), Column("index", "", "row of the array", "int"))
        self._folds = folds_of(shards)
        self._video, self._maps, self._windows = "", [], []  # type: tuple[str, list[MapArray], list[Window]]
        self._record: list[dict[str, Any]] = []
        for name in ("st_maps", "hr_csv", "gt"):
            (folder / name).mkdir()

    def windows(self) -> list[Window]:
        """Return the windows of each video one after another."""
        found = self.shards.windows(augmented=self.choices.augmented)
        return sorted(found, key=lambda one: (one.recording_id, one.speed, one.start))

    def add(self, window: Window, values: MapArray) -> Row:
        """Keep one map until the last one of its video."""
        video = video_name(window)
        if video != self._video:
            self._flush()
            self._video = video
        self._maps.append(np.ascontiguousarray(to_bytes(values).transpose(1, 0, 2)))
        self._windows.append(window)
        return {"file": f"st_maps/{video}.npy", "index": len(self._maps) - 1}

    def _flush(self) -> None:
        if not self._maps:
            return
        name, windows = self._video, self._windows
        bpm = np.array([one.heart_rate_bpm for one in windows])
        np.save(self.folder / "st_maps" / f"{name}.npy", np.stack(self._maps))
        np.save(self.folder / "gt" / f"{name}.npy", bpm)
        _write_csv(self.folder / "hr_csv" / f"{name}.csv", ["hr_bpm"], [[f"{value:.6f}"] for value in bpm.tolist()])
        info = self.shards.info(windows[0].recording_id)
        files = {
            key: str(self.out.absolute() / folder / f"{name}.npy")
            for key, folder in (("input_files", "st_maps"), ("gt_files", "gt"))
        }
        numbers = {key: _number(text) for key, text in (("task", info.scenario), ("source", info.camera))}
        rate_hz = windows[0].frames / windows[0].duration_s
        self._record.append(
            {**files, "total_HR": f"{bpm.mean():.6f}", "Fs": f"{rate_hz:.6f}", "fold": self._folds[info.subject], **numbers}
            | {"video": name, "augmented": windows[0].augmented}
        )
        self._maps, self._windows = [], []

    def finish(self, rows: list[Row]) -> None:  # noqa: ARG002
        """Write the last video and the tables."""
        self._flush()
        columns = ["input_files", "gt_files", "total_HR", "Fs", "fold", "task", "source"]
        # whoever reads this table knows of no video that must not be tested on
        record = [[one[name] for name in columns] for one in self._record if not one["augmented"]]
        _write_csv(self.folder / "record.csv", columns, record)
        folds = [
            [f"st_maps/{one['video']}.npy", "V" if one["fold"] == fold else "T", fold]
            for fold in sorted({one["fold"] for one in self._record})
            for one in self._record
            if not (one["augmented"] and one["fold"] == fold)
        ]
        _write_csv(self.folder / "folds.csv", ["video", "set", "iteration"], folds)


def video_name(window: Window) -> str:
    """Return the name of a video's files: legal on each system, and without a dot, at which the trainer would cut it.

    Examples
    --------
    >>> video_name(Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0, speed=1.25)), video_name(Window("a.mov", 0, 9, 0, 1, 72, 1, 1))
    ('p001_v1_x12500', 'a_mov-2783dc')
    """
    one = window.recording_id
    name = file_name(hashed_id(one.replace(".", "_"), one) if "." in one else one)
    return f"{name}_x{round(10_000 * window.speed)}" if window.augmented else name


def _number(text: str) -> int:
    match = re.search(r"\d+", text)
    return int(match[0]) if match else 1


def _write_csv(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


LAYOUT = RhythmNetWriter
