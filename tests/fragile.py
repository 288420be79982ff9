"""A task whose process dies so many times before it is done."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FragileTask:
    """Give the process it was done in, after ``losses`` others have died of it."""

    name: str
    folder: Path
    losses: int
    hard_time_s: float = 60.0
    sleep_s: float = 0.0

    def do(self) -> int:
        """Die as by ``kill -9``, or give this process."""
        for number in range(self.losses):
            mark = self.folder / f"{self.name}-{number}"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), 9)
        time.sleep(self.sleep_s)
        return os.getpid()

    def deaths(self) -> int:
        """None, like a task that does not look for marks of its own."""
        return 0

    def note_hang(self) -> None:
        """Never."""
        raise AssertionError(f"{self.name} did not hang")
