"""Read frames from an array in a MATLAB or HDF5 file, some at a time.

Files of MATLAB 7.3 are HDF5 and are read in blocks of frames. Older ones (MATLAB 5 to 7.2, as SciPy writes them) hold a compressed array
in column order, in which the first frame is spread over the whole array: it is loaded as a whole, and its size is bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import scipy.io
from scipy.io.matlab import MatReadError

from stmap_pipeline.errors import RecordingError

# Most bytes of an array that must be loaded as a whole. A variable of a file of MATLAB 5 cannot be larger.
MAX_ARRAY_BYTES = 2**31
# Bytes of the frames that are read at once, and of a chunk of an HDF5 file, which is decompressed as a whole.
_BLOCK_BYTES, _MAX_CHUNK_BYTES, _CHUNK_CACHE_BYTES = 2**26, 2**28, 2**26
_ITEM_BYTES = {"uint8": 1, "uint16": 2, "single": 4, "double": 8}
# whatever SciPy raises for damaged files
_SCIPY_ERRORS = (
    MatReadError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    OverflowError,
    zlib.error,
)
# a float that was computed from a whole number may be a little above one
_ROUNDING = 1e-6

Frame = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def read_array_frames(path: Path, name: str) -> Iterator[Frame]:
    """Yield the frames of an array, in order.

    The axes are time, height, width, color, or the other way round (color, width, height, time), as MATLAB and HDF5 order them. Whole
    numbers of 8 and 16 bits are taken as they are; real numbers are from 0 to 1 and get 16 bits, which changes them by 0.002 gray
    levels of 255 at most.

    Parameters
    ----------
    path : Path
    name : str
        Of the array in the file.

    Yields
    ------
    (H, W, 3) array of uint8 or uint16
        Red, green, blue.

    Raises
    ------
    RecordingError
        ``source_missing``, ``source_unreadable``, ``no_video_stream`` where the file has no such array, or ``unsupported_format`` where
        the array has other axes or numbers, or is too large.
    """
    try:
        opened = h5py.is_hdf5(path)
    except OSError as error:
        raise RecordingError("decode", "source_unreadable", f"{path.name}: cannot be read ({error.strerror})") from None
    yield from _read_hdf5(path, name) if opened else _read_matlab5(path, name)


def _read_hdf5(path: Path, name: str) -> Iterator[Frame]:
    try:
        with h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES) as file:
            # a link to another file is not followed
            if isinstance(file.get(name, getlink=True), h5py.ExternalLink) or not isinstance(file.get(name), h5py.Dataset):
                raise _absent(path, name, sorted(file))
            data: Any = file[name]
            chunk_bytes = int(np.prod(data.chunks or (1,), dtype=np.float64)) * data.dtype.itemsize
            if data.is_virtual or data.external or chunk_bytes > _MAX_CHUNK_BYTES:
                raise _unsupported(
                    path, name, "is stored in other files or in chunks of more than 256 MB; write it again in plain chunks"
                )
            yield from _frames(path, name, data.shape, data.dtype, lambda select: np.asarray(data[select]))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _damaged(path, error) from None


def _read_matlab5(path: Path, name: str) -> Iterator[Frame]:
    try:
        listed = {found: (shape, kind) for found, shape, kind in scipy.io.whosmat(str(path))}
        if name not in listed:
            raise _absent(path, name, sorted(listed))
        shape, kind = listed[name]
        size = int(np.prod(shape, dtype=np.float64)) * _ITEM_BYTES.get(kind, 1)
        if kind not in _ITEM_BYTES or size > MAX_ARRAY_BYTES:
            what = f"{kind} {' x '.join(map(str, shape))}"
            raise _unsupported(
                path, name, f"is {what} of {size / 2**30:.1f} GB; numbers of up to 2 GB can be read from this kind of file"
            )
        values = scipy.io.loadmat(str(path), variable_names=[name])[name]
    except FileNotFoundError:
        raise RecordingError("decode", "source_missing", f"{path.name}: no such file") from None
    except (*_SCIPY_ERRORS, OSError) as error:
        raise _damaged(path, error) from None
    if values.shape != tuple(shape):
        raise _damaged(path, ValueError(f"{name} is not what the header says"))
    yield from _frames(path, name, values.shape, values.dtype, lambda select: values[select])


def _frames(
    path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[tuple[slice, ...]], npt.NDArray[Any]]
) -> Iterator[Frame]:
    """Yield frames of a four-dimensional array that ``read`` reads slices of."""
    last = len(shape) == 4 and shape[3] == 3
    if not last and not (len(shape) == 4 and shape[0] == 3):
        axes = " x ".join(map(str, shape))
        raise _unsupported(path, name, f"is {axes}; frames have the axes time, height, width, 3 or 3, width, height, time")
    if not (dtype.kind == "f" or dtype in (np.uint8, np.uint16)):
        raise _unsupported(path, name, f"holds {dtype}; frames are whole numbers of 8 or 16 bits, or real numbers from 0 to 1")
    count = shape[0] if last else shape[3]
    step = max(1, _BLOCK_BYTES // max(1, int(np.prod(shape, dtype=np.float64)) // max(count, 1) * dtype.itemsize))
    for start in range(0, count, step):
        times = slice(start, min(start + step, count))
        block = read((times,) if last else (slice(None), slice(None), slice(None), times))
        block = np.ascontiguousarray(block if last else block.transpose(3, 2, 1, 0))
        yield from _whole_numbers(path, name, block) if dtype.kind == "f" else block


def _whole_numbers(path: Path, name: str, block: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    low, high = float(block.min(initial=0.0)), float(block.max(initial=0.0))
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise _unsupported(path, name, f"holds real numbers from {low:.3g} to {high:.3g}; frames of real numbers are from 0 to 1")
    return np.asarray(np.rint(np.clip(block, 0.0, 1.0) * np.asarray(65535, block.dtype)), dtype=np.uint16)


def _absent(path: Path, name: str, names: list[str]) -> RecordingError:
    found = ", ".join(names[:6]) or "nothing"
    return RecordingError("decode", "no_video_stream", f"{path.name}: holds no array {name!r}, but {found}")


def _unsupported(path: Path, name: str, what: str) -> RecordingError:
    return RecordingError("decode", "unsupported_format", f"{path.name}: {name} {what}")


def _damaged(path: Path, error: Exception) -> RecordingError:
    what = " ".join(str(error).split())[:120] or type(error).__name__
    return RecordingError("decode", "source_unreadable", f"{path.name}: is damaged, or no file of MATLAB or HDF5 ({what})")
