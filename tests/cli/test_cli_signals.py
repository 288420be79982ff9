"""Ctrl-C on a running build, a terminal, a closed pipe, odd encodings: each in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli import COMMAND, content, environment, four_videos, stmap
from support.videos import write_video

from stmap_pipeline.synth.scene import make_scene

STOPPED = re.compile(r"stopped; ([0-9]+) of 4 done - run the same command to continue")


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> Path:
    """A recording that fails at once, and three that take their time."""
    source = tmp_path_factory.mktemp("slow")
    (source / "a.mp4").write_bytes(b"")
    scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(160, 160))
    second = [scene.render(index / 30, index) for index in range(30)]
    # to and fro, so that nothing jumps
    clip = write_video(source / "b.mp4", (second + second[::-1]) * 10, options={"crf": "12"})
    for name in "cd":
        (source / f"{name}.mp4").write_bytes(clip.read_bytes())
    return source


def test_ctrl_c_while_python_ends_is_no_traceback():
    code = "import atexit, signal, sys; atexit.register(signal.raise_signal, 2); sys.argv = ['stmap', '--version']\n"
    code += "from stmap_cli.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False)
    assert done.stdout.startswith("stmap")
    assert done.stderr == ""
    assert done.returncode == -signal.SIGINT


@pytest.fixture(scope="module")
def undisturbed(slow, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "maps"
    stmap("build-maps", "--db", "folder", slow, out, "-j", "1")
    return out


@contextmanager
def started(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a session of its own, so that a signal goes to all of its processes, as from a terminal."""
    with subprocess.Popen(
        [COMMAND, *words], stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def ctrl_c(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C and give what the command says after it."""
    os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    return rest


def heading(process) -> list[str]:
    """Read what a build of these videos says before its first recording: a summary and two notes."""
    lines = [process.stderr.readline() for _ in range(3)]
    assert [line.startswith("  note ") for line in lines] == [False, True, True]
    return lines


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_stops_with_one_line_and_the_same_command_continues(slow, undisturbed, jobs, tmp_path):
    out = tmp_path / "maps"
    with started("build-maps", "--db", "folder", slow, out, "--jobs", jobs) as process:
        assert heading(process)[0].startswith("folder  4 recordings")
        assert process.stderr.readline().startswith("  x a ")
        rest = ctrl_c(process)
    found = STOPPED.fullmatch(rest.strip())
    assert found, rest
    assert 1 <= int(found[1]) < 4
    assert not (out / "manifest.json").exists()

    run = stmap("build-maps", "--db", "folder", slow, out, "-j", "1")
    assert run.code == 3
    assert "1 failed before" in run.err
    assert content(out) == content(undisturbed)


def workers_of(pid: int) -> list[Path]:
    """Find the worker processes of a build under /proc, from the moment of their start."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("this system does not tell the children of a process")
    found = [Path(f"/proc/{child}") for child in children.read_text().split()]
    return [one for one in found if b"loky_posix" in (one / "cmdline").read_bytes()]


def test_ctrl_c_while_the_workers_start_shows_nothing_of_them(slow, tmp_path):
    with started("build-maps", "--db", "folder", slow, tmp_path / "maps", "--jobs", "2") as process:
        heading(process)
        while not (workers := workers_of(process.pid)) and process.poll() is None:
            time.sleep(0.001)
        # before it has imported anything that could do so, a worker is deaf: Ctrl-C in its imports would be a traceback
        masks = dict(re.findall(r"^Sig(Blk|Ign):\t([0-9a-f]+)$", (workers[0] / "status").read_text(), flags=re.MULTILINE))
        assert (int(masks["Blk"], 16) | int(masks["Ign"], 16)) & 1 << signal.SIGINT - 1
        rest = ctrl_c(process)
    assert STOPPED.fullmatch(rest.strip()), rest


# an import that swallows Ctrl-C, as numeric libraries do: it is not to go on
_SWALLOWS = """import time
print('importing', flush=True)
try:
    time.sleep(60)
except BaseException:
    pass
"""


@pytest.mark.parametrize(("module", "words"), [("click", []), ("numpy", ["estimate", "clip.mp4"]), ("joblib", ["demo"])])
def test_ctrl_c_in_an_import_is_one_line(module, words, tmp_path):
    # stands still for long enough to be hit
    (tmp_path / f"{module}.py").write_text(_SWALLOWS)
    env = environment(PYTHONPATH=str(tmp_path))
    with subprocess.Popen([COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=300)[1] == "stopped\n"
    assert process.returncode == 130


def test_ctrl_c_while_drawing_can_be_continued_too(tmp_path):
    words = ["synth", tmp_path / "own", "--layout", "folder", "--subjects", "1", "--duration", "1.5", "-j", "1"]
    with started(*words) as process:
        while not list((tmp_path / "own").glob("s*.avi")) and process.poll() is None:
            time.sleep(0.001)
        rest = ctrl_c(process)
    assert re.fullmatch(r"stopped; [012] of 3 done - run the same command to continue\n", rest), rest
    run = stmap(*words)
    assert run.code == 0
    assert re.match(r"drawn: 3 recordings \([12] in an earlier run\) in ", run.err)


def on_a_terminal(words) -> tuple[int, str]:
    """Run a command on a terminal of 100 columns and give all that it wrote to it."""
    leader, follower = os.openpty()
    size = f"stty -F {os.ttyname(follower)} cols 100 rows 40"
    subprocess.run(size.split(), check=True)
    env = environment(TERM="xterm-256color")
    process = subprocess.Popen([COMMAND, *words], stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True)
    os.close(follower)
    written = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:  # the last process has let go of the terminal
            break
        if not data:
            break
        written += data
    os.close(leader)
    return process.wait(), written.decode()


def test_on_a_terminal_the_bar_moves_and_leaves_the_lines_that_matter(face_clip, tmp_path):
    faces, short = four_videos(tmp_path, face_clip)
    words = ["build-maps", "--db", "folder", faces, tmp_path / "maps", "--config", short, "--jobs", "1"]
    code, written = on_a_terminal(words)
    assert code == 3
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", written)
    left = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert re.search(r"building ━+ +0/4 +0%", left)
    lines = [line.split("\r")[-1] for line in left.replace("\r\n", "\n").split("\n")]
    assert f"  x {'wall':<18}  faces   no face in 100% of 45 frames (limit 50%)" in lines
    done = next(index for index, line in enumerate(lines) if line.startswith("done in "))
    assert lines[done + 1].startswith("  maps     2 recordings, 6 windows")


def test_a_reader_that_has_seen_enough_is_no_error_to_talk_about():
    with subprocess.Popen([COMMAND, "databases", "vipl-hr"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([COMMAND, "databases"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "Error: No space left on device\n")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_names_that_are_no_text_go_through_every_encoding(encoding, tmp_path):
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xe6\x97\xa5"))
    source.mkdir()
    video = source / os.fsdecode(b"\xff[bold].avi")
    video.write_bytes(b"")
    run = stmap("build-maps", "--db", "folder", source, source / "maps", "--jobs", "1", encoding=encoding)
    assert run.code == 3
    assert "\\xff[bold].avi: " in run.err
    assert "/caf\\xe9 " in run.err
    listed = stmap("build-maps", "--db", "folder", source, source / "maps", "--dry-run", encoding=encoding)
    assert listed.code == 3
    if encoding == "utf-8":
        # byte for byte, so that another program can open it
        assert listed.out.endswith(f"\tfailed source_unreadable\t{video}\n")
    missing = stmap("build-maps", "--db", "folder", source / "none", tmp_path / "out", encoding=encoding)
    assert missing.code == 1
    assert "caf\\xe9" in missing.err
