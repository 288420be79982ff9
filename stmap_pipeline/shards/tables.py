r"""Tables as CSV with a JSON dictionary of their columns beside them, so that no number is without unit and meaning.

Comma, UTF-8, ``\n``; the first line names the columns. An empty cell is unknown. Floats have as many digits as give the
same float back. A text stays on one line: backslash, line feed and carriage return are written ``\\``, ``\n`` and ``\r``. A text that
a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab) has a backslash before it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from stmap_pipeline.errors import ShardError
from stmap_pipeline.files import atomic_write_text, read_bytes

Kind = Literal["str", "int", "float"]
Row = dict[str, Any]

#: A table of a hundred times the windows of VIPL-HR has 0.7 GB.
MAX_TABLE_BYTES = 2**30
_MAX_BYTES = 2**24
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_FORMULA = ("=", "+", "-", "@", "\t")
_BACK = {escape: character for character, escape in _ESCAPES.items()} | {f"\\{character}": character for character in _FORMULA}


@dataclass(frozen=True, slots=True)
class Column:
    """Name, unit and meaning of a column.

    Parameters
    ----------
    name : str
    unit : str
        Empty for texts and counts.
    description : str
    kind : {"str", "int", "float"}
        An unknown float is NaN, an unknown int None.

    Examples
    --------
    >>> Column("start_s", "s", "time of the first sample", "float").unit
    's'
    """

    name: str
    unit: str
    description: str
    kind: Kind = "str"


def write_table(path: Path, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a table and the dictionary of its columns, both atomically.

    Parameters
    ----------
    path : Path
        Of the CSV; the dictionary has the same name with ``.json``.
    columns : sequence of Column
    rows : iterable of mapping
        Keys are names of columns; what a row lacks is unknown.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    ValueError
        Where a row has a key without a column, or a value that is not of its column's kind.
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> import tempfile
    >>> columns = [Column("name", "", "who"), Column("heart_rate_bpm", "beats/min", "mean", "float")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_table(Path(folder) / "a.csv", columns, [{"name": "p001", "heart_rate_bpm": 71.5}, {"name": "p002"}])
    ...     print((Path(folder) / "a.csv").read_text(), read_table(Path(folder) / "a.csv")[1])
    name,heart_rate_bpm
    p001,71.5
    p002,
     {'name': 'p002', 'heart_rate_bpm': nan}
    """
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name}: two columns have one name: {names}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    count = 0
    for row in rows:
        if unknown := [key for key in row if key not in names]:
            raise ValueError(f"{path.name}: row {count + 1} has values without a column: {', '.join(unknown)}")
        writer.writerow([_cell(path, column, row.get(column.name)) for column in columns])
        count += 1
    dictionary = {one.name: {"Description": one.description, "Units": one.unit, "Kind": one.kind} for one in columns}
    atomic_write_text(path.with_suffix(".json"), json.dumps(dictionary, indent=2, ensure_ascii=False) + "\n")
    atomic_write_text(path, text.getvalue())
    return count


def read_columns(path: Path) -> list[Column]:
    """Read the dictionary of a table's columns; ``path`` is that of the CSV.

    Raises
    ------
    ShardError
        Where it is missing or no such dictionary.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_columns(example_maps() / "windows.csv")[4].unit
    's'
    """
    where = path.with_suffix(".json")
    try:
        dictionary = json.loads(read_bytes(where, _MAX_BYTES))
        columns = [Column(name, one["Units"], one["Description"], one["Kind"]) for name, one in dictionary.items()]
        if any(column.kind not in get_args(Kind) for column in columns):
            raise ValueError("unknown kind of column")
    except FileNotFoundError:
        raise ShardError(f"{where}: is not there; without it the columns of {path.name} have no meaning") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ShardError(f"{where}: is no dictionary of columns ({error}); build it again or restore a copy") from None
    return columns


