"""A task whose process dies so many times before it is done."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.errors import WorkerError
from stmap_pipeline.parallel import MAX_DEATHS


@dataclass(frozen=True)
class FragileTask:
    """Return the process it was done in, after ``losses`` others have died of it."""

    name: str
    folder: Path
    losses: int
    hard_time_s: float = 60.0
    sleep_s: float = 0.0

    def do(self) -> int:
        """Die as by ``kill -9``, or return the number of this process."""
        for number in range(self.losses):
            mark = self.folder / f"{self.name}-{number}"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), 9)
        time.sleep(self.sleep_s)
        return os.getpid()

    def lost(self, times: int, hung: bool) -> None:
        """Give up after the second loss."""
        if hung or times > MAX_DEATHS:
            raise WorkerError(f"{self.name}: {times} losses, hung {hung}")
