"""Finished, normalized windows for other trainers, in one of the layouts of :mod:`stmap_pipeline.shards.layouts`.

Color space, scale and filling are fixed in what is written, while the shards keep the choice open.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline import registry
from stmap_pipeline.errors import ShardError
from stmap_pipeline.files import atomic_folder, atomic_write_text
from stmap_pipeline.maps.color import channel_names
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.parallel import unordered
from stmap_pipeline.records import Window, file_name
from stmap_pipeline.shards.layouts.base import EXPORTED, ExportChoices, LayoutWriter, SampleType
from stmap_pipeline.shards.layouts.hdf5 import Hdf5Writer
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import RESAMPLED_WINDOWS, Column, Row, window_row, write_table

SKIPPED: tuple[Column, ...] = (
    *RESAMPLED_WINDOWS,
    Column(
        "reason",
        "",
        "valid_fraction, unlabeled, not_seen (no block was seen), no_pulse (the layout needs one) or gaps (unfilled samples in an 8-bit map)",
    ),
)


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far an export is: windows done, of how many, and what became of them.

    Examples
    --------
    >>> ExportProgress(done=3, total=10, written=2, skipped=1).written
    2
    """

    done: int
    total: int
    written: int
    skipped: int


def _writer_of(layout: str, choices: ExportChoices) -> type[LayoutWriter]:
    """Return the writer of a layout that the choices fit."""
    writer: type[LayoutWriter] = registry.load("export_layouts", layout)
    if (writer.eight_bits or choices.dtype == "uint8") and choices.normalize != "minmax":
        raise ValueError(
            f"8-bit maps need the normalization 'minmax', not {choices.normalize!r}; for others export hdf5 with float32"
        )
    return writer


