r"""OpenSignals text files of BITalino and biosignalsplux: a header in JSON between comment lines, then columns.

::

    # OpenSignals Text File Format
    # {"20:15:05:29:21:00": {"column": ["nSeq", "A1"], "sensor": ["ECG"], "sampling rate": 1000, "date": "2024-05-03", "time": ...}}
    # EndOfHeader
    0    512
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileError, LabelFormat, no_column
from stmap_pipeline.labels.tables import read_table
from stmap_pipeline.labels.times import Moment, read_moment

_FIRST = b"# OpenSignals Text File Format"
_MAX_HEADER_LINES = 20
_MAX_HEADER_CHARACTERS = 65_536


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file begins as OpenSignals writes it."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(_FIRST)


def read_opensignals(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    """Read columns of an OpenSignals file, with its sampling rate and start.

    A column has the name of the header, such as ``A1``, or that of its sensor, such as ``ECG``, or a number from 0.

    Raises
    ------
    FileNotFoundError, LabelFileError
        As :func:`~stmap_pipeline.labels.tables.read_table`, and where the header is damaged.
    """
    lines, header = _header(path)
    names = tuple(map(str, header.get("column", ())))
    sensors = dict(zip(map(str, header.get("sensor", ())), map(str, header.get("label", ())), strict=False))
    if time_column is not None:
        raise LabelFileError(f"{printable(path)}: has a sampling rate in its header; leave time_column out")
    indices = []
    for one in wanted:
        name = sensors.get(str(one), one)
        if isinstance(name, str) and name not in names:
            raise no_column(path, one, (*names, *sensors))
        indices.append(names.index(name) if isinstance(name, str) else name)
    found = read_table(path, indices, None, lines + skip_rows)
    try:
        rate_hz = float(header["sampling rate"])
    except (KeyError, TypeError, ValueError):
        raise LabelFileError(f"{printable(path)}: its header has no sampling rate") from None
    start = read_moment(f"{header.get('date', '')} {header.get('time', '')}")
    return Columns(
        found.values, names, None, rate_hz, start if isinstance(start, Moment) else None, found.units, found.first_line, found.width,
        found.no_number,
    )  # fmt: skip


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return the number of lines of the header, and what it says of the first device."""
    header: Any = None
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number in range(1, _MAX_HEADER_LINES + 1):
            line = file.readline(_MAX_HEADER_CHARACTERS)
            if "EndOfHeader" in line:
                devices = list(header.values()) if isinstance(header, dict) else []
                if devices and isinstance(devices[0], dict):
                    return number, devices[0]
                break
            if line.lstrip("# ").startswith("{"):
                try:
                    header = json.loads(line.lstrip("# "))
                except (ValueError, RecursionError):
                    break
    raise LabelFileError(f"{printable(path)}: the header of OpenSignals is damaged")


def _list_columns(path: Path) -> tuple[str, ...]:
    return tuple(map(str, _header(path)[1].get("column", ())))


FORMAT = LabelFormat("opensignals", "OpenSignals (BITalino)", recognizes, read_opensignals, _list_columns)
