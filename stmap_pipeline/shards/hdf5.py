"""Read and write HDF5: the same content gives the same bytes, and a file of unknown origin is checked before it is read."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ShardError

# Shuffle and deflate leave 59 % of the bytes (lzf: 67 %) and can be read by every HDF5 library, MATLAB's included, which
# lzf cannot. A cold slice of 300 frames then takes 0.34 ms instead of 0.09 ms, a warm one 0.02 ms either way; chunks of
# 300 and more frames read slower and save under 1 %. Higher deflate levels save 2 % more.
COMPRESSION = "gzip"
COMPRESSION_LEVEL = 1
CHUNK_FRAMES = 150
CHUNK_SAMPLES = 8192

#: No dataset of a shard is larger; a file that claims so is refused before memory is asked for.
MAX_DATASET_BYTES = 2**31
MAX_CHUNK_BYTES = 2**26
#: An attribute lies in its object's header, which has room for 64 KiB.
MAX_TEXT_BYTES = 60_000

# attributes stay in the object's header up to this number: beyond it HDF5 spends pages on an index
_COMPACT_ATTRIBUTES = 64
# deflate packs 1032 bytes into one at best; samples that were never written take none at all
_MAX_RATIO = 1100
_OWN_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32}


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One dataset of a recording.

    Parameters
    ----------
    name : str
    dtype : str
        Stored type, byte order included.
    dims : tuple of str
        Label of each axis, stored as attribute ``dims``; equal labels have equal lengths.
    unit : str
        Stored as attribute ``units``.
    description : str
        Stored as attribute ``description``.
    optional : bool
        Whether a recording may lack it.
    scale : bool
        Whether the stored integer times the attribute ``scale`` gives the unit.

    Examples
    --------
    >>> DatasetSpec("times_s", "<f8", ("frame",), "s", "time of each frame").unit
    's'
    """

    name: str
    dtype: str
    dims: tuple[str, ...]
    unit: str
    description: str
    optional: bool = False
    scale: bool = False


class _FirstErrorFile:
    """A file that HDF5 writes through, which keeps the first error for its caller, so that a full disk is one clear error.

    After a failed write HDF5 can close none of its objects and prints an error for each, or crashes the process. So writing continues
    in memory.
    """

    def __init__(self, path: Path) -> None:
        self._file: Any = path.open("xb+", buffering=0)
        # its numbers alone: with its traceback it would keep HDF5's own objects alive until they crash at exit
        self.failure: tuple[int, str] | None = None

    def write(self, data: Any) -> int:
        start, left = self._file.tell(), memoryview(data).cast("B")
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._continue_in_memory(error)
            self._file.seek(start)
            self._file.write(data)
        return len(data)

    def truncate(self, size: int) -> int:
        try:
            self._file.truncate(size)
        except OSError as error:
            self._continue_in_memory(error)
            self._file.truncate(size)
        return size

    def _continue_in_memory(self, error: OSError) -> None:
        self.failure = error.errno or 0, error.strerror or str(error)
        self._file.seek(0)
        memory = io.BytesIO(self._file.read())
        self._file.close()
        self._file = memory

    def readinto(self, buffer: Any) -> int:
        return int(self._file.readinto(buffer))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def flush(self) -> None:
        """Do nothing: the file has no buffer."""

    def close(self) -> None:
        self._file.close()


@contextlib.contextmanager
def create_file(path: Path) -> Iterator[Any]:
    """Create an HDF5 file of a fixed format (1.10: checksums over all metadata) without any time in it.

    The high-level call gained a switch for the times of groups only lately, hence the property lists.

    Raises
    ------
    OSError
        The system's own, where the file cannot be written.
    """
    create, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    create.set_obj_track_times(False)
    create.set_attr_phase_change(_COMPACT_ATTRIBUTES, 0)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    with contextlib.closing(_FirstErrorFile(path)) as target:
        access.set_fileobj_driver(h5py.h5fd.fileobj_driver, target)
        file = h5py.File(h5py.h5f.create(b"shard", h5py.h5f.ACC_TRUNC, fcpl=create, fapl=access))
        del create, access
        try:
            yield file
        finally:
            file.close()
            if target.failure is not None:
                raise OSError(*target.failure)