def export_windows(
    shards: Shards,
    out: str | Path,
    layout: str = "hdf5",
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

    ``hdf5`` gives ``windows.h5`` with ``maps`` (W, N, T, C), one chunk for each window and uncompressed (normalized maps hardly
    shrink), and a dataset for each column of ``windows.csv``, in the order of its rows. ``png`` gives an image of N rows and T
    columns for each window under ``png/<recording>/<start>.png``, whose red, green and blue planes hold the color components in
    their order (R, G, B or Y, U, V or Y, Cb, Cr). Of a combination each space is an image of its own, as in
    ``000015_rgb.png`` and ``000015_yuv.png``. ``npy``, ``rhythmnet`` and ``nest`` are described in their modules in
    :mod:`stmap_pipeline.shards.layouts`.

    8 bits cannot say "unknown": a block not seen once in the window is a row of 0 - what a flat row is, too - and counted
    in the column ``unseen_blocks``. Windows with other gaps left after filling, and those in which nothing was seen, are
    not written. Each window that is not written has a row with its reason in ``skipped.csv``.

    Parameters
    ----------
    shards : Shards
    out : str or Path
        A folder that does not exist yet, or an empty one.
    layout : str
        Name in the registry ``export_layouts``.
    color, normalize, fill
        See :func:`stmap_pipeline.maps.stmap_from_means`; 8 bits need ``minmax``.
    dtype : {"uint8", "float32"}
        Of the samples in HDF5; float32 keeps NaN and all decimals.
    min_valid_fraction : float
        Smallest share of samples with a known face.
    labeled : bool
        Skip windows without a heart rate.
    augmented : bool
        Also write the resampled windows of ``stmap augment``; their images are called ``<start>_x<speed>.png``.

    Yields
    ------
    ExportProgress
        One for each window.

    Raises
    ------
    ShardError
        Where windows differ in length and the layout needs one length, none is left, or a shard is damaged.
    OutputError
        Where ``out`` is not empty or cannot be written.
    UnknownNameError
        Where the color space or the layout is unknown.
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
    out = Path(out)
    choices = ExportChoices(layout, color, normalize, fill, dtype, min_valid_fraction, labeled, augmented)
    writer = _writer_of(layout, choices)
    last = None
    reasons: set[str] = set()
    with atomic_folder(out) as folder:
        with contextlib.closing(writer(folder, out, shards, choices)) as opened:
            for last in _write(shards, folder, opened, choices, reasons):
                yield last
        if last is None or not last.written:
            total = last.total if last is not None else 0
            why = f"reasons: {', '.join(sorted(reasons))}; lower the limits or look at recordings.csv"
            raise ShardError(f"{shards.root}: none of {total} windows can be exported ({why if total else 'it has none'})")


def export_by_subject(
    root: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    color: str = "yuv",
    normalize: Normalization = "minmax",
    fill: Fill = "interpolate",
    dtype: SampleType = "uint8",
    min_valid_fraction: float = 1.0,
) -> Iterator[ExportProgress]:
    """Write finished maps of all labeled windows, resampled ones included, one folder for each subject.

    ``out/<subject>`` holds what :func:`export_windows` writes as ``hdf5``. So a trainer that knows nothing of stmap splits by
    subject without opening a file; ``speed`` tells which windows are for training alone. ``out`` appears as a whole when
    the iterator is exhausted.

    Parameters
    ----------
    root : str or Path
        Output folder of a finished build.
    out : str or Path
        A folder that does not exist yet, or an empty one.
    jobs : int
        Processes.
    color, normalize, fill, dtype, min_valid_fraction
        As :func:`export_windows`.

    Yields
    ------
    ExportProgress
        One for each subject, which counts in windows.

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
    root, out = Path(root), Path(out)
    choices = ExportChoices("hdf5", color, normalize, fill, dtype, min_valid_fraction, labeled=True, augmented=True)
    _writer_of("hdf5", choices)
    with Shards(root) as shards:
        total = Counter(shards.info(one.recording_id).subject for one in shards.windows(augmented=True))
    done = written = skipped = 0
    with atomic_folder(out) as folder:
        task = partial(_write_subject, root.absolute(), folder.absolute(), choices)
        for last in unordered(task, sorted(total), jobs) if jobs > 1 else map(task, sorted(total)):
            done, written, skipped = done + last.total, written + last.written, skipped + last.skipped
            yield ExportProgress(done, sum(total.values()), written, skipped)
        if not written:
            raise ShardError(f"{root}: none of {sum(total.values())} windows can be exported; see windows.csv")


class _SubjectWriter(Hdf5Writer):
    """Writer of the windows of one subject."""

    def __init__(self, folder: Path, shards: Shards, choices: ExportChoices, subject: str) -> None:
        super().__init__(folder, folder, shards, choices)
        self.subject = subject

    def windows(self) -> list[Window]:
        return self.shards.windows(subject=self.subject, augmented=self.choices.augmented)


def _write_subject(root: Path, folder: Path, choices: ExportChoices, subject: str) -> ExportProgress:
    with Shards(root) as shards:
        own = folder / file_name(subject)
        own.mkdir()
        with contextlib.closing(_SubjectWriter(own, shards, choices, subject)) as writer:
            *_, last = _write(shards, own, writer, choices, set())
        return last


def _write(
    shards: Shards, folder: Path, writer: LayoutWriter, choices: ExportChoices, reasons: set[str]
) -> Iterator[ExportProgress]:
    rows: list[Row] = []
    skipped: list[Row] = []
    windows = writer.windows()
    if writer.one_length:
        _check_one_length(windows)
    eight_bits = writer.eight_bits or choices.dtype == "uint8"
    for window in windows:
        row = window_row(window, shards.info(window.recording_id).subject, RESAMPLED_WINDOWS)
        reason = _problem_of_window(window, choices, labeled=choices.labeled or writer.labeled) or writer.problem(window)
        if not reason:
            values = writer.values(window)
            seen = np.asarray(np.isfinite(values).any(axis=(1, 2)))
            reason = _problem_of_map(values, seen, eight_bits=eight_bits)
        if reason:
            skipped.append({**row, "reason": reason})
            reasons.add(reason)
        else:
            figures = {"rate_hz": window.frames / window.duration_s, "unseen_blocks": int((~seen).sum())}
            rows.append({**row, **figures, **writer.add(window, values)})
        yield ExportProgress(len(rows) + len(skipped), len(windows), len(rows), len(skipped))
    writer.finish(rows)
    write_table(folder / "windows.csv", [*EXPORTED, *writer.columns], rows)
    write_table(folder / "skipped.csv", SKIPPED, skipped)
    settings = {
        **asdict(choices),
        "dtype": "uint8" if eight_bits else "float32",
        "channels": channel_names(choices.color),
        "fingerprint": shards.manifest.fingerprint,
        "software": shards.manifest.software,
    }
    atomic_write_text(folder / "export.json", json.dumps(settings, indent=1) + "\n")


def _check_one_length(windows: list[Window]) -> None:
    lengths = sorted({one.frames for one in windows})
    if len(lengths) > 1:
        raise ShardError(
            f"windows have {lengths[0]} to {lengths[-1]} samples, and one array cannot hold them; build with "
            'windows.length in frames ("300 frames") or windows.clock = "uniform", or export png'
        )


def _problem_of_window(window: Window, choices: ExportChoices, *, labeled: bool) -> str:
    if window.valid_fraction < choices.min_valid_fraction:
        return "valid_fraction"
    return "unlabeled" if labeled and np.isnan(window.heart_rate_bpm) else ""


def _problem_of_map(values: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_], *, eight_bits: bool) -> str:
    if not seen.any():
        return "not_seen"
    return "gaps" if eight_bits and np.isnan(values[seen]).any() else ""
