"""Columns of numbers from a text file of any of the usual shapes, read in blocks of lines within fixed limits.

One number a line, or columns separated by tab, semicolon, comma or blanks; with or without comment lines and a header; decimal
point or comma; any line ends, byte-order mark or quotes. What is no number becomes NaN and stays in its row, because a dropped row
would shift all later times. A file that can be read in two ways is refused with a hint.
"""

from __future__ import annotations

import csv
import math
import re
import stat
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

_BLOCK_BYTES = 2**20
_MAX_HEADER_LINES = 100
_MISSING_WORDS = frozenset(
    {"", "nan", "na", "n/a", "n.a.", "null", "none", "nil", "missing", "invalid", "error", "unknown", "inf", "infinity"}
)
_SPREADSHEET_ERRORS = frozenset({"#n/a", "#num!", "#div/0!", "#value!", "#null!", "#ref!"})
# a sign, or a digit before any letter: a number, or what a device writes in place of one
_NUMBER_LIKE = re.compile(r"[+-]|[\W_]*\d")
# whole numbers between commas could be decimal numbers, and groups of three digits a number of thousands
_TWO_READINGS = re.compile(r"[+-]?[0-9]+(,[+-]?[0-9]+)+(e[+-]?[0-9]+)?,*|[+-]?[0-9]{1,3}(,[0-9]{3})+\.[0-9]*", re.I)


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
        Number of columns.
    first_line : int
        Number of the line that holds row 0, from 1; row i is on line ``first_line + i``.
    values : tuple of (n,) arrays of float64
        One array for each column that was asked for; NaN where a cell is no finite number.
    no_number : tuple of str
        For each of these columns the first cell that holds text and no number; empty where there is none.
    """

    header: tuple[str, ...]
    columns: int
    first_line: int
    values: tuple[npt.NDArray[np.float64], ...]
    no_number: tuple[str, ...]


def read_table(path: Path, wanted: Sequence[str | int]) -> Table:
    r"""Read columns of numbers from a text file.

    The header is the first line that holds all names that are asked for, a comment line or one of the first hundred. Where columns are
    asked for by number, it is the first line after the comments, if that holds words and nothing that begins like a number.

    Parameters
    ----------
    path : Path
    wanted : sequence of str or int
        Columns by header name (case matters only where it distinguishes two) or by number from 0.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    TableEmptyError
        Where it holds no row of values.
    TableError
        Where it cannot be read, is no text, exceeds a limit of this module, lacks a column or can be read in two ways.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "pulse.csv"
    ...     _ = path.write_bytes(b"# device 7\r\n# 2026-11-28\r\ntime_s;bpm\r\n0;71,5\r\n1;\r\n")
    ...     read_table(path, ["time_s", "bpm"]).values
    (array([0., 1.]), array([71.5,  nan]))
    """
    blocks = _blocks(path)
    try:
        head = next(blocks, [])
        layout = _layout(head, wanted)
        indices = [_index(column, layout) for column in wanted]
        columns: list[list[npt.NDArray[np.float64]]] = [[] for _ in wanted]
        no_number = ["" for _ in wanted]
        line, last_line = layout.first_line, layout.first_line
        for block in _after(head[layout.first_line - 1 :], blocks):
            rows = [_cells(text, layout.delimiter) for text in block] if layout.delimiter else []
            _check_widths(rows, layout, line)
            for position, index in enumerate(indices):
                texts = [row[index] if index < len(row) else "" for row in rows] if layout.delimiter else block
                values, first_text = _numbers(texts)
                columns[position].append(values)
                no_number[position] = no_number[position] or first_text
            last_line = next((line + i for i in reversed(range(len(block))) if block[i]), last_line)
            line += len(block)
            if line - layout.first_line > MAX_ROWS:
                raise TableError(f"holds more than {MAX_ROWS:,} rows; a label or clock of a video has fewer")
    except TableError as error:
        raise type(error)(f"{printable(path)}: {error}") from None
    # blank lines inside are rows without a value, those at the end are none
    count = last_line - layout.first_line + 1
    arrays = tuple(np.concatenate(parts)[:count] for parts in columns)
    return Table(layout.header, layout.width, layout.first_line, arrays, tuple(no_number))


def _after(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest


def _blocks(path: Path) -> Iterator[list[str]]:
    """Yield the lines of a file, without line ends and blanks around them, some at a time."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait forever
            raise TableError("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise TableError(
                f"{status.st_size / 2**20:.0f} MB; a label or clock has at most {MAX_BYTES // 2**20} MB, "
                "so this is the wrong file or needs thinning out"
            )
        # newline="\n" keeps "\r\r\n" one line end: universal newlines would make a blank row of it
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            number = 0
            while lines := file.readlines(_BLOCK_BYTES):
                lines = [line.strip(" \r\n") for line in lines]
                joined = "".join(lines)
                if "\0" in joined or "\r" in joined or len(max(lines, key=len)) > MAX_LINE_CHARACTERS:
                    raise TableError(_not_text(lines, number))
                number += len(lines)
                yield ["" if line.isspace() else line for line in lines]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TableError(f"cannot be read ({error.strerror})") from None


