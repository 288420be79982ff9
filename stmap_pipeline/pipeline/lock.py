"""One build at a time in one output: a lock that dies with its owner and never times out into no lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stmap_pipeline.errors import OutputError

LOCK = ".stmap-lock"
# what file systems without locks answer: Lustre mounted without flock, some FUSE and old NFS mounts
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of an output folder.

    The system's own lock on a file is used: it is given up when its owner dies, however it dies, and holds between the
    machines of a network file system. Where a file system knows no locks, the file itself is the lock: one whose owner is dead
    on this machine is taken over; about the owner on another machine nothing can be known, so a person must remove it.

    Parameters
    ----------
    out : Path
        An existing folder.

    Raises
    ------
    OutputError
        Where another build holds it; the message says which.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder)):
    ...     try:
    ...         with locked(Path(folder)):
    ...             pass
    ...     except OutputError as error:
    ...         print("refused:", "is being built" in str(error))
    refused: True
    """
    path = out / LOCK
    handle = _acquire(path)
    try:
        yield
    finally:
        # removed before it is let go: whoever opened it meanwhile sees that its name is gone and starts over
        with contextlib.suppress(OSError):
            path.unlink()
        if handle is not None:
            os.close(handle)


def holder(out: Path) -> dict[str, Any] | None:
    """Tell who builds into an output just now: ``host`` and ``pid``; None where nobody does.

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
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        owner = _read(path)
        return None if error.errno not in _HELD and _dead(owner) else owner
    else:
        return None
    finally:
        os.close(handle)


def _acquire(path: Path) -> int | None:
    """Give the open, locked file; None where the file's existence is the lock."""
    tries = 10
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if error.errno in _HELD:
                # :func:`holder` takes it for a moment to look
                tries -= 1
                if not tries:
                    raise _refusal(path, _read(path)) from None
                time.sleep(0.05)
                continue
            if error.errno in _NO_LOCKS:
                _acquire_by_name(path)
                return None
            raise
        # the owner before may have removed the name between our opening and our locking
        with contextlib.suppress(OSError):
            if os.fstat(handle).st_ino == path.stat().st_ino:
                os.truncate(handle, 0)
                os.write(handle, _ourselves())
                return handle
        os.close(handle)


def _acquire_by_name(path: Path) -> None:
    while True:
        # written aside and linked: the name never stands for a half-written owner
        ours = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.stmap-tmp")
        try:
            ours.write_bytes(_ourselves())
            os.link(ours, path)
        except FileExistsError:
            owner = _read(path)
            # an empty file is what the attempt at a real lock leaves
            if owner and not _dead(owner):
                raise _refusal(path, owner) from None
            aside = ours.with_name(f"{path.name}.stale-{secrets.token_hex(4)}.stmap-tmp")
            with contextlib.suppress(FileNotFoundError):
                path.rename(aside)
                if _read(aside) != owner:
                    # somebody was faster, and what was taken aside is their lock
                    with contextlib.suppress(FileExistsError):
                        os.link(aside, path)
                aside.unlink()
        except FileNotFoundError:
            # the owner cleared what it took for a killed one's leftovers
            continue
        else:
            return
        finally:
            with contextlib.suppress(OSError):
                ours.unlink()


def _ourselves() -> bytes:
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}).encode()


def _read(path: Path) -> dict[str, Any]:
    try:
        owner = json.loads(path.read_bytes()[:4096])
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _started(pid: int) -> str:
    """Start of a process in ticks since the machine's own: a number that is used again is then another one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, ValueError):
        return ""


def _dead(owner: dict[str, Any]) -> bool:
    if not owner:
        return True
    pid = owner.get("pid")
    if owner.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return owner.get("started") != _started(pid)


def _refusal(path: Path, owner: dict[str, Any]) -> OutputError:
    host, pid = owner.get("host", "?"), owner.get("pid", "?")
    return OutputError(
        f"{path.parent}: is being built by process {pid} on {host}; wait for it or stop it, or give another folder"
        f" (where that process is surely gone: remove {path.name})"
    )
