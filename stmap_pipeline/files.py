"""Read files with a bound on their size; write files and folders atomically: temporary name beside the final one, flush, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import socket
import stat
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path

from stmap_pipeline.errors import OutputError

_MARK = ".stmap-tmp"
_SMALLEST_COPY_BYTES, _END_BYTES = 1024, 65_536
# Windows: access denied, sharing violation, lock violation
_IN_USE = {5, 32, 33}
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _PATIENCE_S = 0.01, 0.5, 5.0


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read a whole regular file.

    A named pipe or a device, which could block or never end, is refused without being read.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Largest file that is read.

    Raises
    ------
    OSError
        Where the file is missing, not a regular file, larger than ``max_bytes``, or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "times.txt"
    ...     _ = path.write_bytes(b"0.00 0.04")
    ...     print(read_bytes(path, 9))
    ...     read_bytes(path, 8)
    Traceback (most recent call last):
    OSError: [Errno 27] is larger than 8 bytes: ...
    """
    with _open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"is larger than {max_bytes:,} bytes", str(path))
    return data


def sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file in hex, in constant memory.

    Raises
    ------
    OSError
        Where the file is missing, not a regular file, or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "times.txt"
    ...     _ = path.write_bytes(b"0.00 0.04")
    ...     sha256(path)[:12]
    '4e2825b62f22'
    """
    with _open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_copies(paths: Sequence[Path]) -> dict[int, int]:
    """Return which files, or folders of files, have the content of an earlier one.

    Sizes are compared first, then the two ends, then a hash of the whole: only what is most likely a copy is read in full. What is
    missing, unreadable or shorter than a kilobyte (no video is) counts as different from all others.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    dict of int to int
        Index of each copy -> index of the first path with that content.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     paths = [Path(name) / f"{number}.avi" for number in range(3)]
    ...     _ = [path.write_bytes(byte * 2000) for path, byte in zip(paths, (b"a", b"b", b"a"), strict=True)]
    ...     first_copies(paths)
    {2: 0}
    """
    groups = [list(range(len(paths)))]
    for key in (_sizes, _ends, _whole):
        finer: list[list[int]] = []
        for group in groups:
            same: dict[object, list[int]] = {}
            for index in group:
                with contextlib.suppress(OSError):
                    same.setdefault(key(paths[index]), []).append(index)
            finer += [members for value, members in same.items() if value is not None and len(members) > 1]
        groups = finer
    return {index: first for first, *others in groups for index in others}


def _sizes(path: Path) -> tuple[int, ...] | None:
    sizes = tuple(one.stat().st_size for one in _files_of(path))
    return sizes if sum(sizes) >= _SMALLEST_COPY_BYTES else None


def _ends(path: Path) -> tuple[bytes, bytes]:
    first, *_, last = [*_files_of(path)] * 2
    with _open_regular(first) as file:
        head = file.read(_END_BYTES)
        if first == last:
            return head, _end(file)
    with _open_regular(last) as file:
        return head, _end(file)


def _end(file: BufferedReader) -> bytes:
    file.seek(max(0, os.fstat(file.fileno()).st_size - _END_BYTES))
    return file.read(_END_BYTES)


def _whole(path: Path) -> str:
    return " ".join(map(sha256, _files_of(path)))


def _files_of(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]


@contextlib.contextmanager
def _open_regular(path: Path) -> Iterator[BufferedReader]:
    # without O_NONBLOCK, opening a pipe waits for a writer
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        yield file


def is_temporary(path: Path) -> bool:
    """Return whether a name is one that only an unfinished write leaves behind.

    Examples
    --------
    >>> is_temporary(Path("maps/.p001.h5.4711-0a1b.stmap-tmp")), is_temporary(Path("maps/p001.h5"))
    (True, False)
    """
    return path.name.startswith(".") and path.name.endswith(_MARK)


@contextlib.contextmanager
def atomic_path(path: Path, check: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to; it becomes the final file when the block ends well.

    The temporary file lies in the same folder, since only there a rename is atomic. File and folder are flushed to the
    disk, so that the name never shows up before the content does. The final path is never opened; a file that is
    there already stays as it was until the moment it is replaced.

    Parameters
    ----------
    path : Path
        Final path; its folder is made where it is missing.
    check : callable, optional
        Called with the flushed temporary file; what it raises leaves the final path untouched.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        Where the system refuses to write (full disk, no permission).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     [one.name for one in Path(folder).iterdir()]
    ['a.txt']
    """
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if check:
            check(temporary)
        replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically.

    Raises
    ------
    OutputError
        As :func:`atomic_path`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write_bytes(Path(folder) / "new" / "a.bin", b"12")
    ...     (Path(folder) / "new" / "a.bin").read_bytes()
    b'12'
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: Path, text: str) -> None:
    r"""Write a whole text file atomically, in UTF-8 and with the line ends as given.

    A character that UTF-8 cannot hold (half a surrogate pair, from an undecodable file name) is written as an escape.

    Raises
    ------
    OutputError
        As :func:`atomic_path`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write_text(Path(folder) / "a.txt", "30 fps\n")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'30 fps\n'
    """
    atomic_write_bytes(path, text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; it becomes the final one when the block ends well, and is removed otherwise.

    Temporary folders that killed processes of this machine left for the same final one are removed first.

    Parameters
    ----------
    path : Path
        Must not exist, or be an empty folder.

    Raises
    ------
    OutputError
        Where something is there already, or the system refuses to write.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_folder(Path(folder) / "out") as temporary:
    ...         _ = (temporary / "a.txt").write_text("whole")
    ...     sorted(one.name for one in (Path(folder) / "out").iterdir())
    ['a.txt']
    """
    temporary = _beside(path)
    try:
        _remove_abandoned(path)
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: is there already and not empty; remove it or give another folder")
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():  # renaming onto an empty folder is not allowed everywhere
            path.rmdir()
        replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_temporaries(folder: Path) -> int:
    """Remove what killed writers left under a folder, and return how many files and folders that were.

    To be called by whoever alone writes there: a file that is just being written looks the same.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / ".p001.h5.4711-0a1b.stmap-tmp").write_bytes(b"half")
    ...     remove_temporaries(Path(folder))
    1
    """
    found = list(folder.rglob(f".*{_MARK}"))
    for one in found:
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink(missing_ok=True)
    return len(found)


def replace(source: Path, target: Path) -> None:
    """Rename a file or folder; a file at the target is replaced.

    Windows refuses that while another program, often one that scans for viruses, has a file open: it is tried again for five seconds.
    Elsewhere whoever reads the old file goes on reading it.

    Raises
    ------
    OSError
        Where the system refuses.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     old, new = Path(name) / "a.txt", Path(name) / "new.txt"
    ...     _ = old.write_text("old"), new.write_text("new")
    ...     replace(new, old)
    ...     old.read_text()
    'new'
    """
    pause_s, end_s = _FIRST_PAUSE_S, time.monotonic() + _PATIENCE_S
    while True:
        try:
            source.replace(target)
            return
        except PermissionError as error:
            if not _is_in_use(error) or time.monotonic() > end_s:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _is_in_use(error: OSError) -> bool:
    # only errors of Windows have this number
    return getattr(error, "winerror", None) in _IN_USE


def flush_folder(folder: Path) -> None:
    """Flush the names of a folder to the disk, where the system offers that."""
    # Windows cannot open a folder, some network file systems cannot flush one: the rename itself is still atomic
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _beside(path: Path) -> Path:
    # two processes never share a name; the final name is cut, as a long one plus the mark may pass the limit of 255 bytes
    return path.with_name(f".{path.name[:120]}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}{_MARK}")


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _remove_abandoned(path: Path) -> None:
    for one in path.parent.glob(f".*{_MARK}") if path.parent.is_dir() else ():
        name, _, process = one.name.removesuffix(_MARK).rpartition(".")
        host, pid, *_ = [*process.split("-"), "", ""]
        if name == f".{path.name[:120]}" and host == _host() and pid.isdecimal() and not _is_alive(int(pid)):
            shutil.rmtree(one, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        # a signal of 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _refused(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    what_to_do = "close the program that has it open" if _is_in_use(error) else "free space or correct the permissions"
    return OutputError(f"{path}: cannot be written ({reason}); {what_to_do}, then run the same command again")
