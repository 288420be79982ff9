"""Progress and messages on stderr: a bar on a terminal, a plain line now and then elsewhere. Results go to stdout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stmap_cli import INTERRUPTED, interrupt

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

PLAIN_EVERY_S = 30.0


def console() -> Console:
    """Return a console on stderr; rich honors ``NO_COLOR`` and the width of the terminal by itself."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(out: Console, text: str) -> None:
    """Write a line without markup: messages and file names may hold brackets."""
    # not by rich, which interprets brackets and colons, and writes a line twice when Ctrl-C comes in the middle of it
    out.file.write(f"{printable(text)}\n")
    out.file.flush()


class Progress:
    """Progress of a long run: a bar on a terminal, a plain line every half minute elsewhere.

    Parameters
    ----------
    label : str
    total, done : int
    out : Console
    if_stopped : str
        What to do after a Ctrl-C.
    unit : str
        What is counted, where that is not the work that the label names: ``frames``.
    """

    def __init__(
        self,
        label: str,
        total: int,
        out: Console,
        done: int = 0,
        *,
        if_stopped: str = "run the same command to continue",
        unit: str = "",
    ) -> None:
        self._unit = f"{unit} " if unit else ""
        self._label, self.total, self.done, self._first, self._out = label, total, done, done, out
        self._if_stopped, self._failed, self._reached = if_stopped, 0, False
        self._start = self._last_line = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    @contextmanager
    def running(self) -> Iterator[Progress]:
        """Show the bar while the block runs; Ctrl-C ends the command with a line that says how many are done."""
        interrupt.working = True
        try:
            with self._shown():
                yield self
                # that came in an import after the last step
                interrupt.check()
        except KeyboardInterrupt:
            reached = f"; {self.done} of {self.total} {self._unit}done" if self.total else ""
            self.say(f"stopped{reached} - {self._if_stopped}")
            raise click.exceptions.Exit(INTERRUPTED) from None
        finally:
            interrupt.working = False

    @contextmanager
    def _shown(self) -> Iterator[None]:
        if not self._out.is_terminal:
            yield
            return
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
            try:
                yield
            finally:
                self._bar = None

    def follow(self, steps: Iterable[T]) -> T | None:
        """Run an iterator to its end, counting a step for each item, and return the last item."""
        last = None
        with self.running():
            for item in steps:
                last = item
                self.step()
        return last

    def step(self, *, failed: bool = False) -> None:
        """Count one more."""
        self._failed += failed
        self._show(self.done + 1, self._rate, f"{self._failed} failed" if self._failed else "")

    def reach(self, done: int, more: str) -> None:
        """Show how many are done now, for work that reports at intervals; the first call sets the start."""
        if not self._reached:
            self._reached, self._first = True, done
        self._show(done, lambda: more)

    def _show(self, done: int, rate: Callable[[], str], last: str = "") -> None:
        interrupt.check()
        self.done = done
        more = "  ".join(part for part in (rate(), self._eta(), last) if part)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, total=self.total, more=f" {more}")
        elif time.monotonic() - self._last_line >= PLAIN_EVERY_S:
            self._last_line = time.monotonic()
            self.say(f"{self._label} {self.done}/{self.total}  {more}".rstrip())

    def say(self, text: str) -> None:
        """Write a line, above the bar where there is one."""
        if self._bar is not None:
            self._out.print(printable(text), markup=False, emoji=False)
        else:
            say(self._out, text)

    def _per_s(self) -> float:
        passed_s = time.monotonic() - self._start
        return (self.done - self._first) / passed_s if passed_s > 0 else 0.0

    def _rate(self) -> str:
        rate = self._per_s()
        return f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min" if rate > 0 else ""

    def _eta(self) -> str:
        rate = self._per_s()
        return f"eta {duration((self.total - self.done) / rate)}" if rate > 0 and self.done < self.total else ""


def printable(text: str) -> str:
    r"""Escape control characters, and bytes of a file name that are not text.

    Examples
    --------
    >>> print(printable("p\u00e4r [1].avi"), printable("\x1b[31mred"), printable("caf\udce9.mp4"))
    pär [1].avi \x1b[31mred caf\xe9.mp4
    """
    return "".join(one if one.isprintable() or one in "\n\t" else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    # Python keeps a byte that is no UTF-8 as U+DC80 to U+DCFF
    hidden = ord(character) - 0xDC00
    return f"\\x{hidden:02x}" if 0x80 <= hidden <= 0xFF else character.encode("unicode_escape").decode()


def duration(seconds: float) -> str:
    """Format a duration in the two largest units.

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
    """Format a number of bytes.

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


def number(count: int) -> str:
    """Format a count, with groups of three digits from 10 000.

    Examples
    --------
    >>> number(2378), number(61482)
    ('2378', '61 482')
    """
    return f"{count:,}".replace(",", " ") if count >= 10_000 else str(count)


def counted(count: int, word: str) -> str:
    """Format a count with its noun.

    Examples
    --------
    >>> counted(1, "file"), counted(61482, "window")
    ('1 file', '61 482 windows')
    """
    return f"{number(count)} {word}{'' if count == 1 else 's'}"


def default_jobs() -> int:
    """Return the number of cores that this process may use."""
    from joblib import cpu_count

    return int(cpu_count())