def read_table(path: Path) -> list[Row]:
    """Read a table; the kinds of its columns come from the dictionary beside it.

    Returns
    -------
    list of dict
        Text, int or float by column; unknown is an empty text, None or NaN.

    Raises
    ------
    ShardError
        Where table or dictionary are missing or do not fit; the message names line and column.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_table(example_maps() / "outcomes.csv")[-1]["reason"]
    'no_face'
    """
    columns = read_columns(path)
    try:
        text = read_bytes(path, MAX_TABLE_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise ShardError(f"{path}: is not there; build it again or restore a copy") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ShardError(f"{path}: is no table ({error}); build it again or restore a copy") from None
    by_name = parse_columns(path, columns, text)
    return [dict(zip(by_name, values, strict=True)) for values in zip(*by_name.values(), strict=True)]


def parse_columns(path: Path, columns: Sequence[Column], text: str, only: Collection[str] | None = None) -> dict[str, list[Any]]:
    r"""Read a table whose text is at hand column by column: half of the time of :func:`read_table`, which counts for many rows.

    Parameters
    ----------
    path : Path
        Of the CSV, for messages.
    columns : sequence of Column
        From :func:`read_columns`.
    text : str
    only : collection of str, optional
        Names of the columns that are wanted.

    Raises
    ------
    ShardError
        As :func:`read_table`.

    Examples
    --------
    >>> columns = [Column("name", "", "who"), Column("start_s", "s", "start", "float")]
    >>> parse_columns(Path("a.csv"), columns, "name,start_s\np001,0.5\np002,\n")
    {'name': ['p001', 'p002'], 'start_s': [0.5, nan]}
    """
    names = [column.name for column in columns]
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        if next(reader, []) != names:
            raise ShardError(f"{path}: its first line does not name the columns of {path.with_suffix('.json').name}")
        rows = list(reader)
    except csv.Error as error:
        raise ShardError(f"{path}: is no table ({error}); build it again or restore a copy") from None
    if set(map(len, rows)) - {len(names)}:
        number = next(number for number, cells in enumerate(rows) if len(cells) != len(names))
        raise ShardError(f"{path}, line {_line(text, number)}: has {len(rows[number])} cells, not {len(names)}")
    by_column = zip(*rows, strict=True) if rows else ((),) * len(names)
    found = {}
    for column, cells in zip(columns, by_column, strict=True):
        if only is None or column.name in only:
            try:
                found[column.name] = _values(column.kind, cells)
            except ValueError:
                number = next(number for number, cell in enumerate(cells) if not _readable(column.kind, cell))
                raise ShardError(
                    f"{path}, line {_line(text, number)}: {column.name} is {cells[number]!r}, which is no {column.kind}"
                ) from None
    return found


def _cell(path: Path, column: Column, value: Any) -> str:
    if value is None:
        return ""
    try:
        if column.kind == "float":
            return "" if math.isnan(value) else repr(float(value))
        if column.kind == "int":
            if value != int(value):
                raise ValueError
            return str(int(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{path.name}: {column.name} is of kind {column.kind}, not {value!r}") from None
    text = re.sub(r"[\\\n\r]", lambda match: _ESCAPES[match[0]], str(value))
    return f"\\{text}" if text.startswith(_FORMULA) else text


def _values(kind: Kind, cells: Sequence[str]) -> list[Any]:
    if kind == "str":
        return [re.sub(r"\\[\\nr=+@\t-]", lambda match: _BACK[match[0]], cell) if "\\" in cell else cell for cell in cells]
    number, unknown = (float, math.nan) if kind == "float" else (int, None)
    # most columns have no empty cell, and are then read at twice the speed
    return [number(cell) if cell else unknown for cell in cells] if "" in cells else list(map(number, cells))


def _readable(kind: Kind, cell: str) -> bool:
    try:
        _values(kind, [cell])
    except ValueError:
        return False
    return True


def _line(text: str, number: int) -> int:
    """Find the line of a row, which is not its number where a cell in quotes goes over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""))
    for _ in zip(range(number + 2), reader, strict=False):
        pass
    return reader.line_num
