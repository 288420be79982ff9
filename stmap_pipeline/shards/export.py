"""Finished, normalized windows for other people's trainers: one HDF5 file, or a PNG a window with a CSV.

What a trainer gets is fixed here once and for all (color space, scale, filling), while the shards keep the choice open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError
from stmap_pipeline.files import atomic_folder
from stmap_pipeline.maps.color import channel_names, split_color_space
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.records import Window
from stmap_pipeline.shards.columns import WINDOWS, window_row
from stmap_pipeline.shards.export_writers import EXPORTED, Hdf5Writer, PngWriter, SampleType
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import Column, Row, read_table, write_table

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
    augmented: bool = False,
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
    augmented : bool
        Also write the resampled windows of ``stmap augment``; their pictures are called ``<start>_x<hr_scale>.png``.

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
    choices = _Choices(format, color, normalize, fill, dtype, min_valid_fraction, labeled, augmented)
    choices.check()
    windows = shards.windows(augmented=augmented)
    last = None
    with atomic_folder(out) as folder:
        for last in _write(shards, folder, windows, choices):
            yield last
        if last is None or not last.written:
            reasons = [row["reason"] for row in read_table(folder / "skipped.csv")]
            raise ShardError(f"{shards.root}: none of {len(windows)} windows can be exported{_most_common(reasons)}")


def export_by_subject(
    root: Path,
    out: Path,
    *,
    jobs: int = 1,
    color: str = "yuv",
    normalize: Normalization = "minmax",
    fill: Fill = "interpolate",
    dtype: SampleType = "uint8",
    min_valid_fraction: float = 1.0,
) -> Iterator[ExportProgress]:
    """Write finished maps of all labeled windows, resampled ones included, one folder a subject.

    ``out/<subject>`` holds what :func:`export_windows` writes as ``hdf5``. So a trainer that knows nothing of stmap splits by
    subject without opening a file; ``hr_scale`` tells which windows are for training alone. ``out`` appears as a whole when
    the iterator is exhausted.

    Parameters
    ----------
    root : Path
        Output folder of a finished build.
    out : Path
        A folder that does not exist yet, or an empty one.
    jobs : int
        Processes.
    color, normalize, fill, dtype, min_valid_fraction
        As :func:`export_windows`.

    Yields
    ------
    ExportProgress
        One a subject, which counts in windows.

    Raises
    ------
    ShardError, OutputError, UnknownNameError, ValueError
        As :func:`export_windows`.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.shards.example import example_maps
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     *_, last = export_by_subject(example_maps(), Path(folder) / "out")
    ...     print(last.written, sorted(one.name for one in (Path(folder) / "out").iterdir()))
    8 ['p001', 'p002']
    """
    choices = _Choices("hdf5", color, normalize, fill, dtype, min_valid_fraction, labeled=True, augmented=True)
    choices.check()
    with Shards(root) as shards:
        subjects = {one.recording_id: one.subject for one in shards.recordings()}
        total = Counter(subjects[one.recording_id] for one in shards.windows(augmented=True))
        done = written = skipped = 0
        with atomic_folder(out) as folder:
            task = partial(_write_subject, root.absolute(), folder.absolute(), choices)
            if jobs > 1:
                from stmap_pipeline.parallel import unordered

                results = unordered(task, sorted(total), jobs)
            else:
                results = map(task, sorted(total))
            for last in results:
                done, written, skipped = done + last.total, written + last.written, skipped + last.skipped
                yield ExportProgress(done, sum(total.values()), written, skipped)
            if not written:
                raise ShardError(f"{root}: none of {sum(total.values())} windows can be exported; see windows.csv")


@dataclass(frozen=True, slots=True)
class _Choices:
    format: ExportFormat
    color: str
    normalize: Normalization
    fill: Fill
    dtype: SampleType
    min_valid_fraction: float
    labeled: bool
    augmented: bool

    @property
    def eight_bits(self) -> bool:
        return self.format == "png" or self.dtype == "uint8"

    def check(self) -> None:
        for value, allowed in ((self.format, ExportFormat), (self.dtype, SampleType)):
            if value not in get_args(allowed):
                raise ValueError(f"{value!r} is not one of {', '.join(get_args(allowed))}")
        if self.eight_bits and self.normalize != "minmax":
            raise ValueError(
                f"8-bit maps need the normalization 'minmax', not {self.normalize!r}; for others export hdf5 with float32"
            )
        split_color_space(self.color)


def _write_subject(root: Path, folder: Path, choices: _Choices, subject: str) -> ExportProgress:
    with Shards(root) as shards:
        windows = shards.windows(subject=subject, augmented=choices.augmented)
        (folder / subject).mkdir()
        *_, last = _write(shards, folder / subject, windows, choices)
        return last


def _write(shards: Shards, folder: Path, windows: list[Window], choices: _Choices) -> Iterator[ExportProgress]:
    if choices.format == "hdf5":
        _check_one_length(windows)
    rows: list[Row] = []
    skipped: list[Row] = []
    writer: PngWriter | Hdf5Writer
    if choices.format == "png":
        writer = PngWriter(folder, split_color_space(choices.color))
    else:
        writer = Hdf5Writer(folder, choices.color, choices.normalize, choices.dtype)
    with writer:
        for window in windows:
            row = window_row(window, shards.info(window.recording_id).subject)
            reason = _why_not(window, choices.min_valid_fraction, choices.labeled)
            if not reason:
                values = shards.stmap(window, color=choices.color, normalize=choices.normalize, fill=choices.fill).values
                seen = np.asarray(np.isfinite(values).any(axis=(1, 2)))
                reason = _why_not_map(values, seen, choices.eight_bits)
            if reason:
                skipped.append({**row, "reason": reason})
            else:
                figures = {"rate_hz": window.frames / window.duration_s, "unseen_blocks": int((~seen).sum())}
                rows.append({**row, **figures, **writer.add(window, values)})
            yield ExportProgress(len(rows) + len(skipped), len(windows), len(rows), len(skipped))
        writer.finish(rows)
    write_table(folder / "windows.csv", [*EXPORTED, *writer.columns], rows)
    write_table(folder / "skipped.csv", SKIPPED, skipped)
    settings = {
        **asdict(choices),
        "dtype": "uint8" if choices.eight_bits else "float32",
        "channels": channel_names(choices.color),
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


def _most_common(reasons: list[str]) -> str:
    if not reasons:
        return "; the build has none"
    return f" (reasons: {', '.join(sorted(set(reasons)))}); lower the limits or look at recordings.csv"
