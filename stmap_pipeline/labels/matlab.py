"""Labels in MATLAB files up to version 7, read by SciPy: vectors, or fields of structures such as ``Res/HRV/Data/RR`` of Kubios.

Files of version 7.3 are HDF5; see :mod:`.hdf5`.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import MAX_ROWS, Column, Columns, LabelFileError, LabelFormat, check_columns, no_column
from stmap_pipeline.labels.times import Times, time_unit_of, value_unit_of

# whatever SciPy raises for damaged files, beside its MatReadError
_ERRORS = (ValueError, TypeError, OSError, KeyError, IndexError, NotImplementedError, zlib.error)
_HEADER_BYTES = 128
_COMPRESSED = 15
# a structure says nothing of the size of its fields
_MAX_STRUCTURES_BYTES = 256 * 2**20
_NUMBERS = frozenset({"double", "single", "logical", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
_MAX_NAMES, _MAX_DEPTH = 200, 10


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file has the header of MATLAB 5 to 7."""
    return head.startswith(b"MATLAB 5.0 MAT-file") or (
        head.startswith(b"MATLAB") and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")
    )


def read_matlab(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    """Read columns of a MATLAB file; of its variables only those that are asked for are loaded.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileError
        Where it is damaged, has no such vector, one that is too large, or vectors of different lengths.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.io import savemat
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "p1_0.mat"
    ...     savemat(path, {"GT_ppg": [[0.1, 0.5, 0.2]], "light": "LED-low"})
    ...     read_matlab(path, ["GT_ppg"]).values
    (array([0.1, 0.5, 0.2]),)
    """
    asked = [*wanted] if time_column is None else [*wanted, time_column]
    names = _list_columns(path)
    series = []
    for one in asked:
        name = names[one] if isinstance(one, int) and 0 <= one < len(names) else one
        found = _vector(path, name) if isinstance(name, str) else None
        if found is None:
            raise no_column(path, one, names)
        series.append(found)
    check_columns(path, series)
    times = None if time_column is None else Times(series.pop(), "number", time_unit_of(str(time_column)))
    units = tuple(value_unit_of(str(one)) for one in wanted)
    return Columns(tuple(series), names, times, units=units, width=len(names), no_number=("",) * len(asked))


def _vector(path: Path, name: str) -> npt.NDArray[np.float64] | None:
    """Return the numbers of a variable or field; None where there is none of this name."""
    match = re.fullmatch(r"(.+?)(?:\[(\d+)\])?", name)
    place, index = (match[1], match[2]) if match else (name, None)
    variable, *fields = re.split("[/.]", place.strip("/"))
    known = {one: (shape, kind) for one, shape, kind in _variables(path)}
    if variable not in known:
        return None
    node = _load(path, variable, *known[variable])
    for field in fields:
        if not isinstance(node, dict) or field not in node:
            return None
        node = node[field]
    if isinstance(node, str | bytes | dict) or node is None:
        return None
    values = np.asarray(node)
    if values.dtype.kind not in "iufb":
        return None
    values = np.squeeze(values).astype(np.float64)
    if values.ndim > 2 or (values.ndim == 2 and index is None):
        shape = " x ".join(map(str, values.shape))
        raise LabelFileError(f"{printable(path)}: {place} has {shape} numbers; say which of its columns, as in {place}[0]")
    if values.ndim == 2:
        values = values if values.shape[0] >= values.shape[1] else values.T
        if int(index or 0) >= values.shape[1]:
            raise LabelFileError(f"{printable(path)}: {place} has {values.shape[1]} columns, from 0")
        values = values[:, int(index or 0)]
    return np.where(np.isfinite(values), values, np.nan).reshape(-1)


def _load(path: Path, variable: str, shape: tuple[int, ...], kind: str) -> Any:
    if kind in _NUMBERS:
        if math.prod(shape) > 4 * MAX_ROWS:
            raise LabelFileError(
                f"{printable(path)}: {variable} holds {math.prod(shape):,} numbers; a label or clock of a video has fewer"
            )
    elif _unpacked_bytes(path, _MAX_STRUCTURES_BYTES) > _MAX_STRUCTURES_BYTES:
        raise LabelFileError(
            f"{printable(path)}: holds more than {_MAX_STRUCTURES_BYTES // 2**20} MB; save the label as a variable of its own"
        )
    try:
        return scipy.io.loadmat(path, variable_names=[variable], simplify_cells=True)[variable]
    except (scipy.io.matlab.MatReadError, *_ERRORS) as error:
        raise LabelFileError(f"{printable(path)}: {variable} is damaged ({str(error)[:100]})") from None


def _variables(path: Path) -> list[tuple[str, tuple[int, ...], str]]:
    try:
        return list(scipy.io.whosmat(path))
    except FileNotFoundError:
        raise
    except (scipy.io.matlab.MatReadError, *_ERRORS) as error:
        raise LabelFileError(f"{printable(path)}: is damaged, or no MATLAB file ({str(error)[:100]})") from None


def _unpacked_bytes(path: Path, limit: int) -> int:
    """Count the bytes of a file when unpacked, without keeping them; a little more than the limit where there are more."""
    total = 0
    with path.open("rb") as file:
        order = "little" if file.read(_HEADER_BYTES)[-2:] == b"IM" else "big"
        while total <= limit and len(tag := file.read(8)) == 8:
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)  # type: ignore[arg-type]
            if kind != _COMPRESSED:
                total += size
                file.seek(size, 1)
                continue
            unpacker = zlib.decompressobj()
            while size > 0 and total <= limit and (block := file.read(min(size, 2**16))):
                size -= len(block)
                while block and total <= limit:
                    try:
                        total += len(unpacker.decompress(block, 2**20))
                    except zlib.error:
                        return total
                    block = unpacker.unconsumed_tail
    return total


def _list_columns(path: Path) -> tuple[str, ...]:
    found: list[str] = []
    for name, shape, kind in _variables(path):
        if kind in _NUMBERS and sum(size != 1 for size in shape) <= 2:
            found.append(name)
        elif kind == "struct" and _unpacked_bytes(path, _MAX_STRUCTURES_BYTES) <= _MAX_STRUCTURES_BYTES:
            found.extend(islice(_fields(name, _load(path, name, shape, kind), 0), _MAX_NAMES))
    return tuple(found[:_MAX_NAMES])


def _fields(place: str, node: Any, depth: int) -> Iterator[str]:
    if isinstance(node, dict) and depth < _MAX_DEPTH:
        for name, value in node.items():
            yield from _fields(f"{place}/{name}", value, depth + 1)
    elif isinstance(node, np.ndarray) and node.dtype.kind in "iufb" and node.ndim <= 2:
        yield place


FORMAT = LabelFormat("matlab", "MATLAB up to version 7", recognizes, read_matlab, _list_columns)
