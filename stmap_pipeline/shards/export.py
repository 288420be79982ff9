"""Finished, normalized windows for other people's trainers: one HDF5 file, or a PNG a window with a CSV.

What a trainer gets is fixed here once and for all (color space, scale, filling), while the shards keep the choice open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.color import channel_names, split_color_space
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.records import Window
from stmap_pipeline.shards.atomic import atomic_folder
from stmap_pipeline.shards.columns import WINDOWS, window_row
from stmap_pipeline.shards.export_writers import EXPORTED, Hdf5Writer, PngWriter, SampleType
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import Column, Row, write_table

ExportFormat = Literal["hdf5", "png"]

SKIPPED: tuple[Column, ...] = (
    *WINDOWS,
    Column("reason", "", "valid_fraction, unlabeled, not_seen (no block was seen) or gaps (unfilled samples in an 8-bit map)"),
)


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far an export is: windows looked at, of how many, and what became of them.

    Examples
    --------
    >>> ExportProgress(done=3, total=10, written=2, skipped=1).written
    2
    """

    done: int
    total: int
    written: int
    skipped: int


def export_windows(
    shards: Shards,
    out: Path,
    format: ExportFormat = "hdf5",  # noqa: A002 - the word a user types
    *,
    color: str = "yuv",
    normalize: Normalization = "minmax",
    fill: Fill = "interpolate",
    dtype: SampleType = "uint8",
    min_valid_fraction: float = 0.0,
    labeled: bool = False,
) -> Iterator[ExportProgress]:
    """Write finished maps of all windows into a new folder, which appears when the iterator is exhausted.

    ``hdf5`` gives ``windows.h5`` with ``maps`` (W, N, T, C), one chunk a window and uncompressed (normalized maps hardly
    shrink), and a dataset a column of ``windows.csv``, in the order of its rows. ``png`` gives a picture of N rows and T
    columns a window under ``png/<recording>/<start>.png``, whose red, green and blue planes hold the color components in
    their order (R, G, B or Y, U, V or Y, Cb, Cr). Of a combination each space is a picture of its own, as in
    ``000015_rgb.png`` and ``000015_yuv.png``.

    8 bits cannot say "unknown": a block not seen once in the window is a row of 0 - what a flat row is, too - and counted
    in the column ``unseen_blocks``. Windows with other gaps left after filling, and those in which nothing was seen, are
    not written. Each window that is not written has a row with its reason in ``skipped.csv``.

    Parameters
    ----------
    shards : Shards
    out : Path
        A folder that does not exist yet, or an empty one.
    format : {"hdf5", "png"}
    color, normalize, fill
        See :func:`stmap_pipeline.maps.stmap_from_means`; 8 bits need ``minmax``.
    dtype : {"uint8", "float32"}
        Of the samples in HDF5; float32 keeps NaN and all decimals.
    min_valid_fraction : float
        Smallest share of samples with a known face.
    labeled : bool
        Skip windows without a heart rate.

    Yields
    ------
    ExportProgress
        One a window.

    Raises
    ------
    ShardError
        Where windows differ in length (HDF5 only), none is left, or a shard is damaged.
    OutputError
        Where ``out`` is not empty or cannot be written.
    UnknownNameError
        Where the color space is unknown.
    ValueError
        Where another choice is unknown, or does not fit 8 bits.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.shards.example import example_maps
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     *_, last = export_windows(Shards(example_maps()), Path(folder) / "out", "png", color="rgb+yuv")
    ...     print(last, sorted(one.name for one in (Path(folder) / "out" / "png" / "p001_v1").iterdir())[:2])
    ExportProgress(done=10, total=10, written=10, skipped=0) ['000000_rgb.png', '000000_yuv.png']
    """
    for value, allowed in ((format, ExportFormat), (dtype, SampleType)):
        if value not in get_args(allowed):
            raise ValueError(f"{value!r} is not one of {', '.join(get_args(allowed))}")
    eight_bits = format == "png" or dtype == "uint8"
    if eight_bits and normalize != "minmax":
        raise ValueError(f"8-bit maps need the normalization 'minmax', not {normalize!r}; for others export hdf5 with float32")
    spaces = split_color_space(color)
    windows = shards.windows()
    if format == "hdf5":
        _check_one_length(windows)
    rows: list[Row] = []
    skipped: list[Row] = []
    with atomic_folder(out) as folder:
        writer = PngWriter(folder, spaces) if format == "png" else Hdf5Writer(folder, color, normalize, dtype)
        with writer:
            for window in windows:
                row = window_row(window, shards.info(window.recording_id).subject)
                reason = _why_not(window, min_valid_fraction, labeled)
                if not reason:
                    values = shards.stmap(window, color=color, normalize=normalize, fill=fill).values
                    seen = np.asarray(np.isfinite(values).any(axis=(1, 2)))
                    reason = _why_not_map(values, seen, eight_bits)
                if reason:
                    skipped.append({**row, "reason": reason})
                else:
                    figures = {"rate_hz": window.frames / window.duration_s, "unseen_blocks": int((~seen).sum())}
                    rows.append({**row, **figures, **writer.add(window, values)})
                yield ExportProgress(len(rows) + len(skipped), len(windows), len(rows), len(skipped))
            if not rows:
                raise ShardError(f"{shards.root}: none of {len(windows)} windows can be exported{_most_common(skipped)}")
            writer.finish(rows)
        write_table(folder / "windows.csv", [*EXPORTED, *writer.columns], rows)
        write_table(folder / "skipped.csv", SKIPPED, skipped)
        settings = {
            "format": format,
            "dtype": "uint8" if eight_bits else "float32",
            "color": color,
            "channels": channel_names(color),
            "normalize": normalize,
            "fill": fill,
            "min_valid_fraction": min_valid_fraction,
            "labeled": labeled,
            "fingerprint": shards.manifest.fingerprint,
            "software": shards.manifest.software,
        }
        (folder / "export.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _check_one_length(windows: list[Window]) -> None:
    lengths = sorted({one.frames for one in windows})
    if len(lengths) > 1:
        raise ShardError(
            f"windows have {lengths[0]} to {lengths[-1]} samples, and one array cannot hold them; build with "
            'windows.length in frames ("300 frames") or windows.clock = "uniform", or export png'
        )


def _why_not(window: Window, min_valid_fraction: float, labeled: bool) -> str:
    if window.valid_fraction < min_valid_fraction:
        return "valid_fraction"
    return "unlabeled" if labeled and np.isnan(window.heart_rate_bpm) else ""


def _why_not_map(values: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_], eight_bits: bool) -> str:
    if not seen.any():
        return "not_seen"
    return "gaps" if eight_bits and np.isnan(values[seen]).any() else ""


def _most_common(skipped: list[Row]) -> str:
    reasons = sorted({row["reason"] for row in skipped})
    return f" (reasons: {', '.join(reasons)}); lower the limits or look at recordings.csv" if reasons else "; the build has none"