def create_dataset(group: Any, spec: DatasetSpec, values: npt.NDArray[Any], scale: float | None) -> None:
    """Write one dataset with its units, axis labels and, where it is quantized, its scale."""
    data = np.ascontiguousarray(values, dtype=spec.dtype)
    layout: dict[str, Any] = {}
    if data.size:  # an empty dataset can have neither chunks nor filters
        rows = min(CHUNK_FRAMES if data.ndim > 1 else CHUNK_SAMPLES, len(data))
        layout = {
            "chunks": (rows, *data.shape[1:]),
            "shuffle": True,
            "compression": COMPRESSION,
            "compression_opts": COMPRESSION_LEVEL,
            "fletcher32": True,
        }
    dataset = group.create_dataset(spec.name, data=data, track_times=False, **layout)
    write_attributes(dataset, {"units": spec.unit, "dims": ",".join(spec.dims), "description": spec.description})
    if scale is not None:
        write_attributes(dataset, {"scale": scale})
    # its samples get their place in the file when it is closed, and a profiler (Dask's workers have one) that holds a frame of this would
    # put that off: other bytes for the same recording
    dataset.id.close()


def write_attributes(item: Any, attributes: Mapping[str, str | int | float]) -> None:
    """Write scalar attributes in fixed widths, texts as UTF-8 of their own length.

    The usual texts of variable length (and the axis labels of HDF5, which are made of them) lie in a heap without
    checksum, and a single wrong bit there can send the library into an endless loop. What is written here lies in the
    object's header, whose checksum is verified before anything else of it is used.

    Raises
    ------
    ValueError
        Where a text is too long for a header.
    """
    for name, value in attributes.items():
        if isinstance(value, str):
            encoded = value.encode()
            if len(encoded) > MAX_TEXT_BYTES:
                raise ValueError(f"{item.name}: {name} has {len(encoded)} bytes; at most {MAX_TEXT_BYTES} can be stored")
            # an empty text is one NUL: HDF5 has no type of width 0
            item.attrs.create(name, np.bytes_(encoded), dtype=h5py.string_dtype("utf-8", max(len(encoded), 1)))
        else:
            item.attrs[name] = np.int64(value) if isinstance(value, int) else np.float64(value)


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn whatever the HDF5 library or a broken content raises into a :class:`ShardError` that names the file.

    Examples
    --------
    >>> with guarded(Path("p001.h5")):
    ...     raise OSError("bad checksum")
    Traceback (most recent call last):
    stmap_pipeline.errors.ShardError: p001.h5: is damaged or no shard (bad checksum); build it again or restore a copy
    """
    try:
        yield
    except ShardError:
        raise
    except FileNotFoundError:
        raise ShardError(f"{path}: is not there; build it again or restore a copy") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise ShardError(f"{path}: is damaged or no shard ({error}); build it again or restore a copy") from error


def open_file(path: Path) -> Any:
    """Open for reading. Locks are not taken: a final file never changes, and many network file systems have none."""
    if not path.is_file():
        raise FileNotFoundError(path)
    return h5py.File(path, "r", locking=False, rdcc_nbytes=2**20)


def child(group: Any, name: str, kind: type) -> Any:
    """Open a member that lies in this very file; links that lead elsewhere are refused without being followed."""
    encoded = name.encode()
    if not group.id.links.exists(encoded):
        raise ShardError(f"{group.file.filename}: {group.name} lacks {name}; build it again or restore a copy")
    if group.id.links.get_info(encoded).type != h5py.h5l.TYPE_HARD:
        raise ShardError(f"{group.file.filename}: {group.name}/{name} is a link that leads elsewhere; a shard holds none")
    # the name is resolved once, without the detours of group[name]
    opened = h5py.h5o.open(group.id, encoded)
    if not isinstance(opened, h5py.h5d.DatasetID if kind is h5py.Dataset else h5py.h5g.GroupID):
        what = type(opened).__name__.removesuffix("ID")
        raise ShardError(f"{group.file.filename}: {group.name}/{name} is a {what}, not a {kind.__name__}")
    return kind(opened)


def checked_dataset(group: Any, spec: DatasetSpec, sizes: dict[str, int]) -> Any:
    """Open a dataset whose type, shape, size and storage are those of the schema; no sample is read.

    Parameters
    ----------
    group : h5py.Group
    spec : DatasetSpec
    sizes : dict of str to int
        Lengths of the axes that are known; those that this dataset tells are added.
    """
    dataset = child(group, spec.name, h5py.Dataset)
    shape, dtype, plist = dataset.id.shape or (), dataset.id.dtype, dataset.id.get_create_plist()
    if dtype != np.dtype(spec.dtype) or len(shape) != len(spec.dims):
        raise ShardError(f"{_where(dataset)} has type {dtype} and shape {shape}, not {spec.dtype} ({', '.join(spec.dims)})")
    for label, length in zip(spec.dims, shape, strict=True):
        if sizes.setdefault(label, length) != length:
            raise ShardError(f"{_where(dataset)} has {length} entries along {label!r}, not {sizes[label]}")
    filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count() or not filters <= _OWN_FILTERS:
        raise ShardError(f"{_where(dataset)} is stored outside the file or by a foreign filter; a shard holds plain samples")
    # in Python's own integers: what a damaged file claims may pass any fixed width
    chunk = plist.get_chunk() if plist.get_layout() == h5py.h5d.CHUNKED else (0,)
    if math.prod(shape) * dtype.itemsize > MAX_DATASET_BYTES or math.prod(chunk) * dtype.itemsize > MAX_CHUNK_BYTES:
        raise ShardError(f"{_where(dataset)} claims a shape of {shape} in chunks of {chunk}; this is too large to be true")
    if math.prod(shape) * dtype.itemsize > _MAX_RATIO * dataset.id.get_storage_size():
        raise ShardError(
            f"{_where(dataset)} claims a shape of {shape}, which its {dataset.id.get_storage_size()} bytes cannot hold"
        )
    return dataset


def read_all(dataset: Any) -> npt.NDArray[Any]:
    """Read a checked dataset as a whole, at half the cost that indexing has for small ones."""
    values = np.empty(dataset.id.shape, dataset.id.dtype)
    if values.size:
        dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _where(item: Any) -> str:
    # only for messages: to ask for both names takes as long as to read a dataset
    return f"{item.file.filename}: {item.name}"


def attribute(item: Any, name: str, kind: str) -> str | int | float:
    """Read one scalar attribute of the expected kind: ``str``, ``int`` or ``float``."""
    if not h5py.h5a.exists(item.id, name.encode()):
        raise ShardError(f"{_where(item)} lacks the attribute {name}; build it again or restore a copy")
    handle = h5py.h5a.open(item.id, name.encode())
    stored = handle.get_type()
    expected = {"str": h5py.h5t.TypeStringID, "int": h5py.h5t.TypeIntegerID, "float": h5py.h5t.TypeFloatID}[kind]
    if handle.shape != () or not isinstance(stored, expected) or (kind == "str" and stored.is_variable_str()):
        raise ShardError(f"{_where(item)}: the attribute {name} is no single {kind} of fixed width")
    # at a fourth of the cost of item.attrs[name]
    read = np.empty((), handle.dtype)
    handle.read(read)
    value = read[()]
    if kind == "str":
        return bytes(value).decode() if isinstance(value, bytes) else str(value)
    return int(value) if kind == "int" else float(value)
