"""Finished, normalized windows for other trainers: one HDF5 file, or one PNG for each window with a CSV.

Color space, scale and filling are fixed in what is written, while the shards keep the choice open. A further
layout is one more writer with ``columns``, ``add`` and ``finish``.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.files import atomic_folder
from stmap_pipeline.maps.color import COLOR_SPACES, channel_names, split_color_space
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.parallel import unordered
from stmap_pipeline.records import Window
from stmap_pipeline.shards.hdf5 import create_file
from stmap_pipeline.shards.reader import Shards
from stmap_pipeline.shards.tables import RESAMPLED_WINDOWS, Column, Row, window_row, write_table

ExportFormat = Literal["hdf5", "png"]
SampleType = Literal["float32", "uint8"]

EXPORTED: tuple[Column, ...] = (
    *RESAMPLED_WINDOWS,
    Column("rate_hz", "Hz", "samples per second inside the window", "float"),
    Column("unseen_blocks", "", "blocks that were not seen once in the window: rows of 0 in 8-bit maps, of NaN in float32", "int"),
)
SKIPPED: tuple[Column, ...] = (
    *RESAMPLED_WINDOWS,
    Column("reason", "", "valid_fraction, unlabeled, not_seen (no block was seen) or gaps (unfilled samples in an 8-bit map)"),
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

    def __post_init__(self) -> None:
        for value, allowed in ((self.format, ExportFormat), (self.dtype, SampleType)):
            if value not in get_args(allowed):
                raise ValueError(f"{value!r} is not one of {', '.join(get_args(allowed))}")
        if self.eight_bits and self.normalize != "minmax":
            raise ValueError(
                f"8-bit maps need the normalization 'minmax', not {self.normalize!r}; for others export hdf5 with float32"
            )
        split_color_space(self.color)

    @property
    def eight_bits(self) -> bool:
        return self.format == "png" or self.dtype == "uint8"


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

    ``hdf5`` gives ``windows.h5`` with ``maps`` (W, N, T, C), one chunk for each window and uncompressed (normalized maps hardly
    shrink), and a dataset for each column of ``windows.csv``, in the order of its rows. ``png`` gives an image of N rows and T
    columns for each window under ``png/<recording>/<start>.png``, whose red, green and blue planes hold the color components in
    their order (R, G, B or Y, U, V or Y, Cb, Cr). Of a combination each space is an image of its own, as in
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
        Also write the resampled windows of ``stmap augment``; their images are called ``<start>_x<speed>.png``.

    Yields
    ------
    ExportProgress
        One for each window.

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
    windows = shards.windows(augmented=augmented)
    last = None
    reasons: set[str] = set()
    with atomic_folder(out) as folder:
        for last in _write(shards, folder, windows, choices, reasons):
            yield last
        if last is None or not last.written:
            why = f"reasons: {', '.join(sorted(reasons))}; lower the limits or look at recordings.csv"
            raise ShardError(f"{shards.root}: none of {len(windows)} windows can be exported ({why if windows else 'it has none'})")


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
    """Write finished maps of all labeled windows, resampled ones included, one folder for each subject.

    ``out/<subject>`` holds what :func:`export_windows` writes as ``hdf5``. So a trainer that knows nothing of stmap splits by
    subject without opening a file; ``speed`` tells which windows are for training alone. ``out`` appears as a whole when
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
    choices = _Choices("hdf5", color, normalize, fill, dtype, min_valid_fraction, labeled=True, augmented=True)
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


def _write_subject(root: Path, folder: Path, choices: _Choices, subject: str) -> ExportProgress:
    with Shards(root) as shards:
        windows = shards.windows(subject=subject, augmented=choices.augmented)
        (folder / subject).mkdir()
        *_, last = _write(shards, folder / subject, windows, choices, set())
        return last


def _write(shards: Shards, folder: Path, windows: list[Window], choices: _Choices, reasons: set[str]) -> Iterator[ExportProgress]:
    rows: list[Row] = []
    skipped: list[Row] = []
    writer: _PngWriter | _Hdf5Writer
    with contextlib.ExitStack() as stack:
        if choices.format == "png":
            writer = _PngWriter(folder, split_color_space(choices.color))
        else:
            _check_one_length(windows)
            writer = _Hdf5Writer(stack.enter_context(create_file(folder / "windows.h5")), choices)
        for window in windows:
            row = window_row(window, shards.info(window.recording_id).subject, RESAMPLED_WINDOWS)
            reason = _problem_of_window(window, choices)
            if not reason:
                values = shards.stmap(window, color=choices.color, normalize=choices.normalize, fill=choices.fill).values
                seen = np.asarray(np.isfinite(values).any(axis=(1, 2)))
                reason = _problem_of_map(values, seen, choices)
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


def _problem_of_window(window: Window, choices: _Choices) -> str:
    if window.valid_fraction < choices.min_valid_fraction:
        return "valid_fraction"
    return "unlabeled" if choices.labeled and np.isnan(window.heart_rate_bpm) else ""


def _problem_of_map(values: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_], choices: _Choices) -> str:
    if not seen.any():
        return "not_seen"
    return "gaps" if choices.eight_bits and np.isnan(values[seen]).any() else ""


class _PngWriter:
    """Images, one for each window and color space."""

    def __init__(self, folder: Path, spaces: list[str]) -> None:
        self.folder, self.spaces = folder, spaces
        names = [f"file_{space}" for space in spaces] if len(spaces) > 1 else ["file"]
        self.columns = [
            Column(name, "", f"image; its R, G, B planes hold {', '.join(COLOR_SPACES[space].channels)}")
            for name, space in zip(names, spaces, strict=True)
        ]

    def add(self, window: Window, values: npt.NDArray[np.float32]) -> Row:
        """Write one map and return the cells that it adds to its row."""
        # a fifth of a second that whoever only reads shards need not wait
        import cv2

        row: Row = {}
        samples = _to_bytes(values)
        (self.folder / "png" / window.recording_id).mkdir(parents=True, exist_ok=True)
        for index, (column, space) in enumerate(zip(self.columns, self.spaces, strict=True)):
            suffix = f"_{space}" if len(self.spaces) > 1 else ""
            speed = f"_x{window.speed:.4f}" if window.augmented else ""
            name = f"png/{window.recording_id}/{window.start:06d}{speed}{suffix}.png"
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


class _Hdf5Writer:
    """One file, one chunk for each window."""

    columns: tuple[Column, ...] = ()

    def __init__(self, file: Any, choices: _Choices) -> None:
        self.file, self.dtype = file, choices.dtype
        self.maps: Any = None
        self.file.attrs["color_space"] = choices.color
        self.file.attrs["channels"] = ",".join(channel_names(choices.color))
        self.file.attrs["normalize"] = choices.normalize

    def add(self, window: Window, values: npt.NDArray[np.float32]) -> Row:
        """Write one map and return the cells that it adds to its row."""
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
        """Write the columns of the windows."""
        for column in EXPORTED:
            cells: Any = [row[column.name] for row in rows]
            data = cells if column.kind == "str" else np.asarray(cells, dtype="<i8" if column.kind == "int" else "<f8")
            dataset = self.file.create_dataset(column.name, data=data, track_times=False)
            dataset.attrs["units"], dataset.attrs["description"] = column.unit, column.description


def _to_bytes(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(np.nan_to_num(values, nan=0.0)), dtype=np.uint8)
