"""Text files of LabChart (ADInstruments): a header of ``Key=`` lines, then columns between tabs.

::

    Interval=       0.001 s
    ExcelDateTime=  4.5415416666666664e+004  03/05/2024 10:00:00.000
    ChannelTitle=   ECG     Pulse
    Range=          10.000 mV  5.000 V
    0               0.1234  1.2345

The first column may hold times from the start of the block, and comments (``#1 start``) may stand behind the channels. The keys and units
are those of a public reader (physiopy, ``phys2bids``), which follows the manufacturer's description.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileError, LabelFormat, no_column
from stmap_pipeline.labels.tables import line_blocks, read_table
from stmap_pipeline.labels.times import Moment

_INTERVAL = re.compile(r"([0-9.,e+-]+)\s*(hr|min|s|ms|us|µs|μs)", re.I)
_UNITS_S = {"hr": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
_KEY = re.compile(r"([A-Za-z ]+)=\s*(.*)")
_BLOCK = "Interval="
_MAX_HEADER_LINES = 100
# number of 1970-01-01 among the days of a spreadsheet
_UNIX_DAY, _DAY_S = 25_569.0, 86_400.0


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file begins as LabChart writes it."""
    return re.match(rb"\s*Interval=\s*[0-9]", head.removeprefix(b"\xef\xbb\xbf")) is not None and b"ChannelTitle=" in head


def read_labchart(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    """Read channels of a LabChart file, with their sampling rate and start.

    A column is the title of a channel, or the number of a column of the file from 0, where the times count, too.

    Raises
    ------
    FileNotFoundError, LabelFileError
        As :func:`~stmap_pipeline.labels.tables.read_table`, and where the header is damaged or the file has several blocks.
    """
    lines, header = _header(path)
    if skip_rows:  # whoever counts lines knows them
        return read_table(path, wanted, time_column, max(skip_rows, lines))
    names = _names(path, lines, header)
    asked = [*wanted] if time_column is None else [*wanted, time_column]
    indices = [_index(path, one, names) for one in asked]
    times = None if time_column is None else indices.pop()
    found = read_table(path, indices, times, lines, delimiter="\t")
    rate_hz = None if times is not None else 1.0 / _interval_s(path, header)
    return Columns(
        found.values, names, found.times, rate_hz, None if times is not None else _start(header), found.units, found.first_line,
        found.width, found.no_number, found.notes,
    )  # fmt: skip


def _header(path: Path) -> tuple[int, dict[str, str]]:
    """Return the number of lines of the header, and its values."""
    header: dict[str, str] = {}
    lines = blocks = 0
    for number, block in enumerate(line_blocks(path)):
        if not number:
            matches = [_KEY.match(line) for line in block[:_MAX_HEADER_LINES]]
            lines = next((index for index, match in enumerate(matches) if match is None), len(matches))
            header = {match[1].strip().casefold(): match[2] for match in matches[:lines] if match}
        blocks += sum(line.startswith(_BLOCK) for line in block)
    if blocks > 1:
        raise LabelFileError(
            f"{printable(path)}: has {blocks} blocks, each with times of its own; export the block of this video alone"
        )
    return lines, header


def _names(path: Path, lines: int, header: dict[str, str]) -> tuple[str, ...]:
    titles = tuple(title.strip() for title in header.get("channeltitle", "").split("\t"))
    width = read_table(path, [], None, lines, delimiter="\t").width
    return ("Time", *titles) if width > len(titles) else titles


def _index(path: Path, column: Column, names: Sequence[str]) -> int:
    same = [i for i, name in enumerate(names) if name.casefold() == str(column).strip().casefold()]
    index = column if isinstance(column, int) else same[0] if len(same) == 1 else -1
    if not 0 <= index < len(names):
        raise no_column(path, column, names)
    return index


def _interval_s(path: Path, header: dict[str, str]) -> float:
    match = _INTERVAL.fullmatch(header.get("interval", "").strip())
    try:
        interval_s = float(match[1].replace(",", ".")) * _UNITS_S[match[2].lower()] if match else 0.0
    except ValueError:
        interval_s = 0.0
    if not 0 < interval_s < _DAY_S:
        raise LabelFileError(f"{printable(path)}: its header says no interval between samples, such as 'Interval= 0.001 s'")
    return interval_s


def _start(header: dict[str, str]) -> Moment | None:
    """Return when the block began: the days of a spreadsheet, in the time zone of the computer."""
    try:
        seconds = (float(header.get("exceldatetime", "").split()[0].replace(",", ".")) - _UNIX_DAY) * _DAY_S
    except (ValueError, IndexError):
        return None
    return Moment(round(seconds, 3), "local", round(seconds, 3) % _DAY_S)


def _list_columns(path: Path) -> tuple[str, ...]:
    return _names(path, *_header(path))


FORMAT = LabelFormat("labchart", "LabChart text", recognizes, read_labchart, _list_columns)
