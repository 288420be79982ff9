"""Read frames from an array in a MATLAB or HDF5 file, some at a time.

Files of MATLAB 7.3 are HDF5 and are read in blocks of frames. Older ones (MATLAB 5 to 7.2, as SciPy writes them) hold a compressed array
in column order, in which the first frame is spread over the whole array: it is loaded as a whole, and its size is bounded.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.errors import RecordingError

# Most bytes of an array that must be loaded as a whole. A variable of a file of MATLAB 5 cannot be larger.
MAX_ARRAY_BYTES = 2**31
# Bytes of the frames that are read at once, and of a chunk of an HDF5 file, which is decompressed as a whole.
_BLOCK_BYTES, _MAX_CHUNK_BYTES, _CHUNK_CACHE_BYTES = 2**26, 2**28, 2**26
# classes of MATLAB whose names differ from those of NumPy
_KINDS = {"single": "float32", "double": "float64"}
# whatever SciPy and h5py raise for damaged files, beside SciPy's MatReadError
_ERRORS = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, RuntimeError, OverflowError, zlib.error)
# a float that was computed from a whole number may be a little above one
_ROUNDING = 1e-6

Frame = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
_Read = Callable[[tuple[slice, ...]], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """What the header of a file says of an array of frames.

    Parameters
    ----------
    frames, width_px, height_px : int
    whole : bool
        Whether the samples are whole numbers; otherwise real ones from 0 to 1, which get 16 bits.
    bits : int
    reversed_axes : bool
        Whether the axes are color, width, height, time.
    """

    frames: int
    width_px: int
    height_px: int
    whole: bool
    bits: int
    reversed_axes: bool


def describe_array(path: Path, name: str) -> ArrayInfo:
    """Return what the header of a file says of an array of frames, which is not read.

    Raises
    ------
    RecordingError
        As in :func:`read_array_frames`, except for what only the numbers show.
    """
    with _opened(path, name) as (info, _):
        return info


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
    with _opened(path, name) as (info, read):
        frame_bytes = max(1, info.width_px * info.height_px * 3 * info.bits // 8)
        step = max(1, _BLOCK_BYTES // frame_bytes)
        for start in range(0, info.frames, step):
            times = slice(start, min(start + step, info.frames))
            block = read((slice(None), slice(None), slice(None), times) if info.reversed_axes else (times,))
            block = np.ascontiguousarray(block.transpose(3, 2, 1, 0) if info.reversed_axes else block)
            yield from block if info.whole else _whole_numbers(path, name, block)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[ArrayInfo, _Read]]:
    """Open a file and give what its header says of an array, and a function that reads slices of it."""
    try:
        with _opened_hdf5(path, name) if h5py.is_hdf5(path) else _opened_matlab5(path, name) as found:
            yield found
    except FileNotFoundError:
        raise RecordingError("decode", "source_missing", f"{path.name}: no such file") from None
    except (scipy.io.matlab.MatReadError, *_ERRORS) as error:
        what = " ".join(str(error).split())[:120] or type(error).__name__
        message = f"{path.name}: is damaged, or no file of MATLAB or HDF5 ({what})"
        raise RecordingError("decode", "source_unreadable", message) from None


@contextmanager
def _opened_hdf5(path: Path, name: str) -> Iterator[tuple[ArrayInfo, _Read]]:
    with h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES) as file:
        # a link to another file is not followed
        if isinstance(file.get(name, getlink=True), h5py.ExternalLink) or not isinstance(file.get(name), h5py.Dataset):
            raise _absent(path, name, sorted(file))
        data: Any = file[name]
        chunk_bytes = int(np.prod(data.chunks or (1,), dtype=np.float64)) * data.dtype.itemsize
        if data.is_virtual or data.external or chunk_bytes > _MAX_CHUNK_BYTES:
            what = "is stored in other files or in chunks of more than 256 MB; write it again in plain chunks"
            raise _unsupported(path, name, what)
        yield _info(path, name, data.shape, data.dtype), lambda select: np.asarray(data[select])


@contextmanager
def _opened_matlab5(path: Path, name: str) -> Iterator[tuple[ArrayInfo, _Read]]:
    listed = {found: (tuple(shape), kind) for found, shape, kind in scipy.io.whosmat(str(path))}
    if name not in listed:
        raise _absent(path, name, sorted(listed))
    shape, kind = listed[name]
    info = _info(path, name, shape, np.dtype(_KINDS.get(kind, kind if kind.startswith(("int", "uint")) else "O")))
    size = int(np.prod(shape, dtype=np.float64)) * info.bits // 8
    if size > MAX_ARRAY_BYTES:
        what = f"is {kind} {' x '.join(map(str, shape))} of {size / 2**30:.1f} GB; up to 2 GB can be read from this kind of file"
        raise _unsupported(path, name, what)

    @functools.cache
    def values() -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = scipy.io.loadmat(str(path), variable_names=[name])[name]
        if found.shape != shape:
            raise ValueError(f"{name} is not what the header says")
        return found

    yield info, lambda select: values()[select]


def _info(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ArrayInfo:
    last = len(shape) == 4 and shape[3] == 3
    if not last and not (len(shape) == 4 and shape[0] == 3):
        axes = " x ".join(map(str, shape))
        raise _unsupported(path, name, f"is {axes}; frames have the axes time, height, width, 3 or 3, width, height, time")
    if not (dtype.kind == "f" or dtype in (np.uint8, np.uint16)):
        raise _unsupported(path, name, f"holds {dtype}; frames are whole numbers of 8 or 16 bits, or real numbers from 0 to 1")
    frames, height, width = shape[:3] if last else shape[:0:-1]
    return ArrayInfo(frames, width, height, dtype.kind != "f", 8 * dtype.itemsize, not last)


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
