"""Memory does not grow with the length of a video."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.videos import write_video

from stmap_pipeline.synth.scene import make_scene

_PEAK = """
import re, sys
from pathlib import Path
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import Recording, VideoSource
result = build_recording(Recording("a", "folder", "a", VideoSource(Path(sys.argv[1]))), Config())
# not ru_maxrss: it counts the process that started this one, too
print(len(result.blocks.times_s), re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_memory_kb(path: Path, frames: int) -> int:
    done = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True)
    counted, peak = map(int, done.stdout.split())
    assert counted == frames
    return peak


def test_a_video_of_200_s_needs_the_memory_of_one_of_20_s(tmp_path):
    scene = make_scene(4, "easy", heart_rate_bpm=66.0, size_px=(320, 320))
    once = [scene.render(index / 15, index) for index in range(300)]
    options = {"preset": "ultrafast", "crf": "18"}
    short = write_video(tmp_path / "short.mp4", once, rate_hz=15.0, options=options)
    long = write_video(tmp_path / "long.mp4", (image for _ in range(10) for image in once), rate_hz=15.0, options=options)
    few, many = peak_memory_kb(short, 300), peak_memory_kb(long, 3000)
    assert many < 1.1 * few, f"{few} kB for 20 s, {many} kB for 200 s"
    assert many < 400_000
