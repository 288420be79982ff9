"""Allow one writer at a time in an output folder."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stmap_pipeline.errors import OutputError

with warnings.catch_warnings():
    # of a system that has no locks on files; the existence of the file is the lock then
    warnings.filterwarnings("ignore", message="only soft file lock", category=UserWarning)
    from filelock import FileLock, Timeout

LOCK = ".stmap-lock"
# :func:`holder` takes the lock for a moment to look
_WAIT_S = 0.5


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of an output folder.

    The lock is the operating system's lock on a file, which ends with its owner. On a file system without such locks, filelock uses
    the existence of the file, with the owner's process number in it, and removes it when that process is gone.

    Parameters
    ----------
    out : Path
        An existing folder.

    Raises
    ------
    OutputError
        Where another process holds it; the message names the process.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder)):
    ...     try:
    ...         with locked(Path(folder)):
    ...             pass
    ...     except OutputError as error:
    ...         print("refused:", "is being written" in str(error))
    refused: True
    """
    path = out / LOCK
    lock = FileLock(path)
    try:
        _acquire(lock, _WAIT_S)
    except Timeout:
        owner = _owner(path)
        # Windows lets nobody read a locked file
        process = "process {pid} on {host}".format(**owner) if owner else "another process"
        raise OutputError(
            f"{out}: is being written by {process}; wait for it or stop it, or give another folder (if that process is surely gone: "
            f"remove {LOCK})"
        ) from None
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        # a lock by existence has written its owner itself; a killed owner of a system lock has left its own
        if _owner(path) != owner:
            # the lock holds without it, and on a full disk the first file of the caller has the better error
            with contextlib.suppress(OSError):
                path.write_bytes("{pid}\n{host}\n".format(**owner).encode())
        yield
    finally:
        # removed while it is held: a process that has opened it meanwhile sees that its name is gone and starts over
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()


def holder(out: Path) -> dict[str, Any] | None:
    """Return ``host`` and ``pid`` of the process that writes into an output now; None where there is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     before = holder(Path(folder))
    ...     with locked(Path(folder)):
    ...         print(before, holder(Path(folder))["pid"] == os.getpid())
    None True
    """
    path = out / LOCK
    if not path.is_file():
        return None
    lock = FileLock(path)
    try:
        _acquire(lock, 0)
    except Timeout:
        return _owner(path)
    except OSError:
        return None
    lock.release()
    return None


def _acquire(lock: FileLock, timeout_s: float) -> None:
    with warnings.catch_warnings():
        # without system locks the existence of the file is the lock, and that is enough here
        warnings.filterwarnings("ignore", message="flock not supported", category=UserWarning)
        lock.acquire(timeout=timeout_s, poll_interval=0.05)


def _owner(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            lines = file.read(1024).decode("utf-8", "replace").split("\n")
        return {"pid": int(lines[0]), "host": lines[1]}
    except (OSError, ValueError, IndexError):
        return {}
