r"""Text files of few long lines, one series a line, as ``ground_truth.txt`` of UBFC-rPPG: pulse, heart rate and time of each frame.

A line may begin with words, as those of V4V do (``F001_T1.mkv, HR, 78.1, 78.4, ...``): they are its name, ``F001_T1.mkv HR``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileError, LabelFormat, check_columns, no_column
from stmap_pipeline.labels.times import Times

_MAX_BYTES = 64 * 2**20
_MAX_SERIES = 100
_NAME_CHARACTERS = 200
_KEPT_CHARACTERS = 2**20
# a table of that many columns is none of a label
_MIN_NUMBERS = 50
_LOOKED_AT = 200


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether the first line holds more numbers than a table has columns, with blanks between."""
    # the last one may be cut off
    cells = head.split(b"\n")[0].split(maxsplit=_LOOKED_AT)[:-1]
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(numbers) >= _MIN_NUMBERS and any(map(math.isfinite, numbers))


def read_rows(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    r"""Read series from a file that has one on each line; a column is the number of its line from 0, or its name.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileError
        Where it holds other things than numbers, too many, no such line, or lines of different lengths.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "ground_truth.txt"
    ...     _ = path.write_text("0.1 0.3 0.2\n75 75 76\n0.0 0.03 0.07\n")
    ...     read_rows(path, [1], 2).times.values
    array([0.  , 0.03, 0.07])
    """
    if path.stat().st_size > _MAX_BYTES:
        raise LabelFileError(f"{printable(path)}: is larger than {_MAX_BYTES // 2**20} MB; a label of a video is smaller")
    lines = path.read_bytes().decode("latin-1").splitlines()[skip_rows:]
    rows = [line for line in lines if line.strip()]
    asked = [*wanted] if time_column is None else [*wanted, time_column]
    series = []
    for one in asked:
        index = next((number for number, line in enumerate(rows) if _name(line) == one), -1) if isinstance(one, str) else one
        if not 0 <= index < len(rows):
            raise no_column(path, one, [name for name in map(_name, rows) if name] or [f"lines 0 to {len(rows) - 1}"])
        try:
            series.append(_numbers(rows[index]) if len(rows[index]) > _KEPT_CHARACTERS else _kept_numbers(rows[index]))
        except ValueError as error:
            raise LabelFileError(f"{printable(path)}: line {index + 1}: {error}") from None
    check_columns(path, series)
    times = None if time_column is None else Times(series.pop())
    return Columns(tuple(series), (), times, width=len(rows), no_number=("",) * len(asked))


def _numbers(line: str) -> npt.NDArray[np.float64]:
    """Return the numbers of a line behind its name, NaN where one is not finite."""
    cells = line.replace(",", " ").split()
    found = np.fromiter(map(float, cells[_words(cells) :]), dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    found.flags.writeable = False
    return found


# heart rate, pulse and clock of a recording are read one after another, and share the line of times
_kept_numbers = functools.lru_cache(maxsize=4)(_numbers)


def _words(cells: Sequence[str]) -> int:
    """Return how many cells at the beginning are no numbers."""
    for count, cell in enumerate(cells):
        try:
            float(cell)
        except ValueError:
            continue
        return count
    return len(cells)


def _name(line: str) -> str:
    """Return the words that a line begins with."""
    cells = line[:_NAME_CHARACTERS].replace(",", " ").split()
    return " ".join(cells[: _words(cells)])


def _list_columns(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        return tuple(map(str, range(sum(1 for _ in zip(file, range(_MAX_SERIES), strict=False)))))


FORMAT = LabelFormat("rows", "one series a line", recognizes, read_rows, _list_columns)
