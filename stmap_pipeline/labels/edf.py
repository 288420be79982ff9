"""Labels in EDF, EDF+ and BDF files, read by edfio: channels with names and sampling rates, and the start of the recording."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import edfio
import numpy as np

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileError, LabelFormat, check_rows, no_column
from stmap_pipeline.labels.times import Moment, read_moment

_EDF, _BDF = b"0       ", b"\xffBIOSEMI"
# edfio reads BDF as a whole, with 4 bytes for each 3
_MAX_BDF_BYTES = 512 * 2**20
# the trigger channel of a BioSemi amplifier has its own state in the upper byte
_TRIGGER, _TRIGGER_BITS = "status", 0xFFFF


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file has the header of EDF or BDF."""
    return head.startswith(_BDF) or (head.startswith(_EDF) and head[236:244].strip().lstrip(b"-").isdigit())


def read_edf(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    """Read channels of an EDF or BDF file that have one sampling rate.

    Of the channel ``Status`` of a BDF file only the 16 trigger bits are kept.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileError
        Where it is damaged or interrupted, has no such channel, or channels of different rates.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "session.edf"
    ...     edfio.Edf([edfio.EdfSignal(np.sin(np.arange(512) / 9), 256, label="EXG1")]).write(path)
    ...     found = read_edf(path, ["EXG1"])
    >>> found.rate_hz, found.values[0].size
    (256.0, 512)
    """
    # edfio warns of a file that is cut off inside a record, and of headers that differ from the standard
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = _read(path, wanted, time_column)
    notes = dict.fromkeys(" ".join(str(one.message).split()) for one in warned)
    return replace(found, notes=tuple(notes))


def _read(path: Path, wanted: Sequence[Column], time_column: Column | None) -> Columns:
    file = _open(path)
    names = tuple(str(one.label) for one in file.signals)
    if time_column is not None:
        raise LabelFileError(f"{printable(path)}: has a sampling rate in its header; leave time_column out")
    if not file.is_continuous:
        raise LabelFileError(
            f"{printable(path)}: is interrupted (EDF+D or BDF+D), so that a row has no time; save it as a continuous file"
        )
    values, rates = [], set()
    for one in wanted:
        index = (
            one
            if isinstance(one, int)
            else next((i for i, name in enumerate(names) if name.casefold() == one.strip().casefold()), -1)
        )
        if not 0 <= index < len(names):
            raise no_column(path, one, names)
        signal = file.signals[index]
        check_rows(path, signal.samples_per_data_record * file.num_data_records)
        trigger = isinstance(file, edfio.Bdf) and names[index].casefold() == _TRIGGER
        try:
            samples = np.asarray(signal.digital & _TRIGGER_BITS if trigger else signal.data, dtype=np.float64)
        except (ValueError, OSError, ArithmeticError) as error:
            raise LabelFileError(f"{printable(path)}: channel {names[index]} is damaged ({str(error)[:100]})") from None
        values.append(np.where(np.isfinite(samples), samples, np.nan))
        rates.add(float(signal.sampling_frequency))
    if len(rates) > 1:
        raise LabelFileError(
            f"{printable(path)}: its channels have {' and '.join(f'{one:g}' for one in sorted(rates))} Hz; they must have one rate"
        )
    return Columns(tuple(values), names, None, rates.pop(), _start(file), width=len(names), no_number=("",) * len(values))


def _open(path: Path) -> Any:
    with path.open("rb") as raw:
        bdf = raw.read(8) == _BDF
    try:
        if not bdf:
            return edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
        if path.stat().st_size > _MAX_BDF_BYTES:
            raise LabelFileError(
                f"{printable(path)}: is larger than {_MAX_BDF_BYTES // 2**20} MB; export the channel of the label alone"
            )
        return edfio.read_bdf(path, header_encoding="latin-1")
    except LabelFileError:
        raise
    except (ValueError, OSError, ArithmeticError, KeyError, IndexError, TypeError) as error:
        raise LabelFileError(f"{printable(path)}: is damaged, or no EDF file ({str(error)[:100]})") from None


def _start(file: Any) -> Moment | None:
    try:
        return read_moment(str(file.startdatetime))
    except (ValueError, AttributeError):  # an anonymized date is none
        return None


def _list_columns(path: Path) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reading says what they say
        return tuple(str(one.label) for one in _open(path).signals)


FORMAT = LabelFormat("edf", "EDF, EDF+ and BDF", recognizes, read_edf, _list_columns)
