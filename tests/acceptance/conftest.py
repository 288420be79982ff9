"""Outputs of the real command line that the tests of the main job share: each is built once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_runs import Run, stmap
from video_files import colorful, write_video

# a window of 300 frames takes 12 s at the 25 frames/s of MMSE-HR
SECONDS = {"vipl-hr": "10", "mmse-hr": "12", "folder": "12"}


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


def draw(folder: Path, layout: str, subjects: int, jobs: int = 2) -> Path:
    run = stmap(
        "synth",
        folder,
        "--layout",
        layout,
        "--subjects",
        str(subjects),
        "--seed",
        "1",
        "--duration",
        SECONDS[layout],
        "-j",
        str(jobs),
    )
    assert run.code == 0, run.err
    return folder


def build(source: Path, out: Path, database: str, *more: str | Path, jobs: int = 2) -> Built:
    return Built(source, out, stmap("build-maps", "--db", database, source, out, "--jobs", str(jobs), *more))


@pytest.fixture(scope="session")
def tree(tmp_path_factory) -> Path:
    """A VIPL-HR of two drawn subjects with every quirk."""
    return draw(tmp_path_factory.mktemp("vipl") / "my VIPL-HR", "vipl-hr", 2)


@pytest.fixture(scope="session")
def vipl(tree, tmp_path_factory) -> Built:
    """Its maps, in windows of 6 s, so that the labels end inside of a recording."""
    folder = tmp_path_factory.mktemp("vipl-maps")
    (folder / "short.toml").write_text('[windows]\nlength = "6 s"\n')
    return build(tree, folder / "maps", "vipl-hr", "--config", folder / "short.toml")


@pytest.fixture(scope="session")
def damaged(tree, tmp_path_factory) -> Built:
    """Maps of a copy in which what can break is broken."""
    source = tmp_path_factory.mktemp("damaged") / "VIPL-HR"
    shutil.copytree(tree, source)
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
    (source / "data" / "p19" / "v2").mkdir(parents=True)
    # a recording that is known to lack frames: it must not even be opened
    shutil.copytree(second / "v7" / "source1", source / "data" / "p19" / "v2" / "source2")
    return build(source, source.parent / "maps", "vipl-hr")


@pytest.fixture(scope="session")
def mmse(tmp_path_factory) -> Built:
    """An MMSE-HR of one drawn subject, and its maps."""
    folder = tmp_path_factory.mktemp("mmse")
    return build(draw(folder / "source", "mmse-hr", 1), folder / "maps", "mmse-hr")


@pytest.fixture(scope="session")
def own(tmp_path_factory) -> Built:
    """Somebody's own videos of one drawn subject, and their maps."""
    folder = tmp_path_factory.mktemp("own")
    return build(draw(folder / "source", "folder", 1), folder / "maps", "folder")
