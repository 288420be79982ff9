"""What people see: a bar on a terminal, one plain line now and then elsewhere. All of it goes to stderr; results go to stdout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_EVERY_S = 30.0


def console() -> Console:
    """Give a console on stderr; rich honors ``NO_COLOR`` and the width of the terminal by itself."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


class Progress:
    """Counts of a long run: a bar where there is a terminal, a plain line every half minute where there is none.

    Parameters
    ----------
    label : str
    total, done : int
    out : Console
    """

    def __init__(self, label: str, total: int, out: Console, done: int = 0) -> None:
        self._label, self.total, self.done, self._first, self._out = label, total, done, done, out
        self._failed = 0
        self._start = self._last_line = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    @contextmanager
    def running(self) -> Iterator[Progress]:
        """Show the bar while the block runs."""
        if self._out.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[more]}"),
            )
            with Bar(*columns, console=self._out, transient=True) as self._bar:
                self._task = self._bar.add_task(self._label, total=self.total, completed=self.done, more="")
                yield self
            self._bar = None
        else:
            yield self

    def step(self, *, failed: bool = False) -> None:
        """Count one more."""
        self.done += 1
        self._failed += failed
        more = "  ".join(part for part in (self._rate(), self._eta(), f"{self._failed} failed" if self._failed else "") if part)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, more=more)
        elif time.monotonic() - self._last_line >= PLAIN_EVERY_S:
            self._last_line = time.monotonic()
            self.say(f"{self._label} {self.done}/{self.total}  {more}")

    def say(self, text: str) -> None:
        """Write a line above the bar, as it is: a message may hold brackets."""
        self._out.print(text, markup=False)

    def _per_s(self) -> float:
        passed_s = time.monotonic() - self._start
        return (self.done - self._first) / passed_s if passed_s > 0 else 0.0

    def _rate(self) -> str:
        rate = self._per_s()
        return f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min" if rate > 0 else ""

    def _eta(self) -> str:
        rate = self._per_s()
        return f"eta {duration((self.total - self.done) / rate)}" if rate > 0 and self.done < self.total else ""


def duration(seconds: float) -> str:
    """Write a time as people say it.

    Examples
    --------
    >>> duration(4.2), duration(761), duration(7384)
    ('4 s', '12 min 41 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """Write a number of bytes as people say it.

    Examples
    --------
    >>> size(999), size(486_000_000)
    ('999 B', '486 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def counted(count: int, word: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> counted(1, "file"), counted(61482, "window")
    ('1 file', '61 482 windows')
    """
    return f"{count:,}".replace(",", " ") + f" {word}{'' if count == 1 else 's'}"


def default_jobs() -> int:
    """Count the cores that this process may use."""
    from joblib import cpu_count

    return int(cpu_count())
