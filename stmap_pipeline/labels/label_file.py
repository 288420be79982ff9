"""A label file of any format: what is asked of it, what it answers, and which format it has.

A format is a module with a :class:`LabelFormat`, and a line in the registry ``label_formats``.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline import registry
from stmap_pipeline.errors import printable
from stmap_pipeline.labels.times import Moment, Times

# an hour at 1 kHz is 3.6 million rows
MAX_ROWS = 5_000_000
_HEAD_BYTES = 4096

Column = str | int


class LabelFileError(ValueError):
    """The file is not what its format says, or has no such column. The caller turns this into a recording's reason."""


class LabelFileEmptyError(LabelFileError):
    """The file holds no row."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Some columns of a label file.

    Parameters
    ----------
    values : tuple of (n,) arrays of float64
        One array for each column that was asked for; NaN where a cell is no finite number.
    names : tuple of str
        Names of all columns, as far as the file has names.
    times : Times, optional
        The column of times that was asked for, or the file's own times.
    rate_hz : float, optional
        Sampling rate where the file tells it.
    start : Moment, optional
        Absolute time of row 0 where the file tells it.
    units : tuple of str
        For each column its unit where the file tells it: ``bpm``, ``hz``, ``ms``, ``s``, otherwise empty.
    first_line : int
        Number of the line that holds row 0, from 1; 0 in a file without lines.
    width : int
        Number of columns.
    no_number : tuple of str
        For each column the first cell that holds text and no number; empty where there is none.
    notes : tuple of str
        What a user should know.
    """

    values: tuple[npt.NDArray[np.float64], ...]
    names: tuple[str, ...] = ()
    times: Times | None = None
    rate_hz: float | None = None
    start: Moment | None = None
    units: tuple[str, ...] = ()
    first_line: int = 0
    width: int = 1
    no_number: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """Return the place of a row for a message."""
        return f"line {self.first_line + row}" if self.first_line else f"row {row + 1}"


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """A format of label files.

    Parameters
    ----------
    name, title : str
    recognizes : callable
        Given the path and the first 4096 bytes: whether the file has this format.
    read : callable
        Given the path, the columns, the column of times or None, and a number of lines to leave out first: the columns. It raises
        LabelFileError.
    list_columns : callable
        Given the path: the names of all columns.
    """

    name: str
    title: str
    recognizes: Callable[[Path, bytes], bool]
    read: Callable[[Path, Sequence[Column], Column | None, int], Columns]
    list_columns: Callable[[Path], tuple[str, ...]]


def format_of(path: Path) -> LabelFormat:
    r"""Return the format of a label file, by its content: the text table where it is no other.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileError
        Where it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "HR.csv"
    ...     _ = path.write_text("1700000000.0\n1.0\n75\n76\n")
    ...     format_of(path).name
    'empatica'
    """
    head = _head(path)
    text: LabelFormat = registry.load("label_formats", "text")
    return next((one for one in registry.load_all("label_formats") if one.recognizes(path, head)), text)


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file that is not empty."""
    with _refusals(path):
        _check_file(path)
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)


def _check_file(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait forever
        raise LabelFileError(f"{printable(path)}: is not a regular file")
    if not found.st_size:
        raise LabelFileEmptyError(f"{printable(path)}: is empty")


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabelFileError(f"{printable(path)}: cannot be read ({error.strerror})") from None


def read_columns(
    path: Path, wanted: Sequence[Column], time_column: Column | None = None, *, format_name: str = "", skip_rows: int = 0
) -> Columns:
    r"""Read columns of a label file of any format.

    Parameters
    ----------
    path : Path
    wanted : sequence of str or int
    time_column : str or int, optional
    format_name : str
        Name in the registry; empty: recognized by the content.
    skip_rows : int
        Lines of a text file to leave out first.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileEmptyError
        Where it holds no row of values.
    LabelFileError
        Where it cannot be read, exceeds a limit, lacks a column or can be read in two ways.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "hr.csv"
    ...     _ = path.write_text("time (ms);HR (bpm)\n0;71,5\n1000;72\n")
    ...     found = read_columns(path, ["HR (bpm)"], "time (ms)")
    >>> found.values[0], found.times.unit_s, found.units
    (array([71.5, 72. ]), 0.001, ('bpm',))
    """
    with _refusals(path):
        if format_name:
            _check_file(path)
        chosen = registry.load("label_formats", format_name) if format_name else format_of(path)
        columns: Columns = chosen.read(path, wanted, time_column, skip_rows)
        return columns


def check_rows(path: Path, rows: int) -> None:
    """Raise where a file holds more rows than a label of a video can have, or none."""
    if rows > MAX_ROWS:
        raise LabelFileError(
            f"{printable(path)}: holds {rows:,} values (limit {MAX_ROWS:,}); a label or clock of a video has fewer"
        )
    if not rows:
        raise LabelFileEmptyError(f"{printable(path)}: is empty")


def check_columns(path: Path, columns: Sequence[Sized]) -> None:
    """Raise where columns do not have the same number of rows, or one that :func:`check_rows` refuses."""
    lengths = {len(one) for one in columns}
    if len(lengths) > 1:
        raise LabelFileError(
            f"{printable(path)}: its columns have {' and '.join(map(str, sorted(lengths)))} values; they must belong together"
        )
    check_rows(path, lengths.pop())


def no_column(path: Path, column: Column, names: Sequence[str]) -> LabelFileError:
    """Return the error of a column that is not there, with the names of those that are."""
    return LabelFileError(f"{printable(path)}: has no column {column!r}; it holds {', '.join(names)[:300] or 'none'}")
