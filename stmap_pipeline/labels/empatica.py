r"""Empatica E4: ``HR.csv``, ``BVP.csv`` and others begin with a start time and a sampling rate, ``IBI.csv`` with a start time.

::

    1700000000.000000            1700000000.000000, IBI
    1.000000                     12.203, 0.812
    75.00                        13.015, 0.797
    75.53
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileEmptyError, LabelFileError, LabelFormat, no_column
from stmap_pipeline.labels.tables import read_table
from stmap_pipeline.labels.times import Moment, Times, unix_unit_s

_MAX_RATE_HZ = 1000.0
# no sensor of the device has such values, and the start of a session is one
_UNIX_S = 1e9


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file begins as those of an Empatica E4 do: a UNIX time, and a sampling rate or the word IBI."""
    return _head(head) is not None


def read_empatica(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    r"""Read columns of a file of an Empatica E4, with its start and its sampling rate or times.

    Column 0 of ``IBI.csv`` are the times of beats and column 1, or ``IBI``, the intervals in seconds before them. Its times are
    always read.

    Raises
    ------
    FileNotFoundError, LabelFileError
        As :func:`~stmap_pipeline.labels.tables.read_table`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "HR.csv"
    ...     _ = path.write_text("1700000000.0\n1.0\n75\n76\n")
    ...     found = read_empatica(path, [0])
    >>> found.values[0].tolist(), found.rate_hz, found.start.seconds
    ([75.0, 76.0], 1.0, 1700000000.0)
    """
    with path.open("rb") as file:
        begin = _head(file.read(4096))
    if begin is None:
        raise LabelFileEmptyError(f"{printable(path)}: begins with no start time and sampling rate")
    start_s, rate_hz = begin
    start = Moment(start_s, "unix")
    if rate_hz is not None:
        found = read_table(path, wanted, None, skip_rows + 2)
        if any((one >= _UNIX_S).any() for one in found.values):
            raise LabelFileError(f"{printable(path)}: holds the start of another session below; keep the one of this video")
        note = f"an Empatica file: its first two rows are its start and its rate, {rate_hz:g} Hz"
        return Columns(
            found.values, found.names, None, rate_hz, start, found.units, found.first_line, found.width, found.no_number, (note,)
        )
    names = ("time", "IBI")
    chosen = [1 if str(one).strip().casefold() in ("0", "1", "ibi") else one for one in wanted]
    if any(one not in (0, 1) for one in chosen):
        raise no_column(path, next(one for one in chosen if one not in (0, 1)), names)
    found = read_table(path, [*chosen, 0], None, skip_rows + 1)
    times = Times(found.values[-1], "number", 1.0)
    units = ("s",) * len(chosen)
    return Columns(found.values[:-1], names, times, None, start, units, found.first_line, 2, found.no_number[:-1])


def _head(head: bytes) -> tuple[float, float | None] | None:
    """Return start and sampling rate, None for IBI; None altogether where the file begins in another way."""
    lines = head.decode("latin-1").replace("\r", "").split("\n")
    if len(lines) < 3:
        return None
    first, second, third = ([cell.strip() for cell in re.split("[,;]", line)] for line in lines[:3])
    try:
        start_s = float(first[0])
        if unix_unit_s(np.array([start_s])) != 1.0:
            return None
        if len(first) == 2 and first[1].upper() == "IBI":
            return start_s, None
        rate_hz = float(second[0])
        same = all(cell in ("", first[0]) for cell in first) and all(cell in ("", second[0]) for cell in second)
        # UNIX times of successive rows are no start and rate
        return (start_s, rate_hz) if same and 0 < rate_hz <= _MAX_RATE_HZ and abs(float(third[0])) < start_s / 2 else None
    except ValueError:
        return None


def _list_columns(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        begin = _head(file.read(4096))
    if begin is not None and begin[1] is None:
        return ("time", "IBI")
    return tuple(map(str, range(read_table(path, [0], None, 2).width)))


FORMAT = LabelFormat("empatica", "Empatica E4", recognizes, read_empatica, _list_columns)
