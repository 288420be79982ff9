"""Draw a database, break it, and build its maps by the real command line: what the tests of the main job look at."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from cli_runs import Run, stmap
from video_files import colorful, write_video

# a window of 300 frames takes 12 s at the 25 frames/s of MMSE-HR, and 10.4 s at the 29 of a phone
SECONDS = {"vipl-hr": "10", "mmse-hr": "12", "folder": "10.5"}


@dataclass(frozen=True, slots=True)
class Built:
    """A source, the output made of it, and what the command said."""

    source: Path
    out: Path
    run: Run

    @property
    def truth(self) -> dict[str, dict]:
        """What a synthetic database tells of each recording."""
        return {one["recording_id"]: one for one in json.loads((self.source / "synthetic.json").read_text("utf-8"))["recordings"]}


def draw(folder: Path, layout: str, subjects: int) -> Path:
    how_much = ("--subjects", str(subjects), "--seed", "1", "--duration", SECONDS[layout])
    run = stmap("synth", folder, "--layout", layout, *how_much, "-j", "2")
    assert run.code == 0, run.err
    return folder


def build(source: Path, out: Path, database: str, *more: str | Path) -> Built:
    return Built(source, out, stmap("build-maps", "--db", database, source, out, "--jobs", "2", *more))


def break_all(source: Path) -> None:
    """Damage a drawn VIPL-HR of two subjects so that each recording but one fails for another reason."""
    first, second = source / "data" / "p1", source / "data" / "p2"
    for scenario, camera in (("v1", "source3"), ("v1-2", "source1")):
        # enough is left to look at, and time is short
        shutil.rmtree(first / scenario / camera)
    (first / "v1" / "source1" / "time.txt").unlink()
    (first / "v1" / "source2" / "gt_HR.csv").write_bytes(b"HR\r\nseventy\r\n")
    (first / "v7" / "source2" / "video.avi").write_bytes(b"")
    times = (second / "v1" / "source1" / "time.txt").read_bytes().splitlines(keepends=True)
    (second / "v1" / "source1" / "time.txt").write_bytes(b"".join(times[: len(times) * 3 // 4]))
    write_video(second / "v1" / "source2" / "video.avi", [colorful(120, 160)] * 90, codec="mjpeg", pixel_format="yuvj420p")
    unordered = [b"%d\n" % (33 * abs(index - 40)) for index in range(len(times))]
    (second / "v1" / "source3" / "time.txt").write_bytes(b"".join(unordered))
    # a recording that is known to lack frames: it must not even be opened
    shutil.copytree(second / "v7" / "source1", source / "data" / "p19" / "v2" / "source2")
