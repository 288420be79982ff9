"""The bar, the plain lines, and what a terminal must never be told."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from stmap_cli.console import Progress, console, printable, say

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(terminal=False, **more):
    return Console(file=io.StringIO(), force_terminal=terminal, highlight=False, soft_wrap=True, width=100, **more)


def test_off_a_terminal_there_is_a_plain_line_now_and_then(monkeypatch):
    monkeypatch.setattr("stmap_cli.console.PLAIN_EVERY_S", 0)
    out = screen()
    progress = Progress("building", 10, out, done=4)
    with progress.running():
        progress.step()
        progress.step(failed=True)
    first, second = out.file.getvalue().splitlines()
    assert re.fullmatch(r"building 5/10  [0-9.]+/s  eta 0 s", first)
    assert re.fullmatch(r"building 6/10  [0-9.]+/s  eta 0 s  1 failed", second)


def test_off_a_terminal_a_short_run_stays_silent():
    out = screen()
    progress = Progress("building", 10, out)
    with progress.running():
        for _ in range(10):
            progress.step()
    assert out.file.getvalue() == ""
    assert progress.done == 10


def test_on_a_terminal_there_is_a_bar_with_the_lines_above_it_that_goes_away():
    out = screen(terminal=True)
    progress = Progress("building", 4, out, done=1)
    with progress.running():
        progress.step()
        progress.say("  x p017_v4_source3   faces   no face in 94% of 300 frames [limit 50%]")
        progress.step(failed=True)
    text = CONTROL.sub("", out.file.getvalue())
    assert re.search(r"building ━+.*3/4 +75%  [0-9.]+/s  eta 0 s  1 failed", text)
    assert "\n  x p017_v4_source3   faces   no face in 94% of 300 frames [limit 50%]\n" in text.replace("\r", "\n")
    # the last thing that happens to the bar is that its line is erased
    assert out.file.getvalue().rstrip().endswith("\x1b[2K")


def test_no_color_takes_the_color_out_of_the_bar(monkeypatch):
    colors = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    for value, colored in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        monkeypatch.setenv("TERM", "xterm-256color")
        out = screen(terminal=True)
        with Progress("building", 4, out).running() as progress:
            progress.step()
        assert bool(colors.search(out.file.getvalue())) == colored


def test_the_console_writes_to_stderr(capsys):
    say(console(), "a [b] :smile: " + "long " * 40)
    captured = capsys.readouterr()
    assert captured.out == ""
    # not wrapped: a line in a log stays a line
    assert captured.err == "a [b] :smile: " + "long " * 40 + "\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_says_how_far_it_got_and_ends_with_130(terminal):
    out = screen(terminal=terminal)
    progress = Progress("building", 10, out, done=2)
    progress.step()
    with pytest.raises(click.exceptions.Exit) as end, progress.running():
        raise KeyboardInterrupt
    assert end.value.exit_code == 130
    assert out.file.getvalue().endswith("stopped; 3 of 10 done - run the same command to continue\n")


def test_what_cannot_be_continued_is_not_promised():
    out = screen()
    with pytest.raises(click.exceptions.Exit), Progress("exporting", 10, out, if_stopped="nothing was written").running():
        raise KeyboardInterrupt
    assert out.file.getvalue() == "stopped; 0 of 10 done - nothing was written\n"


def test_other_errors_pass_through():
    with pytest.raises(ValueError, match="ours"), Progress("building", 10, screen()).running():
        raise ValueError("ours")


@settings(deadline=None)
@given(st.text())
def test_no_text_can_steer_a_terminal_or_break_its_encoding(text):
    shown = printable(text)
    shown.encode("utf-8")
    assert all(one.isprintable() or one in "\n\t" for one in shown)
    assert printable(shown) == shown


@settings(deadline=None)
@given(st.binary())
def test_file_names_of_any_bytes_can_be_shown(name):
    printable(name.decode("utf-8", "surrogateescape")).encode("utf-8")


IMPORT = """
import signal
import click
from rich.console import Console
from stmap_cli import interrupt
from stmap_cli.console import Progress

signal.signal(signal.SIGINT, interrupt.on_interrupt)
progress = Progress("reading", 2, Console(), if_stopped="again")
try:
    with progress.running():
        progress.step()
        import interrupted
        print(interrupted.whole, flush=True)
        {more}
except click.exceptions.Exit as ended:
    print(ended.exit_code, progress.done)
"""


@pytest.mark.parametrize("more", ["", "progress.step()"])
def test_ctrl_c_in_an_import_waits_for_its_end_while_a_command_works(tmp_path, more):
    # a library that is written in C makes an ImportError of it, which would be shown as one
    (tmp_path / "interrupted.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhole = True\n")
    code = IMPORT.format(more=more)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[0] == "True"
    assert done.stdout.rstrip().endswith("130 1")
