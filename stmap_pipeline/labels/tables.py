"""Numbers from a text file of any of the usual shapes, read line by line within fixed limits.

One number a line, or columns separated by tab, semicolon, comma or blanks; with or without a header; any line ends,
byte-order mark or quotes. What is no number becomes NaN and stays in its row, because a dropped row would shift all later
times. Clocks and labels are read through this.
"""

from __future__ import annotations

import csv
import math
import stat
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import printable

# an hour at 1 kHz is 3.6 million rows and some 35 MB; what is larger is not a label of a face video
MAX_BYTES = 64 * 2**20
MAX_ROWS = 5_000_000
MAX_LINE_CHARACTERS = 65_536
MAX_COLUMNS = 1_000

_MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "--", "?", "inf", "-inf"})


class TableError(ValueError):
    """The file is not a table of numbers, or has no such column. The caller turns this into a recording's reason."""


class TableEmptyError(TableError):
    """The file holds no row."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Some columns of a text file.

    Parameters
    ----------
    header : tuple of str
        Names of all columns, empty where the file has none.
    columns : int
        Columns of the first row.
    first_line : int
        Number of the line that holds row 0, from 1; row i is on line ``first_line + i``.
    values : tuple of (n,) arrays of float64
        One array for each column that was asked for; NaN where a cell is no finite number.
    """

    header: tuple[str, ...]
    columns: int
    first_line: int
    values: tuple[npt.NDArray[np.float64], ...]


def read_table(path: Path, wanted: Sequence[str | int]) -> Table:
    r"""Read columns of numbers from a text file.

    Parameters
    ----------
    path : Path
    wanted : sequence of str or int
        Columns by header name (case matters only where it tells two apart) or by number from 0.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    TableEmptyError
        Where it holds no row of values.
    TableError
        Where it cannot be read, is no text, exceeds a limit of this module or lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "pulse.csv"
    ...     _ = path.write_bytes(b"time_s;bpm\r\n0;71,5\r\n1;\r\n")
    ...     read_table(path, ["time_s", "bpm"]).values
    (array([0., 1.]), array([71.5,  nan]))
    """
    rows = _lines(path)
    first = next(rows, None)
    if first is None:
        raise TableEmptyError(f"{printable(path)}: is empty")
    second = next(rows, None)
    delimiter = _delimiter(first[1], (second or first)[1])
    header = _header(first[1], delimiter)
    start = second if header else first
    if start is None:
        raise TableEmptyError(f"{printable(path)}: holds a header and no row")
    width = len(_cells(start[1], delimiter, path, start[0]))
    if header and len(header) < width and any(_cells(start[1], delimiter, path, start[0])[len(header) :]):
        raise TableError(f"{printable(path)}: line {start[0]} holds {width} cells, but the header names {len(header)}")
    indices = [_index(column, header, width, path) for column in wanted]

    columns = [array("d") for _ in wanted]
    pairs = list(zip(columns, indices, strict=True))
    expected = start[0]
    for number, text in _chain(start, None if header else second, rows):
        if number - start[0] >= MAX_ROWS:
            raise TableError(f"{printable(path)}: holds more than {MAX_ROWS:,} rows; a label or clock of a video has fewer")
        if number > expected:  # blank lines in between are rows without a value
            for column in columns:
                column.extend([math.nan] * (number - expected))
        cells = _cells(text, delimiter, path, number)
        for column, index in pairs:
            column.append(_number(cells[index], delimiter) if index < len(cells) else math.nan)
        expected = number + 1
    return Table(header, width, start[0], tuple(np.array(column, dtype=np.float64) for column in columns))


