"""A face backend that does harm to its process, as damaged C libraries do; which harm is told by the width of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from video_files import write_video

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
    image = np.full((HEIGHT, WIDTHS[harm], 3), 90, np.uint8)
    return write_video(path, [image] * frames, rate_hz=15.0, options={"preset": "ultrafast"})
