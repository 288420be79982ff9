"""Text reports of Kubios HRV: results first, and far below them the RR intervals of each sample.

::

    RR INTERVAL DATA and SPECTRUM ESTIMATES
    ,SAMPLE 1,,,
    ,RR data,,FFT spectrum,
    ,Time,RR interval,Frequency,PSD
    ,(s),(s),(Hz),(s^2/Hz)
    ,0.812,0.812,0.0000,0.0021

The layout is that which public readers and writers of these reports know (PALMS, and scripts in R and Perl). A MATLAB file of Kubios has the
same intervals as ``Res/HRV/Data/RR`` and is read as MATLAB.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileError, LabelFormat, no_column
from stmap_pipeline.labels.tables import line_blocks, read_table
from stmap_pipeline.labels.times import Times

_SECTION = "RR INTERVAL DATA"
_NAMES = ("Time", "RR")
_LINES_BELOW, _SEPARATORS = 12, re.compile(r"[,;\t]")


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file begins as a report of Kubios HRV."""
    return re.match(rb"[\s\",;]*kubios hrv", head.removeprefix(b"\xef\xbb\xbf"), re.I) is not None


def read_kubios(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    """Read the RR intervals of a report, column ``RR`` or 1, with the times of their beats, column ``Time`` or 0.

    The times are always read; they count from the start of the measurement.

    Raises
    ------
    FileNotFoundError, LabelFileError
        As :func:`~stmap_pipeline.labels.tables.read_table`, and where the report holds no intervals or those of several samples.
    """
    line, columns = _section(path)
    places = {"time": columns[0], "0": columns[0], "rr": columns[1], "rr interval": columns[1], "1": columns[1]}
    asked = [str(one).strip().casefold() for one in wanted]
    # a label without a column has column 0, and the intervals are the only values
    asked = ["rr" if one == "0" and len(asked) == 1 else one for one in asked]
    if any(one not in places for one in asked):
        raise no_column(path, next(one for one, key in zip(wanted, asked, strict=True) if key not in places), _NAMES)
    found = read_table(path, [*(places[one] for one in asked), columns[0]], None, max(line, skip_rows))
    # the spectrum beside them may have more rows
    rows = int(np.max(np.flatnonzero(np.isfinite(found.values[-1])), initial=-1)) + 1
    values = tuple(one[:rows] for one in found.values)
    return replace(
        found, values=values[:-1], names=_NAMES, times=Times(values[-1], "number", 1.0), units=("s",) * len(asked), width=2,
        no_number=(*found.no_number[:-1], ""),
    )  # fmt: skip


def _section(path: Path) -> tuple[int, tuple[int, int]]:
    """Return the number of lines above the first interval, and the columns of times and intervals."""
    number, below = 0, [""] * 0
    first = -1
    for block in line_blocks(path):
        for line in block:
            number += 1
            if first < 0 and line.strip(' ,;\t"').upper().startswith(_SECTION):
                first = number
            elif first >= 0 and len(below) < _LINES_BELOW:
                below.append(line)
    if first < 0:
        raise LabelFileError(
            f"{printable(path)}: is a report of Kubios without the section {_SECTION!r}; export the intervals with it"
        )
    for index, line in enumerate(below):
        cells = [cell.strip().strip('"').casefold() for cell in _SEPARATORS.split(line)]
        times = [place for place, cell in enumerate(cells) if cell.startswith("time")]
        intervals = [place for place, cell in enumerate(cells) if cell.startswith("rr")]
        if times and intervals:
            if len(intervals) > 1:
                raise LabelFileError(
                    f"{printable(path)}: holds the intervals of {len(intervals)} samples; export the one of this video alone"
                )
            units = index + 1 < len(below) and not re.search(r"\d", below[index + 1])
            return first + index + 1 + units, (times[0], intervals[0])
    raise LabelFileError(f"{printable(path)}: its section {_SECTION!r} has no columns 'Time' and 'RR interval'")


def _list_columns(path: Path) -> tuple[str, ...]:
    _section(path)
    return _NAMES


FORMAT = LabelFormat("kubios", "Kubios HRV report", recognizes, read_kubios, _list_columns)