def _chain(start: tuple[int, str], second: tuple[int, str] | None, rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield start
    if second is not None:
        yield second
    yield from rest


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give number and text of each line that is not blank."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise TableError(f"{printable(path)}: is not a regular file")
        if status.st_size > MAX_BYTES:
            raise TableError(
                f"{printable(path)}: {status.st_size / 2**20:.0f} MB; a label or clock has at most {MAX_BYTES // 2**20} MB, "
                "so this is the wrong file or needs thinning out"
            )
        # newline="\n" keeps "\r\r\n" one line end: universal newlines would make a blank row of it
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            number = 0
            while line := file.readline(MAX_LINE_CHARACTERS + 1):
                number += 1
                if len(line) > MAX_LINE_CHARACTERS:
                    raise TableError(
                        f"{printable(path)}: line {number} has more than {MAX_LINE_CHARACTERS:,} characters; put one row on a line"
                    )
                text = line.strip()
                if "\0" in text:
                    raise TableError(f"{printable(path)}: line {number} holds binary data or UTF-16; save it as UTF-8 text")
                if "\r" in text:
                    raise TableError(
                        f"{printable(path)}: line {number} ends in carriage returns alone; save it with usual line ends"
                    )
                if text:
                    yield number, line.strip(" \r\n")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TableError(f"{printable(path)}: cannot be read ({error.strerror})") from None


def _delimiter(first: str, second: str) -> str:
    """Guess from the first two rows what separates cells; empty where a row is one cell."""
    own = _separator(first)
    numbers = [
        math.isfinite(_number(cell.strip(' "'), own)) for cell in (first.split(own if own != " " else None) if own else [first])
    ]
    # a first row with numbers is no header and speaks for itself; a header may hold marks that separate nothing
    return own if any(numbers) and (own != " " or all(numbers)) else _separator(second)


def _separator(text: str) -> str:
    return next((mark for mark in "\t;," if mark in text), " " if len(text.split()) > 1 else "")


def _cells(text: str, delimiter: str, path: Path, number: int) -> list[str]:
    if not delimiter:
        return [text.strip(' "')]
    if delimiter == " ":
        cells = text.split()
    elif '"' in text:
        cells = next(csv.reader([text], delimiter=delimiter))
    else:
        cells = text.split(delimiter)
    if len(cells) > MAX_COLUMNS:
        raise TableError(
            f"{printable(path)}: line {number} holds {len(cells):,} cells (limit {MAX_COLUMNS:,}); put one row on a line"
        )
    return [cell.strip().strip('"').strip() for cell in cells]


def _header(text: str, delimiter: str) -> tuple[str, ...]:
    """Give the column names where the line holds some: words, and no number among them."""
    cells = next(csv.reader([text.lstrip("#").strip()], delimiter=delimiter)) if delimiter not in ("", " ") else None
    if cells is None:
        cells = text.lstrip("#").split() if delimiter else [text.lstrip("#")]
    names = tuple(cell.strip().strip('"').strip() for cell in cells)
    words = any(name.casefold() not in _MISSING_WORDS for name in names)
    numbers = any(math.isfinite(_number(name, delimiter)) for name in names)
    return names if words and not numbers else ()


def _index(column: str | int, header: tuple[str, ...], width: int, path: Path) -> int:
    if isinstance(column, int):
        if 0 <= column < max(width, len(header)):
            return column
        raise TableError(f"{printable(path)}: has no column {column} (from 0); it has {width}{_named(header)}")
    if not header:
        raise TableError(
            f"{printable(path)}: has no header, so no column {column!r}; give the column by its number from 0 ({width} there)"
        )
    same = [index for index, name in enumerate(header) if name == column]
    same = same or [index for index, name in enumerate(header) if name.casefold() == column.strip().casefold()]
    if len(same) == 1:
        return same[0]
    what = f"{len(same)} columns" if same else "no column"
    raise TableError(f"{printable(path)}: has {what} {column!r}; its columns are {_named(header)[2:] or width}")


def _named(header: tuple[str, ...]) -> str:
    if not header:
        return ""
    text = ", ".join(header)
    return ": " + (text if len(text) <= 200 else text[:200] + " ...")


def _number(cell: str, delimiter: str) -> float:
    """Read one cell; NaN where it is no finite number."""
    if delimiter in ("\t", ";") and "," in cell and "." not in cell:
        cell = cell.replace(",", ".")  # the decimal comma of European spreadsheets, which then never separates cells
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    # float() would read 1_000, which no instrument writes
    return value if math.isfinite(value) and "_" not in cell else math.nan
