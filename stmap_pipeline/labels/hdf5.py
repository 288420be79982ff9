"""Labels in HDF5, and in MATLAB files of version 7.3, which are HDF5: data sets of one dimension, or one column of two.

A column is the path of a data set such as ``pulse`` or ``signals/ppg``, with ``[2]`` behind it for one column of several, or with the
name of a field. The sampling rate is read from an attribute of the data set or the file where it has one, as in COHFACE.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import MAX_ROWS, Column, Columns, LabelFileError, LabelFormat, check_columns, no_column
from stmap_pipeline.labels.times import Times, time_unit_of, value_unit_of

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_RATES = frozenset(
    {"sampleratehz", "samplerate", "samplingrate", "samplingratehz", "samplingfrequency", "fs", "fshz", "ratehz", "rate"}
)
_MAX_NAMES = 200
_MAX_RATE_HZ = 1e6


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file has the signature of HDF5, at its beginning or behind the header of MATLAB."""
    return head.startswith((_SIGNATURE, b"MATLAB 7.3 MAT-file"))


def read_hdf5(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    """Read columns of an HDF5 file.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileError
        Where it is damaged, has no such data set of numbers, one that is too large, or data sets of different lengths.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "data.hdf5"
    ...     with h5py.File(path, "w") as file:
    ...         file["pulse"] = [0.1, 0.5, 0.2]
    ...         file.attrs["sample-rate-hz"] = 256
    ...     read_hdf5(path, ["pulse"]).rate_hz
    256.0
    """
    asked = [*wanted] if time_column is None else [*wanted, time_column]
    try:
        with h5py.File(path, "r") as file:
            names = _names(file)
            series, rates = [], []
            for one in asked:
                name = names[one] if isinstance(one, int) and 0 <= one < len(names) else one
                if not isinstance(name, str):
                    raise no_column(path, one, names)
                found, rate_hz = _column(path, file, name, names)
                series.append(found)
                rates.append(rate_hz)
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise LabelFileError(f"{printable(path)}: is damaged, or no HDF5 ({str(error)[:100]})") from None
    check_columns(path, series)
    times = None if time_column is None else Times(series.pop(), "number", time_unit_of(str(time_column)))
    rate_hz = next((one for one in rates if one is not None), None)
    units = tuple(value_unit_of(str(one)) for one in wanted)
    return Columns(tuple(series), tuple(names), times, rate_hz, None, units, width=len(names), no_number=("",) * len(asked))


def _column(path: Path, file: Any, name: str, names: list[str]) -> tuple[npt.NDArray[np.float64], float | None]:
    """Return the numbers of a column and their sampling rate, if it is told."""
    match = re.fullmatch(r"(.+?)(?:\[(\d+)\])?", name)
    place, index = (match[1], match[2]) if match else (name, None)
    field = ""
    node = _node(file, place)
    if node is None and "/" in place.strip("/"):
        head, _, field = place.rpartition("/")
        node = _node(file, head)
        if not isinstance(node, h5py.Dataset) or field not in (node.dtype.names or ()):
            node = None
    if not isinstance(node, h5py.Dataset) or node.shape is None:
        raise no_column(path, name, names)
    what = f"{printable(path)}: {place}"
    if node.is_virtual or node.external:
        raise LabelFileError(f"{what} is kept in another file; copy it into this one")
    kind = node.dtype[field] if field else node.dtype
    if kind.kind not in "iufb" or kind.shape:
        raise LabelFileError(f"{what} holds no numbers ({kind})")
    long = [size for size in node.shape if size != 1]
    if len(long) > 2 or (len(long) == 2 and index is None):
        shape = " x ".join(map(str, node.shape))
        raise LabelFileError(f"{what} has {shape} numbers; say which of its columns, as in {place.strip('/')}[0]")
    if node.size > 4 * MAX_ROWS:
        raise LabelFileError(f"{what} holds {node.size:,} values; a label or clock of a video has fewer (limit {MAX_ROWS:,} rows)")
    values = node[field] if field else node[()]
    values = np.asarray(values, dtype=np.float64).reshape(long or [1])
    if values.ndim == 2:
        values = values if values.shape[0] >= values.shape[1] else values.T
        if int(index or 0) >= values.shape[1]:
            raise LabelFileError(f"{what} has {values.shape[1]} columns, from 0")
        values = values[:, int(index or 0)]
    return np.where(np.isfinite(values), values, np.nan), _rate_hz(node.attrs) or _rate_hz(file.attrs)


def _node(file: Any, place: str) -> Any:
    """Return what lies at a path; None where nothing does, or what leads out of the file."""
    node = file
    for part in filter(None, place.split("/")):
        if not isinstance(node, h5py.Group) or isinstance(node.get(part, getlink=True), h5py.ExternalLink):
            return None
        node = node.get(part)
    return node


def _rate_hz(attributes: Any) -> float | None:
    for name in attributes:
        if re.sub("[^a-z]", "", str(name).casefold()) in _RATES:
            value = np.asarray(attributes[name]).ravel()
            if value.size == 1 and value.dtype.kind in "iuf" and 0 < float(value[0]) <= _MAX_RATE_HZ:
                return float(value[0])
    return None


def _names(file: Any) -> list[str]:
    """Return the paths of data sets of numbers of one or two dimensions."""
    found: list[str] = []

    def add(name: str, node: Any) -> bool | None:
        if isinstance(node, h5py.Dataset) and node.shape is not None and node.dtype.kind in "iufb":
            if sum(size != 1 for size in node.shape) <= 2:
                found.append(name)
        elif isinstance(node, h5py.Dataset) and node.dtype.names:
            found.extend(f"{name}/{field}" for field in node.dtype.names)
        return True if len(found) >= _MAX_NAMES else None

    file.visititems(add)
    return [name for name in found if not name.startswith("#refs#")]


def _list_columns(path: Path) -> tuple[str, ...]:
    try:
        with h5py.File(path, "r") as file:
            return tuple(_names(file))
    except (OSError, RuntimeError, KeyError) as error:
        raise LabelFileError(f"{printable(path)}: is damaged, or no HDF5 ({str(error)[:100]})") from None


FORMAT = LabelFormat("hdf5", "HDF5, and MATLAB 7.3", recognizes, read_hdf5, _list_columns)
