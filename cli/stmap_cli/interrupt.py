"""Ctrl-C: a command ends with one line and code 130, whatever it is doing.

An interrupt is a ``KeyboardInterrupt`` at the place where Python is. Modules in the middle of their import, and callbacks of the
interpreter, may swallow it, make another error of it, or print a traceback and go on. So an interrupt in an import ends the process at once
before any work has begun, and waits for the next step of the work later; one that was swallowed is raised again there.
"""

from __future__ import annotations

import os
from types import FrameType

from stmap_cli import INTERRUPTED

#: Whether work is in progress, which is not to be ended without its own last line.
working = False
_came = False


def on_interrupt(_number: int, frame: FrameType | None) -> None:
    """Handle SIGINT."""
    global _came
    first, _came = not _came, True
    if _is_importing(frame):
        if not working:
            say_stopped()
            os._exit(INTERRUPTED)
        if first:
            # some modules turn it into an ImportError; the next step raises it
            return
    raise KeyboardInterrupt


def check() -> None:
    """Raise the interrupt that was swallowed, if any."""
    if _came:
        raise KeyboardInterrupt


def say_stopped() -> None:
    """Write the line of a command that was stopped before there was anything to say."""
    # not by a stream, which the interrupt may have found in the middle of a line
    os.write(2, b"stopped\n")


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
