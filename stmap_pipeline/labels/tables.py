"""Columns of numbers from a text file of any of the usual shapes, read in blocks of lines within fixed limits.

One number a line, or columns separated by tab, semicolon, comma or blanks; with or without comment lines and a header; decimal
point or comma; any line ends, byte-order mark or quotes; UTF-8, UTF-16 or Latin-1; units behind the numbers. What is no number becomes
NaN and stays in its row, because a dropped row would shift all later times. A file that can be read in two ways is refused with a hint.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import printable
from stmap_pipeline.file_kinds import content_kind
from stmap_pipeline.labels.label_file import MAX_ROWS, Column, Columns, LabelFileEmptyError, LabelFileError, LabelFormat
from stmap_pipeline.labels.no_reading import is_summary
from stmap_pipeline.labels.times import TimeKind, Times, text_times, time_unit_of, unit_word, unwrapped, value_unit_of

# an hour at 1 kHz is some 35 MB; what is larger is not a label of a face video
MAX_BYTES = 64 * 2**20
MAX_LINE_CHARACTERS = 65_536
MAX_COLUMNS = 1_000

_BLOCK_BYTES = 2**20
_MAX_HEADER_LINES = 100
_MAX_SUMMARY_LINES = 20
_MISSING_WORDS = frozenset(
    {"", "nan", "na", "n/a", "n.a.", "null", "none", "nil", "missing", "invalid", "error", "unknown", "inf", "infinity"}
)
_SPREADSHEET_ERRORS = frozenset({"#n/a", "#num!", "#div/0!", "#value!", "#null!", "#ref!"})
# a sign, or a digit before any letter: a number, or what a device writes in place of one
_NUMBER_LIKE = re.compile(r"[+-]|[\W_]*\d")
# whole numbers between commas could be decimal numbers, and groups of three digits a number of thousands
_DATE_AND_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ \t]+([0-9]{1,2}:[0-9]{2})")
_TWO_READINGS = re.compile(r"[+-]?[0-9]+(,[+-]?[0-9]+)+(e[+-]?[0-9]+)?(,*| ?[a-z/]+)|[+-]?[0-9]{1,3}(,[0-9]{3})+\.[0-9]*", re.I)
# groups of thousands that nothing else can be: a decimal mark of the other kind follows, or there are two marks
_THOUSANDS = re.compile(
    r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3})+\.[0-9]*|(?:\.[0-9]{3})+,[0-9]*|(?:,[0-9]{3}){2,}|(?:\.[0-9]{3}){2,}"
    r"|(?:['\u2019\u00a0\u202f ][0-9]{3})+(?:[.,][0-9]*)?)"
)
_WITH_UNIT = re.compile(r"([+-]?[0-9][0-9.,]*(?:e[+-]?[0-9]+)?)\s*([^\s0-9.,+-].*)", re.I)


def read_table(
    path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0, *, delimiter: str | None = None
) -> Columns:
    r"""Read columns of numbers from a text file.

    The header is the first line that holds all names that are asked for, a comment line or one of the first hundred. Where columns are
    asked for by number, it is the first line after the comments, if that holds words and nothing that begins like a number.

    Parameters
    ----------
    path : Path
    wanted : sequence of str or int
        Columns by header name (case matters only where it distinguishes two) or by number from 0.
    time_column : str or int, optional
        Column of times: numbers, dates with times, or clock times.
    skip_rows : int
        Lines to leave out first.
    delimiter : str, optional
        What separates cells, where that is known; a comma is then no decimal comma.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileEmptyError
        Where it holds no row of values.
    LabelFileError
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
    everything = [*wanted] if time_column is None else [*wanted, time_column]
    blocks = line_blocks(path, skip_rows)
    try:
        head = next(blocks, [])
        layout = _layout(head, everything, delimiter)
        indices = [_index(column, layout) for column in everything]
        numbers, time_cells = [_Numbers() for _ in wanted], _TimeCells()
        parsers = [*numbers, time_cells][: len(everything)]
        line, last_line = layout.first_line, layout.first_line
        last_rows: list[tuple[int, list[str]]] = []
        filled: list[bool] = []
        for block in _after(head[layout.first_line - 1 :], blocks):
            rows = [_cells(text, layout.delimiter) for text in block] if layout.delimiter else []
            _check_widths(rows, layout, line)
            _check_separators(block if rows else [], rows, layout, line)
            for parser, index in zip(parsers, indices, strict=True):
                parser.add([row[index] if index < len(row) else "" for row in rows] if layout.delimiter else block)
            filled += map(bool, block)
            last_line = next((line + i for i in reversed(range(len(block))) if block[i]), last_line)
            if time_column is None and layout.header and layout.header_line in block:
                number = line + block.index(layout.header_line)
                raise LabelFileError(f"line {number} repeats the header: keep the table of this video alone, or give time_column")
            end = range(max(0, len(block) - _MAX_SUMMARY_LINES), len(block))
            last = ((line + i, rows[i] if rows else [block[i]]) for i in end if block[i])
            last_rows = [*last_rows, *last][-_MAX_SUMMARY_LINES:]
            line += len(block)
            if line - layout.first_line > MAX_ROWS:
                raise LabelFileError(f"holds more than {MAX_ROWS:,} rows; a label or clock of a video has fewer")
        first_summary = next((at for at, (_, row) in enumerate(last_rows) if at and is_summary(row)), len(last_rows))
        summary = len(last_rows) - first_summary
        if summary:
            last_line = last_rows[first_summary - 1][0]
        # blank lines inside a column are rows without a value; those at the end, and those between rows with times, are none
        count = last_line - layout.first_line + 1
        rows_at: npt.NDArray[np.bool_] | slice = (
            np.array(filled[:count]) if time_column is not None and layout.delimiter else slice(None)
        )
        if count == 1 and layout.width >= _MANY_IN_A_ROW and not layout.header and indices == [0]:
            raise LabelFileError(f"line {layout.first_line} holds all {layout.width} numbers; put each on a line of its own")
        names = [layout.name(index) for index in indices]
        times = None
        if time_column is not None:
            times = time_cells.times(count, layout.units[indices[-1]] if layout.units else names[-1], rows_at)
        units = [
            parser.unit or value_unit_of(f"({layout.units[index]})" if layout.units else name)
            for parser, index, name in zip(numbers, indices, names, strict=False)
        ]
    except LabelFileError as error:
        raise type(error)(f"{printable(path)}: {error}") from None
    except ValueError as error:
        raise LabelFileError(f"{printable(path)}: {error}") from None
    return Columns(
        tuple(parser.values(count)[rows_at] for parser in numbers),
        layout.header,
        times,
        units=tuple(units),
        first_line=layout.first_line,
        width=layout.width,
        no_number=tuple(parser.no_number for parser in parsers) + (() if times is None else ("",)),
        notes=(f"its last {summary} rows are a summary of those before, and left out",) if summary else (),
    )


