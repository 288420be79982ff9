"""Run the command line, in this process where that is enough, and four short videos that several commands build."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from support.videos import colorful, write_video

# as installed beside this interpreter
COMMAND = Path(sys.executable).with_name("stmap")


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def stmap(*words: str | Path, encoding: str = "utf-8") -> Run:
    """Run the command line as the installed script does, without the second that a new process takes to import all of it.

    Streams are as strict as those that Python opens itself.
    """
    from stmap_cli.main import main

    out, err = io.BytesIO(), io.BytesIO()
    streams = (
        redirect_stdout(io.TextIOWrapper(out, encoding, "strict", write_through=True)),
        redirect_stderr(io.TextIOWrapper(err, encoding, "backslashreplace", write_through=True)),
    )
    with patch.object(sys, "argv", ["stmap", *map(str, words)]), streams[0], streams[1]:
        try:
            main()
        except SystemExit as end:
            # the streams would close the bytes with them
            written = [one.getvalue().decode(encoding, "surrogateescape") for one in (out, err)]
            return Run(int(end.code or 0), *written)
    raise AssertionError("main() always exits")


def environment(**more: str) -> dict[str, str]:
    """Return the environment without what would decide about color, width and encoding."""
    personal = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "LINES", "LANG", "LC_ALL", "PYTHONIOENCODING", "PYTHONUTF8")
    return {key: value for key, value in os.environ.items() if key not in personal} | {"LANG": "C.UTF-8"} | more


def four_videos(folder: Path, face_clip: Path) -> tuple[Path, Path]:
    """Make a source with two faces, a wall and what is no video, and settings with windows that fit into them."""
    source, settings = folder / "my videos", folder / "short.toml"
    source.mkdir()
    for name in ("anna", "bert"):
        (source / f"{name}.mp4").write_bytes(face_clip.read_bytes())
    write_video(source / "wall.mp4", [colorful(120, 160)] * 45)
    (source / "zero.mp4").write_bytes(b"")
    settings.write_text('[windows]\nlength = "30 frames"\n')
    return source, settings


def content(out: Path) -> dict[str, bytes]:
    """All files of an output, the times of the run aside."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith("timings")
    }
