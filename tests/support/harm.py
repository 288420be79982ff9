"""Tasks and a face backend that harm their process, as damaged C libraries and full memories do."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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


WIDTHS = {"crash": 164, "exit": 168, "hang": 172, "memory": 180, "error": 184, "opencv": 188, "slow": 192}
# smaller than any part that tracking cuts out around a face
HEIGHT = 60

_BACKEND = f"""
import ctypes, os, time
import numpy as np
from stmap_pipeline.faces.dlib68 import Dlib68

WIDTHS = {WIDTHS!r}


class Harmful(Dlib68):
    def detect(self, gray, *, lenient=False):
        for name, width in WIDTHS.items():
            if gray.shape == ({HEIGHT}, width):
                getattr(self, name)()
        return super().detect(gray, lenient=lenient)

    def crash(self):
        ctypes.string_at(0)

    def exit(self):
        os._exit(7)

    def hang(self):
        # PyDLL keeps the interpreter's lock, as a library does that never lets go of it
        ctypes.PyDLL(None).sleep(1000)

    def memory(self):
        held = [np.ones(2**24) for _ in range(1000)]

    def error(self):
        raise RuntimeError("out of cheese")

    def opencv(self):
        import cv2
        cv2.resize(np.zeros((2, 2), np.uint8), (60_000, 60_000)).sum()

    def slow(self):
        time.sleep(0.7)
"""


def install(folder: Path) -> Path:
    """Write a package that offers the backend as ``harmful``; its folder belongs on ``sys.path``."""
    (folder / "harm-1.dist-info").mkdir(parents=True)
    (folder / "harm-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: harm\nVersion: 1\n")
    (folder / "harm-1.dist-info" / "entry_points.txt").write_text("[stmap.face_backends]\nharmful = harmful_backend:Harmful\n")
    (folder / "harmful_backend.py").write_text(_BACKEND)
    return folder


def write_harmful(path: Path, harm: str, frames: int = 45) -> Path:
    """Write a video at which the backend does this harm."""
    from support.videos import write_video  # not at the top: workers import this module for FragileTask

    image = np.full((HEIGHT, WIDTHS[harm], 3), 90, np.uint8)
    return write_video(path, [image] * frames, rate_hz=15.0, options={"preset": "ultrafast"})