def list_columns(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of a text table, or their numbers from 0 where it has no header.

    Raises
    ------
    FileNotFoundError, LabelFileError
        As :func:`read_table`.
    """
    try:
        layout = _layout(next(line_blocks(path), []), [])
    except LabelFileError as error:
        raise type(error)(f"{printable(path)}: {error}") from None
    return layout.header or tuple(map(str, range(layout.width)))


# a table has fewer columns where it has one row
_MANY_IN_A_ROW = 5


class _Numbers:
    """Cells of a column of values, some at a time."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.float64]] = []
        self.no_number = ""
        self.unit = ""

    def add(self, texts: list[str]) -> None:
        values, first_text, unit = _numbers(texts)
        self._parts.append(values)
        self.no_number = self.no_number or first_text
        if unit and self.unit not in ("", unit):
            raise LabelFileError(f"holds values in {self.unit} and in {unit} in one column")
        self.unit = self.unit or unit

    def values(self, count: int) -> npt.NDArray[np.float64]:
        return np.concatenate(self._parts)[:count]


class _TimeCells(_Numbers):
    """Cells of a column of times, some at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._kind: TimeKind | None = None

    def add(self, texts: list[str]) -> None:
        found = text_times(texts) if ":" in "".join(texts[:100]) or self._kind not in (None, "number") else None
        if found is None:
            super().add(texts)
            self._kind = self._kind or "number"
            return
        self._parts.append(found[0])
        if self._kind not in (None, found[1]):
            raise LabelFileError("some of the times have a date or a time zone and some do not")
        self._kind = found[1]

    def times(self, count: int, name: str, rows: npt.NDArray[np.bool_] | slice) -> Times:
        values = self.values(count)[rows]
        if self._kind == "clock":
            values = unwrapped(values)
        unit_s = time_unit_of(f"({self.unit})" if self.unit else name)
        return Times(values, self._kind or "number", unit_s if self._kind == "number" else None)


def _after(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest


def line_blocks(path: Path, skip_rows: int = 0) -> Iterator[list[str]]:
    """Yield the lines of a file, without line ends and blanks around them, some at a time; those left out are empty."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait forever
            raise LabelFileError("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise LabelFileError(
                f"{status.st_size / 2**20:.0f} MB; a label or clock has at most {MAX_BYTES // 2**20} MB, "
                "so this is the wrong file or needs thinning out"
            )
        with path.open("rb") as file:
            if kind := content_kind(file.read(4096)):
                raise LabelFileError(kind if ";" in kind else f"{kind}, not a table")
        # newline="\n" keeps "\r\r\n" one line end: universal newlines would make a blank row of it
        with path.open(encoding=_encoding(path), errors="replace", newline="\n") as file:
            number = 0
            while lines := file.readlines(_BLOCK_BYTES):
                lines = [line.strip(" \r\n") for line in lines]
                lines = ["" if number + i < skip_rows else line for i, line in enumerate(lines)] if number < skip_rows else lines
                joined = "".join(lines)
                if "\0" in joined or "\r" in joined or len(max(lines, key=len)) > MAX_LINE_CHARACTERS:
                    raise LabelFileError(_not_text(lines, number))
                number += len(lines)
                yield ["" if line.isspace() else line for line in lines]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabelFileError(f"cannot be read ({error.strerror})") from None


def _encoding(path: Path) -> str:
    """Return the encoding of a text: UTF-8 where it can be, UTF-16 by its mark or its zeros, otherwise Latin-1."""
    with path.open("rb") as file:
        head = file.read(4096)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if len(head) >= 8 and 0.9 * len(head) < 2 * odd and not even:
            return "utf-16-le"
        if len(head) >= 8 and 0.9 * len(head) < 2 * even and not odd:
            return "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while head:
                decoder.decode(head)
                head = file.read(_BLOCK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def _not_text(lines: list[str], before: int) -> str:
    for number, line in enumerate(lines, start=before + 1):
        if "\0" in line:
            return f"line {number} holds binary data; give a text file, or the format of this one"
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
    units: tuple[str, ...] = ()
    header_line: str = ""

    def name(self, index: int) -> str:
        """Return the name of a column; empty where it has none."""
        return self.header[index] if index < len(self.header) else ""


def _layout(lines: list[str], wanted: Sequence[str | int], known: str | None = None) -> _Layout:
    """Find delimiter, header and first row in the first lines of a file."""
    numbers = [number for number, text in enumerate(lines) if text]
    if not numbers:
        raise LabelFileEmptyError("is empty")
    delimiter = known
    if match := re.fullmatch(r'"?sep=(.|\t)"?', lines[numbers[0]], re.I):  # the hint that Excel writes and reads
        delimiter, numbers = match[1], numbers[1:]
    comments = []
    while numbers and _is_comment(lines[numbers[0]]):
        comments.append(lines[numbers.pop(0)].lstrip("#%/ "))
    if not numbers:
        raise LabelFileEmptyError("holds comments and no row")

    header, row = _find_header(lines, numbers, comments, delimiter, wanted)
    header_row = row
    if row >= len(numbers):
        raise LabelFileEmptyError("holds a header and no row")
    if delimiter is None:
        before, after = (row - 1, row) if row else (0, min(1, len(numbers) - 1))
        delimiter = _delimiter(lines[numbers[before]], lines[numbers[after]])
    first, units = _cells(lines[numbers[row]], delimiter), tuple[str, ...]()
    if header and all(map(_is_word, map(_clean, first))):
        if len(first) == 1:
            raise LabelFileError(
                f"line {numbers[row] + 1}: {first[0]!r} under the header is no number; write nan where a value is unknown, "
                "and # before a line that is no row"
            )
        while all(map(_is_word, map(_clean, first))):  # lines of units and the like
            units = tuple(map(_clean, first)) if len(first) == len(header) else ()
            row += 1
            if row >= len(numbers):
                raise LabelFileEmptyError("holds a header and no row")
            first = _cells(lines[numbers[row]], delimiter)
    line = numbers[row] + 1
    if len(first) > MAX_COLUMNS:
        raise LabelFileError(f"line {line} holds {len(first):,} cells (limit {MAX_COLUMNS:,}); put one row on a line")
    # columns that are asked for by number say how many there are at least
    asked = [column for column in wanted if isinstance(column, int)]
    if (
        not header
        and delimiter == ","
        and not known
        and asked
        and len(first) > max(asked) + 1
        and _TWO_READINGS.fullmatch(lines[numbers[row]].strip(' "'))
    ):
        raise LabelFileError(
            f"line {line}: {lines[numbers[row]]!r} has decimal commas or several columns; write decimal points, or a header line with a "
            "name for each column"
        )
    if asked:
        rows = [(number + 1, _cells(lines[number], delimiter)) for number in numbers[row : row + _MAX_HEADER_LINES]]
        _check_first_rows(rows, asked, prose=not header and delimiter == " ")
    repeated = lines[numbers[header_row - 1]] if header and header_row else ""
    return _Layout(header, delimiter, len(header) or len(first), line, units, repeated)


def _check_first_rows(rows: list[tuple[int, list[str]]], asked: list[int], prose: bool) -> None:
    """Raise where lines above the numbers would be taken for rows and shift those that follow."""
    for line, cells in rows:
        words = [_is_word(_clean(cell)) for cell in cells]
        if len(cells) < 2 or not any(words if prose else [words[index] for index in asked if index < len(words)]):
            return
        if prose or all(words):
            raise LabelFileError(
                f"line {line}: {' '.join(cells)[:80]!r} is no row of numbers; set skip_rows to the number of lines above the rows, and "
                "write nan where a value is unknown"
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
    if len(parts) == 2 and "," not in text and not math.isnan(_number(parts[0])) and unit_word(parts[1]):
        return ""  # a number with its unit
    if "," in text and len(parts) > 1 and all(re.fullmatch(r"[+-]?[0-9]+(,[0-9]+)?", part) for part in parts):
        return " "  # decimal commas
    return next((mark for mark in "\t;," if mark in text), " " if len(parts) > 1 else "")


def _cells(text: str, delimiter: str) -> list[str]:
    if not delimiter:
        return [text]
    if delimiter == " ":
        # a date and the time behind it are one cell
        return (_DATE_AND_TIME.sub(r"\1T\2", text) if ":" in text else text).split()
    if '"' in text:
        return next(csv.reader([text], delimiter=delimiter))
    return text.split(delimiter)


def _clean(cell: str) -> str:
    return cell.strip().strip('"').strip()


def _check_separators(block: list[str], rows: list[list[str]], layout: _Layout, line: int) -> None:
    """Raise where a row is one cell, and as wide as the others by another separator: it would be read as unknown."""
    if layout.width < 2:
        return
    # a number with a decimal comma whose row ends early
    decimal_comma = layout.delimiter != "," and any("," in cell for row in rows if len(row) > 1 for cell in row)
    marks = [mark for mark in "\t;," if mark != layout.delimiter and not (mark == "," and decimal_comma)]
    for number, (text, row) in enumerate(zip(block, rows, strict=True), start=line):
        if len(row) == 1 and text:
            for mark in marks:
                cells = _cells(text, mark)
                if len(cells) == layout.width and all(map(_NUMBER_LIKE.match, map(_clean, cells))):
                    raise LabelFileError(
                        f"line {number} separates its cells by {mark!r}, line {layout.first_line} by {layout.delimiter!r}; "
                        "write one separator in all rows"
                    )


def _check_widths(rows: list[list[str]], layout: _Layout, line: int) -> None:
    if max(map(len, rows), default=0) <= layout.width:
        return
    for number, row in enumerate(rows, start=line):
        # some programs write comments behind a row
        if any(map(_clean, row[layout.width :])) and not _clean(row[layout.width]).startswith("#"):
            hint = "; numbers with decimal commas need quotes, or another separator" if layout.delimiter == "," else ""
            if layout.header and number - layout.first_line < _MAX_HEADER_LINES:
                hint = hint or "; where lines above the table are no header of it, set skip_rows to their number"
            what = "the header names" if layout.header else "the first row holds"
            raise LabelFileError(f"line {number} holds {len(row)} cells, but {what} {layout.width}{hint}")


def _index(column: str | int, layout: _Layout) -> int:
    header = layout.header
    names = ": " + ", ".join(header)[:200] if header else ""
    if isinstance(column, int):
        if 0 <= column < layout.width:
            return column
        raise LabelFileError(f"has no column {column} (from 0); it has {layout.width}{names}")
    if not header:
        raise LabelFileError(f"has no header, so no column {column!r}; give the column by its number from 0 ({layout.width} there)")
    same = [index for index, name in enumerate(header) if name == column]
    same = same or [index for index, name in enumerate(header) if name.casefold() == column.strip().casefold()]
    if len(same) == 1:
        return same[0]
    hint = "; give one by its number, from 0" if same else ""
    raise LabelFileError(f"has {f'{len(same)} columns' if same else 'no column'} {column!r}; its columns are{names[1:]}{hint}")


def _numbers(texts: list[str]) -> tuple[npt.NDArray[np.float64], str, str]:
    """Return the numbers of some cells, the first cell that holds text instead, and the unit that stands in the cells."""
    joined = "".join(texts)
    if "_" not in joined and "," not in joined:
        try:
            values = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
            return np.where(np.isfinite(values), values, np.nan), "", ""
        except ValueError:
            pass
    values, unit, first_text = np.full(len(texts), np.nan), "", ""
    for row, text in enumerate(texts):
        values[row] = _number(text)
        if not math.isnan(values[row]):
            continue
        match = _WITH_UNIT.fullmatch(_clean(text))
        found = unit_word(match[2]) if match else ""
        if match and found:
            if unit not in ("", found):
                raise LabelFileError(f"holds values in {unit} and in {found} in one column")
            values[row], unit = _number(match[1]), found
        elif not first_text and _clean(text).casefold() not in _MISSING_WORDS | _SPREADSHEET_ERRORS:
            first_text = _clean(text)
    return values, first_text, unit


def _number(cell: str) -> float:
    """Return the number in a cell; NaN where there is no finite one."""
    text = _clean(cell)
    if _THOUSANDS.fullmatch(text):
        mark = max(text.rfind(","), text.rfind("."))
        decimal = mark if text.count(text[mark]) == 1 and mark >= 0 else len(text)
        text = re.sub(r"[^0-9+-]", "", text[:decimal]) + "." + text[decimal + 1 :]
    elif "," in text and "." not in text:
        text = text.replace(",", ".")  # a decimal comma: one that separates cells is gone by now
    try:
        value = float(text)
    except ValueError:
        return math.nan
    # float() would read 1_000, which no instrument writes
    return value if math.isfinite(value) and "_" not in text else math.nan


FORMAT = LabelFormat("text", "text table", lambda _path, _head: False, read_table, list_columns)
CSV = LabelFormat(
    "csv",
    "comma-separated values with decimal points",
    lambda _path, _head: False,  # as a text table, which finds the separator by itself
    partial(read_table, delimiter=","),
    list_columns,
)