def _not_text(lines: list[str], before: int) -> str:
    for number, line in enumerate(lines, start=before + 1):
        if "\0" in line:
            return f"line {number} holds binary data or UTF-16; save it as UTF-8 text"
        if "\r" in line:
            return f"line {number} ends in carriage returns alone; save it with usual line ends"
        if len(line) > MAX_LINE_CHARACTERS:
            return f"line {number} has more than {MAX_LINE_CHARACTERS:,} characters; put one row on a line"
    return "is no text"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the rows of a file are to be read."""

    header: tuple[str, ...]
    delimiter: str
    width: int
    first_line: int


def _layout(lines: list[str], wanted: Sequence[str | int]) -> _Layout:
    """Find delimiter, header and first row in the first lines of a file."""
    numbers = [number for number, text in enumerate(lines) if text]
    if not numbers:
        raise TableEmptyError("is empty")
    delimiter = None
    if match := re.fullmatch(r'"?sep=(.|\t)"?', lines[numbers[0]], re.I):  # the hint that Excel writes and reads
        delimiter, numbers = match[1], numbers[1:]
    comments = []
    while numbers and _is_comment(lines[numbers[0]]):
        comments.append(lines[numbers.pop(0)].lstrip("#%/ "))
    if not numbers:
        raise TableEmptyError("holds comments and no row")

    header, row = _find_header(lines, numbers, comments, delimiter, wanted)
    if row >= len(numbers):
        raise TableEmptyError("holds a header and no row")
    if delimiter is None:
        before, after = (row - 1, row) if row else (0, min(1, len(numbers) - 1))
        delimiter = _delimiter(lines[numbers[before]], lines[numbers[after]])
    first = _cells(lines[numbers[row]], delimiter)
    if header and all(map(_is_word, map(_clean, first))):
        if len(first) == 1:
            raise TableError(
                f"line {numbers[row] + 1}: {first[0]!r} under the header is no number; write nan where a value is unknown, "
                "and # before a line that is no row"
            )
        row += 1  # a line of units
        if row >= len(numbers):
            raise TableEmptyError("holds a header and no row")
        first = _cells(lines[numbers[row]], delimiter)
    line = numbers[row] + 1
    if len(first) > MAX_COLUMNS:
        raise TableError(f"line {line} holds {len(first):,} cells (limit {MAX_COLUMNS:,}); put one row on a line")
    # columns that are asked for by number say how many there are at least
    asked = [column for column in wanted if isinstance(column, int)]
    if (
        not header
        and delimiter == ","
        and asked
        and len(first) > max(asked) + 1
        and _TWO_READINGS.fullmatch(lines[numbers[row]].strip(' "'))
    ):
        raise TableError(
            f"line {line}: {lines[numbers[row]]!r} has decimal commas or several columns; write decimal points, or a header line with a "
            "name for each column"
        )
    if asked:
        rows = [(number + 1, _cells(lines[number], delimiter)) for number in numbers[row : row + _MAX_HEADER_LINES]]
        _check_first_rows(rows, asked, prose=not header and delimiter == " ")
    return _Layout(header, delimiter, len(header) or len(first), line)


def _check_first_rows(rows: list[tuple[int, list[str]]], asked: list[int], prose: bool) -> None:
    """Raise where lines above the numbers would be taken for rows and shift those that follow."""
    for line, cells in rows:
        words = [_is_word(_clean(cell)) for cell in cells]
        if len(cells) < 2 or not any(words if prose else [words[index] for index in asked if index < len(words)]):
            return
        if prose or all(words):
            raise TableError(
                f"line {line}: {' '.join(cells)[:80]!r} is no row of numbers; put # before each line above the rows, and write nan where "
                "a value is unknown"
            )


def _find_header(
    lines: list[str], numbers: list[int], comments: list[str], delimiter: str | None, wanted: Sequence[str | int]
) -> tuple[tuple[str, ...], int]:
    """Return the names of the columns, and which of the lines ``numbers`` is the first after them."""

    def names_in(text: str, row: int) -> tuple[str, ...]:
        following = lines[numbers[min(row, len(numbers) - 1)]]
        mark = delimiter if delimiter is not None else _delimiter(text, following)
        names = tuple(map(_clean, _cells(text, mark)))
        width = len(_cells(following, mark))
        own = tuple(map(_clean, _cells(text, _separator(text))))
        return own if len(names) != width == len(own) else names

    asked = {name.strip().casefold() for name in wanted if isinstance(name, str)}
    candidates = [(text, 0) for text in comments]
    candidates += [(lines[number], row + 1) for row, number in enumerate(numbers[:_MAX_HEADER_LINES])]
    if asked:
        for text, row in candidates:
            names = names_in(text, row)
            if asked <= {name.casefold() for name in names}:
                return names, row
    first = names_in(lines[numbers[0]], 1)
    if any(map(_is_word, first)) and not any(map(_NUMBER_LIKE.match, first)):
        return first, 1
    if comments:
        names = names_in(comments[-1], 0)
        if len(names) == len(first) and any(map(_is_word, names)) and not any(map(_NUMBER_LIKE.match, names)):
            return names, 0
    return (), 0


def _is_comment(text: str) -> bool:
    return text.startswith(("#", "%", "//")) and re.split(r"[\s,;]", text)[0].casefold() not in _SPREADSHEET_ERRORS


def _is_word(cell: str) -> bool:
    known = cell.casefold() in _MISSING_WORDS | _SPREADSHEET_ERRORS or _NUMBER_LIKE.match(cell)
    return not known and any(map(str.isalpha, cell))


def _delimiter(first: str, second: str) -> str:
    """Guess from two successive lines what separates cells; empty where a line is one cell."""
    own = _separator(first)
    numbers = [math.isfinite(_number(cell)) for cell in _cells(first, own)]
    # a line with numbers is no header and speaks for itself; a header may hold marks that separate nothing
    return own if any(numbers) and (own != " " or all(numbers)) else _separator(second)


def _separator(text: str) -> str:
    parts = text.split()
    if "," in text and len(parts) > 1 and all(re.fullmatch(r"[+-]?[0-9]+(,[0-9]+)?", part) for part in parts):
        return " "  # decimal commas
    return next((mark for mark in "\t;," if mark in text), " " if len(parts) > 1 else "")


def _cells(text: str, delimiter: str) -> list[str]:
    if not delimiter:
        return [text]
    if delimiter == " ":
        return text.split()
    if '"' in text:
        return next(csv.reader([text], delimiter=delimiter))
    return text.split(delimiter)


def _clean(cell: str) -> str:
    return cell.strip().strip('"').strip()


def _check_widths(rows: list[list[str]], layout: _Layout, line: int) -> None:
    if max(map(len, rows), default=0) <= layout.width:
        return
    for number, row in enumerate(rows, start=line):
        if any(map(_clean, row[layout.width :])):
            what = "the header names" if layout.header else "the first row holds"
            raise TableError(f"line {number} holds {len(row)} cells, but {what} {layout.width}")


def _index(column: str | int, layout: _Layout) -> int:
    header = layout.header
    names = ": " + ", ".join(header)[:200] if header else ""
    if isinstance(column, int):
        if 0 <= column < layout.width:
            return column
        raise TableError(f"has no column {column} (from 0); it has {layout.width}{names}")
    if not header:
        raise TableError(f"has no header, so no column {column!r}; give the column by its number from 0 ({layout.width} there)")
    same = [index for index, name in enumerate(header) if name == column]
    same = same or [index for index, name in enumerate(header) if name.casefold() == column.strip().casefold()]
    if len(same) == 1:
        return same[0]
    raise TableError(f"has {f'{len(same)} columns' if same else 'no column'} {column!r}; its columns are{names[1:]}")


def _numbers(texts: list[str]) -> tuple[npt.NDArray[np.float64], str]:
    """Return the numbers of some cells, and the first cell that holds text instead."""
    joined = "".join(texts)
    if "_" not in joined and "," not in joined:
        try:
            values = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
            return np.where(np.isfinite(values), values, np.nan), ""
        except ValueError:
            pass
    values = np.array([_number(text) for text in texts], dtype=np.float64)
    odd = (_clean(text) for text, known in zip(texts, np.isfinite(values), strict=True) if not known)
    return values, next((text for text in odd if text.casefold() not in _MISSING_WORDS | _SPREADSHEET_ERRORS), "")


def _number(cell: str) -> float:
    """Return the number in a cell; NaN where there is no finite one."""
    text = _clean(cell)
    if "," in text and "." not in text:
        text = text.replace(",", ".")  # a decimal comma: one that separates cells is gone by now
    try:
        value = float(text)
    except ValueError:
        return math.nan
    # float() would read 1_000, which no instrument writes
    return value if math.isfinite(value) and "_" not in text else math.nan
