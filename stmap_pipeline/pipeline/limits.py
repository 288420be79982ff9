"""Limits of time and memory for one recording, so that a hostile or broken video cannot exhaust the machine."""

from __future__ import annotations

import contextlib
import faulthandler
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from stmap_pipeline.errors import ConfigError, RecordingError

try:
    import resource as _module
except ImportError:  # Windows
    _module = None  # type: ignore[assignment]
resource: Any = _module

T = TypeVar("T")

_PROC = Path("/proc/self")
_OPENCV_NO_MEMORY = -4
# how the interpreter's own watchdog begins its report
TIMEOUT_MARK = "Timeout ("


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a recording may take, and how much memory.

    They belong to the machine and not to the result, so they are no part of the configuration.

    Parameters
    ----------
    time_s : float
        Seconds for one recording. Checked at each frame; a decoder that hangs inside one is ended with its process after
        twice the time, at most 30 s later.
    memory_bytes : int
        Memory that a worker may allocate for a recording, beyond what it holds before. Linux only, see :func:`memory_is_limited`.

    Raises
    ------
    ConfigError
        Where one is not positive.

    Examples
    --------
    >>> Limits().time_s, Limits(time_s=60).memory_bytes // 2**20
    (3600.0, 2048)
    """

    time_s: float = 3600.0
    memory_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        if not 0 < self.time_s <= 10**7:
            raise ConfigError(f"the time limit is {self.time_s} s; give a number of seconds above 0")
        if self.memory_bytes <= 0:
            raise ConfigError(f"the memory limit is {self.memory_bytes} bytes; give a number above 0")

    @property
    def hard_time_s(self) -> float:
        """Seconds after which a process is ended that does not answer."""
        return self.time_s + min(self.time_s, 30.0)


def within(items: Iterable[T], limit_s: float) -> Iterator[T]:
    """Pass items on until the time is up.

    Raises
    ------
    RecordingError
        With ``timed_out`` at the first item after ``limit_s`` seconds.

    Examples
    --------
    >>> list(within("ab", 10))
    ['a', 'b']
    """
    end = time.monotonic() + limit_s
    for count, item in enumerate(items):
        if time.monotonic() > end:
            raise RecordingError("run", "timed_out", timeout_message(limit_s) + f" (at frame {count})")
        yield item


def timeout_message(limit_s: float) -> str:
    """Return the message of ``timed_out``, the same wherever it is noticed."""
    return f"took longer than {limit_s:g} s; give it more with --time-limit"


@contextlib.contextmanager
def guarded(limits: Limits, report: BinaryIO) -> Iterator[None]:
    """Limit time and memory of a block, in a worker process that may be lost.

    A crash inside of C code writes a traceback to ``report``; so does a hang, which ends the process. Memory beyond the limit
    is refused by the system, which surfaces as ``MemoryError`` or as the libraries' own errors.

    Parameters
    ----------
    limits : Limits
    report : binary file
        Open for writing for as long as the block runs.
    """
    earlier = faulthandler.is_enabled()
    faulthandler.enable(report)
    faulthandler.dump_traceback_later(limits.hard_time_s, exit=True, file=report)
    try:
        with limited_memory(limits.memory_bytes):
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        if earlier and sys.__stderr__ is not None:
            with contextlib.suppress(OSError, ValueError):
                faulthandler.enable(sys.__stderr__)


def is_memory_error(error: Exception) -> bool:
    """Return whether an error means that memory was refused."""
    # OpenCV has one class for all errors and distinguishes this one by its code
    return isinstance(error, MemoryError) or getattr(error, "code", None) == _OPENCV_NO_MEMORY


def memory_is_limited() -> bool:
    """Return whether this system can limit the memory of a process: Linux can; macOS ignores such limits, Windows has none."""
    return resource is not None and _status("VmData") is not None


@contextlib.contextmanager
def limited_memory(memory_bytes: int) -> Iterator[None]:
    """Limit the memory that the process may allocate in a block, beyond what it holds before, where the system can do that."""
    held = _status("VmData")
    if held is None or resource is None:
        yield
        return

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + memory_bytes
    if before != resource.RLIM_INFINITY:
        wanted = min(wanted, before)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def forget_peak() -> None:
    """Reset the peak memory of this process, where the system can do that."""
    with contextlib.suppress(OSError):
        (_PROC / "clear_refs").write_bytes(b"5")


def peak_memory_bytes() -> int:
    """Return the peak memory of this process since :func:`forget_peak`, or since its start where that cannot be reset; 0 if unknown.

    Examples
    --------
    >>> peak_memory_bytes() > 2**20
    True
    """
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    if resource is None:
        return 0

    # kilobytes on Linux, bytes on macOS
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def _status(name: str) -> int | None:
    try:
        for line in (_PROC / "status").read_text("utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
